//! What went wrong of late when somebody tried to get into an account. Counted and judged by `auth::throttle`.

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// Wrong tries in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Streak {
    /// How many.
    pub count: u32,
    /// When the last one was.
    pub last: Timestamp,
}

/// Where a try came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Place {
    /// A browser in which the member had signed in before.
    Device([u8; 16]),
    /// Any other: the network it is in.
    Network([u8; 16]),
}

/// The wrong tries of an account since somebody last got in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failures {
    /// From strange places, all together.
    pub strangers: Streak,
    /// By place; a few of the latest.
    pub places: Vec<(Place, Streak)>,
}
