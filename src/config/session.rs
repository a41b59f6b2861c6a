//! The bridge `"session"`: what it takes to make sessions from the forum's own database.

use super::raw;
use super::reader::{Reader, quoted};
use super::secret;
use crate::bridge::options::SessionOptions;
use crate::bridge::{Kind, Preset};
use crate::database::DatabaseAccess;
use crate::domain::Secret;

const SECRET_FILE: &str = "forum.secret_file";
const COOKIE_NAME: &str = "forum.cookie_name";
const TABLE_PREFIX: &str = "forum.table_prefix";

/// `board` is host and path of the forum's address. The inner `None` is no such bridge.
pub(super) fn read(
    reader: &mut Reader<'_>,
    raw: &raw::Forum,
    preset: Option<&Preset>,
    ways: &[Kind],
    database: Option<&Option<DatabaseAccess>>,
    board: Option<(String, String)>,
) -> Option<Option<SessionOptions>> {
    let is_used = ways.contains(&Kind::Session);
    let Some((preset, shape)) = preset.and_then(|it| Some((it, it.session.as_ref()?))).filter(|_| is_used)
    else {
        let keys = [
            (TABLE_PREFIX, &raw.table_prefix),
            (COOKIE_NAME, &raw.cookie_name),
            (SECRET_FILE, &raw.secret_file),
        ];
        for (key, text) in keys.into_iter().filter(|(_, text)| !text.is_empty()) {
            let help = "leave it out: it is for sessions that are made from the forum's database";
            reader.note(key, quoted(text), "the bridge \"session\" beside it", help);
        }
        return Some(None);
    };
    if ways.contains(&Kind::Form) {
        let help = "with \"session\" members are known to the forum without its form";
        reader.note("forum.bridge", "\"form\" and \"session\" in one configuration", "one of them", help);
    }
    let database = match database {
        Some(None) => {
            let help = "name the forum's database; docs/forums.md says which rights its user needs";
            let expected = "a database, such as \"mysql://USER@HOST/DATABASE\"";
            reader.refuse("forum.database", "\"\" with the bridge \"session\"", expected, help)
        }
        other => other.cloned().flatten(),
    };
    let table_prefix = table_prefix(reader, &raw.table_prefix, &shape.table_prefix);
    let cookie_name = cookie_name(reader, &raw.cookie_name, preset, shape.recipe.cookie_name());
    let secret = secret(reader, &raw.secret_file, preset, shape.recipe.secret());
    Some(Some(SessionOptions {
        recipe: shape.recipe,
        database: database?,
        table_prefix: table_prefix?,
        cookie_name: cookie_name?,
        secret: secret?,
        board: board?,
    }))
}

fn table_prefix(reader: &mut Reader<'_>, text: &str, usual: &str) -> Option<String> {
    let text = if text.is_empty() { usual } else { text };
    if text.len() <= 64 && text.chars().all(|sign| sign.is_ascii_alphanumeric() || "_$".contains(sign)) {
        return Some(text.to_owned());
    }
    let help = "the forum's own configuration file says it, as $table_prefix, $db_prefix or so";
    reader.refuse(TABLE_PREFIX, quoted(text), "letters, digits, `_` and `$`, such as \"phpbb_\"", help)
}

/// `said` is where the forum says it, if its database does not.
fn cookie_name(
    reader: &mut Reader<'_>,
    text: &str,
    preset: &Preset,
    said: Option<&str>,
) -> Option<Option<String>> {
    match (text, said) {
        ("", None) => Some(None),
        (text, None) => needless(reader, COOKIE_NAME, text, preset),
        ("", Some(said)) => {
            let help = format!("look it up in the forum's folder: {said}");
            reader.refuse(
                COOKIE_NAME,
                "\"\" with the bridge \"session\"",
                "the name of the forum's cookie",
                help,
            )
        }
        (text, Some(_)) if preset.cookies.session.include(text.as_bytes()) => Some(Some(text.to_owned())),
        (text, Some(_)) => {
            let help = "if it is right, say so in [forum.override.cookies] as well, and in the signs that look for it";
            let expected = "a name that the preset's cookies.session includes";
            reader.refuse(COOKIE_NAME, quoted(text), expected, help)
        }
    }
}

fn secret(
    reader: &mut Reader<'_>,
    text: &str,
    preset: &Preset,
    said: Option<&str>,
) -> Option<Option<Secret<String>>> {
    match (text, said) {
        ("", None) => Some(None),
        (text, None) => needless(reader, SECRET_FILE, text, preset),
        ("", Some(said)) => {
            let help = format!("make it with: (umask 077; cat > FILE), then {said}, Enter and Ctrl-D");
            let expected = format!("a file whose first line is {said}");
            reader.refuse(SECRET_FILE, "\"\" with the bridge \"session\"", expected, help)
        }
        (text, Some(said)) => secret::line(reader, SECRET_FILE, text, said).map(Some),
    }
}

fn needless<T>(reader: &mut Reader<'_>, key: &str, text: &str, preset: &Preset) -> Option<T> {
    let expected = format!("\"\" for {}", preset.title);
    reader.refuse(
        key,
        quoted(text),
        expected,
        "leave it out: this kind of forum has it in its database, or has none",
    )
}
