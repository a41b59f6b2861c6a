//! [`SledStore`]: the contract on sled 0.34, made durable. The only place that knows sled.
//!
//! | file | what |
//! | --- | --- |
//! | `files` | the folder: lock, format, permissions, and the barrier that makes writes last |
//! | `records` | keys as bytes |
//! | `values` | what lies below them, as JSON |
//! | `bundles` | accounts and sessions, a few in one of sled's entries |
//! | `cache` | sled's cache, kept to its size |
//! | `packed` | the same of accounts and sessions, in few bytes |
//! | `migrate` | what was written by older versions, brought into this form |
//! | `directory` | the members in memory, by id, name and address |
//! | `table` | the open database, seen whole or not at all |
//! | `stage` | what a batch changes |
//! | `writer` | the thread that writes, in groups |
//! | `condition` | how the writing goes |
//! | `pulse` | the thread that notices when it does not |
//! | `disk` | what is asked of the disk beside the store's files |
//! | `export` | a copy of it all, as lines |
//! | `rebuild` | a store made of a copy |
//! | `compact` | a store written anew |
//!
//! SECURITY: STO-01, STO-02. sled's `flush` on Linux survives the death of the process but not the loss of power, so the
//! writer answers only after an `fdatasync` of its own. sled's background thread is off: nothing is written but by ours.
//! Without it sled frees room only as pages are rewritten, which under a million sessions that came and went kept the log
//! at about ten times what lives.

mod bundles;
mod cache;
mod compact;
mod condition;
mod directory;
mod disk;
mod export;
mod files;
#[cfg(fuzzing)]
pub mod fuzzing;
mod migrate;
mod packed;
mod pulse;
mod rebuild;
mod records;
mod stage;
mod table;
mod values;
mod writer;

#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::{Bound, ControlFlow};
use std::path::Path;
use std::sync::Arc;

pub use self::compact::Compacted;
use self::disk::forget_cached;
use self::export::SledExport;
use self::files::{Folder, unreadable};
use self::packed::{decode_session, decode_user};
pub use self::rebuild::{Contents, Rebuild};
use self::records::{
    Kind, credential_after, deleted_key, drawer_key, in_drawer, of_session, session_key, trailing,
};
use self::table::Table;
use self::values::{decode_failures, decode_forum_password, decode_passkey};
use self::writer::{Manner, Writer};
use super::{Batch, Commit, Drawer, Entry, Export, Member, Owner, Store, StoreError, oldest_first};
use crate::domain::{
    CredentialId, EmailKey, Failures, Passkey, SealedPassword, Secret, Session, SessionId, TokenHash, User,
    UserId,
};

/// All that a store keeps, on the disk.
///
/// After [`StoreError::Failed`] it reads as before as far as sled can, which may include what was not made durable, and writes
/// nothing. Every few seconds it tries to get well: with room on the disk, and after a failed write or sync by opening the
/// database anew, so that it reads what the disk really has. An empty batch goes the whole way to the disk, so it tells
/// whether that works; one is written by itself when there was no other for half a minute.
pub struct SledStore {
    // In the order in which they must go: the writer finishes, sled closes its files, the folder is free.
    writer: Writer,
    table: Arc<Table>,
    folder: Arc<Folder>,
}

impl SledStore {
    /// Opens the store in the folder `path`, which is made if there is none. `cache_bytes` bounds what sled keeps in memory
    /// of the data.
    ///
    /// Fails with [`StoreError::InUse`] if another process has it, and with [`StoreError::Damaged`] if it can't be read,
    /// if what was written to it is not all there, or if its format is newer. A store that is in use or newer is left
    /// untouched.
    pub fn open(path: &Path, cache_bytes: u64) -> Result<Self, StoreError> {
        Self::open_seeing(path, cache_bytes, &mut |_| {})
    }

    /// As [`SledStore::open`]; shows each account to `visit` on the way, since reading them all takes its time.
    pub fn open_seeing(
        path: &Path,
        cache_bytes: u64,
        visit: &mut dyn FnMut(&User),
    ) -> Result<Self, StoreError> {
        Self::open_with(path, cache_bytes, visit, |manner| manner)
    }

    /// The same, with the disk asked in another manner.
    fn open_with(
        path: &Path,
        cache_bytes: u64,
        visit: &mut dyn FnMut(&User),
        adapt: impl FnOnce(Manner) -> Manner,
    ) -> Result<Self, StoreError> {
        let folder = Arc::new(Folder::open(path)?);
        if folder.is_in_doubt().map_err(|error| unreadable(path, error))? {
            forget_cached(path).map_err(|error| unreadable(path, error))?;
        }
        let table = Arc::new(Table::open(path, cache_bytes)?);
        folder.check_written(table.groups()?)?;
        folder.secure().map_err(|error| unreadable(path, error))?;
        folder.raise_format().map_err(|error| unreadable(path, error))?;
        let mut barrier = folder.barrier().map_err(|error| unreadable(path, error))?;
        migrate::migrate(&table, &mut |group| barrier.pass(group))?;
        table.list_members(visit)?;
        let manner = adapt(Manner::usual(&folder));
        let writer = Writer::start(Arc::clone(&table), Arc::clone(&folder), barrier, manner)?;
        Ok(Self { writer, table, folder })
    }

