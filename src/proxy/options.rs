//! What the proxy can be told. Composed by `config`.

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use ipnet::IpNet;
use pingora::tls::{RootCertStore, load_ca_file_into_store};

use crate::domain::Host;

/// The application behind the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamOptions {
    /// Its host name or address.
    pub host: Host,
    /// Its port.
    pub port: u16,
    /// Whether it is spoken to over TLS, with its certificate verified for `host`.
    pub scheme: UpstreamScheme,
    /// The authorities that may have signed that certificate; those that the system trusts if there is none.
    pub ca_file: Option<CaFile>,
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
    /// How many unused connections are kept.
    pub pool_size: usize,
    /// How many tunnels may be open.
    pub tunnels: TunnelLimits,
}

/// How many tunnels may be open at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TunnelLimits {
    /// Of all clients together.
    pub total: usize,
    /// Of one member, or of the visitors at one address.
    pub per_client: usize,
}

impl UpstreamOptions {
    /// Its host name or address as resolvers and certificates know it: no brackets around IPv6.
    pub fn bare_host(&self) -> &str {
        self.host.as_str().trim_matches(['[', ']'])
    }

    /// Host and port, as they stand in a `Host` field.
    pub fn authority(&self) -> String {
        match (self.scheme, self.port) {
            (UpstreamScheme::Http, 80) | (UpstreamScheme::Https, 443) => self.host.to_string(),
            (_, port) => format!("{}:{port}", self.host),
        }
    }
}

/// A file with certificates of authorities, in PEM. It could be read when this was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaFile(String);

impl CaFile {
    /// Takes the file at this path.
    ///
    /// # Errors
    /// Why the engine could not use it.
    pub fn new(path: String) -> Result<Self, String> {
        let mut store = RootCertStore::empty();
        load_ca_file_into_store(&path, &mut store).map_err(|error| error.to_string())?;
        if store.is_empty() { Err("it holds no certificate".to_owned()) } else { Ok(Self(path)) }
    }

    /// The path.
    pub fn path(&self) -> &str {
        &self.0
    }
}

/// How the application is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpstreamScheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

/// What stands in the `Host` field the application gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostHeader {
    /// What the client sent, byte for byte.
    Client,
    /// This.
    Fixed(String),
    /// The host and port of the upstream's URL.
    Upstream,
}

/// Under which names the application gets to know the member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityOptions {
    /// The name signed in with.
    pub user: HeaderName,
    /// The name to show; the sign-in name if there is none.
    pub name: HeaderName,
    /// The e-mail address, if there is one.
    pub email: HeaderName,
    /// The groups, separated by commas, if there are any.
    pub groups: HeaderName,
    /// How characters outside ASCII are written.
    pub encoding: IdentityEncoding,
    /// The name under which [`IdentityOptions::proof`] is sent.
    pub secret: HeaderName,
    /// What only the gateway and the application's server know, sent with every request, so that one that came another way
    /// can be told (SECURITY: HDR-05).
    pub proof: Option<HeaderValue>,
}

/// How an identity becomes a header value (SECURITY: HDR-04).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityEncoding {
    /// Everything outside printable ASCII, and `%` itself, as UTF-8 percent-escapes (RFC 3986 §2.1).
    Percent,
    /// Raw UTF-8 bytes, for applications that expect them. Control characters can't occur in a name.
    Utf8,
}

/// Whose passkeys are asked for on this origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Webauthn {
    /// There are none of ours, so the application may have some.
    Anyones,
    /// Ours; pages of the application can't ask for them.
    Ours,
}

/// What becomes of a browser that fetches a service worker from the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceWorkers {
    /// It gets the script, like any other.
    Allowed,
    /// It is refused: a worker would stand between members and our pages.
    Refused,
}

/// What becomes of requests that come without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainHttp {
    /// They are served: a proxy in front does TLS, or nobody but this machine can ask.
    Served,
    /// Pages are redirected to the public origin, everything else is refused (SECURITY: WEB-09).
    Redirected,
}

/// How many members' connections there may be, and how slow they.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// How many at most.
    pub most: usize,
    /// How many at most from one IPv4 address or one IPv6 network of 64 bits, our own proxies aside.
    pub most_per_address: usize,
    /// How long the whole head of a request may take, from its first byte on.
    pub head_timeout: Duration,
    /// How long a connection is kept on which there is no request.
    pub idle_timeout: Duration,
    /// How many bytes a second have to move while we wait for the client; not 0.
    pub least_rate: u64,
    /// How long a transfer may take before that counts.
    pub rate_grace: Duration,
    /// How long nothing may move at all, however fast it was before.
    pub stall_timeout: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            most: 10_000,
            most_per_address: 500,
            head_timeout: Duration::from_secs(15),
            idle_timeout: Duration::from_secs(75),
            least_rate: 240,
            rate_grace: Duration::from_secs(5),
            stall_timeout: Duration::from_secs(60),
        }
    }
}

/// The proxy's options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyOptions {
    /// The application.
    pub upstream: UpstreamOptions,
    /// Identity headers.
    pub identity: IdentityOptions,
    /// Peers whose `X-Forwarded-*` and `X-Request-Id` fields are believed (SECURITY: H7).
    pub trusted_proxies: Vec<IpNet>,
    /// Whose passkeys are asked for.
    pub webauthn: Webauthn,
    /// Whether the application may have service workers.
    pub service_workers: ServiceWorkers,
    /// What becomes of requests without TLS.
    pub plain_http: PlainHttp,
    /// The `Strict-Transport-Security` of every response that has none of the application's; none where there is no TLS.
    pub hsts: Option<HeaderValue>,
    /// The limits of members' connections.
    pub connections: ConnectionLimits,
}
