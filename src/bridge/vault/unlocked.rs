//! [`Unlocked`]: the one way by which passwords come out of the vault, for the bridge alone; and what becomes of them there.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Held, REFUSED, Source, Vault, VaultError};
use crate::bridge::login::Credentials;
use crate::bridge::member::{Account, Accounts, Ask, Left};
use crate::bridge::preset::ChangePreset;
use crate::domain::{SealedPassword, Secret, UserId};
use crate::seal::BEFORE_NONCE;

/// The vault, open.
pub(in crate::bridge) struct Unlocked {
    vault: Arc<Vault>,
    /// There where members get passwords at the forum that the gateway makes.
    generates: Option<ChangePreset>,
}

impl Unlocked {
    pub(in crate::bridge) const fn new(vault: Arc<Vault>, generates: Option<ChangePreset>) -> Self {
        Self { vault, generates }
    }

    async fn generated(&self, member: UserId) -> Result<Option<Secret<String>>, VaultError> {
        let Self { vault, generates: Some(preset) } = self else { return Ok(None) };
        // The forum's administration asks for the forum's own password.
        if vault.store.user(member)?.is_none_or(|user| user.profile.runs_the_forum()) {
            return Ok(None);
        }
        match vault.held(member)? {
            Some(Held { source: Source::Given, next: Some((next, Source::Generated)), .. }) => Ok(Some(next)),
            Some(Held { source: Source::Given, .. }) => {
                let next = preset.password();
                Ok(self.vault.await_next(member, &next, Source::Generated).await?.then_some(next))
            }
            _ => Ok(None),
        }
    }

    /// A captcha and a second factor say nothing of the password: it stays, and is tried again after a restart.
    async fn drop_refused(&self, member: UserId, refused: u64, ask: Ask) -> Result<Left, VaultError> {
        let is_same = self.vault.entry(member)?.is_some_and(|entry| stamp(&entry) == refused);
        if !is_same || !matches!(ask, Ask::WrongPassword | Ask::UnknownUser) {
            return Ok(Left::Nothing);
        }
        if ask == Ask::WrongPassword && self.vault.change(member, Held::after).await? {
            return Ok(Left::Another);
        }
        self.vault.refuse(member).await?;
        Ok(Left::Nothing)
    }
}

impl Vault {
    /// Seals another password beside the member's, before it is sent to the forum. Whether there is one to stand beside.
    async fn await_next(
        &self,
        member: UserId,
        next: &Secret<String>,
        source: Source,
    ) -> Result<bool, VaultError> {
        self.change(member, |held| Some(held.before(next.clone(), source))).await
    }
}

#[async_trait]
impl Accounts for Unlocked {
    async fn account(&self, member: UserId) -> Account {
        let vault = &self.vault;
        let (user, entry) = match (vault.store.user(member), vault.entry(member)) {
            (Ok(Some(user)), Ok(Some(entry))) => (user, entry),
            (Ok(_), Ok(_)) => return Account::Unknown,
            (Err(_), _) | (_, Err(_)) => return Account::Unreadable,
        };
        match vault.opened(&entry) {
            Some(Held { password, .. }) => {
                let name = user.profile.name.to_string();
                Account::Linked(Credentials { name, password }, stamp(&entry))
            }
            None if entry.sealed == REFUSED => Account::Refused(Ask::WrongPassword),
            None => Account::Unknown,
        }
    }

    async fn refused(&self, member: UserId, refused: u64, ask: Ask) -> Left {
        match self.drop_refused(member, refused, ask).await {
            Ok(left) => left,
            Err(error) => {
                tracing::error!(target: "passgate::store", %error, "can't note that the forum refused a password");
                Left::Nothing
            }
        }
    }

    async fn keep(&self, member: UserId, password: &Secret<String>) -> Result<(), VaultError> {
        self.vault.keep(member, password).await
    }

    async fn to_generate(&self, member: UserId) -> Option<Secret<String>> {
        match self.generated(member).await {
            Ok(next) => next,
            Err(error) => {
                tracing::error!(target: "passgate::store", %error, "can't keep a password for the forum, so none is set there");
                None
            }
        }
    }

    async fn choose(&self, member: UserId, password: &Secret<String>) -> Result<bool, VaultError> {
        self.vault.await_next(member, password, Source::Chosen).await
    }

    async fn changed(&self, member: UserId) -> Result<(), VaultError> {
        self.vault.change(member, Held::after).await.map(drop)
    }

    async fn unchanged(&self, member: UserId) -> Result<(), VaultError> {
        self.vault.change(member, |held| Some(Held { next: None, ..held })).await.map(drop)
    }
}

/// Which password this is: its nonce is its own.
fn stamp(entry: &SealedPassword) -> u64 {
    let nonce = entry.sealed.get(BEFORE_NONCE..).and_then(|rest| rest.first_chunk());
    nonce.copied().map_or(0, u64::from_le_bytes)
}
