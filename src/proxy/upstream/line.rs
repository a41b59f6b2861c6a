//! A connection in the clear to a server: to a port, or to a Unix socket of this machine. For those that need more than the engine's
//! own; its errors are the same.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use pingora::protocols::l4::socket::SocketAddr;
use pingora::protocols::l4::virt::VirtualSockOpt;
use pingora::{ErrorType, OkOrErr};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

#[derive(Debug)]
pub(in crate::proxy) enum Line {
    Port(TcpStream),
    Socket(UnixStream),
}

impl Line {
    /// Connects. The time limit is the engine's.
    pub(in crate::proxy) async fn connect(address: &SocketAddr) -> pingora::Result<Self> {
        let connected = match address {
            SocketAddr::Inet(address) => TcpStream::connect(address).await.map(Self::Port),
            SocketAddr::Unix(address) => {
                let path =
                    address.as_pathname().or_err(ErrorType::ConnectError, "a socket without a path")?;
                UnixStream::connect(path).await.map(Self::Socket)
            }
        };
        let line = connected.map_err(|error| {
            let kind = match error.kind() {
                io::ErrorKind::ConnectionRefused => ErrorType::ConnectRefused,
                _ => ErrorType::ConnectError,
            };
            pingora::Error::because(kind, "connecting to the application", error)
        })?;
        let _ = line.set_option(VirtualSockOpt::NoDelay);
        Ok(line)
    }

    pub(in crate::proxy) fn set_option(&self, option: VirtualSockOpt) -> io::Result<()> {
        match (self, option) {
            (Self::Port(stream), VirtualSockOpt::NoDelay) => stream.set_nodelay(true),
            _ => Ok(()),
        }
    }
}

impl AsyncRead for Line {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Port(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Socket(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Port(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Socket(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Port(stream) => Pin::new(stream).poll_flush(cx),
            Self::Socket(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Port(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Socket(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
