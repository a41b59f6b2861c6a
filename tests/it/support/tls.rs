//! TLS on either side of the gateway: an authority of the test's own, a door where TLS is taken off before an upstream in
//! the clear, and clients that trust that authority.

use std::fs::{self, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use pingora::tls::{
    PrivateKeyDer, ServerConfig, TlsAcceptor, WebPkiClientVerifier, install_default_crypto_provider,
};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CertifiedIssuer, DnType, IsCa,
    KeyPair, date_time_ymd,
};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::{CertificateSigningRequestDer, IpAddr, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, version};

use super::soon;

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

    /// Writes a certificate for `names` and its key into files of a folder, as an ACME client does.
    pub(crate) fn issue(&self, names: &[&str], holds: Holds, folder: &Path, file: &str) {
        let mut params =
            CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        params.distinguished_name.push(DnType::CommonName, names[0]);
        if let Holds::NoLonger = holds {
            params.not_after = date_time_ymd(2020, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        fs::write(folder.join(format!("{file}.pem")), certificate.pem() + &self.0.pem()).unwrap();
        let path = folder.join(format!("{file}.key"));
        fs::write(&path, key.serialize_pem()).unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
    }

    /// A client that trusts this authority alone.
    pub(crate) fn client(&self) -> Client {
        install_default_crypto_provider();
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        Client { roots, versions: version_list(), alpn: Vec::new() }
    }

    /// Signs a request (RFC 2986), after `edit`: the certificate and this authority's own in PEM, and the first alone in DER.
    pub(crate) fn sign(
        &self,
        request: &[u8],
        edit: impl FnOnce(&mut CertificateParams),
    ) -> (String, Vec<u8>) {
        let request = CertificateSigningRequestDer::from(request);
        let mut request = CertificateSigningRequestParams::from_der(&request).unwrap();
        edit(&mut request.params);
        request.params.use_authority_key_identifier_extension = true;
        let certificate = request.signed_by(&self.0).unwrap();
        (certificate.pem() + &self.0.pem(), certificate.der().to_vec())
    }

    /// A side of TLS that shows a certificate for `name`, to those alone who show one of `clients`, if there is one.
    pub(crate) fn acceptor(&self, name: &str, holds: Holds, clients: Option<&Self>) -> TlsAcceptor {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        if let Holds::NoLonger = holds {
            params.not_after = date_time_ymd(2020, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        install_default_crypto_provider();
        let config = match clients {
            None => ServerConfig::builder().with_no_client_auth(),
            Some(clients) => {
                let mut roots = RootCertStore::empty();
                roots.add(clients.0.der().clone()).unwrap();
                let asks = WebPkiClientVerifier::builder(Arc::new(roots)).build().unwrap();
                ServerConfig::builder().with_client_cert_verifier(asks)
            }
        };
        let config = config.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        TlsAcceptor::from(Arc::new(config))
    }

    /// A door to `upstream` that shows a certificate for `name`.
    pub(crate) async fn door(&self, name: &str, holds: Holds, upstream: SocketAddr) -> Door {
        self.door_for(name, holds, upstream, None).await
    }

    /// The same, for those alone who show a certificate of `clients`, if there is one.
    pub(crate) async fn door_for(
        &self,
        name: &str,
        holds: Holds,
        upstream: SocketAddr,
        clients: Option<&Self>,
    ) -> Door {
        let acceptor = self.acceptor(name, holds, clients);
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

/// How a client shakes hands.
#[derive(Clone)]
pub(crate) struct Client {
    roots: RootCertStore,
    versions: Vec<&'static SupportedProtocolVersion>,
    alpn: Vec<Vec<u8>>,
}

fn version_list() -> Vec<&'static SupportedProtocolVersion> {
    vec![&version::TLS12, &version::TLS13]
}

impl Client {
    /// Speaks this version alone.
    pub(crate) fn only(mut self, version: &'static SupportedProtocolVersion) -> Self {
        self.versions = vec![version];
        self
    }

    /// Offers these protocols.
    pub(crate) fn offering(mut self, protocols: &[&str]) -> Self {
        self.alpn = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        self
    }

    /// As rustls wants it, for a client that remembers its connections.
    pub(crate) fn config(&self) -> ClientConfig {
        let config = ClientConfig::builder_with_protocol_versions(&self.versions);
        let mut config = config.with_root_certificates(self.roots.clone()).with_no_client_auth();
        config.alpn_protocols.clone_from(&self.alpn);
        config
    }

    /// Connects and asks for `name`; for no name if there is none, and then no certificate is taken for good.
    ///
    /// # Errors
    /// What the handshake ends with.
    pub(crate) async fn connect(
        &self,
        address: SocketAddr,
        name: Option<&str>,
    ) -> io::Result<TlsStream<TcpStream>> {
        let mut config = self.config();
        config.enable_sni = name.is_some();
        // An address is asked for without a name in the handshake.
        let name = name.map_or_else(
            || ServerName::IpAddress(IpAddr::from(address.ip())),
            |name| ServerName::try_from(name.to_owned()).unwrap(),
        );
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        soon("a handshake", TlsConnector::from(Arc::new(config)).connect(name, stream)).await
    }
}
