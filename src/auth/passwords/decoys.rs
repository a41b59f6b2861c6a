//! The slow kinds of old hashes that members still have.
//!
//! SECURITY: AUTH-08, THR-12. A bcrypt of ten milliseconds beside nothing tells which names exist. So each kind that is in
//! use is computed at every refusal. What differs between kinds by microseconds alone (a bare MD5) is not among them.
//!
//! The list is filled by whoever stores such a hash or opens the store, and by each verification; it is emptied by a
//! restart. Until a kind is on it, one refusal of one member shows.

use std::sync::{Arc, Mutex, PoisonError};

use super::legacy::Legacy;

/// See the module.
#[derive(Default)]
pub(super) struct Decoys(Mutex<Vec<Arc<Legacy>>>);

impl Decoys {
    /// More kinds than this are in no forum; they would make refusals slow for nothing (SECURITY: AUTH-07).
    const MOST: usize = 8;

    /// Puts the kind of this hash on the list, if it is a slow one, and gives what was put there.
    pub(super) fn expect(&self, legacy: &Legacy) -> Option<Arc<Legacy>> {
        let decoy = Arc::new(legacy.decoy()?);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < Self::MOST && !all.contains(&decoy) {
            all.push(Arc::clone(&decoy));
        }
        Some(decoy)
    }

    pub(super) fn all(&self) -> Vec<Arc<Legacy>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
