//! The only file that makes responses: every one with its length, its caching and the security headers.
//!
//! SECURITY: SES-13, O5. Nothing but assets may be kept by a cache or has a content coding (BREACH).

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use http::{HeaderValue, Method, Response, StatusCode};
use serde::Serialize;

use super::Problem;
use super::security_headers::apply;

/// A response, or the problem to show instead.
pub(super) type Reply = Result<Response<Bytes>, Problem>;

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const FOR_GOOD: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// Makes responses.
pub(super) struct Outbound {
    hsts: Option<HeaderValue>,
    allow: HeaderValue,
}

impl Outbound {
    /// With this `Strict-Transport-Security`, if any, for a gateway that lets `methods` through.
    pub(super) fn new(hsts: Option<HeaderValue>, methods: &[Method]) -> Self {
        let methods: Vec<&str> = methods.iter().map(Method::as_str).collect();
        Self {
            hsts,
            // Methods are tokens, so this is always a valid field.
            allow: HeaderValue::try_from(methods.join(", "))
                .unwrap_or(const { HeaderValue::from_static("") }),
        }
    }

    /// The methods the gateway lets through, for `Allow`.
    pub(super) fn allow(&self) -> HeaderValue {
        self.allow.clone()
    }

    /// A page.
    pub(super) fn html(&self, status: StatusCode, page: String) -> Response<Bytes> {
        self.respond(status, HTML, NO_STORE, page.into())
    }

    /// A line for people without a page around it.
    pub(super) fn text(&self, status: StatusCode, text: String) -> Response<Bytes> {
        self.respond(status, TEXT, NO_STORE, text.into())
    }

    /// An answer for a script.
    pub(super) fn json(&self, status: StatusCode, value: &impl Serialize) -> Response<Bytes> {
        // Maps with text keys always serialize.
        let body = serde_json::to_vec(value).unwrap_or_default();
        self.respond(status, JSON, NO_STORE, body.into())
    }

    /// A file whose name holds the hash of its content.
    pub(super) fn asset(&self, content_type: HeaderValue, content: Bytes) -> Response<Bytes> {
        self.respond(StatusCode::OK, content_type, FOR_GOOD, content)
    }

    /// To another page of this origin. `location` is a path of ours or a `ReturnTo`.
    pub(super) fn redirect(&self, status: StatusCode, location: &str) -> Response<Bytes> {
        let mut response = self.respond(status, TEXT, NO_STORE, Bytes::new());
        let location = HeaderValue::try_from(location).unwrap_or(const { HeaderValue::from_static("/") });
        response.headers_mut().insert(LOCATION, location);
        response
    }

    fn respond(
        &self,
        status: StatusCode,
        content_type: HeaderValue,
        caching: HeaderValue,
        body: Bytes,
    ) -> Response<Bytes> {
        let length = body.len();
        let mut response = Response::new(body);
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, content_type);
        headers.insert(CONTENT_LENGTH, length.into());
        headers.insert(CACHE_CONTROL, caching);
        apply(headers, self.hsts.as_ref());
        response
    }
}

/// The response to HEAD instead of GET: the same fields, `Content-Length` included (RFC 9110 §9.3.2), without content.
pub fn without_body(mut response: Response<Bytes>) -> Response<Bytes> {
    *response.body_mut() = Bytes::new();
    response
}
