//! What a program presents in `Authorization`: `Basic` with a name and an app password (RFC 7617), or `Bearer` with the app password
//! alone (RFC 6750 §2.1).

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use super::AppPassword;
use crate::domain::{EmailKey, Profile, UserName};

/// Programs write the padding or don't.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
/// Longer fields hold nothing of ours.
const MAX_BYTES: usize = 1_024;

/// An app password, and for whose it is given.
#[derive(Debug)]
pub struct Credentials {
    /// The name or e-mail address; none with `Bearer`.
    pub(super) name: Option<String>,
    pub(super) password: AppPassword,
}

/// What an `Authorization` field holds.
#[derive(Debug)]
pub enum Presented {
    /// An app password, well formed.
    AppPassword(Credentials),
    /// What was meant to be one and is none.
    Misspelt,
    /// Something else: it is for the application, or nothing.
    Foreign,
}

impl Presented {
    /// Reads the values of all `Authorization` fields of a request. Two of them can be read in more than one way, so none
    /// of them counts.
    pub fn read<'f>(mut fields: impl Iterator<Item = &'f [u8]>) -> Self {
        match (fields.next(), fields.next()) {
            (Some(field), None) => Self::of(field),
            (Some(field), Some(second)) => {
                let is_ours = [field, second].into_iter().chain(fields).any(Self::is_ours);
                if is_ours { Self::Misspelt } else { Self::Foreign }
            }
            (None, _) => Self::Foreign,
        }
    }

    /// Whether a field holds an app password, or what was meant to be one: it goes to nobody else.
    pub fn is_ours(field: &[u8]) -> bool {
        !matches!(Self::of(field), Self::Foreign)
    }

    fn of(field: &[u8]) -> Self {
        let Some(text) = std::str::from_utf8(field).ok().filter(|text| text.len() <= MAX_BYTES) else {
            return Self::Foreign;
        };
        let Some((scheme, rest)) = text.trim().split_once(' ') else { return Self::Foreign };
        if scheme.eq_ignore_ascii_case("bearer") {
            return Self::with(None, rest);
        }
        let decoded = BASE64.decode(rest.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"));
        let decoded = decoded.map(Zeroizing::new);
        let pair = decoded.as_ref().and_then(|bytes| std::str::from_utf8(bytes).ok());
        match pair.and_then(|pair| pair.split_once(':')) {
            Some((name, password)) => Self::with(Some(name), password),
            None => Self::Foreign,
        }
    }

    fn with(name: Option<&str>, password: &str) -> Self {
        match AppPassword::parse(password) {
            Some(password) => Self::AppPassword(Credentials { name: name.map(str::to_owned), password }),
            None if AppPassword::is_meant(password) => Self::Misspelt,
            None => Self::Foreign,
        }
    }
}

impl Credentials {
    /// Whether they are given for this member, by name or e-mail address in any spelling.
    pub(super) fn are_for(&self, member: &Profile) -> bool {
        let Some(typed) = &self.name else { return true };
        let is_name = UserName::parse(typed).is_ok_and(|name| name.key() == member.name.key());
        let key = |text: &str| EmailKey::parse(text);
        is_name || key(typed).is_some_and(|typed| member.email.as_deref().and_then(key) == Some(typed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_and_bearer_are_read_and_whatever_may_be_ours_is_known_as_ours() {
        let made = AppPassword::generate();
        let shown = made.shown();
        let basic = |text: &str| format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text));
        let pair = basic(&format!("ann:{}", *shown));
        for (field, name) in [
            (pair.clone(), Some("ann")),
            (pair.trim_end_matches('=').replace("Basic", "bASIC"), Some("ann")),
            (basic(&format!(":{}", *shown)), Some("")),
            (format!("Bearer {}", *shown), None),
            (format!("bearer  {}", shown.to_uppercase()), None),
        ] {
            let Presented::AppPassword(read) = Presented::of(field.as_bytes()) else { panic!("{field}") };
            assert_eq!((read.name.as_deref(), read.password.hash()), (name, made.hash()));
        }
        for misspelt in [basic("ann:pga-0000"), "Bearer pga-".to_owned(), format!("Bearer {}u", *shown)] {
            assert!(matches!(Presented::of(misspelt.as_bytes()), Presented::Misspelt), "{misspelt}");
        }
        let long = basic(&format!("ann:{}", "x".repeat(1_000)));
        for foreign in ["", "Basic", "Basic !", &basic("ann"), &basic("ann:secret"), "Bearer abc", &long] {
            assert!(matches!(Presented::of(foreign.as_bytes()), Presented::Foreign), "{foreign}");
        }
        let two =
            |one: &'static str, other: &str| Presented::read([one.as_bytes(), other.as_bytes()].into_iter());
        assert!(matches!(two("Bearer abc", "Bearer abc"), Presented::Foreign));
        assert!(matches!(two("Bearer abc", &pair), Presented::Misspelt), "which of them is meant?");
    }
}
