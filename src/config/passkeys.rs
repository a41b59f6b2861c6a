//! The `[passkeys]` section: who may have them, when they are offered, and for which relying party they are made.

use super::access::group;
use super::raw;
use super::reader::{Reader, quoted};
use crate::auth::passkeys::{PasskeyOptions, ResidentKey, Rollout, Suggest};
use crate::domain::Host;
use crate::policy::RequiredFor;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Admins,
    Everyone,
    Groups,
    Off,
}

/// What the rest of the configuration says of the site.
pub(super) struct Site<'s> {
    pub(super) host: &'s Host,
    pub(super) origins: &'s [String],
    pub(super) name: &'s str,
    pub(super) passwords: Passwords,
}

/// Whether members may sign in with a password.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Passwords {
    Off,
    On,
}

/// The inner `None` is a gateway without passkeys.
pub(super) fn read(
    reader: &mut Reader<'_>,
    raw: &raw::Passkeys,
    site: &Site<'_>,
) -> Option<Option<PasskeyOptions>> {
    let stages = [
        ("off", Stage::Off),
        ("admins", Stage::Admins),
        ("groups", Stage::Groups),
        ("everyone", Stage::Everyone),
    ];
    let stage = reader.word("passkeys.rollout", &raw.rollout, &stages);
    let rollout = stage.and_then(|stage| rollout(reader, raw, stage));
    let moments = [
        ("never", Suggest::Never),
        ("settings-only", Suggest::SettingsOnly),
        ("after-login", Suggest::AfterLogin),
    ];
    let suggest = reader.word("passkeys.suggest", &raw.suggest, &moments);
    let keys = [("required", ResidentKey::Required), ("preferred", ResidentKey::Preferred)];
    let resident_key = reader.word("passkeys.resident_key", &raw.resident_key, &keys);
    let max_per_user = reader.number("passkeys.max_per_user", raw.max_per_user, 1..=100, "10 suits most");
    let rp_id = rp_id(reader, raw, site);
    let rollout = rollout?;
    let effective = if raw.enabled { rollout.clone() } else { Rollout::Off };
    let required_for = required_for(reader, raw, site.passwords, &effective);
    let (enabled, rp_id) = (effective != Rollout::Off, rp_id?);
    Some(enabled.then_some(PasskeyOptions {
        rollout,
        required_for: required_for?,
        asked_by_rules: RequiredFor::Nobody,
        suggest: suggest?,
        max_per_user: max_per_user?,
        origins: origins(site.origins, &rp_id),
        rp_id,
        rp_name: site.name.to_owned(),
        resident_key: resident_key?,
    }))
}

fn rollout(reader: &mut Reader<'_>, raw: &raw::Passkeys, stage: Stage) -> Option<Rollout> {
    let groups: Option<Vec<_>> =
        raw.groups.iter().map(|text| group(reader, "passkeys.groups", text)).collect();
    match stage {
        Stage::Off => Some(Rollout::Off),
        Stage::Everyone => Some(Rollout::Everyone),
        Stage::Admins => Some(Rollout::Groups(vec![group(reader, "passkeys.groups", "admins")?])),
        Stage::Groups if raw.groups.is_empty() => reader.refuse(
            "passkeys.groups",
            "an empty list",
            "the groups that may have passkeys, since rollout = \"groups\"",
            "write their names: groups = [\"moderators\"]",
        ),
        Stage::Groups => groups.map(Rollout::Groups),
    }
}

/// SECURITY: MF-28. Nobody is asked for what they may not have.
fn required_for(
    reader: &mut Reader<'_>,
    raw: &raw::Passkeys,
    passwords: Passwords,
    rollout: &Rollout,
) -> Option<RequiredFor> {
    if passwords == Passwords::Off && *rollout != Rollout::Everyone {
        let expected = "passkeys for everyone: [passkeys] enabled = true, rollout = \"everyone\"";
        let help = "nobody outside the roll-out could sign in: widen it, or leave passwords on";
        return reader.refuse("password.enabled", "false", expected, help);
    }
    const KEY: &str = "passkeys.required_for";
    let groups: Option<Vec<_>> = raw.required_for.iter().map(|text| group(reader, KEY, text)).collect();
    let groups = groups?;
    let outside = groups.iter().find(|group| match rollout {
        Rollout::Everyone => false,
        Rollout::Groups(offered) => !offered.contains(group),
        Rollout::Off => true,
    });
    if let Some(group) = outside {
        let help = "its members would be asked for a passkey they may not add: widen rollout, or leave the group out";
        return reader.refuse(KEY, quoted(group.as_str()), "groups that passkeys.rollout reaches", help);
    }
    Some(if passwords == Passwords::Off { RequiredFor::Everyone } else { RequiredFor::Groups(groups) })
}

/// The site's origins on which browsers make passkeys for this relying party; not those of its names for trying things out.
fn origins(all: &[String], rp_id: &str) -> Vec<String> {
    let host = |origin: &str| {
        let authority = origin.split_once("://").map_or(origin, |(_, authority)| authority);
        Host::parse(authority).map(|host| host.to_string()).unwrap_or_default()
    };
    let fits =
        |host: &str| host.strip_suffix(rp_id).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    all.iter().filter(|origin| fits(&host(origin))).cloned().collect()
}

/// SECURITY: BP-80 … BP-84. From the configuration alone: the site's own host, or a domain above it.
fn rp_id(reader: &mut Reader<'_>, raw: &raw::Passkeys, site: &Site<'_>) -> Option<String> {
    const KEY: &str = "passkeys.rp_id";
    let host = site.host.as_str();
    let text = if raw.rp_id.is_empty() { host } else { raw.rp_id.as_str() };
    let above = host.strip_suffix(text).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    let is_name = host.parse::<std::net::IpAddr>().is_err() && !host.starts_with('[');
    if !is_name && raw.enabled && raw.rollout != "off" {
        let help = "browsers make no passkeys for numbers: give the site a name, or set rollout = \"off\"";
        return reader.refuse(KEY, quoted(host), "a host name in server.public_url", help);
    }
    if above && (text.contains('.') || text == host) {
        return Some(text.to_owned());
    }
    let help = "leave it empty for the site's own host, which suits most";
    reader.refuse(KEY, quoted(text), "the host of server.public_url, or a domain above it", help)
}
