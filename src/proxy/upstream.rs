//! The way to the application: its addresses, kept fresh, and the connection's limits. Named only with a [`Permit`].
//!
//! A name may have several addresses of which some lead nowhere: `localhost` is `::1` and `127.0.0.1`, and an application
//! often listens on one of them. So one that can't be connected to is passed over for the next.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::header::{HOST, UPGRADE};
use pingora::http::RequestHeader;
use pingora::upstreams::peer::HttpPeer;

use super::options::{HostHeader, TunnelLimits, UpstreamOptions, UpstreamScheme};
use super::trailers::{CarryingConnector, Crossing};
use super::upgrade::UpgradeConnector;
use crate::policy::Permit;

/// The application.
#[derive(Debug)]
pub struct Upstream {
    options: UpstreamOptions,
    host_header: Option<String>,
    addresses: ArcSwap<Vec<SocketAddr>>,
    /// Which of them is used.
    chosen: AtomicUsize,
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
            HostHeader::Upstream => Some(options.authority()),
        };
        Arc::new(Self {
            options,
            host_header,
            addresses: ArcSwap::default(),
            chosen: AtomicUsize::new(0),
            fresh: AtomicU64::new(1),
        })
    }

    /// Looks the name up. Keeps the last addresses if that fails, so a name server's hiccup is not an outage.
    ///
    /// # Errors
    /// The resolver's; the gateway starts all the same and answers 502 until it succeeds.
    pub async fn look_up(&self) -> std::io::Result<()> {
        let host = (self.options.bare_host(), self.options.port);
        let found: Vec<SocketAddr> = tokio::net::lookup_host(host).await?.collect();
        if found.is_empty() {
            return Err(std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address"));
        }
        self.found(found);
        Ok(())
    }

    /// Takes addresses over. In another order they are the same: name servers turn them round, and the one that works
    /// stays in use.
    pub(crate) fn found(&self, found: Vec<SocketAddr>) {
        let known = self.addresses.load();
        let is_same = known.len() == found.len() && found.iter().all(|address| known.contains(address));
        if !is_same {
            let used = self.address();
            let chosen = found.iter().position(|address| Some(*address) == used).unwrap_or(0);
            self.addresses.store(Arc::new(found));
            self.chosen.store(chosen, Ordering::Relaxed);
        }
    }

    /// How many tunnels to it may be open.
    pub(super) fn tunnels(&self) -> &TunnelLimits {
        &self.options.tunnels
    }

    /// Whether our connections to it carry plain HTTP; the engine's TLS is out of our sight.
    pub(super) fn is_plain(&self) -> bool {
        self.options.scheme == UpstreamScheme::Http
    }

    /// The address in use; none while none is known.
    fn address(&self) -> Option<SocketAddr> {
        let addresses = self.addresses.load();
        addresses.get(self.chosen.load(Ordering::Relaxed)).or_else(|| addresses.first()).copied()
    }

    /// Goes on to the address after `failed`. Returns whether a request that has tried `tried` addresses may try it.
    pub(super) fn pass_over(&self, failed: SocketAddr, tried: usize) -> bool {
        let addresses = self.addresses.load();
        if let Some(at) = addresses.iter().position(|address| *address == failed) {
            self.chosen.store((at + 1) % addresses.len(), Ordering::Relaxed);
        }
        tried < addresses.len()
    }

    /// What it is called in the log.
    pub fn authority(&self) -> String {
        self.options.authority()
    }

    /// Whether a connection can be made now.
    pub async fn is_reachable(&self) -> bool {
        for address in self.addresses.load_full().iter() {
            let connect = tokio::net::TcpStream::connect(*address);
            if matches!(tokio::time::timeout(self.options.connect_timeout, connect).await, Ok(Ok(_))) {
                return true;
            }
        }
        false
    }

    /// The peer to connect to for a permitted request; none while its address is unknown.
    ///
    /// A request that may change something never goes out on a connection that had a request before: the application
    /// may be closing that one just now, and what was typed would be lost (SECURITY: REL-07).
    /// Neither does one that may have trailer fields: the connections they are carried on can't be kept.
    pub(super) fn peer(
        &self,
        _permit: &Permit,
        request: &RequestHeader,
        crossing: Option<&Crossing>,
    ) -> Option<Box<HttpPeer>> {
        let address = self.address()?;
        let mut peer = peer_at(&self.options, address);
        peer.options.read_timeout = Some(self.options.read_timeout);
        peer.options.write_timeout = Some(self.options.write_timeout);
        peer.options.idle_timeout = Some(self.options.idle_timeout);
        let is_upgrade = request.headers.contains_key(UPGRADE);
        if is_upgrade {
            peer.options.custom_l4 = Some(Arc::new(UpgradeConnector));
        }
        if let Some(crossing) = crossing {
            peer.options.custom_l4 = Some(Arc::new(CarryingConnector(crossing.clone())));
        }
        if is_upgrade || crossing.is_some() || !request.method.is_safe() {
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

/// The application at one of its addresses. Over TLS its certificate has to be valid for the name in its URL.
pub(super) fn peer_at(options: &UpstreamOptions, address: SocketAddr) -> HttpPeer {
    let tls = options.scheme == UpstreamScheme::Https;
    let mut peer = HttpPeer::new(address, tls, options.bare_host().to_owned());
    peer.options.connection_timeout = Some(options.connect_timeout);
    peer.options.total_connection_timeout = Some(options.connect_timeout * if tls { 2 } else { 1 });
    peer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Host;

    fn upstream(addresses: &[&str]) -> Arc<Upstream> {
        let second = Duration::from_secs(1);
        let upstream = Upstream::new(UpstreamOptions {
            host: Host::parse("localhost").unwrap(),
            port: 80,
            scheme: UpstreamScheme::Http,
            ca_file: None,
            host_header: HostHeader::Client,
            connect_timeout: second,
            read_timeout: second,
            write_timeout: second,
            idle_timeout: second,
            pool_size: 1,
            tunnels: TunnelLimits { total: 1, per_client: 1 },
        });
        upstream.found(all(addresses));
        upstream
    }

    fn all(addresses: &[&str]) -> Vec<SocketAddr> {
        addresses.iter().map(|address| address.parse().unwrap()).collect()
    }

    #[test]
    fn an_address_that_leads_nowhere_is_passed_over_and_the_next_one_stays_in_use() {
        let [six, four] = ["[::1]:80", "127.0.0.1:80"];
        let upstream = upstream(&[six, four]);
        assert!(upstream.pass_over(six.parse().unwrap(), 1), "the other one is left");
        assert_eq!(upstream.address(), Some(four.parse().unwrap()));
        upstream.found(all(&[four, six]));
        upstream.found(all(&[six, four]));
        assert_eq!(upstream.address(), Some(four.parse().unwrap()));
        assert!(!upstream.pass_over(four.parse().unwrap(), 2), "both have been tried");
        upstream.found(all(&["10.0.0.1:80", four]));
        upstream.found(all(&["10.0.0.2:80"]));
        assert_eq!(upstream.address(), Some("10.0.0.2:80".parse().unwrap()));
        assert!(!upstream.pass_over("10.0.0.2:80".parse().unwrap(), 1));
        assert_eq!(upstream.address(), Some("10.0.0.2:80".parse().unwrap()), "there is no other");
    }
}
