//! TLS connections, very many: handshakes one after the other, in full or resumed, and connections that lie idle.
//!
//! Each client has an address of its own, so that neither ports nor what is allowed to one address run out.

use std::fs;
use std::io::{self, BufRead};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::version::TLS13;
use tokio_rustls::rustls::{ClientConfig, HandshakeKind, RootCertStore};

use crate::quantiles;
use crate::support::tls::{Authority, Holds};

type Stream = TlsStream<tokio::net::TcpStream>;

/// How many shake hands at a time.
const CLIENTS: u8 = 32;

/// Whether a client that comes back is known.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Handshakes {
    Full,
    Resumed,
}

/// Writes a certificate for `localhost` and its authority's, ECDSA with P-256, into a folder.
pub(crate) fn certificate(folder: &Path) {
    let authority = Authority::new();
    authority.write(&folder.join("authority.pem"));
    authority.issue(&["localhost"], Holds::ForLong, folder, "localhost");
    // As haproxy wants it.
    let [chain, key] = ["localhost.pem", "localhost.key"].map(|name| fs::read(folder.join(name)).unwrap());
    fs::write(folder.join("both.pem"), [chain, key].concat()).unwrap();
}

/// Connections that shake hands, say good-bye and are gone; nothing is asked on them.
pub(crate) fn shake_hands(
    address: SocketAddr,
    authority: &Path,
    handshakes: Handshakes,
    length: Duration,
) -> Value {
    runtime().block_on(async {
        let begun = Instant::now();
        let mut clients = JoinSet::new();
        for number in 1..=CLIENTS {
            let connector = connector(authority, handshakes);
            clients.spawn(async move {
                let (mut took, mut resumed) = (Vec::new(), 0_u32);
                while begun.elapsed() < length {
                    let begin = Instant::now();
                    let mut stream = connect(&connector, address, number).await;
                    took.push(begin.elapsed());
                    resumed += u32::from(stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed));
                    stream.shutdown().await.unwrap();
                    // Tickets come after the handshake. How the other side ends is its own affair.
                    let _ = stream.read_to_end(&mut Vec::new()).await;
                }
                (took, resumed)
            });
        }
        let (mut took, mut resumed) = (Vec::new(), 0);
        for (some, of_these) in clients.join_all().await {
            took.extend(some);
            resumed += of_these;
        }
        let (count, seconds) = (took.len(), begun.elapsed().as_secs_f64());
        let took = quantiles(took);
        json!({ "clients": CLIENTS, "connections": count, "resumed": resumed, "seconds": seconds, "took": took })
    })
}

/// Opens connections, makes one request on each, and holds them until standard input ends. Prints how many are open when
/// all are, and at the end how many still were.
pub(crate) fn hold(address: SocketAddr, authority: &Path, count: u32) {
    runtime().block_on(async {
        let connector = connector(authority, Handshakes::Full);
        let mut open = Vec::new();
        for number in 0..count {
            let mut stream = connect(&connector, address, (number / 500) as u8 + 1).await;
            let request = format!("GET /x HTTP/1.1\r\nHost: localhost:{}\r\n\r\n", address.port());
            stream.write_all(request.as_bytes()).await.unwrap();
            let (mut answer, mut filled) = ([0; 4096], 0);
            while !answer[..filled].ends_with(b"xxxx") {
                let read = stream.read(&mut answer[filled..]).await.unwrap();
                assert!(read > 0, "the connection was closed");
                filled += read;
            }
            open.push(stream);
        }
        println!("{}", json!({ "open": open.len() }));
        let mut end = String::new();
        tokio::task::spawn_blocking(move || io::stdin().lock().read_line(&mut end)).await.unwrap().unwrap();
        let still = open.iter().filter(|stream| stream.get_ref().0.try_read(&mut [0; 64]).is_err()).count();
        println!("{}", json!({ "still_open": still }));
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn connector(authority: &Path, handshakes: Handshakes) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_protocol_versions(&[&TLS13]).unwrap();
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.resumption = match handshakes {
        Handshakes::Full => Resumption::disabled(),
        Handshakes::Resumed => Resumption::in_memory_sessions(8),
    };
    TlsConnector::from(Arc::new(config))
}

/// A connection from the `number`th address of this machine.
async fn connect(connector: &TlsConnector, to: SocketAddr, number: u8) -> Stream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 1, number)), 0)).unwrap();
    let stream = socket.connect(to).await.unwrap();
    stream.set_nodelay(true).unwrap();
    connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap()
}
