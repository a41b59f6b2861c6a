//! The shape of `[throttle]`.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct Throttle {
    pub(in crate::config) account: u64,
    pub(in crate::config) wait: String,
    pub(in crate::config) longest_wait: String,
    pub(in crate::config) address: u64,
    pub(in crate::config) prefix: u64,
    pub(in crate::config) process: u64,
    pub(in crate::config) window: String,
}

impl Default for Throttle {
    fn default() -> Self {
        Self {
            account: 5,
            wait: "1m".into(),
            longest_wait: "1h".into(),
            address: 30,
            prefix: 120,
            process: 20_000,
            window: "15m".into(),
        }
    }
}
