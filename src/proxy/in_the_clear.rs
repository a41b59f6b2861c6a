//! Requests without TLS, where there is TLS (SECURITY: WEB-09): pages lead to the public origin, everything else is refused.
//! Nothing is read of a body, nothing reaches the application, no cookie is set. Before that authorities get the answers that they
//! ask for in the clear ([`super::challenges`]).

use bytes::Bytes;
use http::header::STRICT_TRANSPORT_SECURITY;
use http::{Method, Response};
use pingora::http::RequestHeader;

use super::context::{Outcome, RequestContext};
use super::facts::Parsed;
use super::options::PlainHttp;
use super::{Gateway, Known, Rules, visit};
use crate::web::{Audience, Problem};

impl Gateway {
    /// The answer, and what becomes of the request; none if it came over TLS, or is served as over TLS.
    pub(super) fn in_the_clear(
        &self,
        parsed: &Result<Parsed<'_>, Problem>,
        request: &RequestHeader,
        ctx: &RequestContext,
    ) -> Option<(Outcome, Response<Bytes>)> {
        if ctx.secured.is_some() {
            return None;
        }
        if let Ok(Parsed { host, .. }) = parsed
            && let Some(answer) = self.challenges.answer(&request.method, host, request.raw_path())
        {
            return Some((Outcome::Own, answer));
        }
        let is_redirected = ctx.rules.plain_http == PlainHttp::Redirected;
        is_redirected.then(|| ctx.rules.in_the_clear(parsed, &request.method, ctx))
    }
}

impl Rules {
    fn in_the_clear(
        &self,
        parsed: &Result<Parsed<'_>, Problem>,
        method: &Method,
        ctx: &RequestContext,
    ) -> (Outcome, Response<Bytes>) {
        let is_page = ctx.audience == Audience::Page && matches!(*method, Method::GET | Method::HEAD);
        let problem = match parsed {
            Ok(Parsed { host, path, .. }) if self.is_of_this_site(host) && is_page => {
                let location = format!("{}{}", self.public.origin, path.target());
                return (Outcome::Own, without_hsts(self.web.moved(&location)));
            }
            Ok(Parsed { host, .. }) if self.is_of_this_site(host) => Problem::InTheClear,
            Ok(_) => Problem::UnknownHost,
            Err(problem) => *problem,
        };
        (
            Outcome::Failed(problem),
            without_hsts(self.web.problem(problem, ctx.audience, &visit(ctx, &Known::Nobody))),
        )
    }
}

/// RFC 6797 §7.2: it has no place where it could have been put in by anybody.
fn without_hsts(mut response: Response<Bytes>) -> Response<Bytes> {
    response.headers_mut().remove(STRICT_TRANSPORT_SECURITY);
    response
}
