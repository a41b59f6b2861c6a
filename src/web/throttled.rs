//! Asking the throttle before a secret is checked, and telling a visitor to wait.
//!
//! SECURITY: THR-13. Who waits, and for how long, does not depend on whether there is an account.

use std::time::Duration;

use bytes::Bytes;
use http::header::{RETRY_AFTER, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Response};

use super::{Problem, Visit, Web};
use crate::auth::throttle::{Marks, Reserved, Throttled, Try, Way, Who};
use crate::domain::{Persistence, UserId};

impl Web {
    /// The right to one try; refused tries are in the log.
    pub(super) fn try_to_reserve(
        &self,
        way: Way,
        who: Who<'_>,
        visit: &Visit<'_>,
    ) -> Result<Result<Reserved, Throttled>, Problem> {
        let own =
            visit.member.filter(|member| matches!(who, Who::Member(user) if user == member.session.user()));
        let wanted = Try { way, who, from: visit.client, device: own.map(|member| member.session.device()) };
        let reserved =
            self.parts.throttle.reserve(&wanted).map_err(|error| self.store_failed(&error, visit))?;
        Ok(reserved.inspect_err(|throttled| {
            let member = visit.member.map(|member| member.session.user());
            self.note_throttled(way, throttled, member, visit);
        }))
    }

    /// The same, where a page of its own tells what is wrong.
    pub(super) fn reserve(&self, way: Way, who: Who<'_>, visit: &Visit<'_>) -> Result<Reserved, Problem> {
        let reserved = self.try_to_reserve(way, who, visit)?;
        reserved.map_err(|throttled| Problem::throttled(&throttled))
    }

    /// What a browser brings of who has signed in there before.
    pub(super) fn marks(&self, headers: &HeaderMap) -> Marks {
        self.parts.cookies.device(Self::cookie_fields(headers))
    }

    /// Marks the browser in which this member has just signed in (SECURITY: THR-02), unless others use it, too. If something is
    /// amiss they go on without.
    pub(super) fn marking(
        &self,
        mut response: Response<Bytes>,
        user: UserId,
        persistence: Persistence,
        headers: &HeaderMap,
        visit: &Visit<'_>,
    ) -> Response<Bytes> {
        if persistence == Persistence::Shared {
            return response;
        }
        match self.parts.throttle.mark(&self.marks(headers), user) {
            Ok(Some(marks)) => {
                response.headers_mut().append(SET_COOKIE, self.parts.cookies.set_device(&marks));
            }
            Ok(None) => {}
            Err(error) => drop(self.store_failed(&error, visit)),
        }
        response
    }

    /// An operator's link has let this member in: what others tried on their account is forgotten.
    pub(super) fn forgive(&self, user: UserId, visit: &Visit<'_>) {
        if let Err(error) = self.parts.throttle.forgive(user) {
            let _ = self.store_failed(&error, visit);
        }
    }
}

/// Says in the header when to come back.
pub(super) fn with_retry_after<B>(mut response: Response<B>, throttled: &Throttled) -> Response<B> {
    let value = HeaderValue::from(seconds(throttled.retry_after()));
    response.headers_mut().insert(RETRY_AFTER, value);
    response
}

/// Whole seconds; never too few.
pub(super) fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX)
}
