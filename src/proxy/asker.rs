//! Who asked a question, as far as the way of the answer goes: over HTTP/1 on the connection itself, over HTTP/2 through the engine.

use std::future::poll_fn;

use bytes::{Buf, Bytes, BytesMut};
use http::header::{CONNECTION, DATE, HeaderValue, TRANSFER_ENCODING};
use http::{HeaderName, StatusCode, Version};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::protocols::http::{HttpTask, date};
use pingora::proxy::Session;
use pingora::{Error, ErrorType, OrErr};
use tokio::io::AsyncWriteExt;

use super::access_log::Seen;
use super::connection::Connection;
use super::fields::{Fields, List};
use super::reply::{Reply, Rest};
use super::wire::Body;

/// One who has asked a question.
pub(super) trait Asker {
    /// What is asked.
    fn request(&self) -> &RequestHeader;

    /// The fields of that, as they came.
    fn fields(&self) -> List<'_>;

    /// Whether anything of an answer has been passed on.
    fn is_answered(&self) -> bool;

    /// Passes on a head; what follows a final one is the rest.
    async fn head(&mut self, reply: &Reply<'_>, rest: Rest) -> pingora::Result<()>;

    /// Takes data out of the buffer, from its beginning, and passes it on.
    async fn data(&mut self, buffer: &mut BytesMut, count: usize, is_last: bool) -> pingora::Result<()>;

    /// Says that nothing more follows, where the last data did not.
    async fn end(&mut self) -> pingora::Result<()>;

    /// Sends what has been held back.
    async fn flush(&mut self) -> pingora::Result<()>;

    /// Completes when nobody waits for the answer any more.
    async fn gone(&mut self) -> Box<Error>;
}

/// On a connection of HTTP/1.1.
pub(super) struct Direct<'c> {
    connection: &'c mut Connection,
    head: &'c Bytes,
    request: RequestHeader,
    fields: List<'c>,
    keeps: bool,
    /// What is to leave with the next bytes.
    held: Vec<u8>,
    /// Whether the data has to be put into chunks.
    is_chunked: bool,
    /// That of the last head that was passed on.
    pub(super) status: Option<StatusCode>,
    /// How many bytes of data have been.
    pub(super) sent: usize,
}

impl<'c> Direct<'c> {
    /// Data up to here leaves in one piece with the head.
    const MOST_TOGETHER: usize = 8 * 1024;

    /// The question that has come on `connection` with this head, if it is one of HTTP/1.1.
    pub(super) fn read(connection: &'c mut Connection, head: &'c Bytes, is_last: bool) -> Option<Self> {
        let begin = head.iter().position(|byte| !matches!(byte, b'\r' | b'\n'))?;
        let line = head[begin..].split(|byte| *byte == b'\r').next()?;
        let mut words = line.split(|byte| *byte == b' ');
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        if version != b"HTTP/1.1" {
            return None;
        }
        let fields = List::of_request(head);
        let mut request = RequestHeader::build_no_case(method, target, Some(24)).ok()?;
        for (name, value) in fields.iter() {
            let value = HeaderValue::from_maybe_shared(head.slice_ref(value)).ok()?;
            request.append_header(HeaderName::from_bytes(name.as_bytes()).ok()?, value).ok()?;
        }
        let keeps = !is_last && !fields.values(&CONNECTION).any(|value| value.eq_ignore_ascii_case(b"close"));
        Some(Self {
            connection,
            head,
            request,
            fields,
            keeps,
            held: Vec::new(),
            is_chunked: false,
            status: None,
            sent: 0,
        })
    }

    /// Whether another request may follow on the connection.
    pub(super) const fn keeps(&self) -> bool {
        self.keeps
    }

    /// The connection it has come on.
    pub(super) const fn connection(&self) -> &Connection {
        self.connection
    }

    /// The question as it came.
    pub(super) fn raw(&self) -> &[u8] {
        self.head
    }

    /// What of it goes into the log.
    pub(super) fn seen(&self) -> Seen<'_> {
        Seen {
            method: &self.request.method,
            target: self.request.raw_path(),
            status: self.status,
            received: 0,
            sent: self.sent,
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> pingora::Result<()> {
        self.connection.write_all(bytes).await.map_err(not_taken)
    }

    async fn write_held(&mut self) -> pingora::Result<()> {
        let held = std::mem::take(&mut self.held);
        self.write(&held).await
    }

    /// Writes what every answer of ours says of itself and of the connection (RFC 9110 §6.6.1, RFC 9112 §9.6).
    fn close_head(&mut self, reply: &Reply<'_>, rest: Rest) {
        if !reply.fields.has(&DATE) {
            push_line(&mut self.held, "Date", date::get_cached_date().as_bytes());
        }
        // A body that would end with the application's connection ends with its last chunk, so that this one can stay open.
        if rest == Rest::Endless {
            push_line(&mut self.held, "Transfer-Encoding", b"chunked");
        }
        push_line(&mut self.held, "Connection", if self.keeps { b"keep-alive" } else { b"close" });
    }
}

impl Asker for Direct<'_> {
    fn request(&self) -> &RequestHeader {
        &self.request
    }

