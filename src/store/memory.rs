//! [`MemoryStore`]: the contract in its plainest form, for tests and throw-away gateways. Durable for as long as the
//! process lives.
//!
//! Meant to be obviously right, so that other adapters can be measured against it: there is no index that could go wrong,
//! and a batch works on a copy which replaces the original as a whole. Both cost time in proportion to what is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use super::drawer::revised_record;
use super::{
    Batch, Change, Commit, Drawer, Entry, Export, Owner, RecordRevision, Store, StoreError, oldest_first,
    revised_passkey, revised_user,
};
use crate::domain::{
    CredentialId, EmailKey, Failures, Passkey, PasskeyFor, SealedPassword, Secret, Session, SessionId,
    TokenHash, User, UserId,
};

/// All that a store keeps, in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: RwLock<State>,
}

#[derive(Clone, Debug, Default)]
struct State {
    users: BTreeMap<UserId, Arc<User>>,
    deleted: BTreeSet<String>,
    passkeys: BTreeMap<CredentialId, Arc<Passkey>>,
    sessions: BTreeMap<(UserId, SessionId), Arc<Session>>,
    forum_passwords: BTreeMap<UserId, SealedPassword>,
    failures: BTreeMap<UserId, Failures>,
    device_key: Option<Secret<[u8; 32]>>,
    records: BTreeMap<(Drawer, Owner, Vec<u8>), Vec<u8>>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// A panic can't leave half a change here, so a poisoned lock is as good as any.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn apply_now(&self, batch: Batch) -> Result<(), StoreError> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = state.clone();
        batch.into_iter().try_for_each(|change| next.make(change))?;
        *state = next;
        Ok(())
    }
}

