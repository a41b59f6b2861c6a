//! The `[forum]` section: what kind of forum the application is, and how members become known to it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use http::HeaderMap;
use http::header::HOST;

use super::reader::{Reader, quoted};
use super::server::placed;
use super::{preset, raw};
use crate::bridge::options::{CookiesAt, ForumOptions, Register};
use crate::bridge::{Kind, Origin, Preset};
use crate::domain::RequestPath;
use crate::proxy::options::{HostHeader, IdentityOptions, UpstreamOptions};
use crate::server::options::ServerOptions;

/// Server, application and identity headers, which the section has to fit; none where one of them has problems.
pub(super) type Around<'a> =
    (Option<&'a ServerOptions>, Option<&'a UpstreamOptions>, Option<&'a IdentityOptions>);

/// The inner `None` is no forum that the gateway knows more of; the outer one, a problem.
pub(super) fn read(
    reader: &mut Reader<'_>,
    raw: &raw::Forum,
    (server, upstream, identity): Around<'_>,
) -> Option<Option<ForumOptions>> {
    let register = [("pass", Register::Pass), ("block", Register::Block)];
    let register = reader.word("forum.register", &raw.register, &register);
    let cookies = [("gateway", CookiesAt::Gateway), ("browser", CookiesAt::Browser)];
    let cookies = reader.word("forum.cookies", &raw.cookies, &cookies);
    let base = base(reader, &raw.path);
    if raw.preset.is_empty() {
        preset::nothing_to_override(reader, raw);
        something_to_hand_out(reader, cookies, None);
        return match raw.bridge.as_str() {
            "" | "none" => Some(None),
            other => {
                let help = "name the forum's kind with forum.preset, or copy the preset generic-form and name your copy";
                reader.refuse("forum.bridge", format!("{} without a preset", quoted(other)), "a preset", help)
            }
        };
    }
    let preset = preset::read(reader, raw)?;
    let way = way(reader, &raw.bridge, &preset)?;
    let vault_key = match way {
        Some(Kind::Form) => {
            vault_key(reader, &raw.vault_key, server.map(|server| server.data_dir.as_path()))?
        }
        _ => PathBuf::new(),
    };
    something_to_hand_out(reader, cookies, way);
    let (server, upstream, identity) = (server?, upstream?, identity?);
    let Ok(origin) = Origin::parse(&server.public_url.origin().ascii_serialization()) else {
        return Some(None);
    };
    let fields = fields(upstream, identity);
    let (base, register, cookies) = (base?, register?, cookies?);
    Some(way.map(|way| ForumOptions { preset, way, base, vault_key, register, cookies, origin, fields }))
}

/// Only where members are signed in are there cookies for their browsers.
fn something_to_hand_out(reader: &mut Reader<'_>, cookies: Option<CookiesAt>, way: Option<Kind>) {
    if cookies == Some(CookiesAt::Browser) && way != Some(Kind::Form) {
        let help = "leave it out: elsewhere browsers get the forum's cookies anyway";
        reader.note("forum.cookies", "\"browser\" with another bridge, or none", "the bridge \"form\"", help);
    }
}

/// The inner `None` is no bridge.
fn way(reader: &mut Reader<'_>, text: &str, preset: &Preset) -> Option<Option<Kind>> {
    const KEY: &str = "forum.bridge";
    let words = [("headers", Kind::Headers), ("basic", Kind::Basic), ("form", Kind::Form)];
    match text {
        "" => return Some(preset.kinds.first().copied()),
        "none" => return Some(None),
        _ => {}
    }
    let known: Vec<_> = words.iter().filter(|(_, kind)| preset.kinds.contains(kind)).copied().collect();
    if let Some((_, kind)) = known.iter().find(|(word, _)| *word == text) {
        return Some(Some(*kind));
    }
    let names: Vec<_> = known.iter().map(|(word, _)| quoted(word)).collect();
    let expected = format!("{} or \"none\" for {}", names.join(", "), preset.title);
    reader.refuse(KEY, quoted(text), expected, "this kind of forum takes no other")
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

/// SECURITY: O4. Whoever gets hold of the data folder, or of a copy of it, must not get the key with it.
fn vault_key(reader: &mut Reader<'_>, text: &str, data_dir: Option<&Path>) -> Option<PathBuf> {
    const KEY: &str = "forum.vault_key";
    let text = if text.is_empty() { "forum.key" } else { text };
    let path = placed(reader, KEY, text);
    let is_inside = |folder: &Path| resolved(&path).starts_with(resolved(folder));
    if data_dir.is_some_and(is_inside) {
        let found = format!("{}, inside server.data_dir", quoted(&path.to_string_lossy()));
        let help = "keep it apart: who copies the data must not have the key with it";
        return reader.refuse(KEY, found, "a file outside the data folder", help);
    }
    let mode = fs::metadata(&path).map_or(0, |metadata| metadata.permissions().mode() & 0o777);
    if mode & 0o077 != 0 {
        let found = format!("{}, which others may read (mode {mode:o})", quoted(&path.to_string_lossy()));
        return reader.refuse(KEY, found, "a file that only its owner may read", "run: chmod 600 FILE");
    }
    Some(path)
}

/// Where a path leads, as far as it exists.
fn resolved(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let existing = path.ancestors().find_map(|part| Some((part, part.canonicalize().ok()?)));
    match existing {
        Some((part, real)) => real.join(path.strip_prefix(part).unwrap_or_else(|_| Path::new(""))),
        None => path,
    }
}

/// What the forum gets with our own requests too, so that it takes them for the same visitor's.
fn fields(upstream: &UpstreamOptions, identity: &IdentityOptions) -> HeaderMap {
    let mut fields = HeaderMap::new();
    let host = match &upstream.host_header {
        HostHeader::Client => None,
        HostHeader::Fixed(host) => Some(host.clone()),
        HostHeader::Upstream => Some(upstream.authority()),
    };
    if let Some(host) = host.and_then(|host| host.parse().ok()) {
        fields.insert(HOST, host);
    }
    if let Some(proof) = &identity.proof {
        fields.insert(identity.secret.clone(), proof.clone());
    }
    fields
}
