//! Connections to the application that wait for their next request.
//!
//! Nobody watches them: whether one is still open is asked when it is taken, which costs no system call as long as nothing
//! has come on it, and every few seconds, so that none stays open for longer than it should.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use pingora::protocols::Stream;
use tokio::io::{AsyncRead, ReadBuf};

/// All that are kept.
pub(super) struct Lines {
    most: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    by_peer: HashMap<u64, Vec<Line>>,
    count: usize,
    /// Whether someone looks after them.
    is_swept: bool,
}

struct Line {
    stream: Stream,
    until: Instant,
}

impl Lines {
    /// How often those are closed that have been idle for too long, or that the application has closed.
    const SWEEP: Duration = Duration::from_secs(5);

    /// Keeps no more than `most`.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, kept: Mutex::default() })
    }

    /// A connection to `peer` on which a request can be sent: the one that was used last.
    pub(super) fn take(&self, peer: u64) -> Option<Stream> {
        loop {
            // The lock is not held while one that is over is closed.
            let mut line = self.kept().pop(peer)?;
            if line.is_open(Instant::now()) {
                return Some(line.stream);
            }
        }
    }

    /// Keeps a connection to `peer`, unless there are too many or it is over.
    pub(super) fn keep(self: &Arc<Self>, peer: u64, stream: Stream, idle_timeout: Duration) {
        let now = Instant::now();
        let mut line = Line { stream, until: now + idle_timeout };
        let mut kept = self.kept();
        if kept.count >= self.most || !line.is_open(now) {
            return;
        }
        kept.by_peer.entry(peer).or_default().push(line);
        kept.count += 1;
        if !std::mem::replace(&mut kept.is_swept, true) {
            tokio::spawn(Arc::clone(self).sweep());
        }
    }

    async fn sweep(self: Arc<Self>) {
        while self.kept().is_swept {
            tokio::time::sleep(Self::SWEEP).await;
            self.kept().sweep(Instant::now());
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn pop(&mut self, peer: u64) -> Option<Line> {
        let line = self.by_peer.get_mut(&peer)?.pop()?;
        self.count -= 1;
        Some(line)
    }

    fn sweep(&mut self, now: Instant) {
        self.by_peer.retain(|_, lines| {
            lines.retain_mut(|line| line.is_open(now));
            !lines.is_empty()
        });
        self.count = self.by_peer.values().map(Vec::len).sum();
        self.is_swept = self.count > 0;
    }
}

impl Line {
    /// Whether neither its time nor the connection is over. What comes unasked ends it as well.
    fn is_open(&mut self, now: Instant) -> bool {
        let mut byte = [0];
        let mut cx = Context::from_waker(Waker::noop());
        self.until > now
            && matches!(
                Pin::new(&mut self.stream).poll_read(&mut cx, &mut ReadBuf::new(&mut byte)),
                Poll::Pending
            )
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    /// A connection to an application, and the application's end of it.
    async fn connection() -> (Stream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (Box::new(pingora::protocols::l4::stream::Stream::from(near)), listener.accept().await.unwrap().0)
    }

    /// Waits until a kept connection has noticed what its other end did.
    async fn has_noticed(lines: &Lines, peer: u64) {
        std::future::poll_fn(|cx| {
            cx.waker().wake_by_ref();
            let mut kept = lines.kept();
            let is_open = kept.by_peer.get_mut(&peer).unwrap()[0].is_open(Instant::now());
            if is_open { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
    }

    #[tokio::test]
    async fn the_one_used_last_is_taken_first_and_only_by_its_own_peer() {
        let lines = Lines::new(10);
        let (older, newer) = (connection().await, connection().await);
        let (older_id, newer_id) = (older.0.id(), newer.0.id());
        lines.keep(1, older.0, LONG);
        lines.keep(1, newer.0, LONG);
        assert!(lines.take(2).is_none());
        assert_eq!(lines.take(1).unwrap().id(), newer_id);
        assert_eq!(lines.take(1).unwrap().id(), older_id);
        assert!(lines.take(1).is_none());
    }

    #[tokio::test]
    async fn h1_13_one_that_is_closed_or_on_which_something_came_unasked_is_not_taken() {
        let lines = Lines::new(10);
        let (closed, far) = connection().await;
        lines.keep(1, closed, LONG);
        drop(far);
        has_noticed(&lines, 1).await;
        assert!(lines.take(1).is_none());
        let (spoilt, mut far) = connection().await;
        lines.keep(1, spoilt, LONG);
        far.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
        has_noticed(&lines, 1).await;
        assert!(lines.take(1).is_none());
    }

    #[tokio::test]
    async fn one_whose_time_is_over_is_closed_and_no_more_are_kept_than_allowed() {
        let lines = Lines::new(1);
        let (first, mut far) = connection().await;
        lines.keep(1, first, LONG);
        let (second, mut far_of_second) = connection().await;
        lines.keep(2, second, LONG);
        assert_eq!(far_of_second.read(&mut [0]).await.unwrap(), 0, "it is one too many");
        lines.kept().sweep(Instant::now() + LONG);
        assert_eq!(far.read(&mut [0]).await.unwrap(), 0, "its time is over");
        assert!(!lines.kept().is_swept, "nobody looks after nothing");
        let (third, _far) = connection().await;
        lines.keep(3, third, Duration::ZERO);
        assert!(lines.take(3).is_none());
    }
}
