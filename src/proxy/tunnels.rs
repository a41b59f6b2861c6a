//! WebSockets (RFC 6455): who may open one, and how many. Other upgrades are not carried; the engine drops their fields.
//!
//! SECURITY: WS-01, WS-07. Browsers send cookies with a handshake from whatever page it comes, and no rule of theirs keeps a foreign page
//! from reading the answer (RFC 6455 §10.2); so where the page is not this site's, nothing is forwarded. Whoever holds a tunnel open
//! holds two connections, for hours: there is a limit for each client and one for all.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use http::header::UPGRADE;
use pingora::http::RequestHeader;

use super::options::TunnelLimits;
use crate::domain::{SessionId, UserId};

/// Whether a request asks for a WebSocket, as the engine sees it.
pub(super) fn is_asked_for(request: &RequestHeader) -> bool {
    request.headers.get(UPGRADE).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Whose tunnel it is, for the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Holder {
    Member(UserId),
    /// A visitor; of IPv6 the network, since one machine has as many addresses in it as it likes.
    Visitor(IpAddr),
}

impl Holder {
    pub(super) fn visitor(client: IpAddr) -> Self {
        Self::Visitor(match client {
            IpAddr::V4(_) => client,
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        })
    }
}

/// The tunnels that are open.
#[derive(Debug, Default)]
pub(super) struct Tunnels {
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    of: HashMap<Holder, usize>,
}

impl Tunnels {
    /// A place for one more; none if there are too many.
    pub(super) fn open(
        self: &Arc<Self>,
        holder: Holder,
        session: Option<SessionId>,
        limits: &TunnelLimits,
    ) -> Option<Tunnel> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let own = open.of.get(&holder).copied().unwrap_or(0);
        if open.total >= limits.total || own >= limits.per_client {
            return None;
        }
        open.total += 1;
        open.of.insert(holder, own + 1);
        Some(Tunnel { tunnels: Arc::clone(self), holder, session })
    }
}

/// One tunnel's place; free again when it is dropped.
#[derive(Debug)]
pub(super) struct Tunnel {
    tunnels: Arc<Tunnels>,
    holder: Holder,
    /// The session it was opened with: what is sent through it counts as a use.
    pub(super) session: Option<SessionId>,
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        let mut open = self.tunnels.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.total -= 1;
        if let Some(own) = open.of.get_mut(&self.holder) {
            *own -= 1;
            if *own == 0 {
                open.of.remove(&self.holder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ws_07_each_client_has_a_limit_and_all_together_have_one() {
        let (tunnels, limits) = (Arc::new(Tunnels::default()), TunnelLimits { total: 3, per_client: 2 });
        let open = |text: &str| tunnels.open(Holder::visitor(text.parse().unwrap()), None, &limits);
        let [first, second] = ["2001:db8::1", "2001:db8::2"].map(|address| open(address).unwrap());
        assert!(open("2001:db8:0:0:ffff::3").is_none(), "the same network");
        let other = open("192.0.2.1").unwrap();
        assert!(open("192.0.2.2").is_none(), "three are open");
        drop((first, other));
        assert!(open("2001:db8::4").is_some());
        drop(second);
        assert_eq!(tunnels.open.lock().unwrap().of.len(), 0, "nothing is left of those that are gone");
    }
}
