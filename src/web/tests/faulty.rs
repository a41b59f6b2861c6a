//! A store whose disk can be made to fail: writes, and reading passkeys.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::domain::{
    CredentialId, EmailKey, Failures, Passkey, SealedPassword, Secret, Session, SessionId, TokenHash, User,
    UserId,
};
use crate::store::{Batch, Commit, Drawer, Entry, Export, MemoryStore, Owner, Store, StoreError};

#[derive(Default)]
pub(super) struct FaultyStore {
    inner: MemoryStore,
    broken: AtomicBool,
    writes: AtomicUsize,
    looks: AtomicUsize,
}

impl FaultyStore {
    /// How many batches were handed in.
    pub(super) fn writes(&self) -> usize {
        self.writes.load(Ordering::SeqCst)
    }

    /// How often an account was looked for.
    pub(super) fn looks(&self) -> usize {
        self.looks.load(Ordering::SeqCst)
    }

    fn looked(&self) -> &MemoryStore {
        self.looks.fetch_add(1, Ordering::SeqCst);
        &self.inner
    }

    pub(super) fn break_down(&self) {
        self.broken.store(true, Ordering::SeqCst);
    }
}

impl Store for FaultyStore {
    fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.looked().user(id)
    }

    fn user_by_name(&self, key: &str) -> Result<Option<User>, StoreError> {
        self.looked().user_by_name(key)
    }

    fn users_by_email(&self, key: &EmailKey) -> Result<Vec<User>, StoreError> {
        self.looked().users_by_email(key)
    }

    fn was_deleted(&self, key: &str) -> Result<bool, StoreError> {
        self.inner.was_deleted(key)
    }

    fn user_by_setup(&self, link: &TokenHash) -> Result<Option<User>, StoreError> {
        self.inner.user_by_setup(link)
    }

    fn session(&self, user: UserId, id: SessionId) -> Result<Option<Session>, StoreError> {
        self.inner.session(user, id)
    }

    fn sessions_of(&self, user: UserId) -> Result<Vec<SessionId>, StoreError> {
        self.inner.sessions_of(user)
    }

    fn passkey(&self, id: &CredentialId) -> Result<Option<Passkey>, StoreError> {
        self.inner.passkey(id)
    }

    fn passkeys_of(&self, user: UserId) -> Result<Vec<Passkey>, StoreError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(StoreError::Failed("can't read".to_owned()));
        }
        self.inner.passkeys_of(user)
    }

    fn each_passkey(&self, visit: &mut dyn FnMut(Passkey) -> ControlFlow<()>) -> Result<(), StoreError> {
        self.inner.each_passkey(visit)
    }

    fn each_user(&self, visit: &mut dyn FnMut(User) -> ControlFlow<()>) -> Result<(), StoreError> {
        self.inner.each_user(visit)
    }

    fn each_session(&self, visit: &mut dyn FnMut(Session) -> ControlFlow<()>) -> Result<(), StoreError> {
        self.inner.each_session(visit)
    }

    fn forum_password(&self, user: UserId) -> Result<Option<SealedPassword>, StoreError> {
        self.inner.forum_password(user)
    }

    fn each_forum_password(
        &self,
        visit: &mut dyn FnMut(SealedPassword) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.inner.each_forum_password(visit)
    }

    fn each_failures(
        &self,
        visit: &mut dyn FnMut(UserId, Failures) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.inner.each_failures(visit)
    }

    fn device_key(&self) -> Result<Option<Secret<[u8; 32]>>, StoreError> {
        self.inner.device_key()
    }

    fn record(&self, drawer: Drawer, owner: Owner, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.record(drawer, owner, key)
    }

    fn records(&self, drawer: Drawer, owner: Owner) -> Result<Vec<Entry>, StoreError> {
        self.inner.records(drawer, owner)
    }

    fn each_record(
        &self,
        drawer: Drawer,
        visit: &mut dyn FnMut(Owner, Vec<u8>, Vec<u8>) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.inner.each_record(drawer, visit)
    }

    fn health(&self) -> Result<(), StoreError> {
        if self.broken.load(Ordering::SeqCst) { Err(full()) } else { Ok(()) }
    }

    fn export(&self) -> Result<Box<dyn Export>, StoreError> {
        self.inner.export()
    }

    fn apply(&self, batch: Batch) -> Commit {
        if self.broken.load(Ordering::SeqCst) {
            return Box::pin(async { Err(full()) });
        }
        self.writes.fetch_add(1, Ordering::SeqCst);
        self.inner.apply(batch)
    }
}

fn full() -> StoreError {
    StoreError::Failed("no space left in /var/lib/sled".to_owned())
}
