//! The listener: binds, accepts, and hands each request to the routes. No pages here.
//!
//! What runs for a connection ends when the server ends: every task watches a channel whose sender lives in
//! [`SampleForum::run`].

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Forum, routes};

/// How long to wait before the next accept when the last one failed, for want of file descriptors as a rule.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A sample forum that has its port and isn't answering yet.
pub struct SampleForum {
    listener: TcpListener,
    address: SocketAddr,
    forum: Arc<Forum>,
    end: watch::Sender<()>,
}

/// A sample forum that answers in the background; dropping it ends the forum and all its connections.
#[derive(Debug)]
pub struct RunningForum {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl SampleForum {
    /// Takes the port (0 for any free one) and fills the boards.
    ///
    /// # Errors
    /// If the port can't be had, or the system has no random bytes to give.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (end, ending) = watch::channel(());
        Ok(Self { listener, address, forum: Arc::new(Forum::new(ending)?), end })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `shutdown` is done, then drops every connection.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self { listener, forum, end, .. } = self;
        tokio::select! {
            () = shutdown => {}
            () = accept(&listener, &forum) => {}
        }
        drop(end);
    }

    /// Answers in the background until the handle is dropped.
    pub fn spawn(self) -> RunningForum {
        let address = self.address;
        RunningForum { address, task: tokio::spawn(self.run(std::future::pending())) }
    }
}

impl RunningForum {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for RunningForum {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: &TcpListener, forum: &Arc<Forum>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(serve(stream, Arc::clone(forum)))),
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn serve(stream: TcpStream, forum: Arc<Forum>) {
    // Without it small answers wait for the peer's delayed acknowledgement; they still arrive.
    let _ = stream.set_nodelay(true);
    let mut ending = forum.ending.clone();
    let service = service_fn(move |request| {
        let forum = Arc::clone(&forum);
        async move { Ok::<_, Infallible>(routes::answer(&forum, request).await) }
    });
    let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service).with_upgrades();
    tokio::select! {
        // A peer that breaks off is its own affair.
        _ = connection => {}
        _ = ending.changed() => {}
    }
}