    /// Ends the writing, and leaves the folder locked.
    fn close(self) -> Arc<Folder> {
        let Self { writer, table, folder } = self;
        drop(writer);
        drop(table);
        folder
    }

    /// The account that an index names.
    fn indexed_user(&self, db: &sled::Db, id: UserId) -> Result<User, StoreError> {
        let key = Kind::User.key(&id.0);
        let record = self.table.get(db, &key)?;
        let record =
            self.table.sound(record.ok_or_else(|| format!("the record of account {id} is missing")))?;
        self.table.user_in(&key, &record)
    }

    /// All name keys, and whose they are, in no particular order. Read a part at a time, so that nobody waits for long.
    fn names(&self) -> Vec<(Box<str>, UserId)> {
        const PART: usize = 10_000;
        let parts = (0..).step_by(PART);
        parts
            .map_while(|from| self.table.directory(|directory| directory.names(from, PART)))
            .flatten()
            .collect()
    }

    fn stored_passkey(&self, db: &sled::Db, id: CredentialId) -> Result<Option<Passkey>, StoreError> {
        let record = self.table.sound(db.get(Kind::Passkey.key(id.as_bytes())))?;
        record.map(|record| self.table.sound(decode_passkey(id, &record))).transpose()
    }

    /// The passkey to which a key of an account's list points.
    fn listed_passkey(&self, db: &sled::Db, list: &[u8], key: &[u8]) -> Result<Passkey, StoreError> {
        let id = self.table.sound(credential_after(list, key))?;
        let passkey = self.stored_passkey(db, id)?;
        self.table.sound(passkey.ok_or("the record of a passkey is missing"))
    }

    /// Visits all entries of a kind, a page at a time; no lock is held while visiting.
    fn each<T>(
        &self,
        kind: Kind,
        read: impl Fn(&sled::Db, &[u8], &[u8]) -> Result<T, StoreError>,
        visit: &mut dyn FnMut(T) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.each_from(kind, kind.key(&[]), read, visit)
    }

    /// The same, from a key on.
    fn each_from<T>(
        &self,
        kind: Kind,
        from: Vec<u8>,
        read: impl Fn(&sled::Db, &[u8], &[u8]) -> Result<T, StoreError>,
        visit: &mut dyn FnMut(T) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let mut after = Bound::Included(from);
        loop {
            let (page, last) = self.table.read(|db| self.table.page(db, kind, after, &read))?;
            if page.into_iter().try_for_each(&mut *visit).is_break() {
                return Ok(());
            }
            let Some(last) = last else { return Ok(()) };
            after = Bound::Excluded(last.to_vec());
        }
    }
}

