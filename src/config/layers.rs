//! Where values come from, weakest first: the defaults, the file, the environment, the command line. Each variable and
//! each option is a layer of its own, so that a problem can name the one it comes from. The only file that knows figment.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use figment::error::Kind;
use figment::providers::{Format, Serialized, Toml};
use figment::value::{Dict, Value};
use figment::{Figment, Profile, Provider};
use serde::de::DeserializeOwned;

use super::problem::{Problem, Source};
use super::raw::Raw;
use super::shape;

/// Variables of ours begin with this; sections and keys are parted by two underscores.
const PREFIX: &str = "PASSGATE_";

/// One source and what it says.
#[derive(Debug)]
struct Layer {
    source: Source,
    values: Dict,
}

/// All sources but the defaults, weakest first.
#[derive(Debug, Default)]
pub(super) struct Layers(Vec<Layer>);

impl Layers {
    /// Adds a file's text; a text that is not TOML is a problem, not a layer.
    pub(super) fn add_text(&mut self, text: &str, path: Option<&Path>) -> Vec<Problem> {
        let source = Source::File(path.map(Path::to_owned));
        match Toml::string(text).data() {
            Ok(mut profiles) => {
                let values = profiles.remove(&Profile::Default).unwrap_or_default();
                self.0.push(Layer { source, values });
                Vec::new()
            }
            Err(error) => vec![Problem {
                key: "(the whole file)".into(),
                found: error.kind.to_string().trim().to_owned(),
                expected: "TOML: `[section]` lines and `key = value` lines, texts in quotes".into(),
                help: "correct the line shown; nothing else could be checked".into(),
                source,
            }],
        }
    }

    /// Adds what the environment says. Variables without `__` belong to others (container platforms make up some that
    /// begin with a service's name), unless they look like one of ours with an underscore missing.
    pub(super) fn add_environment(
        &mut self,
        variables: impl Iterator<Item = (OsString, OsString)>,
    ) -> Vec<Problem> {
        let defaults = defaults();
        let mut problems = Vec::new();
        for (name, value) in variables {
            let Some(name) = name.to_str() else { continue };
            let Some(rest) = name.strip_prefix(PREFIX) else { continue };
            let key = rest.to_ascii_lowercase().replace("__", ".");
            let source = Source::Environment(name.to_owned());
            if !rest.contains("__") {
                problems.extend(missing_underscore(&defaults, &key, source));
                continue;
            }
            match value.to_str() {
                Some(text) => self.0.push(layer(&defaults, source, &key, text)),
                None => problems.push(Problem {
                    key,
                    found: "bytes that are not UTF-8".into(),
                    expected: "text".into(),
                    help: "set the variable again".into(),
                    source,
                }),
            }
        }
        problems
    }

    /// Adds what the command line says, as dotted keys and texts.
    pub(super) fn add_flags(&mut self, flags: &[(String, String)]) {
        let defaults = defaults();
        self.0.extend(flags.iter().map(|(key, text)| layer(&defaults, Source::Flag, key, text)));
    }

    /// The source whose value for `key` counts.
    pub(super) fn source_of(&self, key: &str) -> Source {
        let said = self.0.iter().rev().find(|layer| holds(&layer.values, key));
        said.map_or(Source::Default, |layer| layer.source.clone())
    }

    /// The file that was read, if any.
    pub(super) fn file(&self) -> Option<&PathBuf> {
        self.0.iter().find_map(|layer| match &layer.source {
            Source::File(path) => path.as_ref(),
            _ => None,
        })
    }

    /// Brings all layers into shape. What does not fit is reported and left at its default, so that one mistake hides
    /// no other.
    pub(super) fn shape(&mut self) -> (Raw, Vec<Problem>) {
        let mut problems = Vec::new();
        loop {
            let error = match self.stacked().extract::<Raw>() {
                Ok(raw) => return (raw, problems),
                Err(error) => error,
            };
            let path = shape::path_of(&error);
            let key = shape::shown(&path);
            problems.push(shape::problem(key, error.kind, self.source_of(&path.join("."))));
            // Each turn takes something out of the strongest layer that has it, so this ends.
            if !self.0.iter_mut().rev().any(|layer| forget(&mut layer.values, &path)) {
                return (Raw::default(), problems);
            }
        }
    }

