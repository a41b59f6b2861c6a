//! The routes of `[upstream]`: which requests go to another application, and what that takes from `[upstream]`.

use crate::config::access::{self, Around};
use crate::config::raw;
use crate::config::reader::{Reader, quoted};
use crate::policy::{ApplicationId, Policy, Route};

/// `[upstream]` itself, as a route.
pub(super) fn own(raw: &raw::Upstream) -> raw::Route {
    raw::Route {
        host: String::new(),
        path: "/**".into(),
        url: raw.url.clone(),
        weights: raw.weights.clone(),
        balance: raw.balance.clone(),
        ca_file: raw.ca_file.clone(),
        client_certificate: raw.client_certificate.clone(),
        client_key: raw.client_key.clone(),
        host_header: raw.host_header.clone(),
        connect_timeout: raw.connect_timeout.clone(),
        read_timeout: raw.read_timeout.clone(),
        write_timeout: raw.write_timeout.clone(),
        idle_timeout: raw.idle_timeout.clone(),
        check: raw.check.clone(),
    }
}

/// The routes' keys, names and contents, with what they have from `[upstream]`. Files and checks belong to one application and
/// are not taken over.
pub(super) fn all(raw: &raw::Upstream) -> impl Iterator<Item = (String, String, raw::Route)> {
    let or = |own: &String, above: &String| if own.is_empty() { above.clone() } else { own.clone() };
    raw.route.iter().enumerate().map(move |(at, route)| {
        let full = raw::Route {
            balance: or(&route.balance, &raw.balance),
            host_header: or(&route.host_header, &raw.host_header),
            connect_timeout: or(&route.connect_timeout, &raw.connect_timeout),
            read_timeout: or(&route.read_timeout, &raw.read_timeout),
            write_timeout: or(&route.write_timeout, &raw.write_timeout),
            idle_timeout: or(&route.idle_timeout, &raw.idle_timeout),
            ..route.clone()
        };
        (key(at), format!("{}{}", route.host, route.path), full)
    })
}

/// Gives the routes to the policy, which knows what is asked for.
pub(in crate::config) fn policy(
    reader: &mut Reader<'_>,
    raw: &raw::Upstream,
    around: &Around<'_>,
    policy: Option<Policy>,
) -> Option<Policy> {
    let routes: Vec<_> =
        raw.route.iter().enumerate().map(|(at, route)| read(reader, at, route, around)).collect();
    let routes = routes.into_iter().collect::<Option<Vec<Route>>>()?;
    for (at, route) in routes.iter().enumerate() {
        let same = |other: &&Route| (&other.host, &other.path) == (&route.host, &route.path);
        if let Some(first) = routes[..at].iter().position(|other| same(&other)) {
            let found = format!("the same host and path as route {}", first + 1);
            let help = "one would never count: several servers of one application are a list in `url`";
            return reader.refuse(&key(at), found, "each request to be for one application", help);
        }
    }
    Some(policy?.routed(routes))
}

fn read(reader: &mut Reader<'_>, at: usize, raw: &raw::Route, around: &Around<'_>) -> Option<Route> {
    let key = key(at);
    let host = access::host(reader, &key, &raw.host, around.public);
    let path = access::path(reader, &key, &raw.path, around.prefix);
    let Some(application) = ApplicationId::of_route(at) else {
        return reader.refuse(&key, format!("route {}", at + 1), "fewer routes", "leave some out");
    };
    let (host, path) = (host?, path?);
    if host.is_none() && path.as_str() == "/**" {
        let found = format!("{} for every host", quoted(path.as_str()));
        let help = "nothing would be left for upstream.url: name a host or a path, or write the URL there";
        return reader.refuse(&key, found, "a part of the site", help);
    }
    Some(Route { host, path, application })
}

fn key(at: usize) -> String {
    format!("upstream.route.{}", at + 1)
}
