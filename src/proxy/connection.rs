//! A member's connection as the engine gets it: small writes wait for the next one, so that a response's header and its
//! body leave together. Sent alone, each costs a segment and wakes whoever reads; the header of a forum's page would cost
//! as much as the page.
//!
//! The engine has such a buffer for its own listeners only; the accept loop is ours. It flushes wherever bytes must not
//! wait: at the end of a body, after each chunk of an unending one, after interim responses, in tunnels.
//!
//! Here trailer fields are taken off and added too, see [`super::trailers`]; so the connections to the application that
//! may carry some are of this kind as well. Those of members have a guard, see [`guard`].

mod guard;
mod leaving;
mod pace;
#[cfg(test)]
mod tests;

pub(super) use guard::Coming;
pub use guard::Manners;
pub(super) use pace::Alarm;

use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use http::HeaderValue;
use pingora::protocols::l4::virt::{VirtualSockOpt, VirtualSocket};
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::tls::SslDigest;
use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, Stream,
    TimingDigest, UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use self::guard::Guard;
use super::Secured;
use super::flood::Flood;
use super::trailers::{Carriage, Passage};
use super::unasked::Word;
use super::upstream::Line;
use super::wire::Refusal;

/// A stream that holds small writes back until a flush or a larger write.
pub struct Connection<S = Stream> {
    stream: S,
    /// What TLS has agreed on, where there is TLS.
    secured: Option<Arc<Secured>>,
    /// Watches over frames, where they are those of HTTP/2.
    flood: Option<Flood>,
    held: Vec<u8>,
    /// Locked only by the phases that ask for trailer fields: reading and writing have it to themselves.
    carriage: Mutex<Carriage>,
    /// None on the way to the application.
    guard: Option<Box<Guard>>,
}

/// Why a connection is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crowd {
    /// There are too many.
    InAll,
    /// There are too many from its address.
    FromAddress,
}

/// The engine prints streams into its log; what members send and get has no place there.
impl<S: fmt::Debug> fmt::Debug for Connection<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Connection").field("stream", &self.stream).finish_non_exhaustive()
    }
}

impl<S> Connection<S> {
    /// A connection on which nothing has been read or written.
    pub fn new(stream: S) -> Self {
        Self { stream, secured: None, flood: None, held: Vec::new(), carriage: Mutex::default(), guard: None }
    }

    fn with(self, guard: Guard) -> Self {
        Self { guard: Some(Box::new(guard)), ..self }
    }

    /// What TLS has agreed on; none in the clear.
    pub(super) const fn security(&self) -> Option<&Arc<Secured>> {
        self.secured.as_ref()
    }

    /// Whose it is, where clients have to behave.
    pub(super) fn client(&self) -> Option<IpAddr> {
        self.guard.as_ref().map(|guard| guard.client())
    }

    /// From now on: passes on the trailers of the message being read, and adds some to the one written next.
    pub(super) fn carry(&self, taken: Option<Arc<Passage>>, given: Option<Arc<Passage>>) {
        self.carriage.lock().unwrap_or_else(PoisonError::into_inner).carry(taken, given);
    }

