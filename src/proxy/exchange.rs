//! The exchange with the application for what nearly every request is: a question, without a body, an upgrade or trailer fields.
//!
//! The engine carries a request as two sides that may both speak at any time, with a queue from each to the other, and gives
//! a connection that is free a task of its own to watch it. A question needs neither: it is written, then its answer is
//! passed on as it comes. What that saves is in docs/performance.md. The phases are the same, called here in the
//! engine's order, so no rule is written twice; and whatever is no plain question goes the engine's way.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderName, Version};
use pingora::connectors::{ConnectorOptions, TransportConnector};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::protocols::http::HttpTask;
use pingora::protocols::http::v1::client::HttpSession;
use pingora::proxy::{ProxyHttp, Session};
use pingora::server::configuration::ServerConf;
use pingora::upstreams::peer::{HttpPeer, Peer};
use pingora::{Error, ErrorType};

use super::Engine;
use super::context::RequestContext;
use super::lines::Lines;
use super::upstream::Attempts;

/// Connections to the application, for questions.
pub(super) struct Exchange {
    connector: TransportConnector,
    lines: Arc<Lines>,
}

impl Exchange {
    pub(super) fn new(conf: &ServerConf) -> Self {
        let options = ConnectorOptions::from_server_conf(conf);
        let lines = Lines::new(options.keepalive_pool_size);
        Self { connector: TransportConnector::new(Some(options)), lines }
    }

    /// Whether a request that the engine got, and that may be forwarded, is a plain question. Those of HTTP/1 were told by
    /// their heads; in HTTP/2 no other field than `TE` is for the next hop (RFC 9113 §8.2.2).
    pub(super) fn may_carry(session: &mut Session, ctx: &RequestContext) -> bool {
        let request = session.req_header();
        request.version == Version::HTTP_2
            && request.method.is_safe()
            && ctx.tunnel.is_none()
            && session.is_body_empty()
    }

    /// A connection, and whether it has had a request before.
    async fn connect(&self, peer: &HttpPeer) -> pingora::Result<(HttpSession, bool)> {
        let (stream, is_used) = match self.lines.take(peer.reuse_hash()) {
            Some(stream) => (stream, true),
            None => (self.connector.new_stream(peer).await?, false),
        };
        let mut line = HttpSession::new_with_options(stream, peer);
        (line.read_timeout, line.write_timeout) = (peer.options.read_timeout, peer.options.write_timeout);
        Ok((line, is_used))
    }

    /// Keeps a connection whose answer is read, if the application wants that.
    async fn keep(&self, mut line: HttpSession, peer: &HttpPeer) {
        line.respect_keepalive();
        if let (Some(stream), Some(time)) = (line.reuse().await, peer.idle_timeout()) {
            self.lines.keep(peer.reuse_hash(), stream, time);
        }
    }
}

impl Engine {
    /// Passes a question on and its answer back. An error is the engine's to tell of, as any of its own.
    pub(super) async fn carry(&self, session: &mut Session, ctx: &mut RequestContext) -> pingora::Result<()> {
        let mut tried = 1;
        loop {
            match self.try_to_carry(session, ctx).await {
                Err(error) if error.retry() && tried < Attempts::MOST => tried += 1,
                done => return done,
            }
        }
    }

    async fn try_to_carry(&self, session: &mut Session, ctx: &mut RequestContext) -> pingora::Result<()> {
        let peer = self.upstream_peer(session, ctx).await?;
        let (mut line, is_used) = match self.1.connect(&peer).await {
            Ok(connected) => connected,
            Err(error) => return Err(self.fail_to_connect(session, &peer, ctx, error.into_up()).into_up()),
        };
        if let Err(error) = self.ask(session, &mut line, ctx).await {
            return Err(self.error_while_proxy(&peer, session, error, ctx, is_used));
        }
        self.1.keep(line, &peer).await;
        Ok(())
    }

    async fn ask(
        &self,
        session: &mut Session,
        line: &mut HttpSession,
        ctx: &mut RequestContext,
    ) -> pingora::Result<()> {
        let mut request = Box::new(session.req_header().clone());
        request.set_version(Version::HTTP_11);
        drop_hop_by_hop(&mut request);
        self.upstream_request_filter(session, &mut request, ctx).await?;
        line.write_request_header(request).await.map_err(|error| error.into_up())?;
        loop {
            let task = tokio::select! {
                biased;
                task = line.read_response_task() => task.map_err(|error| error.into_up())?,
                gone = session.downstream_session.read_body_or_idle(true) => return Err(left(gone.err())),
            };
            if self.answer(session, line, task, ctx).await? {
                return Ok(());
            }
        }
    }

    /// Passes on a part of the answer, with what of its body has come along with the header, in one segment if it fits.
    /// Returns whether it was the last.
    async fn answer(
        &self,
        session: &mut Session,
        line: &mut HttpSession,
        first: HttpTask,
        ctx: &mut RequestContext,
    ) -> pingora::Result<bool> {
        let is_header =
            matches!(&first, HttpTask::Header(header, false) if !header.status.is_informational());
        let mut tasks = Vec::with_capacity(2);
        tasks.push(self.filtered(session, first, ctx).await?);
        if is_header {
            match at_once(line.read_response_task()) {
                Some(Ok(task)) => tasks.push(self.filtered(session, task, ctx).await?),
                Some(Err(error)) => tasks.push(HttpTask::Failed(error.into_up())),
                None => {}
            }
        }
        session.write_response_tasks(tasks).await
    }

    async fn filtered(
        &self,
        session: &mut Session,
        mut task: HttpTask,
        ctx: &mut RequestContext,
    ) -> pingora::Result<HttpTask> {
        match &mut task {
            HttpTask::Header(header, is_whole) => {
                self.upstream_response_filter(session, header, ctx).await?;
                if !*is_whole {
                    make_its_end_known(header)?;
                }
                self.response_filter(session, header, ctx).await?;
            }
            HttpTask::Body(body, is_last) => {
                self.response_body_filter(session, body, *is_last, ctx)?;
            }
            _ => {}
        }
        Ok(task)
    }
}

/// What is meant for us alone (RFC 9110 §7.6.1). A question nominates no further ones.
fn drop_hop_by_hop(request: &mut RequestHeader) {
    let is_ours = |name: &&HeaderName| {
        matches!(
            name.as_str(),
            "connection"
                | "http2-settings"
                | "keep-alive"
                | "proxy-authenticate"
                | "proxy-authorization"
                | "proxy-connection"
                | "te"
                | "trailer"
        )
    };
    let ours: Vec<HeaderName> = request.headers.keys().filter(is_ours).cloned().collect();
    ours.iter().for_each(|name| drop(request.remove_header(name)));
}

/// What is there without waiting.
fn at_once<F: Future>(task: F) -> Option<F::Output> {
    // Whoever waits for it later is woken in this one's place.
    match pin!(tokio::task::unconstrained(task)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// A body that would end with the application's connection ends with its last chunk, so that the client's can stay open.
fn make_its_end_known(header: &mut ResponseHeader) -> pingora::Result<()> {
    let is_known = [TRANSFER_ENCODING, CONTENT_LENGTH].iter().any(|name| header.headers.contains_key(name));
    if is_known || header.status.is_informational() {
        return Ok(());
    }
    header.set_version(Version::HTTP_11);
    header.insert_header(TRANSFER_ENCODING, "chunked")
}

/// The client is gone, or has sent what it should not.
fn left(error: Option<Box<Error>>) -> Box<Error> {
    error.unwrap_or_else(|| Error::new(ErrorType::ConnectionClosed)).into_down()
}
