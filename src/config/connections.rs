//! The `[connections]` section: how many members' connections there may be, and how slow they.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::reader::Reader;
use crate::proxy::options::ConnectionLimits;

/// The section's shape.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Connections {
    most: u64,
    most_per_address: u64,
    head_timeout: String,
    idle_timeout: String,
    least_rate: u64,
    rate_grace: String,
    stall_timeout: String,
}

impl Default for Connections {
    fn default() -> Self {
        Self {
            most: 10_000,
            most_per_address: 500,
            head_timeout: "15s".into(),
            idle_timeout: "75s".into(),
            least_rate: 240,
            rate_grace: "5s".into(),
            stall_timeout: "60s".into(),
        }
    }
}

pub(super) fn read(reader: &mut Reader<'_>, raw: &Connections) -> Option<ConnectionLimits> {
    let help = "each takes some kilobytes of memory and one or two file descriptors";
    let most = reader.number("connections.most", raw.most, 1..=1_000_000, help);
    let help = "a browser opens up to six; a school or an office may have one address";
    let most_per_address =
        reader.number("connections.most_per_address", raw.most_per_address, 1..=1_000_000, help);
    let least = Duration::from_millis(100);
    let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(60 * 60));
    // The engine gives up a first request after a minute by itself.
    let head_timeout = reader.duration("connections.head_timeout", &raw.head_timeout, least..=minute);
    let idle_timeout = reader.duration("connections.idle_timeout", &raw.idle_timeout, least..=hour);
    let help = "240 bytes a second is less than any line of today carries";
    let least_rate = reader.number("connections.least_rate", raw.least_rate, 1..=1_000_000, help);
    let rate_grace = reader.duration("connections.rate_grace", &raw.rate_grace, least..=hour);
    let stall_timeout = reader.duration("connections.stall_timeout", &raw.stall_timeout, least..=hour);
    Some(ConnectionLimits {
        most: most?,
        most_per_address: most_per_address?,
        head_timeout: head_timeout?,
        idle_timeout: idle_timeout?,
        least_rate: least_rate?,
        rate_grace: rate_grace?,
        stall_timeout: stall_timeout?,
    })
}
