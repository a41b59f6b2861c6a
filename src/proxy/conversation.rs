//! A client's connection over HTTP/1, request by request.
//!
//! The next request is waited for here, where a connection that waits holds no more than itself. Once the guard has its head,
//! a plain question is served on the spot, through the same phases as the engine's, and [`exchange`](super::exchange) carries
//! it; with anything else the engine gets the connection for that one request. Its way takes a future of fifteen kilobytes
//! for each, which is moved, and held for as long as a connection waits.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;

use pingora::ErrorType;
use pingora::apps::HttpServerApp;
use pingora::protocols::Stream;
use pingora::protocols::http::ServerSession;
use pingora::proxy::{ProxyHttp, Session};
use pingora::server::ShutdownWatch;

use super::connection::Coming;
use super::leash::{LEASH, Leashed};
use super::{Connection, Engine};

/// Serves a connection to its end.
pub(super) async fn hold(leashed: &Arc<Leashed>, mut stream: Stream, shutdown: &ShutdownWatch) {
    let mut signal = shutdown.clone();
    let mut stopping = pin!(signal.wait_for(|stopping| *stopping));
    loop {
        // Ours are all of this kind.
        let Ok(mut connection) = stream.into_any().downcast::<Connection>() else { return };
        let coming = tokio::select! {
            biased;
            coming = poll_fn(|cx| connection.poll_next(cx)) => coming,
            _ = &mut stopping => return,
        };
        let is_last = *shutdown.borrow();
        let next = match coming {
            Coming::Nothing => return,
            Coming::Question => leashed.question(connection, is_last).await,
            Coming::Other => leashed.other(connection, is_last, shutdown).await,
        };
        let Some(next) = next else { return };
        stream = next;
    }
}

/// For how many seconds connections say they are kept; the guard decides how long they are.
fn kept_for(is_last: bool) -> Option<u64> {
    (!is_last).then_some(60)
}

impl Leashed {
    async fn question(&self, stream: Stream, is_last: bool) -> Option<Stream> {
        // Some kilobytes, which are not to be moved.
        let served = pin!(async {
            // As in `process_new_http`.
            tokio::select! {
                biased;
                next = self.own.question(stream, is_last) => next,
                () = self.over() => None,
            }
        });
        LEASH.scope(RefCell::default(), served).await
    }

    async fn other(
        self: &Arc<Self>,
        stream: Stream,
        is_last: bool,
        shutdown: &ShutdownWatch,
    ) -> Option<Stream> {
        let mut session = ServerSession::new_http1(stream);
        session.set_keepalive(kept_for(is_last));
        let (stream, _) = self.process_new_http(session, shutdown).await?.consume();
        Some(stream)
    }
}

impl Engine {
    /// One request, as the engine would serve it; returns the connection if another may follow.
    async fn question(&self, stream: Stream, is_last: bool) -> Option<Stream> {
        let mut session = Session::new_h1(stream);
        session.set_keepalive(kept_for(is_last));
        match session.as_downstream_mut().read_request().await {
            Ok(true) => {}
            Ok(false) => return None,
            Err(error) => {
                if *error.etype() == ErrorType::InvalidHTTPHeader {
                    // Who sent it may be gone.
                    let _ = session.respond_error(400).await;
                }
                session.shutdown().await;
                return None;
            }
        }
        let mut ctx = self.new_ctx();
        let served = match self.request_filter(&mut session, &mut ctx).await {
            Ok(false) => self.carry(&mut session, &mut ctx).await,
            served => served.map(drop),
        };
        if let Err(error) = &served {
            self.fail_to_proxy(&mut session, error, &mut ctx).await;
        }
        self.logging(&mut session, served.as_ref().err().map(|error| &**error), &mut ctx).await;
        match served {
            Ok(()) => Some(session.downstream_session.finish().await.ok()??.into_parts().0),
            Err(error) => {
                session.downstream_session.on_proxy_failure(error);
                None
            }
        }
    }
}
