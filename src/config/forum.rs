//! The `[forum]` section: what kind of forum the application is, and how members become known to it.

use std::path::PathBuf;

use http::header::HOST;
use http::{HeaderMap, Method};

use super::passkeys::Passwords;
use super::public::Public;
use super::reader::{Reader, quoted};
use super::secret::key_file;
use super::{access, first_sign_in, forum_passwords, preset, raw, session};
use crate::bridge::options::{CookiesAt, ForumOptions, Register};
use crate::bridge::{Kind, Origin};
use crate::database::DatabaseAccess;
use crate::domain::RequestPath;
use crate::policy::{ApplicationId, Policy, RequestFacts};
use crate::proxy::options::{ApplicationOptions, HostHeader, IdentityOptions};
use crate::server::options::ServerOptions;

/// What the section has to fit: server, application, identity headers and database, none where one of them has problems; and
/// passwords.
pub(super) type Around<'a> = (
    Option<&'a ServerOptions>,
    Option<&'a ApplicationOptions>,
    Option<&'a IdentityOptions>,
    Option<&'a Option<DatabaseAccess>>,
    Passwords,
);

/// What is said of the forum, and how members become known to the application.
pub(super) struct Bridged {
    /// Where no rule says otherwise; none for not at all.
    pub(super) site: Option<Kind>,
    /// None where there is no forum that the gateway knows more of.
    pub(super) forum: Option<ForumOptions>,
}

/// The application that is the forum: the one that gets requests for its path on the host of `server.public_url`.
pub(super) fn application(
    raw: &raw::Forum,
    public: Option<&Public>,
    policy: Option<&Policy>,
) -> ApplicationId {
    let Some(((public, policy), path)) = public.zip(policy).zip(RequestPath::parse(&raw.path).ok()) else {
        return ApplicationId::SITES;
    };
    policy.application_of(&RequestFacts { host: &public.host, path: &path, method: &Method::GET })
}

/// `rules` are those of `[access]`, each of which may name a bridge of its own.
pub(super) fn read(
    reader: &mut Reader<'_>,
    raw: &raw::Forum,
    rules: &[raw::AccessRule],
    (server, upstream, identity, database, passwords): Around<'_>,
) -> Option<Bridged> {
    let register = [("pass", Register::Pass), ("block", Register::Block)];
    let register = reader.word("forum.register", &raw.register, &register);
    let cookies = [("gateway", CookiesAt::Gateway), ("browser", CookiesAt::Browser)];
    let cookies = reader.word("forum.cookies", &raw.cookies, &cookies);
    let base = base(reader, &raw.path);
    if raw.preset.is_empty() {
        first_sign_in::read(reader, &raw.first_sign_in, passwords, None, None);
        session::read(reader, raw, None, &[], database, None);
        forum_passwords::read(reader, &raw.passwords, None, None);
        return without_a_preset(reader, raw, rules, cookies);
    }
    let preset = preset::read(reader, raw)?;
    let way = way(reader, "forum.bridge", &raw.bridge, &preset.kinds, &preset.title);
    let ways_of_rules = ways_of_rules(reader, rules, &preset.kinds, &preset.title);
    let (way, ways_of_rules) = (way?, ways_of_rules?);
    let ways: Vec<Kind> = way.into_iter().chain(ways_of_rules.iter().copied()).collect();
    something_to_hand_out(reader, cookies, &ways);
    let form = ways.iter().copied().find(|way| *way == Kind::Form);
    let first_sign_in = first_sign_in::read(reader, &raw.first_sign_in, passwords, form, Some(&preset));
    let passwords = forum_passwords::read(reader, &raw.passwords, form, Some(&preset));
    let board = server.zip(base.as_deref());
    let board =
        board.and_then(|(server, base)| Some((server.public_url.host_str()?.to_owned(), base.to_owned())));
    let session = session::read(reader, raw, Some(&preset), &ways, database, board);
    let vault_key = match ways.contains(&Kind::Form) {
        true => vault_key(reader, raw, server)?,
        false => PathBuf::new(),
    };
    let (server, upstream, identity) = (server?, upstream?, identity?);
    let origin = Origin::parse(&server.public_url.origin().ascii_serialization()).ok()?;
    let fields = fields(upstream, identity);
    let (base, register, cookies) = (base?, register?, cookies?);
    let (first_sign_in, passwords, session) = (first_sign_in?, passwords?, session?);
    let options = ForumOptions {
        preset,
        way,
        ways_of_rules,
        base,
        vault_key,
        session,
        passwords,
        register,
        cookies,
        first_sign_in,
        origin,
        fields,
    };
    Some(Bridged { site: way, forum: Some(options).filter(|_| !ways.is_empty()) })
}

