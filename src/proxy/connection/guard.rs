//! What stands between a member's connection and the engine: requests are handed on only when their head is whole and
//! good, and only up to their end until they are answered; whoever is too slow, or sends what can be read in two ways, is
//! answered here. SECURITY: H1-01 … H1-16, REL-01 … REL-03, HDR-02.
//!
//! Nothing is copied of a request that comes in one piece: it is read into the engine's own buffer and judged there.

use std::io;
use std::mem::MaybeUninit;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderValue;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::leaving::Leaving;
use super::pace::{Alarm, Pace};
use crate::proxy::access_log::Metrics;
use crate::proxy::options::ConnectionLimits;
use crate::proxy::wire::{Answer, Body, Head, HeadReader, Refusal};

/// How clients have to behave, and where it is counted when they don't.
pub struct Manners {
    pub(super) limits: ConnectionLimits,
    pub(super) metrics: Arc<Metrics>,
}

impl Manners {
    /// With these limits; what is refused is counted in `metrics`.
    pub fn new(limits: ConnectionLimits, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self { limits, metrics })
    }
}

/// One connection's guard.
pub(super) struct Guard {
    manners: Arc<Manners>,
    client: IpAddr,
    /// The `Strict-Transport-Security` of refusals.
    hsts: Option<HeaderValue>,
    phase: Phase,
    reader: HeadReader,
    /// What has been read and not been handed on.
    kept: Vec<u8>,
    /// How many of these bytes have been judged and may go.
    owed: usize,
    answer: Answer,
    is_head: bool,
    /// What the request is that is being handed on.
    coming: Coming,
    /// Whether the client sends its body only when it is told to, and has not been.
    waits: bool,
    /// When the head has to be there, or the connection is no longer kept; set when it is first waited for.
    until: Option<Instant>,
    intake: Pace,
    outlet: Pace,
    alarm: Alarm,
}

/// What the next byte from the client belongs to.
enum Phase {
    /// A request that is not whole, or none.
    Head,
    /// A request's body.
    Body(Body),
    /// What comes after a request that is not answered yet.
    Whole,
    /// No HTTP/1: a tunnel, or another version.
    Open,
    /// Nothing: it is refused.
    Leaving(Leaving),
    /// Nothing: it is over.
    Over,
}

/// What a client is sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) enum Coming {
    /// A request that only asks, see [`Head::is_question`].
    Question,
    /// Another request, or what is answered instead of it.
    Other,
    /// Nothing any more.
    Nothing,
}

/// How reading goes on.
enum Step {
    /// By looking again.
    On,
    /// It is done: there are bytes, or there will be none.
    Done,
}

impl Phase {
    fn of(body: Body) -> Self {
        if body == Body::Ended { Self::Whole } else { Self::Body(body) }
    }
}

impl Guard {
    /// How much is read of what comes after a request that is not answered yet.
    const MOST_AHEAD: usize = HeadReader::LONGEST_HEAD;

    /// For a connection on which HTTP/1 is to be spoken.
    pub(super) fn new(manners: Arc<Manners>, client: IpAddr) -> Self {
        let pace = Pace::new(&manners.limits);
        Self {
            manners,
            client: client.to_canonical(),
            hsts: None,
            phase: Phase::Head,
            reader: HeadReader::default(),
            kept: Vec::new(),
            owed: 0,
            answer: Answer::default(),
            is_head: false,
            coming: Coming::Other,
            waits: false,
            until: None,
            intake: pace,
            outlet: pace,
            alarm: Alarm::default(),
        }
    }

    /// For a connection whose bytes are not ours to read: another version of HTTP.
    pub(super) fn of_other_version(manners: Arc<Manners>, client: IpAddr) -> Self {
        Self { phase: Phase::Open, ..Self::new(manners, client) }
    }

    /// Refusals say this of TLS.
    pub(super) fn saying(self, hsts: Option<HeaderValue>) -> Self {
        Self { hsts, ..self }
    }

