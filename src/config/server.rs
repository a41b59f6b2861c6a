//! The `[server]` section: where to listen, where to keep things, what to let through.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::Method;
use ipnet::IpNet;

use super::problem::Source;
use super::public::Public;
use super::raw;
use super::reader::{Reader, quoted};
use crate::domain::RequestPath;
use crate::server::options::{ProxyProtocol, ServerOptions, Watch};

pub(super) fn read(
    reader: &mut Reader<'_>,
    raw: &raw::Server,
    public: Option<&Public>,
    over_tls: &[String],
) -> Option<ServerOptions> {
    const LISTEN: &str = "server.listen";
    let listen = match raw.listen.is_empty() && over_tls.is_empty() {
        true => reader.refuse(LISTEN, "an empty list", "at least one address", "write \"127.0.0.1:8080\""),
        false => listen(reader, LISTEN, &raw.listen, &[]),
    };
    let admin_listen = admin(reader, &raw.admin_listen, listen.as_deref());
    let data_dir = if raw.data_dir.is_empty() {
        reader.refuse(
            "server.data_dir",
            "an empty text",
            "a folder",
            "accounts and sessions have to lie somewhere",
        )
    } else {
        Some(placed(reader, "server.data_dir", &raw.data_dir))
    };
    let threads = reader.number("server.threads", raw.threads, 0..=1024, "0 means one for each core");
    let hour = Duration::from_secs(60 * 60);
    let drain_timeout = reader.duration("server.drain_timeout", &raw.drain_timeout, Duration::ZERO..=hour);
    Some(ServerOptions {
        listen: listen?,
        admin_listen: admin_listen?,
        public_url: public?.url.clone(),
        data_dir: data_dir?,
        threads: threads?,
        drain_timeout: drain_timeout?,
        proxy_protocol: if raw.proxy_protocol { ProxyProtocol::Expected } else { ProxyProtocol::Off },
        user: Some(raw.user.clone()).filter(|user| !user.is_empty()),
        watch: if raw.watch { Watch::On } else { Watch::Off },
    })
}

/// A path as meant: what a file says, or leaves at its default, lies beside the file, so that a command finds the same
/// data from wherever it is started; what the environment or the command line says lies where that was said.
pub(super) fn placed(reader: &Reader<'_>, key: &str, text: &str) -> PathBuf {
    let file = reader.layers().file().and_then(|file| file.parent());
    match (reader.layers().source_of(key), file) {
        (Source::Default | Source::File(_), Some(folder)) => folder.join(text),
        _ => Path::new(text).to_owned(),
    }
}

/// Addresses to listen on that are not `taken` by others.
pub(super) fn listen(
    reader: &mut Reader<'_>,
    key: &str,
    texts: &[String],
    taken: &[SocketAddr],
) -> Option<Vec<SocketAddr>> {
    let mut all: Vec<SocketAddr> = Vec::new();
    let mut complete = true;
    for text in texts {
        let found = match address(reader, key, text) {
            Some(address) if all.iter().chain(taken).any(|other| clash(*other, address)) => {
                reader.refuse(key, quoted(text), "each address once", "remove one of the two")
            }
            other => other,
        };
        complete &= found.is_some();
        all.extend(found);
    }
    complete.then_some(all)
}

/// The inner `None` is no listener; the outer one, a problem.
fn admin(reader: &mut Reader<'_>, text: &str, listen: Option<&[SocketAddr]>) -> Option<Option<SocketAddr>> {
    const KEY: &str = "server.admin_listen";
    if text.is_empty() {
        return Some(None);
    }
    let address = address(reader, KEY, text)?;
    if listen.unwrap_or_default().iter().any(|other| clash(*other, address)) {
        let expected = "an address of its own, not one of server.listen";
        return reader.refuse(
            KEY,
            quoted(text),
            expected,
            "metrics and health stay off the public side: take another port",
        );
    }
    Some(Some(address))
}

