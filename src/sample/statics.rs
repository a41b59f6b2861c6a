//! Files that never change: the stylesheet, a picture, the things crawlers ask for.

use http::StatusCode;
use http::header::CACHE_CONTROL;

use super::body::Body;
use super::reply::{Answer, add, answer as reply};

const STYLE: &str = include_str!("../../assets/sample/style.css");
const LOGO: &[u8] = include_bytes!("../../assets/sample/logo.gif");

/// The file at this path, if there is one.
pub(super) fn answer(path: &str) -> Option<Answer> {
    let (content_type, bytes) = match path {
        "/style.css" => ("text/css; charset=utf-8", STYLE.as_bytes()),
        "/images/logo.gif" | "/favicon.ico" => ("image/gif", LOGO),
        "/robots.txt" => ("text/plain", &b"User-agent: *\nDisallow: /posting.php\n"[..]),
        _ => return None,
    };
    let mut answer = reply(StatusCode::OK, content_type, Body::sized(bytes));
    add(&mut answer, CACHE_CONTROL, "public, max-age=3600");
    Some(answer)
}
