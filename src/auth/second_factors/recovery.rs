//! Recovery codes: for who has lost what makes the other codes. Each works once.
//!
//! SECURITY: AUTH-09. 80 random bits each, so a plain hash keeps them (as with tokens), and no key has to be there to check one.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::auth::letters::{READABLE, grouped, plain, spelt};
use crate::domain::{Secret, UserId, random};

/// How many are made at a time.
pub(super) const COUNT: usize = 10;
const BYTES: usize = 10;
const CHARS: usize = BYTES * 8 / 5;

/// A member's new codes, to be shown once.
pub struct RecoveryCodes(Vec<Secret<String>>);

/// What a member typed that may be one.
pub(super) struct TypedRecovery(Secret<String>);

impl RecoveryCodes {
    pub(super) fn generate() -> Self {
        let one = || Secret::new(spelt(&random::<BYTES>(), READABLE));
        Self((0..COUNT).map(|_| one()).collect())
    }

    /// As they are shown: in groups of four.
    pub fn shown(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|code| grouped(code.expose(), "-"))
    }

    /// What the store gets to know.
    pub(super) fn hashes(&self, user: UserId) -> Vec<String> {
        self.0.iter().map(|code| hash(user, code.expose())).collect()
    }
}

impl TypedRecovery {
    /// Reads what was typed, once blanks and hyphens are taken out. Letters that are not used are read as what they look like.
    pub(super) fn read(text: &str) -> Option<Self> {
        let code: String = text.chars().map(plain).collect();
        let is_one = code.len() == CHARS && code.bytes().all(|byte| READABLE.contains(&byte));
        is_one.then(|| Self(Secret::new(code)))
    }

    pub(super) fn hash(&self, user: UserId) -> String {
        hash(user, self.0.expose())
    }
}

/// Takes the code of this hash out of those that are left; whether it was there.
pub(super) fn spend(left: &mut Vec<String>, hash: &str) -> bool {
    let before = left.len();
    left.retain(|known| !bool::from(known.as_bytes().ct_eq(hash.as_bytes())));
    left.len() < before
}

/// Bound to its account. All parts but the last are of one length.
fn hash(user: UserId, code: &str) -> String {
    let mut hasher = Sha256::new();
    [b"passgate recovery code".as_slice(), &user.0, code.as_bytes()]
        .into_iter()
        .for_each(|part| hasher.update(part));
    URL_SAFE_NO_PAD.encode(hasher.finalize())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn auth_09_ten_codes_of_eighty_bits_each_another() {
        let codes = RecoveryCodes::generate();
        let shown: HashSet<_> = codes.shown().collect();
        assert_eq!(shown.len(), COUNT);
        for code in shown {
            assert_eq!((code.len(), code.matches('-').count()), (19, 3), "{code}");
        }
    }

    #[test]
    fn a_code_is_found_however_it_is_typed_once_and_for_its_own_member() {
        let (ann, ben) = (UserId([1; 16]), UserId([2; 16]));
        let code = "0123456789abcdef";
        let codes = RecoveryCodes(vec![Secret::new(code.to_owned())]);
        for typed in [code, "0123456789ABCDEF", "oI23456789abcdef", "Ol23456789AbCdEf"] {
            let mut left = codes.hashes(ann);
            let typed = TypedRecovery::read(typed).unwrap();
            assert!(!spend(&mut left, &typed.hash(ben)));
            assert!(spend(&mut left, &typed.hash(ann)));
            assert!(!spend(&mut left, &typed.hash(ann)), "once");
        }
        for bad in
            ["", "123456", "0123456789abcde", "0123456789abcdefg", "0123456789abcdeu", "0123456789abcdeé"]
        {
            assert!(TypedRecovery::read(bad).is_none(), "{bad}");
        }
    }
}
