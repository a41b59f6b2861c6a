//! Works out what batches change, without changing anything: a [`Stage`] lies over the database, and what its batches
//! write is seen by the next one.

use std::collections::BTreeSet;

use sled::IVec;

use super::packed::{decode_session, decode_user, encode_session, encode_user};
use super::records::{
    Kind, credential_after, deleted_key, drawer_key, of_session, passkey_of_key, session_key,
};
use super::table::{Table, Writes};
use super::values::{decode_passkey, encode_failures, encode_forum_password, encode_passkey};
use crate::domain::{CredentialId, Passkey, PasskeyFor, Session, SessionId, User, UserId};
use crate::store::drawer::revised_record;
use crate::store::{
    Batch, Change, Drawer, Owner, PasskeyRevision, RecordRevision, StoreError, revised_passkey, revised_user,
};

/// Batches that are to be written together, over what is written already. Only the writer may make one: nothing else may
/// write meanwhile.
pub(super) struct Stage<'t> {
    table: &'t Table,
    db: sled::Db,
    /// What the batches so far have written.
    kept: Writes,
    /// What the batch at work has written.
    pending: Writes,
}

impl<'t> Stage<'t> {
    pub(super) fn over(table: &'t Table) -> Result<Self, StoreError> {
        Ok(Self { table, db: table.db()?, kept: Writes::new(), pending: Writes::new() })
    }

    /// Adds a batch, or leaves all as it was.
    pub(super) fn add(&mut self, batch: Batch) -> Result<(), StoreError> {
        let made = batch.into_iter().try_for_each(|change| self.make(change));
        match made {
            Ok(()) => self.kept.append(&mut self.pending),
            Err(_) => self.pending.clear(),
        }
        made
    }

    /// All that is to be written.
    pub(super) fn into_writes(self) -> Writes {
        self.kept
    }

    fn make(&mut self, change: Change) -> Result<(), StoreError> {
        match change {
            Change::AddPasskey { passkey, limit } => self.add_passkey(&passkey, limit),
            Change::AddUser(user) => match self.user(user.profile.id)? {
                Some(_) => Err(StoreError::NameTaken),
                None => self.put_user(None, &user),
            },
            Change::DeleteUser(id) => self.delete_user(id),
            Change::DropRecords(drawer, owner) => self.drop_records(drawer, owner),
            Change::EndSession(user, id) => self.end_session(user, id),
            Change::EndSessions(user, but) => self.end_sessions(user, but),
            Change::PutDeviceKey(key) => {
                self.set(Kind::DeviceKey.key(&[]), key.expose());
                Ok(())
            }
            Change::PutFailures(user, failures) => {
                let key = Kind::Failures.key(&user.0);
                if !failures.is_empty() && self.get(&Kind::User.key(&user.0))?.is_some() {
                    self.set(key, encode_failures(&failures));
                } else if self.get(&key)?.is_some() {
                    self.remove(key);
                }
                Ok(())
            }
            Change::PutForumPassword(sealed) => {
                if self.get(&Kind::User.key(&sealed.user.0))?.is_none() {
                    return Err(StoreError::NoSuchUser);
                }
                self.set(Kind::ForumPassword.key(&sealed.user.0), encode_forum_password(&sealed));
                Ok(())
            }
            Change::PutSession(session) => self.put_session(&session),
            Change::RemovePasskey(user, id) => self.remove_passkey(user, &id),
            Change::RevisePasskey(user, id, revision) => self.revise_passkey(user, &id, revision),
            Change::ReviseRecord { drawer, owner, key, revision } => {
                self.revise_record([drawer_key(drawer, owner), key].concat(), owner, revision)
            }
            Change::ReviseUser(id, revision) => {
                let before = self.user(id)?.ok_or(StoreError::NoSuchUser)?;
                let after = revised_user(&before, revision)?;
                self.put_user(Some(&before), &after)
            }
            Change::TouchSession(user, id, at) => {
                if let Some(session) = self.session(user, id)? {
                    let touched = Session { last_seen: at, ..session };
                    self.set(session_key(user, id), encode_session(&touched));
                }
                Ok(())
            }
        }
    }

