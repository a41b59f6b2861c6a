//! The forum's preset: one in the binary or a file of the operator's, with `[forum.override]` laid over it.

use std::borrow::Cow;
use std::fs;
use std::path::Path;

use super::layers::overlaid;
use super::raw;
use super::reader::{Reader, quoted};
use super::server::placed;
use super::shape;
use crate::bridge::Preset;

const KEY: &str = "forum.preset";
const OVERRIDE: &str = "forum.override";

pub(super) fn read(reader: &mut Reader<'_>, raw: &raw::Forum) -> Option<Preset> {
    let text = text(reader, &raw.preset)?;
    for key in ["name", "version"] {
        if raw.r#override.contains_key(key) {
            let key = format!("{OVERRIDE}.{key}");
            let help = "copy the whole preset if yours is another kind of forum, and name the copy's file";
            reader.note(&key, "a value of your own", "nothing: what a preset is stays its own", help);
        }
    }
    let (preset, misfits) = overlaid::<Preset>(&text, raw.r#override.clone());
    let fits = misfits.is_empty();
    for (path, kind) in misfits {
        let key = format!("{OVERRIDE}.{}", shape::shown(&path));
        let source = reader.layers().source_of(&key);
        reader.add(shape::problem(key, kind, source));
    }
    let preset = preset.filter(|_| fits)?;
    if let Some(gap) = preset.gap() {
        let found = "what makes the preset unusable";
        let help = "`passgate forum preset` prints the preset in force once this key is taken out";
        return reader.refuse(&format!("{OVERRIDE}.{}", gap.key), found, gap.said, help);
    }
    Some(preset)
}

/// Without a preset there is nothing to lay it over.
pub(super) fn nothing_to_override(reader: &mut Reader<'_>, raw: &raw::Forum) {
    if !raw.r#override.is_empty() {
        reader.note(
            OVERRIDE,
            "keys of a preset, but no preset",
            "forum.preset beside it",
            "name the forum's kind",
        );
    }
}

/// The text of a preset that is one.
fn text(reader: &mut Reader<'_>, name: &str) -> Option<Cow<'static, str>> {
    if let Some(text) = Preset::text(name) {
        return Some(text.into());
    }
    let known: Vec<_> = Preset::names().map(quoted).collect();
    let expected = format!("one of {}, or a file like those, ending in .toml", known.join(", "));
    if Path::new(name).extension().is_none_or(|extension| extension != "toml") {
        return reader.refuse(KEY, quoted(name), expected, "write one of these names");
    }
    let path = placed(reader, KEY, name);
    let read = fs::read_to_string(&path).map_err(|error| error.to_string());
    match read.and_then(|text| Preset::parse(&text).map(|_| text).map_err(|error| error.to_string())) {
        Ok(text) => Some(text.into()),
        Err(error) => {
            let found = format!("{}: {}", quoted(&path.to_string_lossy()), error.trim_end());
            reader.refuse(KEY, found, expected, "compare it with config/presets/generic-form.toml")
        }
    }
}
