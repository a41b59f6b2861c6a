//! The one event and the counters of a request. Knows what may be written: no query, no cookie, no field of a header
//! but the client's address (SECURITY: OPS-01 … OPS-03, O4).

use std::net::IpAddr;
use std::time::Duration;

use http::{Method, StatusCode};
use pingora::Error;
use pingora::proxy::Session;
use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use super::context::{Outcome, RequestContext};
use super::leash::Leash;
use super::wire::Refusal;
use crate::domain::{UserId, address_text};
use crate::web::{Problem, Visit};

/// The gateway's counters, in a registry of their own.
pub struct Metrics {
    registry: Registry,
    outcomes: [IntCounter; 7],
    statuses: [IntCounter; 6],
    duration: Histogram,
    received: IntCounter,
    sent: IntCounter,
    sessions: IntGauge,
    refusals: [IntCounter; Refusal::ALL.len()],
    again: [IntCounter; 2],
}

/// Why a request was tried once more.
#[derive(Clone, Copy, Debug)]
pub(super) enum Again {
    /// Nobody could be connected to.
    NotConnected,
    /// The connection ended before there was an answer.
    NotAnswered,
}

const OUTCOMES: [&str; 7] = ["undecided", "forwarded", "own", "sign-in", "verified", "failed", ENDED];
/// What becomes of a request that outlives its session.
const ENDED: &str = "ended";
const STATUSES: [&str; 6] = ["none", "1xx", "2xx", "3xx", "4xx", "5xx"];

impl Metrics {
    /// Registers everything; the label sets never grow (SECURITY: OPS-08).
    ///
    /// # Errors
    /// None in practice: the names are constants and well-formed.
    pub fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str| {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok::<_, prometheus::Error>(counter)
        };
        let labelled = |name: &str, help: &str, label: &str| {
            let counters = IntCounterVec::new(Opts::new(name, help), &[label])?;
            registry.register(Box::new(counters.clone()))?;
            Ok::<_, prometheus::Error>(counters)
        };
        let outcomes = labelled("passgate_requests_total", "Requests by what became of them.", "outcome")?;
        let statuses = labelled("passgate_responses_total", "Responses by class of status.", "status")?;
        let refusals = labelled(
            "passgate_refused_total",
            "Requests answered before they were read, by reason.",
            "reason",
        )?;
        let again = labelled("passgate_tried_again_total", "Requests tried once more, by reason.", "reason")?;
        let again = ["not-connected", "not-answered"].map(|reason| again.with_label_values(&[reason]));
        let buckets =
            vec![0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
        let help = "Time from a request's header to the end of its response, in seconds.";
        let duration = Histogram::with_opts(
            HistogramOpts::new("passgate_request_duration_seconds", help).buckets(buckets),
        )?;
        registry.register(Box::new(duration.clone()))?;
        let sessions = IntGauge::new("passgate_sessions", "Live sessions.")?;
        registry.register(Box::new(sessions.clone()))?;
        Ok(Self {
            outcomes: OUTCOMES.map(|outcome| outcomes.with_label_values(&[outcome])),
            statuses: STATUSES.map(|status| statuses.with_label_values(&[status])),
            duration,
            received: counter("passgate_request_body_bytes_total", "Bytes of request bodies.")?,
            sent: counter("passgate_response_body_bytes_total", "Bytes of response bodies.")?,
            sessions,
            refusals: Refusal::ALL.map(|refusal| refusals.with_label_values(&[refusal.code()])),
            again,
            registry,
        })
    }

    /// The text a scraper gets. `sessions` is how many are live now.
    ///
    /// # Errors
    /// None in practice: the encoder writes to memory.
    pub fn render(&self, sessions: usize) -> Result<String, prometheus::Error> {
        self.sessions.set(i64::try_from(sessions).unwrap_or(i64::MAX));
        prometheus::TextEncoder::new().encode_to_string(&self.registry.gather())
    }

    /// Counts and writes a request that was answered before it was read; nothing of it is told but who sent it.
    pub(super) fn refused(&self, client: IpAddr, refusal: Refusal) {
        self.refusals[refusal as usize].inc();
        let (problem, status) = (refusal.code(), refusal.status());
        if refusal.is_crowd() {
            // Who sends so many is not to fill the log with them, too.
            tracing::debug!(target: "passgate::access", %client, outcome = "refused", problem, status, "request");
        } else {
            tracing::info!(target: "passgate::access", %client, outcome = "refused", problem, status, "request");
        }
    }

    /// Counts a request that is tried once more, if `error` is no end of it.
    pub(super) fn tried_again(&self, error: &Error, why: Again) {
        if error.retry() {
            self.again[why as usize].inc();
        }
    }

