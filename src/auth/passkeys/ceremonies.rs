//! Ceremonies that wait for their second half. Each purpose has a [`Ceremonies`] of its own, so one begun for adding
//! can't end as a sign-in, and strangers who begin many sign-ins push out no member's.
//!
//! SECURITY: W2, WAN-03, WAN-10, BP-41 … BP-43. A ceremony is handed out once, to the browser that began it, within
//! [`LIFETIME`]; a browser has one at a time, and there is a bound to all, at which the oldest goes.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::{Clock, Timestamp, TokenHash, random};

/// How many of one purpose may wait.
const CAPACITY: usize = 10_000;
/// How long one waits; authenticators are told the same.
pub(super) const LIFETIME: Duration = Duration::from_secs(300);

/// What names a ceremony.
type CeremonyId = [u8; 16];

/// The ceremonies of one purpose; `S` is what the second half is checked against.
pub(super) struct Ceremonies<S> {
    waiting: Mutex<Waiting<S>>,
    clock: Arc<dyn Clock>,
    capacity: usize,
}

struct Waiting<S> {
    /// By age, the oldest first.
    ceremonies: BTreeMap<u64, Ceremony<S>>,
    by_id: HashMap<CeremonyId, u64>,
    by_browser: HashMap<TokenHash, u64>,
    next: u64,
}

struct Ceremony<S> {
    id: CeremonyId,
    browser: TokenHash,
    begun: Timestamp,
    state: S,
}

impl<S> Ceremonies<S> {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with_capacity(clock, CAPACITY)
    }

    fn with_capacity(clock: Arc<dyn Clock>, capacity: usize) -> Self {
        let waiting = Waiting {
            ceremonies: BTreeMap::new(),
            by_id: HashMap::new(),
            by_browser: HashMap::new(),
            next: 0,
        };
        Self { waiting: Mutex::new(waiting), clock, capacity }
    }

    /// Keeps `state` for the second half and names the ceremony. The browser's earlier one is over.
    pub(super) fn begin(&self, browser: TokenHash, state: S) -> String {
        let now = self.clock.now();
        let id: CeremonyId = random();
        let mut waiting = self.lock();
        if let Some(earlier) = waiting.by_browser.get(&browser).copied() {
            waiting.remove(earlier);
        }
        while let Some((oldest, ceremony)) = waiting.ceremonies.first_key_value()
            && (waiting.ceremonies.len() >= self.capacity || is_over(ceremony.begun, now))
        {
            let oldest = *oldest;
            waiting.remove(oldest);
        }
        waiting.insert(Ceremony { id, browser, begun: now, state });
        URL_SAFE_NO_PAD.encode(id)
    }

    /// Takes a ceremony out. It is gone then, whoever asked and whatever comes of it; what waited is handed out to the
    /// browser that began it, if it is not too late.
    pub(super) fn take(&self, browser: TokenHash, id: &str) -> Option<S> {
        let id: CeremonyId = URL_SAFE_NO_PAD.decode(id).ok()?.try_into().ok()?;
        let ceremony = {
            let mut waiting = self.lock();
            let number = waiting.by_id.get(&id).copied()?;
            waiting.remove(number)?
        };
        let fits = ceremony.browser == browser && !is_over(ceremony.begun, self.clock.now());
        fits.then_some(ceremony.state)
    }

    /// Nothing here runs code that could panic half-way, so what the lock guards is whole even if it was poisoned.
    fn lock(&self) -> MutexGuard<'_, Waiting<S>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_over(begun: Timestamp, now: Timestamp) -> bool {
    now.since(begun) >= LIFETIME
}

impl<S> Waiting<S> {
    fn insert(&mut self, ceremony: Ceremony<S>) {
        self.by_id.insert(ceremony.id, self.next);
        self.by_browser.insert(ceremony.browser, self.next);
        self.ceremonies.insert(self.next, ceremony);
        self.next += 1;
    }

    fn remove(&mut self, number: u64) -> Option<Ceremony<S>> {
        let ceremony = self.ceremonies.remove(&number)?;
        self.by_id.remove(&ceremony.id);
        self.by_browser.remove(&ceremony.browser);
        Some(ceremony)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ManualClock;

    fn browser(number: u32) -> TokenHash {
        let mut hash = [0; 32];
        hash[..4].copy_from_slice(&number.to_be_bytes());
        TokenHash(hash)
    }

    fn bench(capacity: usize) -> (Arc<ManualClock>, Ceremonies<u32>) {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000)));
        (Arc::clone(&clock), Ceremonies::with_capacity(clock, capacity))
    }

    #[test]
    fn wan_03_a_ceremony_is_handed_out_once_and_to_its_own_browser() {
        let (_, ceremonies) = bench(10);
        let id = ceremonies.begin(browser(1), 7);
        assert_eq!(ceremonies.take(browser(1), &id), Some(7));
        assert_eq!(ceremonies.take(browser(1), &id), None, "used");
        let id = ceremonies.begin(browser(1), 8);
        assert_eq!(ceremonies.take(browser(2), &id), None, "another browser's");
        assert_eq!(ceremonies.take(browser(1), &id), None, "gone all the same");
        for bad in ["", "a", "ä", &"A".repeat(22), &"A".repeat(10_000)] {
            assert_eq!(ceremonies.take(browser(1), bad), None, "{bad}");
        }
    }

    #[test]
    fn bp_41_a_ceremony_expires_to_the_millisecond() {
        let (clock, ceremonies) = bench(10);
        let id = ceremonies.begin(browser(1), 7);
        clock.advance(LIFETIME - Duration::from_millis(1));
        assert_eq!(ceremonies.take(browser(1), &id), Some(7));
        let id = ceremonies.begin(browser(1), 8);
        clock.advance(LIFETIME);
        assert_eq!(ceremonies.take(browser(1), &id), None);
    }

    #[test]
    fn bp_43_a_browser_has_one_ceremony_and_the_bound_drops_the_oldest() {
        let (_, ceremonies) = bench(3);
        let first = ceremonies.begin(browser(1), 1);
        let second = ceremonies.begin(browser(1), 2);
        assert_eq!(ceremonies.take(browser(1), &first), None);
        let third = ceremonies.begin(browser(2), 3);
        ceremonies.begin(browser(3), 4);
        ceremonies.begin(browser(4), 5);
        assert_eq!(ceremonies.take(browser(1), &second), None, "the oldest had to go");
        assert_eq!(ceremonies.take(browser(2), &third), Some(3));
    }

    #[test]
    fn wan_10_abandoned_ceremonies_stay_few_and_expired_ones_go() {
        let (clock, ceremonies) = bench(CAPACITY);
        for number in 0..100_000 {
            ceremonies.begin(browser(number), number);
        }
        let counts = |ceremonies: &Ceremonies<u32>| {
            let waiting = ceremonies.lock();
            (waiting.ceremonies.len(), waiting.by_id.len(), waiting.by_browser.len())
        };
        assert_eq!(counts(&ceremonies), (10_000, 10_000, 10_000));
        clock.advance(LIFETIME);
        ceremonies.begin(browser(1), 1);
        assert_eq!(counts(&ceremonies), (1, 1, 1));
    }
}
