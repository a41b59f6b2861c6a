//! How fast the bodies of requests have to come over HTTP/2 (SECURITY: H2-07, REL-03). The engine itself waits for ever.
//!
//! One body alone has to come as over HTTP/1: at the least rate once the grace is over, and never with a standstill. Several on one
//! connection are judged together, since clients send them side by side or one after the other, as they like: of as many as are
//! open, so many times the least rate has to come. Holding many costs whoever does it as much as by connections of their own.

use std::cell::Cell;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use tokio::task_local;
use tokio::time::Instant;

use crate::proxy::connection::Alarm;
use crate::proxy::options::ConnectionLimits;

task_local! {
    /// That of the request on this task; none if it came whole.
    static BODY: Body;
}

/// The server that gets the request is there: from now on its body is waited for.
pub(in crate::proxy) fn is_waited_for() {
    // Over HTTP/1 the guard sees to it.
    let _ = BODY.try_with(|body| body.is_waited_for(Instant::now()));
}

/// So many bytes have come of the body of the request on this task, and whether they were the last.
pub(in crate::proxy) fn came(bytes: usize, is_last: bool) {
    let _ = BODY.try_with(|body| body.came(bytes, is_last, Instant::now()));
}

/// Those of one connection.
#[derive(Debug)]
pub(super) struct Bodies {
    limits: ConnectionLimits,
    waiting: Mutex<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    open: u32,
    /// Until when all of them may be waited for.
    until: Instant,
}

impl Bodies {
    pub(super) fn new(limits: ConnectionLimits) -> Self {
        Self { limits, waiting: Mutex::new(Waiting { open: 0, until: Instant::now() }) }
    }

    /// One more, of a request that has just begun.
    pub(super) fn begin(self: &Arc<Self>, now: Instant) -> Body {
        let mut waiting = self.waiting();
        if waiting.open == 0 {
            // What others earned before is no use to it.
            waiting.until = now;
        }
        waiting.open += 1;
        drop(waiting);
        let patience = Cell::new(now + self.limits.stall_timeout);
        Body { of: Arc::clone(self), patience, is_whole: Cell::new(false) }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is still to come of one request.
#[derive(Debug)]
pub(super) struct Body {
    of: Arc<Bodies>,
    /// Until when it may be waited for, whatever the others do.
    patience: Cell<Instant>,
    is_whole: Cell<bool>,
}

impl Body {
    /// Runs a request with this body; none if the body is too slow.
    pub(super) async fn carry<T>(self, serving: impl Future<Output = T>) -> Option<T> {
        let serving = async {
            tokio::select! {
                biased;
                served = serving => Some(served),
                () = Self::is_late() => None,
            }
        };
        BODY.scope(self, serving).await
    }

    /// Completes when that of the request on this task is.
    async fn is_late() {
        let mut alarm = Alarm::default();
        poll_fn(|cx| BODY.with(Self::until).map_or(Poll::Pending, |until| alarm.poll(cx, until))).await;
    }

    /// Until when it is waited for; none when it is whole.
    fn until(&self) -> Option<Instant> {
        (!self.is_whole.get()).then(|| self.patience.get().max(self.of.waiting().until))
    }

    /// Until then, who was slow were we.
    fn is_waited_for(&self, now: Instant) {
        let grace = now + self.of.limits.rate_grace;
        self.patience.set(grace);
        let mut waiting = self.of.waiting();
        // Else the others have time left, and get no more for this.
        if waiting.until <= now {
            waiting.until = grace;
        }
    }

    fn came(&self, bytes: usize, is_last: bool, now: Instant) {
        let limits = &self.of.limits;
        let mut waiting = self.of.waiting();
        let earned = limits.time_for(bytes) / waiting.open.max(1);
        waiting.until = (waiting.until.max(now) + earned).min(now + limits.most_patience());
        if is_last && !self.is_whole.replace(true) {
            waiting.open -= 1;
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if !self.is_whole.get() {
            self.of.waiting().open -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn limits() -> ConnectionLimits {
        ConnectionLimits {
            least_rate: 240,
            rate_grace: Duration::from_secs(5),
            stall_timeout: Duration::from_secs(60),
            ..ConnectionLimits::default()
        }
    }

    /// After how many seconds the last of these bodies is given up, of each of which so many bytes come a second.
    fn patience(rates: &[usize]) -> Option<u32> {
        let (start, bodies) = (Instant::now(), Arc::new(Bodies::new(limits())));
        let open: Vec<_> = rates.iter().map(|_| bodies.begin(start)).collect();
        open.iter().for_each(|body| body.is_waited_for(start));
        (1..1_000).find(|second| {
            let now = start + Duration::from_secs(1) * *second;
            let is_over = open.iter().all(|body| body.until().unwrap() < now);
            open.iter().zip(rates).for_each(|(body, bytes)| body.came(*bytes, false, now));
            is_over
        })
    }

    #[test]
    fn h2_07_rel_03_a_body_alone_is_given_up_as_over_http_1() {
        for (bytes, given_up) in
            [(0, Some(6)), (1, Some(6)), (120, Some(10)), (239, Some(961)), (240, None), (100_000, None)]
        {
            assert_eq!(patience(&[bytes]), given_up, "{bytes}");
        }
    }

    #[test]
    fn h2_07_several_bodies_have_to_come_as_fast_as_so_many_alone_in_whatever_order() {
        assert_eq!(patience(&[240; 100]), None);
        assert_eq!(patience(&[24_000, 0, 0]), None, "one after the other");
        assert_eq!(patience(&[120; 100]), Some(10));
        assert_eq!(patience(&[&[12_000][..], &[0; 99]].concat()), Some(10));
    }

    #[test]
    fn h2_07_a_standstill_ends_it_however_much_came_before() {
        let (now, bodies) = (Instant::now(), Arc::new(Bodies::new(limits())));
        let body = bodies.begin(now);
        body.is_waited_for(now);
        body.came(1 << 30, false, now);
        assert_eq!(body.until(), Some(now + Duration::from_secs(60)));
        body.came(1, true, now);
        assert_eq!(body.until(), None, "nothing is to come");
        let next = bodies.begin(now);
        next.is_waited_for(now);
        assert_eq!(next.until(), Some(now + Duration::from_secs(5)), "what others brought is spent");
    }

    #[test]
    fn h2_07_new_bodies_give_old_ones_no_time() {
        let (start, bodies) = (Instant::now(), Arc::new(Bodies::new(limits())));
        let first = bodies.begin(start);
        first.is_waited_for(start);
        let others = (1..100).map(|tenths| {
            let now = start + Duration::from_millis(100) * tenths;
            let body = bodies.begin(now);
            body.is_waited_for(now);
            body
        });
        let others: Vec<_> = others.take(49).collect();
        assert_eq!(first.until(), Some(start + Duration::from_secs(5)));
        assert_eq!(others[48].until(), Some(start + Duration::from_millis(9_900)));
    }

    #[test]
    fn a_request_waits_for_its_server_without_losing_time() {
        let (now, bodies) = (Instant::now(), Arc::new(Bodies::new(limits())));
        let body = bodies.begin(now);
        assert_eq!(body.until(), Some(now + Duration::from_secs(60)));
        let later = now + Duration::from_secs(50);
        body.is_waited_for(later);
        assert_eq!(body.until(), Some(later + Duration::from_secs(5)));
        drop(body);
        assert_eq!(bodies.waiting().open, 0);
    }
}
