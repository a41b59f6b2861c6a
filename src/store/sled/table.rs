//! The open database, as readers and the writer share it: a reader sees what the writer wrote at once, or nothing of it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use parking_lot::{RwLock, RwLockReadGuard};
use sled::IVec;

use super::bundles;
use super::cache::Uses;
use super::directory::Directory;
use super::disk::forget_cached;
use super::files::{unreadable, wait_for_sled};
use super::packed::decode_user;
use super::records::{Kind, trailing};
use crate::domain::{User, UserId};
use crate::store::StoreError;

/// What is to be written; `None` removes the entry.
pub(super) type Writes = BTreeMap<Vec<u8>, Option<IVec>>;

/// Which entries were written since it was asked for.
#[derive(Default)]
pub(super) struct Watch(Mutex<BTreeSet<Vec<u8>>>);

impl Watch {
    /// What was written so far, forgotten here.
    pub(super) fn take(&self) -> BTreeSet<Vec<u8>> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, writes: &Writes) {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.extend(writes.keys().filter(|key| Kind::exported(key).is_some()).cloned());
    }
}

/// So long a read waits for the write that is going on, which takes a thousandth of it.
const PATIENCE: Duration = Duration::from_secs(2);

/// The accounts that are written: as they will be, or gone.
struct Members(Vec<(UserId, Option<User>)>);

impl Members {
    fn in_writes(writes: &Writes) -> Result<Self, String> {
        let users = writes.range(Kind::User.key(&[])..).take_while(|(key, _)| Kind::User.is_of(key));
        let members = users.map(|(key, record)| {
            let id = UserId(trailing(key)?);
            Ok((id, record.as_ref().map(|record| decode_user(id, record)).transpose()?))
        });
        members.collect::<Result<_, _>>().map(Self)
    }

    /// First all let go of their names, since they may have changed them among each other.
    fn enter(&self, directory: &mut Directory) -> Result<(), String> {
        self.0.iter().for_each(|(id, _)| directory.unlist(*id));
        self.0.iter().try_for_each(|(id, user)| match user {
            Some(user) => directory.put(user),
            None => {
                directory.remove(*id);
                Ok(())
            }
        })
    }
}

/// The database and who may look at it now.
pub(super) struct Table {
    path: PathBuf,
    cache_bytes: u64,
    open: RwLock<Open>,
    /// None until it was asked for. Whoever has `open` may ask for it, never the other way round.
    directory: RwLock<Option<Directory>>,
    watches: Mutex<Vec<Weak<Watch>>>,
    uses: Uses,
}

struct Open {
    /// None while it is being opened anew, or because it can't be.
    db: Option<sled::Db>,
    /// False while, or because, a write has happened in part.
    is_whole: bool,
}

impl Open {
    fn db(&self) -> Result<&sled::Db, StoreError> {
        let absent = || StoreError::Failed("it is not open, and will be once its disk allows it".to_owned());
        self.db.as_ref().ok_or_else(absent)
    }
}

impl Table {
    /// So many entries are read in one go.
    pub(super) const PAGE: usize = 256;

    /// Opens sled's database. `cache_bytes` is what it keeps in memory of what is on the disk.
    pub(super) fn open(path: &Path, cache_bytes: u64) -> Result<Self, StoreError> {
        let open = RwLock::new(Open { db: Some(open(path, cache_bytes)?), is_whole: true });
        let directory = RwLock::default();
        let (watches, uses) = (Mutex::default(), Uses::default());
        Ok(Self { path: path.to_owned(), cache_bytes, open, directory, watches, uses })
    }

    /// Opens the database anew, with what the disk has of it, if that is good enough for `check`, which is told how many groups of
    /// changes have been written. Meanwhile, and if it can't be opened, reading fails, but for the directory, which is then made
    /// anew, too.
    pub(super) fn reopen(
        &self,
        check: impl FnOnce(u64) -> Result<(), StoreError>,
    ) -> Result<u64, StoreError> {
        let former = self.open.write().db.take();
        drop(former);
        wait_for_sled(&self.path);
        forget_cached(&self.path).map_err(|error| unreadable(&self.path, error))?;
        let db = open(&self.path, self.cache_bytes)?;
        let groups = self.groups_in(&db)?;
        check(groups)?;
        let directory = self.members_in(&db, &mut |_| {})?;
        let mut open = self.open.write();
        let former = self.directory.write().replace(directory);
        *open = Open { db: Some(db), is_whole: true };
        drop(open);
        drop(former);
        Ok(groups)
    }

