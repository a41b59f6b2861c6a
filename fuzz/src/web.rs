//! Of `src/web` what reads forms and JSON.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, ORIGIN};
use http::{HeaderName, HeaderValue, Request};
use passgate::web::Problem;

use crate::domain::{PostedField, TokenHash};

#[path = "../../src/web/posted.rs"]
mod posted;

use posted::{Form, Provenance};

const OURS: &str = "https://forum.example";

/// Fields as lines, an empty line, and the body.
fn request(data: &[u8]) -> Request<Bytes> {
    let end = data.windows(2).position(|two| two == b"\n\n");
    let (head, body) = end.map_or((data, &[][..]), |at| (&data[..at], &data[at + 2..]));
    let mut request = Request::new(Bytes::copy_from_slice(body));
    for line in head.split(|byte| *byte == b'\n') {
        let at = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let value = line.get(at + 1..).unwrap_or_default().trim_ascii();
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(&line[..at]), HeaderValue::from_bytes(value))
            && request.headers_mut().try_append(name, value).is_err()
        {
            break;
        }
    }
    request
}

/// What is read was posted by a page of ours or by none, is small, and has each field once; and JSON is proven.
pub fn form(data: &[u8]) {
    let (request, origins) = (request(data), [OURS.to_owned()]);
    let headers = request.headers();
    let proof = TokenHash([7; 32]);
    let from_here = || {
        let count = |name: &str| headers.get_all(name).iter().count();
        assert!(count(ORIGIN.as_str()) <= 1 && count("sec-fetch-site") <= 1);
        assert!(headers.get(ORIGIN).is_none_or(|origin| origin == OURS));
        let site = headers.get("sec-fetch-site");
        assert!(site.is_none_or(|site| site == "same-origin" || site == "none"), "{site:?}");
    };
    let is_of = |kind: &str| {
        let given = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
        let given = given.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        headers.get_all(CONTENT_TYPE).iter().count() == 1 && given.eq_ignore_ascii_case(kind.as_bytes())
    };
    if let Ok(form) = Form::read(&request, &origins) {
        from_here();
        assert!(is_of("application/x-www-form-urlencoded") && request.body().len() <= 4096);
        let fields: Vec<_> = form_urlencoded::parse(request.body()).collect();
        assert!(fields.len() <= 32);
        let is_unsaid = headers.get(ORIGIN).is_none() && headers.get("sec-fetch-site").is_none();
        assert_eq!(form.provenance() == Provenance::Unsaid, is_unsaid);
        for (at, (name, value)) in fields.iter().enumerate() {
            assert_eq!(form.text(name), &**value);
            assert!(!fields[..at].iter().any(|(known, _)| known == name), "{name} is there twice");
        }
        assert_eq!(form.proves(&proof), form.text("csrf") == proof.to_text());
    }
    if posted::proven_json::<serde_json::Value>(&request, &origins, &proof).is_ok() {
        from_here();
        assert!(is_of("application/json") && headers.get("x-csrf-token").is_some_and(|token| *token == *proof.to_text()));
    }
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if let Some(fields) = PostedField::read(kind, request.body()) {
        assert!(PostedField::is_form(kind) && fields.len() <= request.body().len() + 1);
    }
}
