//! The `[upstream]` and `[identity]` sections: the applications, and how they get to know the member.

mod certificates;
mod check;
mod routes;
mod servers;

use std::net::SocketAddr;
use std::time::Duration;

use http::HeaderName;

use super::raw;
use super::reader::{DAY, Reader, quoted};
use super::secret;
use crate::domain::Host;
use crate::proxy::options::{
    ApplicationOptions, Balance, HostHeader, IdentityEncoding, IdentityOptions, TunnelLimits, UpstreamOptions,
};

pub(super) use self::routes::policy;

pub(super) fn read(
    reader: &mut Reader<'_>,
    raw: &raw::Upstream,
    listen: &[SocketAddr],
    identity: Option<&IdentityOptions>,
) -> Option<UpstreamOptions> {
    let own = routes::own(raw);
    let sites = application(reader, "upstream", "upstream".to_owned(), &own, (listen, identity));
    let routed: Vec<_> = routes::all(raw)
        .map(|(key, name, route)| application(reader, &key, name, &route, (listen, identity)))
        .collect();
    let pool_size = reader.number("upstream.pool_size", raw.pool_size, 1..=65_536, "128 suits most");
    let tunnels = tunnels(reader, raw);
    Some(UpstreamOptions {
        sites: sites?,
        routed: routed.into_iter().collect::<Option<_>>()?,
        pool_size: pool_size?,
        tunnels: tunnels?,
    })
}

/// One application, as it stands at `key`. What it does not say has been taken from `[upstream]`.
fn application(
    reader: &mut Reader<'_>,
    key: &str,
    name: String,
    raw: &raw::Route,
    (listen, identity): (&[SocketAddr], Option<&IdentityOptions>),
) -> Option<ApplicationOptions> {
    let servers = servers::read(reader, key, raw, listen);
    let words = [("turns", Balance::Turns), ("member", Balance::Member), ("address", Balance::Address)];
    let balance = reader.word(&format!("{key}.balance"), &raw.balance, &words);
    let ca_file = certificates::authorities(reader, key, &raw.ca_file, servers.as_deref());
    let client_certificate = certificates::client(reader, key, raw, servers.as_deref());
    let host_header = host_header(reader, key, &raw.host_header);
    let millisecond = Duration::from_millis(1);
    let mut time =
        |field: &str, text: &str, most| reader.duration(&format!("{key}.{field}"), text, millisecond..=most);
    let connect_timeout = time("connect_timeout", &raw.connect_timeout, Duration::from_secs(300));
    let read_timeout = time("read_timeout", &raw.read_timeout, DAY);
    let write_timeout = time("write_timeout", &raw.write_timeout, DAY);
    let idle_timeout = time("idle_timeout", &raw.idle_timeout, DAY);
    let check = check::read(reader, key, &raw.check, identity);
    Some(ApplicationOptions {
        name,
        servers: servers?,
        balance: balance?,
        ca_file: ca_file?,
        client_certificate: client_certificate?,
        host_header: host_header?,
        connect_timeout: connect_timeout?,
        read_timeout: read_timeout?,
        write_timeout: write_timeout?,
        idle_timeout: idle_timeout?,
        check: check?,
    })
}

fn tunnels(reader: &mut Reader<'_>, raw: &raw::Upstream) -> Option<TunnelLimits> {
    const EACH: &str = "upstream.max_tunnels_per_client";
    let help = "each takes two connections; 0 carries no WebSockets at all";
    let total = reader.number("upstream.max_tunnels", raw.max_tunnels, 0..=1_000_000, help);
    let per_client = reader.number(EACH, raw.max_tunnels_per_client, 1..=1_000_000, "20 suits most");
    Some(TunnelLimits { total: total?, per_client: per_client? })
}

fn host_header(reader: &mut Reader<'_>, key: &str, text: &str) -> Option<HostHeader> {
    match text {
        "client" => Some(HostHeader::Client),
        "upstream" => Some(HostHeader::Upstream),
        host if Host::parse(host).is_ok() => Some(HostHeader::Fixed(host.to_owned())),
        _ => reader.refuse(
            &format!("{key}.host_header"),
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
