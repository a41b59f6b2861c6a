//! The `[password]` and `[second_factor]` sections as they are written.

use serde::{Deserialize, Serialize};

use super::one_or_many;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct Password {
    pub(in crate::config) enabled: bool,
    pub(in crate::config) min_length: u64,
    pub(in crate::config) min_length_with_second_factor: u64,
    pub(in crate::config) memory_kib: u64,
    pub(in crate::config) iterations: u64,
    pub(in crate::config) parallelism: u64,
    pub(in crate::config) workers: u64,
}

impl Default for Password {
    fn default() -> Self {
        Self {
            enabled: true,
            min_length: 15,
            min_length_with_second_factor: 8,
            memory_kib: 19_456,
            iterations: 2,
            parallelism: 1,
            workers: 0,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct SecondFactor {
    pub(in crate::config) enabled: bool,
    pub(in crate::config) mail: bool,
    #[serde(deserialize_with = "one_or_many")]
    pub(in crate::config) required_groups: Vec<String>,
    pub(in crate::config) required_for_all: bool,
    pub(in crate::config) trust_devices: String,
    pub(in crate::config) key: String,
}

impl Default for SecondFactor {
    fn default() -> Self {
        Self {
            enabled: true,
            mail: false,
            required_groups: Vec::new(),
            required_for_all: false,
            trust_devices: "30d".into(),
            key: String::new(),
        }
    }
}
