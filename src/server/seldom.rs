//! Log lines that strangers can provoke: one in a while, with how many there would have been.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Says when a line may be written.
#[derive(Debug, Default)]
pub(super) struct Seldom(Mutex<Since>);

#[derive(Debug, Default)]
struct Since {
    last: Option<Instant>,
    left_out: u64,
}

impl Seldom {
    /// Lines are at least so far apart.
    const PAUSE: Duration = Duration::from_secs(10);

    /// Counts one. If it is time for a line, gives how many there were before it without one.
    pub(super) fn turn(&self, now: Instant) -> Option<u64> {
        let mut since = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if since.last.is_some_and(|last| now.duration_since(last) < Self::PAUSE) {
            since.left_out += 1;
            return None;
        }
        since.last = Some(now);
        Some(std::mem::take(&mut since.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_lines_the_first_is_written_and_the_next_tells_how_many_were_not() {
        let (seldom, start) = (Seldom::default(), Instant::now());
        let turns: Vec<_> = (0..1000).map(|_| seldom.turn(start)).collect();
        assert_eq!((turns[0], turns[1..].iter().flatten().count()), (Some(0), 0));
        assert_eq!(seldom.turn(start + Seldom::PAUSE), Some(999));
    }
}
