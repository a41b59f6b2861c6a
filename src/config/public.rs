//! How browsers reach the gateway: the public URL, the names it answers to, the origins its forms may come from.

use url::{Position, Url};

use super::raw;
use super::reader::{Reader, quoted, quoted_url};
use crate::auth::Transport;
use crate::domain::{Host, HostPattern};

/// What follows from `server.public_url` and `server.hosts`.
#[derive(Debug)]
pub(super) struct Public {
    pub(super) url: Url,
    pub(super) host: Host,
    pub(super) transport: Transport,
    pub(super) hosts: Vec<HostPattern>,
    pub(super) aliases: Vec<HostPattern>,
    pub(super) origins: Vec<String>,
}

const URL: &str = "server.public_url";
const HOSTS: &str = "server.hosts";
const ALIASES: &str = "server.aliases";

pub(super) fn read(reader: &mut Reader<'_>, raw: &raw::Server) -> Option<Public> {
    let address = public_url(reader, &raw.public_url);
    let extra: Vec<_> = raw.hosts.iter().map(|text| host(reader, HOSTS, text)).collect();
    let aliases: Vec<_> = raw.aliases.iter().map(|text| host(reader, ALIASES, text)).collect();
    let (url, own) = address?;
    let transport = if url.scheme() == "http" { Transport::PlainLoopback } else { Transport::Tls };
    if transport == Transport::PlainLoopback {
        only_loopback(reader, extra.iter().flatten());
    }
    let mut hosts = vec![HostPattern::Exact(own.clone())];
    if transport == Transport::PlainLoopback {
        hosts.extend(
            ["localhost", "127.0.0.1", "[::1]"].iter().filter_map(|name| HostPattern::parse(name).ok()),
        );
    }
    hosts.extend(extra.into_iter().flatten());
    let hosts = without_repeats(hosts);
    let origins = hosts.iter().filter_map(|pattern| origin(&url, pattern)).collect();
    let aliases: Vec<_> = aliases.into_iter().flatten().collect();
    if let Some(twice) = aliases.iter().find(|alias| hosts.contains(alias)) {
        let (HostPattern::Exact(name) | HostPattern::Below(name)) = twice;
        let expected = "names that are neither in server.hosts nor the site's own";
        return reader.refuse(
            ALIASES,
            quoted(name.as_str()),
            expected,
            "a name is served or leads away, not both",
        );
    }
    Some(Public { url, host: own, transport, hosts, aliases, origins })
}

/// SECURITY: OPS-09. Session cookies are `Secure`; without TLS they work on loopback names alone.
fn public_url(reader: &mut Reader<'_>, text: &str) -> Option<(Url, Host)> {
    let expected = "how browsers reach the site, such as \"https://forum.example.org\"";
    let Ok(url) = Url::parse(text) else {
        return reader.refuse(
            URL,
            quoted_url(text),
            expected,
            "begin with https:// and add nothing but the host",
        );
    };
    let Some(host) = url.host_str().and_then(|host| Host::parse(host).ok()) else {
        return reader.refuse(URL, quoted_url(text), expected, "name the host after https://");
    };
    if !matches!(url.scheme(), "http" | "https") {
        return reader.refuse(URL, quoted_url(text), expected, "begin with https://");
    }
    let rest = &url[Position::BeforePath..];
    if rest != "/" || !url.username().is_empty() || url.password().is_some() {
        let help = "leave out path, query and user: the gateway takes the whole host";
        return reader.refuse(URL, quoted_url(text), expected, help);
    }
    if url.port() == Some(0) {
        return reader.refuse(
            URL,
            quoted_url(text),
            expected,
            "port 0 can't be reached; write the real port",
        );
    }
    if url.scheme() == "http" && !host.is_loopback() {
        let help = "passwords and session cookies must not travel in the clear: put TLS in front (see \
                    config/behind-a-proxy.toml) and write https:// here";
        return reader.refuse(
            URL,
            quoted_url(text),
            "https, or http on a loopback name for trying out",
            help,
        );
    }
    Some((url, host))
}

fn host(reader: &mut Reader<'_>, key: &str, text: &str) -> Option<HostPattern> {
    let has_port = !text.contains('[') && text.contains(':') || text.contains("]:");
    match HostPattern::parse(text) {
        Ok(pattern) if !has_port => Some(pattern),
        _ => reader.refuse(
            key,
            quoted(text),
            "a host name, or `*.` and a host name",
            "write no scheme, port or path; write names beyond ASCII in their xn-- form",
        ),
    }
}

fn only_loopback<'h>(reader: &mut Reader<'_>, hosts: impl Iterator<Item = &'h HostPattern>) {
    for pattern in hosts {
        let (HostPattern::Exact(host) | HostPattern::Below(host)) = pattern;
        if !host.is_loopback() {
            let expected = "loopback names, as server.public_url is plain http";
            let help = "further names need TLS too: let server.public_url begin with https://";
            reader.note(HOSTS, quoted(host.as_str()), expected, help);
        }
    }
}

fn without_repeats(hosts: Vec<HostPattern>) -> Vec<HostPattern> {
    hosts.into_iter().fold(Vec::new(), |mut kept, host| {
        if !kept.contains(&host) {
            kept.push(host);
        }
        kept
    })
}

/// Names below a suffix are one origin with `*.` in it.
fn origin(url: &Url, pattern: &HostPattern) -> Option<String> {
    let (HostPattern::Exact(host) | HostPattern::Below(host)) = pattern;
    let mut url = url.clone();
    url.set_host(Some(host.as_str())).ok()?;
    let origin = url.origin().ascii_serialization();
    Some(match pattern {
        HostPattern::Exact(_) => origin,
        HostPattern::Below(_) => origin.replacen("://", "://*.", 1),
    })
}
