//! `[tls.acme]`: certificates that come by themselves.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::{Position, Url};

use super::public::Public;
use super::raw;
use super::reader::{Reader, quoted, quoted_url};
use super::secret;
use super::server::placed;
use crate::domain::{Host, HostPattern, MailAddress, Secret};
use crate::server::options::{AcmeOptions, Authorities, ChallengeKind, ExternalAccount};

/// No authority takes more names in one certificate.
const MOST_NAMES: usize = 100;

/// What is listened on beside.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) public: Option<&'a Public>,
    /// Whether anything is listened on over TLS, and in the clear.
    pub(super) over_tls: bool,
    pub(super) in_the_clear: bool,
}

/// The inner `None` is that none come by themselves.
pub(super) fn read(
    reader: &mut Reader<'_>,
    raw: &raw::TlsAcme,
    around: Around<'_>,
) -> Option<Option<AcmeOptions>> {
    let directory = directory(reader, &raw.directory);
    let contact = contact(reader, &raw.contact);
    let names = names(reader, &raw.names, around.public);
    let challenges = challenges(reader, raw, around);
    let authorities = authorities(reader, &raw.ca_file);
    let external_account = external_account(reader, raw);
    if raw.enabled {
        is_meant(reader, raw, around)?;
    }
    let options = AcmeOptions {
        directory: directory?,
        contact: contact?,
        names: names?,
        challenges: challenges?,
        authorities: authorities?,
        external_account: external_account?,
    };
    Some(raw.enabled.then_some(options))
}

/// Whether the operator has said all that only they can say.
fn is_meant(reader: &mut Reader<'_>, raw: &raw::TlsAcme, around: Around<'_>) -> Option<()> {
    if !around.over_tls {
        let help = "list the addresses of tls.listen, such as \"[::]:443\"";
        return reader.refuse("tls.acme.enabled", "true", "false, where nothing listens over TLS", help);
    }
    if !raw.terms_agreed {
        let help = "read the terms of service of the authority that tls.acme.directory names, and write true if you agree; nobody can do \
                    that for you";
        return reader.refuse("tls.acme.terms_agreed", "false", "true, as tls.acme.enabled is", help);
    }
    Some(())
}

fn directory(reader: &mut Reader<'_>, text: &str) -> Option<Url> {
    let url = Url::parse(text).ok().filter(|url| {
        let has_more = !url[Position::AfterPath..].is_empty();
        let is_short = text.len() <= 200 && url.host_str().is_some();
        url.scheme() == "https"
            && url.username().is_empty()
            && url.password().is_none()
            && is_short
            && !has_more
    });
    url.or_else(|| {
        let expected = "an https address, such as \"https://acme-v02.api.letsencrypt.org/directory\"";
        let help = "authorities name it in their documentation; add no user and no query";
        reader.refuse("tls.acme.directory", quoted_url(text), expected, help)
    })
}

fn contact(reader: &mut Reader<'_>, texts: &[String]) -> Option<Vec<MailAddress>> {
    let all: Vec<_> = texts
        .iter()
        .map(|text| {
            MailAddress::parse(text).or_else(|| {
                let help = "write the address alone; an empty list names nobody";
                reader.refuse(
                    "tls.acme.contact",
                    quoted(text),
                    "an address such as \"admin@example.org\"",
                    help,
                )
            })
        })
        .collect();
    all.into_iter().collect()
}

fn names(reader: &mut Reader<'_>, texts: &[String], public: Option<&Public>) -> Option<Vec<Host>> {
    const KEY: &str = "tls.acme.names";
    let public = public?;
    if texts.is_empty() {
        return Some(vec![public.host.clone()]);
    }
    if texts.len() > MOST_NAMES {
        let expected = format!("{MOST_NAMES} names at most");
        return reader.refuse(
            KEY,
            texts.len().to_string(),
            expected,
            "authorities put no more into a certificate",
        );
    }
    let all: Vec<_> = texts.iter().map(|text| name(reader, KEY, text, public)).collect();
    let all: Option<Vec<_>> = all.into_iter().collect();
    all.map(|all| {
        all.into_iter().fold(Vec::new(), |mut kept, host| {
            if !kept.contains(&host) {
                kept.push(host);
            }
            kept
        })
    })
}

