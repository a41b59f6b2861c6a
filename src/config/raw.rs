//! The file's shape, section by section, with the defaults. Texts stay texts here; `resolve` gives them meaning.
//!
//! Every section refuses keys it does not know. Where a list may also be one text, [`one_or_many`] says so.

mod app_passwords;
mod password;
mod throttle;
mod tls;
mod upstream;

pub(super) use self::app_passwords::AppPasswords;
pub(super) use self::password::{Password, SecondFactor};
pub(super) use self::throttle::Throttle;
pub(super) use self::tls::{Tls, TlsAcme, TlsCertificate};
pub(super) use self::upstream::{Check, Route, Upstream};

use std::fmt;

use figment::value::Dict;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::connections::Connections;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Raw {
    pub(super) server: Server,
    pub(super) connections: Connections,
    pub(super) tls: Tls,
    pub(super) upstream: Upstream,
    pub(super) identity: Identity,
    pub(super) access: Access,
    pub(super) forum: Forum,
    pub(super) passkeys: Passkeys,
    pub(super) password: Password,
    pub(super) second_factor: SecondFactor,
    pub(super) registration: Registration,
    pub(super) session: Session,
    pub(super) accounts: Accounts,
    pub(super) app_passwords: AppPasswords,
    pub(super) throttle: Throttle,
    pub(super) store: Store,
    pub(super) mail: Mail,
    pub(super) pages: Pages,
    pub(super) log: Log,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Server {
    #[serde(deserialize_with = "one_or_many")]
    pub(super) listen: Vec<String>,
    pub(super) public_url: String,
    #[serde(deserialize_with = "one_or_many")]
    pub(super) hosts: Vec<String>,
    #[serde(deserialize_with = "one_or_many")]
    pub(super) aliases: Vec<String>,
    pub(super) data_dir: String,
    #[serde(deserialize_with = "one_or_many")]
    pub(super) trusted_proxies: Vec<String>,
    pub(super) proxy_protocol: bool,
    pub(super) admin_listen: String,
    pub(super) prefix: String,
    #[serde(deserialize_with = "one_or_many")]
    pub(super) methods: Vec<String>,
    pub(super) threads: u64,
    pub(super) drain_timeout: String,
    pub(super) user: String,
    pub(super) watch: bool,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: vec!["127.0.0.1:8080".into()],
            public_url: "http://localhost:8080".into(),
            hosts: Vec::new(),
            aliases: Vec::new(),
            data_dir: "data".into(),
            trusted_proxies: Vec::new(),
            proxy_protocol: false,
            admin_listen: "127.0.0.1:9090".into(),
            prefix: "/.passgate".into(),
            methods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"].map(Into::into).into(),
            threads: 0,
            drain_timeout: "30s".into(),
            user: String::new(),
            watch: false,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Identity {
    pub(super) user: String,
    pub(super) name: String,
    pub(super) email: String,
    pub(super) groups: String,
    pub(super) encoding: String,
    pub(super) secret: String,
    pub(super) secret_file: String,
}

impl Default for Identity {
    fn default() -> Self {
        Self {
            user: "Remote-User".into(),
            name: "Remote-Name".into(),
            email: "Remote-Email".into(),
            groups: "Remote-Groups".into(),
            encoding: "percent".into(),
            secret: "X-Gateway-Secret".into(),
            secret_file: String::new(),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Access {
    pub(super) default: String,
    pub(super) rule: Vec<AccessRule>,
}

impl Default for Access {
    fn default() -> Self {
        Self { default: "login".into(), rule: Vec::new() }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct AccessRule {
    pub(super) host: String,
    pub(super) path: String,
    #[serde(deserialize_with = "one_or_many")]
    pub(super) methods: Vec<String>,
    pub(super) require: String,
    #[serde(deserialize_with = "one_or_many")]
    pub(super) groups: Vec<String>,
    pub(super) step_up: String,
    pub(super) step_up_with: String,
    pub(super) authorization: String,
    pub(super) bridge: String,
}

impl Default for AccessRule {
    fn default() -> Self {
        Self {
            host: String::new(),
            path: "/**".into(),
            methods: Vec::new(),
            require: "login".into(),
            groups: Vec::new(),
            step_up: String::new(),
            step_up_with: "any".into(),
            authorization: "drop".into(),
            bridge: String::new(),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Forum {
    pub(super) preset: String,
    pub(super) bridge: String,
    pub(super) path: String,
    pub(super) vault_key: String,
    pub(super) passwords: String,
    pub(super) register: String,
    pub(super) cookies: String,
    pub(super) database: String,
    pub(super) database_password_file: String,
    pub(super) table_prefix: String,
    pub(super) cookie_name: String,
    pub(super) secret_file: String,
    pub(super) r#override: Dict,
    pub(super) first_sign_in: String,
}

impl Default for Forum {
    fn default() -> Self {
        Self {
            preset: String::new(),
            bridge: String::new(),
            path: "/".into(),
            vault_key: String::new(),
            passwords: "members".into(),
            register: "pass".into(),
            cookies: "gateway".into(),
            database: String::new(),
            database_password_file: String::new(),
            table_prefix: String::new(),
            cookie_name: String::new(),
            secret_file: String::new(),
            r#override: Dict::new(),
            first_sign_in: "off".into(),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Passkeys {
    pub(super) enabled: bool,
    pub(super) rollout: String,
    #[serde(deserialize_with = "one_or_many")]
    pub(super) groups: Vec<String>,
    #[serde(deserialize_with = "one_or_many")]
    pub(super) required_for: Vec<String>,
    pub(super) suggest: String,
    pub(super) max_per_user: u64,
    pub(super) rp_id: String,
    pub(super) resident_key: String,
    pub(super) allow_service_workers: bool,
}

impl Default for Passkeys {
    fn default() -> Self {
        Self {
            enabled: true,
            rollout: "everyone".into(),
            groups: Vec::new(),
            required_for: Vec::new(),
            suggest: "after-login".into(),
            max_per_user: 10,
            rp_id: String::new(),
            resident_key: "required".into(),
            allow_service_workers: false,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Accounts {
    pub(super) self_delete: String,
}

impl Default for Accounts {
    fn default() -> Self {
        Self { self_delete: "request".into() }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Registration {
    pub(super) mode: String,
    pub(super) approval: bool,
    pub(super) approver: String,
    pub(super) per_hour: u64,
    #[serde(deserialize_with = "one_or_many")]
    pub(super) reserved_names: Vec<String>,
}

impl Default for Registration {
    fn default() -> Self {
        let reserved = [
            "abuse",
            "admin",
            "administrator",
            "anonymous",
            "guest",
            "hostmaster",
            "mod",
            "moderator",
            "moderators",
            "postmaster",
            "root",
            "security",
            "staff",
            "support",
            "sysop",
            "system",
            "webmaster",
        ];
        let reserved_names = reserved.map(Into::into).into();
        Self {
            mode: "closed".into(),
            approval: false,
            approver: String::new(),
            per_hour: 100,
            reserved_names,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Session {
    pub(super) idle: String,
    pub(super) absolute: String,
    pub(super) remember: String,
    pub(super) shared: String,
    pub(super) max_per_member: u64,
    pub(super) keep_forms: String,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            idle: "1h".into(),
            absolute: "24h".into(),
            remember: "30d".into(),
            shared: "15m".into(),
            max_per_member: 100,
            keep_forms: "8MiB".into(),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Store {
    pub(super) backend: String,
    pub(super) path: String,
    pub(super) cache_mib: u64,
    pub(super) backup_every: String,
    pub(super) backups_kept: u64,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            backend: "sled".into(),
            path: String::new(),
            cache_mib: 4,
            backup_every: "24h".into(),
            backups_kept: 7,
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Mail {
    pub(super) host: String,
    pub(super) port: u64,
    pub(super) tls: String,
    pub(super) user: String,
    pub(super) password_file: String,
    pub(super) from: String,
    pub(super) hello: String,
    pub(super) timeout: String,
}

impl Default for Mail {
    fn default() -> Self {
        Self {
            host: String::new(),
            port: 587,
            tls: "starttls".into(),
            user: String::new(),
            password_file: String::new(),
            from: String::new(),
            hello: String::new(),
            timeout: "30s".into(),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Pages {
    pub(super) site_name: String,
    pub(super) logo: String,
    pub(super) accent: String,
    pub(super) recovery_url: String,
    pub(super) templates: String,
}

impl Default for Pages {
    fn default() -> Self {
        Self {
            site_name: String::new(),
            logo: String::new(),
            accent: "#2457d6".into(),
            recovery_url: String::new(),
            templates: String::new(),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Log {
    pub(super) format: String,
    pub(super) level: String,
    pub(super) audit: bool,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: "auto".into(), level: "info".into(), audit: true }
    }
}

/// A list of texts, or one text for a list of one.
fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct OneOrMany;

    impl<'de> Visitor<'de> for OneOrMany {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text or a list of texts")
        }

        fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
            Ok(vec![text.to_owned()])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
            let mut all = Vec::new();
            while let Some(item) = items.next_element()? {
                all.push(item);
            }
            Ok(all)
        }
    }

    deserializer.deserialize_any(OneOrMany)
}
