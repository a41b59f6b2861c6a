//! A posted form or JSON, read: limits, origin, anti-forgery. Knows nothing of pages or members.
//!
//! SECURITY: WEB-01, WEB-02, THR-11. A form is read only by [`Form::read`], JSON only by [`proven_json`] and [`small_json`], which refuse what
//! is too large, of another format or from another site, before anything is done with it.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, ORIGIN};
use http::{HeaderMap, Request};
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::Problem;
use crate::domain::{Secret, TokenHash};

/// Larger forms are refused with 413. Callers may stop reading a body once it is larger.
pub const MAX_BODY_BYTES: usize = 4 * 1024;
/// Larger JSON is refused with 413. Only the answers of authenticators are read up to this.
pub const MAX_JSON_BYTES: usize = 64 * 1024;
/// Forms of more fields are refused with 400.
const MAX_FIELDS: usize = 32;

/// The name of the anti-forgery field.
const CSRF_FIELD: &str = "csrf";

/// The field in which scripts send it.
const CSRF_HEADER: &str = "x-csrf-token";

/// What the browser says of where a form was sent from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Provenance {
    /// Nothing; browsers before 2020, and programs.
    Unsaid,
    /// A page of this origin.
    Ours,
}

/// A posted form that did not come from another site.
pub(super) struct Form {
    fields: Vec<(String, Zeroizing<String>)>,
    provenance: Provenance,
}

impl Form {
    /// Reads a form, or says why it is refused.
    pub(super) fn read(request: &Request<Bytes>, origins: &[String]) -> Result<Self, Problem> {
        if !is_of(request.headers(), "application/x-www-form-urlencoded") {
            return Err(Problem::UnsupportedMediaType);
        }
        if request.body().len() > MAX_BODY_BYTES {
            return Err(Problem::PayloadTooLarge);
        }
        let provenance = provenance(request.headers(), origins).ok_or(Problem::CsrfFailed)?;
        let mut fields: Vec<(String, Zeroizing<String>)> = Vec::new();
        for (name, value) in form_urlencoded::parse(request.body()) {
            // What is not UTF-8 would otherwise be replaced, and two passwords become one.
            let is_garbled = value.contains(char::REPLACEMENT_CHARACTER);
            if fields.len() == MAX_FIELDS || is_garbled || fields.iter().any(|(known, _)| *known == name) {
                return Err(Problem::BadRequest);
            }
            fields.push((name.into_owned(), Zeroizing::new(value.into_owned())));
        }
        Ok(Self { fields, provenance })
    }

    /// Where it was sent from.
    pub(super) fn provenance(&self) -> Provenance {
        self.provenance
    }

    /// A field's value; empty if it is missing.
    pub(super) fn text(&self, name: &str) -> &str {
        self.fields.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str())
    }

    /// A field's value that must not be printed.
    pub(super) fn secret(&self, name: &str) -> Secret<String> {
        Secret::new(self.text(name).to_owned())
    }

    /// Whether a box was ticked.
    pub(super) fn is_ticked(&self, name: &str) -> bool {
        !self.text(name).is_empty()
    }

    /// Whether the form carries the anti-forgery value it was shown with.
    pub(super) fn proves(&self, expected: &TokenHash) -> bool {
        expected.matches_text(self.text(CSRF_FIELD))
    }
}

/// Reads JSON that only our own page in this browser can have sent: the anti-forgery value is in a field that no other
/// site can set. Values nest 128 deep at most, as `serde_json` reads them.
pub(super) fn proven_json<T: DeserializeOwned>(
    request: &Request<Bytes>,
    origins: &[String],
    expected: &TokenHash,
) -> Result<T, Problem> {
    let body = json_of(request, origins, MAX_JSON_BYTES)?;
    if !proves(request.headers(), expected) {
        return Err(Problem::CsrfFailed);
    }
    serde_json::from_slice(body).map_err(|_| Problem::BadRequest)
}

