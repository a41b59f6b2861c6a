//! An HTTP/1.1 message as it passes on a connection: its head, then its body up to the trailer section.
//!
//! It is read from the bytes alone, so it can't differ from what is on the wire: a body that is not chunked there has no
//! place for trailer fields, whatever the request or the response was meant to be.

use crate::proxy::wire::{Chunks, Extensions};

/// How far one message has passed. Interim responses before it belong to it.
pub(super) struct Message {
    head: Vec<u8>,
    body: Body,
}

#[derive(PartialEq, Eq)]
enum Body {
    /// The head is not over yet.
    NotYet,
    Chunked(Chunks),
    /// One without trailer fields.
    Other,
}

/// What can be said of a message's trailer section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    /// It has not begun.
    Ahead,
    /// It has begun.
    Here,
    /// There is none.
    None,
}

impl Message {
    /// Longer heads are not followed.
    const LONGEST_HEAD: usize = 64 * 1024;

    /// A message of which nothing has passed.
    pub(super) const fn new() -> Self {
        Self { head: Vec::new(), body: Body::NotYet }
    }

    /// The head, once it is over.
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Goes over bytes of the message; returns how many of them come before the trailer section.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while self.body == Body::NotYet && at < bytes.len() {
            at += self.advance_head(&bytes[at..]);
        }
        match &mut self.body {
            Body::Chunked(chunks) => at + chunks.advance(&bytes[at..], Extensions::Skipped),
            Body::NotYet | Body::Other => bytes.len(),
        }
    }

    /// Where the trailer section is.
    pub(super) fn section(&self) -> Section {
        match self.body {
            Body::Chunked(Chunks::Trailers) => Section::Here,
            Body::Other | Body::Chunked(Chunks::Broken) => Section::None,
            Body::NotYet | Body::Chunked(_) => Section::Ahead,
        }
    }

    fn advance_head(&mut self, bytes: &[u8]) -> usize {
        let known = self.head.len();
        self.head.extend_from_slice(bytes);
        let from = known.saturating_sub(3);
        let Some(end) = self.head[from..].windows(4).position(|four| four == b"\r\n\r\n") else {
            if self.head.len() > Self::LONGEST_HEAD {
                self.body = Body::Other;
            }
            return bytes.len();
        };
        let end = from + end + 4;
        self.head.truncate(end);
        if is_interim(&self.head) {
            self.head.clear();
        } else if is_chunked(&self.head) {
            self.body = Body::Chunked(Chunks::START);
        } else {
            self.body = Body::Other;
        }
        end - known
    }
}

/// The values of a head's lines of one name, in order.
pub(super) fn values<'h>(head: &'h [u8], name: &str) -> impl DoubleEndedIterator<Item = &'h [u8]> {
    head.split(|byte| *byte == b'\n').filter_map(move |line| {
        let (given, value) = line.split_at_checked(name.len())?;
        let value = value.strip_prefix(b":")?;
        given.eq_ignore_ascii_case(name.as_bytes()).then(|| value.trim_ascii())
    })
}

/// 101 is none: what follows it is no HTTP.
fn is_interim(head: &[u8]) -> bool {
    head.starts_with(b"HTTP/1.") && head[8..].starts_with(b" 1") && !head[8..].starts_with(b" 101")
}

fn is_chunked(head: &[u8]) -> bool {
    let last = values(head, "transfer-encoding").next_back();
    let last = last.and_then(|value| value.rsplit(|byte| *byte == b',').next());
    last.is_some_and(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"chunked"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section_of(message: &str) -> Section {
        let mut followed = Message::new();
        followed.advance(message.as_bytes());
        followed.section()
    }

    #[test]
    fn only_a_chunked_message_has_a_trailer_section() {
        let chunked = "Transfer-Encoding: gzip ,\tChunked\r\n";
        let body = "0\r\nX: 1\r\n\r\n";
        for (head, expected) in [
            (format!("POST / HTTP/1.1\r\n{chunked}\r\n"), Section::Here),
            (format!("HTTP/1.1 200 OK\r\nX:\r\n{chunked}Y: 1\r\n\r\n"), Section::Here),
            (format!("HTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\n{chunked}\r\n"), Section::Here),
            ("HTTP/1.1 200 OK\r\nX-Transfer-Encoding: chunked\r\n\r\n".to_owned(), Section::None),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n".to_owned(), Section::None),
            (
                format!("HTTP/1.1 101 Switching\r\n{chunked}\r\nHTTP/1.1 200 OK\r\n{chunked}\r\n"),
                Section::None,
            ),
            ("HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n".to_owned(), Section::None),
        ] {
            assert_eq!(section_of(&format!("{head}{body}")), expected, "{head:?}");
        }
        assert_eq!(section_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"), Section::Ahead);
    }

    #[test]
    fn a_head_without_end_is_given_up() {
        assert_eq!(
            section_of(&format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(Message::LONGEST_HEAD))),
            Section::None
        );
    }
}
