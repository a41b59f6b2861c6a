//! Whose account is meant by what was typed into the name field: a name, or an e-mail address (MF-24).
//!
//! A name comes first, since everyone has one and it is theirs alone. An address counts if one account has it; where
//! several do it is nobody's. Both are looked up whatever the first finds (SECURITY: L5).

use crate::domain::{EmailKey, User, UserName};
use crate::store::{Store, StoreError};

/// Who is meant.
#[derive(Debug)]
pub(super) enum Identified {
    /// Nobody here.
    Nobody,
    /// This account.
    One(Box<User>),
    /// An address that several accounts have.
    Several,
}

/// Looks up what was typed.
pub(super) fn identify(store: &dyn Store, typed: &str) -> Result<Identified, StoreError> {
    let by_name = match UserName::parse(typed) {
        Ok(name) => store.user_by_name(name.key())?,
        Err(_) => None,
    };
    let mut by_email = match EmailKey::parse(typed) {
        Some(key) => store.users_by_email(&key)?,
        None => Vec::new(),
    };
    Ok(match (by_name, by_email.pop()) {
        (Some(user), _) => Identified::One(Box::new(user)),
        (None, Some(_)) if !by_email.is_empty() => Identified::Several,
        (None, Some(user)) => Identified::One(Box::new(user)),
        (None, None) => Identified::Nobody,
    })
}
