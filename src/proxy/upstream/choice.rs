//! Which of an application's servers gets a request. The ways of choosing are pingora-load-balancing's; who is left out is not theirs
//! to know.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;

use pingora::lb::selection::{BackendIter, BackendSelection, Consistent, RoundRobin};
use pingora::lb::{Backend, Extensions};

use crate::proxy::options::{Balance, ServerAt};

/// A way of choosing, made for one list of servers. What it gives are places in that list.
pub(super) enum Choice {
    /// There is one.
    Only,
    Turns(Arc<RoundRobin>, usize),
    Sticky(Arc<Consistent>, usize),
}

impl Choice {
    /// So many steps are gone on the ring for each server; after that they are taken as they stand in the list.
    const STEPS: usize = 32;

    pub(super) fn new(servers: &[ServerAt], balance: Balance) -> Self {
        let count = servers.len();
        let backends = || BTreeSet::from_iter(servers.iter().enumerate().map(backend));
        match balance {
            _ if count < 2 => Self::Only,
            Balance::Turns => Self::Turns(Arc::new(RoundRobin::build(&backends())), count),
            Balance::Member | Balance::Address => {
                Self::Sticky(Arc::new(Consistent::build(&backends())), count)
            }
        }
    }

    /// The first that fits, in the order in which they are asked for this key. Whoever had one `before` takes no turn of anybody's:
    /// they go on to the next in the list.
    pub(super) fn first(
        &self,
        key: &[u8],
        before: Option<usize>,
        mut fits: impl FnMut(usize) -> bool,
    ) -> Option<usize> {
        let (found, count) = match (self, before) {
            (Self::Only, _) => (None, 1),
            (Self::Turns(turns, count), None) => (walk(turns.iter(key), 2 * count, &mut fits), *count),
            (Self::Turns(_, count), Some(_)) => (None, *count),
            (Self::Sticky(ring, count), _) => (walk(ring.iter(key), Self::STEPS * count, &mut fits), *count),
        };
        let start = before.map_or(0, |before| before + 1);
        found.or_else(|| (start..start + count).map(|at| at % count).find(|at| fits(*at)))
    }
}

fn walk(mut order: impl BackendIter, steps: usize, fits: &mut impl FnMut(usize) -> bool) -> Option<usize> {
    let mut before = None;
    for _ in 0..steps {
        let at = *order.next()?.ext.get::<usize>()?;
        if before != Some(at) && fits(at) {
            return Some(at);
        }
        before = Some(at);
    }
    None
}

/// A server as the crate knows it. Its address there is made of its URL: names move from address to address, sockets have none, and
/// whoever belongs to a server should stay with it.
fn backend((at, server): (usize, &ServerAt)) -> Backend {
    let half = |seed: u8| {
        let mut hasher = DefaultHasher::new();
        (seed, server.place.to_string()).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    let address = SocketAddr::from((Ipv6Addr::from_bits(half(0) << 64 | half(1)), 1));
    let mut ext = Extensions::new();
    ext.insert(at);
    Backend { addr: address.into(), weight: usize::from(server.weight), ext }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Host;
    use crate::proxy::options::{Place, UpstreamScheme};

    fn servers(weights: &[(u16, u8)]) -> Vec<ServerAt> {
        let (scheme, host) = (UpstreamScheme::Http, Host::parse("localhost").unwrap());
        let at = |port| Place::Port { scheme, host: host.clone(), port };
        weights.iter().map(|(port, weight)| ServerAt { place: at(*port), weight: *weight }).collect()
    }

    #[test]
    fn turns_are_taken_by_weight() {
        let choice = Choice::new(&servers(&[(1, 1), (2, 3)]), Balance::Turns);
        let mut counts = [0; 2];
        (0..400).for_each(|_| counts[choice.first(&[], None, |_| true).unwrap()] += 1);
        assert_eq!(counts, [100, 300]);
    }

    #[test]
    fn one_key_has_one_server_and_a_weight_is_a_share_of_the_keys() {
        let choice = Choice::new(&servers(&[(1, 1), (2, 1), (3, 2)]), Balance::Member);
        let mut counts = [0; 3];
        for key in 0..4_000_u32 {
            let first = || choice.first(&key.to_be_bytes(), None, |_| true).unwrap();
            assert_eq!(first(), first());
            counts[first()] += 1;
        }
        assert!(counts.iter().all(|count| *count > 600) && counts[2] > 1_500, "{counts:?}");
    }

    #[test]
    fn a_server_that_goes_or_comes_moves_nobody_elses_keys() {
        let [all, fewer] = [&[(1, 1), (2, 1), (3, 1)][..], &[(1, 1), (3, 1)]];
        let [all, fewer] = [all, fewer].map(|ports| Choice::new(&servers(ports), Balance::Member));
        for key in 0..1_000_u32 {
            let key = key.to_be_bytes();
            let before = all.first(&key, None, |_| true).unwrap();
            if before != 1 {
                assert_eq!(fewer.first(&key, None, |_| true), Some(before.min(1)));
            }
            let next = || all.first(&key, None, |at| at != before);
            assert_eq!(next(), next());
        }
    }

    #[test]
    fn the_last_one_that_fits_is_found_however_it_is_chosen() {
        let many: Vec<_> = (1..=64).map(|port| (port, if port == 64 { 1 } else { 100 })).collect();
        for balance in [Balance::Turns, Balance::Member] {
            let choice = Choice::new(&servers(&many), balance);
            assert_eq!(choice.first(b"key", None, |at| at == 63), Some(63));
            assert_eq!(choice.first(b"key", Some(3), |_| false), None);
        }
    }
}
