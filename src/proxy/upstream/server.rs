//! One server of an application: the addresses of its name, kept fresh, and the engine's peer for each, made once so that a request
//! has nothing to work out.
//!
//! A name may have several addresses of which some lead nowhere: `localhost` is `::1` and `127.0.0.1`, and an application
//! often listens on one of them. So one that can't be connected to is passed over for the next.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::net;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use arc_swap::ArcSwap;
use http::HeaderValue;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::upstreams::peer::{HttpPeer, Peer, PeerOptions, Scheme};

use super::standing::Standing;
use crate::proxy::options::{
    ApplicationOptions, CaFile, ClientCertificate, HostHeader, Place, ServerAt, UpstreamScheme,
};

/// By what an application's servers are believed, and by what they know us.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Security {
    authorities: Option<CaFile>,
    client: Option<ClientCertificate>,
}

impl Security {
    pub(super) fn new(options: &ApplicationOptions) -> Self {
        Self { authorities: options.ca_file.clone(), client: options.client_certificate.clone() }
    }

    /// The same files, read again; none if they hold what they held.
    ///
    /// # Errors
    /// Which can't be used any more, and why.
    pub(super) fn renewed(&self) -> Result<Option<Self>, String> {
        let authorities = self.authorities.as_ref().map(CaFile::again).transpose();
        let client = self.client.as_ref().map(ClientCertificate::again).transpose();
        let authorities = authorities.map_err(|error| format!("ca_file: {error}"))?;
        let client = client.map_err(|error| format!("client_certificate: {error}"))?;
        let renewed = Self { authorities, client };
        Ok((renewed != *self).then_some(renewed))
    }

    /// Connections of different keys are never exchanged; the engine does not look at authorities and keys itself. Those of
    /// requests that get one of their own are below.
    fn group(&self) -> u64 {
        if *self == Self::default() {
            return 0;
        }
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish() | 1 << 63
    }
}

/// The server.
pub(super) struct Server {
    pub(super) place: Place,
    /// As it is called in the log.
    pub(super) name: String,
    /// The `Host` it gets; none for the client's.
    pub(super) host_header: Option<HeaderValue>,
    pub(super) standing: Arc<Standing>,
    options: PeerOptions,
    ways: ArcSwap<Vec<HttpPeer>>,
    /// Which of them is used.
    chosen: AtomicUsize,
}

impl Server {
    /// A server whose address is not known yet, unless it is a socket; see [`Server::look_up`].
    pub(super) fn new(
        at: &ServerAt,
        options: &ApplicationOptions,
        security: &Security,
        standing: Arc<Standing>,
    ) -> Self {
        let host_header = match &options.host_header {
            HostHeader::Client => None,
            HostHeader::Fixed(host) => HeaderValue::from_str(host).ok(),
            HostHeader::Upstream => HeaderValue::from_str(&at.place.authority()).ok(),
        };
        let place = at.place.clone();
        let server = Self {
            name: place.to_string(),
            options: peer_options(options, place.scheme()),
            place,
            host_header,
            standing,
            ways: ArcSwap::default(),
            chosen: AtomicUsize::new(0),
        };
        if let Place::Socket(path) = &server.place {
            server.take(socket(path).into_iter().collect(), security);
        }
        server
    }

