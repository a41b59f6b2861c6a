//! Whether a server is used: what connecting to it has shown, and what it says when it is asked. Atomics alone, since every request
//! looks.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Milliseconds since the process began to count; never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tick(u64);

impl Tick {
    pub(super) fn now() -> Self {
        static BEGINNING: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
        Self(u64::try_from(BEGINNING.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1))
    }

    pub(super) fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)))
    }
}

/// What is known of one server. A reload leaves it as it is.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// Connects that failed, one after the other.
    failures: AtomicU32,
    /// Requests without an answer in time, one after the other.
    unanswered: AtomicU32,
    /// Until when it is left alone; 0 while it is not.
    out_until: AtomicU64,
    /// Whether its checks say that it does not work.
    is_down: AtomicBool,
    /// Checks that failed, one after the other.
    failed_checks: AtomicU32,
    /// When it is asked next.
    next_check: AtomicU64,
}

/// Whether something has changed by what was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    None,
    Lost,
    Back,
}

impl Standing {
    /// For how long a server is left alone that could not be connected to; twice as long after each further try.
    const FIRST_PAUSE: Duration = Duration::from_secs(1);
    const LONGEST_PAUSE: Duration = Duration::from_secs(60);
    /// So many requests in a row have to be without an answer in time. One page may take longer than anybody waits for it, and be asked
    /// for again; meanwhile other pages are answered (Envoy takes five, HAProxy ten by default).
    const UNANSWERED: u32 = 5;
    /// How long the one request that tries it again has that to itself.
    const TRIAL: Duration = Duration::from_secs(5);
    /// So many checks have to fail in a row; one that does not is enough to come back.
    const FAILED_CHECKS: u32 = 2;

    /// Whether requests may go there. When its pause is over, one is told so, and the others once that one got through.
    pub(super) fn admits(&self, now: Tick) -> bool {
        let until = self.out_until.load(Relaxed);
        let trial = now.after(Self::TRIAL).0;
        until == 0
            || until <= now.0 && self.out_until.compare_exchange(until, trial, Relaxed, Relaxed).is_ok()
    }

    /// Notes that nobody could be connected to.
    pub(super) fn failed(&self, now: Tick) -> Change {
        let before = self.failures.fetch_add(1, Relaxed);
        let pause = Self::FIRST_PAUSE.saturating_mul(1 << before.min(6)).min(Self::LONGEST_PAUSE);
        self.out_until.store(now.after(pause).0, Relaxed);
        if before == 0 { Change::Lost } else { Change::None }
    }

    /// Notes that a request was not answered in time. Once that was so too often it counts like nobody to connect to, as does
    /// each further one, until there is an answer.
    pub(super) fn too_slow(&self, now: Tick) -> Change {
        let before = self.unanswered.fetch_add(1, Relaxed);
        let is_enough = before.saturating_add(1) >= Self::UNANSWERED;
        if is_enough || self.failures.load(Relaxed) > 0 { self.failed(now) } else { Change::None }
    }

    /// Notes that it has answered.
    pub(super) fn answered(&self) -> Change {
        if self.unanswered.load(Relaxed) != 0 {
            self.unanswered.store(0, Relaxed);
        }
        if self.failures.load(Relaxed) == 0 || self.failures.swap(0, Relaxed) == 0 {
            return Change::None;
        }
        self.out_until.store(0, Relaxed);
        Change::Back
    }

    /// Whether its checks say that it does not work.
    pub(super) fn is_down(&self) -> bool {
        self.is_down.load(Relaxed)
    }

    /// Whether it gets requests, as far as is known.
    pub(super) fn is_up(&self) -> bool {
        !self.is_down() && self.failures.load(Relaxed) == 0
    }

    /// Whether it is to be asked now; then not again for as long as this.
    pub(super) fn is_check_due(&self, now: Tick, interval: Duration) -> bool {
        let due = self.next_check.load(Relaxed);
        let next = now.after(interval).0;
        due <= now.0 && self.next_check.compare_exchange(due, next, Relaxed, Relaxed).is_ok()
    }

