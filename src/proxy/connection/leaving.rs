//! The end of a connection that still has something to say: an answer is written, and then what comes is read and thrown
//! away for a while. Closed at once, with bytes unread, the client's system would throw the answer away instead.

use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::pace::Alarm;

/// A connection on its way out.
#[derive(Debug)]
pub(super) struct Leaving {
    answer: Vec<u8>,
    written: usize,
    is_shut: bool,
    unread: usize,
    until: Instant,
}

impl Leaving {
    /// How long it may take.
    const LONGEST: Duration = Duration::from_secs(2);
    /// How much is thrown away.
    const MOST_UNREAD: usize = 1024 * 1024;

    /// Begins to leave, with a last word.
    pub(super) fn saying(answer: Vec<u8>) -> Self {
        let until = Instant::now() + Self::LONGEST;
        Self { answer, written: 0, is_shut: false, unread: 0, until }
    }

    /// Completes when nothing is left to do, or the time is over.
    pub(super) fn poll<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
        alarm: &mut Alarm,
    ) -> Poll<()> {
        match self.poll_steps(stream, cx) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => alarm.poll(cx, self.until),
        }
    }

    fn poll_steps<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        while self.written < self.answer.len() {
            match ready!(Pin::new(&mut *stream).poll_write(cx, &self.answer[self.written..])) {
                Ok(0) | Err(_) => return Poll::Ready(()),
                Ok(written) => self.written += written,
            }
        }
        if !self.is_shut {
            if ready!(Pin::new(&mut *stream).poll_flush(cx)).is_err() {
                return Poll::Ready(());
            }
            // Whoever has gone will not be read from either.
            let _ = ready!(Pin::new(&mut *stream).poll_shutdown(cx));
            self.is_shut = true;
        }
        while self.unread < Self::MOST_UNREAD {
            let mut space = [MaybeUninit::uninit(); 2048];
            let mut buf = ReadBuf::uninit(&mut space);
            if ready!(Pin::new(&mut *stream).poll_read(cx, &mut buf)).is_err() || buf.filled().is_empty() {
                return Poll::Ready(());
            }
            self.unread += buf.filled().len();
        }
        Poll::Ready(())
    }
}
