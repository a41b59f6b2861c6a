//! The one-time link with which a member signs in (MF-63).
//!
//! SECURITY: AUTH-09, L9. Looking at the link does not use it up, pressing the button does; what the session may do then is
//! decided in `auth::links`. As on the set-up page the token is the proof that the form asks for.

use bytes::Bytes;
use http::header::SET_COOKIE;
use http::{Request, StatusCode};
use serde::Serialize;

use super::audit::{self, Event};
use super::pages::Page;
use super::request::{Form, in_query, user_agent};
use super::response::Reply;
use super::{Visit, Web};
use crate::auth::events::What;
use crate::domain::{LinkKind, Persistence, Profile};

/// What the page shows.
#[derive(Default, Serialize)]
pub(super) struct LinkPage {
    token: String,
    username: String,
    /// Whether it leads to adding one.
    adds_passkey: bool,
}

impl Page for LinkPage {
    const TEMPLATE: &'static str = "link.html";

    fn samples() -> Vec<Self> {
        vec![Self::default(), Self { adds_passkey: true, ..Self::default() }]
    }
}

impl Web {
    pub(super) fn link_page(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        match self.open_link(&in_query(request, "token"), visit)? {
            Some((token, user, kind)) if kind.signs_in() => {
                let page = LinkPage {
                    token: token.to_text().to_string(),
                    username: user.profile.name.to_string(),
                    adds_passkey: self.adds_passkey(kind, &user.profile),
                };
                Ok(self.page(StatusCode::OK, &page, visit))
            }
            _ => self.link_expired(visit),
        }
    }

    pub(super) async fn sign_in_by_link(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let form = Form::read(request, &self.parts.origins)?;
        let agent = user_agent(request.headers());
        let Some((token, _, kind)) = self.open_link(form.text("token"), visit)? else {
            return self.link_expired(visit);
        };
        let outcome = self.parts.accounts.sign_in_by_link(&token, kind, agent).await;
        let Some((session, profile)) = outcome.map_err(|error| self.store_failed(&error, visit))? else {
            return self.link_expired(visit);
        };
        audit::record(Event::SignedInByLink(kind), Some(profile.id), visit);
        self.note_sign_in(What::SignedInByLink, profile.id, session.hash(), request.headers(), visit);
        self.forgive(profile.id, visit);
        self.end_replaced(visit).await;
        let adds = self.adds_passkey(kind, &profile);
        let next = if adds { "/account/passkeys/add" } else { "/account?notice=by-link" };
        let mut response = self.outbound.redirect(StatusCode::SEE_OTHER, &self.ours(next));
        let cookie = self.parts.cookies.set_session(&session, Persistence::Browser);
        response.headers_mut().append(SET_COOKIE, cookie);
        Ok(response)
    }

    /// Whether a passkey can be added in a session that such a link opens.
    fn adds_passkey(&self, kind: LinkKind, member: &Profile) -> bool {
        kind == LinkKind::Reset
            && self.parts.passkeys.as_ref().is_some_and(|passkeys| passkeys.are_offered_to(member))
    }
}
