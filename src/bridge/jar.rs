//! The forum's cookies of one gateway session. They never leave the gateway for the browser, so that a session that is over
//! here is over there too, whatever the forum thinks of the cookie.
//!
//! Names and values are kept byte for byte: forums write brackets, `|`, `%7C` and JSON into them. This is the application's
//! side of the wire; our own cookies are `auth::cookie`'s.

mod date;

use std::time::Duration;

use http::HeaderValue;
use zeroize::Zeroizing;

use super::CookieNames;
use crate::domain::Timestamp;

/// How many cookies are kept, the newest last; browsers keep about as many for a site.
const COOKIES: usize = 50;
/// How long a name and its value may be together (RFC 6265bis §5.6).
const BYTES: usize = 4096;

/// The cookies a forum has set.
#[derive(Clone, Default)]
pub struct Jar(Vec<Cookie>);

#[derive(Clone)]
struct Cookie {
    name: Vec<u8>,
    value: Zeroizing<Vec<u8>>,
    path: Vec<u8>,
    ends: Option<Timestamp>,
    /// The whole `Set-Cookie` field, for those who hand the cookie on.
    field: Zeroizing<Vec<u8>>,
}

/// One `Set-Cookie` field, as it was read. Not to be printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Setting<'f> {
    /// The cookie's name.
    pub name: &'f [u8],
    /// Its value; none if the field takes the cookie away.
    pub value: Option<&'f [u8]>,
}

impl std::fmt::Debug for Jar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.names().map(String::from_utf8_lossy)).finish()
    }
}

impl Jar {
    /// Takes over one `Set-Cookie` field of the answer to a request for `path`. Fields are given in their order, so that the
    /// last one of a name wins. Returns what the field did; none if it is no cookie.
    pub fn set<'f>(&mut self, field: &'f [u8], path: &str, now: Timestamp) -> Option<Setting<'f>> {
        let (cookie, setting) = read(field, path, now)?;
        self.0.retain(|known| (&known.name, &known.path) != (&cookie.name, &cookie.path));
        if setting.value.is_some() {
            if self.0.len() == COOKIES {
                self.0.remove(0);
            }
            self.0.push(cookie);
        }
        Some(setting)
    }

    /// Forgets all but the cookies of these names.
    pub fn keep(&mut self, names: &CookieNames) {
        self.0.retain(|cookie| names.include(&cookie.name));
    }

    /// The fields by which the forum has set what is in it and has not ended.
    pub(super) fn fields(&self, now: Timestamp) -> impl Iterator<Item = &[u8]> {
        self.0
            .iter()
            .filter(move |cookie| cookie.ends.is_none_or(|ends| now < ends))
            .map(|cookie| &cookie.field[..])
    }

    /// Whether a browser that sends these pairs for `path` has all that is in it for that path.
    pub(super) fn is_in(&self, browsers: &[&[u8]], path: &str, now: Timestamp) -> bool {
        let mut ours = self.0.iter().filter(|cookie| cookie.is_for(path, now));
        ours.all(|cookie| browsers.contains(&&cookie.pair()[..]))
    }

    /// Whether a cookie of exactly this name is in it.
    pub(super) fn has(&self, name: &[u8]) -> bool {
        self.0.iter().any(|cookie| cookie.name == name)
    }

    /// The names of what is in it.
    pub(super) fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|cookie| &cookie.name[..])
    }

    /// Takes out the cookies whose names are meant; gives their values.
    pub(super) fn take_where(&mut self, is_meant: impl Fn(&[u8]) -> bool) -> Vec<Zeroizing<Vec<u8>>> {
        self.0.extract_if(.., |cookie| is_meant(&cookie.name)).map(|cookie| cookie.value).collect()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The `Cookie` field for a request: ours first, then what of the browser's own is not one of `names`.
    ///
    /// Ours come first and the browser's of the same names are dropped, however they are spelled: PHP takes the first of
    /// a name and reads `phpbb3.x_sid` as `phpbb3_x_sid`.
    pub fn field<'b>(
        &self,
        browsers: impl Iterator<Item = &'b [u8]>,
        names: &CookieNames,
        path: &str,
        now: Timestamp,
    ) -> Option<HeaderValue> {
        let mut ours: Vec<&Cookie> = self.0.iter().filter(|cookie| cookie.is_for(path, now)).collect();
        ours.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let ours = ours.into_iter().map(Cookie::pair);
        let others = pairs(browsers).filter(|pair| !names.include(name_of(pair))).map(<[u8]>::to_vec);
        sent(ours.chain(others))
    }
}