impl Store for MemoryStore {
    fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        Ok(self.read().users.get(&id).map(|user| User::clone(user)))
    }

    fn user_by_name(&self, key: &str) -> Result<Option<User>, StoreError> {
        Ok(self.read().user_where(|user| user.profile.name.key() == key))
    }

    fn users_by_email(&self, key: &EmailKey) -> Result<Vec<User>, StoreError> {
        let has_it = |user: &&Arc<User>| user.profile.email_key().as_ref() == Some(key);
        Ok(self.read().users.values().filter(has_it).map(|user| User::clone(user)).collect())
    }

    fn was_deleted(&self, key: &str) -> Result<bool, StoreError> {
        Ok(self.read().deleted.contains(key))
    }

    fn user_by_setup(&self, link: &TokenHash) -> Result<Option<User>, StoreError> {
        Ok(self.read().user_where(|user| user.setup.as_ref().is_some_and(|setup| setup.hash == *link)))
    }

    fn session(&self, user: UserId, id: SessionId) -> Result<Option<Session>, StoreError> {
        Ok(self.read().sessions.get(&(user, id)).map(|session| Session::clone(session)))
    }

    fn sessions_of(&self, user: UserId) -> Result<Vec<SessionId>, StoreError> {
        let state = self.read();
        Ok(state.sessions.keys().filter(|(owner, _)| *owner == user).map(|(_, id)| *id).collect())
    }

    fn passkey(&self, id: &CredentialId) -> Result<Option<Passkey>, StoreError> {
        Ok(self.read().passkeys.get(id).map(|passkey| Passkey::clone(passkey)))
    }

    fn passkeys_of(&self, user: UserId) -> Result<Vec<Passkey>, StoreError> {
        let state = self.read();
        let own = state.passkeys.values().filter(|passkey| passkey.user == user);
        Ok(oldest_first(own.map(|passkey| Passkey::clone(passkey)).collect()))
    }

    fn each_passkey(&self, visit: &mut dyn FnMut(Passkey) -> ControlFlow<()>) -> Result<(), StoreError> {
        let passkeys: Vec<_> = self.read().passkeys.values().cloned().collect();
        let _stopped = passkeys.iter().try_for_each(|passkey| visit(Passkey::clone(passkey)));
        Ok(())
    }

    fn each_user(&self, visit: &mut dyn FnMut(User) -> ControlFlow<()>) -> Result<(), StoreError> {
        let mut users: Vec<_> = self.read().users.values().cloned().collect();
        users.sort_by(|a, b| a.profile.name.key().cmp(b.profile.name.key()));
        let _stopped = users.iter().try_for_each(|user| visit(User::clone(user)));
        Ok(())
    }

    fn each_session(&self, visit: &mut dyn FnMut(Session) -> ControlFlow<()>) -> Result<(), StoreError> {
        let sessions: Vec<_> = self.read().sessions.values().cloned().collect();
        let _stopped = sessions.iter().try_for_each(|session| visit(Session::clone(session)));
        Ok(())
    }

    fn forum_password(&self, user: UserId) -> Result<Option<SealedPassword>, StoreError> {
        Ok(self.read().forum_passwords.get(&user).cloned())
    }

    fn each_forum_password(
        &self,
        visit: &mut dyn FnMut(SealedPassword) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let sealed: Vec<_> = self.read().forum_passwords.values().cloned().collect();
        let _stopped = sealed.into_iter().try_for_each(visit);
        Ok(())
    }

    fn each_failures(
        &self,
        visit: &mut dyn FnMut(UserId, Failures) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let failures = self.read().failures.clone();
        let _stopped = failures.into_iter().try_for_each(|(user, failures)| visit(user, failures));
        Ok(())
    }

    fn device_key(&self) -> Result<Option<Secret<[u8; 32]>>, StoreError> {
        Ok(self.read().device_key.clone())
    }

    fn record(&self, drawer: Drawer, owner: Owner, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.read().records.get(&(drawer, owner, key.to_vec())).cloned())
    }

    fn records(&self, drawer: Drawer, owner: Owner) -> Result<Vec<Entry>, StoreError> {
        let state = self.read();
        let own = state.records.iter().filter(|((of, by, _), _)| (*of, *by) == (drawer, owner));
        Ok(own.map(|((_, _, key), bytes)| (key.clone(), bytes.clone())).collect())
    }

    fn each_record(
        &self,
        drawer: Drawer,
        visit: &mut dyn FnMut(Owner, Vec<u8>, Vec<u8>) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let mut records = self.read().records.clone();
        records.retain(|(of, _, _), _| *of == drawer);
        let _stopped = records.into_iter().try_for_each(|((_, owner, key), bytes)| visit(owner, key, bytes));
        Ok(())
    }

    fn health(&self) -> Result<(), StoreError> {
        Ok(())
    }

    fn export(&self) -> Result<Box<dyn Export>, StoreError> {
        Err(StoreError::KeepsNothing)
    }

    fn apply(&self, batch: Batch) -> Commit {
        Box::pin(std::future::ready(self.apply_now(batch)))
    }
}

impl State {
    fn user_where(&self, found: impl Fn(&User) -> bool) -> Option<User> {
        self.users.values().find(|user| found(user)).map(|user| User::clone(user))
    }

    fn has(&self, owner: Owner) -> bool {
        match owner {
            Owner::Member(id) => self.users.contains_key(&id),
            Owner::Site => true,
        }
    }

