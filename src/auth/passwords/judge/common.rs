//! The passwords of fifteen characters and more that are guessed first. The shorter ones are known to the crate zxcvbn.

use std::collections::HashSet;
use std::sync::LazyLock;

/// One a line, folded; made by `make.py` beside it.
const LIST: &str = include_str!("../../../../assets/passwords/common.txt");

static ALL: LazyLock<HashSet<&'static str>> = LazyLock::new(|| LIST.lines().collect());

/// Whether this is one of them.
pub(super) fn contains(folded: &str) -> bool {
    ALL.contains(folded)
}

#[cfg(test)]
pub(super) fn all() -> impl Iterator<Item = &'static str> {
    LIST.lines()
}
