//! What of the application's answers is not passed on (SECURITY: H1-09, H1-14).
//!
//! The engine reads answers leniently and writes them anew, so a browser never sees how they were spelled. What is left to
//! refuse is an answer whose end, or whose meaning for the connection, can be read in two ways: that of an application
//! that is broken, or that lets members write into its header. An error here is 502, and the connection is not used again.

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE};
use http::{StatusCode, Version};
use pingora::http::RequestHeader;
use pingora::{Error, ErrorType};

use super::fields::Fields;

/// How many interim responses are passed on; nobody needs more than two or three.
const MOST_INTERIM: u8 = 16;

/// Judges the head of an answer to `request`. `interim` counts those before the final one.
///
/// # Errors
/// If it is not to be passed on.
pub(super) fn judge(
    request: &RequestHeader,
    status: StatusCode,
    version: Version,
    response: &mut impl Fields,
    interim: &mut u8,
) -> pingora::Result<()> {
    if status == StatusCode::SWITCHING_PROTOCOLS {
        let is_granted = is_websocket(request) && is_websocket(response);
        return if is_granted { Ok(()) } else { refuse("an upgrade that was not asked for") };
    }
    if status.is_informational() {
        *interim += 1;
        if *interim > MOST_INTERIM {
            return refuse("too many interim responses");
        }
    }
    one_coding(response, version)?;
    one_length(response)?;
    // RFC 9110 §8.6, RFC 9112 §6.1: these have no body, and no field that speaks of one.
    if status.is_informational() || status == StatusCode::NO_CONTENT {
        response.remove(&CONTENT_LENGTH);
        response.remove(&TRANSFER_ENCODING);
    }
    Ok(())
}

fn one_coding(response: &impl Fields, version: Version) -> pingora::Result<()> {
    let mut codings = response.values(&TRANSFER_ENCODING);
    let Some(coding) = codings.next() else { return Ok(()) };
    let is_chunked = coding.eq_ignore_ascii_case(b"chunked");
    if is_chunked && codings.next().is_none() && version >= Version::HTTP_11 {
        Ok(())
    } else {
        refuse("a transfer coding other than chunked")
    }
}

/// The engine has refused lengths that differ; of several that are the same, one is passed on.
fn one_length(response: &mut impl Fields) -> pingora::Result<()> {
    let mut lengths = response.values(&CONTENT_LENGTH);
    let Some(first) = lengths.next() else { return Ok(()) };
    if lengths.next().is_none() && !first.contains(&b',') {
        return Ok(());
    }
    let first = std::str::from_utf8(first).ok();
    let length = first.and_then(|text| text.split(',').next()?.trim().parse::<u64>().ok());
    drop(lengths);
    match length {
        Some(length) => response.set_as(&CONTENT_LENGTH, "Content-Length", length.to_string().as_bytes()),
        None => refuse("a length that is none"),
    }
}

/// As the engine asks it, so that both know of the same upgrades.
fn is_websocket(head: &impl Fields) -> bool {
    let mut upgrades = head.values(&UPGRADE);
    let is_one = |value: &[u8]| value.eq_ignore_ascii_case(b"websocket");
    upgrades.next().is_some_and(is_one) && upgrades.next().is_none()
}

fn refuse(why: &'static str) -> pingora::Result<()> {
    Err(Error::explain(ErrorType::InvalidHTTPHeader, why).into_up())
}

#[cfg(test)]
mod tests {
    use pingora::http::ResponseHeader;

    use super::*;

    fn judged(request: &str, status: u16, fields: &[(&str, &str)]) -> Result<Vec<String>, ()> {
        let mut asked = RequestHeader::build("GET", b"/", None).unwrap();
        asked.insert_header(UPGRADE, request).unwrap();
        let mut response = ResponseHeader::build(status, None).unwrap();
        for (name, value) in fields {
            response.append_header((*name).to_owned(), (*value).to_owned()).unwrap();
        }
        judge(&asked, response.status, response.version, &mut response, &mut 0).map_err(drop)?;
        Ok(response.headers.values().map(|value| value.to_str().unwrap().to_owned()).collect())
    }

    #[test]
    fn h1_14_an_answer_with_two_ends_is_refused_and_one_said_twice_is_passed_on_once() {
        for codings in
            [&["gzip, chunked"][..], &["chunked", "chunked"], &["identity"], &["chunked, x"], &[""]]
        {
            let fields: Vec<_> = codings.iter().map(|coding| ("Transfer-Encoding", *coding)).collect();
            assert_eq!(judged("", 200, &fields), Err(()), "{codings:?}");
        }
        assert_eq!(judged("", 200, &[("Transfer-Encoding", "Chunked")]), Ok(vec!["Chunked".to_owned()]));
        for lengths in [&["5", "5"][..], &["5,5"], &["5 , 5", "5"]] {
            let fields: Vec<_> = lengths.iter().map(|length| ("Content-Length", *length)).collect();
            assert_eq!(judged("", 200, &fields), Ok(vec!["5".to_owned()]), "{lengths:?}");
        }
        assert_eq!(judged("", 204, &[("Content-Length", "5")]), Ok(vec![]));
        assert_eq!(judged("", 304, &[("Content-Length", "5")]), Ok(vec!["5".to_owned()]));
    }

    #[test]
    fn h1_09_only_a_websocket_that_was_asked_for_opens_a_tunnel() {
        let websocket = [("Upgrade", "websocket")];
        assert!(judged("WebSocket", 101, &websocket).is_ok());
        for (asked, granted) in
            [("h2c", "h2c"), ("h2c", "websocket"), ("websocket", "foo"), ("foo, websocket", "websocket")]
        {
            assert_eq!(judged(asked, 101, &[("Upgrade", granted)]), Err(()), "{asked} {granted}");
        }
        assert_eq!(judged("websocket", 101, &[]), Err(()));
        assert_eq!(judged("websocket", 101, &[websocket[0], websocket[0]]), Err(()));
    }

    #[test]
    fn h1_14_interim_responses_come_to_an_end() {
        let asked = RequestHeader::build("GET", b"/", None).unwrap();
        let mut interim = 0;
        let mut hint = ResponseHeader::build(103, None).unwrap();
        let passed = (0..100)
            .take_while(|_| judge(&asked, hint.status, hint.version, &mut hint, &mut interim).is_ok())
            .count();
        assert_eq!(passed, usize::from(MOST_INTERIM));
    }
}
