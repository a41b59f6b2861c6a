//! What went wrong of late when somebody tried to get into an account. Counted and judged by `auth::throttle`.

use super::Timestamp;

/// Wrong tries in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Streak {
    /// How many.
    pub count: u32,
    /// When the last one was.
    pub last: Timestamp,
}

/// Where a try came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A browser in which the member had signed in before.
    Device([u8; 16]),
    /// Any other: the network it is in.
    Network([u8; 16]),
}

/// The wrong tries of an account since somebody last got in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// From strange places, all together.
    pub strangers: Streak,
    /// By place; a few of the latest.
    pub places: Vec<(Place, Streak)>,
}

impl Failures {
    /// Whether there is nothing to remember.
    pub fn is_empty(&self) -> bool {
        self.strangers.count == 0 && self.places.is_empty()
    }
}
