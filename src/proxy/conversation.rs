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

use http::header::AUTHORIZATION;
use pingora::apps::HttpServerApp;
use pingora::protocols::http::ServerSession;
use pingora::protocols::{Shutdown, Stream};
use pingora::proxy::{ProxyHttp, Session};
use pingora::server::ShutdownWatch;
use pingora::{Error, ErrorType};

use super::asker::{Asker, Direct};
use super::connection::Coming;
use super::context::{Outcome, RequestContext};
use super::leash::{LEASH, Leashed};
use super::{Connection, Engine, Gateway, Judged, access_log, failure};

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
    async fn question(&self, connection: Box<Connection>, is_last: bool) -> Option<Stream> {
        // Some kilobytes, which are not to be moved.
        let served = pin!(async {
            // As in `process_new_http`.
            tokio::select! {
                biased;
                next = self.own.question(connection, is_last) => next,
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

/// What became of a question.
enum Passed {
    /// It is answered, and another one may follow.
    On,
    /// It is answered, and was the last one on its connection.
    Last,
    /// Its answer has broken off, or nobody waits for it.
    Broken,
    /// Nothing has been said to it yet but that.
    Failed(Box<Error>),
    /// It is not simply to be passed on.
    Not,
}

impl Engine {
    /// One question, which mostly has no more to it than to be passed on; returns the connection if another may follow.
    async fn question(&self, mut connection: Box<Connection>, is_last: bool) -> Option<Stream> {
        let head = connection.take_head();
        let mut ctx = self.new_ctx();
        let passed = match Direct::read(&mut connection, &head, is_last) {
            Some(asked) if self.0.passes(&asked, &mut ctx).await => self.pass(asked, &mut ctx).await,
            _ => Passed::Not,
        };
        match passed {
            Passed::On => Some(connection),
            Passed::Last => {
                connection.shutdown().await;
                None
            }
            Passed::Broken => None,
            Passed::Failed(error) => {
                connection.give_back(&head);
                self.tell(connection, &error, &mut ctx).await;
                None
            }
            Passed::Not => {
                connection.give_back(&head);
                self.serve(connection, is_last).await
            }
        }
    }

    async fn pass(&self, mut asked: Direct<'_>, ctx: &mut RequestContext) -> Passed {
        let carried = self.carry(&mut asked, ctx).await;
        let problem = carried.as_ref().err().and_then(|error| failure::problem_of(error));
        let is_untold = asked.status.is_none_or(|status| status.is_informational());
        let error = match (carried, problem) {
            (Err(error), Some(_)) if is_untold => return Passed::Failed(error),
            (carried, _) => carried.err(),
        };
        ctx.outcome = problem.map_or(ctx.outcome, Outcome::Failed);
        access_log::write(&asked.seen(), error.as_deref(), ctx, &self.0.metrics);
        match error {
            None if asked.keeps() => Passed::On,
            None => Passed::Last,
            Some(_) => Passed::Broken,
        }
    }

    /// Tells that a question has failed.
    async fn tell(&self, connection: Stream, error: &Error, ctx: &mut RequestContext) {
        let mut session = Session::new_h1(connection);
        session.set_keepalive(None);
        // It has been read before; without it there is nothing to tell of.
        if !matches!(session.as_downstream_mut().read_request().await, Ok(true)) {
            return;
        }
        self.fail_to_proxy(&mut session, error, ctx).await;
        self.logging(&mut session, Some(error), ctx).await;
        session.shutdown().await;
    }

    /// One request, as the engine would serve it; returns the connection if another may follow.
    async fn serve(&self, stream: Stream, is_last: bool) -> Option<Stream> {
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

impl Gateway {
    /// Whether a question is simply to be passed on. If not, it has to be handled as any other request; nothing has been done
    /// about it then.
    async fn passes(&self, asked: &Direct<'_>, ctx: &mut RequestContext) -> bool {
        let request = asked.request();
        // Passwords that are tried are counted, and so are to be looked at once.
        if request.headers.contains_key(AUTHORIZATION) {
            return false;
        }
        let connection = asked.connection();
        ctx.begin(request, connection.client(), connection.security());
        let (known, judged) = self.weigh(request, asked.raw(), ctx);
        let Judged::Forwarded(permit, rewritten) = judged else { return false };
        if self.meet_forum(request, ctx, &permit, &known).await.is_some() {
            return false;
        }
        self.let_pass(request, ctx, permit, rewritten, &known);
        true
    }
}
