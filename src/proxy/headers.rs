//! What of a request's header reaches the application, and what of a response's reaches the browser
//! (SECURITY: HDR-01 … HDR-08, H1 … H5, S8).
//!
//! Order matters and is kept by `proxy::mod`: the engine first drops hop-by-hop fields and those nominated by
//! `Connection`, then [`HeaderRules::rewrite`] drops every alias of a name we manage, and only then are our own values
//! written. So no `Connection` field can take them away again.

mod permissions;

use std::borrow::Cow;
use std::collections::HashSet;

use http::header::{AUTHORIZATION, CONNECTION, COOKIE, SET_COOKIE, STRICT_TRANSPORT_SECURITY, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::fields::Fields;
use super::forwarded::Trust;
use super::options::{IdentityEncoding, IdentityOptions, Webauthn};
use crate::auth::Cookies;
use crate::domain::{Group, Profile};
use crate::policy::{ClientAuthorization, Permit};

/// Fields by which a client could tell the application about addresses, hosts or targets other than the true ones.
/// Ours are written anew; the rest must not get through.
/// Those of a family in [`FAMILIES`] are among them without being named.
const FORWARDING: [&str; 30] = [
    "forwarded",
    "forwarded-for",
    "via",
    "x-real-ip",
    "client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
    "fastly-client-ip",
    "wl-proxy-client-ip",
    "x-azure-client-ip",
    "x-originating-ip",
    "x-remote-ip",
    "x-remote-addr",
    "remote-addr",
    "x-proxyuser-ip",
    "coming-from",
    "x-coming-from",
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "x-host",
    "x-scheme",
    "x-original-host",
    "x-original-url",
    "x-original-uri",
    "x-original-method",
    "x-original-forwarded-for",
    "x-rewrite-url",
    "x-envoy-external-address",
    "x-request-id",
];
/// Fields that change what a request means behind the rules' back, or the environment of a CGI program.
const MEANING: [&str; 5] =
    ["x-http-method-override", "x-http-method", "x-method-override", "front-end-https", "x-url-scheme"];

/// How the names of further ones begin: of addresses and hosts, and of what is for a proxy (RFC 9110 §11.7, RFC 9209), which the
/// application is not. To CGI programs `Proxy` alone is a setting.
const FAMILIES: [&[u8]; 2] = [b"xforwarded", b"proxy"];

/// Rewrites requests and responses for one configuration.
#[derive(Clone, Debug)]
pub struct HeaderRules {
    identity: IdentityOptions,
    cookies: Cookies,
    hsts: Option<HeaderValue>,
    webauthn: Webauthn,
    managed: HashSet<Vec<u8>>,
    /// The lengths of managed names by their first character, a bit each: by that nearly all others are known.
    lengths: [u64; 128],
}

impl HeaderRules {
    /// Prepares the names.
    pub fn new(
        identity: IdentityOptions,
        cookies: Cookies,
        hsts: Option<HeaderValue>,
        webauthn: Webauthn,
    ) -> Self {
        let ours = [&identity.user, &identity.name, &identity.email, &identity.groups, &identity.secret];
        let names = ours.iter().map(|name| name.as_str()).chain(FORWARDING).chain(MEANING);
        let managed: HashSet<Vec<u8>> = names.map(|name| fold(name).collect()).collect();
        let mut lengths = [0; 128];
        for name in &managed {
            if let Some(first) = name.first() {
                lengths[usize::from(first & 0x7f)] |= 1 << name.len().min(63);
            }
        }
        Self { identity, cookies, hsts, webauthn, managed, lengths }
    }

    /// What is said of TLS where there is TLS.
    pub(super) const fn hsts(&self) -> Option<&HeaderValue> {
        self.hsts.as_ref()
    }

    /// Takes out of a request what the client must not tell the application: every alias of a managed name, our cookies,
    /// and `Authorization` unless the permit lets it through.
    pub fn rewrite(&self, request: &mut impl Fields, permit: &Permit) {
        request.retain(|name| !self.is_managed(name));
        if permit.authorization() == ClientAuthorization::Drop {
            request.remove(&AUTHORIZATION);
        }
        self.take_out_our_cookies(request);
    }

    /// Writes the gateway's proof, if there is one, and the member's identity, or nothing. Every value is ours or the field
    /// is absent (SECURITY: H4, HDR-05). Nothing has these names any more: [`Self::rewrite`] was before.
    pub(super) fn write_identity(&self, request: &mut impl Fields, permit: &Permit) -> pingora::Result<()> {
        if let Some(proof) = &self.identity.proof {
            request.append(self.identity.secret.as_str(), proof.as_bytes())?;
        }
        let Some(profile) = permit.identity() else { return Ok(()) };
        for (name, value) in self.identity(profile) {
            request.append(name.as_str(), value.as_bytes())?;
        }
        Ok(())
    }

    /// The identity fields of a member, for the application or for a proxy that asked on its behalf.
    pub(super) fn identity<'i>(
        &'i self,
        profile: &'i Profile,
    ) -> impl Iterator<Item = (&'i HeaderName, Cow<'i, str>)> + 'i {
        let groups = (!profile.groups.is_empty())
            .then(|| profile.groups.iter().map(Group::as_str).collect::<Vec<_>>().join(","))
            .and_then(|groups| self.encode(Cow::Owned(groups)));
        let name = profile.full_name.as_deref().unwrap_or_else(|| profile.name.as_str());
        [
            (&self.identity.user, self.encode(profile.name.as_str().into())),
            (&self.identity.name, self.encode(name.into())),
            (&self.identity.email, profile.email.as_deref().and_then(|email| self.encode(email.into()))),
            (&self.identity.groups, groups),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
    }

    /// Drops a cookie of ours that the application tries to set and what is meant for its own connection, and adds what
    /// every response of ours carries: `Vary` where the page depends on who asks, HSTS over TLS, and that passkeys are not
    /// the page's to use where they are ours. Everything else goes on byte for byte. Interim responses get nothing added.
    pub(super) fn rewrite_response(
        &self,
        response: &mut impl Fields,
        status: StatusCode,
        permit: &Permit,
        trust: Trust,
    ) -> pingora::Result<()> {
        let sets_ours = |value: &[u8]| self.cookies.sets_ours(value);
        if response.values(&SET_COOKIE).any(sets_ours) {
            let settings = response.values(&SET_COOKIE).filter(|value| !sets_ours(value));
            let kept: Vec<Vec<u8>> = settings.map(<[u8]>::to_vec).collect();
            response.remove(&SET_COOKIE);
            kept.iter().try_for_each(|value| response.append("Set-Cookie", value))?;
        }
        if status.is_informational() {
            return Ok(());
        }
        let nominated = nominated(response);
        let is_nominated =
            |name: &str| nominated.iter().any(|known| known.eq_ignore_ascii_case(name.as_bytes()));
        response.retain(|name| {
            !(is_hop_by_hop(name, status) || is_file_order(name, trust) || is_nominated(name))
        });
        if permit.depends_on_member() && !varies_by_cookie(response) {
            response.append("Vary", b"Cookie")?;
        }
        self.secure_transport(response)?;
        match self.webauthn {
            Webauthn::Ours => permissions::take_passkeys(response),
            Webauthn::Anyones => Ok(()),
        }
    }

    /// SECURITY: WEB-05. Once: the application's own, of which browsers read the first alone (RFC 6797 §8.1), or ours.
    fn secure_transport(&self, response: &mut impl Fields) -> pingora::Result<()> {
        let mut given = response.values(&STRICT_TRANSPORT_SECURITY);
        let written = match (given.next(), given.next(), &self.hsts) {
            (Some(_), None, _) | (None, _, None) => return Ok(()),
            (Some(first), Some(_), _) => first.to_vec(),
            (None, _, Some(ours)) => ours.as_bytes().to_vec(),
        };
        drop(given);
        response.set_as(&STRICT_TRANSPORT_SECURITY, "Strict-Transport-Security", &written)
    }

    /// SECURITY: HDR-01, H1. Applications fold `-`, `_`, `.` and blanks to one name; so all that differ only in
    /// characters that are neither letter nor digit are one name here.
    pub(super) fn is_managed(&self, name: &str) -> bool {
        let mut letters = fold(name);
        let Some(first) = letters.next() else { return false };
        let length = 1 + letters.count();
        let is_one = self.lengths[usize::from(first & 0x7f)] & 1 << length.min(63) != 0
            && self.managed.contains(&fold(name).collect::<Vec<_>>());
        let begins = |family: &&[u8]| {
            family.first() == Some(&first) && fold(name).take(family.len()).eq(family.iter().copied())
        };
        is_one || FAMILIES.iter().any(begins)
    }

    fn take_out_our_cookies(&self, request: &mut impl Fields) {
        let rests = request.values(&COOKIE).map(|value| self.cookies.without_ours(value));
        let rests: Vec<Option<Vec<u8>>> = rests.collect();
        if rests.iter().all(Option::is_none) {
            return;
        }
        let rests = request.values(&COOKIE).zip(rests);
        let kept: Vec<Vec<u8>> = rests.map(|(value, rest)| rest.unwrap_or_else(|| value.to_vec())).collect();
        request.remove(&COOKIE);
        // What is left is a part of what was a value before.
        kept.iter().filter(|rest| !rest.is_empty()).for_each(|rest| drop(request.append("Cookie", rest)));
    }

    /// SECURITY: HDR-04. Names hold no control characters, so both forms make valid fields; if one does not, the field
    /// is left out rather than sent raw.
    fn encode<'t>(&self, text: Cow<'t, str>) -> Option<Cow<'t, str>> {
        match self.identity.encoding {
            IdentityEncoding::Utf8 => Some(text),
            IdentityEncoding::Percent => Some(percent(text)),
        }
        .filter(|text| !text.bytes().any(|byte| byte.is_ascii_control()))
    }
}

