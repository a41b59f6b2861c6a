//! The exchange with the application for what nearly every request is: a question, without a body, an upgrade or trailer fields.
//!
//! The engine carries a request as two sides that may both speak at any time, with a queue from each to the other, keeps the
//! fields of each head in two maps, and gives a connection that is free a task of its own to watch it. A question needs
//! none of that: it is written, then its answer is passed on as it comes. What that saves is in docs/performance.md. The
//! rules are the engine's way's, called here in the same order, so none is written twice; and whatever is no plain
//! question goes that way.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use http::{Method, StatusCode, Version};
use pingora::connectors::{ConnectorOptions, TransportConnector};
use pingora::http::RequestHeader;
use pingora::proxy::Session;
use pingora::server::configuration::ServerConf;
use pingora::upstreams::peer::{HttpPeer, Peer};
use pingora::{Error, ErrorType, RetryType};

use super::asker::Asker;
use super::context::RequestContext;
use super::fields::Fields;
use super::lines::Lines;
use super::reply::{Call, Ready};
use super::upstream::Attempts;
use super::{Engine, answers, app_passwords, bridge, forwarded, upstream};

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
    async fn connect(&self, peer: &HttpPeer) -> pingora::Result<(Call, bool)> {
        let (stream, is_used) = match self.lines.take(peer.reuse_hash()) {
            Some(stream) => (stream, true),
            None => (self.connector.new_stream(peer).await?, false),
        };
        Ok((Call::new(stream, peer.options.read_timeout, peer.options.write_timeout), is_used))
    }

    /// Keeps a connection whose answer is read, if the application wants that.
    fn keep(&self, call: Call, peer: &HttpPeer) {
        if let (Some(stream), Some(time)) = (call.into_kept(), peer.idle_timeout()) {
            self.lines.keep(peer.reuse_hash(), stream, time);
        }
    }
}

impl Engine {
    /// Passes a question on and its answer back. An error is the engine's to tell of, as any of its own.
    pub(super) async fn carry<A: Asker>(
        &self,
        asker: &mut A,
        ctx: &mut RequestContext,
    ) -> pingora::Result<()> {
        let mut tried = 1;
        loop {
            match self.try_to_carry(asker, ctx).await {
                Err(error) if error.retry() && tried < Attempts::MOST => tried += 1,
                done => return done,
            }
        }
    }

    async fn try_to_carry<A: Asker>(&self, asker: &mut A, ctx: &mut RequestContext) -> pingora::Result<()> {
        let metrics = &self.0.metrics;
        let peer = Self::peer(asker.request(), ctx)?;
        let (mut call, is_used) = match self.1.connect(&peer).await {
            Ok(connected) => connected,
            Err(error) => return Err(upstream::not_connected(&peer, error.into_up(), ctx, metrics).into_up()),
        };
        if let Err(error) = self.ask(asker, &mut call, ctx).await {
            let is_safe = matches!(error.retry, RetryType::ReusedOnly) && !asker.is_answered();
            return Err(upstream::not_answered(error, is_safe, ctx, is_used, metrics));
        }
        self.1.keep(call, &peer);
        Ok(())
    }

    async fn ask<A: Asker>(
        &self,
        asker: &mut A,
        call: &mut Call,
        ctx: &mut RequestContext,
    ) -> pingora::Result<()> {
        let request = self.written(asker, ctx)?;
        call.write(&request).await?;
        while self.pass_head(asker, call, ctx).await?.is_informational() {}
        pass_body(asker, call, ctx).await
    }

    /// Where a permitted request goes.
    pub(super) fn peer(request: &RequestHeader, ctx: &mut RequestContext) -> pingora::Result<Box<HttpPeer>> {
        let Some(permit) = &ctx.permit else {
            return Error::e_explain(ErrorType::InternalError, "no permit");
        };
        let (client, upstream) = (ctx.client(), ctx.rules.upstreams.of(permit));
        upstream.peer(permit, request, ctx.crossing.as_ref(), client, &mut ctx.attempts)
    }

    /// The request as the application gets it.
    fn written<A: Asker>(&self, asker: &A, ctx: &mut RequestContext) -> pingora::Result<Vec<u8>> {
        let request = asker.request();
        let mut fields = asker.fields();
        fields.retain(|name| !is_hop_by_hop(name));
        self.introduce(request, &mut fields, ctx)?;
        let mut written = Vec::with_capacity(1024);
        let target = ctx.rewritten.as_deref().unwrap_or_else(|| request.raw_path());
        for part in [request.method.as_str().as_bytes(), b" ", target, b" HTTP/1.1\r\n"] {
            written.extend_from_slice(part);
        }
        fields.write(&mut written);
        written.extend_from_slice(b"\r\n");
        Ok(written)
    }

