//! What the proxy can be told. Composed by `config`.

mod pem;
mod upstream;

pub use self::pem::{CaFile, ClientCertificate, PemError};
pub use self::upstream::{
    ApplicationOptions, Balance, CheckOptions, HostHeader, Place, ServerAt, TunnelLimits, UpstreamOptions,
    UpstreamScheme,
};

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use ipnet::IpNet;

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

impl ConnectionLimits {
    /// How long so many bytes may take.
    pub(super) const fn time_for(&self, bytes: usize) -> Duration {
        Duration::from_nanos((bytes as u64).saturating_mul(1_000_000_000) / self.least_rate)
    }

    /// How long may be waited at most for the next byte, however many came before.
    pub(super) fn most_patience(&self) -> Duration {
        self.stall_timeout.max(self.rate_grace)
    }
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
    /// The applications.
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