    fn fields(&self) -> List<'_> {
        self.fields.as_read()
    }

    fn is_answered(&self) -> bool {
        self.status.is_some()
    }

    async fn head(&mut self, reply: &Reply<'_>, rest: Rest) -> pingora::Result<()> {
        self.status = Some(reply.status);
        self.held.reserve(2 * 1024);
        for part in ["HTTP/1.1 ", reply.status.as_str(), " ", reply.reason, "\r\n"] {
            self.held.extend_from_slice(part.as_bytes());
        }
        for (name, value) in reply.fields.iter() {
            if !name.eq_ignore_ascii_case("connection") {
                push_line(&mut self.held, name, value);
            }
        }
        if reply.status.is_informational() {
            self.held.extend_from_slice(b"\r\n");
            self.write_held().await?;
            return self.flush().await;
        }
        self.close_head(reply, rest);
        self.held.extend_from_slice(b"\r\n");
        self.is_chunked = matches!(rest, Rest::Endless | Rest::Body(Body::Chunked(..)));
        Ok(())
    }

    async fn data(&mut self, buffer: &mut BytesMut, count: usize, is_last: bool) -> pingora::Result<()> {
        self.sent += count;
        if self.is_chunked {
            self.held.extend_from_slice(format!("{count:x}\r\n").as_bytes());
        }
        if self.held.len() + count <= Self::MOST_TOGETHER {
            self.held.extend_from_slice(&buffer[..count]);
        } else {
            self.write_held().await?;
            self.write(&buffer[..count]).await?;
        }
        buffer.advance(count);
        if self.is_chunked {
            self.held.extend_from_slice(b"\r\n");
        }
        if is_last { self.end().await } else { Ok(()) }
    }

    async fn end(&mut self) -> pingora::Result<()> {
        if self.is_chunked {
            self.held.extend_from_slice(b"0\r\n\r\n");
        }
        self.flush().await
    }

    async fn flush(&mut self) -> pingora::Result<()> {
        if !self.held.is_empty() {
            self.write_held().await?;
        }
        self.connection.flush().await.map_err(not_taken)
    }

    async fn gone(&mut self) -> Box<Error> {
        let gone = poll_fn(|cx| self.connection.poll_gone(cx)).await;
        Error::because(ErrorType::ConnectionClosed, "waiting for the answer", gone).into_down()
    }
}

/// On a stream of HTTP/2, or whatever else the engine has a request from.
impl Asker for Session {
    fn request(&self) -> &RequestHeader {
        self.req_header()
    }

    fn fields(&self) -> List<'_> {
        List::of_map(&self.req_header().headers)
    }

    fn is_answered(&self) -> bool {
        self.response_written().is_some()
    }

    async fn head(&mut self, reply: &Reply<'_>, rest: Rest) -> pingora::Result<()> {
        let is_framed = matches!(rest, Rest::Endless | Rest::Body(Body::Chunked(..)));
        let version = self.req_header().version;
        let mut header = match version {
            // All names are small there.
            Version::HTTP_2 => ResponseHeader::build_no_case(reply.status, Some(24))?,
            _ => ResponseHeader::build(reply.status, Some(24))?,
        };
        for (name, value) in reply.fields.iter() {
            let name = HeaderName::from_bytes(name.as_bytes())
                .or_err(ErrorType::InvalidHTTPHeader, "a name that is none")?;
            // What is meant for the next hop has no place in HTTP/2 (RFC 9113 §8.2.2).
            if name != CONNECTION && name != TRANSFER_ENCODING {
                header.append_header(name, value)?;
            }
        }
        match version {
            Version::HTTP_11 if is_framed => header.insert_header(TRANSFER_ENCODING, "chunked")?,
            // The body ends with the connection.
            Version::HTTP_10 if is_framed => self.set_keepalive(None),
            _ => {}
        }
        let is_whole = rest == Rest::Body(Body::Ended) && !reply.status.is_informational();
        self.write_response_tasks(vec![HttpTask::Header(Box::new(header), is_whole)]).await.map(drop)
    }

    async fn data(&mut self, buffer: &mut BytesMut, count: usize, is_last: bool) -> pingora::Result<()> {
        let data = buffer.split_to(count).freeze();
        self.write_response_tasks(vec![HttpTask::Body(Some(data), is_last)]).await.map(drop)
    }

    async fn end(&mut self) -> pingora::Result<()> {
        self.write_response_tasks(vec![HttpTask::Done]).await.map(drop)
    }

    async fn flush(&mut self) -> pingora::Result<()> {
        Ok(())
    }

    async fn gone(&mut self) -> Box<Error> {
        let gone = self.downstream_session.read_body_or_idle(true).await;
        gone.err().unwrap_or_else(|| Error::new(ErrorType::ConnectionClosed)).into_down()
    }
}

fn push_line(out: &mut Vec<u8>, name: impl AsRef<[u8]>, value: &[u8]) {
    for part in [name.as_ref(), b": ", value, b"\r\n"] {
        out.extend_from_slice(part);
    }
}

fn not_taken(error: std::io::Error) -> Box<Error> {
    Error::because(ErrorType::WriteError, "passing on an answer", error).into_down()
}
