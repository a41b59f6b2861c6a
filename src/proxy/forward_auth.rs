//! The decision for operators who keep their own proxy: nginx asks by `auth_request`, Caddy by `forward_auth`, Traefik by
//! `forwardAuth`. Same policy, same identity fields; only the request judged is the one the asking proxy describes.
//!
//! SECURITY: HDR-07, H7. The description is taken from peers in `server.trusted_proxies` alone; to others this address
//! does not exist.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use pingora::http::RequestHeader;

use super::context::{Outcome, RequestContext};
use super::forwarded::Trust;
use super::headers::value_of;
use super::{Gateway, Known, visit};
use crate::domain::{Host, RequestPath, ReturnTo};
use crate::policy::{Decision, Refusal, RequestFacts};
use crate::web::{Audience, Problem, is_well_known};

/// The request that the asking proxy describes.
struct Asked<'h> {
    host: Host,
    /// Host and port as the browser knows them; for an answer that is relayed to it.
    authority: &'h str,
    target: &'h str,
    method: Method,
    form: Form,
}

/// How an answer has to look for the asking proxy to understand it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// nginx takes only 2xx, 401 and 403; it reads the sign-in address from `Location`.
    Nginx,
    /// Caddy and Traefik hand any answer but 2xx to the browser as it is.
    Relayed,
}

impl Gateway {
    /// Answers `verify`.
    pub(super) fn verify(
        &self,
        request: &RequestHeader,
        ctx: &mut RequestContext,
        known: Known,
    ) -> Response<Bytes> {
        let rules = std::sync::Arc::clone(&ctx.rules);
        if ctx.origin.trust != Trust::Proxy {
            ctx.outcome = Outcome::Failed(Problem::NotFound);
            return rules.web.problem(Problem::NotFound, ctx.audience, &visit(ctx, &known));
        }
        let Some(asked) = asked(&request.headers) else {
            ctx.outcome = Outcome::Failed(Problem::BadRequest);
            return rules.web.problem(Problem::BadRequest, ctx.audience, &visit(ctx, &known));
        };
        ctx.audience = Audience::of(&request.headers, &asked.method);
        let Ok(path) = RequestPath::parse(asked.target) else {
            return refused(asked.form, Problem::AmbiguousTarget, ctx, &known);
        };
        let profile = known.live().map(|live| live.profile());
        let member = known.live().zip(profile.as_ref()).map(|(live, profile)| live.presence(profile));
        let facts = RequestFacts { host: &asked.host, path: &path, method: &asked.method };
        match rules.policy.decide(&facts, member, self.clock.now()) {
            Decision::Refuse(Refusal::UnknownHost) => refused(asked.form, Problem::UnknownHost, ctx, &known),
            // The asking proxy is to send our own pages to us. If it would send one to the application, it must not.
            _ if is_well_known(&path) => refused(asked.form, Problem::NotFound, ctx, &known),
            Decision::ServeOwn => refused(asked.form, Problem::NotFound, ctx, &known),
            // Asking proxies hand on the fields of the request they ask about.
            Decision::Forward(_) if rules.refuse_worker(&request.headers) => {
                refused(asked.form, Problem::ServiceWorker, ctx, &known)
            }
            Decision::Forward(permit) => {
                let mut response = Response::new(Bytes::new());
                response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
                if let Some(profile) = permit.identity() {
                    let fields = rules.headers.identity(profile);
                    let fields = fields.filter_map(|(name, value)| {
                        Some((name.clone(), HeaderValue::from_bytes(value.as_bytes()).ok()?))
                    });
                    response.headers_mut().extend(fields);
                }
                response
            }
            Decision::SignIn(reason) => {
                ctx.outcome = Outcome::SignIn;
                let return_to = ReturnTo::parse(&path.target(), rules.policy.our_prefix());
                let response =
                    rules.web.unauthenticated(ctx.audience, &return_to, reason, &visit(ctx, &known));
                for_asker(&asked, rules.public.proto, response)
            }
            Decision::Refuse(refusal) => refused(asked.form, Problem::from(refusal), ctx, &known),
        }
    }
}

fn refused(form: Form, problem: Problem, ctx: &mut RequestContext, known: &Known) -> Response<Bytes> {
    ctx.outcome = Outcome::Failed(problem);
    let mut response = ctx.rules.web.problem(problem, ctx.audience, &visit(ctx, known));
    if form == Form::Nginx {
        *response.status_mut() = StatusCode::FORBIDDEN;
    }
    response
}

/// Traefik takes a relative address for one on the gateway it asked, so an answer to be relayed names the origin. The host
/// is one of ours, or the policy would have refused it (SECURITY: WEB-10).
fn for_asker(asked: &Asked<'_>, proto: &str, mut response: Response<Bytes>) -> Response<Bytes> {
    let Some(location) = response.headers().get(LOCATION).and_then(|location| location.to_str().ok()) else {
        return response;
    };
    let absolute = format!("{proto}://{}{location}", asked.authority);
    match (asked.form, HeaderValue::try_from(absolute)) {
        (Form::Nginx, _) => *response.status_mut() = StatusCode::UNAUTHORIZED,
        (Form::Relayed, Ok(absolute)) => drop(response.headers_mut().insert(LOCATION, absolute)),
        (Form::Relayed, Err(_)) => {}
    }
    response
}

/// Reads either description. A request that carries none, or one that makes no sense, is answered with 400.
///
/// SECURITY: HDR-07. So is one that carries both: an asking proxy writes one and may pass on the other as its visitor
/// sent it, and which is which can't be told from here.
fn asked(headers: &HeaderMap) -> Option<Asked<'_>> {
    let method = |name| value_of(headers, name).and_then(|method| method.parse().ok());
    let is_there = |names: [&str; 2]| names.iter().any(|name| headers.contains_key(*name));
    let by_url = is_there(["x-original-url", "x-original-method"]);
    if by_url && is_there(["x-forwarded-uri", "x-forwarded-method"]) {
        return None;
    }
    if by_url {
        let url = value_of(headers, "x-original-url")?;
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
        let (authority, target) = rest.split_at(rest.find('/')?);
        let method = method("x-original-method")?;
        let host = Host::parse(authority).ok()?;
        return Some(Asked { host, authority, target, method, form: Form::Nginx });
    }
    let target = value_of(headers, "x-forwarded-uri")?;
    let authority = value_of(headers, "x-forwarded-host")?;
    let host = Host::parse(authority).ok()?;
    Some(Asked { host, authority, target, method: method("x-forwarded-method")?, form: Form::Relayed })
}
