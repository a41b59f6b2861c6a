//! An application that records every byte and answers as a test tells it.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::soon;
use super::wire::{Body, Head, Wire};

/// What the upstream does after a request; several are done one after the other.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Sends these bytes, whatever they are.
    Send(Vec<u8>),
    /// Waits until the test says so.
    Await(Arc<Notify>),
    /// Reads on and says nothing, to this request or any later one of the connection.
    Silence,
    /// Closes the connection in order.
    Close,
    /// Breaks the connection off (TCP reset).
    Reset,
    /// Sends every further byte back as it comes.
    Echo,
}

impl Act {
    /// Sends a whole answer with this body.
    pub(crate) fn ok(body: &str) -> Self {
        Self::Send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes())
    }
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    /// Which connection it came on, counted from 0.
    pub(crate) connection: usize,
    /// Which one it was on that connection, counted from 0.
    pub(crate) number: usize,
    /// Its head.
    pub(crate) head: Head,
    /// Its body; empty if the acts came before it.
    pub(crate) body: Body,
}

/// What one connection brought.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connection {
    /// Every byte received.
    pub(crate) bytes: Vec<u8>,
    /// Whether the other side has closed or broken it.
    pub(crate) is_over: bool,
}

/// What all connections brought.
#[derive(Clone, Debug, Default)]
pub(crate) struct Records {
    /// The connections, in the order they came.
    pub(crate) connections: Vec<Connection>,
    /// The requests whose head, and body unless acts come before it, are complete, in the order they were.
    pub(crate) requests: Vec<Heard>,
}

/// When a script is asked what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Head,
    Request,
}

type Script = dyn Fn(&Heard) -> Vec<Act> + Send + Sync;

/// A running upstream; ends with all its connections when dropped.
pub(crate) struct Recorder {
    address: SocketAddr,
    records: watch::Receiver<Records>,
    task: JoinHandle<()>,
}

impl Recorder {
    /// Asks `script` what to do after each whole request.
    pub(crate) async fn on_request(script: impl Fn(&Heard) -> Vec<Act> + Send + Sync + 'static) -> Self {
        Self::start(When::Request, Arc::new(script)).await
    }

    /// Asks `script` what to do as soon as each request's head is there; its body is recorded afterwards.
    pub(crate) async fn on_head(script: impl Fn(&Heard) -> Vec<Act> + Send + Sync + 'static) -> Self {
        Self::start(When::Head, Arc::new(script)).await
    }

    /// Answers each request with these acts.
    pub(crate) async fn always(acts: impl IntoIterator<Item = Act>) -> Self {
        let acts: Vec<Act> = acts.into_iter().collect();
        Self::on_request(move |_| acts.clone()).await
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What arrived so far.
    pub(crate) fn records(&self) -> Records {
        self.records.borrow().clone()
    }

    /// What each connection brought so far.
    pub(crate) fn connections(&self) -> Vec<Connection> {
        self.records().connections
    }

    /// The heads of the requests so far.
    pub(crate) fn request_heads(&self) -> Vec<Head> {
        self.records().requests.into_iter().map(|heard| heard.head).collect()
    }

    /// The head of the only request so far.
    ///
    /// # Panics
    /// If there was none, or more than one.
    #[track_caller]
    pub(crate) fn only_head(&self) -> Head {
        let mut heads = self.request_heads();
        assert_eq!(heads.len(), 1, "requests reached the application: {heads:#?}");
        heads.remove(0)
    }

    /// Waits until what arrived is as wanted.
    pub(crate) async fn wait_until(&self, what: &str, is_so: impl Fn(&Records) -> bool) -> Records {
        let mut records = self.records.clone();
        soon(what, records.wait_for(is_so)).await.expect("the recorder runs").clone()
    }

    async fn start(when: When, script: Arc<Script>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let (writer, records) = watch::channel(Records::default());
        let task = tokio::spawn(accept(listener, when, script, Arc::new(writer)));
        Self { address, records, task }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(
    listener: TcpListener,
    when: When,
    script: Arc<Script>,
    records: Arc<watch::Sender<Records>>,
) {
    // Dropped with this task, and every connection with it.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let mut number = 0;
        records.send_modify(|records| {
            number = records.connections.len();
            records.connections.push(Connection::default());
        });
        let session = Session { number, when, script: Arc::clone(&script), records: Arc::clone(&records) };
        connections.spawn(async move {
            // That the other side broke off is recorded, and no error here.
            let _ = session.serve(stream).await;
            session.note(|connection| connection.is_over = true);
        });
    }
}

struct Session {
    number: usize,
    when: When,
    script: Arc<Script>,
    records: Arc<watch::Sender<Records>>,
}

impl Session {
    fn note(&self, change: impl FnOnce(&mut Connection)) {
        self.records.send_modify(|records| change(&mut records.connections[self.number]));
    }

    async fn serve(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let (from, mut to) = stream.into_split();
        let records = Arc::clone(&self.records);
        let mut from = Wire::new(Tee { from, records, connection: self.number });
        for number in 0.. {
            let Some(head) = from.head().await? else { break };
            let framing = head.request_framing();
            let mut heard = Heard { connection: self.number, number, head, body: Body::default() };
            if self.when == When::Request {
                heard.body = from.body(framing).await?;
            }
            self.records.send_modify(|records| records.requests.push(heard.clone()));
            for act in (self.script)(&heard) {
                match perform(act, &mut from, &mut to).await? {
                    Next::GoOn => {}
                    Next::Close => return Ok(()),
                    Next::Reset => {
                        to.as_ref().set_zero_linger()?;
                        // Otherwise dropping it would close in order first.
                        to.forget();
                        return Ok(());
                    }
                }
            }
            if self.when == When::Head {
                from.body(framing).await?;
            }
        }
        Ok(())
    }
}

/// How a connection goes on after an act.
enum Next {
    GoOn,
    Close,
    Reset,
}

async fn perform(act: Act, from: &mut Wire<Tee>, to: &mut OwnedWriteHalf) -> io::Result<Next> {
    match act {
        Act::Send(bytes) => to.write_all(&bytes).await?,
        Act::Await(notify) => notify.notified().await,
        Act::Silence => {
            from.rest().await?;
            return Ok(Next::Close);
        }
        Act::Close => return Ok(Next::Close),
        Act::Reset => return Ok(Next::Reset),
        Act::Echo => loop {
            let bytes = from.some().await?;
            if bytes.is_empty() {
                return Ok(Next::Close);
            }
            to.write_all(&bytes).await?;
        },
    }
    Ok(Next::GoOn)
}

/// A stream whose bytes are recorded as they are read.
struct Tee {
    from: OwnedReadHalf,
    records: Arc<watch::Sender<Records>>,
    connection: usize,
}

impl AsyncRead for Tee {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        to: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = to.filled().len();
        ready!(Pin::new(&mut self.from).poll_read(context, to))?;
        let new = &to.filled()[before..];
        self.records.send_modify(|records| records.connections[self.connection].bytes.extend_from_slice(new));
        Poll::Ready(Ok(()))
    }
}
