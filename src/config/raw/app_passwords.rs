//! The shape of `[app_passwords]`.

use serde::{Deserialize, Serialize};

use super::one_or_many;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct AppPasswords {
    pub(in crate::config) enabled: bool,
    #[serde(deserialize_with = "one_or_many")]
    pub(in crate::config) paths: Vec<String>,
    pub(in crate::config) max_per_member: u64,
}

impl Default for AppPasswords {
    fn default() -> Self {
        Self { enabled: false, paths: Vec::new(), max_per_member: 10 }
    }
}
