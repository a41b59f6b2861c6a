//! The form in which a forum's members change their password there, and the passwords that fit it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Gap, Sign, duration, is_address, written};
use crate::bridge::member_name::between;
use crate::domain::{Secret, random};

/// What stands in [`ChangePreset::page`] for the member's number.
const NUMBER: &str = "{number}";
/// Enough that nobody guesses it, and no more than forums take.
const LENGTHS: std::ops::RangeInclusive<usize> = 16..=64;
const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// The form for another password. Addresses are given below the forum's path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangePreset {
    /// The page with the form. `{number}` in it is the member's number at the forum.
    pub page: String,
    /// Behind which texts, in their order, that number stands on the page of `form.check`, up to the last of them.
    #[serde(default)]
    pub number: Vec<String>,
    /// The field of the password so far. It is filled in where the form has it.
    pub old_field: Option<String>,
    /// The field of the new password.
    pub new_field: String,
    /// The field that wants the new one again.
    pub confirm_field: Option<String>,
    /// Fields that are sent with these values, whatever the page says.
    #[serde(default)]
    pub fixed: BTreeMap<String, String>,
    /// How long the forum wants to pass between the page and the post.
    #[serde(default, deserialize_with = "duration", serialize_with = "written")]
    pub wait: Duration,
    /// How long the passwords are that the gateway makes.
    #[serde(default = "thirty_two")]
    pub length: usize,
    /// What is in them beside letters and digits: at least one of these, if there are any.
    #[serde(default = "symbols")]
    pub symbols: String,
    /// What says that it was changed. Whether it was, a sign-in shows.
    #[serde(default)]
    pub success: Vec<Sign>,
    /// What says that it was not. An answer with neither may mean either.
    #[serde(default)]
    pub refused: Vec<Sign>,
}

impl ChangePreset {
    /// A password that nobody has chosen and nobody could guess.
    pub(in crate::bridge) fn password(&self) -> Secret<String> {
        let letters = [LETTERS, self.symbols.as_bytes()].concat();
        // Bytes above the last whole multiple would make some letters likelier than others.
        let fair = 256 - 256 % letters.len();
        loop {
            let bytes = std::iter::repeat_with(random::<64>).flatten();
            let picked = bytes.map(usize::from).filter(|byte| *byte < fair);
            let picked = picked.map(|byte| char::from(letters[byte % letters.len()]));
            let password = Secret::new(picked.take(self.length).collect::<String>());
            if self.is_of_all_kinds(password.expose()) {
                return password;
            }
        }
    }

    /// Forums ask for capitals, small letters, digits and others, so it has some of each.
    fn is_of_all_kinds(&self, password: &str) -> bool {
        let has = |is: fn(&char) -> bool| password.chars().any(|letter| is(&letter));
        has(char::is_ascii_lowercase)
            && has(char::is_ascii_uppercase)
            && has(char::is_ascii_digit)
            && (self.symbols.is_empty() || password.chars().any(|letter| self.symbols.contains(letter)))
    }

    /// Whether the address takes the member's number.
    pub(in crate::bridge) fn needs_number(&self) -> bool {
        self.page.contains(NUMBER)
    }

    /// The address of the page for the member whom `shown`, the page of `form.check`, shows.
    pub(in crate::bridge) fn page_of(&self, shown: &str) -> Option<String> {
        let number = between(&self.number, shown)?;
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| self.page.replace(NUMBER, number))
    }

    /// What is missing in it or says nothing, beside a sign-in form with a page of `form.check` or without.
    pub(super) fn gap(&self, has_check: bool) -> Option<Gap> {
        let gap = |key, said| Some(Gap { key, said });
        let says_number = self.number.len() >= 2 && self.number.iter().all(|text| !text.is_empty());
        let is_symbol = |letter: char| letter.is_ascii_punctuation();
        if !is_address(&self.page) {
            return gap("change.page", "an address on the forum's own host begins with one slash");
        }
        if self.needs_number() && !(says_number && has_check) {
            let said =
                "it needs form.check, and at least a text before the member's number and one behind it";
            return gap("change.number", said);
        }
        if self.new_field.is_empty() {
            return gap("change.new_field", "name the field of the new password");
        }
        if !LENGTHS.contains(&self.length) {
            return gap("change.length", "a password of 16 to 64 characters");
        }
        if !self.symbols.chars().all(is_symbol) {
            return gap("change.symbols", "marks such as -._ and no others, or \"\"");
        }
        [("change.success", &self.success), ("change.refused", &self.refused)]
            .into_iter()
            .find(|(_, signs)| signs.iter().any(Sign::is_empty))
            .map(|(key, _)| Gap { key, said: "a sign without a condition would hold for every answer" })
    }
}

const fn thirty_two() -> usize {
    32
}

fn symbols() -> String {
    "-._".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preset(more: &str) -> ChangePreset {
        toml::from_str(&format!("page = \"/p?id={{number}}\"\nnew_field = \"n\"\n{more}")).unwrap()
    }

    #[test]
    fn a_generated_password_has_some_of_each_kind_and_is_never_the_same() {
        for (more, length) in [("", 32), ("length = 16\nsymbols = \"\"", 16), ("symbols = \"!\"", 32)] {
            let preset = preset(more);
            let passwords: Vec<_> = (0..200).map(|_| preset.password().expose().clone()).collect();
            for password in &passwords {
                let is_fit =
                    |c: char| c.is_ascii_alphanumeric() || preset.symbols.contains(c) && c.is_ascii_graphic();
                assert!(password.len() == length && password.chars().all(is_fit), "{password}");
                assert!(preset.is_of_all_kinds(password), "{password}");
            }
            let different: std::collections::BTreeSet<_> = passwords.iter().collect();
            assert_eq!(different.len(), passwords.len());
        }
    }

    #[test]
    fn the_members_number_is_digits_from_where_the_preset_says_or_none() {
        let preset = preset("number = [\"action=out&amp;id=\", \"&\"]");
        let page_of = |page| preset.page_of(page);
        let page = "<a href=\"profile.php?id=9\">x</a><a href=\"login.php?action=out&amp;id=27&amp;t=1\">";
        assert_eq!(page_of(page).as_deref(), Some("/p?id=27"));
        for page in ["", "action=out&amp;id=&amp;", "action=out&amp;id=2/../1&amp;", "action=out&amp;id=3"] {
            assert_eq!(page_of(page), None, "{page}");
        }
    }
}
