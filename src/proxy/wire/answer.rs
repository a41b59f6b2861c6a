//! The responses to one request as the engine writes them, followed to know when the client's next request may begin.
//!
//! What the engine writes is well formed; what is not would only mean that the connection ends with it.

use memchr::memchr_iter;

use super::{Body, Chunks, Extensions};

/// How far the answer to a request has been written.
#[derive(Debug, Default)]
pub(in crate::proxy) struct Answer {
    state: State,
    /// The beginning of a head that came in pieces.
    head: Vec<u8>,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum State {
    /// In or before a head. Interim responses leave it so.
    #[default]
    Head,
    Body(Body),
    Whole,
    /// 101: what follows is no HTTP.
    Tunnel,
    /// It ends with the connection.
    Endless,
}

impl Answer {
    /// Goes over bytes that are written in answer to a request; `is_head` if that was `HEAD`.
    pub(in crate::proxy) fn advance(&mut self, mut bytes: &[u8], is_head: bool) {
        while !bytes.is_empty() {
            match &mut self.state {
                State::Head => bytes = self.advance_head(bytes, is_head),
                State::Body(body) => {
                    match body.advance(bytes) {
                        Ok(_) if *body == Body::Ended => self.state = State::Whole,
                        Ok(_) => {}
                        Err(_) => self.state = State::Endless,
                    }
                    return;
                }
                State::Whole | State::Tunnel | State::Endless => return,
            }
        }
    }

    /// Whether it is over, so that another request may begin.
    pub(in crate::proxy) fn is_whole(&self) -> bool {
        self.state == State::Whole
    }

    /// Whether the connection is a tunnel from now on.
    pub(in crate::proxy) fn is_tunnel(&self) -> bool {
        self.state == State::Tunnel
    }

    /// Whether nothing of it has been written but whole interim responses.
    pub(in crate::proxy) fn is_ahead(&self) -> bool {
        self.state == State::Head && self.head.is_empty()
    }

    /// Returns what comes after the head, or nothing if that is not over.
    fn advance_head<'b>(&mut self, bytes: &'b [u8], is_head: bool) -> &'b [u8] {
        if self.head.is_empty() {
            if let Some(end) = end(bytes) {
                let (head, rest) = bytes.split_at(end);
                self.state = after(head, is_head);
                return rest;
            }
            self.head.extend_from_slice(bytes);
            return &[];
        }
        let known = self.head.len();
        self.head.extend_from_slice(bytes);
        let from = known.saturating_sub(EMPTY_LINE.len());
        let Some(end) = end(&self.head[from..]).map(|end| from + end) else { return &[] };
        self.state = after(&self.head[..end], is_head);
        self.head.clear();
        &bytes[end - known..]
    }
}

const EMPTY_LINE: &[u8] = b"\r\n";

/// Where a head ends, behind the empty line after it.
fn end(bytes: &[u8]) -> Option<usize> {
    let mut after_lines = memchr_iter(b'\n', bytes).map(|at| at + 1);
    after_lines.find(|at| bytes[*at..].starts_with(EMPTY_LINE)).map(|at| at + EMPTY_LINE.len())
}

/// What comes after this head (RFC 9112 §6.3).
fn after(head: &[u8], is_head: bool) -> State {
    match head.get(9..12) {
        Some(b"101") => return State::Tunnel,
        Some([b'1', ..]) => return State::Head,
        Some(b"204" | b"304") => return State::Whole,
        _ if is_head => return State::Whole,
        _ => {}
    }
    let mut begin = 0;
    let mut state = State::Endless;
    for end in memchr_iter(b'\n', head) {
        let line = &head[begin..end];
        begin = end + 1;
        if value(line, b"transfer-encoding:").is_some() {
            return State::Body(Body::Chunked(Chunks::START, Extensions::Skipped));
        }
        if let Some(length) = value(line, b"content-length:") {
            let length = std::str::from_utf8(length).ok().and_then(|length| length.trim().parse().ok());
            state = match length {
                Some(0) => State::Whole,
                Some(length) => State::Body(Body::Length(length)),
                None => State::Endless,
            };
        }
    }
    state
}

fn value<'l>(line: &'l [u8], name: &[u8]) -> Option<&'l [u8]> {
    let (given, value) = line.split_at_checked(name.len())?;
    // The colon first: by that nearly all others are known.
    (given.last() == name.last() && given.eq_ignore_ascii_case(name)).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHUNKED: &str =
        "HTTP/1.1 200 OK\r\nX: 1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: 1\r\n\r\n";

    fn written(text: &str, is_head: bool, piece: usize) -> Answer {
        let mut answer = Answer::default();
        text.as_bytes().chunks(piece).for_each(|bytes| answer.advance(bytes, is_head));
        answer
    }

    #[test]
    fn an_answer_is_whole_with_its_last_byte_and_not_before() {
        for (text, is_head) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde", false),
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", false),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true),
            ("HTTP/1.1 200 OK\r\n\r\n", true),
            ("HTTP/1.1 204 No Content\r\n\r\n", false),
            ("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", false),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 E\r\nLink: a\r\n\r\nHTTP/1.1 204 No\r\n\r\n", false),
            (CHUNKED, false),
        ] {
            for piece in [1, 2, 3, 7, 1000] {
                assert!(written(text, is_head, piece).is_whole(), "{text:?} {piece}");
                assert!(!written(&text[..text.len() - 1], is_head, piece).is_whole(), "{text:?} {piece}");
            }
        }
    }

    #[test]
    fn what_ends_with_the_connection_is_never_whole() {
        for text in [
            "HTTP/1.1 200 OK\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            "HTTP/1.1 101 S\r\n\r\n",
        ] {
            assert!(!written(text, false, 1000).is_whole(), "{text:?}");
        }
        assert!(written("HTTP/1.1 101 S\r\n\r\nabc", false, 5).is_tunnel());
        assert!(!written("HTTP/1.1 200 OK\r\n\r\nabc", false, 5).is_tunnel());
    }

    #[test]
    fn after_whole_interim_responses_another_answer_can_still_be_given() {
        for (text, is_ahead) in [
            ("", true),
            ("HTTP/1.1 100 Continue\r\n\r\n", true),
            ("HTTP/1.1 100 Continue\r\n\r\nH", false),
            (CHUNKED, false),
        ] {
            assert_eq!(written(text, false, 1000).is_ahead(), is_ahead, "{text:?}");
        }
    }
}
