//! The `[access]` section: from what is written to rules that mean one thing each.

use std::time::Duration;

use http::Method;

use super::public::Public;
use super::raw;
use super::reader::{DAY, Reader, quoted};
use super::server::method;
use crate::domain::{BridgeKind, Group, HostPattern, PathPattern};
use crate::policy::{ClientAuthorization, Policy, Requirement, Rule, RuleBridge, StepUpWith};

const WORDS: [(&str, Requirement); 4] = [
    ("login", Requirement::Login),
    ("guest", Requirement::Guest),
    ("public", Requirement::Public),
    ("deny", Requirement::Deny),
];

/// What rules are measured against.
pub(super) struct Around<'a> {
    pub(super) public: Option<&'a Public>,
    pub(super) methods: Option<&'a [Method]>,
    pub(super) prefix: Option<&'a str>,
}

pub(super) fn read(reader: &mut Reader<'_>, raw: &raw::Access, around: &Around<'_>) -> Option<Policy> {
    let default = reader.word("access.default", &raw.default, &WORDS);
    let rules: Vec<_> =
        raw.rule.iter().enumerate().map(|(at, raw)| rule(reader, &key(at), raw, around)).collect();
    let rules = rules.into_iter().collect::<Option<Vec<Rule>>>();
    let (default, rules) = (default?, rules?);
    if reader.is_fine("access") {
        each_rule_once(reader, &rules);
        something_asks_for_sign_in(reader, default, &rules);
    }
    let hosts = around.public?.hosts.clone();
    Some(Policy::new(hosts, around.methods?.to_vec(), around.prefix?.to_owned(), default, rules))
}

pub(super) fn key(at: usize) -> String {
    format!("access.rule.{}", at + 1)
}

fn rule(reader: &mut Reader<'_>, key: &str, raw: &raw::AccessRule, around: &Around<'_>) -> Option<Rule> {
    let host = host(reader, key, &raw.host, around.public);
    let path = path(reader, key, &raw.path, around.prefix);
    let methods = methods(reader, key, &raw.methods, around.methods);
    let require = reader.word(&format!("{key}.require"), &raw.require, &WORDS);
    let groups: Vec<_> =
        raw.groups.iter().map(|text| group(reader, &format!("{key}.groups"), text)).collect();
    let step_up = match raw.step_up.as_str() {
        "" => Some(None),
        text => {
            let bounds = Duration::from_secs(1)..=DAY * 365;
            reader.duration(&format!("{key}.step_up"), text, bounds).map(Some)
        }
    };
    let step_up_with = step_up_with(reader, key, raw);
    let words = [("drop", ClientAuthorization::Drop), ("forward", ClientAuthorization::Forward)];
    let authorization = reader.word(&format!("{key}.authorization"), &raw.authorization, &words);
    let bridge = bridge(reader, key, &raw.bridge, require);
    let require = require?;
    if require != Requirement::Login {
        for (field, set) in [("groups", !raw.groups.is_empty()), ("step_up", !raw.step_up.is_empty())] {
            if set {
                login_only(reader, key, field, require)?;
            }
        }
    }
    Some(Rule {
        host: host?,
        path: path?,
        methods: methods?,
        require,
        groups: groups.into_iter().collect::<Option<_>>()?,
        step_up: step_up?,
        step_up_with: step_up_with?,
        authorization: authorization?,
        bridge: bridge?,
    })
}

/// Whether the forum takes it is `forum`'s to say.
fn bridge(
    reader: &mut Reader<'_>,
    key: &str,
    text: &str,
    require: Option<Requirement>,
) -> Option<RuleBridge> {
    let key = format!("{key}.bridge");
    match (text, BridgeKind::parse(text), require) {
        ("", ..) => Some(RuleBridge::Sites),
        ("none", ..) => Some(RuleBridge::Nobody),
        (_, Some(_), Some(require @ (Requirement::Public | Requirement::Deny))) => {
            let found = format!("{} with require = \"{}\"", quoted(text), require.as_str());
            let help = "nobody is named there: set require = \"guest\" or \"login\", or leave bridge out";
            reader.refuse(&key, found, "require = \"guest\" or \"login\" beside it", help)
        }
        (_, Some(kind), _) => Some(RuleBridge::By(kind)),
        (_, None, _) => {
            let known: Vec<_> = BridgeKind::ALL.iter().map(|kind| quoted(kind.as_str())).collect();
            let expected = format!("one of {}, \"none\"", known.join(", "));
            reader.refuse(&key, quoted(text), expected, "write one of these words")
        }
    }
}

fn step_up_with(reader: &mut Reader<'_>, key: &str, raw: &raw::AccessRule) -> Option<StepUpWith> {
    let key = format!("{key}.step_up_with");
    let words = [("any", StepUpWith::Any), ("passkey", StepUpWith::Passkey)];
    let with = reader.word(&key, &raw.step_up_with, &words)?;
    if with == StepUpWith::Passkey && raw.step_up.is_empty() {
        let help = "say how long one use of the passkey holds here, such as step_up = \"15m\"";
        return reader.refuse(&key, "\"passkey\" without step_up", "step_up beside it", help);
    }
    Some(with)
}

/// Where nobody has a passkey, nobody would pass.
pub(super) fn no_rule_asks_for_passkeys(reader: &mut Reader<'_>, raw: &raw::Access) {
    for (at, _) in raw.rule.iter().enumerate().filter(|(_, rule)| rule.step_up_with == "passkey") {
        let help = "nobody could pass: let members have passkeys, or leave step_up_with out";
        reader.note(&format!("{}.step_up_with", key(at)), "\"passkey\"", "[passkeys] to be enabled", help);
    }
}

