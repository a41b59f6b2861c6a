//! The open database, as readers and the writer share it: a reader sees what the writer wrote at once, or nothing of it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};

use sled::IVec;

use super::files::unreadable;
use super::records::{Kind, trailing};
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

/// The database and who may look at it now.
pub(super) struct Table {
    db: sled::Db,
    path: PathBuf,
    /// False while, or because, a write has happened in part.
    whole: RwLock<bool>,
    watches: Mutex<Vec<Weak<Watch>>>,
}

impl Table {
    /// So many entries are read in one go.
    pub(super) const PAGE: usize = 256;

    /// Opens sled's database. `cache_bytes` is what it keeps in memory of what is on the disk.
    pub(super) fn open(path: &Path, cache_bytes: u64) -> Result<Self, StoreError> {
        let config = sled::Config::new().path(path).cache_capacity(cache_bytes).flush_every_ms(None);
        // sled panics over some kinds of damage. A new database is flushed, so that it is there to be synced.
        let open = AssertUnwindSafe(|| config.open().and_then(|db| db.flush().map(|_| db)));
        match catch_unwind(open) {
            Ok(Ok(db)) => {
                Ok(Self { db, path: path.to_owned(), whole: RwLock::new(true), watches: Mutex::default() })
            }
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

    /// Reads, with no write in between.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&sled::Db) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let whole = self.whole.read().unwrap_or_else(PoisonError::into_inner);
        if !*whole {
            return Err(StoreError::Failed("a write broke off in the middle; restart".to_owned()));
        }
        catch_unwind(AssertUnwindSafe(|| read(&self.db)))
            .unwrap_or_else(|_| Err(unreadable(&self.path, "sled failed over what is in it")))
    }

    /// How many groups of changes have been written.
    pub(super) fn groups(&self) -> Result<u64, StoreError> {
        let count = self.read(|db| self.sound(db.get(Kind::Count.key(&[]))))?;
        count.map_or(Ok(0), |count| self.sound(trailing(&count).map(u64::from_be_bytes)))
    }

    /// Writes all of it as the group of this number, for readers at one moment, and hands it to the operating system.
    pub(super) fn write(&self, writes: Writes, group: u64) -> sled::Result<()> {
        let mut whole = self.whole.write().unwrap_or_else(PoisonError::into_inner);
        *whole = false;
        self.watches.lock().unwrap_or_else(PoisonError::into_inner).retain(|watch| {
            let watch = watch.upgrade();
            watch.as_ref().inspect(|watch| watch.note(&writes));
            watch.is_some()
        });
        let mut batch = sled::Batch::default();
        batch.insert(Kind::Count.key(&[]), &group.to_be_bytes());
        for (key, value) in writes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        self.db.apply_batch(batch)?;
        *whole = true;
        drop(whole);
        self.db.flush().map(drop)
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
        for entry in db.range((after, Bound::Unbounded)) {
            let (key, value) = self.sound(entry)?;
            if !kind.is_of(&key) {
                break;
            }
            page.push(read(db, &key, &value)?);
            if page.len() == Self::PAGE {
                return Ok((page, Some(key)));
            }
        }
        Ok((page, None))
    }

    /// The database itself, for the writer, which nobody writes behind.
    pub(super) fn db(&self) -> &sled::Db {
        &self.db
    }

    /// A thing read, or the error that says that it can't be.
    pub(super) fn sound<T, E: ToString>(&self, read: Result<T, E>) -> Result<T, StoreError> {
        read.map_err(|error| unreadable(&self.path, error.to_string()))
    }

    /// Leaves the table as a write would that broke off in the middle.
    #[cfg(test)]
    pub(super) fn break_off(&self) {
        *self.whole.write().unwrap() = false;
    }
}
