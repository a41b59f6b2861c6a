//! The `[upstream]` and `[identity]` sections: the application, and how it gets to know the member.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use http::HeaderName;
use url::{Position, Url};

use super::raw;
use super::reader::{DAY, Reader, quoted, quoted_url};
use super::secret;
use super::server::placed;
use crate::domain::Host;
use crate::proxy::options::{
    CaFile, HostHeader, IdentityEncoding, IdentityOptions, TunnelLimits, UpstreamOptions, UpstreamScheme,
};

pub(super) fn read(
    reader: &mut Reader<'_>,
    raw: &raw::Upstream,
    listen: &[SocketAddr],
) -> Option<UpstreamOptions> {
    let address = url(reader, &raw.url, listen);
    let ca_file = ca_file(reader, &raw.ca_file, address.as_ref().map(|(scheme, ..)| *scheme));
    let host_header = host_header(reader, &raw.host_header);
    let millisecond = Duration::from_millis(1);
    let mut time = |key: &str, text: &str, most| reader.duration(key, text, millisecond..=most);
    let connect_timeout = time("upstream.connect_timeout", &raw.connect_timeout, Duration::from_secs(300));
    let read_timeout = time("upstream.read_timeout", &raw.read_timeout, DAY);
    let write_timeout = time("upstream.write_timeout", &raw.write_timeout, DAY);
    let idle_timeout = time("upstream.idle_timeout", &raw.idle_timeout, DAY);
    let pool_size = reader.number("upstream.pool_size", raw.pool_size, 1..=65_536, "128 suits most");
    let tunnels = tunnels(reader, raw);
    let (scheme, host, port) = address?;
    Some(UpstreamOptions {
        host,
        port,
        scheme,
        ca_file: ca_file?,
        host_header: host_header?,
        connect_timeout: connect_timeout?,
        read_timeout: read_timeout?,
        write_timeout: write_timeout?,
        idle_timeout: idle_timeout?,
        pool_size: pool_size?,
        tunnels: tunnels?,
    })
}

fn tunnels(reader: &mut Reader<'_>, raw: &raw::Upstream) -> Option<TunnelLimits> {
    const EACH: &str = "upstream.max_tunnels_per_client";
    let help = "each takes two connections; 0 carries no WebSockets at all";
    let total = reader.number("upstream.max_tunnels", raw.max_tunnels, 0..=1_000_000, help);
    let per_client = reader.number(EACH, raw.max_tunnels_per_client, 1..=1_000_000, "20 suits most");
    Some(TunnelLimits { total: total?, per_client: per_client? })
}

fn url(reader: &mut Reader<'_>, text: &str, listen: &[SocketAddr]) -> Option<(UpstreamScheme, Host, u16)> {
    const KEY: &str = "upstream.url";
    let expected = "where the application listens, such as \"http://127.0.0.1:8000\"";
    let parsed = Url::parse(text).ok();
    let host = parsed.as_ref().and_then(Url::host_str).and_then(|host| Host::parse(host).ok());
    let (Some(url), Some(host)) = (parsed, host) else {
        return reader.refuse(KEY, quoted_url(text), expected, "begin with http:// and name host and port");
    };
    let scheme = match url.scheme() {
        "http" => UpstreamScheme::Http,
        "https" => UpstreamScheme::Https,
        _ => return reader.refuse(KEY, quoted_url(text), expected, "begin with http:// or https://"),
    };
    if &url[Position::BeforePath..] != "/" || !url.username().is_empty() || url.password().is_some() {
        let help = "leave out path, query and user: paths are forwarded as they come";
        return reader.refuse(KEY, quoted_url(text), expected, help);
    }
    let port = url.port_or_known_default().unwrap_or(80);
    if port == 0 || listen.iter().any(|address| is_ours(*address, &host, port)) {
        let help = "requests would go round in circles: give the application and the gateway different ports";
        return reader.refuse(
            KEY,
            quoted_url(text),
            "the application's address, not one of passgate's own",
            help,
        );
    }
    Some((scheme, host, port))
}

