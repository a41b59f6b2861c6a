//! How slow the other side may be, and what wakes us when it is slower (SECURITY: REL-01 … REL-03).

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::proxy::options::ConnectionLimits;

/// How long may be waited for the next byte. Each byte that moves gives the time that the least rate allows for it, so
/// on the whole no more time passes than that rate takes; but however much was moved before, a standstill ends it.
///
/// Only waiting counts: while we are the slow ones, nothing is taken away.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    left: Duration,
    since: Option<Instant>,
}

impl Pace {
    /// For a transfer that begins.
    pub(super) fn new(limits: &ConnectionLimits) -> Self {
        Self { left: limits.rate_grace, since: None }
    }

    /// Until when a wait may last that goes on at `now`.
    pub(super) fn until(&mut self, now: Instant) -> Instant {
        *self.since.get_or_insert(now) + self.left
    }

    /// Whether it is being waited; only then [`Pace::moved`] needs to know the time.
    pub(super) fn is_waiting(&self) -> bool {
        self.since.is_some()
    }

    /// Counts bytes that moved; `now` ends the wait, if there was one.
    pub(super) fn moved(&mut self, bytes: usize, limits: &ConnectionLimits, now: Option<Instant>) {
        if let (Some(since), Some(now)) = (self.since.take(), now) {
            self.left = self.left.saturating_sub(now - since);
        }
        self.left = (self.left + limits.time_for(bytes)).min(limits.most_patience());
    }
}

/// One timer for all waits of a connection, or a request. It is moved forward only when it goes off, and backward when a wait is to end
/// before.
#[derive(Debug, Default)]
pub(in crate::proxy) struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Completes once `at` has passed. Whoever waits may be woken before, and has to ask again.
    pub(in crate::proxy) fn poll(&mut self, cx: &mut Context<'_>, at: Instant) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if sleep.deadline() > at {
            sleep.as_mut().reset(at);
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if Instant::now() >= at {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(at);
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> ConnectionLimits {
        ConnectionLimits {
            least_rate: 240,
            rate_grace: Duration::from_secs(5),
            stall_timeout: Duration::from_secs(60),
            ..ConnectionLimits::default()
        }
    }

    /// How long someone is put up with who sends so many bytes each second.
    fn patience(bytes: usize) -> Option<u32> {
        let (start, limits) = (Instant::now(), limits());
        let mut pace = Pace::new(&limits);
        (1..1_000).find(|second| {
            let now = start + Duration::from_secs(1) * *second;
            let is_over = pace.until(now - Duration::from_secs(1)) < now;
            pace.moved(bytes, &limits, Some(now));
            is_over
        })
    }

    #[test]
    fn rel_03_whoever_is_slower_than_the_least_rate_is_given_up_after_the_grace() {
        assert_eq!(patience(0), Some(6));
        assert_eq!(patience(1), Some(6));
        assert_eq!(patience(120), Some(10));
        assert_eq!(patience(239), Some(961));
        assert_eq!(patience(240), None);
        assert_eq!(patience(100_000), None);
    }

    #[test]
    fn rel_03_however_much_came_before_a_standstill_ends_it() {
        let (now, limits) = (Instant::now(), limits());
        let mut pace = Pace::new(&limits);
        pace.moved(1 << 30, &limits, None);
        assert_eq!(pace.until(now), now + Duration::from_secs(60));
        assert_eq!(pace.until(now + Duration::from_secs(59)), now + Duration::from_secs(60));
        pace.moved(0, &limits, Some(now + Duration::from_secs(59)));
        assert_eq!(pace.until(now), now + Duration::from_secs(1));
    }

    #[test]
    fn time_in_which_nobody_is_waited_for_costs_nothing() {
        let (now, limits) = (Instant::now(), limits());
        let mut pace = Pace::new(&limits);
        pace.moved(24, &limits, Some(now + Duration::from_secs(1_000)));
        assert!(!pace.is_waiting());
        let later = now + Duration::from_secs(2_000);
        assert_eq!(pace.until(later), later + Duration::from_millis(5_100));
    }
}
