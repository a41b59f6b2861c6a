//! A client that sends exactly the bytes it is given.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::TcpStream;

use super::soon;
use super::wire::{Body, Head, Wire};

/// A stream to the other side: TCP alone, or TLS over it.
trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// One connection.
pub(crate) struct RawClient {
    from: Wire<ReadHalf<Box<dyn Duplex>>>,
    to: WriteHalf<Box<dyn Duplex>>,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    /// Heads with a status below 200 that came first.
    pub(crate) interim: Vec<Head>,
    /// The head of the answer itself.
    pub(crate) head: Head,
    /// Its body.
    pub(crate) body: Body,
}

impl Reply {
    /// The status code.
    pub(crate) fn status(&self) -> u16 {
        self.head.status()
    }

    /// The body, invalid UTF-8 replaced.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body.bytes).into_owned()
    }
}

impl RawClient {
    /// Connects.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = soon("a connection", TcpStream::connect(address)).await.expect("somebody listens there");
        stream.set_nodelay(true).expect("a TCP stream can do this");
        Self::over(stream)
    }

    /// A client on a stream that is there.
    pub(crate) fn over(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        let (from, to) = split(Box::new(stream) as Box<dyn Duplex>);
        Self { from: Wire::new(from), to }
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// If the other side has gone.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        soon("bytes to be taken", async {
            self.to.write_all(bytes.as_ref()).await?;
            self.to.flush().await
        })
        .await
    }

    /// Says that nothing more will be sent.
    ///
    /// # Errors
    /// If the other side has gone.
    pub(crate) async fn finish(&mut self) -> io::Result<()> {
        self.to.shutdown().await
    }

    /// Reads the answer to a request of this method.
    ///
    /// # Errors
    /// If the connection ends or breaks first, or what comes is no answer.
    pub(crate) async fn reply_to(&mut self, method: &str) -> io::Result<Reply> {
        soon("an answer", read_reply(&mut self.from, method)).await
    }

    /// Sends a request, whole, and reads its answer meanwhile; stops sending once the answer is complete.
    ///
    /// # Errors
    /// As [`Self::reply_to`].
    pub(crate) async fn exchange(&mut self, request: impl AsRef<[u8]>) -> io::Result<Reply> {
        let request = request.as_ref();
        let method = String::from_utf8_lossy(request.split(|byte| *byte == b' ').next().unwrap_or_default());
        let Self { from, to } = self;
        let sending = async {
            // An answer may come before all is sent, and a connection be closed after it.
            let _ = to.write_all(request).await;
            let _ = to.flush().await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            reply = soon("an answer", read_reply(from, &method)) => reply,
            () = sending => unreachable!("it never ends"),
        }
    }

    /// Exactly so many of the bytes that come.
    ///
    /// # Errors
    /// If the connection ends or breaks first.
    pub(crate) async fn receive(&mut self, count: usize) -> io::Result<Vec<u8>> {
        soon("bytes", self.from.exactly(count)).await
    }

    /// Everything that comes until the other side closes.
    ///
    /// # Errors
    /// If the connection breaks.
    pub(crate) async fn rest(&mut self) -> io::Result<Vec<u8>> {
        soon("the end of the connection", self.from.rest()).await
    }
}

/// Connects, makes one exchange and hangs up.
///
/// # Errors
/// As [`RawClient::reply_to`].
pub(crate) async fn exchange(address: SocketAddr, request: impl AsRef<[u8]>) -> io::Result<Reply> {
    RawClient::connect(address).await.exchange(request).await
}

async fn read_reply(from: &mut Wire<ReadHalf<Box<dyn Duplex>>>, method: &str) -> io::Result<Reply> {
    let mut interim = Vec::new();
    loop {
        let head = from.head().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if head.status() == 0 {
            return Err(io::Error::other(format!("{:?} is no status line", head.start_line())));
        }
        // 101 ends the exchange; the others announce it.
        if head.status() != 101 && head.status() < 200 {
            interim.push(head);
            continue;
        }
        let body = from.body(head.answer_framing(method)).await?;
        return Ok(Reply { interim, head, body });
    }
}
