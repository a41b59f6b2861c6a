//! `passgate check --live`: asks the running gateway for what members and their password managers need, after an update or
//! a change: the sign-in page with its password field and passkey button, and the well-known addresses (MF-35, MF-56,
//! MF-61, MF-62). Reads only; signs nobody in.
//!
//! It asks at `server.listen`, as a proxy before the gateway would, under the name of `server.public_url`. What a proxy in
//! between makes of the answers it can't see.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use url::Position;

use super::{Exit, Streams, Trouble};
use crate::auth::passkeys::{PasskeyOptions, Rollout};
use crate::config::Config;

const PATIENCE: Duration = Duration::from_secs(10);
/// No page of ours is larger.
const MAX_BYTES: u64 = 1024 * 1024;

/// An answer, as far as it is looked at.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn field(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().filter_map(|line| line.split_once(':'));
        fields.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }
}

/// What was looked at, and what to do if it is not as it should be.
struct Finding {
    what: &'static str,
    fault: Option<String>,
}

impl Finding {
    fn new(what: &'static str, is_well: bool, found: &Answer, help: &str) -> Self {
        let fault = (!is_well).then(|| format!("the answer was {}; {help}", found.status));
        Self { what, fault }
    }
}

/// Asks and tells; what can't be reached and what is wrong end with their exit codes.
pub(super) fn run(config: &Config, streams: &mut Streams<'_>) -> Result<(), Trouble> {
    let findings = findings(config)?;
    for Finding { what, fault } in &findings {
        match fault {
            None => streams.data(&format!("  fine    {what}"))?,
            Some(fault) => streams.data(&format!("  WRONG   {what}: {fault}"))?,
        }
    }
    match findings.iter().filter(|finding| finding.fault.is_some()).count() {
        0 => streams.data("the running gateway is fine"),
        count => {
            let words = format!("{count} of {} things are not as they should be", findings.len());
            Err(Trouble::new(Exit::Configuration, words))
        }
    }
}

fn findings(config: &Config) -> Result<Vec<Finding>, Trouble> {
    let prefix = &config.prefix;
    let origin = config.server.public_url.origin().ascii_serialization();
    let has_passkeys = config.passkeys.as_ref().is_some_and(|options| options.rollout != Rollout::Off);
    let template = "if pages.templates replaces login.html, compare it with the one that comes with passgate";
    let restart = "let the gateway read the configuration: passgate reload";
    let shadowed = "something before the gateway answers this address, or an older version runs";
    let page = ask(config, &format!("{prefix}/login"))?;
    let has = |mark: &str| page.status == 200 && page.body.contains(mark);
    let takes_password = has("name=\"password\"");
    let mut findings = vec![
        Finding::new("the sign-in page is there", page.status == 200, &page, restart),
        if config.passkeys.as_ref().is_some_and(PasskeyOptions::are_the_only_way) {
            Finding::new("it takes no password", !takes_password, &page, restart)
        } else {
            Finding::new("it takes a password", takes_password, &page, template)
        },
    ];
    if has_passkeys {
        let help = format!("{restart}; {template}");
        findings.push(Finding::new("it takes a passkey", has("data-do=\"passkey\""), &page, &help));
        let script = script_of(&page.body, prefix).map(|path| ask(config, &path)).transpose()?;
        let is_there = script.as_ref().is_some_and(|script| script.status == 200);
        let found = script.as_ref().unwrap_or(&page);
        findings.push(Finding::new("the passkeys' script is there", is_there, found, template));
        let help = ask(config, &format!("{prefix}/help/passkeys"))?;
        findings.push(Finding::new("help with passkeys is there", help.status == 200, &help, restart));
        let endpoints = ask(config, "/.well-known/passkey-endpoints")?;
        let is_ours = endpoints.status == 200
            && endpoints.field("content-type") == Some("application/json")
            && endpoints.body.contains(&format!("\"{origin}{prefix}/account/passkeys/add\""));
        let help = format!("{shadowed}; it has to name server.public_url, {origin}: {restart}");
        findings.push(Finding::new("passkey-endpoints names the site's origin", is_ours, &endpoints, &help));
    }
    let change = ask(config, "/.well-known/change-password")?;
    let leads_on = matches!(change.status, 302 | 303 | 307) && change.field("location").is_some();
    findings.push(Finding::new("change-password leads to the account page", leads_on, &change, shadowed));
    let nothing = "/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200";
    let nothing = ask(config, nothing)?;
    findings.push(Finding::new("what is not there is not found", nothing.status == 404, &nothing, shadowed));
    Ok(findings)
}

/// The address of the passkeys' script in a page, whose slashes are escaped.
fn script_of(page: &str, prefix: &str) -> Option<String> {
    let sources = page.split("<script src=\"").skip(1).filter_map(|rest| rest.split('"').next());
    let mut sources = sources.map(|source| source.replace("&#x2f;", "/"));
    sources.find(|source| source.starts_with(prefix) && source.contains("passkeys"))
}

fn ask(config: &Config, target: &str) -> Result<Answer, Trouble> {
    let address = config.server.listen.first().copied().map(reachable);
    let address = address.ok_or_else(|| Trouble::unavailable("server.listen names no address"))?;
    let unreachable = |error: &dyn std::fmt::Display| {
        Trouble::unavailable(format!("no gateway answers at {address}: {error}; is it running?"))
    };
    let bytes = exchange(config, address, target).map_err(|error| unreachable(&error))?;
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    let status = status.ok_or_else(|| unreachable(&"what answers there does not speak HTTP"))?;
    Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
}

/// Our own answers have a length and no coding, so what comes until the end is the page.
fn exchange(config: &Config, address: SocketAddr, target: &str) -> std::io::Result<Vec<u8>> {
    let host = &config.server.public_url[Position::BeforeHost..Position::AfterPort];
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\nConnection: close\r\n\r\n"
    )?;
    let mut bytes = Vec::new();
    stream.take(MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// "All addresses" is nowhere to connect to; this machine is one of them.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
