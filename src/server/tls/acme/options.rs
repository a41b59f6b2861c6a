//! What an operator says of certificates that come by themselves.

use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use url::Url;

use crate::domain::{Host, MailAddress, Secret};

/// From whom certificates come, for which names, and how those are proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcmeOptions {
    /// The authority's directory (RFC 8555 §7.1.1); https, and everything else of the authority has to be at its host and port.
    pub directory: Url,
    /// Where the authority may write to.
    pub contact: Vec<MailAddress>,
    /// The names that the certificate is for, each once; at least one.
    pub names: Vec<Host>,
    /// How names are proved, the first choice first; at least one.
    pub challenges: Vec<ChallengeKind>,
    /// Who vouches for the directory's own host.
    pub authorities: Authorities,
    /// The account that the operator has with the authority already, where it asks for one (RFC 8555 §7.3.4).
    pub external_account: Option<ExternalAccount>,
}

/// How it is proved that a name is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChallengeKind {
    /// An answer in the clear on port 80 (RFC 8555 §8.3).
    Http01,
    /// A certificate of its own on port 443 (RFC 8737).
    TlsAlpn01,
}

/// Whose certificates are taken for good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authorities {
    /// Those that this system trusts.
    System,
    /// These and no other.
    Only(Arc<[CertificateDer<'static>]>),
}

impl Authorities {
    /// Those in a file of PEM.
    ///
    /// # Errors
    /// In words, why there are none.
    pub fn read(file: &Path) -> Result<Self, String> {
        let text = fs::read(file).map_err(|error| error.to_string())?;
        let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        let all = all.map_err(|error| format!("it can't be read as PEM: {error}"))?;
        if all.is_empty() {
            return Err("it holds no certificate".to_owned());
        }
        let read = Self::Only(all.into());
        read.roots().map(|_| read.clone())
    }

    /// As rustls wants them.
    pub(super) fn roots(&self) -> Result<RootCertStore, String> {
        let mut roots = RootCertStore::empty();
        match self {
            Self::Only(all) => {
                for certificate in all.iter() {
                    roots.add(certificate.clone()).map_err(|error| error.to_string())?;
                }
            }
            // A system's list has entries that no program can use.
            Self::System => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        Ok(roots)
    }
}

/// An account that was made elsewhere, and the key that shows it is ours.
#[derive(Clone, Debug)]
pub struct ExternalAccount {
    /// What the authority calls it.
    pub id: String,
    /// The key it gave.
    pub key: Secret<Vec<u8>>,
}

impl PartialEq for ExternalAccount {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && self.key.expose() == other.key.expose()
    }
}

impl Eq for ExternalAccount {}

impl ChallengeKind {
    /// Its name in ACME and in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http01 => "http-01",
            Self::TlsAlpn01 => "tls-alpn-01",
        }
    }
}

impl fmt::Display for ChallengeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
