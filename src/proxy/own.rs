//! Our own pages through the engine: a bounded request body in, one whole response out.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
use http::{HeaderValue, Method, StatusCode, Version};
use pingora::http::ResponseHeader;
use pingora::proxy::Session;

use super::context::{Outcome, RequestContext};
use super::{Gateway, Known, http2, visit};
use crate::web::Problem;

/// No form of ours is larger; what is, is refused unread.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// A form that trickles in for longer is given up on.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

impl Gateway {
    /// Answers with one of our own pages.
    pub(super) async fn serve_own(
        &self,
        session: &mut Session,
        ctx: &mut RequestContext,
        target: &str,
        known: Known,
    ) -> pingora::Result<()> {
        let rules = Arc::clone(&ctx.rules);
        let path = target.split('?').next().unwrap_or_default();
        if path.strip_prefix(rules.policy.our_prefix()) == Some("/verify") {
            ctx.outcome = Outcome::Verified;
            let response = self.verify(session.req_header(), ctx, known);
            return respond(session, response).await;
        }
        ctx.outcome = Outcome::Own;
        let response = match request(session, target).await {
            Ok(request) => rules.web.dispatch(request, &visit(ctx, &known)).await,
            Err(problem) => {
                ctx.outcome = Outcome::Failed(problem);
                rules.web.problem(problem, ctx.audience, &visit(ctx, &known))
            }
        };
        respond(session, response).await
    }
}

/// The request as `web` wants it, its body read.
async fn request(session: &mut Session, target: &str) -> Result<http::Request<Bytes>, Problem> {
    let body = body(session, MAX_BODY_BYTES, BODY_TIMEOUT).await?;
    let header = session.req_header();
    let mut request = http::Request::new(body);
    *request.method_mut() = header.method.clone();
    *request.uri_mut() = target.parse().map_err(|_| Problem::AmbiguousTarget)?;
    *request.headers_mut() = header.headers.clone();
    Ok(request)
}

/// The request's body, if it has no more than `most` bytes and comes within `time`.
pub(super) async fn body(session: &mut Session, most: usize, time: Duration) -> Result<Bytes, Problem> {
    tokio::time::timeout(time, whole_body(session, most)).await.unwrap_or(Err(Problem::BadRequest))
}

async fn whole_body(session: &mut Session, most: usize) -> Result<Bytes, Problem> {
    if waits_for_continue(session) {
        let told = session.as_downstream_mut().write_continue_response().await;
        told.map_err(|_| Problem::BadRequest)?;
    }
    let mut body = BytesMut::new();
    loop {
        match session.read_request_body().await {
            Ok(Some(chunk)) if body.len() + chunk.len() > most => {
                return Err(Problem::PayloadTooLarge);
            }
            Ok(Some(chunk)) => {
                http2::body_came(chunk.len(), false);
                body.extend_from_slice(&chunk);
            }
            Ok(None) => return Ok(body.freeze()),
            Err(_) => return Err(Problem::BadRequest),
        }
    }
}

/// Writes a whole response. A request body that was not read ends the connection, so that it can never be taken for a
/// second request (SECURITY: H1-11).
pub(super) async fn respond(session: &mut Session, response: http::Response<Bytes>) -> pingora::Result<()> {
    let (parts, body) = response.into_parts();
    let mut header = ResponseHeader::build(parts.status, Some(parts.headers.len() + 2))?;
    for (name, value) in &parts.headers {
        header.append_header(name.clone(), value.clone())?;
    }
    let bodiless = matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    // What is there already is the length that GET would give, if this answers HEAD.
    if !bodiless && !parts.headers.contains_key(CONTENT_LENGTH) {
        header.insert_header(CONTENT_LENGTH, HeaderValue::from(body.len()))?;
    }
    if !session.is_body_done() && announces_body(session) {
        session.set_keepalive(None);
    }
    let ends = body.is_empty() || bodiless || session.req_header().method == Method::HEAD;
    session.write_response_header(Box::new(header), ends).await?;
    if !ends {
        session.write_response_body(Some(body), true).await?;
    }
    Ok(())
}

/// Whether the client sends its body only when it is told to (RFC 9110 §10.1.1).
fn waits_for_continue(session: &Session) -> bool {
    let request = session.req_header();
    let expects = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    request.version >= Version::HTTP_11
        && announces_body(session)
        && request.headers.get(EXPECT).is_some_and(expects)
}

fn announces_body(session: &Session) -> bool {
    let headers = &session.req_header().headers;
    headers.contains_key(TRANSFER_ENCODING) || headers.get(CONTENT_LENGTH).is_some_and(|length| length != "0")
}
