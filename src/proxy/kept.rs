//! Forms that came too late, on their way through the engine: read and handed to `web` when they come, and put in the
//! place of another body when they are sent. Decides nothing: the policy has judged both requests like any other.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, ORIGIN, REFERER, TRANSFER_ENCODING};
use http::{HeaderName, HeaderValue, Method, Response};
use pingora::http::RequestHeader;
use pingora::proxy::Session;

use super::context::{Outcome, RequestContext};
use super::{Gateway, Known, facts, own, visit};
use crate::auth::{KeptForm, Progress};
use crate::domain::UserId;
use crate::policy::{Permit, SignInReason};
use crate::web::{Late, Problem, Resend};

/// A form with files that takes longer to come is given up on.
const FORM_TIMEOUT: Duration = Duration::from_secs(120);

/// A kept form that goes in place of a request's own body.
pub(super) struct Replay {
    form: Arc<KeptForm>,
    body: Bytes,
    progress: Progress,
}

impl Replay {
    /// Writes what went along with the form. The application gets to see the form as it was posted (SECURITY: R3).
    pub(super) fn write_header(&mut self, upstream: &mut RequestHeader) -> pingora::Result<()> {
        self.progress = Progress::Unanswered;
        let headers = self.form.headers();
        upstream.remove_header(&TRANSFER_ENCODING);
        upstream.insert_header(CONTENT_LENGTH, self.body.len())?;
        upstream.insert_header(CONTENT_TYPE, headers.content_type.clone())?;
        restore(upstream, ORIGIN, headers.origin.as_ref())?;
        restore(upstream, REFERER, headers.referer.as_ref())
    }

    /// The form's bytes; once.
    pub(super) fn take_body(&mut self) -> Bytes {
        std::mem::take(&mut self.body)
    }

    /// Keeps the form on, as no answer came.
    pub(super) fn put_back(self, ctx: &RequestContext) {
        ctx.rules.web.put_back(&self.form, self.progress, &visit(ctx, &Known::Nobody));
    }
}

impl Gateway {
    /// The answer to a request before which signing in comes. A form of a member whose session has expired, or is not
    /// fresh enough, is kept for them; strangers' are not.
    pub(super) async fn sign_in_first(
        &self,
        session: &mut Session,
        ctx: &mut RequestContext,
        target: &str,
        reason: SignInReason,
        known: &Known,
    ) -> Response<Bytes> {
        if let Some(response) = self.keep(session, ctx, target, reason, known).await {
            return response;
        }
        let web = &ctx.rules.web;
        let return_to = web.return_to(&session.req_header().headers, target);
        web.unauthenticated(ctx.audience, &return_to, reason, &visit(ctx, known))
    }

    async fn keep(
        &self,
        session: &mut Session,
        ctx: &mut RequestContext,
        target: &str,
        reason: SignInReason,
        known: &Known,
    ) -> Option<Response<Bytes>> {
        let web = &ctx.rules.web;
        let request = session.req_header();
        if request.method != Method::POST {
            return None;
        }
        let member = self.writer(request, ctx, known)?;
        let room = match web.room_for(&request.method, &request.headers, ctx.audience)? {
            Ok(room) => own::body(session, room.bytes(), FORM_TIMEOUT).await.map(|body| (body, room)),
            Err(problem) => Err(problem),
        };
        match room {
            Ok((body, room)) => {
                let headers = &session.req_header().headers;
                let late = Late { member, reason, target, headers };
                Some(web.keep(late, body, room, &visit(ctx, known)).await)
            }
            Err(problem) => {
                let problem =
                    if problem == Problem::PayloadTooLarge { Problem::FormTooLarge } else { problem };
                ctx.outcome = Outcome::Failed(problem);
                Some(ctx.rules.web.not_kept(problem, member, &visit(ctx, known)))
            }
        }
    }

    /// Who wrote a form: the member who is signed in, or was until lately.
    fn writer(&self, request: &RequestHeader, ctx: &RequestContext, known: &Known) -> Option<UserId> {
        match known {
            Known::Session(_, live) => Some(live.user()),
            Known::Program(_) => None,
            Known::Nobody => {
                self.sessions.expired(&ctx.rules.cookies.session(super::cookie_fields(request)).token()?)
            }
        }
    }

    /// What has to be done before a request that may pass is forwarded; the answer, if it is not to be after all.
    ///
    /// A form that a member wrote never goes out as a visitor's: where visitors may pass too, it is kept as well.
    pub(super) async fn before_forwarding(
        &self,
        session: &mut Session,
        ctx: &mut RequestContext,
        permit: &Permit,
        known: &Known,
    ) -> Option<Response<Bytes>> {
        if session.req_header().method != Method::POST || session.is_body_empty() {
            return None;
        }
        let target = facts::parse(session.req_header(), &[]).ok()?.path.target().into_owned();
        let rules = Arc::clone(&ctx.rules);
        match rules.web.resend(&session.req_header().headers, &target, &visit(ctx, known)).await {
            Resend::Nothing if known.live().is_none() && permit.depends_on_member() => {
                let kept = self.keep(session, ctx, &target, SignInReason::NoSession, known).await?;
                ctx.outcome = Outcome::SignIn;
                Some(kept)
            }
            Resend::Nothing => None,
            Resend::Form(form, body) => {
                ctx.replay = Some(Replay { form, body, progress: Progress::Waiting });
                None
            }
            Resend::Over(response) => {
                ctx.outcome = Outcome::Own;
                Some(response)
            }
        }
    }
}

fn restore(
    upstream: &mut RequestHeader,
    name: HeaderName,
    value: Option<&HeaderValue>,
) -> pingora::Result<()> {
    match value {
        Some(value) => upstream.insert_header(name, value.clone()),
        None => {
            upstream.remove_header(&name);
            Ok(())
        }
    }
}
