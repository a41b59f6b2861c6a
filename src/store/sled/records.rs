//! Keys: what lies in the database, and under what. What lies below them is in `values`.
//!
//! One tree holds everything, so that a batch is atomic. The first byte of a key says what it is for. Accounts and
//! sessions lie in [`super::bundles`], of which sled knows only `m`, three bytes; whoever reads or writes goes by the keys here:
//!
//! | key | value |
//! | --- | --- |
//! | `c` | how many groups of changes have been written |
//! | `u` id | a [`crate::domain::User`] |
//! | `d` hash of a name key | nothing; says that an account of that name was deleted |
//! | `l` link hash | the id of the account with that set-up link |
//! | `o` user id, session id | a [`crate::domain::Session`] |
//! | `p` credential id | a [`crate::domain::Passkey`] |
//! | `k` user id, credential id | nothing; lists the passkeys of an account |
//! | `f` user id | a [`crate::domain::SealedPassword`] |
//! | `t` user id | the account's [`crate::domain::Failures`] |
//! | `w` drawer, user id or zeros, key | what lies in a drawer: a record of its owner's making |
//! | `y` | the key by which devices are known |
//!
//! Accounts are found by name and address through the [`super::directory::Directory`], which is made of them at each start: sled
//! spends on an entry far more than what is in a short one.
//!
//! Up to format 2 there were also, and `migrate` takes them away: `n` name key, the id of its account; `e` e-mail key, 0, user
//! id, and `e` alone; `s` session id, a session; `i` user id, session id.

use sha2::{Digest, Sha256};

use crate::domain::{CredentialId, SessionId, TokenHash, UserId};
use crate::store::drawer::{Drawer, Owner};

/// What an entry is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// What sled sees of accounts and sessions.
    Bundle = b'm',
    Count = b'c',
    Deleted = b'd',
    DeviceKey = b'y',
    Drawer = b'w',
    Failures = b't',
    ForumPassword = b'f',
    Link = b'l',
    /// Only in batches at work: whose a name will be. It is never written.
    Name = b'N',
    Passkey = b'p',
    PasskeyOf = b'k',
    /// This and the three after it are format 2's.
    OldEmail = b'e',
    OldName = b'n',
    OldSession = b's',
    OldSessionOf = b'i',
    Session = b'o',
    User = b'u',
}

impl Kind {
    /// The key of this kind for `id`.
    pub(super) fn key(self, id: &[u8]) -> Vec<u8> {
        let mut key = Vec::with_capacity(1 + id.len());
        key.push(self as u8);
        key.extend_from_slice(id);
        key
    }

    /// Whether `key` is of this kind.
    pub(super) fn is_of(self, key: &[u8]) -> bool {
        key.first() == Some(&(self as u8))
    }
}

/// The key that remembers that an account whose name had this key was deleted. The name itself is gone with the account.
pub(super) fn deleted_key(name: &str) -> Vec<u8> {
    Kind::Deleted.key(&Sha256::digest(name))
}

/// The key of a session. All of an account lie together.
pub(super) fn session_key(user: UserId, session: SessionId) -> Vec<u8> {
    let mut key = Kind::Session.key(&user.0);
    key.extend_from_slice(&session.0);
    key
}

/// Whose session it is and which, of the key in the database.
pub(super) fn of_session(key: &[u8]) -> Result<(UserId, SessionId), String> {
    let parts = key.get(1..).and_then(<[u8]>::split_first_chunk::<16>);
    let parts = parts.and_then(|(user, session)| Some((UserId(*user), TokenHash(session.try_into().ok()?))));
    parts.ok_or_else(|| format!("a key of {} bytes names no session", key.len()))
}

/// The key that lists `passkey` below `user`.
pub(super) fn passkey_of_key(user: UserId, passkey: &CredentialId) -> Vec<u8> {
    let mut key = Kind::PasskeyOf.key(&user.0);
    key.extend_from_slice(passkey.as_bytes());
    key
}

/// What the keys of all that an owner has in a drawer begin with. Ids are random, so no member's is all zeros.
pub(super) fn drawer_key(drawer: Drawer, owner: Owner) -> Vec<u8> {
    let mut key = Kind::Drawer.key(&[drawer.letter()]);
    match owner {
        Owner::Member(user) => key.extend_from_slice(&user.0),
        Owner::Site => key.extend_from_slice(&[0; 16]),
    }
    key
}

/// Whose a record is and what its key is, of the key in the database.
pub(super) fn in_drawer(key: &[u8]) -> Result<(Owner, &[u8]), String> {
    let rest = key.get(2..).and_then(<[u8]>::split_first_chunk);
    let (owner, key) = rest.ok_or_else(|| format!("a key of {} bytes names no owner", key.len()))?;
    Ok((if *owner == [0; 16] { Owner::Site } else { Owner::Member(UserId(*owner)) }, key))
}

/// The credential id in a key, after what goes `before` it.
pub(super) fn credential_after(before: &[u8], key: &[u8]) -> Result<CredentialId, String> {
    let id = key.strip_prefix(before).and_then(CredentialId::new);
    id.ok_or_else(|| format!("a key of {} bytes holds no credential id", key.len()))
}

/// The id at the end of a key or in an index entry.
pub(super) fn trailing<const N: usize>(bytes: &[u8]) -> Result<[u8; N], String> {
    bytes.last_chunk().copied().ok_or_else(|| format!("an id of {} bytes is too short", bytes.len()))
}