    fn make(&mut self, change: Change) -> Result<(), StoreError> {
        match change {
            Change::AddPasskey { passkey, limit } => self.add_passkey(passkey, limit)?,
            Change::AddUser(user) => {
                if self.users.contains_key(&user.profile.id) {
                    return Err(StoreError::NameTaken);
                }
                self.put_user(user)?;
            }
            Change::DeleteUser(id) => self.delete_user(id),
            Change::DropRecords(drawer, owner) => {
                self.records.retain(|(of, by, _), _| (*of, *by) != (drawer, owner));
            }
            Change::EndSession(user, id) => drop(self.sessions.remove(&(user, id))),
            Change::EndSessions(user, but) => {
                self.sessions.retain(|(owner, id), _| *owner != user || Some(*id) == but);
            }
            Change::PutDeviceKey(key) => self.device_key = Some(key),
            Change::PutFailures(user, failures) => {
                if failures.is_empty() || !self.users.contains_key(&user) {
                    self.failures.remove(&user);
                } else {
                    self.failures.insert(user, failures);
                }
            }
            Change::PutForumPassword(sealed) => {
                if !self.users.contains_key(&sealed.user) {
                    return Err(StoreError::NoSuchUser);
                }
                self.forum_passwords.insert(sealed.user, sealed);
            }
            Change::PutSession(session) => {
                if !self.users.contains_key(&session.user) {
                    return Err(StoreError::NoSuchUser);
                }
                self.sessions.insert((session.user, session.id), Arc::new(session));
            }
            Change::RemovePasskey(user, id) => self.remove_passkey(user, &id),
            Change::RevisePasskey(user, id, revision) => {
                let own = self.passkeys.get_mut(&id).filter(|passkey| passkey.user == user);
                let passkey = own.ok_or(StoreError::NoSuchPasskey)?;
                *passkey = Arc::new(revised_passkey(passkey, revision)?);
            }
            Change::ReviseRecord { drawer, owner, key, revision } => {
                self.revise_record((drawer, owner, key), revision)?;
            }
            Change::ReviseUser(id, revision) => {
                let user = self.users.get(&id).ok_or(StoreError::NoSuchUser)?;
                self.put_user(revised_user(user, revision)?)?;
            }
            Change::TouchSession(user, id, at) => {
                if let Some(session) = self.sessions.get_mut(&(user, id)) {
                    Arc::make_mut(session).last_seen = at;
                }
            }
        }
        Ok(())
    }

    fn delete_user(&mut self, id: UserId) {
        if let Some(user) = self.users.remove(&id) {
            self.deleted.insert(user.profile.name.key().to_owned());
        }
        self.passkeys.retain(|_, passkey| passkey.user != id);
        self.forum_passwords.remove(&id);
        self.failures.remove(&id);
        self.records.retain(|(_, owner, _), _| *owner != Owner::Member(id));
        self.sessions.retain(|_, session| session.user != id);
    }

    fn revise_record(
        &mut self,
        place: (Drawer, Owner, Vec<u8>),
        revision: RecordRevision,
    ) -> Result<(), StoreError> {
        match revised_record(self.records.get(&place).cloned(), revision)? {
            Some(_) if !self.has(place.1) => return Err(StoreError::NoSuchUser),
            Some(record) => drop(self.records.insert(place, record)),
            None => drop(self.records.remove(&place)),
        }
        Ok(())
    }

    fn add_passkey(&mut self, passkey: Passkey, limit: usize) -> Result<(), StoreError> {
        if !self.users.contains_key(&passkey.user) {
            return Err(StoreError::NoSuchUser);
        }
        if self.passkeys.contains_key(&passkey.id) {
            return Err(StoreError::CredentialTaken);
        }
        if self.passkeys.values().filter(|other| other.user == passkey.user).count() >= limit {
            return Err(StoreError::LimitReached);
        }
        self.passkeys.insert(passkey.id.clone(), Arc::new(passkey));
        Ok(())
    }

    fn remove_passkey(&mut self, user: UserId, id: &CredentialId) {
        self.passkeys.retain(|_, passkey| passkey.user != user || passkey.id != *id);
        self.sessions.retain(|_, session| session.user != user || session.passkey.as_ref() != Some(id));
        let has_none = !self.passkeys.values().any(|passkey| passkey.user == user);
        if let Some(user) = self.users.get_mut(&user).filter(|_| has_none) {
            Arc::make_mut(user).passkey_for = PasskeyFor::default();
        }
    }

    fn put_user(&mut self, user: User) -> Result<(), StoreError> {
        let (id, key) = (user.profile.id, user.profile.name.key());
        if self.users.values().any(|other| other.profile.id != id && other.profile.name.key() == key) {
            return Err(StoreError::NameTaken);
        }
        self.deleted.remove(key);
        self.users.insert(id, Arc::new(user));
        Ok(())
    }
}