    /// Reads a head and passes it on; returns its status.
    async fn pass_head<A: Asker>(
        &self,
        asker: &mut A,
        call: &mut Call,
        ctx: &mut RequestContext,
    ) -> pingora::Result<StatusCode> {
        let length = loop {
            match call.head_length()? {
                Some(length) => break length,
                None if more(asker, call).await? == 0 => call.closed()?,
                None => {}
            }
        };
        let mut reply = call.head(length)?;
        upstream::answered(ctx);
        let rest = reply.rest(asker.request().method == Method::HEAD)?;
        let (status, is_kept) = (reply.status, reply.keeps_connection());
        answers::judge(asker.request(), status, reply.version, &mut reply.fields, &mut ctx.interim)?;
        self.pass_back(&mut reply.fields, status, ctx).await?;
        asker.head(&reply, rest).await?;
        call.pass_head(length, rest, is_kept);
        Ok(status)
    }

    /// Writes what the application is to know of the request, and takes out what it must not be told. `upstream` has lost the
    /// fields that are not meant for it by now, so nothing can take ours away (SECURITY: HDR-03).
    pub(super) fn introduce(
        &self,
        request: &RequestHeader,
        upstream: &mut impl Fields,
        ctx: &mut RequestContext,
    ) -> pingora::Result<()> {
        let Some(permit) = &ctx.permit else {
            return Error::e_explain(ErrorType::InternalError, "no permit");
        };
        let rules = Arc::clone(&ctx.rules);
        let application = rules.upstreams.of(permit);
        rules.headers.rewrite(upstream, permit);
        app_passwords::take_out(upstream);
        rules.headers.write_identity(upstream, permit)?;
        forwarded::write(upstream, &request.headers, &ctx.origin, &rules.public, &rules.policy)?;
        bridge::introduce(ctx, upstream, self.0.clock.now())?;
        upstream.append("X-Request-Id", ctx.id.as_str().as_bytes())?;
        application.write_host(upstream, &ctx.attempts)
    }

    /// What the browser is to get of a head of the application's.
    pub(super) async fn pass_back(
        &self,
        response: &mut impl Fields,
        status: StatusCode,
        ctx: &mut RequestContext,
    ) -> pingora::Result<()> {
        if let Some(permit) = &ctx.permit {
            ctx.rules.headers.rewrite_response(response, status, permit, ctx.origin.trust)?;
        }
        app_passwords::vary(response, status, ctx)?;
        self.0.take_from_forum(ctx, response, status).await
    }
}

/// Passes on what follows the final head.
async fn pass_body<A: Asker>(
    asker: &mut A,
    call: &mut Call,
    ctx: &mut RequestContext,
) -> pingora::Result<()> {
    let mut is_begun = false;
    loop {
        match call.ready()? {
            Ready::Data(count) => {
                let (buffer, is_last) = call.take(count);
                bridge::watch(ctx, Some(&buffer[..count]), is_last);
                asker.data(buffer, count, is_last).await?;
                if is_last {
                    return Ok(());
                }
                is_begun = true;
            }
            Ready::End => break,
            Ready::Nothing => {
                let read = match at_once(call.read()) {
                    Some(read) => read?,
                    None => {
                        // A head waits for the body that it announces: it would cost a segment of its own.
                        if is_begun || !call.has_length() {
                            asker.flush().await?;
                        }
                        more(asker, call).await?
                    }
                };
                if read == 0 {
                    call.closed()?;
                    break;
                }
            }
        }
    }
    bridge::watch(ctx, None, true);
    asker.end().await
}

/// Reads on, as long as somebody waits for it.
async fn more<A: Asker>(asker: &mut A, call: &mut Call) -> pingora::Result<usize> {
    tokio::select! {
        biased;
        read = call.read() => read,
        gone = asker.gone() => Err(gone),
    }
}

/// What is meant for us alone (RFC 9110 §7.6.1). A question nominates no further ones.
fn is_hop_by_hop(name: &str) -> bool {
    const NAMES: [&str; 8] = [
        "connection",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
    ];
    NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// What is there without waiting.
fn at_once<F: Future>(task: F) -> Option<F::Output> {
    // Whoever waits for it later is woken in this one's place.
    match pin!(tokio::task::unconstrained(task)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
