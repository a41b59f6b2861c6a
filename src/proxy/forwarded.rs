//! Who really sent a request, and the `X-Forwarded-*` fields the application is told it by
//! (SECURITY: H7, H8, HDR-06, THR-05).

use std::net::IpAddr;

use http::{HeaderMap, HeaderValue};
use ipnet::IpNet;

use super::fields::Fields;
use super::headers::value_of;
use crate::domain::{Host, address_text};
use crate::policy::Policy;

/// Peers whose word on addresses, scheme and host is taken. Empty unless configured.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpNet>);

/// Where a request came from, as far as we believe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The first address from the right that is not one of our own proxies.
    pub client: IpAddr,
    /// The TCP peer.
    pub peer: IpAddr,
    /// Whether the peer is one of our own proxies.
    pub trust: Trust,
}

/// Whether a peer's forwarding fields are believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// They are.
    Proxy,
    /// They are dropped.
    Stranger,
}

impl TrustedProxies {
    /// Believes peers in these networks.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Judges a request by its TCP peer and, behind our own proxies, by `X-Forwarded-For` read from the right. An
    /// address that can't be read ends the walk at the last one that could.
    pub fn origin(&self, peer: IpAddr, headers: &HeaderMap) -> Origin {
        let peer = peer.to_canonical();
        if !self.contains(peer) {
            return Origin { client: peer, peer, trust: Trust::Stranger };
        }
        let mut client = peer;
        for hop in hops(headers) {
            let Some(address) = hop else { break };
            client = address;
            if !self.contains(address) {
                break;
            }
        }
        Origin { client, peer, trust: Trust::Proxy }
    }

    pub(super) fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// The addresses of all `X-Forwarded-For` fields, the nearest first.
fn hops(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    let fields: Vec<&HeaderValue> = headers.get_all("x-forwarded-for").iter().collect();
    fields.into_iter().rev().flat_map(|field| {
        let text = field.to_str().unwrap_or("");
        text.rsplit(',').map(|hop| parse_hop(hop.trim())).collect::<Vec<_>>()
    })
}

/// An address, possibly with a port, IPv6 possibly in brackets.
fn parse_hop(hop: &str) -> Option<IpAddr> {
    let address =
        hop.parse::<IpAddr>().ok().or_else(|| hop.parse::<std::net::SocketAddr>().ok().map(|hop| hop.ip()));
    let bracketed = || hop.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    address.or_else(bracketed).map(|address| address.to_canonical())
}

/// Writes `X-Forwarded-For`, `-Proto`, `-Host` and `-Port` for the application; whatever the client sent under these
/// names has been dropped before. `sent` is the request as it came in.
///
/// A host that our own proxy tells counts only if it is one of ours: applications make links from it, in mails too, and
/// some proxies pass on what their client sent under that name (SECURITY: H7).
///
/// `X-Forwarded-For` begins with the address we believe to be the client's, since old forums read the leftmost.
pub(super) fn write(
    upstream: &mut impl Fields,
    sent: &HeaderMap,
    origin: &Origin,
    public: &PublicOrigin,
    policy: &Policy,
) -> pingora::Result<()> {
    let chain = match origin.client == origin.peer {
        true => address_text(origin.client),
        false => format!("{}, {}", origin.client, origin.peer),
    };
    upstream.append("X-Forwarded-For", chain.as_bytes())?;
    let (proto, port) = match proxied_proto(sent, origin) {
        Some("https") => ("https", if public.proto == "https" { public.port.as_str() } else { "443" }),
        Some(_) => ("http", if public.proto == "http" { public.port.as_str() } else { "80" }),
        None => (public.proto, public.port.as_str()),
    };
    upstream.append("X-Forwarded-Proto", proto.as_bytes())?;
    upstream.append("X-Forwarded-Port", port.as_bytes())?;
    let is_ours = |host: &&str| Host::parse(host).is_ok_and(|host| policy.answers_to(&host));
    let told = match origin.trust {
        Trust::Proxy => value_of(sent, "x-forwarded-host").filter(is_ours),
        Trust::Stranger => None,
    };
    match (told, sent.get(http::header::HOST)) {
        (Some(host), _) => upstream.append("X-Forwarded-Host", host.as_bytes())?,
        (None, Some(host)) => upstream.append("X-Forwarded-Host", host.as_bytes())?,
        (None, None) => {}
    }
    Ok(())
}

fn proxied_proto<'h>(sent: &'h HeaderMap, origin: &Origin) -> Option<&'h str> {
    match origin.trust {
        Trust::Proxy => {
            value_of(sent, "x-forwarded-proto").filter(|proto| matches!(*proto, "http" | "https"))
        }
        Trust::Stranger => None,
    }
}

/// How browsers reach us, from the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicOrigin {
    /// As browsers write it: `https://forum.example`.
    pub origin: String,
    /// `http` or `https`.
    pub proto: &'static str,
    /// The port, written out.
    pub port: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(forwarded_for: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for field in forwarded_for {
            headers.append("x-forwarded-for", field.parse().unwrap());
        }
        headers
    }

    fn client(trusted: &[&str], peer: &str, forwarded_for: &[&str]) -> String {
        let networks = trusted.iter().map(|network| network.parse().unwrap()).collect();
        TrustedProxies::new(networks)
            .origin(peer.parse().unwrap(), &headers(forwarded_for))
            .client
            .to_string()
    }

    #[test]
    fn h7_a_stranger_is_who_the_connection_says() {
        assert_eq!(client(&[], "192.0.2.1", &["10.0.0.1"]), "192.0.2.1");
        assert_eq!(client(&["10.0.0.0/8"], "192.0.2.1", &["10.0.0.1"]), "192.0.2.1");
    }

    #[test]
    fn hdr_06_behind_our_proxies_the_first_foreign_address_from_the_right_is_the_client() {
        let trusted = ["10.0.0.0/8", "2001:db8::/32"];
        for (forwarded_for, expected) in [
            (vec!["198.51.100.7"], "198.51.100.7"),
            (vec!["1.1.1.1, 198.51.100.7"], "198.51.100.7"),
            (vec!["1.1.1.1", "198.51.100.7, 10.0.0.9"], "198.51.100.7"),
            (vec!["198.51.100.7:1234"], "198.51.100.7"),
            (vec!["[2001:db9::1]:99, 10.1.1.1"], "2001:db9::1"),
            (vec!["::ffff:198.51.100.7"], "198.51.100.7"),
            (vec!["10.0.0.8, 10.0.0.9"], "10.0.0.8"),
            (vec![], "10.0.0.1"),
        ] {
            assert_eq!(client(&trusted, "10.0.0.1", &forwarded_for), expected, "{forwarded_for:?}");
        }
    }

    #[test]
    fn h8_an_unreadable_address_leaves_the_last_readable_one() {
        for nonsense in ["unknown", "", "1.2.3", "198.51.100.7, evil", "_hidden", "999.1.1.1"] {
            assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", &[nonsense]), "10.0.0.1", "{nonsense}");
        }
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", &["evil, 10.0.0.5"]), "10.0.0.5");
    }
}
