//! Names with a star in them: `phpbb3_*_sid`, where each installation has letters of its own.

use percent_encoding::percent_decode;
use serde::{Deserialize, Serialize};

/// The cookies of a forum that are kept on our side, by patterns of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CookieNames(Vec<String>);

impl CookieNames {
    /// These patterns; each may have stars, which stand for any letters.
    pub const fn new(patterns: Vec<String>) -> Self {
        Self(patterns)
    }

    /// Whether a cookie of this name is meant, in any spelling that PHP takes for it.
    pub fn include(&self, name: &[u8]) -> bool {
        let folded = folded(name);
        self.0.iter().any(|pattern| fits(pattern.as_bytes(), name) || fits(pattern.as_bytes(), &folded))
    }
}

/// Whether `text` fits a pattern in which stars stand for any bytes.
pub(super) fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let Some(star) = pattern.iter().position(|byte| *byte == b'*') else { return pattern == text };
    let (start, rest) = (&pattern[..star], &pattern[star + 1..]);
    let Some(mut text) = text.strip_prefix(start) else { return false };
    let mut pieces: Vec<&[u8]> = rest.split(|byte| *byte == b'*').collect();
    let end = pieces.pop().unwrap_or_default();
    for piece in pieces.into_iter().filter(|piece| !piece.is_empty()) {
        let Some(at) = text.windows(piece.len()).position(|window| window == piece) else { return false };
        text = &text[at + piece.len()..];
    }
    text.ends_with(end)
}

/// A name as PHP makes a variable of it: decoded, up to a NUL, without leading blanks; blank, `.` and an unclosed `[` as `_`.
fn folded(name: &[u8]) -> Vec<u8> {
    let decoded: Vec<u8> = percent_decode(name).collect();
    let until = decoded.split(|byte| *byte == 0).next().unwrap_or_default();
    let is_closed = until.contains(&b']');
    let fold = |byte: &u8| match byte {
        b' ' | b'.' => b'_',
        b'[' if !is_closed => b'_',
        byte => *byte,
    };
    until.trim_ascii_start().iter().map(fold).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_star_stands_for_any_letters() {
        for (pattern, text) in
            [("a*", "a"), ("a*c", "abc"), ("*", ""), ("a*b*c", "aXbYc"), ("*sid", "sidsid"), ("a**b", "ab")]
        {
            assert!(fits(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
        }
        for (pattern, text) in [("a", "ab"), ("a*c", "ab"), ("ab*ba", "aba"), ("a*b*b", "ab"), ("", "x")] {
            assert!(!fits(pattern.as_bytes(), text.as_bytes()), "{pattern} {text}");
        }
    }

    proptest! {
        #[test]
        fn a_text_fits_the_pattern_made_of_it(parts in proptest::collection::vec("[a-c]{0,3}", 1..5), fill in "[a-c]{0,4}") {
            prop_assert!(fits(parts.join("*").as_bytes(), parts.join(&fill).as_bytes()));
        }
    }
}
