//! The one type of answer body: a row of pieces, sent one after the other, never gathered in memory.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::time::Sleep;

/// What long pieces are cut to.
const CHUNK: usize = 64 * 1024;

static PATTERN: LazyLock<Bytes> =
    LazyLock::new(|| (0..CHUNK).map(|at| u8::try_from(at % 251).unwrap_or(0)).collect());

enum Piece {
    Data(Bytes),
    /// So many bytes of the pattern.
    Pattern(u64),
    Pause(Pin<Box<Sleep>>),
    Relay(Incoming),
    Trailers(HeaderMap),
}

/// An answer's body.
#[derive(Default)]
pub(super) struct Body {
    pieces: VecDeque<Piece>,
    /// Bytes still to come, if the receiver is to be told.
    announced: Option<u64>,
}

impl Body {
    /// Nothing at all.
    pub(super) fn empty() -> Self {
        Self { announced: Some(0), ..Self::default() }
    }

    /// These bytes, with their length announced.
    pub(super) fn sized(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self { announced: Some(bytes.len() as u64), ..Self::default() }.then(bytes)
    }

    /// Pieces to be added, of a length nobody is told: a chunked answer.
    pub(super) fn chunked() -> Self {
        Self::default()
    }

    /// `count` bytes of the pattern, length announced.
    pub(super) fn pattern(count: u64) -> Self {
        Self { announced: Some(count), pieces: [Piece::Pattern(count)].into() }
    }

    /// What another body brings, as it arrives.
    pub(super) fn relay(incoming: Incoming) -> Self {
        Self { announced: None, pieces: [Piece::Relay(incoming)].into() }
    }

    /// Adds bytes; an announced length does not grow by them.
    pub(super) fn then(mut self, bytes: impl Into<Bytes>) -> Self {
        self.pieces.push_back(Piece::Data(bytes.into()));
        self
    }

    /// Adds a pause; must be called on a runtime.
    pub(super) fn then_pause(mut self, pause: Duration) -> Self {
        self.pieces.push_back(Piece::Pause(Box::pin(tokio::time::sleep(pause))));
        self
    }

    /// Adds the trailers, which come last.
    pub(super) fn then_trailers(mut self, trailers: HeaderMap) -> Self {
        self.pieces.push_back(Piece::Trailers(trailers));
        self
    }

    /// The same body with so many bytes announced, or none.
    pub(super) fn announcing(mut self, length: Option<u64>) -> Self {
        self.announced = length;
        self
    }

    /// The next frame of the first piece, `None` once that piece is used up.
    fn poll_first(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(piece) = self.pieces.front_mut() else { return Poll::Ready(None) };
        Poll::Ready(match piece {
            Piece::Data(bytes) if bytes.is_empty() => None,
            Piece::Data(bytes) => Some(Ok(Frame::data(bytes.split_to(bytes.len().min(CHUNK))))),
            Piece::Pattern(0) => None,
            Piece::Pattern(left) => {
                let count = usize::try_from(*left).unwrap_or(CHUNK).min(CHUNK);
                *left -= count as u64;
                Some(Ok(Frame::data(PATTERN.slice(..count))))
            }
            Piece::Pause(sleep) => {
                ready!(sleep.as_mut().poll(context));
                None
            }
            Piece::Relay(incoming) => ready!(Pin::new(incoming).poll_frame(context)),
            Piece::Trailers(trailers) if trailers.is_empty() => None,
            Piece::Trailers(trailers) => Some(Ok(Frame::trailers(std::mem::take(trailers)))),
        })
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        while !self.pieces.is_empty() {
            if let Some(frame) = ready!(self.poll_first(context)) {
                if let (Some(left), Ok(frame)) = (self.announced, &frame) {
                    let sent = frame.data_ref().map_or(0, |data| data.len() as u64);
                    self.announced = Some(left.saturating_sub(sent));
                }
                return Poll::Ready(Some(frame));
            }
            self.pieces.pop_front();
        }
        Poll::Ready(None)
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        self.announced.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
