//! Keeps sled's cache as small as it is meant to be.
//!
//! sled notes the use of a page in one of 256 lists, and looks only at a list of 64 uses what there is too much of. Until then the
//! pages stay, up to sixteen thousand of them: of a large store that is a good part, whatever size the cache is said to have. So
//! every few uses one is made again and again, until its list is full.

use std::sync::atomic::{AtomicUsize, Ordering};

/// How many uses there were.
#[derive(Debug, Default)]
pub(super) struct Uses(AtomicUsize);

impl Uses {
    /// One of so many fills its list, which costs as much as some 65 looks at what is in memory.
    const FEW: usize = 8;
    const LIST: usize = 64;

    /// To be called about once for each page that is used, with the key by which sled found it.
    pub(super) fn note(&self, db: &sled::Db, key: &[u8]) -> sled::Result<()> {
        if !self.0.fetch_add(1, Ordering::Relaxed).is_multiple_of(Self::FEW) {
            return Ok(());
        }
        (0..=Self::LIST).try_for_each(|_| db.contains_key(key).map(drop))
    }
}
