//! Which certificate a client is shown: the one for the name it asks for, the most exact first, or none.
//!
//! SECURITY: TLS-02. Whoever asks for a name that no certificate is for gets a fatal alert and no certificate, since the
//! names in one would tell strangers which sites are here; but for a certificate that is meant for such clients.

use std::collections::HashMap;
use std::sync::Arc;

use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::server::ClientHello;

use super::certificate::Certificate;
use crate::domain::{CertificateName, Host};

/// A certificate and what goes with it in a handshake.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) certificate: Certificate,
    pub(super) config: Arc<ServerConfig>,
}

/// All certificates of the listeners, by name.
#[derive(Debug, Default)]
pub(super) struct Choice {
    by_name: HashMap<CertificateName, Vec<Arc<Shown>>>,
    for_others: Vec<Arc<Shown>>,
}

impl Choice {
    /// Adds one. Of those for one name, the first that a client can check is shown.
    pub(super) fn add(&mut self, shown: Shown) {
        let shown = Arc::new(shown);
        for name in shown.certificate.names().iter() {
            self.by_name.entry(name.clone()).or_default().push(Arc::clone(&shown));
        }
        if shown.certificate.source().is_default {
            self.for_others.push(shown);
        }
    }

    /// The one for a client.
    pub(super) fn of(&self, hello: &ClientHello<'_>) -> Option<&Arc<Shown>> {
        let candidates = self.candidates(hello.server_name());
        let can_check = |shown: &&Arc<Shown>| {
            shown.certificate.certified().key.choose_scheme(hello.signature_schemes()).is_some()
        };
        candidates.iter().find(can_check).or_else(|| candidates.first())
    }

    /// Those for the name that a client asks for.
    fn candidates(&self, server_name: Option<&str>) -> &[Arc<Shown>] {
        let host = server_name.and_then(|name| Host::parse(name).ok());
        let names = host.map(|host| CertificateName::of(&host)).unwrap_or_default();
        let found = names.iter().flatten().find_map(|name| self.by_name.get(name));
        found.unwrap_or(&self.for_others)
    }
}