    /// Reads what the engine may have. Nothing read is the end.
    pub(super) fn poll_read<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            if self.owed > 0 {
                self.hand_on(buf);
                return Poll::Ready(Ok(()));
            }
            let step = match self.phase {
                Phase::Head => ready!(self.poll_head(stream, cx, buf))?,
                Phase::Body(body) => ready!(self.poll_body(body, stream, cx, buf))?,
                Phase::Whole if self.answer.is_whole() => self.expect_next(),
                Phase::Whole if self.answer.is_tunnel() => {
                    self.phase = Phase::Open;
                    Step::On
                }
                Phase::Whole => return self.poll_ahead(stream, cx),
                Phase::Open if self.kept.is_empty() => return Pin::new(stream).poll_read(cx, buf),
                Phase::Open => {
                    self.owed = self.kept.len();
                    Step::On
                }
                Phase::Leaving(_) | Phase::Over => {
                    ready!(self.poll_leave(stream, cx));
                    Step::Done
                }
            };
            if matches!(step, Step::Done) {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Completes when the next request's head is whole, or there is none; what was read of it is kept.
    pub(super) fn poll_next<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<Coming> {
        loop {
            match self.phase {
                _ if self.owed > 0 => return Poll::Ready(self.coming),
                Phase::Whole if self.answer.is_whole() => drop(self.expect_next()),
                Phase::Head => {
                    let mut space = [MaybeUninit::uninit(); 4096];
                    let mut buf = ReadBuf::uninit(&mut space);
                    let Ok(step) = ready!(self.poll_head(stream, cx, &mut buf)) else {
                        return Poll::Ready(Coming::Nothing);
                    };
                    match (step, buf.filled()) {
                        (Step::On, _) => {}
                        (Step::Done, []) => return Poll::Ready(Coming::Nothing),
                        (Step::Done, head) => {
                            self.owed = head.len();
                            self.kept.splice(..0, head.iter().copied());
                        }
                    }
                }
                _ => return Poll::Ready(Coming::Other),
            }
        }
    }

    pub(super) const fn client(&self) -> IpAddr {
        self.client
    }

    /// Takes out what has been judged of a request.
    pub(super) fn take_head(&mut self) -> Bytes {
        let rest = self.kept.split_off(std::mem::take(&mut self.owed));
        Bytes::from(std::mem::replace(&mut self.kept, rest))
    }

    /// Puts back what was taken out.
    pub(super) fn give_back(&mut self, head: &[u8]) {
        self.owed = head.len();
        self.kept.splice(..0, head.iter().copied());
    }

    /// Hands on bytes that were kept.
    fn hand_on(&mut self, buf: &mut ReadBuf<'_>) {
        let count = self.owed.min(buf.remaining());
        buf.put_slice(&self.kept[..count]);
        self.kept.drain(..count);
        self.owed -= count;
        if self.kept.is_empty() && self.kept.capacity() > 4096 {
            self.kept = Vec::new();
        }
    }

    fn poll_head<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<Step>> {
        if !self.kept.is_empty() {
            let kept = std::mem::take(&mut self.kept);
            let judged = self.judge(&kept);
            self.kept = kept;
            match judged {
                Ok(Some(taken)) => {
                    self.owed = taken;
                    return Poll::Ready(Ok(Step::On));
                }
                Ok(None) => {}
                Err(refusal) => return Poll::Ready(Ok(self.refused(refusal))),
            }
        }
        let known = buf.filled().len();
        if Pin::new(stream).poll_read(cx, buf)?.is_pending() {
            ready!(self.poll_head_deadline(cx));
            return Poll::Ready(Ok(Step::On));
        }
        let new = &buf.filled()[known..];
        if new.is_empty() {
            return Poll::Ready(Ok(Step::Done));
        }
        if self.kept.is_empty() {
            match self.judge(new) {
                Ok(Some(taken)) => {
                    self.kept.extend_from_slice(&buf.filled()[known + taken..]);
                    buf.set_filled(known + taken);
                    return Poll::Ready(Ok(Step::Done));
                }
                Ok(None) => self.until = None,
                Err(refusal) => {
                    buf.set_filled(known);
                    return Poll::Ready(Ok(self.refused(refusal)));
                }
            }
        }
        self.kept.extend_from_slice(&buf.filled()[known..]);
        buf.set_filled(known);
        Poll::Ready(Ok(Step::On))
    }

    /// Judges a request from its first byte on; returns how many of the bytes belong to it if its head is whole.
    fn judge(&mut self, bytes: &[u8]) -> Result<Option<usize>, Refusal> {
        let Some(head) = self.reader.advance(bytes)? else { return Ok(None) };
        let mut body = Body::of_request(head.framing);
        let taken = body.advance(&bytes[head.length..]).map_err(|_| Refusal::Chunk)?;
        self.begin(head, body);
        Ok(Some(head.length + taken))
    }

    fn begin(&mut self, head: Head, body: Body) {
        self.phase = Phase::of(body);
        (self.is_head, self.waits) = (head.is_head, head.waits);
        self.coming = if head.is_question { Coming::Question } else { Coming::Other };
        (self.intake, self.outlet) = (Pace::new(&self.manners.limits), Pace::new(&self.manners.limits));
        self.reader = HeadReader::default();
        self.until = None;
    }

    fn poll_body<S: AsyncRead + Unpin>(
        &mut self,
        mut body: Body,
        stream: &mut S,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<Step>> {
        if !self.kept.is_empty() {
            let step = match body.advance(&self.kept) {
                Ok(taken) => {
                    (self.owed, self.phase) = (taken, Phase::of(body));
                    Step::On
                }
                Err(_) => self.refused(Refusal::Chunk),
            };
            return Poll::Ready(Ok(step));
        }
        let known = buf.filled().len();
        if Pin::new(stream).poll_read(cx, buf)?.is_pending() {
            return self.poll_body_deadline(cx).map(Ok);
        }
        let new = &buf.filled()[known..];
        self.waits = false;
        match body.advance(new) {
            Ok(taken) => {
                self.kept.extend_from_slice(&new[taken..]);
                buf.set_filled(known + taken);
                self.phase = Phase::of(body);
                let now = self.intake.is_waiting().then(Instant::now);
                self.intake.moved(taken, &self.manners.limits, now);
                Poll::Ready(Ok(Step::Done))
            }
            Err(_) => {
                buf.set_filled(known);
                Poll::Ready(Ok(self.refused(Refusal::Chunk)))
            }
        }
    }

    /// Until a request is answered, what follows it is only looked at to know whether the client is still there.
    pub(super) fn poll_ahead<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.kept.len() < Self::MOST_AHEAD {
            let mut space = [MaybeUninit::uninit(); 1024];
            let mut buf = ReadBuf::uninit(&mut space);
            ready!(Pin::new(&mut *stream).poll_read(cx, &mut buf))?;
            match buf.filled() {
                [] if self.kept.is_empty() => return Poll::Ready(Ok(())),
                [] => return Poll::Pending,
                new => self.kept.extend_from_slice(new),
            }
        }
        Poll::Pending
    }

    fn expect_next(&mut self) -> Step {
        self.phase = Phase::Head;
        self.answer = Answer::default();
        Step::On
    }

    fn poll_head_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let limits = &self.manners.limits;
        let is_idle = self.kept.is_empty();
        let time = if is_idle { limits.idle_timeout } else { limits.head_timeout };
        let until = *self.until.get_or_insert_with(|| Instant::now() + time);
        ready!(self.alarm.poll(cx, until));
        if is_idle {
            self.phase = Phase::Over;
        } else {
            self.refuse(Refusal::HeadTimeout);
        }
        Poll::Ready(())
    }

