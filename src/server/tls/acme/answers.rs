//! What proves that a name is ours, for as long as an authority may look: a text in the clear, or a certificate of its own in the
//! handshake (RFC 8737).

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use instant_acme::KeyAuthorization;
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::ClientHello;
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};

use super::ChallengeKind;
use crate::domain::Host;
use crate::proxy::HttpChallenges;

/// What the client of a challenge speaks, and nothing beside it (RFC 8737 §3).
const PROTOCOL: &[u8] = b"acme-tls/1";

/// The answers that are given in handshakes.
#[derive(Debug, Default)]
pub(in super::super) struct TlsChallenges(ArcSwap<HashMap<Host, Arc<ServerConfig>>>);

impl TlsChallenges {
    /// How to shake hands with an authority that looks at a challenge of now; none for everyone else.
    pub(in super::super) fn answer(&self, hello: &ClientHello<'_>) -> Option<Arc<ServerConfig>> {
        let mut protocols = hello.alpn()?;
        if (protocols.next(), protocols.next()) != (Some(PROTOCOL), None) {
            return None;
        }
        let host = Host::parse(hello.server_name()?).ok()?;
        self.0.load().get(&host).cloned()
    }

    fn offer(&self, host: Host, digest: &[u8]) -> Result<(), String> {
        let config = Arc::new(config(&host, digest)?);
        self.0.rcu(|all| {
            let mut all = HashMap::clone(all);
            all.insert(host.clone(), Arc::clone(&config));
            all
        });
        Ok(())
    }
}

/// A certificate that says nothing but the digest (RFC 8737 §3).
fn config(host: &Host, digest: &[u8]) -> Result<ServerConfig, String> {
    let words = |error: rcgen::Error| error.to_string();
    if digest.len() != 32 {
        return Err("a digest of another length".to_owned());
    }
    let key = KeyPair::generate().map_err(words)?;
    let mut params = CertificateParams::new([host.to_string()]).map_err(words)?;
    params.distinguished_name = DistinguishedName::new();
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let certificate = params.self_signed(&key).map_err(words)?;
    let provider = Arc::new(default_provider());
    let key = PrivateKeyDer::try_from(key.serialize_der())?;
    let key = provider.key_provider.load_private_key(key).map_err(|error| error.to_string())?;
    // Not `with_single_cert`: it looks into the certificate, and takes none with an extension that it does not know.
    let certified = CertifiedKey::new(vec![certificate.der().clone()], key);
    let builder = ServerConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    let resolver = Arc::new(SingleCertAndKey::from(certified));
    let mut config = builder.with_no_client_auth().with_cert_resolver(resolver);
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(config)
}

/// Both places where answers are given.
pub(super) struct Answers {
    pub(super) http: Arc<HttpChallenges>,
    pub(super) tls: Arc<TlsChallenges>,
}

impl Answers {
    /// Gives the answer from now on. The error is in words.
    pub(super) fn offer(
        &self,
        kind: ChallengeKind,
        host: Host,
        token: &str,
        answer: &KeyAuthorization,
    ) -> Result<(), String> {
        // RFC 8555 §8.1: base64url. Whatever else an authority would have us answer with, we don't.
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if token.is_empty() || token.len() > 128 || !token.bytes().all(is_token) {
            return Err("a token that is none".to_owned());
        }
        match kind {
            ChallengeKind::Http01 => self.http.offer(host, token, answer.as_str()),
            ChallengeKind::TlsAlpn01 => self.tls.offer(host, answer.digest().as_ref())?,
        }
        Ok(())
    }

    /// Gives none any longer.
    pub(super) fn clear(&self) {
        self.http.clear();
        self.tls.0.store(Arc::default());
    }
}
