//! The forum's session cookies in members' browsers, where the operator wants them there (`forum.cookies = "browser"`). A member's
//! requests still go with what the gateway has; the browser's copies are for its scripts, and for the day passgate is gone.
//!
//! SECURITY: O1. So a copy counts for nothing on its own. Of a browser's cookies of these names, requests without a member's session take
//! only those along, byte for byte, that the forum has given to such requests. Everything else is left out: copies of a session that is
//! over, another member's, planted ones, and all from before a restart, for which a guest gets new ones of the forum.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use http::HeaderValue;
use sha2::{Digest, Sha256};

use super::jar::{name_of, pairs, sent, setting, split};
use super::{CookieNames, ForumSession, Origin};
use crate::domain::Timestamp;

/// How many of guests' cookies are remembered, the newest of them.
const GUESTS: usize = 100_000;

/// What browsers may have of the forum's session cookies.
pub(super) struct Browsers {
    names: CookieNames,
    origin: Origin,
    base: String,
    guests: Mutex<Guests>,
}

/// Hashes of the cookies that were given to guests, in the order in which they were.
#[derive(Default)]
struct Guests {
    known: HashSet<[u8; 16]>,
    order: VecDeque<[u8; 16]>,
}

/// What a browser sends of the forum's cookies, beside those that are its member's.
#[derive(Debug, Default)]
pub struct InBrowser {
    /// Whether it lacks some of its member's.
    pub lacks: bool,
    /// The names of those that it should not have.
    pub strays: Vec<Vec<u8>>,
}

impl Browsers {
    pub(super) fn new(names: CookieNames, origin: Origin, base: &str) -> Self {
        Self { names, origin, base: base.to_owned(), guests: Mutex::default() }
    }

    /// What a browser has that sends these `Cookie` fields for `path`, and whose member has this session.
    pub(super) fn compare<'b>(
        &self,
        session: &ForumSession,
        browsers: impl Iterator<Item = &'b [u8]>,
        path: &str,
        now: Timestamp,
    ) -> InBrowser {
        let pairs: Vec<&[u8]> = pairs(browsers).filter(|pair| self.names.include(name_of(pair))).collect();
        let lacks = !session.is_in(&pairs, path, now);
        let foreign = pairs.into_iter().map(name_of).filter(|name| !session.has(name));
        InBrowser { lacks, strays: foreign.map(<[u8]>::to_vec).collect() }
    }

    /// The `Cookie` field for a request without a member's session, and the names that are left out of it.
    pub(super) fn guests_field<'b>(
        &self,
        browsers: impl Iterator<Item = &'b [u8]>,
    ) -> (Option<HeaderValue>, InBrowser) {
        let mut strays = Vec::new();
        let kept = pairs(browsers).filter(|pair| {
            let passes = !self.names.include(name_of(pair)) || self.guests().known.contains(&mark(pair));
            if !passes {
                strays.push(name_of(pair).to_vec());
            }
            passes
        });
        let field = sent(kept.map(<[u8]>::to_vec).collect::<Vec<_>>().into_iter());
        (field, InBrowser { lacks: false, strays })
    }

    /// Takes note of a cookie that the forum sets in an answer to a request without a member's session.
    pub(super) fn give_to_guest(&self, field: &[u8], now: Timestamp) {
        let Some((name, value)) =
            setting(field, now).and_then(|setting| Some((setting.name, setting.value?)))
        else {
            return;
        };
        if self.names.include(name) {
            self.guests().add(mark(&[name, b"=", value].concat()));
        }
    }

    /// A cookie as the forum set it, for a browser of this site: over TLS alone, if that is how the site is reached.
    pub(super) fn given(&self, field: &[u8]) -> Option<HeaderValue> {
        let mut attributes = field.split(|byte| *byte == b';').skip(1).map(|part| split(part).0);
        let is_secure = attributes.any(|name| name.eq_ignore_ascii_case(b"secure"));
        self.value([field, if is_secure { b"" } else { self.secure() }].concat())
    }

    /// Takes a cookie away that was given by `field`.
    pub(super) fn taken(&self, field: &[u8]) -> Option<HeaderValue> {
        let mut parts = field.split(|byte| *byte == b';');
        let name = name_of(parts.next()?);
        let mut whole = [name, b"=; Max-Age=0"].concat();
        for part in parts.filter(|part| {
            let name = split(part).0;
            [&b"path"[..], b"domain"].iter().any(|kept| name.eq_ignore_ascii_case(kept))
        }) {
            whole.extend_from_slice(b"; ");
            whole.extend_from_slice(part.trim_ascii());
        }
        whole.extend_from_slice(self.secure());
        self.value(whole)
    }

    /// Takes a cookie away of which only the name is known: where forums put theirs.
    pub(super) fn taken_by_name<'n>(&'n self, name: &'n [u8]) -> impl Iterator<Item = HeaderValue> + 'n {
        let mut paths = vec!["/"];
        paths.extend(Some(self.base.as_str()).filter(|base| *base != "/"));
        paths.into_iter().filter_map(move |path| self.taken(&[name, b"=; Path=", path.as_bytes()].concat()))
    }

    fn secure(&self) -> &'static [u8] {
        if self.origin.is_over_tls() { b"; Secure" } else { b"" }
    }

    fn value(&self, bytes: Vec<u8>) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_bytes(&bytes).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    fn guests(&self) -> MutexGuard<'_, Guests> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Guests {
    fn add(&mut self, mark: [u8; 16]) {
        if !self.known.insert(mark) {
            return;
        }
        self.order.push_back(mark);
        if self.order.len() > GUESTS
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

/// Half a SHA-256: enough that no other pair of bytes has it.
fn mark(pair: &[u8]) -> [u8; 16] {
    let whole: [u8; 32] = Sha256::digest(pair).into();
    let mut half = [0; 16];
    half.copy_from_slice(&whole[..16]);
    half
}

#[cfg(test)]
mod tests;
