//! The application's side of a question: written in one piece, answered by heads and a body (RFC 9112 §4, §6.3).
//!
//! Heads are read as leniently as by the engine, since old applications are what they are, and written anew; where a body ends is
//! never guessed. SECURITY: H1-13, H1-14.

use std::io;
use std::mem::MaybeUninit;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{StatusCode, Version};
use memchr::memchr_iter;
use pingora::protocols::Stream;
use pingora::{Error, ErrorType, RetryType};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::fields::{Fields, List};
use super::wire::{Body, Chunks, Extensions};

/// As the engine has them.
const LONGEST_HEAD: usize = 1024 * 1024;
const MOST_FIELDS: usize = 256;
/// How much is read at a time.
const HEAD_ROOM: usize = 4 * 1024;
const BODY_ROOM: usize = 64 * 1024;

/// The head of an answer.
pub(super) struct Reply<'b> {
    pub(super) status: StatusCode,
    pub(super) version: Version,
    pub(super) reason: &'b str,
    pub(super) fields: List<'b>,
}

/// What is to come of an answer after its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// A body that says where it ends, or none.
    Body(Body),
    /// All until the connection is closed.
    Endless,
}

/// What lies ready of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ready {
    /// So many bytes of data.
    Data(usize),
    /// Nothing yet.
    Nothing,
    /// It is over.
    End,
}

