//! Signing out: only by a form of ours, at once and for good.

use bytes::Bytes;
use http::header::{HeaderName, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use serde::Serialize;

use super::audit::{self, Event};
use super::pages::Page;
use super::request::{Form, Provenance};
use super::response::Reply;
use super::{Problem, Visit, Web};

/// What the browser is to forget. SECURITY: SES-04. This goes for the application's cookies and storage too, and for
/// those of hosts below the same registrable domain: whoever sits down next finds nobody signed in. Its cache is not
/// named: browsers take seconds to clear it, and what is ours in there is no secret.
const FORGET: HeaderValue = HeaderValue::from_static("\"cookies\", \"storage\"");
const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");

/// The page that asks whether to sign out.
#[derive(Serialize)]
pub(super) struct LogoutPage {}

impl Page for LogoutPage {
    const TEMPLATE: &'static str = "logout.html";

    fn samples() -> Vec<Self> {
        vec![Self {}]
    }
}

impl Web {
    pub(super) fn logout_page(&self, visit: &Visit<'_>) -> Reply {
        Ok(match visit.member {
            Some(_) => self.page(StatusCode::OK, &LogoutPage {}, visit),
            None => self.outbound.redirect(StatusCode::SEE_OTHER, &self.ours("/login?notice=signed-out")),
        })
    }

    pub(super) async fn log_out(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let form = Form::read(request, &self.parts.origins)?;
        let Some(member) = visit.member else {
            // Nothing to end. Cookies go if the form is ours, or if there is a dead one: another site's form, which
            // comes without cookies, must not make the browser forget anything.
            let is_ours = form.provenance() == Provenance::Ours;
            let clear = is_ours || self.is_stale(request.headers(), visit);
            return Ok(self.signed_out(request.headers(), is_ours, clear));
        };
        if !form.proves(&member.proof()) {
            return match form.provenance() {
                // An old page: ask once more, with a form that works.
                Provenance::Ours => Ok(self.page(StatusCode::FORBIDDEN, &LogoutPage {}, visit)),
                Provenance::Unsaid => Err(Problem::CsrfFailed),
            };
        }
        let (id, now) = (member.session.id(), self.parts.clock.now());
        let taken: Vec<_> = self.parts.forum.iter().flat_map(|forum| forum.farewell(&id, now)).collect();
        let ended = self.parts.sessions.end(id).await;
        ended.map_err(|error| self.store_failed(&error, visit))?;
        self.discard_all_kept(request.headers(), visit);
        audit::record(Event::SignedOut, Some(member.session.user()), visit);
        let mut response = self.signed_out(request.headers(), true, true);
        for field in taken {
            response.headers_mut().append(SET_COOKIE, field);
        }
        Ok(response)
    }

    fn signed_out(&self, headers: &HeaderMap, forget: bool, clear: bool) -> Response<Bytes> {
        let mut address = self.ours("/login?notice=signed-out");
        if let Some(until) = self.quiet_until(headers) {
            address.push_str(&format!("&quiet={}", until.as_millis()));
        }
        let mut response = self.outbound.redirect(StatusCode::SEE_OTHER, &address);
        let headers = response.headers_mut();
        if forget {
            headers.insert(CLEAR_SITE_DATA, FORGET);
        }
        if clear {
            headers.append(SET_COOKIE, self.parts.cookies.clear_session());
        }
        response
    }
}
