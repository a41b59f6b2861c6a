//! Where an application runs: its servers' URLs, and how much each of them gets.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use url::{Position, Url};

use crate::config::raw;
use crate::config::reader::{Reader, quoted_url};
use crate::domain::Host;
use crate::proxy::options::{ApplicationOptions, Place, ServerAt, UpstreamScheme};

const EXPECTED: &str =
    "where the application listens, such as \"http://127.0.0.1:8000\" or \"unix:/run/app.sock\"";

pub(super) fn read(
    reader: &mut Reader<'_>,
    key: &str,
    raw: &raw::Route,
    listen: &[SocketAddr],
) -> Option<Vec<ServerAt>> {
    let url_key = format!("{key}.url");
    if raw.url.is_empty() || raw.url.len() > ApplicationOptions::MOST_SERVERS {
        let found = if raw.url.is_empty() { "none".to_owned() } else { format!("{} of them", raw.url.len()) };
        let expected = format!("one URL, or a list of up to {}", ApplicationOptions::MOST_SERVERS);
        return reader.refuse(&url_key, found, expected, "name where the application listens");
    }
    let weights = weights(reader, key, raw);
    let places: Vec<_> = raw.url.iter().map(|text| place(reader, &url_key, text, listen)).collect();
    let places: Vec<Place> = places.into_iter().collect::<Option<_>>()?;
    if let Some(twice) = (1..places.len()).find(|at| places[..*at].contains(&places[*at])) {
        let help = "one that is to get more than the others gets a greater number in `weights`";
        return reader.refuse(&url_key, quoted_url(&raw.url[twice]), "each server once", help);
    }
    let servers = places.into_iter().zip(weights?).map(|(place, weight)| ServerAt { place, weight });
    Some(servers.collect())
}

fn weights(reader: &mut Reader<'_>, key: &str, raw: &raw::Route) -> Option<Vec<u8>> {
    let key = format!("{key}.weights");
    if raw.weights.is_empty() {
        return Some(vec![1; raw.url.len()]);
    }
    if raw.weights.len() != raw.url.len() {
        let found = format!("{} numbers for {} URLs", raw.weights.len(), raw.url.len());
        let help = "write them in the order of `url`, or leave them out if all are alike";
        return reader.refuse(&key, found, "a number for each URL", help);
    }
    let help = "a server with 2 gets twice as much as one with 1";
    raw.weights.iter().map(|weight| reader.number(&key, *weight, 1..=100, help)).collect()
}

fn place(reader: &mut Reader<'_>, key: &str, text: &str, listen: &[SocketAddr]) -> Option<Place> {
    if let Some(path) = text.strip_prefix("unix:") {
        return socket(reader, key, text, path);
    }
    let parsed = Url::parse(text).ok();
    let host = parsed.as_ref().and_then(Url::host_str).and_then(|host| Host::parse(host).ok());
    let (Some(url), Some(host)) = (parsed, host) else {
        return reader.refuse(key, quoted_url(text), EXPECTED, "begin with http:// and name host and port");
    };
    let scheme = match url.scheme() {
        "http" => UpstreamScheme::Http,
        "https" => UpstreamScheme::Https,
        _ => return reader.refuse(key, quoted_url(text), EXPECTED, "begin with http://, https:// or unix:"),
    };
    if &url[Position::BeforePath..] != "/" || !url.username().is_empty() || url.password().is_some() {
        let help = "leave out path, query and user: paths are forwarded as they come";
        return reader.refuse(key, quoted_url(text), EXPECTED, help);
    }
    let port = url.port_or_known_default().unwrap_or(80);
    if port == 0 || listen.iter().any(|address| is_ours(*address, &host, port)) {
        let help = "requests would go round in circles: give the application and the gateway different ports";
        let expected = "the application's address, not one of passgate's own";
        return reader.refuse(key, quoted_url(text), expected, help);
    }
    Some(Place::Port { scheme, host, port })
}

/// With two slashes before the path it is the same, as in other URLs.
fn socket(reader: &mut Reader<'_>, key: &str, text: &str, path: &str) -> Option<Place> {
    let path = PathBuf::from(path.strip_prefix("//").unwrap_or(path));
    let is_plain = path.is_absolute() && !text.contains(['?', '#']) && !text.chars().any(char::is_control);
    // The system takes no longer ones.
    if !is_plain || std::os::unix::net::SocketAddr::from_pathname(&path).is_err() {
        let help = "write unix: and the whole path of the socket, of at most 107 bytes";
        return reader.refuse(key, quoted_url(text), EXPECTED, help);
    }
    Some(Place::Socket(path))
}

/// Whether connecting to `host` and `port` would reach our own listener.
fn is_ours(listen: SocketAddr, host: &Host, port: u16) -> bool {
    let literal = host.as_str().trim_start_matches('[').trim_end_matches(']');
    let addresses = match literal.parse() {
        Ok(address) => vec![address],
        Err(_) if host.is_loopback() => {
            vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]
        }
        Err(_) => Vec::new(),
    };
    let reaches = |address: &IpAddr| {
        *address == listen.ip()
            || address.is_loopback() && listen.ip().is_unspecified()
            || address.is_unspecified()
    };
    listen.port() == port && addresses.iter().any(reaches)
}