/// A connection to the application, for one question.
pub(super) struct Call<S = Stream> {
    stream: S,
    /// What has come and is not used yet.
    buffer: BytesMut,
    rest: Rest,
    is_kept: bool,
    has_come: bool,
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Call<S> {
    pub(super) fn new(stream: S, read_timeout: Option<Duration>, write_timeout: Option<Duration>) -> Self {
        let buffer = BytesMut::with_capacity(HEAD_ROOM);
        let rest = Rest::Body(Body::Ended);
        Self { stream, buffer, rest, is_kept: false, has_come: false, read_timeout, write_timeout }
    }

    /// Sends a request.
    pub(super) async fn write(&mut self, request: &[u8]) -> pingora::Result<()> {
        let stream = &mut self.stream;
        let written = async {
            stream.write_all(request).await?;
            stream.flush().await
        };
        match within(self.write_timeout, written).await {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(self.broken(ErrorType::WriteError, error)),
            None => too_slow(ErrorType::WriteTimedout),
        }
    }

    /// Reads more; nothing is the end.
    pub(super) async fn read(&mut self) -> pingora::Result<usize> {
        self.buffer.reserve(match self.rest {
            Rest::Body(Body::Ended) => HEAD_ROOM,
            // What is left of a short body.
            Rest::Body(Body::Length(left)) => {
                usize::try_from(left).map_or(BODY_ROOM, |left| left.clamp(1, BODY_ROOM))
            }
            _ => BODY_ROOM,
        });
        let (stream, buffer) = (&mut self.stream, &mut self.buffer);
        match within(self.read_timeout, stream.read_buf(buffer)).await {
            Some(Ok(count)) => {
                self.has_come |= count > 0;
                Ok(count)
            }
            Some(Err(error)) => Err(self.broken(ErrorType::ReadError, error)),
            None => too_slow(ErrorType::ReadTimedout),
        }
    }

    /// How long the head is that has come, if it is whole.
    pub(super) fn head_length(&self) -> pingora::Result<Option<usize>> {
        let is_empty_line = |rest: &[u8]| match rest {
            [b'\n', ..] => Some(1),
            [b'\r', b'\n', ..] => Some(2),
            _ => None,
        };
        let ends = memchr_iter(b'\n', &self.buffer).map(|at| at + 1);
        let mut lengths = ends.filter_map(|end| Some(end + is_empty_line(self.buffer.get(end..)?)?));
        match lengths.next() {
            Some(length) => Ok(Some(length)),
            None if self.buffer.len() > LONGEST_HEAD => refuse("a head that is too long"),
            None => Ok(None),
        }
    }

    /// Reads the head of this length.
    pub(super) fn head(&self, length: usize) -> pingora::Result<Reply<'_>> {
        let mut room = [MaybeUninit::uninit(); MOST_FIELDS];
        let mut parsed = httparse::Response::new(&mut []);
        let mut parser = httparse::ParserConfig::default();
        parser.allow_spaces_after_header_name_in_responses(true);
        parser.allow_obsolete_multiline_headers_in_responses(true);
        let head = self.buffer.get(..length).unwrap_or_default();
        match parser.parse_response_with_uninit_headers(&mut parsed, head, &mut room) {
            Ok(httparse::Status::Complete(read)) if read == length => {}
            _ => return refuse("a head that can't be read"),
        }
        let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok());
        let Some(status) = status else { return refuse("a status that is none") };
        let mut fields = List::default();
        for field in parsed.headers.iter() {
            if field.value.contains(&b'\n') {
                fields.push_unfolded(field.name, field.value);
            } else {
                fields.push(field.name, field.value);
            }
        }
        let version = if parsed.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
        Ok(Reply { status, version, reason: parsed.reason.unwrap_or_default(), fields })
    }

    /// Goes on behind the head of this length, with what it says is to come.
    pub(super) fn pass_head(&mut self, length: usize, rest: Rest, is_kept: bool) {
        self.buffer.advance(length);
        (self.rest, self.is_kept) = (rest, is_kept);
    }

    /// What of the body lies at the beginning of the buffer.
    ///
    /// # Errors
    /// If its chunks are none.
    pub(super) fn ready(&mut self) -> pingora::Result<Ready> {
        let Rest::Body(body) = &mut self.rest else {
            let length = self.buffer.len();
            return Ok(if length > 0 { Ready::Data(length) } else { Ready::Nothing });
        };
        while *body != Body::Ended {
            let here = self.buffer.len();
            let framing = match body {
                _ if here == 0 => return Ok(Ready::Nothing),
                Body::Length(left) | Body::Chunked(Chunks::Data { left }, _) => {
                    return Ok(Ready::Data(usize::try_from(*left).unwrap_or(here).min(here)));
                }
                Body::Chunked(..) => 1,
                Body::Trailers(_) | Body::Ended => here,
            };
            match body.advance(&self.buffer[..framing]) {
                Ok(taken) => self.buffer.advance(taken),
                Err(_) => return refuse("a body that is not framed as it says"),
            }
        }
        Ok(Ready::End)
    }

    /// Takes the data that [`Self::ready`] told of: it lies at the beginning of the buffer and is to be taken from there.
    /// Returns whether it is the last, as far as that can be known.
    pub(super) fn take(&mut self, count: usize) -> (&mut BytesMut, bool) {
        let is_last = match &mut self.rest {
            // Data can't be misframed.
            Rest::Body(body) => body.advance(&self.buffer[..count]).is_ok() && *body == Body::Ended,
            Rest::Endless => false,
        };
        (&mut self.buffer, is_last)
    }

    /// Whether the head has told how long the body is.
    pub(super) fn has_length(&self) -> bool {
        matches!(self.rest, Rest::Body(Body::Length(_)))
    }

    /// What the end of the connection means.
    ///
    /// # Errors
    /// If it is not the end of the answer.
    pub(super) fn closed(&self) -> pingora::Result<()> {
        if self.rest == Rest::Endless {
            return Ok(());
        }
        Err(self.broken(ErrorType::ConnectionClosed, io::ErrorKind::UnexpectedEof.into()))
    }

    /// The connection, if another question may follow on it: the answer is whole, and nothing came behind it.
    pub(super) fn into_kept(self) -> Option<S> {
        let is_whole = self.rest == Rest::Body(Body::Ended) && self.buffer.is_empty();
        (self.is_kept && is_whole).then_some(self.stream)
    }

    /// The connection failed. Before the first byte of an answer the question may be asked once more, unless TLS has failed.
    fn broken(&self, kind: ErrorType, error: io::Error) -> Box<Error> {
        let is_plain = error.raw_os_error().is_some() || kind == ErrorType::ConnectionClosed;
        let mut broken = Error::because(kind, "asking the application", error).into_up();
        if !self.has_come && is_plain {
            broken.retry = RetryType::ReusedOnly;
        }
        broken
    }
}