    fn carriage(&mut self) -> &mut Carriage {
        self.carriage.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// A connection inside TLS.
    pub fn secured(stream: Stream, secured: Secured) -> Self {
        let is_2 = matches!(stream.selected_alpn_proto(), Some(ALPN::H2));
        let carriage = if is_2 { Carriage::of_other_version() } else { Carriage::default() };
        let flood = is_2.then(|| Flood::new(Instant::now()));
        Self { secured: Some(Arc::new(secured)), flood, carriage: Mutex::new(carriage), ..Self::new(stream) }
    }

    /// The same, of a client that has to behave. Inside TLS `hsts` is said to one that is refused, as with every other answer
    /// (SECURITY: WEB-05).
    pub fn guarded(self, manners: &Arc<Manners>, client: IpAddr, hsts: Option<HeaderValue>) -> Self {
        let guard = match self.stream.selected_alpn_proto() {
            Some(ALPN::H2) => Guard::of_other_version(Arc::clone(manners), client),
            _ => Guard::new(Arc::clone(manners), client),
        };
        let hsts = hsts.filter(|_| self.secured.is_some());
        self.with(guard.saying(hsts))
    }
}

/// Writes to the stream; a client that takes nothing for too long is given up (SECURITY: REL-03).
fn poll_send<S: AsyncWrite + Unpin>(
    stream: &mut S,
    guard: Option<&mut Guard>,
    cx: &mut Context<'_>,
    bytes: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    let sent = match bytes {
        // The cheaper of the two system calls.
        [bytes] => Pin::new(stream).poll_write(cx, bytes),
        bytes => Pin::new(stream).poll_write_vectored(cx, bytes),
    };
    match (guard, &sent) {
        (Some(guard), Poll::Pending) => guard.poll_stalled(cx).map(Err),
        (Some(guard), Poll::Ready(Ok(count))) => {
            guard.taken(*count);
            sent
        }
        _ => sent,
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Tells the client that it is not served, and ends (SECURITY: REL-04, REL-11).
    pub async fn turn_away(mut self, crowd: Crowd) {
        let Some(guard) = &mut self.guard else { return };
        guard.refuse(match crowd {
            Crowd::InAll => Refusal::Connections,
            Crowd::FromAddress => Refusal::AddressConnections,
        });
        poll_fn(|cx| guard.poll_leave(&mut self.stream, cx)).await;
    }

    /// About what one segment carries; more would delay a page that is written piece by piece.
    const MOST_HELD: usize = 1460;
    /// How much of a message that may get trailer fields is taken at a time.
    const MOST_FOLLOWED: usize = 16 * 1024;

    /// Completes when the next request's head is there, which is then read as if it came just now.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Coming> {
        match &mut self.guard {
            Some(guard) => guard.poll_next(&mut self.stream, cx),
            None => Poll::Ready(Coming::Other),
        }
    }

    /// Takes out the head of the question that has come, which then counts as read.
    pub(super) fn take_head(&mut self) -> Bytes {
        self.guard.as_mut().map(|guard| guard.take_head()).unwrap_or_default()
    }

    /// Puts a head back that was taken out; it is then read as if it came just now.
    pub(super) fn give_back(&mut self, head: &[u8]) {
        if let Some(guard) = &mut self.guard {
            guard.give_back(head);
        }
    }

    /// Completes when the client of a question that has been taken out waits for no answer any more.
    pub(super) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let Some(guard) = &mut self.guard else { return Poll::Pending };
        let gone = ready!(guard.poll_ahead(&mut self.stream, cx));
        Poll::Ready(gone.err().unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into()))
    }

    /// Writes what is held and, with it, what fits of `more`; returns how much of `more`.
    fn poll_write_held(&mut self, cx: &mut Context<'_>, more: &[u8]) -> Poll<io::Result<usize>> {
        while !self.held.is_empty() {
            let both = [IoSlice::new(&self.held), IoSlice::new(more)];
            let bytes = if more.is_empty() { &both[..1] } else { &both };
            let written = ready!(poll_send(&mut self.stream, self.guard.as_deref_mut(), cx, bytes))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let of_held = written.min(self.held.len());
            self.held.drain(..of_held);
            if written > of_held {
                return Poll::Ready(Ok(written - of_held));
            }
        }
        Poll::Ready(Ok(0))
    }

    /// Takes bytes over, with the trailer fields in their place; they leave as those of any small write do.
    fn poll_write_followed(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.held.len() > Self::MOST_HELD {
            ready!(self.poll_write_held(cx, &[]))?;
        }
        let bytes = &bytes[..bytes.len().min(Self::MOST_FOLLOWED)];
        let carriage = self.carriage.get_mut().unwrap_or_else(PoisonError::into_inner);
        carriage.write(bytes, &mut self.held);
        Poll::Ready(Ok(bytes.len()))
    }

    /// Begins to end a connection of HTTP/2 whose client is too much, with a frame that says so if there is room for one.
    fn send_away(&mut self) {
        let farewell = self.flood.as_ref().and_then(Flood::farewell);
        if let Some((guard, farewell)) = self.guard.as_mut().zip(farewell) {
            guard.leave([self.held.as_slice(), farewell].concat());
            self.held.clear();
        }
    }

    /// Completes, on a connection that is being refused, when that is done.
    fn poll_left(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.guard {
            Some(guard) if guard.is_leaving() => {
                ready!(guard.poll_leave(&mut self.stream, cx));
                Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
            }
            _ => Poll::Ready(Ok(())),
        }
    }

    /// Takes what the HTTP/2 library answers by itself, with the field that it has not; else as [`Self::poll_take`].
    fn poll_take_frames(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let word = self.flood.as_ref().map_or(Word::None(bytes.len()), |flood| flood.word(bytes));
        let (stream, refusal, taken) = match word {
            Word::None(count) => return self.poll_take(cx, &bytes[..count]),
            Word::Reset(stream, count) => {
                (stream, Refusal::Malformed, ready!(self.poll_take(cx, &bytes[..count]))?)
            }
            Word::Bare(bare) => {
                ready!(self.poll_write_held(cx, &[]))?;
                let hsts = self.guard.as_ref().and_then(|guard| guard.hsts());
                self.held.extend(bare.saying(hsts));
                (bare.stream, bare.refusal, bare.length())
            }
        };
        if let Some((flood, guard)) = self.flood.as_mut().zip(self.guard.as_ref()) {
            flood.said(stream);
            guard.note(refusal);
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_take(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.carriage().departs() {
            return self.poll_write_followed(cx, bytes);
        }
        if self.held.len() + bytes.len() <= Self::MOST_HELD {
            self.held.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        match ready!(self.poll_write_held(cx, bytes))? {
            0 => poll_send(&mut self.stream, self.guard.as_deref_mut(), cx, &[IoSlice::new(bytes)]),
            written => Poll::Ready(Ok(written)),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_left(cx))?;
        let taken = ready!(self.poll_take_frames(cx, bytes))?;
        if let Some(flood) = &mut self.flood {
            flood.written(&bytes[..taken]);
        }
        if let Some(guard) = &mut self.guard {
            guard.written(&bytes[..taken]);
        }
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_left(cx))?;
        ready!(self.poll_write_held(cx, &[]))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if ready!(self.poll_left(cx)).is_err() {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_write_held(cx, &[]))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Connection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let known = buf.filled().len();
        let Self { stream, guard, .. } = &mut *self;
        match guard {
            Some(guard) => ready!(guard.poll_read(stream, cx, buf))?,
            None => ready!(Pin::new(stream).poll_read(cx, buf))?,
        }
        let new = &buf.filled()[known..];
        let Some(flood) = &mut self.flood else {
            self.carriage().arrived(new);
            return Poll::Ready(Ok(()));
        };
        if !flood.is_reached(new, Instant::now()) {
            return Poll::Ready(Ok(()));
        }
        // What is too much is not handed on, nor may it be while the last word is on its way.
        buf.set_filled(known);
        self.send_away();
        ready!(self.poll_left(cx))?;
        Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()))
    }
}