    /// Looks the name up. Keeps the last addresses if that fails, so a name server's hiccup is not an outage.
    ///
    /// # Errors
    /// The resolver's.
    pub(super) async fn look_up(&self, security: &Security) -> io::Result<()> {
        let Place::Port { host, port, .. } = &self.place else { return Ok(()) };
        let found: Vec<_> = tokio::net::lookup_host((bare(host.as_str()), *port)).await?.collect();
        if found.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        }
        self.found(found, security);
        Ok(())
    }

    /// Takes addresses over. In another order they are the same: name servers turn them round, and the one that works
    /// stays in use.
    pub(super) fn found(&self, found: Vec<net::SocketAddr>, security: &Security) {
        let found: Vec<SocketAddr> = found.into_iter().map(SocketAddr::Inet).collect();
        let known = self.ways.load();
        let is_same = known.len() == found.len()
            && found.iter().all(|address| known.iter().any(|way| way._address == *address));
        if !is_same {
            self.take(found, security);
        }
    }

    /// Takes other certificates over.
    pub(super) fn renew(&self, security: &Security) {
        self.take(self.ways.load().iter().map(|way| way._address.clone()).collect(), security);
    }

    fn take(&self, addresses: Vec<SocketAddr>, security: &Security) {
        let used = self.peer().map(|peer| peer._address);
        let chosen = addresses.iter().position(|address| Some(address) == used.as_ref()).unwrap_or(0);
        let ways = addresses.into_iter().map(|address| self.way(address, security)).collect();
        self.ways.store(Arc::new(ways));
        self.chosen.store(chosen, Relaxed);
    }

    /// Over TLS its certificate has to be valid for the name in its URL (SECURITY: TLS-07). That name is never empty: the engine would
    /// verify nothing.
    fn way(&self, address: SocketAddr, security: &Security) -> HttpPeer {
        let (scheme, sni) = match &self.place {
            Place::Port { scheme: UpstreamScheme::Https, host, .. } => {
                (Scheme::HTTPS, bare(host.as_str()).to_owned())
            }
            Place::Port { .. } | Place::Socket(_) => (Scheme::HTTP, String::new()),
        };
        let mut options = self.options.clone();
        options.ca = security.authorities.as_ref().map(|file| Arc::clone(file.authorities()));
        HttpPeer {
            _address: address,
            scheme,
            sni,
            proxy: None,
            client_cert_key: security.client.as_ref().map(|client| Arc::clone(client.pair())),
            group_key: security.group(),
            options,
        }
    }

    /// Whether an address is known.
    pub(super) fn is_found(&self) -> bool {
        !self.ways.load().is_empty()
    }

    /// Whom to connect to; none while no address is known.
    pub(super) fn peer(&self) -> Option<Box<HttpPeer>> {
        let ways = self.ways.load();
        ways.get(self.chosen.load(Relaxed)).or_else(|| ways.first()).map(|way| Box::new(way.clone()))
    }

    /// The same for each address.
    pub(super) fn peers(&self) -> Arc<Vec<HttpPeer>> {
        self.ways.load_full()
    }

    /// Goes on to the address after the one of `failed`. Returns whether a request that has tried `tried` addresses may try it.
    pub(super) fn pass_over(&self, failed: &HttpPeer, tried: usize) -> bool {
        let ways = self.ways.load();
        if let Some(at) = ways.iter().position(|way| way._address == *failed.address()) {
            self.chosen.store((at + 1) % ways.len(), Relaxed);
        }
        tried < ways.len()
    }

    /// Whether a connection in the clear can be made now. What is inside is not looked at.
    pub(super) async fn is_reachable(&self) -> bool {
        for way in self.peers().iter() {
            let connecting = super::line::Line::connect(way.address());
            let limit = self.options.connection_timeout.unwrap_or_default();
            if matches!(tokio::time::timeout(limit, connecting).await, Ok(Ok(_))) {
                return true;
            }
        }
        false
    }
}

fn peer_options(options: &ApplicationOptions, scheme: UpstreamScheme) -> PeerOptions {
    let halves = if scheme == UpstreamScheme::Https { 2 } else { 1 };
    let mut peer = PeerOptions::new();
    peer.connection_timeout = Some(options.connect_timeout);
    peer.total_connection_timeout = Some(options.connect_timeout * halves);
    peer.read_timeout = Some(options.read_timeout);
    peer.write_timeout = Some(options.write_timeout);
    peer.idle_timeout = Some(options.idle_timeout);
    peer
}

/// A path too long for a socket leads nowhere; the configuration refuses it.
fn socket(path: &Path) -> Option<SocketAddr> {
    std::os::unix::net::SocketAddr::from_pathname(path).ok().map(SocketAddr::Unix)
}

/// A host name or address as resolvers and certificates know it: no brackets around IPv6.
fn bare(host: &str) -> &str {
    host.trim_matches(['[', ']'])
}
