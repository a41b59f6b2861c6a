//! How an imported account is told from one made here, and an untouched one from one whose member has moved in.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Left on an account by an import: where it came from, and a fingerprint of the password it brought. As long as that fits,
/// nobody has set another one. Too short to be any help in guessing the hash, which is itself beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImportMark {
    from: String,
    password: u32,
}

impl ImportMark {
    /// The mark for an account that comes from there with this stored password.
    pub fn new(from: &str, password: Option<&str>) -> Self {
        Self { from: from.to_owned(), password: fingerprint(password) }
    }

    /// Whether the account came from there. Two applications may each have an alice.
    pub fn is_from(&self, from: &str) -> bool {
        self.from == from
    }

    /// Whether this is the password the account came with.
    pub fn fits(&self, password: Option<&str>) -> bool {
        self.password == fingerprint(password)
    }
}

fn fingerprint(password: Option<&str>) -> u32 {
    let digest = Sha256::digest(password.unwrap_or_default());
    digest.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes))
}
