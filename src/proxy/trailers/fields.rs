//! Which trailer fields travel on (SECURITY: H1-17, HDR-02).
//!
//! What is written is built from what was understood: a token, a colon, a value of legal bytes. A section with a line that
//! can't be read so, or more of them than anyone needs, is left out as a whole; the body arrives whole all the same.

use http::{HeaderName, HeaderValue};

use super::message::values;
use crate::proxy::HeaderRules;
use crate::proxy::headers::fold;

/// Fields that frame, route, authenticate, or say how to handle a message: their place is the head (RFC 9110 §6.5.1), and
/// applications that add a trailer to the head's fields would be told something there that nobody has checked.
/// Folded, as all that is compared here is.
const FORBIDDEN: [&str; 43] = [
    "age",
    "allow",
    "altsvc",
    "authenticationinfo",
    "authorization",
    "cachecontrol",
    "clearsitedata",
    "connection",
    "cookie",
    "cookie2",
    "date",
    "expect",
    "expires",
    "from",
    "host",
    "http2settings",
    "ifmatch",
    "ifmodifiedsince",
    "ifnonematch",
    "ifrange",
    "ifunmodifiedsince",
    "keepalive",
    "lasteventid",
    "link",
    "location",
    "maxforwards",
    "origin",
    "permissionspolicy",
    "pragma",
    "prefer",
    "priority",
    "range",
    "referer",
    "refresh",
    "retryafter",
    "serviceworker",
    "setcookie",
    "setcookie2",
    "te",
    "trailer",
    "transferencoding",
    "upgrade",
    "vary",
];
/// All that begin so are forbidden too.
const FAMILIES: [&str; 10] = [
    "accept",
    "accesscontrol",
    "content",
    "proxy",
    "secfetch",
    "secwebsocket",
    "stricttransportsecurity",
    "useragent",
    "wwwauthenticate",
    "xframeoptions",
];
/// Made to be computed while a body is sent (RFC 9530, RFC 1864).
const DIGESTS: [&str; 2] = ["contentdigest", "contentmd5"];

/// More fields are not passed on.
const MOST: usize = 16;

/// The lines to write for a trailer section, each with its end; none if nothing of it may travel. `head` is that of the
/// message the section belongs to.
pub(super) fn permitted(section: &[u8], head: &[u8], rules: &HeaderRules) -> Vec<u8> {
    let Some(fields) = parse(section) else { return Vec::new() };
    let mut lines = Vec::with_capacity(section.len());
    for (spelling, _, value) in fields.iter().filter(|(_, name, _)| may_travel(name, head, rules)) {
        for part in [spelling, &b": "[..], value.as_bytes(), b"\r\n"] {
            lines.extend_from_slice(part);
        }
    }
    lines
}

/// Whether a field of this name may be in the trailer section of the message with this head.
pub(super) fn may_travel(name: &HeaderName, head: &[u8], rules: &HeaderRules) -> bool {
    let folded: Vec<u8> = fold(name.as_str()).collect();
    let is_digest = DIGESTS.iter().any(|digest| digest.as_bytes() == folded);
    let is_forbidden = FORBIDDEN.iter().any(|forbidden| forbidden.as_bytes() == folded)
        || FAMILIES.iter().any(|family| folded.starts_with(family.as_bytes()));
    let is_nominated = values(head, "connection")
        .flat_map(|value| value.split(|byte| *byte == b','))
        .any(|option| option.trim_ascii().eq_ignore_ascii_case(name.as_str().as_bytes()));
    (is_digest || !is_forbidden) && !is_nominated && !rules.is_managed(name.as_str())
}

/// Each field's name, as it was spelled and as it is compared, and its value.
fn parse(section: &[u8]) -> Option<Vec<(&[u8], HeaderName, HeaderValue)>> {
    let mut fields = Vec::new();
    let mut rest = section;
    while !rest.is_empty() {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let (line, after) = rest.split_at(end);
        let colon = line.iter().position(|byte| *byte == b':')?;
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?;
        let name = &line[..colon];
        fields.push((name, HeaderName::from_bytes(name).ok()?, value));
        rest = &after[2..];
    }
    (fields.len() <= MOST).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proxy::headers::plain_rules;

    fn permitted(section: &str) -> String {
        let head = b"POST / HTTP/1.1\r\nConnection: close, X-Mine\r\nconnection:x-too\r\n\r\n";
        String::from_utf8(super::permitted(section.as_bytes(), head, &plain_rules())).unwrap()
    }

    #[test]
    fn h1_17_forbidden_names_are_left_out_in_every_spelling_and_the_others_stay() {
        for name in [
            "Content-Length",
            "content_length",
            "Transfer-Encoding",
            "Host",
            "Cookie",
            "Set-Cookie",
            "Authorization",
            "Proxy-Authorization",
            "Connection",
            "TE",
            "Trailer",
            "Keep-Alive",
            "Upgrade",
            "Proxy",
            "Expect",
            "Range",
            "Remote-User",
            "remote_user",
            "Remote.User",
            "REMOTEUSER",
            "Remote-Groups",
            "X-Gateway-Secret",
            "X-Forwarded-For",
            "x_forwarded_proto",
            "Forwarded",
            "X-Real-IP",
            "X-HTTP-Method-Override",
            "Content-Type",
            "X-Mine",
            "x-too",
            "Sec-Fetch-Site",
            "If-Match",
            "Strict-Transport-Security",
            "Location",
        ] {
            assert_eq!(permitted(&format!("A: 1\r\n{name}: x\r\nB: 2\r\n")), "A: 1\r\nB: 2\r\n", "{name}");
        }
    }

    #[test]
    fn fields_made_for_trailers_travel() {
        for line in [
            "x-checksum: 1a",
            "content-digest: sha-256=:x=:",
            "server-timing: a;dur=1",
            "etag: \"a\"",
            "x-empty: ",
        ] {
            assert_eq!(permitted(&format!("{line}\r\n")), format!("{line}\r\n"));
        }
        assert_eq!(permitted("X-A:\t1 2 \r\nX-A: caf\u{e9}\r\n"), "X-A: 1 2\r\nX-A: caf\u{e9}\r\n");
    }

    #[test]
    fn h1_17_a_section_that_can_not_be_read_is_left_out_as_a_whole() {
        for section in [
            "A: 1\r\n folded\r\n",
            "A : 1\r\n",
            "A\r\n",
            ": 1\r\n",
            "A: 1\nRemote-User: x\r\n",
            "A: 1\rB: 2\r\n",
            "A: \u{0}\r\n",
            "A: \u{7f}\r\n",
            "B: 2\r\nA: 1",
            "A(: 1\r\n",
            "B: 2\r\n\r\nA: 1\r\n",
        ] {
            assert_eq!(permitted(section), "", "{section:?}");
        }
        let most = "X: 1\r\n".repeat(MOST);
        assert_eq!(permitted(&most), most);
        assert_eq!(permitted(&format!("{most}X: 1\r\n")), "");
        assert_eq!(permitted(""), "");
    }
}