impl VirtualSocket for Connection<Line> {
    fn set_socket_option(&self, option: VirtualSockOpt) -> io::Result<()> {
        self.stream.set_option(option)
    }
}

#[async_trait]
impl Shutdown for Connection {
    async fn shutdown(&mut self) {
        // Whoever was there may be gone; nobody else is to be told.
        let _ = AsyncWriteExt::shutdown(self).await;
        if let Some(guard) = &mut self.guard {
            guard.linger();
            poll_fn(|cx| guard.poll_leave(&mut self.stream, cx)).await;
        }
    }
}

#[async_trait]
impl Peek for Connection {
    async fn try_peek(&mut self, buf: &mut [u8]) -> io::Result<bool> {
        self.stream.try_peek(buf).await
    }
}

impl Ssl for Connection {
    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.stream.get_ssl_digest()
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.stream.selected_alpn_proto()
    }
}

impl UniqueID for Connection {
    fn id(&self) -> UniqueIDType {
        self.stream.id()
    }
}

impl GetTimingDigest for Connection {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.stream.get_timing_digest()
    }

    fn get_read_pending_time(&self) -> Duration {
        self.stream.get_read_pending_time()
    }

    fn get_write_pending_time(&self) -> Duration {
        self.stream.get_write_pending_time()
    }
}

impl GetProxyDigest for Connection {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        self.stream.get_proxy_digest()
    }

    fn set_proxy_digest(&mut self, digest: ProxyDigest) {
        self.stream.set_proxy_digest(digest);
    }
}

impl GetSocketDigest for Connection {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.stream.get_socket_digest()
    }

    fn set_socket_digest(&mut self, digest: SocketDigest) {
        self.stream.set_socket_digest(digest);
    }
}
