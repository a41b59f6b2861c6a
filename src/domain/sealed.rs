//! A [`SealedPassword`]: what the store keeps of a member's password at the forum. What opens it is not in the store.

use std::fmt;

use super::UserId;

/// A member's password at a forum, sealed. Only `bridge::Vault` makes and opens these.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedPassword {
    /// Whose it is.
    pub user: UserId,
    /// The forum it is for, by the name of its preset.
    pub forum: String,
    /// The sealed bytes. What they begin with says how they are opened.
    pub sealed: Vec<u8>,
}

impl fmt::Debug for SealedPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, forum, .. } = self;
        f.debug_struct("SealedPassword").field("user", user).field("forum", forum).finish_non_exhaustive()
    }
}
