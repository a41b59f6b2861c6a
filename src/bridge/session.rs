//! A member's session at the forum, held by the gateway on the member's behalf.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::HeaderValue;

use super::{CookieNames, Jar, Visitor};
use crate::domain::Timestamp;

/// What the forum knows a member by, from one sign-in to the moment it no longer does.
#[derive(Debug)]
pub struct ForumSession {
    jar: Mutex<Jar>,
    names: CookieNames,
    /// As whom the forum got to know the member; it may take the cookies from nobody else.
    visitor: Visitor,
    since: Timestamp,
    is_over: AtomicBool,
}

/// As whose a request goes to the forum.
#[derive(Clone, Debug, Default)]
pub enum AsWhom {
    /// A guest's, with the browser's own cookies, as far as it may have them.
    #[default]
    Guest,
    /// A member's, by this session's cookies and none of the browser's.
    Member(Arc<ForumSession>),
    /// Nobody's: with none of the cookies by which the forum knows members.
    Nobody,
}

/// Whose a cookie is that the forum sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Kept here; the browser must not get it.
    Gateways,
    /// Goes on to the browser.
    Browsers,
}

impl ForumSession {
    pub(super) const fn new(jar: Jar, names: CookieNames, visitor: Visitor, since: Timestamp) -> Self {
        Self { jar: Mutex::new(jar), names, visitor, since, is_over: AtomicBool::new(false) }
    }

    /// The `Cookie` field for a request to the forum, made of the session's cookies and the browser's `Cookie` fields.
    pub fn field<'b>(
        &self,
        browsers: impl Iterator<Item = &'b [u8]>,
        path: &str,
        now: Timestamp,
    ) -> Option<HeaderValue> {
        self.jar().field(browsers, &self.names, path, now)
    }

    /// Takes over a `Set-Cookie` field of the answer to a request for `path`, if it is one of the session's. Fields are given
    /// in their order.
    pub fn take(&self, field: &[u8], path: &str, now: Timestamp) -> Whose {
        let setting = super::jar::setting(field, now);
        if !setting.is_some_and(|setting| self.names.include(setting.name)) {
            return Whose::Browsers;
        }
        self.jar().set(field, path, now);
        Whose::Gateways
    }

    /// The fields by which a browser gets what the forum knows the member by.
    pub(super) fn fields(&self, now: Timestamp) -> Vec<Vec<u8>> {
        self.jar().fields(now).map(<[u8]>::to_vec).collect()
    }

    /// Whether a browser that sends these pairs for `path` has the session's cookies for it.
    pub(super) fn is_in(&self, browsers: &[&[u8]], path: &str, now: Timestamp) -> bool {
        self.jar().is_in(browsers, path, now)
    }

    /// Whether it has a cookie of exactly this name.
    pub(super) fn has(&self, name: &[u8]) -> bool {
        self.jar().has(name)
    }

    /// Whether it was not over before.
    pub(super) fn end(&self) -> bool {
        !self.is_over.swap(true, Ordering::AcqRel)
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    pub(super) const fn since(&self) -> Timestamp {
        self.since
    }

    pub(super) const fn visitor(&self) -> &Visitor {
        &self.visitor
    }

    pub(super) fn jar(&self) -> MutexGuard<'_, Jar> {
        self.jar.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
