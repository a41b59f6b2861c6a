//! The shape of `[upstream]`, its check and its routes.

use serde::{Deserialize, Serialize};

use super::one_or_many;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct Upstream {
    #[serde(deserialize_with = "one_or_many")]
    pub(in crate::config) url: Vec<String>,
    pub(in crate::config) weights: Vec<u64>,
    pub(in crate::config) balance: String,
    pub(in crate::config) ca_file: String,
    pub(in crate::config) client_certificate: String,
    pub(in crate::config) client_key: String,
    pub(in crate::config) host_header: String,
    pub(in crate::config) connect_timeout: String,
    pub(in crate::config) read_timeout: String,
    pub(in crate::config) write_timeout: String,
    pub(in crate::config) idle_timeout: String,
    pub(in crate::config) pool_size: u64,
    pub(in crate::config) max_tunnels: u64,
    pub(in crate::config) max_tunnels_per_client: u64,
    pub(in crate::config) check: Check,
    pub(in crate::config) route: Vec<Route>,
}

impl Default for Upstream {
    fn default() -> Self {
        Self {
            url: vec!["http://127.0.0.1:8000".into()],
            weights: Vec::new(),
            balance: "turns".into(),
            ca_file: String::new(),
            client_certificate: String::new(),
            client_key: String::new(),
            host_header: "client".into(),
            connect_timeout: "2s".into(),
            read_timeout: "60s".into(),
            write_timeout: "60s".into(),
            idle_timeout: "60s".into(),
            pool_size: 128,
            max_tunnels: 1_000,
            max_tunnels_per_client: 20,
            check: Check::default(),
            route: Vec::new(),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct Check {
    pub(in crate::config) path: String,
    pub(in crate::config) interval: String,
    pub(in crate::config) timeout: String,
    pub(in crate::config) status: u64,
    pub(in crate::config) host: String,
}

impl Default for Check {
    fn default() -> Self {
        Self {
            path: String::new(),
            interval: "10s".into(),
            timeout: "5s".into(),
            status: 200,
            host: String::new(),
        }
    }
}

/// What is "" is as in `[upstream]`, where both have it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::config) struct Route {
    pub(in crate::config) host: String,
    pub(in crate::config) path: String,
    #[serde(deserialize_with = "one_or_many")]
    pub(in crate::config) url: Vec<String>,
    pub(in crate::config) weights: Vec<u64>,
    pub(in crate::config) balance: String,
    pub(in crate::config) ca_file: String,
    pub(in crate::config) client_certificate: String,
    pub(in crate::config) client_key: String,
    pub(in crate::config) host_header: String,
    pub(in crate::config) connect_timeout: String,
    pub(in crate::config) read_timeout: String,
    pub(in crate::config) write_timeout: String,
    pub(in crate::config) idle_timeout: String,
    pub(in crate::config) check: Check,
}

impl Default for Route {
    fn default() -> Self {
        let [host, balance, ca_file, client_certificate, client_key, host_header] = Default::default();
        let [connect_timeout, read_timeout, write_timeout, idle_timeout] = Default::default();
        Self {
            host,
            path: "/**".into(),
            url: Vec::new(),
            weights: Vec::new(),
            balance,
            ca_file,
            client_certificate,
            client_key,
            host_header,
            connect_timeout,
            read_timeout,
            write_timeout,
            idle_timeout,
            check: Check::default(),
        }
    }
}
