//! How many connections are served at a time (SECURITY: REL-04, REL-11): in all, and of one address, so that one of them
//! can't take the places of all others.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::proxy::Crowd;
use crate::proxy::options::ConnectionLimits;

/// Counts connections.
#[derive(Debug)]
pub struct Admission {
    most: usize,
    most_per_address: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    served: usize,
    turned_away: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// What becomes of a connection; its place is free again when this is dropped.
#[derive(Debug)]
pub enum Admitted {
    /// It is served.
    Served(Place),
    /// It is told that it is not.
    Not(Crowd, Place),
    /// So many are being told so that this one is closed at once.
    Dropped,
}

/// A place that is taken.
#[derive(Debug)]
pub struct Place {
    admission: Arc<Admission>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Served(Option<IpAddr>),
    TurnedAway,
}

impl Admission {
    /// How many are told at a time that they are not served.
    const MOST_TURNED_AWAY: usize = 256;

    /// Nobody is there yet.
    pub fn new(limits: &ConnectionLimits) -> Arc<Self> {
        let open = Mutex::default();
        Arc::new(Self { most: limits.most, most_per_address: limits.most_per_address, open })
    }

    /// Takes a place for a connection; one without an address counts only in all.
    pub fn admit(self: &Arc<Self>, address: Option<IpAddr>) -> Admitted {
        let address = address.map(network);
        let mut open = self.open();
        let is_full = open.served >= self.most;
        let of_address = address.map_or(0, |address| open.by_address.get(&address).copied().unwrap_or(0));
        let crowd = match () {
            () if is_full => Crowd::InAll,
            () if of_address >= self.most_per_address => Crowd::FromAddress,
            () => {
                open.served += 1;
                if let Some(address) = address {
                    open.by_address.insert(address, of_address + 1);
                }
                return Admitted::Served(self.place(Kind::Served(address)));
            }
        };
        drop(open);
        self.turn_away(crowd)
    }

    /// What becomes of a connection that is not served.
    pub fn turn_away(self: &Arc<Self>, crowd: Crowd) -> Admitted {
        let mut open = self.open();
        if open.turned_away >= Self::MOST_TURNED_AWAY {
            return Admitted::Dropped;
        }
        open.turned_away += 1;
        Admitted::Not(crowd, self.place(Kind::TurnedAway))
    }

    /// Counts a connection that is served for the address that it turned out to come from.
    ///
    /// # Errors
    /// That there are too many of that address.
    pub fn count(&self, place: &mut Place, address: IpAddr) -> Result<(), Crowd> {
        let address = network(address);
        let Kind::Served(counted @ None) = &mut place.kind else { return Ok(()) };
        let mut open = self.open();
        let of_address = open.by_address.get(&address).copied().unwrap_or(0);
        if of_address >= self.most_per_address {
            return Err(Crowd::FromAddress);
        }
        open.by_address.insert(address, of_address + 1);
        *counted = Some(address);
        Ok(())
    }

    fn place(self: &Arc<Self>, kind: Kind) -> Place {
        Place { admission: Arc::clone(self), kind }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.admission.open();
        match self.kind {
            Kind::TurnedAway => open.turned_away -= 1,
            Kind::Served(address) => {
                open.served -= 1;
                let Some(address) = address else { return };
                match open.by_address.get_mut(&address) {
                    Some(count) if *count > 1 => *count -= 1,
                    _ => drop(open.by_address.remove(&address)),
                }
            }
        }
    }
}

/// What one household or machine has to itself: an IPv4 address, or an IPv6 network of 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(most: usize, most_per_address: usize) -> Arc<Admission> {
        Admission::new(&ConnectionLimits { most, most_per_address, ..ConnectionLimits::default() })
    }

    /// Why a connection from there is not served.
    fn refused(admitted: &Admitted) -> Option<Crowd> {
        match admitted {
            Admitted::Served(_) => None,
            Admitted::Not(crowd, _) => Some(*crowd),
            Admitted::Dropped => panic!("it is to be told"),
        }
    }

    #[test]
    fn rel_04_one_address_gets_so_many_places_and_the_others_still_find_some() {
        let admission = admission(5, 2);
        let from = |address: &str| admission.admit(Some(address.parse().unwrap()));
        let first = [from("192.0.2.1"), from("::ffff:192.0.2.1"), from("2001:db8::1"), from("2001:db8::2:3")];
        assert!(first.iter().all(|admitted| refused(admitted).is_none()));
        assert_eq!(refused(&from("192.0.2.1")), Some(Crowd::FromAddress));
        assert_eq!(refused(&from("2001:db8::4")), Some(Crowd::FromAddress));
        let other = from("2001:db8:0:1::1");
        assert_eq!(refused(&other), None);
        assert_eq!(refused(&from("192.0.2.2")), Some(Crowd::InAll));
        drop(first);
        assert_eq!(refused(&from("192.0.2.1")), None);
        drop(other);
        assert!(admission.open().by_address.is_empty(), "nothing is kept of those who have gone");
        assert_eq!(admission.open().served, 0);
    }

    #[test]
    fn our_own_proxies_may_bring_as_many_as_there_are_places() {
        let admission = admission(3, 1);
        let all: Vec<_> = (0..3).map(|_| admission.admit(None)).collect();
        assert!(all.iter().all(|admitted| refused(admitted).is_none()));
        assert_eq!(refused(&admission.admit(None)), Some(Crowd::InAll));
    }

    #[test]
    fn thr_05_what_our_own_proxy_brings_counts_for_the_address_it_says() {
        let admission = admission(5, 2);
        let mut places: Vec<_> = (0..4)
            .map(|_| match admission.admit(None) {
                Admitted::Served(place) => place,
                other => panic!("{other:?}"),
            })
            .collect();
        let (one, other) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        assert_eq!(admission.count(&mut places[0], one), Ok(()));
        assert_eq!(refused(&admission.admit(Some(one))), None, "and gives its place back");
        assert_eq!(admission.count(&mut places[1], one), Ok(()));
        assert_eq!(admission.count(&mut places[2], one), Err(Crowd::FromAddress));
        assert_eq!(refused(&admission.admit(Some(one))), Some(Crowd::FromAddress));
        assert_eq!(admission.count(&mut places[2], other), Ok(()));
        assert_eq!(admission.count(&mut places[0], other), Ok(()), "it has been counted");
        drop(places);
        assert!(admission.open().by_address.is_empty());
    }

    #[test]
    fn rel_11_not_even_those_who_are_turned_away_become_too_many() {
        let admission = admission(0, 1);
        let told: Vec<_> = (0..Admission::MOST_TURNED_AWAY).map(|_| admission.admit(None)).collect();
        assert!(told.iter().all(|admitted| refused(admitted) == Some(Crowd::InAll)));
        assert!(matches!(admission.admit(None), Admitted::Dropped));
        drop(told);
        assert_eq!(refused(&admission.admit(None)), Some(Crowd::InAll));
    }
}
