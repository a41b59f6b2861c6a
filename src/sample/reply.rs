//! Small answers that are no forum page, and what goes wrong.

use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode};

use super::body::Body;

/// What every handler ends with.
pub(super) type Answer = Response<Body>;

/// A request the forum can't or won't serve, in the words its page says.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) status: StatusCode,
    pub(super) text: &'static str,
}

impl Trouble {
    pub(super) const fn not_found(text: &'static str) -> Self {
        Self { status: StatusCode::NOT_FOUND, text }
    }

    pub(super) const fn bad_request(text: &'static str) -> Self {
        Self { status: StatusCode::BAD_REQUEST, text }
    }

    pub(super) const fn forbidden(text: &'static str) -> Self {
        Self { status: StatusCode::FORBIDDEN, text }
    }

    pub(super) const fn too_large(text: &'static str) -> Self {
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, text }
    }

    pub(super) const fn full() -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            text: "The forum is full. It empties when it is restarted.",
        }
    }

    pub(super) const fn method() -> Self {
        Self { status: StatusCode::METHOD_NOT_ALLOWED, text: "This page does not take that method." }
    }
}

/// An answer with a body and its type.
pub(super) fn answer(status: StatusCode, content_type: &'static str, body: Body) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

/// A JSON answer.
pub(super) fn json(value: &serde_json::Value) -> Answer {
    answer(StatusCode::OK, "application/json", Body::sized(value.to_string()))
}

/// Adds a header line. A value that can't be one is left out; all of ours can.
pub(super) fn add(answer: &mut Answer, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().append(name, value);
    }
}