    fn stacked(&self) -> Figment {
        let defaults = Figment::from(Serialized::defaults(Raw::default()));
        self.0.iter().fold(defaults, |stack, layer| stack.merge(Serialized::defaults(&layer.values)))
    }
}

/// `base`, the text of a `T` in TOML, with `over` laid over it: tables merge, anything else is replaced. What of `over` does not
/// fit is told, with its path, and left out while the rest is looked at.
pub(super) fn overlaid<T: DeserializeOwned>(
    base: &str,
    mut over: Dict,
) -> (Option<T>, Vec<(Vec<String>, Kind)>) {
    let mut misfits = Vec::new();
    loop {
        let stack = Figment::from(Toml::string(base)).merge(Serialized::defaults(&over));
        let error = match stack.extract::<T>() {
            Ok(whole) => return (Some(whole), misfits),
            Err(error) => error,
        };
        let path = shape::path_of(&error);
        let is_left_out = forget(&mut over, &path);
        misfits.push((path, error.kind));
        if !is_left_out {
            return (None, misfits);
        }
    }
}

/// The defaults as a tree of values; also the list of all keys there are.
pub(super) fn defaults() -> Value {
    // Texts, numbers and lists: nothing in there that could fail.
    Value::serialize(Raw::default()).unwrap_or_else(|_| Value::from(Dict::new()))
}

/// A layer for one key. A text is read as what the key's default is: a text, a number, a list.
fn layer(defaults: &Value, source: Source, key: &str, text: &str) -> Layer {
    let value = match defaults.find_ref(key) {
        Some(Value::Array(..)) if text.trim().is_empty() => Value::from(Vec::<Value>::new()),
        Some(Value::Array(..)) if !text.trim_start().starts_with('[') => Value::from(text),
        Some(Value::Array(..) | Value::Num(..)) => text.parse().unwrap_or_else(|_| Value::from(text)),
        // A key of a preset, which has no default here.
        None if text.trim_start().starts_with('[') => text.parse().unwrap_or_else(|_| Value::from(text)),
        _ => Value::from(text),
    };
    let values = figment::util::nest(key, value).into_dict().unwrap_or_default();
    Layer { source, values }
}

fn missing_underscore(defaults: &Value, key: &str, source: Source) -> Option<Problem> {
    let (section, name) = key.split_once('_').filter(|(section, _)| defaults.find_ref(section).is_some())?;
    Some(Problem {
        key: format!("{section}.{name}"),
        found: "one underscore between section and key".into(),
        expected: "two underscores".into(),
        help: format!(
            "name it {PREFIX}{}__{}",
            section.to_ascii_uppercase(),
            name.trim_start_matches('_').to_ascii_uppercase()
        ),
        source,
    })
}

fn holds(values: &Dict, key: &str) -> bool {
    let (first, rest) = key.split_once('.').unwrap_or((key, ""));
    let Some(value) = values.get(first) else { return false };
    match (rest, value) {
        ("", _) => true,
        (rest, Value::Dict(_, inner)) => holds(inner, rest),
        // What lies inside a list comes from where the list comes from.
        (_, value) => matches!(value, Value::Array(..)),
    }
}

/// Takes the value at `path` out; an element of a list becomes an empty table, so that the others keep their number.
fn forget(values: &mut Dict, path: &[String]) -> bool {
    let Some((first, rest)) = path.split_first() else { return false };
    if rest.is_empty() {
        return values.remove(first).is_some();
    }
    match (values.get_mut(first), rest) {
        (Some(Value::Dict(_, inner)), _) => forget(inner, rest),
        (Some(Value::Array(_, items)), [index, deeper @ ..]) => {
            let Some(item) = index.parse().ok().and_then(|index: usize| items.get_mut(index)) else {
                return false;
            };
            match (item, deeper) {
                (Value::Dict(_, inner), [_, ..]) => forget(inner, deeper),
                (item, _) => {
                    *item = Value::from(Dict::new());
                    true
                }
            }
        }
        _ => false,
    }
}
