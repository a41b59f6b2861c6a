//! [`ByName`]: members go by the names they have here, which are those of the forum, and need no password.

use std::sync::Arc;

use async_trait::async_trait;

use super::Minter;
use crate::bridge::{Account, Accounts, Ask, Left};
use crate::domain::UserId;
use crate::store::Store;

/// Members whose sessions are made from the forum's database.
pub struct ByName {
    minter: Arc<Minter>,
    store: Arc<dyn Store>,
}

impl ByName {
    /// The members in the store.
    pub fn new(minter: Minter, store: Arc<dyn Store>) -> Self {
        Self { minter: Arc::new(minter), store }
    }
}

#[async_trait]
impl Accounts for ByName {
    async fn account(&self, member: UserId) -> Account {
        match self.store.user(member) {
            Ok(Some(user)) => Account::Minted(Arc::clone(&self.minter), user.profile.name.to_string()),
            Ok(None) => Account::Unknown,
            Err(_) => Account::Unreadable,
        }
    }

    /// There is nothing that could be refused.
    async fn refused(&self, _: UserId, _: u64, _: Ask) -> Left {
        Left::Nothing
    }

    fn can_ask(&self) -> bool {
        false
    }
}
