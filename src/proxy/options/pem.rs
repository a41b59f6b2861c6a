//! Certificates and keys on the way to the applications, read from files in PEM. What is read here has been checked, so that no
//! connection fails by it later. It can be read again when a file has changed.

use std::fmt;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use pingora::protocols::tls::CaType;
use pingora::utils::tls::{CertKey, WrappedX509, parse_x509};
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{Error, RootCertStore};
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    /// The file of certificates is not what it should be.
    #[error("{0}")]
    Certificates(String),
    /// The file of the key is not.
    #[error("{0}")]
    Key(String),
    /// Others than the owner and a group may read the key (SECURITY: OPS-05).
    #[error("others may read it (mode {0:o})")]
    KeyIsOpen(u32),
}

/// The certificates of authorities. Equal to another of the same file with the same content.
#[derive(Clone)]
pub struct CaFile {
    path: PathBuf,
    authorities: Arc<CaType>,
    mark: u64,
}

impl CaFile {
    /// Reads the file at this path.
    ///
    /// # Errors
    /// Why it can't be used.
    pub fn read(path: PathBuf) -> Result<Self, PemError> {
        let certificates = certificates(&path)?;
        let mut store = RootCertStore::empty();
        for certificate in &certificates {
            let added = store.add(certificate.clone());
            added.map_err(|error| PemError::Certificates(format!("it can vouch for nobody: {error}")))?;
        }
        let mark = marked(certificates.iter().map(|certificate| &**certificate));
        let authorities = certificates.iter().map(|one| WrappedX509::new(one.to_vec(), parse_x509)).collect();
        Ok(Self { path, authorities, mark })
    }

    /// The same file, read again.
    ///
    /// # Errors
    /// Why it can't be used any more.
    pub fn again(&self) -> Result<Self, PemError> {
        Self::read(self.path.clone())
    }

    /// For the engine.
    pub(in crate::proxy) const fn authorities(&self) -> &Arc<CaType> {
        &self.authorities
    }
}

/// A certificate by which the gateway is known, and its key. Printed without either; equal to another of the same files with the
/// same content.
#[derive(Clone)]
pub struct ClientCertificate {
    chain: PathBuf,
    key: PathBuf,
    pair: Arc<CertKey>,
    mark: u64,
}

impl ClientCertificate {
    /// Reads the certificate, with those that lead to its authority, and its key.
    ///
    /// # Errors
    /// What is wrong, and with which of the two.
    pub fn read(chain: PathBuf, key: PathBuf) -> Result<Self, PemError> {
        let certificates = certificates(&chain)?;
        let secret = read_key(&key)?;
        let mark = marked(certificates.iter().map(|one| &**one).chain([secret.secret_der()]));
        let pair =
            CertKey::new(certificates.iter().map(|one| one.to_vec()).collect(), secret.secret_der().to_vec());
        CertifiedKey::from_der(certificates, secret, &default_provider()).map_err(|error| match error {
            Error::InconsistentKeys(_) => {
                PemError::Key("it is not the key of the file's first certificate".to_owned())
            }
            other => PemError::Key(other.to_string()),
        })?;
        Ok(Self { chain, key, pair: Arc::new(pair), mark })
    }

    /// The same files, read again.
    ///
    /// # Errors
    /// Why they can't be used any more.
    pub fn again(&self) -> Result<Self, PemError> {
        Self::read(self.chain.clone(), self.key.clone())
    }

    /// For the engine.
    pub(in crate::proxy) const fn pair(&self) -> &Arc<CertKey> {
        &self.pair
    }
}

impl PartialEq for CaFile {
    fn eq(&self, other: &Self) -> bool {
        (&self.path, self.mark) == (&other.path, other.mark)
    }
}

impl Eq for CaFile {}

impl PartialEq for ClientCertificate {
    fn eq(&self, other: &Self) -> bool {
        (&self.chain, &self.key, self.mark) == (&other.chain, &other.key, other.mark)
    }
}

impl Eq for ClientCertificate {}

impl Hash for CaFile {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.mark.hash(state);
    }
}

impl Hash for ClientCertificate {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.mark.hash(state);
    }
}

impl fmt::Debug for CaFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("CaFile").field(&self.path).finish()
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { chain, key, .. } = self;
        formatter
            .debug_struct("ClientCertificate")
            .field("chain", chain)
            .field("key", key)
            .finish_non_exhaustive()
    }
}

/// By what one content is told from another; no promise towards whoever writes the files.
fn marked<'b>(parts: impl Iterator<Item = &'b [u8]>) -> u64 {
    let mut hasher = DefaultHasher::new();
    parts.for_each(|part| part.hash(&mut hasher));
    hasher.finish()
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates =
        read.map_err(|error| PemError::Certificates(format!("it can't be read as PEM: {error}")))?;
    if certificates.is_empty() {
        return Err(PemError::Certificates("it holds no certificate".to_owned()));
    }
    // The engine takes for granted that it can read them.
    if certificates.iter().any(|certificate| X509Certificate::from_der(certificate).is_err()) {
        return Err(PemError::Certificates("it holds a broken certificate".to_owned()));
    }
    Ok(certificates)
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, PemError> {
    let read = fs::metadata(path)
        .and_then(|file| Ok((file.permissions().mode() & 0o777, Zeroizing::new(fs::read(path)?))));
    let (mode, text) = read.map_err(|error| PemError::Key(error.to_string()))?;
    if mode & 0o037 != 0 {
        return Err(PemError::KeyIsOpen(mode));
    }
    PrivateKeyDer::from_pem_slice(&text)
        .map_err(|_| PemError::Key("it holds no key in PEM, or one with a password on it".to_owned()))
}