    fn put_user(&mut self, before: Option<&User>, after: &User) -> Result<(), StoreError> {
        let id = after.profile.id;
        if self.owner_of(after.profile.name.key()).is_some_and(|owner| *owner != id.0) {
            return Err(StoreError::NameTaken);
        }
        if let Some(before) = before {
            self.forget_indexes(before)?;
        }
        self.set(Kind::Name.key(after.profile.name.key().as_bytes()), &id.0);
        let deleted = deleted_key(after.profile.name.key());
        if self.get(&deleted)?.is_some() {
            self.remove(deleted);
        }
        if let Some(link) = &after.setup {
            self.set(Kind::Link.key(&link.hash.0), &id.0);
        }
        self.set(Kind::User.key(&id.0), encode_user(after));
        Ok(())
    }

    fn delete_user(&mut self, id: UserId) -> Result<(), StoreError> {
        let Some(user) = self.user(id)? else { return Ok(()) };
        self.forget_indexes(&user)?;
        self.set(deleted_key(user.profile.name.key()), &[]);
        self.end_sessions(id, None)?;
        for passkey in self.passkeys_of(id)? {
            self.forget_passkey(id, &passkey);
        }
        self.remove(Kind::Failures.key(&id.0));
        Drawer::ALL.into_iter().try_for_each(|drawer| self.drop_records(drawer, Owner::Member(id)))?;
        self.remove(Kind::ForumPassword.key(&id.0));
        self.remove(Kind::User.key(&id.0));
        Ok(())
    }

    fn drop_records(&mut self, drawer: Drawer, owner: Owner) -> Result<(), StoreError> {
        for key in self.keys(&drawer_key(drawer, owner))? {
            self.remove(key);
        }
        Ok(())
    }

    fn revise_record(
        &mut self,
        key: Vec<u8>,
        owner: Owner,
        revision: RecordRevision,
    ) -> Result<(), StoreError> {
        let before = self.get(&key)?.map(|record| record.to_vec());
        let was_there = before.is_some();
        match revised_record(before, revision)? {
            Some(record) => {
                if let Owner::Member(user) = owner
                    && self.get(&Kind::User.key(&user.0))?.is_none()
                {
                    return Err(StoreError::NoSuchUser);
                }
                self.set(key, record);
            }
            None if was_there => self.remove(key),
            None => {}
        }
        Ok(())
    }

    fn forget_indexes(&mut self, user: &User) -> Result<(), StoreError> {
        self.remove(Kind::Name.key(user.profile.name.key().as_bytes()));
        if let Some(link) = &user.setup {
            let key = Kind::Link.key(&link.hash.0);
            if self.get(&key)?.is_some_and(|owner| *owner == user.profile.id.0) {
                self.remove(key);
            }
        }
        Ok(())
    }

    fn add_passkey(&mut self, passkey: &Passkey, limit: usize) -> Result<(), StoreError> {
        let (user, key) = (passkey.user, Kind::Passkey.key(passkey.id.as_bytes()));
        if self.get(&Kind::User.key(&user.0))?.is_none() {
            return Err(StoreError::NoSuchUser);
        }
        if self.get(&key)?.is_some() {
            return Err(StoreError::CredentialTaken);
        }
        if self.passkeys_of(user)?.len() >= limit {
            return Err(StoreError::LimitReached);
        }
        self.set(passkey_of_key(user, &passkey.id), &[]);
        self.set(key, encode_passkey(passkey));
        Ok(())
    }

    fn revise_passkey(
        &mut self,
        user: UserId,
        id: &CredentialId,
        revision: PasskeyRevision,
    ) -> Result<(), StoreError> {
        let before = self.passkey(user, id)?.ok_or(StoreError::NoSuchPasskey)?;
        let after = revised_passkey(&before, revision)?;
        self.set(Kind::Passkey.key(id.as_bytes()), encode_passkey(&after));
        Ok(())
    }

