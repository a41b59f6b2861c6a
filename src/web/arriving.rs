//! The last part of signing in with a password: what was asked is answered, and the member goes on to the page they wanted, or to what
//! comes before it. Only here does the forum get to know the password.

use bytes::Bytes;
use http::header::SET_COOKIE;
use http::{HeaderMap, Response, StatusCode};

use super::audit::{self, Event};
use super::request::Form;
use super::{Visit, Web};
use crate::auth::SessionToken;
use crate::auth::events::What;
use crate::auth::throttle::Way;
use crate::bridge::Unclaimed;
use crate::domain::{Persistence, Profile, ReturnTo, Secret};

/// Somebody whom a password, and what was asked beside it, has let in.
pub(super) struct Arrival<'a> {
    pub(super) token: &'a SessionToken,
    pub(super) profile: &'a Profile,
    pub(super) persistence: Persistence,
    pub(super) way: Way,
    pub(super) return_to: &'a ReturnTo,
    /// The password, if the forum may be signed in to with it.
    pub(super) password: Option<Secret<String>>,
    /// The session at the forum that there is already.
    pub(super) at_forum: Option<Unclaimed>,
    pub(super) wishes: Wishes,
    /// What to write down if nothing more is asked.
    pub(super) event: Event,
}

/// What was ticked, or found out by the script, with the password.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wishes {
    then_add: bool,
    passkey_ready: bool,
}

impl Wishes {
    /// As a form sends them. An address of ours has the same names.
    pub(super) fn posted(form: &Form) -> Self {
        Self { then_add: form.is_ticked("then_add"), passkey_ready: form.is_ticked("passkey_ready") }
    }

    /// The names of those that are there, each with the value 1.
    pub(super) fn names(self) -> impl Iterator<Item = &'static str> {
        let all = [(self.then_add, "then_add"), (self.passkey_ready, "passkey_ready")];
        all.into_iter().filter_map(|(is_there, name)| is_there.then_some(name))
    }
}

impl Web {
    pub(super) async fn arrive(
        &self,
        arrival: Arrival<'_>,
        headers: &HeaderMap,
        visit: &Visit<'_>,
    ) -> Response<Bytes> {
        let Arrival { token, profile, persistence, way, return_to, password, at_forum, wishes, event } =
            arrival;
        let session = self.parts.sessions.check(token);
        let first = session.as_ref().and_then(|session| self.before_going_on(session, return_to));
        if let (Some(session), None) = (&session, &first) {
            match (at_forum, password) {
                (Some(at_forum), _) => self.go_on_at_forum(session, at_forum),
                (None, Some(password)) => self.try_at_forum(session, password, headers, visit).await,
                (None, None) => {}
            }
        }
        let event = first.as_ref().map_or(event, |(_, awaited)| *awaited);
        audit::record(event, Some(profile.id), visit);
        if way == Way::Password {
            self.notify_if_new(profile.id, headers, visit).await;
            self.note_sign_in(What::SignedInByPassword, profile.id, token.hash(), headers, visit);
        }
        self.end_replaced(visit).await;
        let next = match first {
            Some((first, _)) => first,
            None if way == Way::Password && self.is_short_now(profile) => self.longer_address(return_to),
            None if wishes.then_add => self.add_address(return_to),
            None => {
                let is_ready =
                    wishes.passkey_ready && way == Way::Password && persistence != Persistence::Shared;
                self.after_password(profile, return_to, is_ready.into(), headers)
            }
        };
        let mut response = self.outbound.redirect(StatusCode::SEE_OTHER, &next);
        response.headers_mut().append(SET_COOKIE, self.parts.cookies.set_session(token, persistence));
        self.marking(response, profile.id, persistence, headers, visit)
    }
}