    fn count(&self, outcome: Outcome, status: u16, took: Duration, received: usize, sent: usize) {
        self.outcomes[index(outcome)].inc();
        self.statuses[usize::from(status / 100).min(5)].inc();
        self.duration.observe(took.as_secs_f64());
        self.received.inc_by(received as u64);
        self.sent.inc_by(sent as u64);
    }
}

fn index(outcome: Outcome) -> usize {
    match outcome {
        Outcome::Undecided => 0,
        Outcome::Forwarded => 1,
        Outcome::Own => 2,
        Outcome::SignIn => 3,
        Outcome::Verified => 4,
        Outcome::Failed(_) => 5,
    }
}

/// What is told of a request and its answer.
pub(super) struct Seen<'r> {
    pub(super) method: &'r Method,
    pub(super) target: &'r [u8],
    pub(super) status: Option<StatusCode>,
    /// Bytes of the two bodies.
    pub(super) received: usize,
    pub(super) sent: usize,
}

impl<'r> Seen<'r> {
    /// That of a request the engine has.
    pub(super) fn of(session: &'r Session) -> Self {
        let request = session.req_header();
        Self {
            method: &request.method,
            target: request.raw_path(),
            status: session.response_written().map(|response| response.status),
            received: session.body_bytes_read(),
            sent: session.body_bytes_sent(),
        }
    }
}

/// Counts and writes one request.
pub(super) fn write(seen: &Seen<'_>, error: Option<&Error>, ctx: &RequestContext, metrics: &Metrics) {
    let took = ctx.started.elapsed();
    let status = seen.status.map_or(0, |status| status.as_u16());
    let (received, sent) = (seen.received, seen.sent);
    metrics.count(ctx.outcome, status, took, received, sent);
    let cause = error.filter(|_| matches!(ctx.outcome, Outcome::Failed(_))).map(cause);
    if is_failure(ctx.outcome) {
        tracing::warn!(target: "passgate::proxy", id = ctx.id.as_str(), cause, "the request failed");
    }
    let path = shown(path(seen.target), 512);
    if let Outcome::Failed(problem) = ctx.outcome {
        let visit = Visit { request_id: ctx.id.as_str(), client: ctx.origin.client, member: None };
        ctx.rules.web.note_problem(problem, ctx.member, &path, &visit);
    }
    let member = ctx.member.map(UserId::digits);
    tracing::info!(
        target: "passgate::access",
        id = ctx.id.as_str(),
        client = address_text(ctx.origin.client),
        method = &*shown(seen.method.as_str().as_bytes(), 16),
        path = &*path,
        outcome = OUTCOMES[index(ctx.outcome)],
        problem = problem_code(ctx.outcome),
        member = member.as_ref().and_then(|digits| std::str::from_utf8(digits).ok()),
        status,
        duration_ms = took.as_secs_f64() * 1e3,
        received,
        sent,
        "request",
    );
}

/// Counts and writes a request that ended with its session; what passed until then is not known.
pub(super) fn write_ended(leash: &Leash, metrics: &Metrics) {
    let took = leash.started.elapsed();
    metrics.outcomes[OUTCOMES.len() - 1].inc();
    metrics.duration.observe(took.as_secs_f64());
    tracing::info!(
        target: "passgate::access",
        id = leash.id.as_str(),
        client = %leash.client,
        method = &*shown(leash.method.as_str().as_bytes(), 16),
        path = &*shown(leash.target.path().as_bytes(), 512),
        outcome = ENDED,
        member = %leash.member,
        duration_ms = took.as_secs_f64() * 1e3,
        "request",
    );
}

/// Whether something on our side or the application's broke, rather than the client's request.
fn is_failure(outcome: Outcome) -> bool {
    use Problem::{Internal, StoreFailed, UpstreamBroken, UpstreamTimeout, UpstreamUnreachable};
    matches!(
        outcome,
        Outcome::Failed(Internal | StoreFailed | UpstreamBroken | UpstreamTimeout | UpstreamUnreachable)
    )
}

fn problem_code(outcome: Outcome) -> Option<&'static str> {
    match outcome {
        Outcome::Failed(problem) => Some(problem.code()),
        _ => None,
    }
}

/// The kind of an engine error and its own words; never its context, which may quote the request.
fn cause(error: &Error) -> String {
    let root = error.root_cause();
    match root.downcast_ref::<std::io::Error>() {
        Some(io) => format!("{}: {io}", error.etype().as_str()),
        None => error.etype().as_str().to_owned(),
    }
}

fn path(target: &[u8]) -> &[u8] {
    target.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default()
}

/// Borrowed when it is short and plain, as nearly always; else cut and escaped, so that it can't break a line.
fn shown(bytes: &[u8], most: usize) -> std::borrow::Cow<'_, str> {
    let cut = &bytes[..bytes.len().min(most)];
    match std::str::from_utf8(cut) {
        Ok(text) if text.bytes().all(|byte| byte.is_ascii_graphic()) => text.into(),
        _ => cut.escape_ascii().to_string().into(),
    }
}
