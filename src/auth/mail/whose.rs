//! Whose mails lie together: a member's, or those to an address that wants to join and has no account yet.

use std::fmt;

use super::queue::KEY;
use crate::domain::{EmailKey, UserId};
use crate::store::Owner;

/// Whose mails.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Whose {
    /// This member's; gone with the account.
    Member(UserId),
    /// This address's; whether an account has it plays no part.
    Newcomer(EmailKey),
}

impl Whose {
    /// Where they lie in their drawer.
    pub(super) fn place(&self) -> (Owner, Vec<u8>) {
        match self {
            Self::Member(user) => (Owner::Member(*user), KEY.to_vec()),
            Self::Newcomer(address) => (Owner::Site, address.as_str().as_bytes().to_vec()),
        }
    }

    /// Whose lie there.
    pub(super) fn at(owner: Owner, key: &[u8]) -> Option<Self> {
        match owner {
            Owner::Member(user) => Some(Self::Member(user)),
            Owner::Site => EmailKey::parse(std::str::from_utf8(key).ok()?).map(Self::Newcomer),
        }
    }

    pub(super) const fn member(&self) -> Option<UserId> {
        match self {
            Self::Member(user) => Some(*user),
            Self::Newcomer(_) => None,
        }
    }
}

/// For the log, which has no address.
impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Member(user) => user.fmt(f),
            Self::Newcomer(_) => f.write_str("nobody yet"),
        }
    }
}
