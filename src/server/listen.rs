//! The listening sockets and the accept loop. The loop is ours, so that a port of 0 can be asked back, and each stream
//! can be limited before the engine sees it.

use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use pingora::apps::ServerApp;
use pingora::protocols::l4::stream::Stream;
use pingora::protocols::{GetSocketDigest, SocketDigest};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::admission::{Admission, Admitted};
use super::options::ProxyProtocol;
use super::seldom::Seldom;
use super::{Tls, proxy_protocol};
use crate::proxy::{Connection, Crowd, Gateway, Manners};

/// A port that could not be listened on.
#[derive(Debug, thiserror::Error)]
#[error("can't listen on {address}: {reason}; {help}")]
pub struct BindError {
    address: SocketAddr,
    reason: std::io::Error,
    help: &'static str,
}

/// How peers that vanished without a word are found: a connection on which nothing was heard for so long is asked, so often, with so
/// much time in between (SECURITY: WS-06). A tunnel may be silent for longer; a dead one is gone within two minutes.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(60))
    .with_interval(Duration::from_secs(15))
    .with_retries(4);

/// How many bytes may wait in the system that a client can't be sent yet (SECURITY: REL-03). They outlive the connection of one who is
/// given up, counted by nobody, and would be megabytes each. What is on its way is not among them, so nobody gets anything later.
#[cfg(target_os = "linux")]
const MOST_UNSENT: u32 = 512 * 1024;

/// What accepted connections have from their listener.
fn inherited(listener: &SockRef<'_>) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    // Systems that only look like Linux may not know it.
    let _ = listener.set_tcp_notsent_lowat(MOST_UNSENT);
    listener.set_tcp_keepalive(&KEEPALIVE)
}

/// Binds a socket; must be called on a runtime.
pub fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    let listener = std::net::TcpListener::bind(address)
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
        .and_then(|listener| inherited(&SockRef::from(&listener)).map(|()| listener))
        .and_then(TcpListener::from_std);
    listener.map_err(|reason| {
        let help = match reason.kind() {
            std::io::ErrorKind::AddrInUse => {
                "another program has this port: stop it, or choose another port in `server.listen`, `server.admin_listen` or `tls.listen`"
            }
            std::io::ErrorKind::PermissionDenied => {
                "ports below 1024 need the capability CAP_NET_BIND_SERVICE, or choose a higher one"
            }
            std::io::ErrorKind::AddrNotAvailable => "this machine has no such address",
            _ => "check the address",
        };
        BindError { address, reason, help }
    })
}

/// Tells connections to end after their request, and waits for them.
#[derive(Clone, Debug)]
pub struct Stopping {
    signal: watch::Receiver<bool>,
    open: Arc<AtomicUsize>,
    closed: watch::Sender<()>,
}

impl Stopping {
    /// Follows `signal`, which turns to `true` once.
    pub fn new(signal: watch::Receiver<bool>) -> Self {
        Self { signal, open: Arc::default(), closed: watch::Sender::new(()) }
    }

    /// Completes when stopping begins.
    pub async fn begins(&self) {
        // An error means that the sender is gone: stopping too.
        let _ = self.signal.clone().wait_for(|stopping| *stopping).await;
    }

    /// Waits until no connection is open, or for `limit`; returns how many are left.
    pub async fn drained(&self, limit: Duration) -> usize {
        let mut closed = self.closed.subscribe();
        let wait = async {
            while self.open.load(Ordering::SeqCst) > 0 {
                if closed.changed().await.is_err() {
                    return;
                }
            }
        };
        let _ = tokio::time::timeout(limit, wait).await;
        self.open.load(Ordering::SeqCst)
    }

    fn opened(&self) -> OpenConnection {
        self.open.fetch_add(1, Ordering::SeqCst);
        OpenConnection(self.clone())
    }
}

struct OpenConnection(Stopping);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
        self.0.closed.send_replace(());
    }
}

/// What stands between a socket and the engine.
#[derive(Clone)]
pub enum Door {
    /// Nothing.
    Open,
    /// A handshake.
    Tls(Arc<Tls>),
}

/// What all connections pass on their way in, whatever their door.
pub struct Entrance {
    /// Knows our own proxies.
    pub gateway: Arc<Gateway>,
    /// How many may come in.
    pub admission: Arc<Admission>,
    /// How they have to behave.
    pub manners: Arc<Manners>,
    /// Whether our own proxies say first whose a connection is.
    pub proxy_protocol: ProxyProtocol,
}

impl Entrance {
    /// Our own proxies bring many clients each.
    fn admit(&self, peer: SocketAddr) -> Admitted {
        self.admission.admit((!self.gateway.trusts(peer.ip())).then(|| peer.ip()))
    }

    /// The connection of a client who has to behave.
    fn guarded(&self, connection: Connection, client: SocketAddr) -> Connection {
        connection.guarded(&self.manners, client.ip(), self.gateway.hsts())
    }

