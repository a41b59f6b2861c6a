//! `forum.passwords`, and what it takes.

use super::reader::Reader;
use crate::bridge::options::Passwords;
use crate::bridge::{Kind, Preset};

const KEY: &str = "forum.passwords";

pub(super) fn read(
    reader: &mut Reader<'_>,
    text: &str,
    way: Option<Kind>,
    preset: Option<&Preset>,
) -> Option<Passwords> {
    let words = [("members", Passwords::Members), ("generated", Passwords::Generated)];
    let wanted = reader.word(KEY, text, &words)?;
    let (found, expected, help) = match (wanted, way) {
        (Passwords::Members, _) => return Some(wanted),
        (_, Some(Kind::Form)) if preset.is_some_and(|preset| preset.change.is_some()) => return Some(wanted),
        (_, Some(Kind::Form)) => (
            "\"generated\" with a preset that does not say how a password is changed",
            "\"members\", or a preset with [change]",
            "set [forum.override.change]; config/presets/generic-form.toml says how",
        ),
        _ => (
            "\"generated\" where nobody signs in at the forum's form",
            "\"members\", or bridge = \"form\"",
            "leave it out: without that the forum's passwords are not used",
        ),
    };
    reader.refuse(KEY, found, expected, help)
}
