//! Secrets in files: read once, refused when others could read them too (SECURITY: OPS-05).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use http::HeaderValue;
use zeroize::Zeroizing;

use super::reader::{Reader, quoted};
use super::server::placed;
use crate::domain::Secret;

/// Shorter secrets could be guessed.
const LEAST_BYTES: usize = 16;

/// The secret in the file that `text` names, fit for a header; the inner `None` if none is named.
pub(super) fn header_value(reader: &mut Reader<'_>, key: &str, text: &str) -> Option<Option<HeaderValue>> {
    if text.is_empty() {
        return Some(None);
    }
    let help = "make it with: (umask 077; openssl rand -base64 33 > FILE)";
    let (shown, secret) = read(reader, key, text, help)?;
    let secret = secret.trim();
    match HeaderValue::from_str(secret) {
        Ok(mut value) if secret.len() >= LEAST_BYTES && secret.is_ascii() => {
            value.set_sensitive(true);
            Some(Some(value))
        }
        _ => {
            let expected = format!("one line of at least {LEAST_BYTES} letters, digits and signs");
            reader.refuse(key, format!("{shown}, whose content is not that"), &expected, help)
        }
    }
}

/// The password in the file that `text` names: its first line.
pub(super) fn password(reader: &mut Reader<'_>, key: &str, text: &str) -> Option<Secret<String>> {
    line(reader, key, text, "the password")
}

/// The same for another secret.
pub(super) fn line(reader: &mut Reader<'_>, key: &str, text: &str, what: &str) -> Option<Secret<String>> {
    let help = format!("make it with: (umask 077; cat > FILE), then type {what}, Enter and Ctrl-D");
    let (shown, secret) = read(reader, key, text, &help)?;
    match secret.lines().next() {
        Some(line) if !line.is_empty() => Some(Secret::new(line.to_owned())),
        _ => reader.refuse(
            key,
            format!("{shown}, whose first line is empty"),
            format!("one line with {what}"),
            help,
        ),
    }
}

/// What is in a file, and its name to show.
fn read(reader: &mut Reader<'_>, key: &str, text: &str, help: &str) -> Option<(String, Zeroizing<String>)> {
    let path = placed(reader, key, text);
    let shown = quoted(&path.to_string_lossy());
    let read = fs::metadata(&path)
        .and_then(|metadata| Ok((metadata.permissions().mode(), fs::read_to_string(&path)?)));
    let (mode, secret) = match read {
        Ok(read) => read,
        Err(error) => return reader.refuse(key, format!("{shown}: {error}"), "a file with a secret", help),
    };
    if mode & 0o077 != 0 {
        let found = format!("{shown}, which others may read (mode {:o})", mode & 0o777);
        return reader.refuse(key, found, "a file that only its owner may read", "run: chmod 600 FILE");
    }
    Some((shown, Zeroizing::new(secret)))
}

/// Where a key lies that seals what is kept; with no text `usual`, beside the configuration.
///
/// SECURITY: O4. Whoever gets hold of the data folder, or of a copy of it, must not get the key with it.
pub(super) fn key_file(
    reader: &mut Reader<'_>,
    key: &str,
    text: &str,
    usual: &str,
    data_dir: Option<&Path>,
) -> Option<PathBuf> {
    let path = placed(reader, key, if text.is_empty() { usual } else { text });
    if data_dir.is_some_and(|folder| is_inside(&path, folder)) {
        let found = format!("{}, inside server.data_dir", quoted(&path.to_string_lossy()));
        let help = "keep it apart: who copies the data must not have the key with it";
        return reader.refuse(key, found, "a file outside the data folder", help);
    }
    let mode = fs::metadata(&path).map_or(0, |metadata| metadata.permissions().mode() & 0o777);
    if mode & 0o077 != 0 {
        let found = format!("{}, which others may read (mode {mode:o})", quoted(&path.to_string_lossy()));
        return reader.refuse(key, found, "a file that only its owner may read", "run: chmod 600 FILE");
    }
    Some(path)
}

/// Whether a file is, or would be, in this folder.
pub(super) fn is_inside(path: &Path, folder: &Path) -> bool {
    resolved(path).starts_with(resolved(folder))
}

/// Where a path leads, as far as it exists.
fn resolved(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let existing = path.ancestors().find_map(|part| Some((part, part.canonicalize().ok()?)));
    match existing {
        Some((part, real)) => real.join(path.strip_prefix(part).unwrap_or_else(|_| Path::new(""))),
        None => path,
    }
}