impl Store for SledStore {
    fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.table.read(|db| {
            let record = self.table.get(db, &Kind::User.key(&id.0))?;
            record.map(|record| self.table.sound(decode_user(id, &record))).transpose()
        })
    }

    fn member(&self, id: UserId) -> Result<Option<Member>, StoreError> {
        self.table.sound(self.table.directory(|directory| Some(directory.member(id))).unwrap_or(Ok(None)))
    }

    fn user_by_name(&self, key: &str) -> Result<Option<User>, StoreError> {
        self.table.read(|db| {
            let id = self.table.directory(|directory| directory.named(key));
            id.map(|id| self.indexed_user(db, id)).transpose()
        })
    }

    fn users_by_email(&self, key: &EmailKey) -> Result<Vec<User>, StoreError> {
        self.table.read(|db| {
            let ids = self.table.directory(|directory| directory.with_email(key));
            ids.into_iter().map(|id| self.indexed_user(db, id)).collect()
        })
    }

    fn was_deleted(&self, key: &str) -> Result<bool, StoreError> {
        self.table.read(|db| self.table.sound(db.contains_key(deleted_key(key))))
    }

    fn user_by_setup(&self, link: &TokenHash) -> Result<Option<User>, StoreError> {
        self.table.read(|db| {
            let Some(owner) = self.table.sound(db.get(Kind::Link.key(&link.0)))? else { return Ok(None) };
            let id = self.table.sound(trailing(&owner).map(UserId))?;
            self.indexed_user(db, id).map(Some)
        })
    }

    fn session(&self, user: UserId, id: SessionId) -> Result<Option<Session>, StoreError> {
        self.table.read(|db| {
            let record = self.table.get(db, &session_key(user, id))?;
            record.map(|record| self.table.sound(decode_session(user, id, &record))).transpose()
        })
    }

    fn sessions_of(&self, user: UserId) -> Result<Vec<SessionId>, StoreError> {
        self.table.read(|db| {
            let keys = self.table.keys(db, &Kind::Session.key(&user.0));
            keys.map(|key| self.table.sound(of_session(&key?)).map(|(_, id)| id)).collect()
        })
    }

    fn passkey(&self, id: &CredentialId) -> Result<Option<Passkey>, StoreError> {
        self.table.read(|db| self.stored_passkey(db, id.clone()))
    }

    fn passkeys_of(&self, user: UserId) -> Result<Vec<Passkey>, StoreError> {
        let list = Kind::PasskeyOf.key(&user.0);
        let read = |db: &sled::Db| {
            let keys = self.table.keys(db, &list);
            keys.map(|key| self.listed_passkey(db, &list, &key?)).collect()
        };
        self.table.read(read).map(oldest_first)
    }

    fn each_passkey(&self, visit: &mut dyn FnMut(Passkey) -> ControlFlow<()>) -> Result<(), StoreError> {
        let read = |_: &sled::Db, key: &[u8], record: &[u8]| {
            let id = self.table.sound(credential_after(&Kind::Passkey.key(&[]), key))?;
            self.table.sound(decode_passkey(id, record))
        };
        self.each(Kind::Passkey, read, visit)
    }

    fn each_user(&self, visit: &mut dyn FnMut(User) -> ControlFlow<()>) -> Result<(), StoreError> {
        let mut names = self.names();
        names.sort_unstable();
        for (_, id) in names {
            // Who is gone by now is not visited.
            let Some(user) = self.user(id)? else { continue };
            if visit(user).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn each_user_unordered(&self, visit: &mut dyn FnMut(User) -> ControlFlow<()>) -> Result<(), StoreError> {
        self.each(Kind::User, |_, key, record| self.table.user_in(key, record), visit)
    }

    fn each_session(&self, visit: &mut dyn FnMut(Session) -> ControlFlow<()>) -> Result<(), StoreError> {
        let read = |_: &sled::Db, key: &[u8], record: &[u8]| {
            let (user, id) = self.table.sound(of_session(key))?;
            self.table.sound(decode_session(user, id, record))
        };
        self.each(Kind::Session, read, visit)
    }

    fn forum_password(&self, user: UserId) -> Result<Option<SealedPassword>, StoreError> {
        self.table.read(|db| {
            let record = self.table.get(db, &Kind::ForumPassword.key(&user.0))?;
            record.map(|record| self.table.sound(decode_forum_password(user, &record))).transpose()
        })
    }

    fn each_forum_password(
        &self,
        visit: &mut dyn FnMut(SealedPassword) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let read = |_: &sled::Db, key: &[u8], record: &[u8]| {
            let user = UserId(self.table.sound(trailing(key))?);
            self.table.sound(decode_forum_password(user, record))
        };
        self.each(Kind::ForumPassword, read, visit)
    }

    fn each_failures(
        &self,
        visit: &mut dyn FnMut(UserId, Failures) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let read = |_: &sled::Db, key: &[u8], record: &[u8]| {
            let user = UserId(self.table.sound(trailing(key))?);
            Ok((user, self.table.sound(decode_failures(record))?))
        };
        self.each(Kind::Failures, read, &mut |(user, failures)| visit(user, failures))
    }

    fn device_key(&self) -> Result<Option<Secret<[u8; 32]>>, StoreError> {
        self.table.read(|db| {
            let key = self.table.sound(db.get(Kind::DeviceKey.key(&[])))?;
            key.map(|key| self.table.sound(trailing(&key)).map(Secret::new)).transpose()
        })
    }

    fn record(&self, drawer: Drawer, owner: Owner, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let key = [&drawer_key(drawer, owner), key].concat();
        self.table.read(|db| Ok(self.table.sound(db.get(key))?.map(|record| record.to_vec())))
    }

    fn records(&self, drawer: Drawer, owner: Owner) -> Result<Vec<Entry>, StoreError> {
        let prefix = drawer_key(drawer, owner);
        self.table.read(|db| {
            let entries = db.scan_prefix(&prefix).map(|entry| self.table.sound(entry));
            entries
                .map(|entry| entry.map(|(key, bytes)| (key[prefix.len()..].to_vec(), bytes.to_vec())))
                .collect()
        })
    }

    fn each_record(
        &self,
        drawer: Drawer,
        visit: &mut dyn FnMut(Owner, Vec<u8>, Vec<u8>) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let prefix = Kind::Drawer.key(&[drawer.letter()]);
        let read = |_: &sled::Db, key: &[u8], bytes: &[u8]| {
            if !key.starts_with(&prefix) {
                return Ok(None);
            }
            let (owner, key) = self.table.sound(in_drawer(key))?;
            Ok(Some((owner, key.to_vec(), bytes.to_vec())))
        };
        self.each_from(Kind::Drawer, prefix.clone(), read, &mut |record| match record {
            Some((owner, key, bytes)) => visit(owner, key, bytes),
            // The next drawer begins.
            None => ControlFlow::Break(()),
        })
    }

    fn health(&self) -> Result<(), StoreError> {
        self.writer.health()
    }

    fn export(&self) -> Result<Box<dyn Export>, StoreError> {
        Ok(Box::new(SledExport::begin(&self.table)?))
    }

    fn apply(&self, batch: Batch) -> Commit {
        self.writer.submit(batch)
    }
}

impl fmt::Debug for SledStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SledStore").field("folder", &self.folder).finish_non_exhaustive()
    }
}