/// The inner `None` is the system's authorities.
fn ca_file(reader: &mut Reader<'_>, text: &str, scheme: Option<UpstreamScheme>) -> Option<Option<CaFile>> {
    const KEY: &str = "upstream.ca_file";
    if text.is_empty() {
        return Some(None);
    }
    if scheme == Some(UpstreamScheme::Http) {
        let help = "in the clear nobody shows a certificate: begin upstream.url with https://, or leave the file out";
        return reader.refuse(KEY, quoted(text), "an upstream.url over https", help);
    }
    let path = placed(reader, KEY, text).to_string_lossy().into_owned();
    match CaFile::new(path.clone()) {
        Ok(file) => Some(Some(file)),
        Err(error) => {
            let found = format!("{}: {error}", quoted(&path));
            let help = "name the certificate of the authority that signed the application's";
            reader.refuse(KEY, found, "certificates in PEM, and nothing else", help)
        }
    }
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

fn host_header(reader: &mut Reader<'_>, text: &str) -> Option<HostHeader> {
    match text {
        "client" => Some(HostHeader::Client),
        "upstream" => Some(HostHeader::Upstream),
        host if Host::parse(host).is_ok() => Some(HostHeader::Fixed(host.to_owned())),
        _ => reader.refuse(
            "upstream.host_header",
            quoted(text),
            "\"client\", \"upstream\", or a host of your own, with a port if it needs one",
            "\"client\" passes on what the browser sent, which suits most applications",
        ),
    }
}

pub(super) fn identity(reader: &mut Reader<'_>, raw: &raw::Identity) -> Option<IdentityOptions> {
    let named = [
        ("user", &raw.user),
        ("name", &raw.name),
        ("email", &raw.email),
        ("groups", &raw.groups),
        ("secret", &raw.secret),
    ];
    let mut taken: Vec<(String, &str)> = Vec::new();
    let [user, name, email, groups, secret] = named.map(|(field, text)| {
        let key = format!("identity.{field}");
        let header = header_name(reader, &key, text)?;
        if let Some((_, other)) = taken.iter().find(|(name, _)| *name == folded(text)) {
            let help = format!("applications could not tell it from identity.{other}: name it differently");
            return reader.refuse(
                &key,
                quoted(text),
                "a name of its own, beyond hyphens and underscores",
                help,
            );
        }
        taken.push((folded(text), field));
        Some(header)
    });
    let encodings = [("percent", IdentityEncoding::Percent), ("utf-8", IdentityEncoding::Utf8)];
    let encoding = reader.word("identity.encoding", &raw.encoding, &encodings);
    let proof = secret::header_value(reader, "identity.secret_file", &raw.secret_file);
    Some(IdentityOptions {
        user: user?,
        name: name?,
        email: email?,
        groups: groups?,
        encoding: encoding?,
        secret: secret?,
        proof: proof?,
    })
}

/// SECURITY: HDR-01. All spellings of these names are dropped from requests, so none may be one that HTTP itself or the
/// gateway needs.
fn header_name(reader: &mut Reader<'_>, key: &str, text: &str) -> Option<HeaderName> {
    let Ok(name) = HeaderName::from_bytes(text.as_bytes()) else {
        return reader.refuse(
            key,
            quoted(text),
            "a header name, such as \"Remote-User\"",
            "use letters, digits and hyphens",
        );
    };
    if folded(text).is_empty() || is_reserved(text) {
        let help = "HTTP, browsers or the gateway itself use that name; take one such as \"Remote-User\"";
        return reader.refuse(key, quoted(text), "a name that is used for nothing else", help);
    }
    Some(name)
}

/// Letters and digits in lower case: PHP, Python and others see no difference between the rest (SECURITY: H1).
fn folded(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

fn is_reserved(name: &str) -> bool {
    const NAMES: [&str; 38] = [
        "accept",
        "age",
        "allow",
        "authorization",
        "cachecontrol",
        "connection",
        "cookie",
        "cookie2",
        "date",
        "dnt",
        "etag",
        "expect",
        "expires",
        "forwarded",
        "from",
        "host",
        "http2settings",
        "keepalive",
        "lastmodified",
        "location",
        "maxforwards",
        "origin",
        "pragma",
        "prefer",
        "priority",
        "proxy",
        "range",
        "referer",
        "server",
        "setcookie",
        "te",
        "trailer",
        "transferencoding",
        "upgrade",
        "useragent",
        "vary",
        "via",
        "warning",
    ];
    const FAMILIES: [&str; 14] = [
        "accept-",
        "access-control-",
        "content-",
        "if-",
        "proxy-",
        "sec-",
        "x-forwarded",
        "x-real-",
        "x-request-",
        "x-requested-",
        "x-original-",
        "x-rewrite-",
        "x-http-method",
        "x-csrf-",
    ];
    let folded = folded(name);
    let hyphens: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    let bare = |family: &str| family.starts_with("x-").then(|| self::folded(family));
    NAMES.contains(&folded.as_str())
        || FAMILIES.iter().any(|family| hyphens.starts_with(family))
        || FAMILIES.iter().filter_map(|family| bare(family)).any(|family| folded.starts_with(&family))
}
