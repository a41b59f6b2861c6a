//! The [`Vault`]: members' passwords at the forum, sealed with a key that is not in the store.
//!
//! SECURITY: O4. Nothing outside the bridge gets a password out of here: there is a way to put one in, to forget it and to ask
//! whether there is one, and only `bridge` itself may open it, to sign in with. Whoever has the store alone, or the key
//! alone, has no password.
//!
//! ```text
//! sealed = what is [`Held`], by [`KeyRing`]
//! bound to: version, member, forum; an entry moved to another member or forum does not open
//! sealed = 0, or nothing at all: there is no password, since the forum refused it, or since the member took it back
//! ```

mod held;
mod unlocked;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use self::held::Held;
pub(super) use self::held::Source;
pub(super) use self::unlocked::Unlocked;
use crate::domain::{SealedPassword, Secret, UserId};
use crate::seal::{KeyFileError, KeyRing};
use crate::store::{Change, Store, StoreError};

/// In place of a password that the forum refused, and of one that its member took back.
const REFUSED: &[u8] = &[0];
const TAKEN_BACK: &[u8] = &[];

/// Why the vault can't work.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The keys can't be used.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The store can't.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What came of a change of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotated {
    /// How many passwords are sealed with the new key.
    pub sealed: usize,
    /// How many could not be opened, because their key is lost. Their members are asked again.
    pub lost: usize,
}

/// The forum comes last, so that no two of these are alike.
fn bound_to(version: u8, user: UserId, forum: &str) -> Vec<u8> {
    [b"passgate forum password ".as_slice(), &[version], &user.0, forum.as_bytes()].concat()
}

/// The passwords of one forum's members.
pub struct Vault {
    store: Arc<dyn Store>,
    forum: String,
    /// There is none until the first password is sealed.
    keys: KeyRing,
    /// Held while something is written, so that no entry slips past a change of keys.
    writing: tokio::sync::Mutex<()>,
}

impl Vault {
    /// The vault whose key lies in `key_file`; it is made with the first password.
    pub fn open(store: Arc<dyn Store>, key_file: &Path, forum: &str) -> Result<Self, VaultError> {
        let keys = KeyRing::open(key_file, "the forum passwords")?;
        Ok(Self { store, forum: forum.to_owned(), keys, writing: tokio::sync::Mutex::default() })
    }

    /// Where the key lies.
    pub fn key_file(&self) -> &Path {
        self.keys.path().unwrap_or_else(|| Path::new(""))
    }

    /// How many passwords no key opens: the key file is gone, or is not the one they were sealed with.
    pub fn lost(&self) -> Result<usize, VaultError> {
        Ok(self.entries()?.iter().filter(|entry| self.opened(entry).is_none()).count())
    }

    /// Whether there is a password of this member that can be opened.
    pub fn has(&self, user: UserId) -> Result<bool, VaultError> {
        Ok(self.held(user)?.is_some())
    }

    /// Whether the password of this member is one that the gateway has made, so that nobody knows it.
    pub fn is_generated(&self, user: UserId) -> Result<bool, VaultError> {
        Ok(self.held(user)?.is_some_and(|held| held.source == Source::Generated))
    }

    /// Whether nothing was ever tried for this member, so that the password they have typed may be.
    pub fn is_untried(&self, user: UserId) -> Result<bool, VaultError> {
        Ok(self.entry(user)?.is_none())
    }

    /// What is held for a member. For signing in at the forum, and nothing else.
    fn held(&self, user: UserId) -> Result<Option<Held>, VaultError> {
        Ok(self.entry(user)?.and_then(|entry| self.opened(&entry)))
    }

    fn entry(&self, user: UserId) -> Result<Option<SealedPassword>, VaultError> {
        Ok(self.store.forum_password(user)?.filter(|entry| entry.forum == self.forum))
    }

    /// Seals a password that a member has given, in place of what was there.
    pub async fn keep(&self, user: UserId, password: &Secret<String>) -> Result<(), VaultError> {
        let _alone = self.writing.lock().await;
        self.keys.prepare()?;
        self.write(user, &Held::given(password.clone())).await
    }

