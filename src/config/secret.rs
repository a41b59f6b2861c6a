//! Secrets in files: read once, refused when others could read them too (SECURITY: OPS-05).

use std::fs;
use std::os::unix::fs::PermissionsExt;

use http::HeaderValue;

use super::reader::{Reader, quoted};
use super::server::placed;

/// Shorter secrets could be guessed.
const LEAST_BYTES: usize = 16;

/// The secret in the file that `text` names, fit for a header; the inner `None` if none is named.
pub(super) fn header_value(reader: &mut Reader<'_>, key: &str, text: &str) -> Option<Option<HeaderValue>> {
    if text.is_empty() {
        return Some(None);
    }
    let path = placed(reader, key, text);
    let shown = quoted(&path.to_string_lossy());
    let help = "make it with: (umask 077; openssl rand -base64 33 > FILE)";
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