    /// Whose connection it is; one that a proxy of ours brings counts for that address from now on (SECURITY: THR-05, REL-04).
    async fn client(
        &self,
        stream: &mut TcpStream,
        peer: SocketAddr,
        admitted: &mut Admitted,
    ) -> io::Result<SocketAddr> {
        let Admitted::Served(place) = admitted else { return Ok(peer) };
        if self.proxy_protocol == ProxyProtocol::Off || !self.gateway.trusts(peer.ip()) {
            return Ok(peer);
        }
        let Some(client) = proxy_protocol::client(stream).await? else { return Ok(peer) };
        if !self.gateway.trusts(client.ip()) && self.admission.count(place, client.ip()).is_err() {
            *admitted = self.admission.turn_away(Crowd::FromAddress);
        }
        Ok(client)
    }
}

/// Accepts until stopping begins; each connection is served by `app` on a task of its own.
pub async fn accept<A>(
    listener: TcpListener,
    door: Door,
    entrance: Arc<Entrance>,
    app: Arc<A>,
    stopping: Stopping,
) where
    A: ServerApp + Send + Sync + 'static,
{
    let failures = Arc::new(Seldom::default());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopping.begins() => break,
        };
        match accepted {
            Ok((mut stream, peer)) => {
                let mut admitted = entrance.admit(peer);
                if matches!(admitted, Admitted::Dropped) {
                    continue;
                }
                let (app, open, entrance) = (Arc::clone(&app), stopping.opened(), Arc::clone(&entrance));
                let (door, failures) = (door.clone(), Arc::clone(&failures));
                tokio::spawn(async move {
                    let peer = match entrance.client(&mut stream, peer, &mut admitted).await {
                        Ok(client) => client,
                        Err(error) => return tell(&failures, peer, &error),
                    };
                    match admitted {
                        Admitted::Served(_) => {}
                        Admitted::Not(crowd, _) => {
                            return turn_away(crowd, &door, stream, peer, &entrance, &open.0).await;
                        }
                        Admitted::Dropped => return,
                    }
                    let Some(connection) = door.pass(stream, peer, &open.0, &failures).await else { return };
                    let connection = entrance.guarded(connection, peer);
                    let mut next = Some(Box::new(connection) as pingora::protocols::Stream);
                    while let Some(stream) = next {
                        next = app.process_new(stream, &open.0.signal).await;
                    }
                });
            }
            Err(error) => {
                tracing::warn!(target: "passgate::server", %error, "can't accept a connection");
                // Out of descriptors or memory: accepting again at once would only spin.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    // Connections that wait for their next request are closed; without this they would wait on.
    app.cleanup().await;
}

/// Tells a client that it is not served (SECURITY: REL-04). What is said inside TLS takes a handshake first; how many are told at a
/// time is bounded, and so is how long it may take.
async fn turn_away(
    crowd: Crowd,
    door: &Door,
    stream: TcpStream,
    peer: SocketAddr,
    entrance: &Entrance,
    stopping: &Stopping,
) {
    let stream = prepared(stream, peer);
    let connection = match door {
        Door::Open => Ok(Some(Connection::new(Box::new(stream) as pingora::protocols::Stream))),
        Door::Tls(tls) => tokio::select! {
            connection = tls.accept_briefly(stream) => connection,
            () = stopping.begins() => return,
        },
    };
    // Who did not shake hands in time is not told.
    if let Ok(Some(connection)) = connection {
        entrance.guarded(connection, peer).turn_away(crowd).await;
    }
}

impl Door {
    /// The connection that the engine may have; none if the client did not come through, or stopping began.
    async fn pass(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        stopping: &Stopping,
        failures: &Seldom,
    ) -> Option<Connection> {
        let stream = prepared(stream, peer);
        let Self::Tls(tls) = self else { return Some(Connection::new(Box::new(stream))) };
        let passed = tokio::select! {
            passed = tls.accept(stream) => passed,
            () = stopping.begins() => return None,
        };
        passed.unwrap_or_else(|error| {
            tell(failures, peer, &error);
            None
        })
    }
}

/// SECURITY: TLS-06. Strangers can make these by the thousand.
fn tell(failures: &Seldom, peer: SocketAddr, error: &dyn Display) {
    if let Some(left_out) = failures.turn(Instant::now()) {
        tracing::info!(target: "passgate::server", client = %peer.ip(), %error, left_out, "a connection did not come about");
        tracing::info!(target: "passgate::audit", event = "connection-failed", client = %peer.ip(), left_out);
    }
}

fn prepared(stream: TcpStream, peer: SocketAddr) -> Stream {
    let socket = stream.as_raw_fd();
    let mut stream = Stream::from(stream);
    // Without it what follows a first segment waits for the client's delayed acknowledgement.
    let _ = stream.set_nodelay();
    let digest = SocketDigest::from_raw_fd(socket);
    let _ = digest.peer_addr.set(Some(peer.into()));
    stream.set_socket_digest(digest);
    stream
}