/// The inner `None` is any host; the outer one, a problem.
pub(super) fn host(
    reader: &mut Reader<'_>,
    key: &str,
    text: &str,
    public: Option<&Public>,
) -> Option<Option<HostPattern>> {
    let key = format!("{key}.host");
    if text.is_empty() {
        return Some(None);
    }
    let Ok(pattern) = HostPattern::parse(text) else {
        let help = "write no scheme, port or path";
        return reader.refuse(&key, quoted(text), "a host name, or `*.` and a host name", help);
    };
    if public.is_some_and(|public| !public.hosts.iter().any(|known| overlap(known, &pattern))) {
        let help = "it could never match: add the name to server.hosts, or correct it";
        return reader.refuse(&key, quoted(text), "a name of server.public_url or server.hosts", help);
    }
    Some(Some(pattern))
}

fn overlap(one: &HostPattern, other: &HostPattern) -> bool {
    match (one, other) {
        (HostPattern::Exact(host), pattern) | (pattern, HostPattern::Exact(host)) => pattern.matches(host),
        (HostPattern::Below(a), HostPattern::Below(b)) => a == b || one.matches(b) || other.matches(a),
    }
}

pub(super) fn path(
    reader: &mut Reader<'_>,
    key: &str,
    text: &str,
    prefix: Option<&str>,
) -> Option<PathPattern> {
    let key = format!("{key}.path");
    let pattern = match PathPattern::parse(text) {
        Ok(pattern) => pattern,
        Err(error) => {
            let help = format!("this one {error}");
            let expected = "a path pattern, such as \"/adm/**\", \"/styles/*.css\" or \"/index.php\"";
            return reader.refuse(&key, quoted(text), expected, help);
        }
    };
    let below =
        |prefix| text.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if let Some(prefix) = prefix.filter(|prefix| below(*prefix)) {
        let help = "leave it out: passgate's own pages decide for themselves who may see them";
        return reader.refuse(&key, quoted(text), format!("a path outside {prefix}"), help);
    }
    Some(pattern)
}

fn methods(
    reader: &mut Reader<'_>,
    key: &str,
    texts: &[String],
    allowed: Option<&[Method]>,
) -> Option<Vec<Method>> {
    let key = format!("{key}.methods");
    let methods: Vec<_> = texts
        .iter()
        .map(|text| {
            let method = method(reader, &key, text)?;
            if allowed.is_some_and(|allowed| !allowed.contains(&method)) {
                let help = "the rule could never match: add the method to server.methods, or leave it out";
                return reader.refuse(&key, quoted(text), "methods of server.methods", help);
            }
            Some(method)
        })
        .collect();
    methods.into_iter().collect()
}

pub(super) fn group(reader: &mut Reader<'_>, key: &str, text: &str) -> Option<Group> {
    Group::parse(text).ok().or_else(|| {
        let help = "write a list of names: groups = [\"moderators\", \"admins\"]";
        reader.refuse(key, quoted(text), "a group's name, without commas", help)
    })
}

fn login_only(reader: &mut Reader<'_>, key: &str, field: &str, require: Requirement) -> Option<()> {
    let found = format!("{field} with require = \"{}\"", require.as_str());
    let help = format!("who is not signed in has no {field}: set require = \"login\", or remove {field}");
    reader.refuse(&format!("{key}.{field}"), found, "require = \"login\" beside it", help)
}

/// Of two rules for the same requests, one would silently never count.
fn each_rule_once(reader: &mut Reader<'_>, rules: &[Rule]) {
    for (at, rule) in rules.iter().enumerate() {
        let same = |other: &&Rule| {
            other.host == rule.host && other.path == rule.path && share_methods(&other.methods, &rule.methods)
        };
        if let Some(first) = rules[..at].iter().position(|other| same(&other)) {
            let found = format!("the same host, path and methods as rule {}", first + 1);
            let help = "one of them would never count: remove it, or part them by host, path or methods";
            let _: Option<()> =
                reader.refuse(&key(at), found, "each request to be decided by one rule", help);
        }
    }
}

/// `GET` stands for `HEAD` too. A rule without methods yields to one with them, so these two go together.
fn share_methods(one: &[Method], other: &[Method]) -> bool {
    let meant = |methods: &[Method], method: &Method| {
        methods.contains(method) || method == Method::HEAD && methods.contains(&Method::GET)
    };
    match (one, other) {
        ([], []) => true,
        _ => one.iter().any(|method| meant(other, method)) || other.iter().any(|method| meant(one, method)),
    }
}

/// SECURITY: OPS-09. A gateway that asks nobody to sign in protects nothing.
fn something_asks_for_sign_in(reader: &mut Reader<'_>, default: Requirement, rules: &[Rule]) {
    let catch_all =
        |rule: &&Rule| rule.host.is_none() && rule.methods.is_empty() && rule.path.as_str() == "/**";
    let effective = rules.iter().find(catch_all).map_or(default, |rule| rule.require);
    let asks = rules.iter().any(|rule| rule.require == Requirement::Login);
    if effective == Requirement::Public && !asks {
        reader.note(
            "access.default",
            "\"public\" for everything, and no rule that asks for sign-in",
            "something to be protected",
            "take \"guest\" if visitors may read and members are to be known, or add a rule with require = \"login\"",
        );
    }
}
