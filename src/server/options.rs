//! What the process can be told. Composed by `config`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

pub use super::tls::acme::{AcmeOptions, Authorities, ChallengeKind, ExternalAccount};
pub use super::tls::{Certificate, CertificateError, CertificateSource, RenewedBy};

/// The process's options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerOptions {
    /// Where members' requests arrive.
    pub listen: Vec<SocketAddr>,
    /// Where metrics, health and readiness are; none for nowhere.
    pub admin_listen: Option<SocketAddr>,
    /// How members' browsers reach the gateway: scheme, host, port; no path.
    pub public_url: Url,
    /// Where everything of ours lies on disk; mode 0700.
    pub data_dir: PathBuf,
    /// Threads that proxy; 0 for one a core.
    pub threads: usize,
    /// How long requests in flight may take to end after a signal to stop.
    pub drain_timeout: Duration,
    /// Whether our own proxies begin connections with the PROXY protocol.
    pub proxy_protocol: ProxyProtocol,
    /// As whom it goes on once its ports are bound; none for whoever started it.
    pub user: Option<String>,
    /// Whether a changed configuration is put into force by itself.
    pub watch: Watch,
}

/// Whether connections of our own proxies begin with a PROXY header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyProtocol {
    /// They do, and those that don't are closed.
    Expected,
    /// They begin with the client's bytes.
    Off,
}

/// Whether a file is looked at for changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// It is.
    On,
    /// It is read again when somebody says so.
    Off,
}

/// TLS on listeners of our own.
#[derive(Clone, Debug)]
pub struct TlsOptions {
    /// Where members' requests arrive over TLS.
    pub listen: Vec<SocketAddr>,
    /// Which versions are spoken.
    pub profile: TlsProfile,
    /// What is shown to clients, in the order of the file.
    pub certificates: Vec<Certificate>,
    /// By what certificates come by themselves; none if they don't.
    pub acme: Option<AcmeOptions>,
    /// How long a handshake may take.
    pub handshake_timeout: Duration,
}

/// Which versions of TLS are spoken; the names are Mozilla's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsProfile {
    /// 1.2, with ephemeral keys and authenticated encryption alone, and 1.3.
    Intermediate,
    /// 1.3 alone.
    Modern,
}

/// The log's options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogOptions {
    /// Its form.
    pub format: LogFormat,
    /// From which level on, in the syntax of `tracing_subscriber::EnvFilter`.
    pub level: String,
    /// Whether there is an audit log.
    pub audit: bool,
}

/// The form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Human on a terminal, JSON otherwise.
    Auto,
    /// Lines to read.
    Human,
    /// One JSON object a line.
    Json,
}

/// Where accounts and sessions are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreOptions {
    /// In memory, gone with the process; for trying things out.
    Memory,
    /// In sled's files.
    Sled {
        /// The folder.
        path: PathBuf,
        /// Bytes of page cache.
        cache_bytes: u64,
        /// The backups that are made of it; none for none.
        backups: Option<BackupOptions>,
    },
}

/// The backups that the gateway makes by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupOptions {
    /// Where they are kept.
    pub folder: PathBuf,
    /// How old the last one is when it makes the next.
    pub every: Duration,
    /// How many there are at most.
    pub keep: usize,
}