    fn remove_passkey(&mut self, user: UserId, id: &CredentialId) -> Result<(), StoreError> {
        if self.passkey(user, id)?.is_some() {
            self.forget_passkey(user, id);
        }
        for session in self.sessions_of(user)? {
            if self.session(user, session)?.is_some_and(|session| session.passkey.as_ref() == Some(id)) {
                self.end_session(user, session)?;
            }
        }
        match self.user(user)? {
            Some(user) if user.passkey_for != PasskeyFor::default() && !self.has_passkeys(&user)? => {
                let asks_nothing = User { passkey_for: PasskeyFor::default(), ..user };
                self.set(Kind::User.key(&asks_nothing.profile.id.0), encode_user(&asks_nothing));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn has_passkeys(&self, user: &User) -> Result<bool, StoreError> {
        Ok(!self.passkeys_of(user.profile.id)?.is_empty())
    }

    fn forget_passkey(&mut self, user: UserId, id: &CredentialId) {
        self.remove(passkey_of_key(user, id));
        self.remove(Kind::Passkey.key(id.as_bytes()));
    }

    fn put_session(&mut self, session: &Session) -> Result<(), StoreError> {
        if self.get(&Kind::User.key(&session.user.0))?.is_none() {
            return Err(StoreError::NoSuchUser);
        }
        self.set(session_key(session.user, session.id), encode_session(session));
        Ok(())
    }

    fn end_session(&mut self, user: UserId, id: SessionId) -> Result<(), StoreError> {
        let key = session_key(user, id);
        if self.get(&key)?.is_some() {
            self.remove(key);
        }
        Ok(())
    }

    fn end_sessions(&mut self, user: UserId, but: Option<SessionId>) -> Result<(), StoreError> {
        for id in self.sessions_of(user)? {
            if Some(id) != but {
                self.remove(session_key(user, id));
            }
        }
        Ok(())
    }

    fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        let record = self.get(&Kind::User.key(&id.0))?;
        record.map(|record| self.table.sound(decode_user(id, &record))).transpose()
    }

    fn session(&self, user: UserId, id: SessionId) -> Result<Option<Session>, StoreError> {
        let record = self.get(&session_key(user, id))?;
        record.map(|record| self.table.sound(decode_session(user, id, &record))).transpose()
    }

    /// The passkey of this id, if it is this account's.
    fn passkey(&self, user: UserId, id: &CredentialId) -> Result<Option<Passkey>, StoreError> {
        let Some(record) = self.get(&Kind::Passkey.key(id.as_bytes()))? else { return Ok(None) };
        let passkey = self.table.sound(decode_passkey(id.clone(), &record))?;
        Ok(Some(passkey).filter(|passkey| passkey.user == user))
    }

    fn passkeys_of(&self, user: UserId) -> Result<Vec<CredentialId>, StoreError> {
        let prefix = Kind::PasskeyOf.key(&user.0);
        let keys = self.keys(&prefix)?;
        keys.iter().map(|key| self.table.sound(credential_after(&prefix, key))).collect()
    }

    fn sessions_of(&self, user: UserId) -> Result<Vec<SessionId>, StoreError> {
        let keys = self.keys(&Kind::Session.key(&user.0))?;
        keys.iter().map(|key| self.table.sound(of_session(key)).map(|(_, id)| id)).collect()
    }

    /// All keys that begin so.
    fn keys(&self, prefix: &[u8]) -> Result<BTreeSet<Vec<u8>>, StoreError> {
        let mut keys = BTreeSet::new();
        for key in self.table.keys(&self.db, prefix) {
            keys.insert(key?.to_vec());
        }
        for writes in [&self.kept, &self.pending] {
            for (key, value) in writes.range(prefix.to_vec()..).take_while(|(key, _)| key.starts_with(prefix))
            {
                match value {
                    Some(_) => drop(keys.insert(key.clone())),
                    None => drop(keys.remove(key)),
                }
            }
        }
        Ok(keys)
    }

    /// Whose name this is now.
    fn owner_of(&self, name: &str) -> Option<IVec> {
        let key = Kind::Name.key(name.as_bytes());
        match self.pending.get(&key).or_else(|| self.kept.get(&key)) {
            Some(written) => written.clone(),
            None => self.table.directory(|directory| directory.named(name)).map(|id| IVec::from(&id.0)),
        }
    }

    fn get(&self, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        match self.pending.get(key).or_else(|| self.kept.get(key)) {
            Some(written) => Ok(written.clone()),
            None => self.table.get(&self.db, key),
        }
    }

    fn set(&mut self, key: Vec<u8>, value: impl Into<IVec>) {
        self.pending.insert(key, Some(value.into()));
    }

    fn remove(&mut self, key: Vec<u8>) {
        self.pending.insert(key, None);
    }
}
