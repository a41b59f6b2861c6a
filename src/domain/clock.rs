//! Time as a parameter: [`Timestamp`] and the [`Clock`] it comes from. The only file that reads the wall clock.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// A moment in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The moment `millis` milliseconds after the Unix epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was, or zero if it lies ahead (the wall clock may have been set back).
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The moment `duration` later.
    pub fn after(self, duration: Duration) -> Self {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(millis))
    }
}

/// RFC 3339 in UTC with milliseconds, e.g. `2026-11-22T06:00:00.000Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = UNIX_EPOCH.checked_add(Duration::from_millis(self.0)).unwrap_or(UNIX_EPOCH);
        humantime::format_rfc3339_millis(moment).fmt(f)
    }
}

/// Where the time comes from; tests bring their own.
pub trait Clock: Send + Sync {
    /// The current moment.
    fn now(&self) -> Timestamp;
}

/// The machine's wall clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
        let now = SystemTime::now();
        let since_epoch = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
    }
}

/// The machine's wall clock as a gateway goes by it: it never goes back.
///
/// SECURITY: SES-07. A clock that is set back would bring expired sessions to life again, and let others last for longer. So from its start
/// on time goes on by the monotonic clock; where the wall clock is ahead of that it is followed, since what expires too soon harms
/// nobody. [`SteadyClock::step`] tells of either.
#[derive(Debug)]
pub struct SteadyClock {
    started: Instant,
    /// What is shown, in milliseconds, is this and the time since the start.
    base: AtomicU64,
    told: AtomicU64,
}

/// The wall clock was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Ahead by so much, and was followed.
    Ahead(Duration),
    /// It is behind by so much, and is not followed before the next start.
    Behind(Duration),
}

impl SteadyClock {
    /// Smaller steps are the ordinary setting right of a clock.
    const NOTABLE: Duration = Duration::from_secs(30);

    /// Shows the time of the wall clock.
    pub fn new() -> Self {
        let now = SystemClock.now().0;
        Self { started: Instant::now(), base: AtomicU64::new(now), told: AtomicU64::new(now) }
    }

    fn at(&self, wall: Timestamp, elapsed: Duration) -> Timestamp {
        let elapsed = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let base = wall.0.saturating_sub(elapsed);
        Timestamp(base.max(self.base.fetch_max(base, Ordering::Relaxed)) + elapsed)
    }

    /// By how much the wall clock was set since the last call, or is behind now; none for a little.
    pub fn step(&self) -> Option<Step> {
        self.step_at(SystemClock.now(), self.started.elapsed())
    }

    fn step_at(&self, wall: Timestamp, elapsed: Duration) -> Option<Step> {
        let behind = self.at(wall, elapsed).since(wall);
        let base = self.base.load(Ordering::Relaxed);
        let ahead = Duration::from_millis(base - self.told.swap(base, Ordering::Relaxed));
        if ahead >= Self::NOTABLE {
            Some(Step::Ahead(ahead))
        } else {
            (behind >= Self::NOTABLE).then_some(Step::Behind(behind))
        }
    }
}

impl Default for SteadyClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Timestamp {
        self.at(SystemClock.now(), self.started.elapsed())
    }
}

/// A clock that stands still until it is told to move.
#[derive(Debug)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// A clock that shows `start`.
    pub const fn at(start: Timestamp) -> Self {
        Self(AtomicU64::new(start.0))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.set(self.now().after(by));
    }

    /// Sets the clock, backwards too.
    pub fn set(&self, to: Timestamp) {
        self.0.store(to.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_reads_as_rfc_3339_utc() {
        assert_eq!(Timestamp::from_millis(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Timestamp::from_millis(1_795_327_200_250).to_string(), "2026-11-22T06:00:00.250Z");
    }

    #[test]
    fn ses_07_a_wall_clock_that_is_set_back_is_not_followed_and_one_that_is_set_ahead_is() {
        const DAY: u64 = 86_400_000;
        let clock = SteadyClock {
            base: AtomicU64::new(100 * DAY),
            told: AtomicU64::new(100 * DAY),
            ..SteadyClock::new()
        };
        let at = |wall: u64, elapsed: u64| clock.at(Timestamp(wall), Duration::from_millis(elapsed)).0;
        let step = |wall: u64, elapsed: u64| clock.step_at(Timestamp(wall), Duration::from_millis(elapsed));
        assert_eq!(at(100 * DAY + 1_000, 1_000), 100 * DAY + 1_000);
        assert_eq!((at(99 * DAY, 2_000), at(99 * DAY, 3_000)), (100 * DAY + 2_000, 100 * DAY + 3_000));
        assert_eq!(step(99 * DAY + 3_000, 3_000), Some(Step::Behind(Duration::from_millis(DAY))));
        assert_eq!(step(100 * DAY - 1_000, 3_000), None, "a little");
        assert_eq!(at(465 * DAY, 4_000), 465 * DAY);
        assert_eq!(step(465 * DAY, 4_000), Some(Step::Ahead(Duration::from_millis(365 * DAY - 4_000))));
        assert_eq!((step(465 * DAY + 1_000, 5_000), at(100 * DAY, 5_000)), (None, 465 * DAY + 1_000));
    }

    #[test]
    fn a_clock_set_back_shows_no_negative_age() {
        let clock = ManualClock::at(Timestamp::from_millis(10_000));
        let then = clock.now();
        clock.set(Timestamp::from_millis(4_000));
        assert_eq!(clock.now().since(then), Duration::ZERO);
    }
}
