//! One certificate with its key, read from files: for which names, until when.
//!
//! What is read here has been checked: the key belongs to the certificate, and the certificate names somebody. Whether it
//! has run out is told, not refused: a gateway that would not start with an old certificate could not serve the page that
//! says so.

use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio_rustls::rustls;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::sign::CertifiedKey;
use x509_parser::prelude::{ASN1Time, FromDer, GeneralName, X509Certificate};
use zeroize::Zeroizing;

use crate::domain::{CertificateName, Timestamp};

/// Certificates are renewed a month before they run out, as a rule, and short ones in their last third; so with less than this, or
/// less than a quarter of their time, something has gone wrong.
const SOON: Duration = Duration::from_secs(21 * 24 * 60 * 60);

/// Where a certificate lies, and what it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateSource {
    /// The certificate and those that lead to its authority, in PEM.
    pub chain: PathBuf,
    /// Its key, in PEM.
    pub key: PathBuf,
    /// Whether it is shown to clients that name no host, or one that no certificate is for.
    pub is_default: bool,
    /// Who sees to it that another one is there in time.
    pub renewed_by: RenewedBy,
}

/// Who renews a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenewedBy {
    /// The operator, or a program of theirs.
    Operator,
    /// The gateway itself.
    Gateway,
}

/// A certificate and its key. Printed without either.
#[derive(Clone)]
pub struct Certificate {
    source: CertificateSource,
    names: Arc<[CertificateName]>,
    not_before: Timestamp,
    not_after: Timestamp,
    /// Whether the file holds the certificate alone although another signed it.
    lacks_chain: bool,
    certified: Arc<CertifiedKey>,
    stamps: [Stamp; 2],
}

impl fmt::Debug for Certificate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, not_after, .. } = self;
        let mut shown = formatter.debug_struct("Certificate");
        shown.field("source", source).field("not_after", not_after).finish_non_exhaustive()
    }
}

/// Why there is no certificate in the files.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The file of certificates is not what it should be.
    #[error("{0}")]
    Chain(String),
    /// The file of the key is not.
    #[error("{0}")]
    Key(String),
    /// Others than the owner and the group may read the key (SECURITY: OPS-05).
    #[error("others may read it (mode {0:o})")]
    KeyIsOpen(u32),
}

/// By what a file is known to be another than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    length: u64,
    seconds: i64,
    nanoseconds: i64,
}

impl From<&Metadata> for Stamp {
    fn from(file: &Metadata) -> Self {
        Self { inode: file.ino(), length: file.len(), seconds: file.mtime(), nanoseconds: file.mtime_nsec() }
    }
}

