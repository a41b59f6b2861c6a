//! What does not fit the file's shape, in words: unknown keys with the one that was probably meant, wrong types.

use figment::error::{Actual, Error, Kind};
use figment::value::Value;

use super::layers::defaults;
use super::problem::{Problem, Source};

/// The lists of tables there are: section and key.
const TABLES: [(&str, &str); 3] = [("access", "rule"), ("tls", "certificate"), ("upstream", "route")];

/// The path of the value that does not fit. A text in a list of texts stands for its list.
pub(super) fn path_of(error: &Error) -> Vec<String> {
    let mut path = error.path.clone();
    let is_table = matches!(path.as_slice(), [section, list, _] if TABLES.contains(&(section, list)));
    let is_item = path.last().is_some_and(|last| last.parse::<usize>().is_ok());
    // Only tables have keys that nobody knows.
    let is_key = matches!(error.kind, Kind::UnknownField(..));
    if is_item && !is_table && !is_key {
        path.pop();
    }
    path
}

/// A path as operators read it, counting from 1. A key that TOML wants quotation marks around has them.
pub(super) fn shown(path: &[String]) -> String {
    let is_bare = |part: &str| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
    };
    let counted = path.iter().map(|part| match part.parse::<usize>() {
        Ok(index) => index.saturating_add(1).to_string(),
        Err(_) if is_bare(part) => part.clone(),
        Err(_) => format!("{part:?}"),
    });
    counted.collect::<Vec<_>>().join(".")
}

/// The problem behind a kind of misfit.
pub(super) fn problem(key: String, kind: Kind, source: Source) -> Problem {
    let (found, expected, help) = match kind {
        Kind::UnknownField(name, known) => unknown(&key, &name, known),
        Kind::InvalidType(actual, expected) | Kind::InvalidValue(actual, expected) => {
            (plain(&actual), meaning(&key, &expected), "write it in that form".to_owned())
        }
        Kind::UnknownVariant(word, known) => {
            (format!("{word:?}"), format!("one of {known:?}"), "write one of these words".to_owned())
        }
        other => (other.to_string(), "a value of another form".to_owned(), "see gateway.toml".to_owned()),
    };
    Problem { key, found, expected, help, source }
}

fn unknown(key: &str, name: &str, known: &[&str]) -> (String, String, String) {
    let what = if key == name { "section" } else { "key" };
    let help = match (elsewhere(name), nearest(name, known)) {
        (_, Some(near)) => format!("did you mean `{near}`?"),
        (Some(section), None) => format!("`{name}` belongs in [{section}]"),
        (None, None) => format!("remove it; this version knows no such {what}"),
    };
    (format!("an unknown {what}"), format!("one of {}", known.join(", ")), help)
}

/// The name that was probably meant.
fn nearest<'k>(name: &str, known: &[&'k str]) -> Option<&'k str> {
    let name = name.to_ascii_lowercase().replace('-', "_");
    let score = |candidate: &str| strsim::jaro_winkler(&name, candidate);
    let best = known.iter().copied().max_by(|a, b| score(a).total_cmp(&score(b)))?;
    (score(best) > 0.84).then_some(best)
}

/// The section that has a key of this name.
fn elsewhere(name: &str) -> Option<String> {
    let Value::Dict(_, sections) = defaults() else { return None };
    let holds = |section: &Value| matches!(section, Value::Dict(_, keys) if keys.contains_key(name));
    sections.into_iter().find(|(_, section)| holds(section)).map(|(section, _)| section)
}

fn plain(actual: &Actual) -> String {
    match actual {
        Actual::Bool(value) => value.to_string(),
        Actual::Unsigned(value) => value.to_string(),
        Actual::Signed(value) => value.to_string(),
        Actual::Float(value) => value.to_string(),
        Actual::Str(text) => format!("{text:?}"),
        Actual::Seq => "a list".to_owned(),
        Actual::Map => "a table".to_owned(),
        other => other.to_string(),
    }
}

fn meaning(key: &str, expected: &str) -> String {
    match expected {
        "a string" | "string" => "a text in quotes".to_owned(),
        "u64" => "a whole number, not below zero".to_owned(),
        "u16" => "a whole number, such as a status".to_owned(),
        "a sequence" if TABLES.iter().any(|(section, list)| key == format!("{section}.{list}")) => {
            format!("a list of tables, each written as [[{key}]]")
        }
        "a sequence" => "a list".to_owned(),
        struct_name if struct_name.starts_with("struct ") => "a table of keys and values".to_owned(),
        other => other.to_owned(),
    }
}
