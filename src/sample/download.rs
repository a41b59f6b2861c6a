//! Attachments on their way out: `ETag`, `Last-Modified`, `Range`, the conditions of RFC 9110 section 13.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_RANGE, ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    LAST_MODIFIED, RANGE,
};
use http::{HeaderMap, StatusCode, header::HeaderName};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::attachments::Attachment;
use super::body::Body;
use super::range::{Wanted, wanted};
use super::reply::{Answer, Trouble, add, answer as reply};
use super::visit::Visit;

/// `download.php?id=N`.
pub(super) fn answer(visit: &Visit<'_>) -> Result<Answer, Trouble> {
    let found = visit.forum.attachments().find(visit.query.number("id"));
    let file = found.ok_or(Trouble::not_found("There is no such attachment, or it is no longer kept."))?;
    let tag = format!("\"{:x}-{:x}-{:x}\"", file.id, file.bytes.len(), file.stored_at);
    let changed = UNIX_EPOCH + Duration::from_secs(file.stored_at);
    let mut answer = choose(&visit.parts.headers, &file, &tag, changed);
    add(&mut answer, ETAG, &tag);
    add(&mut answer, LAST_MODIFIED, &httpdate::fmt_http_date(changed));
    add(&mut answer, ACCEPT_RANGES, "bytes");
    Ok(answer)
}

fn choose(headers: &HeaderMap, file: &Attachment, tag: &str, changed: SystemTime) -> Answer {
    if is_known(headers, tag, changed) {
        return reply(StatusCode::NOT_MODIFIED, file.content_type, Body::empty());
    }
    let length = file.bytes.len();
    let asked = if range_still_holds(headers, tag, changed) { text(headers, &RANGE) } else { "" };
    let mut answer = match wanted(asked, length) {
        Wanted::Whole => reply(StatusCode::OK, file.content_type, Body::sized(file.bytes.clone())),
        Wanted::Part(part) => {
            let value = format!("bytes {}-{}/{length}", part.start, part.end - 1);
            let body = Body::sized(file.bytes.slice(part));
            let mut answer = reply(StatusCode::PARTIAL_CONTENT, file.content_type, body);
            add(&mut answer, CONTENT_RANGE, &value);
            answer
        }
        Wanted::Outside => {
            let mut answer = reply(StatusCode::RANGE_NOT_SATISFIABLE, file.content_type, Body::empty());
            add(&mut answer, CONTENT_RANGE, &format!("bytes */{length}"));
            return answer;
        }
    };
    let way = if file.is_shown() { "inline" } else { "attachment" };
    let name = utf8_percent_encode(&file.name, NON_ALPHANUMERIC);
    add(&mut answer, CONTENT_DISPOSITION, &format!("{way}; filename*=UTF-8''{name}"));
    answer
}

/// Whether the browser has this very file already.
fn is_known(headers: &HeaderMap, tag: &str, changed: SystemTime) -> bool {
    let tags = text(headers, &IF_NONE_MATCH);
    if !tags.is_empty() {
        return tags
            .split(',')
            .map(str::trim)
            .any(|known| known == "*" || known.trim_start_matches("W/") == tag);
    }
    httpdate::parse_http_date(text(headers, &IF_MODIFIED_SINCE)).is_ok_and(|since| since >= changed)
}

/// Whether a range may be answered: no `If-Range`, or one that names this very file.
fn range_still_holds(headers: &HeaderMap, tag: &str, changed: SystemTime) -> bool {
    let condition = text(headers, &IF_RANGE);
    condition.is_empty()
        || condition == tag
        || httpdate::parse_http_date(condition).is_ok_and(|date| date == changed)
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> &'h str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn ask(lines: &[(HeaderName, &str)]) -> Answer {
        let headers = lines.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        let bytes = Bytes::from_static(b"0123456789");
        let content_type = "application/octet-stream";
        let file =
            Attachment { id: 1, name: "a \"b\".txt".into(), content_type, bytes, stored_at: 1_000_000_000 };
        choose(&headers, &file, "\"tag\"", UNIX_EPOCH + Duration::from_secs(1_000_000_000))
    }

    #[test]
    fn a_known_file_is_not_sent_again() {
        for lines in [
            &[(IF_NONE_MATCH, "\"other\", W/\"tag\"")][..],
            &[(IF_NONE_MATCH, "*")],
            &[(IF_MODIFIED_SINCE, "Sun, 09 Sep 2001 01:46:40 GMT")],
        ] {
            assert_eq!(ask(lines).status(), 304, "{lines:?}");
        }
        let stale = [(IF_NONE_MATCH, "\"other\""), (IF_MODIFIED_SINCE, "Sun, 09 Sep 2001 01:46:40 GMT")];
        assert_eq!(ask(&stale).status(), 200, "a tag outranks a date");
    }

    #[test]
    fn a_range_is_answered_only_while_its_condition_holds() {
        let part = ask(&[(RANGE, "bytes=2-4"), (IF_RANGE, "\"tag\"")]);
        assert_eq!(
            (part.status().as_u16(), &part.headers()[CONTENT_RANGE]),
            (206, &"bytes 2-4/10".parse().unwrap())
        );
        assert_eq!(ask(&[(RANGE, "bytes=2-4"), (IF_RANGE, "\"old\"")]).status(), 200);
        let outside = ask(&[(RANGE, "bytes=10-")]);
        assert_eq!(
            (outside.status().as_u16(), &outside.headers()[CONTENT_RANGE]),
            (416, &"bytes */10".parse().unwrap())
        );
    }

    #[test]
    fn a_file_name_can_not_leave_its_parameter() {
        let answer = ask(&[]);
        assert_eq!(answer.headers()[CONTENT_DISPOSITION], "attachment; filename*=UTF-8''a%20%22b%22%2Etxt");
    }
}