/// The `Cookie` field of these pairs; none if there are none.
pub(super) fn sent(pairs: impl Iterator<Item = Vec<u8>>) -> Option<HeaderValue> {
    let field = pairs.collect::<Vec<_>>().join(&b"; "[..]);
    if field.is_empty() {
        return None;
    }
    let mut value = HeaderValue::from_bytes(&field).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The pairs of a browser's `Cookie` fields.
pub(super) fn pairs<'b>(browsers: impl Iterator<Item = &'b [u8]>) -> impl Iterator<Item = &'b [u8]> {
    let pairs = browsers.flat_map(|field| field.split(|byte| *byte == b';')).map(<[u8]>::trim_ascii);
    pairs.filter(|pair| !pair.is_empty())
}

impl Cookie {
    fn pair(&self) -> Vec<u8> {
        [&self.name[..], b"=", &self.value[..]].concat()
    }

    /// RFC 6265 §5.1.4, §5.4.
    fn is_for(&self, path: &str, now: Timestamp) -> bool {
        let rest = path.as_bytes().strip_prefix(&self.path[..]);
        let below = rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'/' || self.path.ends_with(b"/"));
        below && self.ends.is_none_or(|ends| now < ends)
    }
}

/// What a `Set-Cookie` field does; none if it is no cookie. For those who pass it on.
pub fn setting(field: &[u8], now: Timestamp) -> Option<Setting<'_>> {
    read(field, "/", now).map(|(_, setting)| setting)
}

/// RFC 6265 §5.2, without `Domain` and `Secure`: the cookies go back to the forum that set them and nowhere else.
fn read<'f>(field: &'f [u8], path: &str, now: Timestamp) -> Option<(Cookie, Setting<'f>)> {
    let mut parts = field.split(|byte| *byte == b';');
    let (name, value) = split(parts.next()?);
    let value = value?;
    let is_text = |bytes: &[u8]| bytes.iter().all(|byte| *byte >= b' ' && *byte != 0x7f);
    if name.is_empty() || name.len() + value.len() > BYTES || !is_text(name) || !is_text(value) {
        return None;
    }
    let mut own_path = default_path(path).as_bytes();
    let (mut expires, mut max_age) = (None, None);
    for part in parts {
        let (key, text) = split(part);
        let text = text.unwrap_or_default();
        match key.to_ascii_lowercase().as_slice() {
            b"path" if text.starts_with(b"/") => own_path = text,
            b"expires" => expires = date::parse(text).or(expires),
            b"max-age" => max_age = seconds(text, now).or(max_age),
            _ => {}
        }
    }
    let ends = max_age.or(expires);
    let value_left = ends.is_none_or(|ends| now < ends).then_some(value);
    let cookie = Cookie {
        name: name.to_vec(),
        value: Zeroizing::new(value.to_vec()),
        path: own_path.to_vec(),
        ends,
        field: Zeroizing::new(field.to_vec()),
    };
    Some((cookie, Setting { name, value: value_left }))
}

pub(super) fn split(part: &[u8]) -> (&[u8], Option<&[u8]>) {
    match part.iter().position(|byte| *byte == b'=') {
        Some(at) => (part[..at].trim_ascii(), Some(part[at + 1..].trim_ascii())),
        None => (part.trim_ascii(), None),
    }
}

pub(super) fn name_of(pair: &[u8]) -> &[u8] {
    split(pair).0
}

fn seconds(text: &[u8], now: Timestamp) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?;
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // More seconds than can be counted are for ever, fewer than none are over.
    let seconds = if text.starts_with('-') { 0 } else { digits.parse().unwrap_or(u64::MAX / 1000) };
    Some(if seconds == 0 { Timestamp::from_millis(0) } else { now.after(Duration::from_secs(seconds)) })
}

/// RFC 6265 §5.1.4.
fn default_path(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(at) => &path[..at],
    }
}

#[cfg(test)]
mod tests;
