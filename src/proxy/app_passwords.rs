//! App passwords on their way through the engine: where they count, what a program is told, and that they go nowhere else.
//! What one is and whether it is right is decided by `auth::app_passwords`.
//!
//! SECURITY: H3. An app password is taken out of each request that goes to the application, whatever a rule says of `Authorization`
//! and whether or not it counts. For proxies that ask by `verify` none counts: they would hand it on.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use pingora::http::RequestHeader;

use super::context::RequestContext;
use super::facts::Parsed;
use super::fields::Fields;
use super::{Gateway, Known};
use crate::auth::LiveSession;
use crate::auth::app_passwords::options::AppPasswordOptions;
use crate::auth::app_passwords::{Presented, RefusedAppPassword};
use crate::auth::throttle::{Try, Way, Who};
use crate::policy::{ClientAuthorization, Decision, RequestFacts};
use crate::web::{Audience, Problem, Visit, is_well_known};

impl Gateway {
    /// A program that presents an app password where these count; nobody if it presents none. One that is wrong, or somebody
    /// else's, or not for this path, is refused in one way (SECURITY: L5).
    pub(super) fn program(
        &self,
        request: &RequestHeader,
        parsed: &Parsed<'_>,
        ctx: &mut RequestContext,
    ) -> Result<Known, Problem> {
        let rules = Arc::clone(&ctx.rules);
        let Some(options) = &rules.app_passwords else { return Ok(Known::Nobody) };
        let Parsed { host, path, .. } = parsed;
        if is_well_known(path) || !options.covers(path.decoded()) {
            return Ok(Known::Nobody);
        }
        let facts = RequestFacts { host, path, method: &request.method };
        let anonymous = rules.policy.decide(&facts, None, self.clock.now());
        ctx.takes_app_password = asks_who(&anonymous);
        if !ctx.takes_app_password || !request.headers.contains_key(AUTHORIZATION) {
            return Ok(Known::Nobody);
        }
        let presented = Presented::read(fields(&request.headers));
        match (&presented, &anonymous) {
            // What is not ours may be the application's own.
            (Presented::Foreign, Decision::Forward(permit))
                if permit.authorization() == ClientAuthorization::Forward =>
            {
                Ok(Known::Nobody)
            }
            _ => self.let_in(&presented, options, path.decoded(), ctx).map(Known::Program),
        }
    }

    fn let_in(
        &self,
        presented: &Presented,
        options: &AppPasswordOptions,
        path: &str,
        ctx: &RequestContext,
    ) -> Result<Arc<LiveSession>, Problem> {
        let refused = match presented {
            Presented::AppPassword(credentials) => {
                match self.sessions.check_app_password(credentials, options, path) {
                    Ok(live) => return Ok(live),
                    Err(refused) => refused,
                }
            }
            Presented::Misspelt | Presented::Foreign => RefusedAppPassword::Unknown,
        };
        let wanted = Try { way: Way::AppPassword, who: Who::Unknown, from: ctx.origin.client, device: None };
        match self.throttle.reserve(&wanted) {
            // It stays counted.
            Ok(Ok(reserved)) => {
                drop(reserved);
                note_refused(refused, ctx);
                Err(Problem::AppPasswordRefused)
            }
            Ok(Err(throttled)) => {
                let visit = Visit { request_id: ctx.id.as_str(), client: ctx.origin.client, member: None };
                ctx.rules.web.note_throttled(Way::AppPassword, &throttled, refused.member(), &visit);
                Err(Problem::throttled(&throttled))
            }
            Err(error) => {
                tracing::error!(request_id = ctx.id.as_str(), %error, "the store failed");
                Err(Problem::StoreFailed)
            }
        }
    }
}

/// Whether an app password can change what becomes of the request.
fn asks_who(anonymous: &Decision) -> bool {
    match anonymous {
        Decision::Forward(permit) => permit.depends_on_member(),
        Decision::SignIn(_) => true,
        Decision::Refuse(_) | Decision::ServeOwn => false,
    }
}

fn fields(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
    headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes)
}

/// Takes ours out of a request in which a rule lets `Authorization` through.
pub(super) fn take_out(upstream: &mut impl Fields) {
    if upstream.values(&AUTHORIZATION).any(Presented::is_ours) {
        upstream.remove(&AUTHORIZATION);
    }
}

/// Tells a program that has to say who it is how it can. Not browsers: they would ask their member for it, in a window that
/// nobody understands.
pub(super) fn invite(response: &mut Response<Bytes>, request: &HeaderMap, ctx: &RequestContext) {
    let is_browser = request.keys().any(|name| name.as_str().starts_with("sec-fetch-"));
    if ctx.takes_app_password && ctx.audience == Audience::Script && !is_browser {
        response.headers_mut().insert(WWW_AUTHENTICATE, Problem::APP_PASSWORD_CHALLENGE);
    }
}

/// SECURITY: SES-13. What a program gets is its member's, and no cache may hand it to another's.
pub(super) fn vary(
    response: &mut impl Fields,
    status: StatusCode,
    ctx: &RequestContext,
) -> pingora::Result<()> {
    if ctx.takes_app_password && !status.is_informational() {
        response.append("Vary", b"Authorization")?;
    }
    Ok(())
}

fn note_refused(refused: RefusedAppPassword, ctx: &RequestContext) {
    tracing::info!(target: "passgate::audit", event = "app-password-refused", reason = refused.as_str(),
        member = refused.member().map(tracing::field::display), request_id = ctx.id.as_str(),
        client = %ctx.origin.client);
}
