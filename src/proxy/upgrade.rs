//! A connection to the application for a request that may become a tunnel.
//!
//! The engine (0.9.1, cloudflare/pingora#946) takes the end of an upgrade request's own, empty body for the end of the
//! tunnel if it reads the application's 101 first; a quick application on the same machine makes that happen in one of
//! five handshakes. So on these connections a read that follows a write is put off for a moment, long enough for the
//! engine to see to the empty body. Afterwards the bytes flow as on any other connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use async_trait::async_trait;
use pingora::connectors::L4Connect;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::protocols::l4::stream::Stream;
use pingora::protocols::l4::virt::{VirtualSockOpt, VirtualSocket, VirtualSocketStream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::upstream::Line;

/// Connects and gives a [`Patient`] stream.
#[derive(Debug)]
pub(super) struct UpgradeConnector;

#[async_trait]
impl L4Connect for UpgradeConnector {
    async fn connect(&self, address: &SocketAddr) -> pingora::Result<Stream> {
        let stream = Line::connect(address).await?;
        Ok(Stream::from(VirtualSocketStream::new(Box::new(Patient { stream, waits: 0 }))))
    }
}

/// A stream whose first reads after a write say "not yet" and ask to be polled again.
#[derive(Debug)]
struct Patient {
    stream: Line,
    waits: u8,
}

impl Patient {
    /// The engine polls both directions at each turn, so one would do; a second covers a turn in which the body's end was
    /// still on its way.
    const WAITS: u8 = 2;
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.waits > 0 {
            self.waits -= 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Patient {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.waits = Self::WAITS;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl VirtualSocket for Patient {
    fn set_socket_option(&self, option: VirtualSockOpt) -> io::Result<()> {
        self.stream.set_option(option)
    }
}
