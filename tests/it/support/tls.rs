//! An application over TLS: an authority of the test's own, and a door where TLS is taken off before an upstream in the clear.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use pingora::tls::{PrivateKeyDer, ServerConfig, TlsAcceptor, install_default_crypto_provider};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Signs certificates that nobody trusts who was not told to.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// Until when a certificate holds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Holds {
    ForLong,
    NoLonger,
}

/// Where TLS is taken off; closed when dropped.
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Writes its certificate into a file.
    pub(crate) fn write(&self, file: &Path) {
        fs::write(file, self.0.pem()).unwrap();
    }

    /// A door to `upstream` that shows a certificate for `name`.
    pub(crate) async fn door(&self, name: &str, holds: Holds, upstream: SocketAddr) -> Door {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        if let Holds::NoLonger = holds {
            params.not_after = date_time_ymd(2020, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        install_default_crypto_provider();
        let config = ServerConfig::builder().with_no_client_auth();
        let config = config.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut beyond = TcpStream::connect(upstream).await.unwrap();
                    // Either side may break off.
                    let _ = copy_bidirectional(&mut stream, &mut beyond).await;
                });
            }
        });
        Door { address, task }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.task.abort();
    }
}
