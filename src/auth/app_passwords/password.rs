//! The text of an app password: `pga-` and 160 random bits as 32 letters and digits, in groups of four. Its beginning tells it
//! from the keys of other programs, and from what people choose.

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::auth::letters::{READABLE, grouped, plain, spelt};
use crate::domain::{Secret, TokenHash, random};

const BYTES: usize = 20;
const CHARS: usize = BYTES * 8 / 5;
const BEGINNING: &str = "pga";
/// With it and the password, one block of SHA-256.
const LABEL: &[u8] = b"passgate app password";

/// An app password. `Debug` says nothing of it.
#[derive(Debug)]
pub struct AppPassword(Secret<String>);

impl AppPassword {
    pub(super) fn generate() -> Self {
        Self(Secret::new(spelt(&random::<BYTES>(), READABLE)))
    }

    /// Reads what was typed or pasted; blanks and hyphens may be anywhere, and letters that are not used are read as what they
    /// look like. None if it is no app password.
    pub fn parse(text: &str) -> Option<Self> {
        let is_filling = |sign: &char| sign.is_whitespace() || *sign == '-';
        let signs: Zeroizing<String> =
            Zeroizing::new(text.chars().filter(|sign| !is_filling(sign)).take(2 * CHARS).collect());
        let (beginning, rest) = signs.split_at_checked(BEGINNING.len())?;
        let rest = Secret::new(rest.chars().map(plain).collect::<String>());
        let is_one = beginning.eq_ignore_ascii_case(BEGINNING)
            && rest.expose().len() == CHARS
            && rest.expose().bytes().all(|byte| READABLE.contains(&byte));
        is_one.then_some(Self(rest))
    }

    /// Whether this text is an app password, or was meant to be one.
    pub fn is_meant(text: &str) -> bool {
        let beginning = text.trim_start().get(..=BEGINNING.len());
        beginning.is_some_and(|beginning| beginning.eq_ignore_ascii_case("pga-"))
            || Self::parse(text).is_some()
    }

    /// As the member gets to see it, once.
    pub fn shown(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{BEGINNING}-{}", grouped(self.0.expose(), "-")))
    }

    /// What the store and the memory get to know.
    pub(super) fn hash(&self) -> TokenHash {
        let mut hasher = Sha256::new();
        hasher.update(LABEL);
        hasher.update(self.0.expose());
        TokenHash(hasher.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auth_09_an_app_password_is_160_bits_and_reads_back_however_it_is_typed() {
        let made = AppPassword::generate();
        let shown = made.shown();
        assert_eq!((shown.len(), &shown[..4]), (43, "pga-"));
        assert_ne!(*AppPassword::generate().shown(), *shown);
        for typed in [
            shown.to_string(),
            shown.to_uppercase(),
            shown.replace('-', ""),
            shown.replace('-', " "),
            format!(" {}\n", *shown),
            shown.replace('0', "o").replace('1', "l"),
        ] {
            assert_eq!(AppPassword::parse(&typed).unwrap().hash(), made.hash(), "{typed}");
            assert!(AppPassword::is_meant(&typed));
        }
        let long = format!("{}0", *shown);
        let foreign = format!("{}é", &shown[..42]);
        for bad in ["", "pga", "pga-", &shown[4..], &shown[..42], &long, &foreign, &"pga-u".repeat(8)] {
            assert!(AppPassword::parse(bad).is_none(), "{bad}");
        }
        assert!(AppPassword::is_meant(&shown[..42]), "a mistyped one must not be handed on either");
        for foreign in ["", "pg", "pgadmin", "0123456789abcdef0123456789abcdef", "s3cret"] {
            assert!(!AppPassword::is_meant(foreign), "{foreign}");
        }
        assert_eq!(format!("{made:?}"), "AppPassword([secret])");
    }
}
