//! The forum's own database: `forum.database` and the file with its password.

use super::raw;
use super::reader::{Reader, quoted};
use super::secret;
use super::server::placed;
use crate::database::{DatabaseAccess, DatabaseUrl, UrlError};
use crate::domain::Secret;

/// The inner `None` is no database.
pub(super) fn read(reader: &mut Reader<'_>, raw: &raw::Forum) -> Option<Option<DatabaseAccess>> {
    let url = url(reader, &raw.database);
    let password = password(reader, raw);
    let (url, password) = (url?, password?);
    Some(url.map(|url| DatabaseAccess { url, password }))
}

fn url(reader: &mut Reader<'_>, text: &str) -> Option<Option<DatabaseUrl>> {
    const KEY: &str = "forum.database";
    if text.is_empty() {
        return Some(None);
    }
    // SECURITY: OPS-05. Nothing of the text is shown: a URL that can't be read may hold a password somewhere.
    match DatabaseUrl::parse(text) {
        Ok(url) => Some(Some(url.seen_from(&placed(reader, KEY, "")))),
        Err(error) => {
            let help = match error {
                UrlError::Password => {
                    "take it out, give the user another one, since this one was seen, and write that into the file \
                     that forum.database_password_file names"
                }
                _ => "docs/forums.md says what such a URL may hold",
            };
            let expected =
                "\"mysql://USER@HOST/DATABASE\", \"postgres://USER@HOST/DATABASE\", \"sqlite:PATH\" or \"\"";
            reader.refuse(KEY, error.to_string(), expected, help)
        }
    }
}

fn password(reader: &mut Reader<'_>, raw: &raw::Forum) -> Option<Option<Secret<String>>> {
    const KEY: &str = "forum.database_password_file";
    match (raw.database.as_str(), raw.database_password_file.as_str()) {
        (_, "") => Some(None),
        ("", file) => {
            let found = format!("{} without a database", quoted(file));
            reader.refuse(KEY, found, "\"\"", "set forum.database as well")
        }
        (_, file) => secret::password(reader, KEY, file).map(Some),
    }
}
