//! Looking whether a name is its owner's, as an authority does; and at what is shown in handshakes.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use ring::digest::{SHA256, digest};
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::ring as provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::support::raw::exchange;

/// `http-01` (RFC 8555 §8.3).
pub(super) async fn in_the_clear(
    at: SocketAddr,
    name: &str,
    token: &str,
    wanted: &str,
) -> Result<(), String> {
    let ask = async |line: &str, host: &str| {
        let request = format!("{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        exchange(at, request).await.map_err(|error| error.to_string())
    };
    let address = format!("/.well-known/acme-challenge/{token}");
    for (line, host) in [
        (format!("GET {address}?"), name),
        (format!("GET {address}/"), name),
        (format!("GET //.well-known/acme-challenge/{token}"), name),
        (format!("POST {address}"), name),
        (format!("GET {address}"), "elsewhere.example"),
    ] {
        let reply = ask(&line, host).await?;
        assert!(!reply.text().contains(wanted), "{line} for {host} is answered as well");
    }
    match ask(&format!("GET {address}"), name).await? {
        reply if reply.status() == 200 && reply.text() == wanted => Ok(()),
        reply => Err(format!("{} with {:?}", reply.status(), reply.text())),
    }
}

/// `tls-alpn-01` (RFC 8737 §3).
pub(super) async fn in_the_handshake(at: SocketAddr, name: &str, wanted: &str) -> Result<(), String> {
    let digest = digest(&SHA256, wanted.as_bytes());
    let content = [&[4, 32], digest.as_ref()].concat();
    let says_it = |certificate: &[u8]| {
        let (_, parsed) = X509Certificate::from_der(certificate).unwrap();
        parsed.extensions().iter().any(|extension| {
            extension.oid.to_id_string() == "1.3.6.1.5.5.7.1.31"
                && extension.critical
                && extension.value == content
        })
    };
    for protocols in [&["acme-tls/1", "http/1.1"][..], &["http/1.1"], &["h2", "acme-tls/1"]] {
        let others = handshake(at, name, protocols).await;
        assert!(
            !others.is_ok_and(|(certificate, ..)| says_it(&certificate)),
            "{protocols:?} is answered as well"
        );
    }
    let (certificate, protocol, rest) =
        handshake(at, name, &["acme-tls/1"]).await.map_err(|error| error.to_string())?;
    if protocol.as_deref() != Some(&b"acme-tls/1"[..]) || !rest.is_empty() {
        return Err("another protocol is spoken".to_owned());
    }
    let (_, parsed) = X509Certificate::from_der(&certificate).map_err(|error| error.to_string())?;
    let names = &parsed.subject_alternative_name().unwrap().unwrap().value.general_names;
    match says_it(&certificate) && *names == [GeneralName::DNSName(name)] {
        true => Ok(()),
        false => Err(format!("another digest, or for others: {names:?}")),
    }
}

/// The certificate that whoever asks for `name` is shown, whoever signed it.
pub(crate) async fn shown(at: SocketAddr, name: &str) -> io::Result<Vec<u8>> {
    handshake(at, name, &["http/1.1"]).await.map(|(certificate, ..)| certificate)
}

/// A handshake; what comes after it is read to its end if there can't be a request.
async fn handshake(
    at: SocketAddr,
    name: &str,
    protocols: &[&str],
) -> io::Result<(Vec<u8>, Option<Vec<u8>>, Vec<u8>)> {
    let builder = ClientConfig::builder_with_provider(Arc::new(provider::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody));
    let mut config = builder.with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let stream = TcpStream::connect(at).await?;
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    let (_, session) = stream.get_ref();
    let certificate = session.peer_certificates().unwrap()[0].to_vec();
    let protocol = session.alpn_protocol().map(<[u8]>::to_vec);
    let mut rest = Vec::new();
    if protocols == ["acme-tls/1"] {
        stream.read_to_end(&mut rest).await?;
    }
    Ok((certificate, protocol, rest))
}

/// Takes any certificate.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        // What rustls has for this takes no certificate with an extension that it does not know.
        let (_, parsed) =
            X509Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
        let key =
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &parsed.public_key().subject_public_key.data);
        assert_eq!(signed.scheme, SignatureScheme::ECDSA_NISTP256_SHA256);
        key.verify(message, signed.signature()).map_err(|_| CertificateError::BadSignature)?;
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify_tls12_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ECDSA_NISTP256_SHA256]
    }
}
