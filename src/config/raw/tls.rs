//! The shape of `[tls]`.

use serde::{Deserialize, Serialize};

use super::one_or_many;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct Tls {
    #[serde(deserialize_with = "one_or_many")]
    pub(in crate::config) listen: Vec<String>,
    pub(in crate::config) profile: String,
    pub(in crate::config) redirect: bool,
    pub(in crate::config) hsts: String,
    pub(in crate::config) handshake_timeout: String,
    pub(in crate::config) certificate: Vec<TlsCertificate>,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            listen: Vec::new(),
            profile: "intermediate".into(),
            redirect: false,
            hsts: "365d".into(),
            handshake_timeout: "10s".into(),
            certificate: Vec::new(),
        }
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct TlsCertificate {
    pub(in crate::config) chain: String,
    pub(in crate::config) key: String,
    pub(in crate::config) default: bool,
}