    fn poll_body_deadline(&mut self, cx: &mut Context<'_>) -> Poll<Step> {
        if self.waits {
            return Poll::Pending;
        }
        let until = self.intake.until(Instant::now());
        ready!(self.alarm.poll(cx, until));
        Poll::Ready(self.refused(Refusal::BodyTimeout))
    }

    /// Counts and writes that a request is refused.
    pub(super) fn note(&self, refusal: Refusal) {
        self.manners.metrics.refused(self.client, refusal);
    }

    /// What refusals say of TLS.
    pub(super) fn hsts(&self) -> Option<&[u8]> {
        self.hsts.as_ref().map(HeaderValue::as_bytes)
    }

    /// Ends the connection, with an answer unless there is part of one already.
    pub(super) fn refuse(&mut self, refusal: Refusal) {
        self.note(refusal);
        let hsts = self.hsts().and_then(|value| std::str::from_utf8(value).ok());
        let can_be_told = self.answer.is_ahead();
        self.phase =
            if can_be_told { Phase::Leaving(Leaving::saying(refusal.answer(hsts))) } else { Phase::Over };
    }

    /// Ends the connection with these last bytes.
    pub(super) fn leave(&mut self, last: Vec<u8>) {
        self.phase = Phase::Leaving(Leaving::saying(last));
    }

    fn refused(&mut self, refusal: Refusal) -> Step {
        self.refuse(refusal);
        Step::On
    }

    /// Whether nothing more may be written.
    pub(super) fn is_leaving(&self) -> bool {
        matches!(self.phase, Phase::Leaving(_) | Phase::Over)
    }

    /// Completes when the connection may be dropped.
    pub(super) fn poll_leave<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if let Phase::Leaving(leaving) = &mut self.phase {
            ready!(leaving.poll(stream, cx, &mut self.alarm));
            self.phase = Phase::Over;
        }
        Poll::Ready(())
    }

    /// Notes what the engine has written.
    pub(super) fn written(&mut self, bytes: &[u8]) {
        self.waits = false;
        if !matches!(self.phase, Phase::Open) {
            self.answer.advance(bytes, self.is_head);
        }
    }

    /// Notes that the client's side has taken bytes.
    pub(super) fn taken(&mut self, bytes: usize) {
        let now = self.outlet.is_waiting().then(Instant::now);
        self.outlet.moved(bytes, &self.manners.limits, now);
    }

    /// Completes when the client has taken too long to take what is written.
    pub(super) fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let until = self.outlet.until(Instant::now());
        ready!(self.alarm.poll(cx, until));
        self.phase = Phase::Over;
        Poll::Ready(io::ErrorKind::TimedOut.into())
    }

    /// After the last word: begins to throw away what comes, if more is to be expected than was read.
    pub(super) fn linger(&mut self) {
        let is_quiet = match self.phase {
            Phase::Head | Phase::Whole => self.kept.is_empty(),
            Phase::Body(_) => false,
            Phase::Open | Phase::Leaving(_) | Phase::Over => true,
        };
        if !is_quiet {
            self.phase = Phase::Leaving(Leaving::saying(Vec::new()));
        }
    }
}