    /// Reads, with no write in between.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&sled::Db) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let open = self.opened()?;
        let db = open.db()?;
        if !open.is_whole {
            return Err(StoreError::Failed("a write broke off in the middle".to_owned()));
        }
        catch_unwind(AssertUnwindSafe(|| read(db)))
            .unwrap_or_else(|_| Err(unreadable(&self.path, "sled failed over what is in it")))
    }

    /// Reads all accounts, shows them to `visit`, and makes the directory of them. Only before anything else writes.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where two have one name, too.
    pub(super) fn list_members(&self, visit: &mut dyn FnMut(&User)) -> Result<(), StoreError> {
        let directory = self.read(|db| self.members_in(db, visit))?;
        *self.directory.write() = Some(directory);
        Ok(())
    }

    fn members_in(&self, db: &sled::Db, visit: &mut dyn FnMut(&User)) -> Result<Directory, StoreError> {
        let mut directory = Directory::default();
        let prefix = Kind::User.key(&[]);
        for entry in bundles::entries(db, &prefix, Bound::Included(prefix.clone())) {
            let (key, record) = self.sound(entry)?;
            let user = self.user_in(&key, &record)?;
            self.sound(directory.put(&user))?;
            self.note_visit(db, directory.len(), &key)?;
            visit(&user);
        }
        Ok(directory)
    }

    /// Looks something up in the directory. Does not wait for the disk, nor for a write to it.
    pub(super) fn directory<T: Default>(&self, look: impl FnOnce(&Directory) -> T) -> T {
        self.directory.read().as_ref().map(look).unwrap_or_default()
    }

    /// The account in an entry.
    pub(super) fn user_in(&self, key: &[u8], record: &[u8]) -> Result<User, StoreError> {
        self.sound(trailing(key).and_then(|id| decode_user(UserId(id), record)))
    }

    /// How many groups of changes have been written.
    pub(super) fn groups(&self) -> Result<u64, StoreError> {
        self.read(|db| self.groups_in(db))
    }

    fn groups_in(&self, db: &sled::Db) -> Result<u64, StoreError> {
        let count = self.sound(db.get(Kind::Count.key(&[])))?;
        count.map_or(Ok(0), |count| self.sound(trailing(&count).map(u64::from_be_bytes)))
    }

    /// Writes all of it as the group of this number, for readers at one moment, and hands it to the operating system. Whose
    /// names will be ([`Kind::Name`]) is for the directory to know, and not written.
    pub(super) fn write(&self, writes: Writes, group: u64) -> Result<(), StoreError> {
        self.write_by(writes, group, |db, batch| db.apply_batch(batch))
    }

    /// The same, with `apply` in the place of sled.
    pub(super) fn write_by(
        &self,
        writes: Writes,
        group: u64,
        apply: impl FnOnce(&sled::Db, sled::Batch) -> sled::Result<()>,
    ) -> Result<(), StoreError> {
        let failed = |error: sled::Error| StoreError::Failed(error.to_string());
        let members =
            if self.directory(|_| true) { Members::in_writes(&writes) } else { Ok(Members(Vec::new())) };
        let members = members.map_err(StoreError::Failed)?;
        let db = self.db()?;
        let written = writes.iter().filter(|(key, _)| !Kind::Name.is_of(key));
        let mut batch = bundles::batch(&db, written).map_err(StoreError::Failed)?;
        batch.insert(Kind::Count.key(&[]), &group.to_be_bytes());
        let mut open = self.open.write();
        open.is_whole = false;
        self.watches.lock().unwrap_or_else(PoisonError::into_inner).retain(|watch| {
            let watch = watch.upgrade();
            watch.as_ref().inspect(|watch| watch.note(&writes));
            watch.is_some()
        });
        apply(&db, batch).map_err(failed)?;
        if let Some(directory) = &mut *self.directory.write() {
            members.enter(directory).map_err(StoreError::Failed)?;
        }
        open.is_whole = true;
        drop(open);
        db.flush().map(drop).map_err(failed)
    }

    /// Writes entries as sled has them in another store. Only before anything is read here.
    pub(super) fn write_as_they_lie(
        &self,
        entries: Vec<(Vec<u8>, IVec)>,
        group: u64,
    ) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        batch.insert(Kind::Count.key(&[]), &group.to_be_bytes());
        entries.into_iter().for_each(|(key, record)| batch.insert(key, record));
        let db = self.db()?;
        let written = db.apply_batch(batch).and_then(|()| db.flush());
        written.map(drop).map_err(|error| StoreError::Failed(error.to_string()))
    }

    /// From now on, notes which entries are written, for as long as it is kept.
    pub(super) fn watch(&self) -> Arc<Watch> {
        let watch = Arc::new(Watch::default());
        self.watches.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&watch));
        watch
    }

    /// The next entries of a kind, and the key of the last of them if there may be more.
    pub(super) fn page<T>(
        &self,
        db: &sled::Db,
        kind: Kind,
        after: Bound<Vec<u8>>,
        read: impl Fn(&sled::Db, &[u8], &[u8]) -> Result<T, StoreError>,
    ) -> Result<(Vec<T>, Option<IVec>), StoreError> {
        let mut page = Vec::new();
        for entry in bundles::entries(db, &kind.key(&[]), after) {
            let (key, value) = self.sound(entry)?;
            page.push(read(db, &key, &value)?);
            self.note_visit(db, page.len(), &key)?;
            if page.len() == Self::PAGE {
                return Ok((page, Some(key)));
            }
        }
        Ok((page, None))
    }

    /// The record below a key.
    pub(super) fn get(&self, db: &sled::Db, key: &[u8]) -> Result<Option<IVec>, StoreError> {
        let record = self.sound(bundles::get(db, key))?;
        self.sound(self.uses.note(db, &bundles::key_for_sled(key)))?;
        Ok(record)
    }

    /// So many entries in order lie on a page of sled's, about.
    const ON_A_PAGE: usize = 16;

    fn note_visit(&self, db: &sled::Db, visited: usize, key: &[u8]) -> Result<(), StoreError> {
        let is_another_page = visited.is_multiple_of(Self::ON_A_PAGE);
        let noted = if is_another_page { self.uses.note(db, &bundles::key_for_sled(key)) } else { Ok(()) };
        self.sound(noted)
    }

    /// All keys that begin so, in order.
    pub(super) fn keys<'d>(
        &'d self,
        db: &'d sled::Db,
        prefix: &[u8],
    ) -> impl Iterator<Item = Result<IVec, StoreError>> + use<'d> {
        let entries = bundles::entries(db, prefix, Bound::Included(prefix.to_vec()));
        entries.map(|entry| self.sound(entry).map(|(key, _)| key))
    }

    /// The database itself, for the writer, which nobody writes behind.
    pub(super) fn db(&self) -> Result<sled::Db, StoreError> {
        self.opened()?.db().cloned()
    }

    /// SECURITY: STO-14. A write that stands still in the middle must not hold up whoever reads, and with them the threads that
    /// serve everybody.
    fn opened(&self) -> Result<RwLockReadGuard<'_, Open>, StoreError> {
        let held = || StoreError::Failed("a write does not come to its end".to_owned());
        self.open.try_read_for(PATIENCE).ok_or_else(held)
    }

    /// A thing read, or the error that says that it can't be.
    pub(super) fn sound<T, E: ToString>(&self, read: Result<T, E>) -> Result<T, StoreError> {
        read.map_err(|error| unreadable(&self.path, error.to_string()))
    }

    /// Leaves the table as a write would that broke off in the middle.
    #[cfg(test)]
    pub(super) fn break_off(&self) {
        self.open.write().is_whole = false;
    }
}

fn open(path: &Path, cache_bytes: u64) -> Result<sled::Db, StoreError> {
    let config = sled::Config::new().path(path).cache_capacity(cache_bytes).flush_every_ms(None);
    // sled panics over some kinds of damage. A new database is flushed, so that it is there to be synced.
    let open = AssertUnwindSafe(|| config.open().and_then(|db| db.flush().map(|_| db)));
    match catch_unwind(open) {
        Ok(Ok(db)) => Ok(db),
        Ok(Err(sled::Error::Io(error))) if error.to_string().contains("could not acquire lock") => {
            Err(StoreError::InUse { path: path.to_owned() })
        }
        Ok(Err(sled::Error::Io(error))) => Err(unreadable(path, error)),
        Ok(Err(sled::Error::Corruption { .. })) => {
            Err(unreadable(path, "sled finds its files damaged; restore it from a backup"))
        }
        Ok(Err(error)) => Err(unreadable(path, format!("{error}; restore it from a backup"))),
        Err(_) => Err(unreadable(path, "sled failed over what is in it; restore it from a backup")),
    }
}
