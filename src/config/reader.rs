//! Reading single values: each refusal is noted with its key and its source, and reading goes on.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::layers::Layers;
use super::problem::Problem;

/// Collects problems while values are read.
pub(super) struct Reader<'l> {
    layers: &'l Layers,
    problems: Vec<Problem>,
}

impl<'l> Reader<'l> {
    pub(super) fn new(layers: &'l Layers, problems: Vec<Problem>) -> Self {
        Self { layers, problems }
    }

    pub(super) fn layers(&self) -> &'l Layers {
        self.layers
    }

    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    /// Whether nothing has been refused so far at `key` or below it.
    pub(super) fn is_fine(&self, key: &str) -> bool {
        !self.problems.iter().any(|problem| {
            problem.key.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }

    /// Notes a problem and returns none, to end a match arm with.
    pub(super) fn refuse<T>(
        &mut self,
        key: &str,
        found: impl Into<String>,
        expected: impl Into<String>,
        help: impl Into<String>,
    ) -> Option<T> {
        self.note(key, found, expected, help);
        None
    }

    /// Notes a problem.
    pub(super) fn note(
        &mut self,
        key: &str,
        found: impl Into<String>,
        expected: impl Into<String>,
        help: impl Into<String>,
    ) {
        let source = self.layers.source_of(key);
        let (found, expected, help) = (found.into(), expected.into(), help.into());
        self.problems.push(Problem { key: key.to_owned(), found, expected, help, source });
    }

    /// Takes over a problem as it is.
    pub(super) fn add(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// A number within bounds.
    pub(super) fn number<T: TryFrom<u64>>(
        &mut self,
        key: &str,
        value: u64,
        bounds: RangeInclusive<u64>,
        help: &str,
    ) -> Option<T> {
        match T::try_from(value) {
            Ok(number) if bounds.contains(&value) => Some(number),
            _ => {
                let expected = format!("a whole number from {} to {}", bounds.start(), bounds.end());
                self.refuse(key, value.to_string(), expected, help)
            }
        }
    }

    /// A span of time within bounds.
    pub(super) fn duration(
        &mut self,
        key: &str,
        text: &str,
        bounds: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        match humantime::parse_duration(text) {
            Ok(duration) if bounds.contains(&duration) => Some(duration),
            Ok(_) => {
                let [low, high] = [bounds.start(), bounds.end()].map(|edge| span(*edge));
                self.refuse(
                    key,
                    quoted(text),
                    format!("a time from {low} to {high}"),
                    "write a time in between",
                )
            }
            Err(_) => self.refuse(
                key,
                quoted(text),
                "a number and a unit, such as \"500ms\", \"30s\", \"5m\", \"24h\" or \"30d\"",
                "add the unit, in quotes",
            ),
        }
    }

    /// A size in bytes, up to a bound.
    pub(super) fn size(&mut self, key: &str, text: &str, most_mib: usize) -> Option<usize> {
        const UNITS: [(&str, usize); 2] = [("MiB", 1024 * 1024), ("KiB", 1024)];
        let unit = UNITS.iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, *bytes)));
        let (count, bytes) = unit.unwrap_or((text, 1));
        let count = count.trim().parse::<usize>().ok().filter(|count| unit.is_some() || *count == 0);
        match count.and_then(|count| count.checked_mul(bytes)) {
            Some(size) if size <= most_mib * 1024 * 1024 => Some(size),
            _ => {
                let expected = format!("\"0\", or a size up to \"{most_mib}MiB\"");
                self.refuse(
                    key,
                    quoted(text),
                    expected,
                    "write a whole number and KiB or MiB, such as \"8MiB\"",
                )
            }
        }
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&mut self, key: &str, text: &str, words: &[(&str, T)]) -> Option<T> {
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*meaning);
        }
        let known: Vec<_> = words.iter().map(|(word, _)| quoted(word)).collect();
        self.refuse(key, quoted(text), format!("one of {}", known.join(", ")), "write one of these words")
    }
}

/// A text as it is shown in a problem; control characters are escaped.
pub(super) fn quoted(text: &str) -> String {
    format!("{text:?}")
}

/// [`quoted`] for a URL: what stands before an `@` may be a password.
pub(super) fn quoted_url(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((_, rest)) => quoted(&format!("…@{rest}")),
        None => quoted(text),
    }
}

/// A day, for bounds.
pub(super) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A bound in its greatest whole unit; `humantime` would count a year as 365.25 days.
fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match duration.as_millis() {
        millis if millis % 1000 != 0 => format!("{millis}ms"),
        _ if seconds > 0 && seconds.is_multiple_of(86_400) => format!("{}d", seconds / 86_400),
        _ if seconds > 0 && seconds.is_multiple_of(3_600) => format!("{}h", seconds / 3_600),
        _ => format!("{seconds}s"),
    }
}
