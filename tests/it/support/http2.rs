//! HTTP/2 from the client's side: whole exchanges as browsers make them, and frames made by hand.

use std::time::Duration;

use bytes::Bytes;
use h2::client::{SendRequest, handshake};
use http::header::{COOKIE, HOST};
use http::uri::{Parts, PathAndQuery, Scheme};
use http::{HeaderMap, HeaderValue, Request, Response, Uri, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::soon;

/// A connection for whole exchanges.
pub(crate) struct Http2(pub(crate) SendRequest<Bytes>);

impl Http2 {
    /// On a stream whose handshake is over.
    pub(crate) async fn over(stream: TlsStream<TcpStream>) -> Self {
        let (sender, connection) = soon("settings", handshake(stream)).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    /// Whether another request may be made.
    pub(crate) async fn is_usable(&self) -> bool {
        soon("a kept connection", self.0.clone().ready()).await.is_ok()
    }

    /// Makes a request of the form that HTTP/1.1 has: `Host` becomes `:authority`, each cookie a field of its own.
    ///
    /// # Errors
    /// If the stream or the connection breaks.
    pub(crate) async fn exchange(&self, request: Request<Bytes>) -> Result<Response<Bytes>, h2::Error> {
        let (request, body) = translated(request);
        let (answer, _) = self.send(request, body, None).await?;
        Ok(answer)
    }

    /// Makes a request as it is, with trailers if there are some; gives the answer and its trailers.
    ///
    /// # Errors
    /// As [`Self::exchange`].
    pub(crate) async fn send(
        &self,
        request: Request<()>,
        body: Bytes,
        trailers: Option<HeaderMap>,
    ) -> Result<(Response<Bytes>, Option<HeaderMap>), h2::Error> {
        let mut sender = self.0.clone().ready().await?;
        let is_empty = body.is_empty() && trailers.is_none();
        let (answer, mut stream) = sender.send_request(request, is_empty)?;
        if !is_empty {
            // Whoever answers before all has come may stop listening.
            let _ = stream.send_data(body, trailers.is_none());
            trailers.into_iter().for_each(|trailers| drop(stream.send_trailers(trailers)));
        }
        let (parts, mut body) = soon("an answer", answer).await?.into_parts();
        let mut bytes = Vec::new();
        while let Some(chunk) = soon("a body", body.data()).await {
            let chunk = chunk?;
            let _ = body.flow_control().release_capacity(chunk.len());
            bytes.extend_from_slice(&chunk);
        }
        let trailers = soon("the end of a body", body.trailers()).await?;
        Ok((Response::from_parts(parts, bytes.into()), trailers))
    }
}

fn translated(request: Request<Bytes>) -> (Request<()>, Bytes) {
    let (mut parts, body) = request.into_parts();
    let host = parts.headers.remove(HOST).expect("a host");
    let target = parts.uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    let mut uri = Parts::default();
    uri.scheme = Some(Scheme::HTTPS);
    uri.authority = Some(host.to_str().unwrap().parse().unwrap());
    uri.path_and_query = Some(target);
    parts.uri = Uri::from_parts(uri).unwrap();
    parts.version = Version::HTTP_2;
    if let Some(cookies) = parts.headers.remove(COOKIE) {
        for crumb in cookies.to_str().unwrap().split("; ") {
            parts.headers.append(COOKIE, HeaderValue::from_str(crumb).unwrap());
        }
    }
    (Request::from_parts(parts, ()), body)
}

/// The types of frames (RFC 9113 §6).
pub(crate) mod kind {
    pub(crate) const DATA: u8 = 0;
    pub(crate) const HEADERS: u8 = 1;
    pub(crate) const PRIORITY: u8 = 2;
    pub(crate) const RST_STREAM: u8 = 3;
    pub(crate) const SETTINGS: u8 = 4;
    pub(crate) const PUSH_PROMISE: u8 = 5;
    pub(crate) const PING: u8 = 6;
    pub(crate) const GOAWAY: u8 = 7;
    pub(crate) const WINDOW_UPDATE: u8 = 8;
    pub(crate) const CONTINUATION: u8 = 9;
}

/// Their flags.
pub(crate) mod flag {
    pub(crate) const NONE: u8 = 0;
    pub(crate) const ACK: u8 = 1;
    pub(crate) const END_STREAM: u8 = 1;
    pub(crate) const END_HEADERS: u8 = 4;
    pub(crate) const PADDED: u8 = 8;
}

/// A frame as bytes.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = length[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// A field block in HPACK, each field a literal that is not indexed (RFC 7541 §6.2.2).
pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in fields {
        bytes.push(0);
        for text in [name, value] {
            // A prefix of seven bits, then seven bits a byte (RFC 7541 §5.1).
            let mut rest = text.len();
            if rest < 127 {
                bytes.push(u8::try_from(rest).unwrap());
            } else {
                bytes.push(127);
                rest -= 127;
                while rest >= 128 {
                    bytes.push(u8::try_from(rest % 128 + 128).unwrap());
                    rest /= 128;
                }
                bytes.push(u8::try_from(rest).unwrap());
            }
            bytes.extend_from_slice(text.as_bytes());
        }
    }
    bytes
}

/// What the other side makes of what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The connection ends, with an error code if one came.
    Connection(Option<u32>),
    /// A stream is reset with this code; the connection goes on.
    Stream(u32),
    /// A stream is answered with this status; the connection goes on.
    Status(u16),
    /// Nothing: the connection goes on.
    Fine,
}