/// The value of a field that occurs once and is visible ASCII.
pub(super) fn value_of<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok().map(str::trim),
        _ => None,
    }
}

pub(super) fn fold(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| byte.to_ascii_lowercase())
}

fn percent(text: Cow<'_, str>) -> Cow<'_, str> {
    use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
    const ESCAPED: &AsciiSet = &CONTROLS.add(b'%');
    match Cow::from(utf8_percent_encode(&text, ESCAPED)) {
        Cow::Borrowed(_) => text,
        Cow::Owned(escaped) => escaped.into(),
    }
}

/// What concerns the application's connection to us and not ours to the browser (RFC 9110 §7.6.1, §11.7). `Connection` itself is
/// the engine's. Apache offers h2c in `Upgrade` on every response; browsers have broken off over it. `Proxy-Status` is for all who
/// are on the way (RFC 9209 §2).
fn is_hop_by_hop(name: &str, status: StatusCode) -> bool {
    const NAMES: [&str; 4] =
        ["keep-alive", "proxy-authenticate", "proxy-authentication-info", "proxy-connection"];
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    NAMES.into_iter().any(is) || is("upgrade") && status != StatusCode::UPGRADE_REQUIRED
}

/// What else the application says is meant for its connection to us alone; but never where the body ends, and of `Upgrade` it is
/// known what becomes of it.
fn nominated(response: &impl Fields) -> Vec<Vec<u8>> {
    const KNOWN: [&[u8]; 6] =
        [b"close", b"keep-alive", b"upgrade", b"content-length", b"transfer-encoding", b"trailer"];
    let is_known = |option: &&[u8]| KNOWN.iter().any(|known| known.eq_ignore_ascii_case(option));
    let fields = response.values(&CONNECTION).filter(|value| !is_known(value));
    let options = fields.flat_map(|value| value.split(|byte| *byte == b','));
    options.map(<[u8]>::trim_ascii).filter(|option| !is_known(option)).map(<[u8]>::to_vec).collect()
}

/// SECURITY: HDR-10. What tells a web server before the application to send a file of its own instead. It names where
/// files lie, and is meant for that server alone; where one asked that we trust, it may be that one.
fn is_file_order(name: &str, trust: Trust) -> bool {
    const ORDERS: [&str; 4] = ["x-accel-redirect", "x-sendfile", "x-sendfile2", "x-lighttpd-send-file"];
    trust == Trust::Stranger && ORDERS.iter().any(|order| order.eq_ignore_ascii_case(name))
}

fn varies_by_cookie(response: &impl Fields) -> bool {
    let names = response.values(&VARY).flat_map(|value| value.split(|byte| *byte == b','));
    names.map(<[u8]>::trim_ascii).any(|name| name == b"*" || name.eq_ignore_ascii_case(b"cookie"))
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) use self::tests::plain_rules;