fn name(reader: &mut Reader<'_>, key: &str, text: &str, public: &Public) -> Option<Host> {
    if text.starts_with("*.") {
        let help = "list the names that are used; for all names below a domain take a certificate from files";
        return reader.refuse(key, quoted(text), "names written out, which is what can be proved here", help);
    }
    let host = Host::parse(text).ok().filter(|host| {
        let is_address = host.as_str().trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok();
        !text.contains(':') && !is_address
    });
    let Some(host) = host else {
        let help = "write no scheme, port or path; write names beyond ASCII in their xn-- form";
        return reader.refuse(key, quoted(text), "a host name such as \"forum.example.org\"", help);
    };
    let mut served = public.hosts.iter().chain(&public.aliases);
    if !served.any(|pattern: &HostPattern| pattern.matches(&host)) {
        let expected = "names of the site";
        let help = "add it to server.hosts or server.aliases, or leave it out";
        return reader.refuse(key, format!("{}, where nobody is served", quoted(text)), expected, help);
    }
    Some(host)
}

fn challenges(reader: &mut Reader<'_>, raw: &raw::TlsAcme, around: Around<'_>) -> Option<Vec<ChallengeKind>> {
    const KEY: &str = "tls.acme.challenges";
    let words = [ChallengeKind::Http01, ChallengeKind::TlsAlpn01].map(|kind| (kind.as_str(), kind));
    let all: Vec<_> = raw.challenges.iter().map(|text| reader.word(KEY, text, &words)).collect();
    let mut all = all.into_iter().collect::<Option<Vec<_>>>()?;
    if all.is_empty() {
        return reader.refuse(
            KEY,
            "an empty list",
            "at least one kind",
            "write [\"tls-alpn-01\", \"http-01\"]",
        );
    }
    if raw.enabled && !around.in_the_clear {
        all.retain(|kind| *kind != ChallengeKind::Http01);
        if all.is_empty() {
            let help = "let server.listen have port 80, or add \"tls-alpn-01\"";
            return reader.refuse(KEY, "\"http-01\" alone", "a kind that works without server.listen", help);
        }
    }
    Some(all)
}

fn authorities(reader: &mut Reader<'_>, text: &str) -> Option<Authorities> {
    const KEY: &str = "tls.acme.ca_file";
    if text.is_empty() {
        return Some(Authorities::System);
    }
    let path = placed(reader, KEY, text);
    match Authorities::read(&path) {
        Ok(authorities) => Some(authorities),
        Err(error) => {
            let found = format!("{}: {error}", quoted(&path.to_string_lossy()));
            let help = "name the certificate of the authority that signed the directory's own";
            reader.refuse(KEY, found, "certificates in PEM", help)
        }
    }
}

/// The inner `None` is an authority that asks for none.
fn external_account(reader: &mut Reader<'_>, raw: &raw::TlsAcme) -> Option<Option<ExternalAccount>> {
    const ID: &str = "tls.acme.external_account";
    const FILE: &str = "tls.acme.external_account_key_file";
    match (raw.external_account.as_str(), raw.external_account_key_file.as_str()) {
        ("", "") => Some(None),
        ("", _) => reader.refuse(
            ID,
            "a key without an account",
            "what the authority calls it",
            "leave out both, or none",
        ),
        (id, "") => {
            let found = format!("no key for {}", quoted(id));
            reader.refuse(FILE, found, "a file with the key", "leave out both, or none")
        }
        (id, file) => {
            let line = secret::line(reader, FILE, file, "the key as the authority shows it")?;
            let key = URL_SAFE_NO_PAD.decode(line.expose().trim().trim_end_matches('='));
            let Some(key) = key.ok().filter(|key| !key.is_empty()) else {
                let help = "copy it as the authority shows it: letters, digits, - and _";
                return reader.refuse(FILE, "a line that is no such key", "a key in base64url", help);
            };
            Some(Some(ExternalAccount { id: id.to_owned(), key: Secret::new(key) }))
        }
    }
}