impl Reply<'_> {
    /// What comes after this head (RFC 9112 §6.3): a coding goes before a length, and lengths that differ are none.
    ///
    /// # Errors
    /// If a length is none.
    pub(super) fn rest(&mut self, is_head: bool) -> pingora::Result<Rest> {
        let is_chunked = self.fields.values(&TRANSFER_ENCODING).last().map(|coding| {
            let last = coding.rsplit(|byte| *byte == b',').next().unwrap_or_default();
            last.trim_ascii().eq_ignore_ascii_case(b"chunked")
        });
        if is_chunked.is_some() {
            self.fields.remove(&CONTENT_LENGTH);
        }
        let length = length(self.fields.values(&CONTENT_LENGTH))?;
        let has_none = matches!(self.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) || is_head;
        Ok(match (is_chunked, length) {
            _ if has_none || self.status.is_informational() => Rest::Body(Body::Ended),
            (Some(true), _) => Rest::Body(Body::Chunked(Chunks::START, Extensions::Skipped)),
            (None, Some(0)) => Rest::Body(Body::Ended),
            (None, Some(length)) => Rest::Body(Body::Length(length)),
            (Some(false), _) | (None, None) => Rest::Endless,
        })
    }

    /// Whether the application keeps the connection (RFC 9112 §9.3).
    pub(super) fn keeps_connection(&self) -> bool {
        let says = |wanted: &str| {
            let options = self.fields.values(&CONNECTION).flat_map(|value| value.split(|byte| *byte == b','));
            options.map(<[u8]>::trim_ascii).any(|option| option.eq_ignore_ascii_case(wanted.as_bytes()))
        };
        !says("close") && (self.version == Version::HTTP_11 || says("keep-alive"))
    }
}

/// The one length that all say.
fn length<'v>(values: impl Iterator<Item = &'v [u8]>) -> pingora::Result<Option<u64>> {
    const MOST_DIGITS: usize = 18;
    let mut said = None;
    for value in values.flat_map(|value| value.split(|byte| *byte == b',')).map(<[u8]>::trim_ascii) {
        let is_number = (1..=MOST_DIGITS).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
        let length =
            std::str::from_utf8(value).ok().filter(|_| is_number).and_then(|value| value.parse().ok());
        match (length, said) {
            (Some(length), None) => said = Some(length),
            (Some(length), Some(before)) if length == before => {}
            _ => return refuse("a length that is none"),
        }
    }
    Ok(said)
}

/// What `future` gives, if that does not take too long.
async fn within<F: Future>(time: Option<Duration>, future: F) -> Option<F::Output> {
    match time {
        Some(time) => pingora::time::timeout(time, future).await.ok(),
        None => Some(future.await),
    }
}

fn too_slow<T>(kind: ErrorType) -> pingora::Result<T> {
    Err(Error::explain(kind, "asking the application").into_up())
}

