//! Reading what an address brings, and what ties a form to whoever it was shown to.

use std::borrow::Cow;

use bytes::Bytes;
use http::header::USER_AGENT;
use http::{HeaderMap, Request};

use super::{Member, Problem, Web};
use crate::auth::BrowserToken;
use crate::domain::TokenHash;

pub(super) use super::posted::{Form, Provenance, proven_json, provenance, proves, small_json};
pub use super::posted::{MAX_BODY_BYTES, MAX_JSON_BYTES};

/// What the browser calls itself; empty if it does not say.
pub(super) fn user_agent(headers: &HeaderMap) -> &str {
    headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The first value of a name in the query; empty if it is missing.
pub(super) fn in_query<'r>(request: &'r Request<Bytes>, name: &str) -> Cow<'r, str> {
    let query = request.uri().query().unwrap_or_default();
    form_urlencoded::parse(query.as_bytes())
        .find(|(known, _)| known == name)
        .map_or(Cow::Borrowed(""), |(_, value)| value)
}

/// The anti-forgery value of the sign-in form: known only to the browser that holds the cookie.
pub(super) fn sign_in_proof(browser: &BrowserToken) -> TokenHash {
    browser.derive(b"passgate sign-in form")
}

impl Member<'_> {
    /// The anti-forgery value of the forms for signed-in members. It does not give the session token.
    pub(super) fn proof(&self) -> TokenHash {
        self.token.derive(b"passgate member form")
    }
}

impl Web {
    /// Whether a request says of itself that a page of this site made it, or nothing at all, as programs do.
    pub fn is_from_here(&self, headers: &HeaderMap) -> bool {
        provenance(headers, &self.parts.origins).is_some()
    }

    /// Reads a form that only a signed-in member's own page can have sent.
    pub(super) fn member_form(&self, request: &Request<Bytes>, member: &Member<'_>) -> Result<Form, Problem> {
        let form = Form::read(request, &self.parts.origins)?;
        if form.proves(&member.proof()) { Ok(form) } else { Err(Problem::CsrfFailed) }
    }
}