fn address(reader: &mut Reader<'_>, key: &str, text: &str) -> Option<SocketAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let help = match text.strip_prefix(':') {
        Some(port) => format!("write \"0.0.0.0:{port}\" for all addresses of this machine"),
        None if text.starts_with("localhost") => "names are not looked up: write 127.0.0.1".to_owned(),
        None => "write the address in digits, then a colon and the port; IPv6 in brackets: \"[::1]:8080\""
            .to_owned(),
    };
    reader.refuse(key, quoted(text), "an address and a port, such as \"127.0.0.1:8080\"", help)
}

/// Whether both can't be listened on at once. Port 0 is a free port each time.
fn clash(one: SocketAddr, other: SocketAddr) -> bool {
    let covers = |a: IpAddr, b: IpAddr| a == b || a.is_unspecified() && (a.is_ipv6() || b.is_ipv4());
    one.port() == other.port()
        && one.port() != 0
        && (covers(one.ip(), other.ip()) || covers(other.ip(), one.ip()))
}

/// SECURITY: H7. Whoever may be believed is named; "everybody" is refused, and so is what comes near it.
pub(super) fn trusted_proxies(reader: &mut Reader<'_>, texts: &[String]) -> Option<Vec<IpNet>> {
    const KEY: &str = "server.trusted_proxies";
    let networks: Vec<_> = texts.iter().map(|text| {
        let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        let widest = |network: &IpNet| if network.addr().is_ipv4() { 8 } else { 7 };
        match network {
            Ok(network) if network.prefix_len() >= widest(&network) => Some(network.trunc()),
            Ok(_) => reader.refuse(
                KEY,
                quoted(text),
                "the addresses of your own proxies",
                "whoever is trusted here can pretend any client address and host: name the proxy's address alone",
            ),
            Err(_) => reader.refuse(
                KEY,
                quoted(text),
                "an address, or a network such as \"10.0.0.0/24\"",
                "write it in digits; names are not looked up",
            ),
        }
    }).collect();
    networks.into_iter().collect()
}

pub(super) fn methods(reader: &mut Reader<'_>, texts: &[String]) -> Option<Vec<Method>> {
    const KEY: &str = "server.methods";
    let methods: Vec<_> = texts.iter().map(|text| method(reader, KEY, text)).collect();
    let methods = methods.into_iter().collect::<Option<Vec<_>>>()?;
    if let Some(refused) = methods.iter().find(|method| matches!(**method, Method::TRACE | Method::CONNECT)) {
        let help =
            "TRACE shows cookies to scripts and CONNECT opens tunnels; neither is for a web application";
        return reader.refuse(KEY, quoted(refused.as_str()), "methods without TRACE and CONNECT", help);
    }
    for needed in [Method::GET, Method::POST] {
        if !methods.contains(&needed) {
            let expected = "a list with GET and POST";
            return reader.refuse(
                KEY,
                format!("a list without {needed}"),
                expected,
                "the sign-in page needs both",
            );
        }
    }
    Some(methods)
}

pub(super) fn method(reader: &mut Reader<'_>, key: &str, text: &str) -> Option<Method> {
    match Method::from_bytes(text.as_bytes()) {
        Ok(method) if text.bytes().all(|byte| !byte.is_ascii_lowercase()) => Some(method),
        _ => {
            let help =
                format!("write {:?}: methods are told apart by letter case", text.to_ascii_uppercase());
            reader.refuse(key, quoted(text), "a method in capitals, such as \"GET\"", help)
        }
    }
}

pub(super) fn prefix(reader: &mut Reader<'_>, text: &str) -> Option<String> {
    const KEY: &str = "server.prefix";
    let plain = |segment: &str| {
        !segment.is_empty()
            && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
    };
    let canonical = RequestPath::parse(text).is_ok_and(|path| path.decoded() == text);
    let shaped = text.strip_prefix('/').is_some_and(|rest| rest.split('/').all(plain));
    if canonical && shaped && text != "/.well-known" {
        return Some(text.to_owned());
    }
    reader.refuse(
        KEY,
        quoted(text),
        "a path such as \"/.passgate\"",
        "begin with a slash, end without one, use letters, digits, `-`, `.`, `_`, `~`; and nothing the application uses",
    )
}
