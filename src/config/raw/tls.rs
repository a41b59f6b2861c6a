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
    pub(in crate::config) acme: TlsAcme,
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
            acme: TlsAcme::default(),
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

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct TlsAcme {
    pub(in crate::config) enabled: bool,
    pub(in crate::config) directory: String,
    pub(in crate::config) terms_agreed: bool,
    #[serde(deserialize_with = "one_or_many")]
    pub(in crate::config) contact: Vec<String>,
    #[serde(deserialize_with = "one_or_many")]
    pub(in crate::config) names: Vec<String>,
    #[serde(deserialize_with = "one_or_many")]
    pub(in crate::config) challenges: Vec<String>,
    pub(in crate::config) ca_file: String,
    pub(in crate::config) external_account: String,
    pub(in crate::config) external_account_key_file: String,
}

impl Default for TlsAcme {
    fn default() -> Self {
        Self {
            enabled: false,
            directory: "https://acme-v02.api.letsencrypt.org/directory".into(),
            terms_agreed: false,
            contact: Vec::new(),
            names: Vec::new(),
            challenges: vec!["tls-alpn-01".into(), "http-01".into()],
            ca_file: String::new(),
            external_account: String::new(),
            external_account_key_file: String::new(),
        }
    }
}
