//! What is remembered for a few minutes, in memory: of a browser that waits for a code, of a session that sets one up.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::domain::{Clock, Timestamp, TokenHash};

/// So many are remembered; then the oldest goes.
const CAPACITY: usize = 10_000;

/// One thing for each browser or session, with the moment until which it is remembered.
pub(super) struct Brief<V> {
    entries: Mutex<HashMap<TokenHash, (Timestamp, Arc<V>)>>,
    lifetime: Duration,
    clock: Arc<dyn Clock>,
}

impl<V> Brief<V> {
    pub(super) fn new(clock: Arc<dyn Clock>, lifetime: Duration) -> Self {
        Self { entries: Mutex::default(), lifetime, clock }
    }

    /// Remembers this in place of what was there.
    pub(super) fn put(&self, whose: TokenHash, value: V) -> Arc<V> {
        self.put_for(whose, value, self.lifetime)
    }

    /// The same, for another time than usual.
    pub(super) fn put_for(&self, whose: TokenHash, value: V, lifetime: Duration) -> Arc<V> {
        let (now, value) = (self.clock.now(), Arc::new(value));
        let mut entries = self.lock();
        if entries.len() >= CAPACITY && !entries.contains_key(&whose) {
            entries.retain(|_, (until, _)| now < *until);
            if entries.len() >= CAPACITY
                && let Some(oldest) = entries.iter().min_by_key(|(_, (until, _))| *until).map(|(key, _)| *key)
            {
                entries.remove(&oldest);
            }
        }
        entries.insert(whose, (now.after(lifetime), Arc::clone(&value)));
        value
    }

    pub(super) fn find(&self, whose: TokenHash) -> Option<Arc<V>> {
        let now = self.clock.now();
        let entries = self.lock();
        let (until, value) = entries.get(&whose)?;
        (now < *until).then(|| Arc::clone(value))
    }

    /// Forgets it, if it is still the same.
    pub(super) fn forget(&self, whose: TokenHash, value: &Arc<V>) {
        let mut entries = self.lock();
        if entries.get(&whose).is_some_and(|(_, known)| Arc::ptr_eq(known, value)) {
            entries.remove(&whose);
        }
    }

    /// Forgets what is too old.
    pub(super) fn sweep(&self) {
        let now = self.clock.now();
        self.lock().retain(|_, (until, _)| now < *until);
    }

    /// Nothing in here can panic half-way.
    fn lock(&self) -> MutexGuard<'_, HashMap<TokenHash, (Timestamp, Arc<V>)>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ManualClock;

    fn whose(number: u32) -> TokenHash {
        let mut hash = [0; 32];
        hash[..4].copy_from_slice(&number.to_be_bytes());
        TokenHash(hash)
    }

    #[test]
    fn what_is_remembered_is_found_by_its_own_until_its_time_is_over() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000)));
        let brief = Brief::new(Arc::clone(&clock) as _, Duration::from_secs(300));
        let first = brief.put(whose(1), 7);
        assert_eq!((brief.find(whose(1)).as_deref(), brief.find(whose(2))), (Some(&7), None));
        brief.put(whose(1), 8);
        brief.forget(whose(1), &first);
        assert_eq!(brief.find(whose(1)).as_deref(), Some(&8), "another one by now");
        clock.advance(Duration::from_millis(299_999));
        assert!(brief.find(whose(1)).is_some());
        clock.advance(Duration::from_millis(1));
        assert!(brief.find(whose(1)).is_none());
        brief.sweep();
        assert!(brief.lock().is_empty());
    }

    #[test]
    fn there_is_a_bound_at_which_the_oldest_goes() {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000)));
        let brief = Brief::new(Arc::clone(&clock) as _, Duration::from_secs(300));
        for number in 0..=CAPACITY as u32 {
            brief.put(whose(number), number);
            clock.advance(Duration::from_millis(1));
        }
        assert_eq!(brief.lock().len(), CAPACITY);
        assert!(brief.find(whose(0)).is_none() && brief.find(whose(1)).is_some());
    }
}
