//! How an imported account is told from one made here, and an untouched one from one whose member has moved in.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Left on an account by an import: a fingerprint of the password it brought. As long as it fits, nobody has set another one.
/// Too short to be any help in guessing the hash, which is itself beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ImportMark(u32);

impl ImportMark {
    /// The mark for an account that is imported with this stored password.
    pub fn of(password: Option<&str>) -> Self {
        let digest = Sha256::digest(password.unwrap_or_default());
        Self(digest.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes)))
    }
}
