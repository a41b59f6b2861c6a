//! Forms for visitors who are not signed in, tied to their browser by a cookie of ours (SECURITY: WEB-01).

use bytes::Bytes;
use http::header::SET_COOKIE;
use http::{HeaderMap, Response, StatusCode};

use super::pages::Page;
use super::request::{Form, Provenance, sign_in_proof};
use super::{Problem, Visit, Web};
use crate::auth::BrowserToken;

/// Whether a form was shown in the browser that sent it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tie {
    /// It was.
    Holds,
    /// Nobody knows: the browser did not send our cookie back.
    Lost,
}

impl Web {
    /// What the browser is known by, if it is.
    pub(super) fn browser(&self, headers: &HeaderMap) -> Option<BrowserToken> {
        self.parts.cookies.browser(Self::cookie_fields(headers)).token()
    }

    /// A page whose form is tied to this browser: it gets the anti-forgery value. The browser gets a cookie if it has none.
    pub(super) fn tied<P: Page>(
        &self,
        status: StatusCode,
        page: impl FnOnce(String) -> P,
        headers: &HeaderMap,
        visit: &Visit<'_>,
    ) -> Response<Bytes> {
        let known = self.browser(headers);
        let is_new = known.is_none();
        let browser = known.unwrap_or_else(BrowserToken::generate);
        let mut response = self.page(status, &page(sign_in_proof(&browser).to_text()), visit);
        if is_new {
            response.headers_mut().append(SET_COOKIE, self.parts.cookies.set_browser(&browser));
        }
        response
    }

    /// Whether this form came from the page that was shown in this browser.
    pub(super) fn tie(&self, form: &Form, headers: &HeaderMap) -> Result<Tie, Problem> {
        if self.browser(headers).is_some_and(|browser| form.proves(&sign_in_proof(&browser))) {
            return Ok(Tie::Holds);
        }
        match form.provenance() {
            Provenance::Ours => Ok(Tie::Lost),
            Provenance::Unsaid => Err(Problem::CsrfFailed),
        }
    }
}
