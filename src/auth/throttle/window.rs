//! Tries within a stretch of time that moves on.

use std::time::Duration;

use crate::domain::Timestamp;

/// How often something was tried of late. Time goes in steps of a third of the window, and the latest four are summed up: never
/// less than the window, so no stretch of its length has more than the limit.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    /// The latest step, and the counts of it and the three before.
    step: u64,
    counts: [u32; 4],
}

/// A moment, as windows of one length see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    millis: u64,
    length: u64,
}

impl Step {
    pub(super) fn at(now: Timestamp, window: Duration) -> Self {
        let length = u64::try_from(window.as_millis() / 3).unwrap_or(u64::MAX).max(1);
        Self { millis: now.as_millis(), length }
    }

    pub(super) const fn number(self) -> u64 {
        self.millis / self.length
    }
}

impl Window {
    /// Counts one try.
    pub(super) fn note(&mut self, now: Step) {
        self.move_to(now);
        self.counts[0] = self.counts[0].saturating_add(1);
    }

    /// Takes back a try that was counted in the step of this number.
    pub(super) fn take_back(&mut self, step: u64) {
        let counted = self.step.checked_sub(step).and_then(|ago| usize::try_from(ago).ok());
        if let Some(count) = counted.and_then(|ago| self.counts.get_mut(ago)) {
            *count = count.saturating_sub(1);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.counts == [0; 4]
    }

    /// How long until there is room for one more.
    pub(super) fn wait(&mut self, limit: u32, now: Step) -> Duration {
        self.move_to(now);
        let newest = |left: usize| self.counts[..left].iter().fold(0_u32, |sum, n| sum.saturating_add(*n));
        let ends = (0..4_u64).find(|gone| newest(4 - *gone as usize) < limit).unwrap_or(4);
        match ends {
            0 => Duration::ZERO,
            steps => Duration::from_millis(
                (self.step + steps).saturating_mul(now.length).saturating_sub(now.millis),
            ),
        }
    }

    /// A clock that was set back makes what was counted as young as can be: nothing is forgiven early, and nothing stays for
    /// longer than a window.
    fn move_to(&mut self, now: Step) {
        let step = now.number();
        match step.checked_sub(self.step) {
            None | Some(0) => {}
            Some(steps @ 1..=3) => {
                self.counts.rotate_right(steps as usize);
                self.counts[..steps as usize].fill(0);
            }
            Some(_) => self.counts = [0; 4],
        }
        self.step = step;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUARTER: Duration = Duration::from_secs(900);

    fn at(seconds: u64) -> Step {
        Step::at(Timestamp::from_millis(1_795_327_200_000 + seconds * 1_000), QUARTER)
    }

    fn take(window: &mut Window, limit: u32, seconds: u64) -> bool {
        let is_free = window.wait(limit, at(seconds)).is_zero();
        if is_free {
            window.note(at(seconds));
        }
        is_free
    }

    #[test]
    fn thr_03_no_stretch_of_the_window_has_more_than_the_limit() {
        for rhythm in [1, 7, 20, 31, 100] {
            let mut window = Window::default();
            let taken: Vec<u64> =
                (0..5_000).map(|n| n * rhythm).filter(|s| take(&mut window, 30, *s)).collect();
            assert!(taken.windows(31).all(|run| run[30] - run[0] >= 900), "{rhythm}");
            assert!(taken.len() > 30, "and goes on after that");
        }
    }

    #[test]
    fn the_wait_is_as_long_as_it_is_said_to_be() {
        let mut window = Window::default();
        for second in 0..5 {
            assert!(take(&mut window, 5, second * 250));
        }
        let mut second = 1_000;
        while !window.wait(5, at(second)).is_zero() {
            let wait = window.wait(5, at(second)).as_secs();
            assert!((1..=1_200).contains(&wait));
            assert!(!window.clone().wait(5, at(second + wait - 1)).is_zero());
            second += wait;
        }
        assert!((1_000..=1_200).contains(&second), "{second}");
    }

    #[test]
    fn a_clock_set_back_forgives_nothing_early_and_shuts_nobody_out_for_ever() {
        let mut window = Window::default();
        (0..5).for_each(|_| window.note(at(1_000_000)));
        assert!(!window.wait(5, at(0)).is_zero());
        assert!(!window.wait(5, at(899)).is_zero());
        assert!(window.wait(5, at(1_200)).is_zero());
    }

    #[test]
    fn a_try_is_taken_back_where_it_was_counted() {
        let mut window = Window::default();
        window.note(at(0));
        window.note(at(400));
        window.take_back(at(0).number());
        window.take_back(at(900_000).number());
        assert!(window.wait(2, at(400)).is_zero() && !window.wait(1, at(400)).is_zero());
        window.take_back(at(400).number());
        assert!(window.is_empty());
    }
}