    /// Nothing is known from checks any more: they are no longer made, or ask something else.
    pub(super) fn forget_checks(&self) {
        self.is_down.store(false, Relaxed);
        self.failed_checks.store(0, Relaxed);
        self.next_check.store(0, Relaxed);
    }

    /// Notes what a check came to.
    pub(super) fn checked(&self, works: bool) -> Change {
        if works {
            self.failed_checks.store(0, Relaxed);
            // It has been connected to, too.
            let was_away = self.answered() == Change::Back;
            let was_down = self.is_down.swap(false, Relaxed);
            return if was_down || was_away { Change::Back } else { Change::None };
        }
        let before = self.failed_checks.fetch_add(1, Relaxed);
        let is_enough = before.saturating_add(1) >= Self::FAILED_CHECKS;
        if is_enough && !self.is_down.swap(true, Relaxed) { Change::Lost } else { Change::None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Tick = Tick(1);

    fn after(millis: u64) -> Tick {
        START.after(Duration::from_millis(millis))
    }

    #[test]
    fn a_server_that_cannot_be_connected_to_is_left_alone_for_longer_each_time() {
        let standing = Standing::default();
        assert!(standing.admits(START));
        let mut now = START;
        for pause in [1_u64, 2, 4, 8, 16, 32, 60, 60] {
            standing.failed(now);
            assert!(!standing.admits(now.after(Duration::from_millis(pause * 1_000 - 1))), "{pause}");
            now = now.after(Duration::from_secs(pause));
            assert!(standing.admits(now), "{pause}");
        }
        assert!(!standing.is_up());
        assert_eq!(standing.answered(), Change::Back);
        assert!(standing.admits(now) && standing.is_up());
        assert_eq!(standing.answered(), Change::None);
    }

    #[test]
    fn when_the_pause_is_over_one_request_tries_and_the_others_wait_for_it() {
        let standing = Standing::default();
        assert_eq!(standing.failed(START), Change::Lost);
        assert!(standing.admits(after(1_000)));
        assert!(!standing.admits(after(1_000)) && !standing.admits(after(5_999)));
        assert!(standing.admits(after(6_000)), "whoever tried may have gone away");
        assert_eq!(standing.failed(after(6_000)), Change::None);
    }

    #[test]
    fn rel_06_a_server_that_answers_nobody_in_time_is_left_alone_and_one_slow_page_takes_none_away() {
        let standing = Standing::default();
        for _ in 0..100 {
            assert_eq!([(); 4].map(|()| standing.too_slow(START)), [Change::None; 4]);
            assert_eq!(standing.answered(), Change::None, "other pages come");
        }
        assert!(standing.admits(START) && standing.is_up());
        assert_eq!([(); 4].map(|()| standing.too_slow(START)), [Change::None; 4]);
        assert_eq!(standing.too_slow(START), Change::Lost);
        assert!(!standing.admits(after(999)) && standing.admits(after(1_000)));
        assert_eq!(standing.too_slow(after(1_000)), Change::None);
        assert!(!standing.admits(after(2_999)) && standing.admits(after(3_000)), "for longer each time");
        assert_eq!(standing.answered(), Change::Back);
        assert_eq!(standing.too_slow(after(3_000)), Change::None, "it is counted anew");
        assert!(standing.admits(after(3_000)) && standing.is_up());
    }

    #[test]
    fn one_failed_check_says_nothing_and_two_in_a_row_do() {
        let standing = Standing::default();
        assert_eq!([false, true, false].map(|works| standing.checked(works)), [Change::None; 3]);
        assert_eq!(standing.checked(false), Change::Lost);
        assert!(standing.is_down() && !standing.is_up());
        assert_eq!(standing.checked(false), Change::None);
        assert_eq!(standing.checked(true), Change::Back);
        assert!(standing.is_up());
        standing.failed(START);
        assert!(!standing.admits(START));
        assert_eq!(standing.checked(true), Change::Back, "what could be asked can be connected to");
        assert!(standing.admits(START));
    }

    #[test]
    fn a_check_is_due_once_in_an_interval() {
        let standing = Standing::default();
        let second = Duration::from_secs(1);
        assert!(standing.is_check_due(START, second) && !standing.is_check_due(after(999), second));
        assert!(standing.is_check_due(after(1_000), second));
    }
}
