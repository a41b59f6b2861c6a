//! A request's header read into what policy asks for. Decides nothing; what can't be read unambiguously is refused.

use http::header::HOST;
use pingora::http::RequestHeader;

use super::http2;
use crate::domain::{Host, RequestPath};
use crate::web::Problem;

/// The parsed parts of a request's header that borrow from it.
pub(super) struct Parsed<'r> {
    pub(super) host: Host,
    pub(super) path: RequestPath<'r>,
    /// Whether the target has to be rewritten before it is forwarded.
    pub(super) is_canonical: bool,
}

/// Reads host and target. Exactly one well-formed `Host` field (RFC 9112 §3.2); an absolute-form target must name the
/// same host (SECURITY: H1-15). `raw` is the header as it came over the wire.
pub(super) fn parse<'r>(request: &'r RequestHeader, raw: &[u8]) -> Result<Parsed<'r>, Problem> {
    if http2::is_excessive(request) {
        return Err(Problem::HeadTooLarge);
    }
    if has_fragment(raw) {
        return Err(Problem::AmbiguousTarget);
    }
    let mut hosts = request.headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return Err(Problem::BadRequest) };
    let host = host.to_str().ok().and_then(|host| Host::parse(host).ok()).ok_or(Problem::BadRequest)?;
    let target = std::str::from_utf8(request.raw_path()).map_err(|_| Problem::AmbiguousTarget)?;
    let origin_form = origin_form(target, &host)?;
    let path = RequestPath::parse(origin_form).map_err(|_| Problem::AmbiguousTarget)?;
    let is_canonical = origin_form.len() == target.len() && path.is_as_sent();
    Ok(Parsed { host, path, is_canonical })
}

/// SECURITY: P3. The engine drops a `#` and what follows it from the target; only the bytes as they came still show it.
/// Empty lines before the request line are skipped, as by the engine.
fn has_fragment(raw: &[u8]) -> bool {
    let mut lines = raw.split(|byte| matches!(byte, b'\r' | b'\n'));
    lines.find(|line| !line.is_empty()).is_some_and(|line| line.contains(&b'#'))
}

fn origin_form<'t>(target: &'t str, host: &Host) -> Result<&'t str, Problem> {
    let scheme = ["http://", "https://"]
        .iter()
        .find(|scheme| target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    let Some(scheme) = scheme else { return Ok(target) };
    let rest = &target[scheme.len()..];
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    match Host::parse(authority) {
        Ok(named) if named == *host => Ok(if path.is_empty() { "/" } else { path }),
        _ => Err(Problem::BadRequest),
    }
}
