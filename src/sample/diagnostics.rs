//! The addresses that are for tests and benches, listed in the module's documentation. No forum in here.

use std::time::Duration;

use http::header::{CONTENT_TYPE, LOCATION, SET_COOKIE, TRAILER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::json;

use super::body::Body;
use super::reply::{Answer, Trouble, add, answer, json as reply_json};
use super::visit::Visit;

const BINARY: &str = "application/octet-stream";
/// Longest wait of `/slow`, in milliseconds.
const LONGEST_WAIT: u64 = 600_000;

/// Every header line as a pair, in the order they are kept.
pub(super) fn lines(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

pub(super) fn whoami_json(visit: &Visit<'_>) -> Answer {
    let name = &visit.visitor.name;
    reply_json(&json!({
        "method": visit.parts.method.as_str(),
        "target": visit.parts.uri.to_string(),
        "version": format!("{:?}", visit.parts.version),
        "headers": lines(&visit.parts.headers),
        "member": (!name.is_empty()).then_some(name),
    }))
}

pub(super) fn echo(visit: &Visit<'_>, body: Incoming) -> Answer {
    let mut answer = answer(StatusCode::OK, BINARY, Body::relay(body));
    if let Some(content_type) = visit.parts.headers.get(CONTENT_TYPE) {
        answer.headers_mut().insert(CONTENT_TYPE, content_type.clone());
    }
    answer
}

pub(super) fn bytes(visit: &Visit<'_>) -> Answer {
    let count = visit.query.number("n");
    let body = Body::pattern(count);
    let announced = (visit.query.number("chunked") == 0).then_some(count);
    answer(StatusCode::OK, BINARY, body.announcing(announced))
}

pub(super) async fn sink(mut body: Incoming) -> Result<Answer, Trouble> {
    let mut count = 0_u64;
    let mut trailers = HeaderMap::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Trouble::bad_request("The body broke off."))?;
        match frame.into_data() {
            Ok(data) => count += data.len() as u64,
            Err(frame) => trailers.extend(frame.into_trailers().unwrap_or_default()),
        }
    }
    Ok(reply_json(&json!({ "bytes": count, "trailers": lines(&trailers) })))
}

pub(super) fn status(visit: &Visit<'_>) -> Result<Answer, Trouble> {
    let code = u16::try_from(visit.query.number("code")).unwrap_or(0);
    let status = StatusCode::from_u16(code).ok().filter(|_| (200..600).contains(&code));
    let status = status.ok_or(Trouble::bad_request("The code must be a number from 200 to 599."))?;
    let mut answer = match code {
        204 | 205 | 304 => answer(status, "text/plain", Body::empty()),
        _ => answer(status, "text/plain", Body::sized(format!("status {code}\n"))),
    };
    match code {
        301 | 302 | 303 | 307 | 308 => add(&mut answer, LOCATION, "whoami.php"),
        401 => add(&mut answer, WWW_AUTHENTICATE, "Basic realm=\"sample forum\""),
        _ => {}
    }
    Ok(answer)
}

pub(super) async fn slow(visit: &Visit<'_>) -> Answer {
    let wait = Duration::from_millis(visit.query.number("ms").min(LONGEST_WAIT));
    if visit.query.number("head") == 1 {
        tokio::time::sleep(wait).await;
        return answer(StatusCode::OK, "text/plain", Body::sized("ab"));
    }
    let body = Body::chunked().then("a").then_pause(wait).then("b");
    answer(StatusCode::OK, "text/plain", body.announcing(Some(2)))
}

pub(super) fn trailers() -> Answer {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-checksum", HeaderValue::from_static("1a2b3c"));
    let body = Body::chunked().then("a body that has a trailer\n").then_trailers(trailers);
    let mut answer = answer(StatusCode::OK, "text/plain", body);
    add(&mut answer, TRAILER, "x-checksum");
    answer
}

pub(super) fn set_cookie() -> Answer {
    let mut answer = answer(StatusCode::OK, "text/plain", Body::sized("cookies are set\n"));
    for line in [
        "order=first; path=/",
        "order=second; path=/; HttpOnly",
        "sample[odd]=a%7Cb|c%3D%3D; path=/",
        "__Host-passgate=evil; Path=/; Secure; HttpOnly",
        "passgate=evil; Path=/",
        "order=third; path=/",
    ] {
        add(&mut answer, SET_COOKIE, line);
    }
    answer
}
