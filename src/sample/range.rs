//! The `Range` header: one range of bytes (RFC 9110, section 14). Several ranges are answered with the whole.

use std::ops::Range;

/// What part of a file is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it: no range, one that isn't understood, or several.
    Whole,
    /// These bytes.
    Part(Range<usize>),
    /// A range outside of the file.
    Outside,
}

/// Reads a `Range` value for a file of `length` bytes.
pub(super) fn wanted(value: &str, length: usize) -> Wanted {
    let range = value.trim().strip_prefix("bytes=").and_then(|range| range.trim().split_once('-'));
    let Some((first, last)) = range else { return Wanted::Whole };
    let part = match (number(first), number(last)) {
        (Some(first), None) if last.is_empty() => first..length,
        (Some(first), Some(last)) if first <= last => first..length.min(last.saturating_add(1)),
        (None, Some(suffix)) if first.is_empty() => length.saturating_sub(suffix)..length,
        _ => return Wanted::Whole,
    };
    if part.is_empty() { Wanted::Outside } else { Wanted::Part(part) }
}

/// A number of digits alone; too large a one counts as the largest.
fn number(text: &str) -> Option<usize> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_names_the_bytes_between_both_ends() {
        for (value, part) in [
            ("bytes=0-0", 0..1),
            ("bytes=2-5", 2..6),
            ("bytes=7-", 7..10),
            ("bytes=-3", 7..10),
            ("bytes=-99", 0..10),
            ("bytes=5-99999999999999999999999", 5..10),
        ] {
            assert_eq!(wanted(value, 10), Wanted::Part(part), "{value}");
        }
    }

    #[test]
    fn a_range_outside_is_told_from_one_that_is_not_understood() {
        for value in ["bytes=10-", "bytes=10-12", "bytes=-0"] {
            assert_eq!(wanted(value, 10), Wanted::Outside, "{value}");
        }
        for value in ["", "lines=1-2", "bytes=5-2", "bytes=0-1,3-4", "bytes=+1-2", "bytes=-", "bytes=a-b"] {
            assert_eq!(wanted(value, 10), Wanted::Whole, "{value}");
        }
    }
}
