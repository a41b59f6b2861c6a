//! The way to the application: its address, kept fresh, and the connection's limits. Named only with a [`Permit`].

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use http::header::{HOST, UPGRADE};
use pingora::http::RequestHeader;
use pingora::upstreams::peer::HttpPeer;

use super::options::{HostHeader, UpstreamOptions, UpstreamScheme};
use super::upgrade::UpgradeConnector;
use crate::policy::Permit;

/// The application.
#[derive(Debug)]
pub struct Upstream {
    options: UpstreamOptions,
    host_header: Option<String>,
    address: ArcSwapOption<SocketAddr>,
    /// Connections of different keys are never exchanged; 0 is the key of those that are shared.
    fresh: AtomicU64,
}

impl Upstream {
    /// How often the application's name is looked up again; containers move.
    pub const LOOKUP_INTERVAL: Duration = Duration::from_secs(10);

    /// An upstream whose address is not known yet; see [`Upstream::look_up`].
    pub fn new(options: UpstreamOptions) -> Arc<Self> {
        let host_header = match &options.host_header {
            HostHeader::Client => None,
            HostHeader::Fixed(host) => Some(host.clone()),
            HostHeader::Upstream => Some(authority(&options)),
        };
        Arc::new(Self { options, host_header, address: ArcSwapOption::empty(), fresh: AtomicU64::new(1) })
    }

    /// Looks the name up. Keeps the last address if that fails, so a name server's hiccup is not an outage.
    ///
    /// # Errors
    /// The resolver's; the gateway starts all the same and answers 502 until it succeeds.
    pub async fn look_up(&self) -> std::io::Result<()> {
        let host = self.options.host.as_str().trim_matches(['[', ']']);
        let found = tokio::net::lookup_host((host, self.options.port)).await?.next();
        match found {
            Some(address) => {
                if self.address.load().as_deref() != Some(&address) {
                    self.address.store(Some(Arc::new(address)));
                }
                Ok(())
            }
            None => Err(std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address")),
        }
    }

    /// What it is called in the log.
    pub fn authority(&self) -> String {
        authority(&self.options)
    }

    /// Whether a connection can be made now.
    pub async fn is_reachable(&self) -> bool {
        let Some(address) = self.address.load_full() else { return false };
        let connect = tokio::net::TcpStream::connect(*address);
        matches!(tokio::time::timeout(self.options.connect_timeout, connect).await, Ok(Ok(_)))
    }

    /// The peer to connect to for a permitted request; none while its address is unknown.
    ///
    /// A request that must not be sent twice never goes out on a connection that had a request before: the application
    /// may be closing that one just now, and what was typed would be lost (SECURITY: REL-07).
    pub(super) fn peer(&self, _permit: &Permit, request: &RequestHeader) -> Option<Box<HttpPeer>> {
        let address = self.address.load_full()?;
        let tls = self.options.scheme == UpstreamScheme::Https;
        let mut peer = HttpPeer::new(*address, tls, self.options.host.as_str().to_owned());
        let options = &mut peer.options;
        options.connection_timeout = Some(self.options.connect_timeout);
        options.total_connection_timeout = Some(self.options.connect_timeout * if tls { 2 } else { 1 });
        options.read_timeout = Some(self.options.read_timeout);
        options.write_timeout = Some(self.options.write_timeout);
        options.idle_timeout = Some(self.options.idle_timeout);
        let is_upgrade = request.headers.contains_key(UPGRADE);
        if is_upgrade {
            peer.options.custom_l4 = Some(Arc::new(UpgradeConnector));
        }
        if is_upgrade || !request.method.is_idempotent() {
            peer.group_key = self.fresh.fetch_add(1, Ordering::Relaxed);
            peer.options.idle_timeout = Some(Duration::ZERO);
        }
        Some(Box::new(peer))
    }

    /// Writes the `Host` field the application is to see; by default the client's stays as it is.
    pub(super) fn write_host(&self, request: &mut RequestHeader) -> pingora::Result<()> {
        match &self.host_header {
            None => Ok(()),
            Some(host) => request.insert_header(HOST, host.as_str()),
        }
    }
}

fn authority(options: &UpstreamOptions) -> String {
    match (options.scheme, options.port) {
        (UpstreamScheme::Http, 80) | (UpstreamScheme::Https, 443) => options.host.to_string(),
        (_, port) => format!("{}:{port}", options.host),
    }
}
