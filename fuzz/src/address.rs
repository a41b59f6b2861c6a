//! Whose address counts (HDR-06, THR-05).

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderValue};
use passgate::proxy::TrustedProxies;
use tokio::runtime::{Builder, Runtime};

#[path = "../../src/server/proxy_protocol.rs"]
mod proxy_protocol;

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread().enable_time().build().expect("a runtime");
}

/// The header of a load balancer is taken off to the byte, and what it says is what is in it; of what proxies pass on, only the
/// nearest address that is none of ours counts.
pub fn address(data: &[u8]) {
    let mut stream = data;
    if let Ok(client) = RUNTIME.with(|runtime| runtime.block_on(proxy_protocol::client(&mut stream))) {
        of_a_balancer(client, &data[..data.len() - stream.len()]);
    }
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n').take(200) {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append("x-forwarded-for", value);
        }
    }
    let (ours, stranger) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([192, 0, 2, 1]));
    let trusted = TrustedProxies::new(vec!["10.0.0.0/8".parse().expect("a network")]);
    assert_eq!(trusted.origin(stranger, &headers).client, stranger);
    let client = trusted.origin(ours, &headers).client;
    let is_ours = |address: &IpAddr| matches!(address, IpAddr::V4(four) if four.octets()[0] == 10);
    let fields: Vec<_> = headers.get_all("x-forwarded-for").iter().map(|field| field.to_str().unwrap_or("")).collect();
    let nearest_first = fields.iter().rev().flat_map(|field| field.rsplit(',')).map(|hop| {
        let hop = hop.trim();
        let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']'));
        let address = hop.parse().ok().or_else(|| hop.parse::<SocketAddr>().ok().map(|hop| hop.ip()));
        // Only IPv6 is in brackets, but what else could be read in them is no other address.
        address.or_else(|| bare?.parse().ok()).map(|address: IpAddr| address.to_canonical())
    });
    let mut last = ours;
    for hop in nearest_first {
        let Some(hop) = hop else { break };
        last = hop;
        if !is_ours(&hop) {
            break;
        }
    }
    assert_eq!(client, last);
}

fn of_a_balancer(client: Option<SocketAddr>, header: &[u8]) {
    if let Ok(line) = std::str::from_utf8(header)
        && line.starts_with("PROXY ")
    {
        assert!(line.ends_with("\r\n") && line.find("\r\n") == Some(line.len() - 2), "{line:?}");
        let mut words = line.trim_end().split(' ').skip(1);
        match (words.next(), client) {
            (Some("TCP4" | "TCP6"), Some(client)) => {
                assert_eq!(words.next().map(str::parse), Some(Ok(client.ip())), "{line:?}");
                assert_eq!(words.nth(1).map(str::parse), Some(Ok(client.port())), "{line:?}");
            }
            (word, client) => assert!(word == Some("UNKNOWN") && client.is_none(), "{line:?}"),
        }
        return;
    }
    assert!(header.starts_with(b"\r\n\r\n\0\r\nQUIT\n") && header.len() >= 16, "{header:?}");
    assert_eq!(usize::from(u16::from_be_bytes([header[14], header[15]])), header.len() - 16);
    match client {
        Some(SocketAddr::V4(four)) => assert_eq!(four.ip().octets(), header[16..20]),
        Some(SocketAddr::V6(six)) => assert_eq!(six.ip().octets(), header[16..32]),
        None => {}
    }
}
