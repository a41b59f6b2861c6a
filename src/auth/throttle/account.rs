//! The wrong tries of one account: how long the next one has to wait, and from where.
//!
//! SECURITY: THR-01, THR-02. A wrong try counts for its place and, unless that is a known device, for all strange places
//! together. Known devices answer for themselves alone, so whoever hammers a name keeps no device of its member out.

use std::time::Duration;

use super::Standing;
use super::options::ThrottleOptions;
use crate::domain::{Failures, Place, Streak, Timestamp};

/// How long a try has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wait {
    /// So long.
    For(Duration),
    /// Until somebody gets in another way, or an operator lifts it.
    UntilLifted,
}

impl Wait {
    pub(super) const NONE: Self = Self::For(Duration::ZERO);
}

/// Where a try counts: at the device, unless that has got it wrong too often.
pub(super) fn place(failures: Option<&Failures>, device: Option<[u8; 16]>, network: [u8; 16]) -> Place {
    let Some(device) = device else { return Place::Network(network) };
    let own = Place::Device(device);
    let of = |failures: &Failures, which: &dyn Fn(&Place) -> bool| -> u32 {
        failures.places.iter().filter(|(place, _)| which(place)).map(|(_, streak)| streak.count).sum()
    };
    let is_trusted = failures.is_none_or(|failures| {
        of(failures, &|place| *place == own) < ThrottleOptions::OF_A_DEVICE
            && of(failures, &|place| matches!(place, Place::Device(_))) < ThrottleOptions::OF_DEVICES
    });
    if is_trusted { own } else { Place::Network(network) }
}

/// How long a try from there has to wait.
pub(super) fn wait(failures: &mut Failures, place: Place, now: Timestamp, options: &ThrottleOptions) -> Wait {
    let there = failures.places.iter_mut().find(|(known, _)| *known == place);
    let there = there.map_or(Duration::ZERO, |(_, streak)| left(streak, options.account, now, options));
    match place {
        Place::Device(_) => Wait::For(there),
        Place::Network(_) if failures.strangers.count >= ThrottleOptions::OF_STRANGERS => Wait::UntilLifted,
        Place::Network(_) => {
            Wait::For(there.max(left(&mut failures.strangers, options.strangers(), now, options)))
        }
    }
}

/// When the tries were made before one that may be taken back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before {
    at: Timestamp,
    there: Option<Timestamp>,
    strangers: Timestamp,
}

/// Counts a try.
pub(super) fn note(
    failures: &mut Failures,
    place: Place,
    now: Timestamp,
    options: &ThrottleOptions,
) -> Before {
    let there = failures.places.iter().find(|(known, _)| *known == place).map(|(_, streak)| streak.last);
    let before = Before { at: now, there, strangers: failures.strangers.last };
    if let Place::Network(_) = place {
        add(&mut failures.strangers, now);
    }
    if let Some((_, streak)) = failures.places.iter_mut().find(|(known, _)| *known == place) {
        add(streak, now);
        return before;
    }
    if failures.places.len() >= options.places() {
        let networks = failures.places.iter().enumerate();
        let networks = networks.filter(|(_, (place, _))| matches!(place, Place::Network(_)));
        if let Some((oldest, _)) = networks.min_by_key(|(_, (_, streak))| streak.last) {
            failures.places.swap_remove(oldest);
        }
    }
    failures.places.push((place, Streak { count: 1, last: now }));
    before
}

/// Takes a try back that was none. The wait of those before it goes on as if it had not been made.
pub(super) fn take_back(failures: &mut Failures, place: Place, before: Before) {
    let take = |streak: &mut Streak, last: Timestamp| {
        streak.count = streak.count.saturating_sub(1);
        if streak.last == before.at {
            streak.last = last;
        }
    };
    if let Place::Network(_) = place {
        take(&mut failures.strangers, before.strangers);
    }
    if let Some((_, streak)) = failures.places.iter_mut().find(|(known, _)| *known == place) {
        take(streak, before.there.unwrap_or(before.at));
    }
    failures.places.retain(|(_, streak)| streak.count > 0);
}

/// How things stand for places that were not seen yet.
pub(super) fn standing(failures: &mut Failures, now: Timestamp, options: &ThrottleOptions) -> Standing {
    let wait = wait(failures, Place::Network([0xff; 16]), now, options);
    let (mut wrong, mut waiting) = (failures.strangers.count, 0);
    for (place, streak) in &mut failures.places {
        wrong += if let Place::Device(_) = place { streak.count } else { 0 };
        waiting += usize::from(!left(streak, options.account, now, options).is_zero());
    }
    Standing { wrong, waiting, wait }
}

fn add(streak: &mut Streak, now: Timestamp) {
    *streak = Streak { count: streak.count.saturating_add(1), last: now };
}

