//! A file with keys: one a line, the newest first. It lies outside the store, so that neither alone opens anything, and only
//! its owner may read it (SECURITY: OPS-05).

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::Key;

/// Why a file of keys can't be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// Others may read it.
    #[error("others may read the key of {of} in {path} (mode {mode:o}); run: chmod 600 {path}", path = path.display())]
    Exposed {
        /// What is sealed with it.
        of: &'static str,
        /// Where it lies.
        path: PathBuf,
        /// What is allowed.
        mode: u32,
    },
    /// It can't be read or written.
    #[error("the key of {of} in {path}: {reason}", path = path.display())]
    Unusable {
        /// What is sealed with it.
        of: &'static str,
        /// Where it lies.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// Puts `text` in the place of what a file held, readable by its owner alone: all of it is on the disk then or, after a crash, still
/// the old (SECURITY: OPS-05).
///
/// # Errors
/// What the system says; the old is still there.
pub fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut beside = path.to_owned().into_os_string();
    beside.push(".new");
    // What a crash left there was never in use.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

/// The keys on the disk.
#[derive(Debug)]
pub(super) struct KeyFile {
    path: PathBuf,
    of: &'static str,
}

impl KeyFile {
    pub(super) const fn new(path: PathBuf, of: &'static str) -> Self {
        Self { path, of }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The keys, the newest first; none if there is no file.
    pub(super) fn read(&self) -> Result<Vec<Key>, KeyFileError> {
        let read = fs::metadata(&self.path).and_then(|metadata| {
            Ok((metadata.permissions().mode() & 0o777, Zeroizing::new(fs::read_to_string(&self.path)?)))
        });
        let (mode, text) = match read {
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.trouble(error)),
        };
        if mode & 0o077 != 0 {
            return Err(KeyFileError::Exposed { of: self.of, path: self.path.clone(), mode });
        }
        let keys = text.lines().map(Key::parse).collect::<Option<Vec<_>>>();
        keys.filter(|keys| !keys.is_empty()).ok_or_else(|| self.trouble("its lines are not keys"))
    }

    /// Writes all keys in place of what was there: all of them or, after a crash, still the old ones.
    pub(super) fn write<'k>(&self, keys: impl Iterator<Item = &'k Key>) -> Result<(), KeyFileError> {
        let mut text = Zeroizing::new(String::new());
        keys.for_each(|key| {
            text.push_str(&key.to_text());
            text.push('\n');
        });
        write_private(&self.path, &text).map_err(|error| self.trouble(error))
    }

    fn trouble(&self, reason: impl ToString) -> KeyFileError {
        KeyFileError::Unusable { of: self.of, path: self.path.clone(), reason: reason.to_string() }
    }
}
