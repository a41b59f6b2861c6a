//! The applications behind the gateway, and the servers of each.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode};

use super::{CaFile, ClientCertificate};
use crate::domain::Host;
use crate::policy::ApplicationId;

/// The applications behind the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamOptions {
    /// The one that gets what no route says otherwise of.
    pub sites: ApplicationOptions,
    /// Those of the routes, in the order of the file.
    pub routed: Vec<ApplicationOptions>,
    /// How many unused connections are kept, to all of them.
    pub pool_size: usize,
    /// How many tunnels may be open, to all of them.
    pub tunnels: TunnelLimits,
}

impl UpstreamOptions {
    /// The options of one; those of the site's for an id that is none of theirs.
    pub fn application(&self, id: ApplicationId) -> &ApplicationOptions {
        id.route().and_then(|at| self.routed.get(at)).unwrap_or(&self.sites)
    }

    /// All of them, the site's first.
    pub fn applications(&self) -> impl Iterator<Item = &ApplicationOptions> {
        std::iter::once(&self.sites).chain(&self.routed)
    }
}

/// How many tunnels may be open at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TunnelLimits {
    /// Of all clients together.
    pub total: usize,
    /// Of one member, or of the visitors at one address.
    pub per_client: usize,
}

/// An application, and how it is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplicationOptions {
    /// What operators know it by: `[upstream]`, or its route's host and path.
    pub name: String,
    /// Where it runs; at least one place.
    pub servers: Vec<ServerAt>,
    /// Which of them gets a request.
    pub balance: Balance,
    /// The authorities that may have signed its servers' certificates; those that the system trusts if there is none.
    pub ca_file: Option<CaFile>,
    /// By what its servers know the gateway.
    pub client_certificate: Option<ClientCertificate>,
    /// What stands in the `Host` field it gets.
    pub host_header: HostHeader,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long it may be silent while we wait for it.
    pub read_timeout: Duration,
    /// How long it may refuse to take bytes.
    pub write_timeout: Duration,
    /// How long an unused connection is kept for the next request.
    pub idle_timeout: Duration,
    /// How its servers are asked whether they work; none if they are not.
    pub check: Option<CheckOptions>,
}

impl ApplicationOptions {
    /// How many servers one may have: a request notes in as many bits which it has tried.
    pub const MOST_SERVERS: usize = 64;
}

/// One server of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAt {
    /// Where it listens.
    pub place: Place,
    /// How much it gets beside the others, from 1 to 100.
    pub weight: u8,
}

/// Where a server listens. `Display` gives the URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// On a port.
    Port {
        /// Whether it is spoken to over TLS, with its certificate verified for `host`.
        scheme: UpstreamScheme,
        /// Its host name or address.
        host: Host,
        /// The port.
        port: u16,
    },
    /// On a Unix socket of this machine, in the clear. The path is absolute.
    Socket(PathBuf),
}

impl Place {
    /// How it is spoken to.
    pub const fn scheme(&self) -> UpstreamScheme {
        match self {
            Self::Port { scheme, .. } => *scheme,
            Self::Socket(_) => UpstreamScheme::Http,
        }
    }

    /// Host and port, as they stand in a `Host` field; for a socket, the name that others use too.
    pub fn authority(&self) -> String {
        match self {
            Self::Port { scheme: UpstreamScheme::Http, host, port: 80 }
            | Self::Port { scheme: UpstreamScheme::Https, host, port: 443 } => host.to_string(),
            Self::Port { host, port, .. } => format!("{host}:{port}"),
            Self::Socket(_) => "localhost".to_owned(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port { scheme, .. } => {
                let scheme = if *scheme == UpstreamScheme::Https { "https" } else { "http" };
                write!(f, "{scheme}://{}", self.authority())
            }
            Self::Socket(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// How a server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamScheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

/// Which of several servers gets a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    /// Each in turn, by weight.
    #[default]
    Turns,
    /// The same one for a member, and for the visitors at one address (of IPv6, of one /64).
    Member,
    /// The same one for everybody at one address.
    Address,
}

/// How servers are asked whether they work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckOptions {
    /// The path to ask for.
    pub target: String,
    /// How often.
    pub interval: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// The status of a server that works.
    pub status: StatusCode,
    /// The `Host` of the question; that of the server's URL if there is none.
    pub host: Option<String>,
    /// What only the gateway and the application's server know, if that is sent with every request.
    pub proof: Option<(HeaderName, HeaderValue)>,
}

/// What stands in the `Host` field the application gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostHeader {
    /// What the client sent, byte for byte.
    Client,
    /// This.
    Fixed(String),
    /// The host and port of the server's URL.
    Upstream,
}
