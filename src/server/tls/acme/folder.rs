//! The files of certificates that come by themselves, in a folder of their own inside the data folder.
//!
//! ```text
//! account-….json    our account with one authority: its key, and where it is
//! order.json        an order that is under way: where it is, and the key of its certificate
//! candidate.pem     what has come and was not yet looked at
//! certificate.pem   the certificate in use: its key, itself, and those that lead to its authority
//! state.json        when which authority was asked, and how that went
//! ```
//!
//! SECURITY: OPS-05. All are readable by their owner alone, and each is replaced as a whole: after a crash there is the old or the
//! new, and every step goes on from either.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::domain::{CertificateName, Timestamp};
use crate::seal::write_private;
use crate::server::private_folder;
use crate::server::tls::{Certificate, CertificateSource, RenewedBy};

pub(super) const ORDER: &str = "order.json";
pub(super) const STATE: &str = "state.json";
const CANDIDATE: &str = "candidate.pem";
const CERTIFICATE: &str = "certificate.pem";

/// The folder.
#[derive(Clone, Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// What is in a file, if there is one.
    pub(super) fn read(&self, name: &str) -> io::Result<Option<Zeroizing<String>>> {
        let path = self.0.join(name);
        let read = fs::metadata(&path).and_then(|file| {
            if file.permissions().mode() & 0o077 != 0 {
                let text = format!("others may read {0}; run: chmod 600 {0}", path.display());
                return Err(io::Error::new(ErrorKind::PermissionDenied, text));
            }
            fs::read_to_string(&path)
        });
        match read {
            Ok(text) => Ok(Some(Zeroizing::new(text))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces a file, as a whole and for good.
    pub(super) fn write(&self, name: &str, text: &str) -> io::Result<()> {
        private_folder(&self.0)?;
        write_private(&self.0.join(name), text)
    }

    /// Removes a file, if it is there.
    pub(super) fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.0.join(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// The certificate in use. An error is in words.
    pub(super) fn certificate(&self) -> Result<Option<Certificate>, String> {
        let source = self.source(CERTIFICATE);
        if !source.chain.exists() {
            return Ok(None);
        }
        Certificate::read(source).map(Some).map_err(|error| error.to_string())
    }

    /// Whether the certificate in use is the one of this key.
    pub(super) fn is_in_use(&self, key: &str) -> io::Result<bool> {
        Ok(self.read(CERTIFICATE)?.is_some_and(|text| text.starts_with(key)))
    }

    /// Puts what has come into use, if it is what was ordered: for all of `names`, with the key that stands before it, and not run out.
    /// The inner error says, in words, why it is not.
    pub(super) fn take(
        &self,
        text: &str,
        names: &[CertificateName],
        now: Timestamp,
    ) -> io::Result<Result<Certificate, String>> {
        self.write(CANDIDATE, text)?;
        let candidate = match Certificate::read(self.source(CANDIDATE)) {
            Ok(candidate) => candidate,
            Err(error) => return Ok(Err(error.to_string())),
        };
        if let Some(name) = names.iter().find(|name| !candidate.names().contains(name)) {
            return Ok(Err(format!("it is not for {name}")));
        }
        if candidate.has_run_out(now) {
            return Ok(Err(format!("it ran out on {}", candidate.day())));
        }
        fs::rename(self.0.join(CANDIDATE), self.0.join(CERTIFICATE))?;
        File::open(&self.0)?.sync_all()?;
        Ok(Certificate::read(self.source(CERTIFICATE)).map_err(|error| error.to_string()))
    }

    fn source(&self, name: &str) -> CertificateSource {
        let path = self.0.join(name);
        CertificateSource {
            chain: path.clone(),
            key: path,
            is_default: false,
            renewed_by: RenewedBy::Gateway,
        }
    }
}
