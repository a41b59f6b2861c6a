//! A member's connection as the engine gets it: small writes wait for the next one, so that a response's header and its
//! body leave together. Sent alone, each costs a segment and wakes whoever reads; the header of a forum's page would cost
//! as much as the page.
//!
//! The engine has such a buffer for its own listeners only; the accept loop is ours. It flushes wherever bytes must not
//! wait: at the end of a body, after each chunk of an unending one, after interim responses, in tunnels.
//!
//! Here trailer fields are taken off and added too, see [`super::trailers`]; so the connections to the application that
//! may carry some are of this kind as well.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use pingora::protocols::l4::virt::{VirtualSockOpt, VirtualSocket};
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::tls::SslDigest;
use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, Stream,
    TimingDigest, UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;

use super::Secured;
use super::trailers::{Carriage, Passage};

/// A stream that holds small writes back until a flush or a larger write.
pub struct Connection<S = Stream> {
    stream: S,
    /// What TLS has agreed on, where there is TLS.
    secured: Option<Arc<Secured>>,
    held: Vec<u8>,
    /// Locked only by the phases that ask for trailer fields: reading and writing have it to themselves.
    carriage: Mutex<Carriage>,
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
        Self { stream, secured: None, held: Vec::new(), carriage: Mutex::default() }
    }

    /// The same, inside TLS.
    pub fn secured(self, secured: Secured) -> Self {
        Self { secured: Some(Arc::new(secured)), ..self }
    }

    /// What TLS has agreed on; none in the clear.
    pub(super) const fn security(&self) -> Option<&Arc<Secured>> {
        self.secured.as_ref()
    }

    /// From now on: passes on the trailers of the message being read, and adds some to the one written next.
    pub(super) fn carry(&self, taken: Option<Arc<Passage>>, given: Option<Arc<Passage>>) {
        self.carriage.lock().unwrap_or_else(PoisonError::into_inner).carry(taken, given);
    }

    fn carriage(&mut self) -> &mut Carriage {
        self.carriage.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: AsyncWrite + Unpin> Connection<S> {
    /// About what one segment carries; more would delay a page that is written piece by piece.
    const MOST_HELD: usize = 1460;
    /// How much of a message that may get trailer fields is taken at a time.
    const MOST_FOLLOWED: usize = 16 * 1024;

    /// Writes what is held and, with it, what fits of `more`; returns how much of `more`.
    fn poll_write_held(&mut self, cx: &mut Context<'_>, more: &[u8]) -> Poll<io::Result<usize>> {
        while !self.held.is_empty() {
            let both = [IoSlice::new(&self.held), IoSlice::new(more)];
            let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, &both))?;
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
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Connection<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.carriage().departs() {
            return self.poll_write_followed(cx, bytes);
        }
        if self.held.len() + bytes.len() <= Self::MOST_HELD {
            self.held.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        match ready!(self.poll_write_held(cx, bytes))? {
            0 => Pin::new(&mut self.stream).poll_write(cx, bytes),
            written => Poll::Ready(Ok(written)),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_write_held(cx, &[]))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_write_held(cx, &[]))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Connection<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let known = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        self.carriage().arrived(&buf.filled()[known..]);
        Poll::Ready(Ok(()))
    }
}

impl VirtualSocket for Connection<TcpStream> {
    fn set_socket_option(&self, option: VirtualSockOpt) -> io::Result<()> {
        match option {
            VirtualSockOpt::NoDelay => self.stream.set_nodelay(true),
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Shutdown for Connection {
    async fn shutdown(&mut self) {
        // Whoever was there may be gone; nobody else is to be told.
        let _ = AsyncWriteExt::shutdown(self).await;
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

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    /// What arrives at once when `writes` are written one after the other to a stream that takes `room` bytes at a time.
    async fn sent(room: usize, writes: &[&[u8]]) -> Vec<u8> {
        let (near, mut far) = tokio::io::duplex(room);
        let writes: Vec<Vec<u8>> = writes.iter().map(|write| write.to_vec()).collect();
        let writing = tokio::spawn(async move {
            let mut connection = Connection::new(near);
            for write in &writes {
                connection.write_all(write).await.unwrap();
            }
            connection.shutdown().await.unwrap();
        });
        let mut arrived = Vec::new();
        far.read_to_end(&mut arrived).await.unwrap();
        writing.await.unwrap();
        arrived
    }

    #[tokio::test]
    async fn every_byte_arrives_in_order_however_little_the_stream_takes() {
        let pattern: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        for room in [1, 7, 1460, 100_000] {
            for sizes in
                [vec![200, 9_800], vec![10_000], vec![1_000, 1_000, 1_000], vec![1_460, 1, 3_000], vec![3]]
            {
                let mut rest = &pattern[..];
                let writes: Vec<&[u8]> = sizes
                    .iter()
                    .map(|size| {
                        let (write, left) = rest.split_at(*size);
                        rest = left;
                        write
                    })
                    .collect();
                assert_eq!(sent(room, &writes).await, writes.concat(), "{room} {sizes:?}");
            }
        }
    }

    #[tokio::test]
    async fn what_members_send_is_not_printed() {
        let (near, mut far) = tokio::io::duplex(4096);
        let mut connection = Connection::new(near);
        far.write_all(b"POST / HTTP/1.1\r\nCookie: secret").await.unwrap();
        connection.read_exact(&mut [0; 10]).await.unwrap();
        connection.write_all(b"secret").await.unwrap();
        let Connection { stream, .. } = &connection;
        assert_eq!(format!("{connection:?}"), format!("Connection {{ stream: {stream:?}, .. }}"));
    }

    #[tokio::test]
    async fn a_header_waits_for_its_body_and_a_flush_waits_for_nothing() {
        let (near, mut far) = tokio::io::duplex(4096);
        let mut connection = Connection::new(near);
        let mut buf = [0; 4096];
        connection.write_all(b"header").await.unwrap();
        assert_eq!(connection.held, b"header");
        connection.write_all(&[b'x'; 2000]).await.unwrap();
        assert!(connection.held.is_empty());
        far.read_exact(&mut buf[..2006]).await.unwrap();
        connection.write_all(b"piece").await.unwrap();
        connection.flush().await.unwrap();
        assert_eq!(far.read(&mut buf).await.unwrap(), 5);
    }
}
