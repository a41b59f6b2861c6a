//! `forum.first_sign_in`, and what it takes.

use super::passkeys::Passwords;
use super::reader::Reader;
use crate::bridge::options::FirstSignIn;
use crate::bridge::{Kind, Preset};

const KEY: &str = "forum.first_sign_in";

/// SECURITY: AUTH-15. Somebody who is new here signs in at the forum's form with a password, and the forum says who that is.
pub(super) fn read(
    reader: &mut Reader<'_>,
    text: &str,
    passwords: Passwords,
    way: Option<Kind>,
    preset: Option<&Preset>,
) -> Option<FirstSignIn> {
    let words = [("off", FirstSignIn::Off), ("create", FirstSignIn::Create)];
    let wanted = reader.word(KEY, text, &words)?;
    let is_known = preset.and_then(|preset| preset.form.as_ref()).is_some_and(|form| form.name.is_some());
    let (found, expected, help) = match (wanted, way, passwords) {
        (FirstSignIn::Off, ..) => return Some(wanted),
        (_, Some(Kind::Form), Passwords::On) if is_known => return Some(wanted),
        (_, Some(Kind::Form), Passwords::On) => (
            "\"create\" with a preset that does not say how the member's name is known",
            "\"off\", or a preset with form.name",
            "set form.name in [forum.override]; config/presets/generic-form.toml says how",
        ),
        (_, Some(Kind::Form), Passwords::Off) => (
            "\"create\" with password.enabled = false",
            "\"off\", or passwords",
            "members first sign in with their password at the forum",
        ),
        _ => (
            "\"create\" where nobody signs in at the forum's form",
            "\"off\", or bridge = \"form\"",
            "import the forum's members instead",
        ),
    };
    reader.refuse(KEY, found, expected, help)
}