    /// Makes something else of what is held for a member; `how` gives none for leaving it. Whether it was changed.
    async fn change(
        &self,
        user: UserId,
        how: impl FnOnce(Held) -> Option<Held> + Send,
    ) -> Result<bool, VaultError> {
        let _alone = self.writing.lock().await;
        let Some(held) = self.held(user)?.and_then(how) else { return Ok(false) };
        self.write(user, &held).await?;
        Ok(true)
    }

    async fn write(&self, user: UserId, held: &Held) -> Result<(), VaultError> {
        let sealed = self.seal(user, &self.forum, held).ok_or_else(|| self.unsealable())?;
        Ok(self.store.apply(vec![Change::PutForumPassword(sealed)]).await?)
    }

    /// Forgets a member's password, and that a password typed for the gateway might be the forum's too.
    pub async fn take_back(&self, user: UserId) -> Result<(), VaultError> {
        self.put(user, TAKEN_BACK).await
    }

    /// Forgets a member's password, which the forum refused.
    pub async fn refuse(&self, user: UserId) -> Result<(), VaultError> {
        self.put(user, REFUSED).await
    }

    async fn put(&self, user: UserId, sealed: &[u8]) -> Result<(), VaultError> {
        let _alone = self.writing.lock().await;
        let entry = SealedPassword { user, forum: self.forum.clone(), sealed: sealed.to_vec() };
        Ok(self.store.apply(vec![Change::PutForumPassword(entry)]).await?)
    }

    /// Seals everything with a new key, and drops the old ones. Whenever this breaks off, every password can be opened
    /// with what is on the disk: the file has the new key before anything is sealed with it, and the old ones until
    /// nothing is.
    pub async fn rotate(&self) -> Result<Rotated, VaultError> {
        let _alone = self.writing.lock().await;
        self.keys.renew()?;
        let entries = self.entries()?;
        let changed: Vec<_> = entries.iter().filter_map(|entry| self.resealed(entry)).collect();
        let rotated = Rotated { sealed: changed.len(), lost: entries.len() - changed.len() };
        let commits: Vec<_> = changed
            .into_iter()
            .map(|sealed| self.store.apply(vec![Change::PutForumPassword(sealed)]))
            .collect();
        for commit in commits {
            match commit.await {
                // Deleted meanwhile, and the password with it.
                Ok(()) | Err(StoreError::NoSuchUser) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.keys.drop_old()?;
        Ok(rotated)
    }

    fn resealed(&self, entry: &SealedPassword) -> Option<SealedPassword> {
        let held = self.opened(entry)?;
        self.seal(entry.user, &entry.forum, &held)
    }

    fn seal(&self, user: UserId, forum: &str, held: &Held) -> Option<SealedPassword> {
        let bound_to = bound_to(Held::VERSION, user, forum);
        let sealed = self.keys.seal(Held::VERSION, &held.to_bytes()?, &bound_to)?;
        Some(SealedPassword { user, forum: forum.to_owned(), sealed })
    }

    fn opened(&self, entry: &SealedPassword) -> Option<Held> {
        let bound_to = |version| bound_to(version, entry.user, &entry.forum);
        let (version, bytes) = self.keys.unseal(&entry.sealed, bound_to)?;
        Held::read(version, &bytes)
    }

    fn entries(&self) -> Result<Vec<SealedPassword>, VaultError> {
        let mut entries = Vec::new();
        self.store.each_forum_password(&mut |entry| {
            if ![REFUSED, TAKEN_BACK].contains(&entry.sealed.as_slice()) {
                entries.push(entry);
            }
            ControlFlow::Continue(())
        })?;
        Ok(entries)
    }

    fn unsealable(&self) -> VaultError {
        let (of, path) = ("the forum passwords", self.key_file().to_owned());
        KeyFileError::Unusable { of, path, reason: "it seals nothing".to_owned() }.into()
    }
}

#[cfg(test)]
mod tests;
