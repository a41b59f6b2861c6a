//! An address as the throttle counts it.

use std::net::IpAddr;

use crate::domain::Network;

/// The address itself, of IPv6 its /64, where one person has that many; and its network: an IPv4 /24, an IPv6 /56.
/// An IPv4 address in an IPv6 one is the IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) address: u128,
    pub(super) network: u128,
}

impl Source {
    pub(super) fn of(address: IpAddr) -> Self {
        let network = Network::of(address).to_bits();
        let address = match address.to_canonical() {
            IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
            IpAddr::V6(address) => address.to_bits() >> 64 << 64,
        };
        Self { address, network }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thr_03_addresses_and_their_networks() {
        let of = |text: &str| Source::of(text.parse().unwrap());
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.1"));
        assert_ne!(of("192.0.2.1").address, of("192.0.2.2").address);
        assert_eq!(of("192.0.2.1").network, of("192.0.2.255").network);
        assert_ne!(of("192.0.2.1").network, of("192.0.3.1").network);
        assert_eq!(of("2001:db8:1:1::1").address, of("2001:db8:1:1:ffff::2").address);
        assert_ne!(of("2001:db8:1:1::1").address, of("2001:db8:1:2::1").address);
        assert_eq!(of("2001:db8:1:1::1").network, of("2001:db8:1:ff::1").network);
        assert_ne!(of("2001:db8:1:1::1").network, of("2001:db8:1:101::1").network);
    }
}
