//! The offer after signing in. The application is not ours to write on, so the offer is a page between signing in and
//! the page asked for: that page is the first thing on it, and where nothing speaks for the offer it is not shown.
//!
//! It takes a member in the roll-out, without a passkey, whose script says that this device can make one (MF-29, MF-30),
//! and a browser that has not seen the offer lately. Without JavaScript nobody ever sees it.

use std::time::Duration;

use bytes::Bytes;
use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use serde::Serialize;

use super::super::pages::Page;
use super::super::request::in_query;
use super::super::response::Reply;
use super::super::{Visit, Web};
use crate::auth::passkeys::{Passkeys, Suggest};
use crate::domain::{Profile, ReturnTo, Timestamp};

/// What the page shows.
#[derive(Default, Serialize)]
pub(in crate::web) struct WelcomePage {
    csrf: String,
    return_to: String,
    return_to_in_query: String,
    /// The member came with a passkey from another device.
    has_passkeys: bool,
}

impl Page for WelcomePage {
    const TEMPLATE: &'static str = "welcome.html";

    fn samples() -> Vec<Self> {
        vec![Self { has_passkeys: true, ..Self::default() }, Self::default()]
    }
}

/// Whether the script says that this device can make a passkey, so that there is something to offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::web) enum PlatformAuthenticator {
    Here,
    NotKnown,
}

impl From<bool> for PlatformAuthenticator {
    fn from(is_here: bool) -> Self {
        if is_here { Self::Here } else { Self::NotKnown }
    }
}

impl Web {
    /// The offer is not repeated for this long after it was shown.
    const NOT_NOW: Duration = Duration::from_secs(30 * 86_400);
    /// "Don't ask again": as long as browsers keep a cookie.
    const NEVER: Duration = Duration::from_secs(400 * 86_400);

    /// Where to go after signing in: the page asked for, or the offer before it.
    pub(in crate::web) fn after_sign_in(
        &self,
        profile: &Profile,
        return_to: &ReturnTo,
        platform: PlatformAuthenticator,
        headers: &HeaderMap,
    ) -> String {
        let is_ours = return_to.as_str().starts_with(&self.ours("/"));
        if platform == PlatformAuthenticator::NotKnown || is_ours || self.is_quiet(headers) {
            return return_to.to_string();
        }
        let Some(passkeys) = self.parts.passkeys.as_deref() else { return return_to.to_string() };
        let has_room = |count: usize| count < passkeys.options().max_per_user;
        let is_offered =
            passkeys.options().suggest == Suggest::AfterLogin && passkeys.are_offered_to(profile);
        if is_offered && passkeys.of(profile.id).is_ok_and(|all| has_room(all.len())) {
            let target: String = form_urlencoded::byte_serialize(return_to.as_str().as_bytes()).collect();
            return format!("{}?return_to={target}", self.ours("/welcome"));
        }
        return_to.to_string()
    }

    /// Whoever has a passkey that works on this device is not asked: a password sign-in offers only to those with none.
    pub(in crate::web) fn after_password(
        &self,
        profile: &Profile,
        return_to: &ReturnTo,
        platform: PlatformAuthenticator,
        headers: &HeaderMap,
    ) -> String {
        let has_none = |passkeys: &Passkeys| passkeys.of(profile.id).is_ok_and(|all| all.is_empty());
        match self.parts.passkeys.as_deref() {
            Some(passkeys) if has_none(passkeys) => self.after_sign_in(profile, return_to, platform, headers),
            _ => return_to.to_string(),
        }
    }

    /// Having been shown is as good as "not now": whoever goes on to the page asked for is left in peace, too.
    pub(super) fn welcome_page(
        &self,
        passkeys: &Passkeys,
        request: &Request<Bytes>,
        visit: &Visit<'_>,
    ) -> Reply {
        let return_to = ReturnTo::parse(&in_query(request, "return_to"), &self.parts.prefix);
        let Some(member) = visit.member else {
            return Ok(self.outbound.redirect(StatusCode::SEE_OTHER, return_to.as_str()));
        };
        let page = WelcomePage {
            csrf: member.proof().to_text(),
            return_to_in_query: form_urlencoded::byte_serialize(return_to.as_str().as_bytes()).collect(),
            return_to: return_to.to_string(),
            has_passkeys: !self.passkeys_of(passkeys, member.session.user(), visit)?.is_empty(),
        };
        let mut response = self.page(StatusCode::OK, &page, visit);
        response.headers_mut().append(SET_COOKIE, self.quiet_for(Self::NOT_NOW));
        Ok(response)
    }

    pub(super) fn leave_welcome(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let Some(member) = visit.member else { return Ok(self.to_sign_in()) };
        let form = self.member_form(request, &member)?;
        let return_to = ReturnTo::parse(form.text("return_to"), &self.parts.prefix);
        let quiet = if form.text("choice") == "never" { Self::NEVER } else { Self::NOT_NOW };
        let mut response = self.outbound.redirect(StatusCode::SEE_OTHER, return_to.as_str());
        response.headers_mut().append(SET_COOKIE, self.quiet_for(quiet));
        Ok(response)
    }

    fn is_quiet(&self, headers: &HeaderMap) -> bool {
        self.quiet_until(headers).is_some()
    }

    /// Until when this browser is not to be shown the offer, if that is in the future.
    pub(in crate::web) fn quiet_until(&self, headers: &HeaderMap) -> Option<Timestamp> {
        let until = self.parts.cookies.quiet_until(Self::cookie_fields(headers))?;
        (until > self.parts.clock.now()).then_some(until)
    }

    fn quiet_for(&self, time: Duration) -> HeaderValue {
        self.parts.cookies.set_quiet(self.parts.clock.now().after(time), time)
    }

    /// Signing out makes the browser forget all cookies; this one wish is carried over in the address that follows.
    /// Only what our own redirect says counts, and no longer than 400 days.
    pub(in crate::web) fn quiet_again(&self, request: &Request<Bytes>) -> Option<HeaderValue> {
        let is_own = request.headers().get("sec-fetch-site").is_some_and(|site| site == "same-origin");
        let until = Timestamp::from_millis(in_query(request, "quiet").parse().ok()?);
        let left = until.since(self.parts.clock.now()).min(Self::NEVER);
        (is_own && !left.is_zero()).then(|| self.quiet_for(left))
    }
}
