//! A member's [`Passkey`] as it is kept: public matter only, no secret of the member's device.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Timestamp, UserId, hex};

/// What an authenticator calls a credential (WebAuthn Level 3, credential ID): up to 1023 bytes, unique over all accounts.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CredentialId(Vec<u8>);

impl CredentialId {
    /// WebAuthn Level 3, §7.1 step 25.
    pub const MAX_BYTES: usize = 1_023;

    /// Takes an authenticator's id; none if it is empty or too long.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (1..=Self::MAX_BYTES).contains(&bytes.len()).then(|| Self(bytes.to_vec()))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// What an address, a form or a listing calls it: short, the same each time, and of no use elsewhere.
    pub fn handle(&self) -> String {
        hex(&Sha256::digest(&self.0)[..8])
    }
}

/// The first bytes tell passkeys apart in a log; the whole id is nobody's business there.
impl std::fmt::Debug for CredentialId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex(self.0.get(..4).unwrap_or(&self.0)))?;
        f.write_str("…")
    }
}

/// What a member calls a passkey: 1 to 64 characters that can be seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PasskeyName(String);

impl PasskeyName {
    /// Longer names are refused.
    pub const MAX_CHARS: usize = 64;

    /// Reads a name as typed.
    pub fn parse(text: &str) -> Result<Self, super::InvalidName> {
        let name = super::user::printable(text)?;
        if name.chars().count() > Self::MAX_CHARS { Err(super::InvalidName::TooLong) } else { Ok(Self(name)) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PasskeyName {
    type Error = super::InvalidName;

    fn try_from(text: String) -> Result<Self, super::InvalidName> {
        Self::parse(&text)
    }
}

impl From<PasskeyName> for String {
    fn from(name: PasskeyName) -> Self {
        name.0
    }
}

/// Whether a passkey may leave its device, and has (the BE and BS flags, WebAuthn Level 3 §6.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Backup {
    /// BE = 0: on this device or key alone.
    DeviceBound,
    /// BE = 1, BS = 0: could be synced, is not yet.
    Possible,
    /// BE = 1, BS = 1: synced.
    Done,
    /// BE = 1, BS = 0 where BS was 1: was synced, is no longer.
    Lost,
}

/// A member's passkey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passkey {
    /// The authenticator's name for it.
    pub id: CredentialId,
    /// Whose it is.
    pub user: UserId,
    /// The relying party it was made for; it works for no other.
    pub rp_id: String,
    /// What the member calls it.
    pub name: PasskeyName,
    /// The public key and counter, in the form of the library that checks them (JSON).
    pub credential: String,
    /// The kind of authenticator, if it says so; a hint for display.
    pub aaguid: Option<[u8; 16]>,
    /// How the authenticator can be reached, as the browser reported it (`internal`, `hybrid`, `usb`, …).
    pub transports: Vec<String>,
    /// Whether it is synced.
    pub backup: Backup,
    /// When it was added.
    pub created: Timestamp,
    /// When it last signed its member in.
    pub last_used: Option<Timestamp>,
}
