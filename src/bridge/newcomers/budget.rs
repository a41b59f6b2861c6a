//! How often the forum is asked about people nobody knows here. What is not forgiven counts against the name, the address and
//! its network, so that nobody guesses passwords through the gateway, or has the forum lock somebody out; all of it counts
//! against the minute, so that many at once do not either.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use crate::domain::Timestamp;

const MINUTE: Duration = Duration::from_secs(60);
const QUARTER: Duration = Duration::from_secs(15 * 60);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// So many in a minute, whoever it is.
const IN_A_MINUTE: usize = 20;
/// So many of one name. Forums ask a captcha after three.
const OF_A_NAME: usize = 2;
const OF_A_NAME_IN_A_DAY: usize = 6;
/// So many from one address …
const FROM_AN_ADDRESS: usize = 6;
/// … and from its network.
const FROM_A_NETWORK: usize = 20;

/// What was tried within a day; at most what fits into its minutes, some megabytes.
#[derive(Default)]
pub(super) struct Budget {
    entries: VecDeque<Entry>,
    made: u64,
}

/// One try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Try(u64);

struct Entry {
    number: u64,
    at: Timestamp,
    name: String,
    /// The address, and its network.
    from: [u128; 2],
    counts: bool,
}

impl Budget {
    /// Takes a try out of the budget; none if there is none left.
    pub(super) fn take(&mut self, name: &str, address: IpAddr, now: Timestamp) -> Option<Try> {
        while self.entries.front().is_some_and(|entry| now.since(entry.at) >= DAY) {
            self.entries.pop_front();
        }
        let from = places(address);
        let within = |time: Duration, of: &dyn Fn(&Entry) -> bool| {
            let recent = self.entries.iter().rev().take_while(|entry| now.since(entry.at) < time);
            recent.filter(|entry| of(entry)).count()
        };
        let of_name = |entry: &Entry| entry.counts && entry.name == name;
        let is_left = within(MINUTE, &|_| true) < IN_A_MINUTE
            && within(QUARTER, &of_name) < OF_A_NAME
            && within(DAY, &of_name) < OF_A_NAME_IN_A_DAY
            && within(QUARTER, &|entry| entry.counts && entry.from[0] == from[0]) < FROM_AN_ADDRESS
            && within(QUARTER, &|entry| entry.counts && entry.from[1] == from[1]) < FROM_A_NETWORK;
        if !is_left {
            return None;
        }
        self.made += 1;
        let entry = Entry { number: self.made, at: now, name: name.to_owned(), from, counts: true };
        self.entries.push_back(entry);
        Some(Try(self.made))
    }

    /// A try that was no guess.
    pub(super) fn forgive(&mut self, tried: Try) {
        if let Some(entry) = self.entries.iter_mut().rev().find(|entry| entry.number == tried.0) {
            entry.counts = false;
        }
    }
}

/// An address and its network: IPv4 and its /24; of IPv6, where one person has a /64, that and the /56.
fn places(address: IpAddr) -> [u128; 2] {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let bits = u128::from(address.to_bits());
            [bits, bits >> 8 << 8]
        }
        IpAddr::V6(address) => [address.to_bits() >> 64 << 64, address.to_bits() >> 72 << 72],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_795_327_200_000 + seconds * 1_000)
    }

    fn v4(last: u8) -> IpAddr {
        [192, 0, 2, last].into()
    }

    #[test]
    fn thr_06_a_name_has_two_tries_in_a_quarter_of_an_hour_and_six_a_day_from_wherever() {
        let mut budget = Budget::default();
        let mut taken = 0;
        for minute in 0..24 * 60 {
            let address = IpAddr::from([10, (minute / 250) as u8, (minute % 250) as u8, 1]);
            taken += usize::from(budget.take("alice", address, at(minute * 60)).is_some());
        }
        assert_eq!(taken, 6);
        let mut is_left = |name, second: u64| budget.take(name, v4(1), at(24 * 3600 + second)).is_some();
        assert!(is_left("bob", 0), "another one has their own");
        assert!(is_left("alice", 0) && !is_left("alice", 59) && is_left("alice", 60));
        assert!(!is_left("alice", 61) && is_left("alice", 900));
    }

    #[test]
    fn thr_03_an_address_and_its_network_have_so_many_whatever_the_names() {
        let mut count = 0;
        let mut tries = |budget: &mut Budget, address: &dyn Fn(u64) -> IpAddr| {
            let taken = (0..60).filter(|n| {
                count += 1;
                // Slower than the minute allows.
                budget.take(&format!("name{count}"), address(*n), at(count * 4)).is_some()
            });
            taken.count()
        };
        let v6 = |text: String| -> IpAddr { text.parse().unwrap() };
        let budget = &mut Budget::default();
        assert_eq!(tries(budget, &|_| v4(1)), 6);
        assert_eq!(tries(budget, &|n| v4(2 + n as u8)), 14, "the network");
        assert_eq!(tries(budget, &|_| v6("::ffff:192.0.2.1".to_owned())), 0, "the same one");
        let budget = &mut Budget::default();
        assert_eq!(tries(budget, &|n| v6(format!("2001:db8:1:1::{n:x}"))), 6);
        assert_eq!(tries(budget, &|n| v6(format!("2001:db8:1:{n:x}::1"))), 14);
    }

    #[test]
    fn a_minute_has_twenty_whoever_and_however_they_end() {
        let mut budget = Budget::default();
        let mut take = |n: u8, seconds| {
            let taken = budget.take(&format!("name{n}"), [10, 0, n, 1].into(), at(seconds));
            taken.map(|tried| budget.forgive(tried)).is_some()
        };
        assert_eq!((0..50).filter(|n| take(*n, 0)).count(), 20);
        assert!(!take(60, 59) && take(61, 60));
    }

    #[test]
    fn what_is_forgiven_counts_against_nobody() {
        let mut budget = Budget::default();
        for second in 0..10 {
            let tried = budget.take("alice", v4(1), at(second)).unwrap();
            budget.forgive(tried);
        }
        assert!(budget.take("alice", v4(1), at(11)).is_some());
        assert!(budget.take("alice", v4(1), at(12)).is_some());
        assert!(budget.take("alice", v4(1), at(13)).is_none());
    }
}