/// The first `free` wrong tries have no consequence; the wait after each further one is twice as long as the one before.
///
/// A clock that was set back makes the last try as young as can be: no wait ends early, and none lasts longer than it would.
fn left(streak: &mut Streak, free: u32, now: Timestamp, options: &ThrottleOptions) -> Duration {
    streak.last = streak.last.min(now);
    let Some(further) = streak.count.checked_sub(free) else { return Duration::ZERO };
    let wait = options.wait.saturating_mul(1 << further.min(30)).min(options.longest_wait);
    wait.saturating_sub(now.since(streak.last))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Place = Place::Network([1; 16]);
    const MINUTE: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_795_327_200_000 + seconds * 1_000)
    }

    /// The seconds at which a wrong try is let through, out of all, each from another of so many networks.
    fn let_through(seconds: u64, networks: u64) -> Vec<u64> {
        let (mut failures, options) = (Failures::default(), ThrottleOptions::default());
        let mut taken = Vec::new();
        for second in 0..seconds {
            let place = Place::Network([(second % networks) as u8; 16]);
            if wait(&mut failures, place, at(second), &options) == Wait::NONE {
                note(&mut failures, place, at(second), &options);
                taken.push(second);
            }
        }
        taken
    }

    #[test]
    fn thr_01_waits_grow_from_five_tries_of_one_place_and_twenty_of_many() {
        assert_eq!(let_through(2_000, 1), [0, 1, 2, 3, 4, 64, 184, 424, 904, 1864]);
        let many = let_through(2_000, 200);
        assert_eq!(many[..21], (0..20).chain([79]).collect::<Vec<_>>());
        assert_eq!(many[21..], [199, 439, 919, 1879]);
    }

    #[test]
    fn thr_01_strangers_are_shut_out_until_it_is_lifted() {
        let (mut failures, options) = (Failures::default(), ThrottleOptions::default());
        let mut count = 0;
        for hour in 0..1_000 {
            if wait(&mut failures, HERE, at(hour * 3_600), &options) == Wait::NONE {
                note(&mut failures, HERE, at(hour * 3_600), &options);
                count += 1;
            }
        }
        assert_eq!(count, ThrottleOptions::OF_STRANGERS);
        assert_eq!(wait(&mut failures, Place::Network([9; 16]), at(9_999_999), &options), Wait::UntilLifted);
    }

    #[test]
    fn thr_02_a_device_answers_for_itself_until_it_has_been_wrong_too_often() {
        let (mut failures, options) = (Failures::default(), ThrottleOptions::default());
        let network = [3; 16];
        for _ in 0..500 {
            note(&mut failures, HERE, at(0), &options);
        }
        for wrong in 0..10 {
            let device = place(Some(&failures), Some([7; 16]), network);
            assert_eq!(device, Place::Device([7; 16]));
            assert_eq!(wait(&mut failures, device, at(wrong * 3_600), &options), Wait::NONE, "{wrong}");
            note(&mut failures, device, at(wrong * 3_600), &options);
        }
        assert_eq!(place(Some(&failures), Some([7; 16]), network), Place::Network(network), "a stolen one");
        assert_eq!(place(Some(&failures), Some([8; 16]), network), Place::Device([8; 16]), "another one");
        for _ in 0..10 {
            note(&mut failures, Place::Device([8; 16]), at(0), &options);
        }
        assert_eq!(
            place(Some(&failures), Some([9; 16]), network),
            Place::Network(network),
            "a hundred in all"
        );
    }

    #[test]
    fn a_try_that_is_taken_back_makes_nobody_wait_any_longer() {
        let (mut failures, options) = (Failures::default(), ThrottleOptions::default());
        for _ in 0..20 {
            note(&mut failures, HERE, at(0), &options);
        }
        let before = wait(&mut failures, HERE, at(90), &options);
        let noted = note(&mut failures, HERE, at(90), &options);
        take_back(&mut failures, HERE, noted);
        assert_eq!(wait(&mut failures, HERE, at(90), &options), before);
        let elsewhere = Place::Network([2; 16]);
        let noted = note(&mut failures, elsewhere, at(90), &options);
        take_back(&mut failures, elsewhere, noted);
        assert_eq!(wait(&mut failures, elsewhere, at(90), &options), Wait::NONE);
        assert_eq!(failures.places.len(), 1);
    }

    #[test]
    fn a_clock_set_back_ends_no_wait_early_and_makes_none_longer() {
        let (mut failures, options) = (Failures::default(), ThrottleOptions::default());
        for _ in 0..5 {
            note(&mut failures, HERE, at(1_000_000), &options);
        }
        assert_eq!(wait(&mut failures, HERE, at(0), &options), Wait::For(MINUTE));
        assert_eq!(wait(&mut failures, HERE, at(59), &options), Wait::For(Duration::from_secs(1)));
        assert_eq!(wait(&mut failures, HERE, at(60), &options), Wait::NONE);
    }

    #[test]
    fn places_are_few_and_no_device_is_forgotten_for_networks() {
        let (mut failures, options) = (Failures::default(), ThrottleOptions::default());
        note(&mut failures, Place::Device([0; 16]), at(0), &options);
        for network in 0..200_u8 {
            note(&mut failures, Place::Network([network; 16]), at(1 + u64::from(network)), &options);
        }
        assert_eq!(failures.places.len(), options.places());
        assert!(failures.places.iter().any(|(place, _)| *place == Place::Device([0; 16])));
    }
}
