//! How much may be tried.

use std::time::Duration;

/// The budgets of the throttle. Only what does not succeed is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThrottleOptions {
    /// So many wrong tries of an account in a row from one place, a network or a known device; then each next one waits.
    pub account: u32,
    /// How long the first wait is; each further wrong try doubles it …
    pub wait: Duration,
    /// … up to this.
    pub longest_wait: Duration,
    /// So many from one address (of IPv6, a /64) within `window`.
    pub address: u32,
    /// So many from one network (an IPv4 /24, an IPv6 /56) within `window`.
    pub prefix: u32,
    /// So many from everywhere together within `window`. Bounds the memory that the throttle takes, too.
    pub process: u32,
    /// What the three above are counted in.
    pub window: Duration,
}

impl Default for ThrottleOptions {
    fn default() -> Self {
        Self {
            account: 5,
            wait: Duration::from_secs(60),
            longest_wait: Duration::from_secs(3_600),
            address: 30,
            prefix: 120,
            process: 20_000,
            window: Duration::from_secs(15 * 60),
        }
    }
}

impl ThrottleOptions {
    /// So many times `account` are let through from all strange places together before each next one waits: whoever hammers
    /// a name from one network shuts out their own network first.
    const PLACES: u32 = 4;
    /// SECURITY: THR-01. No more wrong tries in a row from strange places: with those of known devices, a hundred.
    pub(super) const OF_STRANGERS: u32 = 80;
    /// Nor from all known devices of an account together.
    pub(super) const OF_DEVICES: u32 = 20;
    /// A device that got it wrong so often in a row is as strange as any.
    pub(super) const OF_A_DEVICE: u32 = 10;

    pub(super) fn strangers(&self) -> u32 {
        self.account * Self::PLACES
    }

    /// More places than this are not told apart: by then the strangers' budget has run out.
    pub(super) fn places(&self) -> usize {
        (self.strangers() + Self::OF_DEVICES) as usize
    }
}