fn vault_key(reader: &mut Reader<'_>, raw: &raw::Forum, server: Option<&ServerOptions>) -> Option<PathBuf> {
    let data_dir = server.map(|server| server.data_dir.as_path());
    key_file(reader, "forum.vault_key", &raw.vault_key, "forum.key", data_dir)
}

fn without_a_preset(
    reader: &mut Reader<'_>,
    raw: &raw::Forum,
    rules: &[raw::AccessRule],
    cookies: Option<CookiesAt>,
) -> Option<Bridged> {
    preset::nothing_to_override(reader, raw);
    something_to_hand_out(reader, cookies, &[]);
    ways_of_rules(reader, rules, &[Kind::Headers], "an application without a preset");
    let site = match raw.bridge.as_str() {
        "" => Some(Kind::Headers),
        "none" => None,
        other => {
            let help =
                "name the forum's kind with forum.preset, or copy the preset generic-form and name your copy";
            let found = format!("{} without a preset", quoted(other));
            return reader.refuse("forum.bridge", found, "a preset", help);
        }
    };
    Some(Bridged { site, forum: None })
}

/// Only where members are signed in are there cookies for their browsers.
fn something_to_hand_out(reader: &mut Reader<'_>, cookies: Option<CookiesAt>, ways: &[Kind]) {
    if cookies == Some(CookiesAt::Browser) && !ways.iter().any(|way| way.keeps_session()) {
        let help = "leave it out: elsewhere browsers get the forum's cookies anyway";
        reader.note(
            "forum.cookies",
            "\"browser\" with another bridge, or none",
            "the bridge \"form\" or \"session\"",
            help,
        );
    }
}

/// How members become known by the word at `key`, of the ways that `whose` application takes, the first of which is the one without
/// a word. The inner `None` is not at all.
fn way(reader: &mut Reader<'_>, key: &str, text: &str, kinds: &[Kind], whose: &str) -> Option<Option<Kind>> {
    match text {
        "" => return Some(kinds.first().copied()),
        "none" => return Some(None),
        _ => {}
    }
    if let Some(kind) = Kind::parse(text).filter(|kind| kinds.contains(kind)) {
        return Some(Some(kind));
    }
    let names: Vec<_> = kinds.iter().map(|kind| quoted(kind.as_str())).collect();
    let expected = format!("{} or \"none\" for {whose}", names.join(", "));
    reader.refuse(key, quoted(text), expected, "this kind of forum takes no other")
}

/// The ways that rules name. What is no way at all has been told with the rule.
fn ways_of_rules(
    reader: &mut Reader<'_>,
    rules: &[raw::AccessRule],
    kinds: &[Kind],
    whose: &str,
) -> Option<Vec<Kind>> {
    let named = rules.iter().enumerate().filter(|(_, rule)| Kind::parse(&rule.bridge).is_some());
    let ways: Vec<_> = named
        .map(|(at, rule)| way(reader, &format!("{}.bridge", access::key(at)), &rule.bridge, kinds, whose))
        .collect();
    let mut ways: Vec<Kind> = ways.into_iter().collect::<Option<Vec<_>>>()?.into_iter().flatten().collect();
    ways.sort_unstable();
    ways.dedup();
    Some(ways)
}

fn base(reader: &mut Reader<'_>, text: &str) -> Option<String> {
    let is_canonical =
        RequestPath::parse(text).is_ok_and(|path| path.decoded() == text && path.query().is_none());
    if text == "/" || is_canonical && !text.ends_with('/') {
        return Some(text.to_owned());
    }
    let help = "begin with a slash, end without one";
    reader.refuse("forum.path", quoted(text), "a path such as \"/phpbb\", or \"/\"", help)
}

/// What the forum gets with our own requests too, so that it takes them for the same visitor's.
fn fields(application: &ApplicationOptions, identity: &IdentityOptions) -> HeaderMap {
    let mut fields = HeaderMap::new();
    let host = match &application.host_header {
        HostHeader::Client => None,
        HostHeader::Fixed(host) => Some(host.clone()),
        HostHeader::Upstream => application.servers.first().map(|server| server.place.authority()),
    };
    if let Some(host) = host.and_then(|host| host.parse().ok()) {
        fields.insert(HOST, host);
    }
    if let Some(proof) = &identity.proof {
        fields.insert(identity.secret.clone(), proof.clone());
    }
    fields
}