/// A connection whose frames are made by hand.
pub(crate) struct Frames(TlsStream<TcpStream>);

impl Frames {
    /// How a connection begins.
    pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

    pub(crate) fn over(stream: TlsStream<TcpStream>) -> Self {
        Self(stream)
    }

    /// Sends bytes; it is no error if the other side has gone.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> bool {
        let sending = async { self.0.write_all(bytes).await.is_ok() && self.0.flush().await.is_ok() };
        soon("bytes to be taken", sending).await
    }

    /// Sends the preface and empty settings.
    pub(crate) async fn begin(&mut self) {
        self.send(&[Self::PREFACE, &frame(kind::SETTINGS, flag::NONE, 0, &[])].concat()).await;
    }

    /// The next frame: type, flags, stream and payload; none at the end.
    pub(crate) async fn next(&mut self) -> Option<(u8, u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        soon("a frame", self.0.read_exact(&mut head)).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        soon("a frame", self.0.read_exact(&mut payload)).await.ok()?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Some((head[3], head[4], stream, payload))
    }

    /// Reads until the connection ends, or a ping that is sent now is answered and something else has come, and gives the
    /// gravest of what came. If nothing comes for a second, that is [`Verdict::Fine`].
    pub(crate) async fn verdict(&mut self) -> Verdict {
        let mark = b"verdict!";
        self.send(&frame(kind::PING, flag::NONE, 0, mark)).await;
        let mut verdict = Verdict::Fine;
        let (mut goes_away, mut is_alive) = (None, false);
        while verdict == Verdict::Fine || !is_alive {
            let next = match is_alive {
                true => match timeout(Duration::from_secs(1), self.next()).await {
                    Ok(next) => next,
                    Err(_) => return verdict,
                },
                false => self.next().await,
            };
            let Some((kind, flags, _, payload)) = next else { return Verdict::Connection(goes_away) };
            let code =
                |at: usize| payload.get(at..at + 4).map(|code| u32::from_be_bytes(code.try_into().unwrap()));
            match kind {
                kind::GOAWAY => goes_away = code(4),
                kind::RST_STREAM => verdict = Verdict::Stream(code(0).unwrap()),
                kind::HEADERS => verdict = Verdict::Status(status(&payload)),
                kind::PING => is_alive |= flags == flag::ACK && payload == mark,
                _ => {}
            }
        }
        verdict
    }
}

/// The status at the beginning of a field block, from the static table (RFC 7541, appendix A) or as a literal.
fn status(block: &[u8]) -> u16 {
    match block {
        [first @ 0x88..=0x8e, ..] => [200, 204, 206, 304, 400, 404, 500][usize::from(first - 0x88)],
        [0x08 | 0x48, 3, digits @ ..] => std::str::from_utf8(&digits[..3]).unwrap().parse().unwrap(),
        // Digits in Huffman's code: "405", "421", "431" and the like, of which tests need no more than that one came.
        _ => 0,
    }
}