fn refuse<T>(why: &'static str) -> pingora::Result<T> {
    Err(Error::explain(ErrorType::InvalidHTTPHeader, why).into_up())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::{DuplexStream, duplex};

    use super::*;

    /// What a client gets of an answer that comes in these pieces, after which the application closes the connection: the statuses, the
    /// lines of the last head, the body, and whether the connection could have been kept.
    async fn got(pieces: &[&[u8]], is_head: bool) -> Result<(Vec<u16>, String, Vec<u8>, bool), ErrorType> {
        let (near, mut far) = duplex(1 << 20);
        for piece in pieces {
            far.write_all(piece).await.unwrap();
        }
        drop(far);
        read(Call::new(near, None, None), is_head).await.map_err(|error| error.etype().clone())
    }

    async fn read(
        mut call: Call<DuplexStream>,
        is_head: bool,
    ) -> pingora::Result<(Vec<u16>, String, Vec<u8>, bool)> {
        let (mut statuses, mut lines, mut body) = (Vec::new(), Vec::new(), Vec::new());
        while statuses.last().is_none_or(|status| *status < 200) {
            let length = loop {
                match call.head_length()? {
                    Some(length) => break length,
                    None if call.read().await? == 0 => call.closed()?,
                    None => {}
                }
            };
            let mut reply = call.head(length)?;
            statuses.push(reply.status.as_u16());
            let (rest, is_kept) = (reply.rest(is_head)?, reply.keeps_connection());
            lines.clear();
            reply.fields.write(&mut lines);
            call.pass_head(length, rest, is_kept);
        }
        loop {
            match call.ready()? {
                Ready::Data(count) => body.extend_from_slice(&call.take(count).0.split_to(count)),
                Ready::Nothing if call.read().await? == 0 => break call.closed()?,
                Ready::Nothing => {}
                Ready::End => break,
            }
        }
        Ok((statuses, String::from_utf8(lines).unwrap(), body, call.into_kept().is_some()))
    }

    fn run<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    #[test]
    fn where_an_answer_ends_is_as_in_rfc_9112_6_3_and_only_a_whole_one_leaves_a_connection_to_keep() {
        const LONG: &str = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n";
        const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        for (answer, is_head, body, is_kept) in [
            (format!("{LONG}\r\nabc"), false, "abc", true),
            (format!("{LONG}\r\nabcd"), false, "abc", false),
            (format!("{LONG}Connection: x, Close\r\n\r\nabc"), false, "abc", false),
            (format!("{LONG}Content-Length: 3,3\r\n\r\nabc"), false, "abc", true),
            (format!("{LONG}\r\n"), true, "", true),
            ("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc".to_owned(), false, "abc", false),
            ("HTTP/1.0 200\nConnection: keep-alive\ncontent-length: 3\n\nabc".to_owned(), false, "abc", true),
            ("HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n".to_owned(), false, "", true),
            ("HTTP/1.1 204 No Content\r\n\r\n".to_owned(), false, "", true),
            ("HTTP/1.1 200 OK\r\n\r\nabc".to_owned(), false, "abc", false),
            (format!("{CHUNKED}1\r\na\r\n2;x=y\r\nbc\r\n0\r\nX: 1\r\n\r\n"), false, "abc", true),
            (format!("{CHUNKED}0\r\n\r\nHTTP/1.1"), false, "", false),
            ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".to_owned(), false, "abc", true),
        ] {
            let whole = run(got(&[answer.as_bytes()], is_head)).unwrap();
            assert_eq!((&whole.2[..], whole.3), (body.as_bytes(), is_kept), "{answer:?}");
            let bytes: Vec<&[u8]> = answer.as_bytes().chunks(1).collect();
            assert_eq!(run(got(&bytes, is_head)).unwrap(), whole, "{answer:?}");
        }
    }

    #[test]
    fn h1_14_an_answer_whose_end_is_not_known_is_an_error() {
        for answer in [
            "",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        ] {
            assert_eq!(run(got(&[answer.as_bytes()], false)), Err(ErrorType::ConnectionClosed), "{answer:?}");
        }
        for answer in [
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\nContent-Length: +3\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\nContent-Length: 3,\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\nContent-Length: 9999999999999999999\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA\0: b\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n",
            "HTTP/1.1 2000 OK\r\n\r\n",
            "HTTP/2 200 OK\r\n\r\n",
            "\n\nHTTP/1.1 200 OK\r\n\r\n",
            "220 mail.example ESMTP\r\n\r\n",
        ] {
            assert_eq!(
                run(got(&[answer.as_bytes()], false)),
                Err(ErrorType::InvalidHTTPHeader),
                "{answer:?}"
            );
        }
    }

    #[test]
    fn interim_answers_come_before_the_final_one_and_folded_lines_are_made_one() {
        let answer =
            b"HTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nX-A: 1\r\n  2\r\nx-b : 3\r\n\r\nabc";
        let (statuses, lines, body, _) = run(got(&[answer], false)).unwrap();
        assert_eq!((statuses, lines.as_str()), (vec![103, 200], "X-A: 1    2\r\nx-b: 3\r\n"));
        assert_eq!(body, b"abc");
    }

    proptest! {
        #[test]
        fn whatever_an_application_says_is_read_alike_however_it_is_cut(
            answer in "HTTP/1\\.[01] [12]0[0-4] [a-zA-Z ]{0,3}\r?\n((Content-Length|Transfer-Encoding|X): ?[0-9a-z, ]{0,8}\r\n){0,3}\r\n[0-9a-c\r\n;]{0,30}",
            cut in 0..80_usize,
        ) {
            let bytes = answer.as_bytes();
            let (before, after) = bytes.split_at(cut.min(bytes.len()));
            prop_assert_eq!(run(got(&[before, after], false)), run(got(&[bytes], false)));
        }
    }
}