/// Reads a little JSON that did not come from another site. Whether it came from our own page is for the caller to see: it
/// [`proves`] that, or it holds the token of a link, which no cookie speaks for.
pub(super) fn small_json<T: DeserializeOwned>(
    request: &Request<Bytes>,
    origins: &[String],
) -> Result<T, Problem> {
    let body = json_of(request, origins, MAX_BODY_BYTES)?;
    serde_json::from_slice(body).map_err(|_| Problem::BadRequest)
}

/// Whether the anti-forgery value is in the field in which scripts send it.
pub(super) fn proves(headers: &HeaderMap, expected: &TokenHash) -> bool {
    let proof = only(headers, CSRF_HEADER).flatten().and_then(|value| std::str::from_utf8(value).ok());
    proof.is_some_and(|proof| expected.matches_text(proof))
}

/// The body of JSON that is not too large and not from another site.
fn json_of<'r>(request: &'r Request<Bytes>, origins: &[String], most: usize) -> Result<&'r [u8], Problem> {
    if !is_of(request.headers(), "application/json") {
        return Err(Problem::UnsupportedMediaType);
    }
    if request.body().len() > most {
        return Err(Problem::PayloadTooLarge);
    }
    provenance(request.headers(), origins).map(|_| request.body().as_ref()).ok_or(Problem::CsrfFailed)
}

fn is_of(headers: &HeaderMap, media_type: &str) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let media = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default();
    media.trim().eq_ignore_ascii_case(media_type)
}

/// `None` means from elsewhere. `Origin: null`, a field sent twice and a sibling host (`same-site`) are elsewhere.
pub(super) fn provenance(headers: &HeaderMap, origins: &[String]) -> Option<Provenance> {
    let origin = only(headers, ORIGIN.as_str())?;
    let site = only(headers, "sec-fetch-site")?;
    let host = only(headers, HOST.as_str())?.unwrap_or_default();
    if origin.is_some_and(|origin| !origins.iter().any(|ours| is_origin(ours, origin, host))) {
        return None;
    }
    match site {
        None if origin.is_none() => Some(Provenance::Unsaid),
        // `none`: the member's own doing, a form sent again on reload, say.
        None | Some(b"same-origin" | b"none") => Some(Provenance::Ours),
        Some(_) => None,
    }
}

/// Whether a form of `origin` is from `ours`. Where that stands for all names below a suffix, the form has to come from
/// the very host it was sent to: one of them is not another.
fn is_origin(ours: &str, origin: &[u8], host: &[u8]) -> bool {
    let Some((scheme, below)) = ours.split_once("://*.") else { return ours.as_bytes() == origin };
    let name = host.strip_suffix(below.as_bytes()).and_then(|rest| rest.strip_suffix(b"."));
    name.is_some_and(|name| !name.is_empty()) && origin == [scheme.as_bytes(), b"://", host].concat()
}

/// The value of a field that may be missing, but not be there twice.
fn only<'h>(headers: &'h HeaderMap, name: &str) -> Option<Option<&'h [u8]>> {
    let mut values = headers.get_all(name).iter();
    let first = values.next().map(http::HeaderValue::as_bytes);
    if values.next().is_some() { None } else { Some(first) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn web_01_names_below_a_suffix_are_each_an_origin_of_their_own() {
        let from = |origin: &str, host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ORIGIN, origin.parse().unwrap());
            headers.insert(HOST, host.parse().unwrap());
            provenance(
                &headers,
                &["https://forum.example".to_owned(), "https://*.club.example:8443".to_owned()],
            )
        };
        assert_eq!(from("https://forum.example", "forum.example"), Some(Provenance::Ours));
        assert_eq!(from("https://a.club.example:8443", "a.club.example:8443"), Some(Provenance::Ours));
        for (origin, host) in [
            ("https://a.club.example:8443", "b.club.example:8443"),
            ("http://a.club.example:8443", "a.club.example:8443"),
            ("https://a.club.example", "a.club.example"),
            ("https://club.example:8443", "club.example:8443"),
            ("https://evilclub.example:8443", "evilclub.example:8443"),
            ("https://evil.example", "a.club.example:8443"),
            ("null", "a.club.example:8443"),
        ] {
            assert_eq!(from(origin, host), None, "{origin} {host}");
        }
    }
}
