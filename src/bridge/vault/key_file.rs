//! The file with the vault's keys: one a line, the newest first. It lies outside the store, so that neither alone opens
//! anything, and only its owner may read it (SECURITY: OPS-05).

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{Key, VaultError};

/// The keys on the disk.
#[derive(Debug)]
pub(super) struct KeyFile(PathBuf);

impl KeyFile {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// The keys, the newest first; none if there is no file.
    pub(super) fn read(&self) -> Result<Vec<Key>, VaultError> {
        let read = fs::metadata(&self.0).and_then(|metadata| {
            Ok((metadata.permissions().mode() & 0o777, Zeroizing::new(fs::read_to_string(&self.0)?)))
        });
        let (mode, text) = match read {
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.trouble(error)),
        };
        if mode & 0o077 != 0 {
            return Err(VaultError::Exposed { path: self.0.clone(), mode });
        }
        let keys = text.lines().map(Key::parse).collect::<Option<Vec<_>>>();
        keys.filter(|keys| !keys.is_empty()).ok_or_else(|| self.trouble("its lines are not keys"))
    }

    /// Writes all keys in place of what was there: all of them or, after a crash, still the old ones.
    pub(super) fn write<'k>(&self, keys: impl Iterator<Item = &'k Key>) -> Result<(), VaultError> {
        let mut text = Zeroizing::new(String::new());
        keys.for_each(|key| {
            text.push_str(&key.to_text());
            text.push('\n');
        });
        self.replace(&text).map_err(|error| self.trouble(error))
    }

    fn replace(&self, text: &str) -> io::Result<()> {
        let mut beside = self.0.clone().into_os_string();
        beside.push(".new");
        // What a crash left there is no key that anything was sealed with.
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, &self.0)?;
        let folder = self.0.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
    }

    fn trouble(&self, reason: impl ToString) -> VaultError {
        VaultError::KeyFile { path: self.0.clone(), reason: reason.to_string() }
    }
}
