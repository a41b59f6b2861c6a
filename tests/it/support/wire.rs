//! HTTP/1.1 messages taken off a stream without changing a byte: used by the raw client and the recording upstream.
//!
//! Reads what well-behaved peers send and keeps the bytes; judges nothing.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// Longest head that is read.
const HEAD_LIMIT: usize = 1 << 20;

/// The head of a message, from the start line to the empty line, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head(pub(crate) Vec<u8>);

impl Head {
    /// The request line or status line.
    pub(crate) fn start_line(&self) -> String {
        self.text().lines().next().unwrap_or_default().to_owned()
    }

    /// The whole head, invalid UTF-8 replaced.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0).into_owned()
    }

    /// Names and values of all header lines in order, names as they were spelled.
    pub(crate) fn lines(&self) -> Vec<(String, String)> {
        let text = self.text();
        let lines = text.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
        lines.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
    }

    /// The values of all lines of one name, in order.
    pub(crate) fn values(&self, name: &str) -> Vec<String> {
        let lines = self.lines().into_iter().filter(|(given, _)| given.eq_ignore_ascii_case(name));
        lines.map(|(_, value)| value).collect()
    }

    /// The value of the only line of one name.
    ///
    /// # Panics
    /// If there are several.
    #[track_caller]
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        let mut values = self.values(name);
        assert!(values.len() < 2, "{name} is there {} times in\n{}", values.len(), self.text());
        values.pop()
    }

    /// The number in a status line; 0 if it is none.
    pub(crate) fn status(&self) -> u16 {
        self.start_line().split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
    }

    fn is_chunked(&self) -> bool {
        self.values("transfer-encoding").last().is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"))
    }

    fn length(&self) -> Option<usize> {
        self.values("content-length").first().and_then(|length| length.parse().ok())
    }

    /// How the body of a request with this head ends.
    pub(crate) fn request_framing(&self) -> Framing {
        if self.is_chunked() { Framing::Chunked } else { Framing::Length(self.length().unwrap_or(0)) }
    }

    /// How the body of an answer with this head ends.
    pub(crate) fn answer_framing(&self, method: &str) -> Framing {
        match (self.status(), self.length()) {
            (100..200 | 204 | 304, _) => Framing::Length(0),
            _ if method == "HEAD" => Framing::Length(0),
            _ if self.is_chunked() => Framing::Chunked,
            (_, Some(length)) => Framing::Length(length),
            (_, None) => Framing::ToEnd,
        }
    }
}

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// After so many bytes.
    Length(usize),
    /// After the chunk of length zero and the trailers.
    Chunked,
    /// With the connection.
    ToEnd,
}

/// A body as it was meant, its framing taken off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Body {
    /// The content.
    pub(crate) bytes: Vec<u8>,
    /// The trailer lines of a chunked body.
    pub(crate) trailers: Vec<(String, String)>,
}

/// A stream with the bytes that were read and not yet used.
pub(crate) struct Wire<S> {
    stream: S,
    buffer: Vec<u8>,
    used: usize,
}

impl<S: AsyncRead + Unpin> Wire<S> {
    /// Starts reading.
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, buffer: Vec::new(), used: 0 }
    }

    /// The next head; `None` if the stream ends before its first byte.
    ///
    /// # Errors
    /// If the stream breaks or ends in the middle of a head.
    pub(crate) async fn head(&mut self) -> io::Result<Option<Head>> {
        loop {
            if let Some(end) = find(self.unused(), b"\r\n\r\n") {
                return Ok(Some(Head(self.take(end + 4))));
            }
            if self.unused().len() > HEAD_LIMIT {
                return Err(io::Error::other("the head does not end"));
            }
            if !self.fill().await? {
                return if self.unused().is_empty() { Ok(None) } else { Err(ended()) };
            }
        }
    }

    /// The body that follows a head.
    ///
    /// # Errors
    /// If the stream breaks or ends too early, or a chunk is malformed.
    pub(crate) async fn body(&mut self, framing: Framing) -> io::Result<Body> {
        match framing {
            Framing::Length(length) => Ok(Body { bytes: self.exactly(length).await?, ..Body::default() }),
            Framing::Chunked => self.chunks().await,
            Framing::ToEnd => Ok(Body { bytes: self.rest().await?, ..Body::default() }),
        }
    }

    /// Everything until the stream ends.
    ///
    /// # Errors
    /// If the stream breaks.
    pub(crate) async fn rest(&mut self) -> io::Result<Vec<u8>> {
        while self.fill().await? {}
        Ok(self.take(self.unused().len()))
    }

    /// At least one byte; nothing if the stream ends.
    ///
    /// # Errors
    /// If the stream breaks.
    pub(crate) async fn some(&mut self) -> io::Result<Vec<u8>> {
        if self.unused().is_empty() {
            self.fill().await?;
        }
        Ok(self.take(self.unused().len()))
    }

    /// Exactly so many bytes.
    ///
    /// # Errors
    /// If the stream breaks or ends too early.
    pub(crate) async fn exactly(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.unused().len() < count {
            if !self.fill().await? {
                return Err(ended());
            }
        }
        Ok(self.take(count))
    }

    async fn chunks(&mut self) -> io::Result<Body> {
        let mut body = Body::default();
        loop {
            let line = self.line().await?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(size, 16)
                .map_err(|_| io::Error::other(format!("{line:?} is no chunk size")))?;
            if size == 0 {
                break;
            }
            body.bytes.extend(self.exactly(size).await?);
            if !self.line().await?.is_empty() {
                return Err(io::Error::other("a chunk is longer than it said"));
            }
        }
        loop {
            let line = self.line().await?;
            let Some((name, value)) = line.split_once(':') else { return Ok(body) };
            body.trailers.push((name.to_owned(), value.trim().to_owned()));
        }
    }

    async fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = find(self.unused(), b"\r\n") {
                let line = self.take(end + 2);
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            if !self.fill().await? {
                return Err(ended());
            }
        }
    }

    fn unused(&self) -> &[u8] {
        &self.buffer[self.used..]
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        let taken = self.unused()[..count].to_vec();
        self.used += count;
        if self.used == self.buffer.len() {
            self.buffer.clear();
            self.used = 0;
        }
        taken
    }

    async fn fill(&mut self) -> io::Result<bool> {
        Ok(self.stream.read_buf(&mut self.buffer).await? > 0)
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn ended() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the stream ended in the middle of a message")
}
