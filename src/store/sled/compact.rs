//! Writing a store anew, in the order of its keys, so that it takes as much room as what lives in it.
//!
//! sled keeps a page's changes where they were written until it has ten of them, and frees room only as pages are
//! rewritten. A store that has grown for long is several times as large as what is in it, on the disk, and in memory, where
//! sled keeps a few dozen bytes for each piece of a page.
//!
//! sled cuts a page in two when it has more than sixteen entries, so of entries that come in order each page would keep eight. So
//! every other one is written first, and the rest into the pages' second halves.
//!
//! Everything is copied as it lies there, sessions included, into a folder of its own, and read once more. The store that
//! is there is only read, and stays locked until whoever asked has put the new one in its place.

use std::fs;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use sled::IVec;

use super::SledStore;
use super::files::{Folder, unreadable};
use super::rebuild::Rebuild;
use super::records::Kind;
use super::table::Table;
use crate::store::StoreError;

/// A store that was written anew beside the one that is there.
#[derive(Debug)]
pub struct Compacted {
    /// How large the one is that is there.
    pub bytes_before: u64,
    /// How large the new one is.
    pub bytes_after: u64,
    /// Keeps others out of the one that is there.
    _lock: Arc<Folder>,
}

impl SledStore {
    /// Writes all that is in the store in `path` into a new one in `into`, which must be empty or not there. `step` is told
    /// how many entries there are, and each time how many more of them are done.
    ///
    /// # Errors
    /// As [`SledStore::open`]; [`StoreError::Failed`] if the new one can't be written. The store that is there is left as it
    /// is.
    pub fn compact(
        path: &Path,
        into: &Path,
        cache_bytes: u64,
        step: &mut dyn FnMut(u64, u64),
    ) -> Result<Compacted, StoreError> {
        let store = Self::open(path, cache_bytes)?;
        // The number of groups is not copied.
        let total = store.table.read(|db| Ok((db.len() as u64).saturating_sub(1)))?;
        let mut fresh = Rebuild::begin(into, cache_bytes)?;
        let mut written = [0; 32];
        for odd in [0, 1] {
            written = digest(&store.table, &mut |page| {
                let half: Page = page.into_iter().skip(odd).step_by(2).collect();
                step(total, half.len() as u64);
                fresh.take_entries(half)
            })?;
        }
        fresh.seal()?;
        drop(fresh);
        let found = digest(&Self::open(into, cache_bytes)?.table, &mut |_| Ok(()))?;
        if found != written {
            return Err(unreadable(into, "what was written is not what is there"));
        }
        let (bytes_before, bytes_after) = (bytes_in(path), bytes_in(into));
        Ok(Compacted { bytes_before, bytes_after, _lock: store.close() })
    }
}

/// Some entries: key and record.
type Page = Vec<(Vec<u8>, IVec)>;

/// Reads all but the number of groups, which is each store's own, in the order of the keys; the digest of it all.
fn digest(
    table: &Table,
    take: &mut dyn FnMut(Page) -> Result<(), StoreError>,
) -> Result<[u8; 32], StoreError> {
    let (mut digest, mut after, count) = (Sha256::new(), Bound::Unbounded, Kind::Count.key(&[]));
    loop {
        let page = table.read(|db| {
            let entries = db.range::<Vec<u8>, _>((after, Bound::Unbounded)).take(Table::PAGE);
            entries
                .map(|entry| table.sound(entry).map(|(key, record)| (key.to_vec(), record)))
                .collect::<Result<Page, _>>()
        })?;
        let Some((last, _)) = page.last() else { return Ok(digest.finalize().into()) };
        after = Bound::Excluded(last.clone());
        let page: Page = page.into_iter().filter(|(key, _)| *key != count).collect();
        for part in page.iter().flat_map(|(key, record)| [key.as_slice(), record]) {
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        take(page)?;
    }
}

/// Of the files in a folder; what can't be read counts as nothing.
fn bytes_in(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(about) if about.is_dir() => bytes_in(&entry.path()),
            Ok(about) => about.len(),
            Err(_) => 0,
        })
        .sum()
}
