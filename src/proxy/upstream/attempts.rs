//! How often a request is tried, and where. Before anything of it has been sent, any request may be tried at the next address and
//! the next server. Afterwards only one that changes nothing and has no body, once, at another server, and only if not a byte
//! of an answer has come (SECURITY: REL-06, REL-07).

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use http::header::UPGRADE;
use pingora::proxy::Session;
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorSource, ErrorType, RetryType};

use crate::proxy::access_log::{Again, Metrics};
use crate::proxy::context::RequestContext;

/// What has been tried for one request.
#[derive(Debug, Default)]
pub(in crate::proxy) struct Attempts {
    /// The server that has it now.
    pub(super) server: Option<usize>,
    /// How many of its addresses could not be connected to.
    pub(super) addresses: usize,
    /// Those that it is not to go to again, a bit for each.
    gone: u64,
    /// The last one of these.
    last: Option<usize>,
    is_resent: bool,
    /// Whether the head of an answer has come, an interim one included.
    pub(super) is_answered: bool,
}

impl Attempts {
    /// How often a request is tried at all.
    pub(in crate::proxy) const MOST: usize = 4;

    pub(super) fn has_left(&self, server: usize) -> bool {
        self.gone & Self::bit(server) != 0
    }

    /// The last server it has left.
    pub(super) const fn last_left(&self) -> Option<usize> {
        self.last
    }

    /// It is not to go there again.
    pub(super) fn leave(&mut self, server: usize) {
        self.gone |= Self::bit(server);
        self.last = Some(server);
        (self.server, self.addresses) = (None, 0);
    }

    fn bit(server: usize) -> u64 {
        u32::try_from(server).ok().and_then(|at| 1_u64.checked_shl(at)).unwrap_or(0)
    }

    /// Whether it may be sent a second time at all; it counts as done.
    pub(super) fn may_resend(&mut self) -> bool {
        !std::mem::replace(&mut self.is_resent, true)
    }
}

/// How many requests may be sent a second time: one in ten, and some at the beginning. Without a bound, servers that break under
/// their load would get more of it.
#[derive(Debug)]
pub(super) struct Budget(AtomicU32);

impl Budget {
    const RESENT: u32 = 10;
    const FULL: u32 = 100;

    pub(super) const fn new() -> Self {
        Self(AtomicU32::new(Self::FULL))
    }

    pub(super) fn earn(&self) {
        // Not exact where several add at once, and needs not be.
        let now = self.0.load(Relaxed);
        if now < Self::FULL {
            self.0.store(now + 1, Relaxed);
        }
    }

    pub(super) fn spend(&self) -> bool {
        let spent = self.0.fetch_update(Relaxed, Relaxed, |now| now.checked_sub(Self::RESENT));
        spent.is_ok()
    }
}

/// What becomes of a request whose server could not be connected to.
pub(in crate::proxy) fn not_connected(
    peer: &HttpPeer,
    error: Box<Error>,
    ctx: &mut RequestContext,
    metrics: &Metrics,
) -> Box<Error> {
    let Some(permit) = &ctx.permit else { return error };
    let error = ctx.rules.upstreams.of(permit).not_connected(peer, error, &mut ctx.attempts);
    metrics.tried_again(&error, Again::NotConnected);
    error
}

/// What becomes of a request that has been sent, when its connection fails.
pub(in crate::proxy) fn not_answered(
    mut error: Box<Error>,
    is_safe_again: bool,
    ctx: &mut RequestContext,
    is_reused: bool,
    metrics: &Metrics,
) -> Box<Error> {
    let Some(permit) = &ctx.permit else {
        error.set_retry(false);
        return error;
    };
    let upstream = ctx.rules.upstreams.of(permit);
    if is_too_slow(&error) {
        upstream.not_in_time(&ctx.attempts);
    }
    // A connection that was kept may have been closed before; else it goes to another server.
    let may_retry = is_safe_again && (is_reused || upstream.may_resend(&mut ctx.attempts));
    error.set_retry(may_retry);
    metrics.tried_again(&error, Again::NotAnswered);
    error
}

/// Notes that a request's server has answered.
pub(in crate::proxy) fn answered(ctx: &mut RequestContext) {
    ctx.attempts.is_answered = true;
    if let Some(permit) = &ctx.permit {
        ctx.rules.upstreams.of(permit).answered(&ctx.attempts);
    }
}

/// Whether a server could not be reached, rather than we unable to try.
pub(super) fn is_servers_fault(error: &Error) -> bool {
    use ErrorType::{
        ConnectError, ConnectNoRoute, ConnectRefused, ConnectTimedout, InvalidCert, TLSHandshakeFailure,
        TLSHandshakeTimedout,
    };
    matches!(
        error.etype(),
        ConnectError
            | ConnectNoRoute
            | ConnectRefused
            | ConnectTimedout
            | InvalidCert
            | TLSHandshakeFailure
            | TLSHandshakeTimedout
    )
}

/// Whether a server took or gave nothing for too long.
fn is_too_slow(error: &Error) -> bool {
    *error.esource() == ErrorSource::Upstream
        && matches!(error.etype(), ErrorType::ReadTimedout | ErrorType::WriteTimedout)
}

/// Whether a request that was sent may be sent again: it changes nothing, has no body, asks for no tunnel, and the server closed or
/// broke the connection before the first byte of an answer. One that was too slow may still be at work on it.
pub(in crate::proxy) fn is_safe_again(error: &Error, session: &mut Session) -> bool {
    /// How the engine says it; what does not end so is not sent again.
    const NOTHING_CAME: &str = "bytes already read: 0";
    let is_empty = session.is_body_empty();
    let request = session.req_header();
    request.method.is_safe()
        && is_empty
        && !request.headers.contains_key(UPGRADE)
        && session.response_written().is_none()
        && *error.esource() == ErrorSource::Upstream
        && matches!(error.retry, RetryType::ReusedOnly)
        && error.context.as_ref().is_some_and(|context| context.as_str().ends_with(NOTHING_CAME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rel_06_one_request_in_ten_may_be_sent_again_and_some_at_the_beginning() {
        let budget = Budget::new();
        assert_eq!((0..50).filter(|_| budget.spend()).count(), 10);
        (0..9).for_each(|_| budget.earn());
        assert!(!budget.spend());
        budget.earn();
        assert!(budget.spend() && !budget.spend());
        (0..100_000).for_each(|_| budget.earn());
        assert_eq!((0..50).filter(|_| budget.spend()).count(), 10);
    }
}