impl Certificate {
    /// Reads the files.
    ///
    /// # Errors
    /// What is wrong, and with which of the two.
    pub fn read(source: CertificateSource) -> Result<Self, CertificateError> {
        // Before the files are read: a change in between is one to be found later.
        let stamps = [stamp(&source.chain), stamp(&source.key)];
        let [of_chain, of_key] = stamps;
        let of_chain = of_chain.map_err(|error| CertificateError::Chain(error.to_string()))?;
        let of_key = of_key.map_err(|error| CertificateError::Key(error.to_string()))?;
        let chain = read_chain(&source.chain)?;
        let key = read_key(&source.key)?;
        let Some(first) = chain.first() else {
            return Err(CertificateError::Chain("it holds no certificate".to_owned()));
        };
        let described = describe(first)?;
        let lacks_chain = chain.len() == 1 && !described.is_self_signed;
        let certified =
            CertifiedKey::from_der(chain, key, &default_provider()).map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => {
                    CertificateError::Key("it is not the key of the file's first certificate".to_owned())
                }
                other => CertificateError::Key(other.to_string()),
            })?;
        Ok(Self {
            source,
            names: described.names.into(),
            not_before: described.not_before,
            not_after: described.not_after,
            lacks_chain,
            certified: Arc::new(certified),
            stamps: [of_chain, of_key],
        })
    }

    /// Where it was read.
    pub const fn source(&self) -> &CertificateSource {
        &self.source
    }

    /// For which names it holds; at least one.
    pub const fn names(&self) -> &Arc<[CertificateName]> {
        &self.names
    }

    /// Until when it holds.
    pub const fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// For how long it holds in all.
    pub const fn lifetime(&self) -> Duration {
        self.not_after.since(self.not_before)
    }

    /// When so many parts of its lifetime are over, out of so many.
    pub(super) fn moment(&self, parts: u32, of: u32) -> Timestamp {
        self.not_before.after(self.lifetime() / of * parts)
    }

    /// Whether it holds no longer.
    pub fn has_run_out(&self, now: Timestamp) -> bool {
        self.not_after <= now
    }

    /// What an operator should know of it, if anything.
    pub fn warning(&self, now: Timestamp) -> Option<String> {
        let file = self.source.chain.display();
        let day = self.day();
        let advice = match self.source.renewed_by {
            RenewedBy::Operator => "renew it",
            RenewedBy::Gateway => "no new one has come so far, and the log tells why",
        };
        if self.has_run_out(now) {
            return Some(format!(
                "the certificate in {file} ran out on {day} and browsers refuse it; {advice}"
            ));
        }
        if self.not_after.since(now) < SOON.min(self.lifetime() / 4) {
            return Some(format!("the certificate in {file} runs out on {day}; {advice}"));
        }
        self.lacks_chain.then(|| {
            format!("{file} holds one certificate alone; add those of the authorities that lead to it, or some browsers refuse it")
        })
    }

    /// The last day on which it holds, in UTC.
    pub fn day(&self) -> String {
        self.not_after.to_string().chars().take_while(|char| *char != 'T').collect()
    }

    pub(super) const fn certified(&self) -> &Arc<CertifiedKey> {
        &self.certified
    }

    /// Whether one of the files is another than was read. One that is away for a moment is not.
    pub(super) fn is_outdated(&self) -> bool {
        let now = [stamp(&self.source.chain), stamp(&self.source.key)];
        now.iter().zip(&self.stamps).any(|(now, then)| now.as_ref().is_ok_and(|now| now != then))
    }
}

fn stamp(path: &Path) -> io::Result<Stamp> {
    fs::metadata(path).map(|file| Stamp::from(&file))
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let chain = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    chain.map_err(|error| CertificateError::Chain(format!("it can't be read as PEM: {error}")))
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, CertificateError> {
    let read = fs::metadata(path)
        .and_then(|file| Ok((file.permissions().mode() & 0o777, Zeroizing::new(fs::read(path)?))));
    let (mode, text) = read.map_err(|error| CertificateError::Key(error.to_string()))?;
    // A group may read it, as on systems where those who serve are in one of their own.
    if mode & 0o037 != 0 {
        return Err(CertificateError::KeyIsOpen(mode));
    }
    PrivateKeyDer::from_pem_slice(&text)
        .map_err(|_| CertificateError::Key("it holds no key in PEM, or one with a password on it".to_owned()))
}

struct Described {
    names: Vec<CertificateName>,
    not_before: Timestamp,
    not_after: Timestamp,
    is_self_signed: bool,
}

fn describe(certificate: &CertificateDer<'_>) -> Result<Described, CertificateError> {
    let broken = || CertificateError::Chain("its first certificate is broken".to_owned());
    let (_, certificate) = X509Certificate::from_der(certificate).map_err(|_| broken())?;
    let alternatives = certificate.subject_alternative_name().map_err(|_| broken())?;
    let alternatives = alternatives.map(|found| found.value.general_names.as_slice()).unwrap_or_default();
    // Browsers read no other field (RFC 9525 §2).
    let names: Vec<_> = alternatives.iter().filter_map(name).collect();
    if names.is_empty() {
        let text =
            "its first certificate names no host (subjectAltName); the site's own comes first".to_owned();
        return Err(CertificateError::Chain(text));
    }
    let moment = |time: ASN1Time| {
        Timestamp::from_millis(u64::try_from(time.timestamp()).unwrap_or(0).saturating_mul(1000))
    };
    let validity = certificate.validity();
    Ok(Described {
        names,
        not_before: moment(validity.not_before),
        not_after: moment(validity.not_after),
        is_self_signed: certificate.issuer() == certificate.subject(),
    })
}

fn name(name: &GeneralName<'_>) -> Option<CertificateName> {
    match name {
        GeneralName::DNSName(text) => CertificateName::parse(text).ok(),
        GeneralName::IPAddress(bytes) => {
            let four = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let address = four.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from));
            CertificateName::try_from(address.ok()?).ok()
        }
        _ => None,
    }
}
