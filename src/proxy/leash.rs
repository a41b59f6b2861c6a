//! What a session has running ends with it: tunnels, event streams, long polls, transfers.
//!
//! SECURITY: S6, S7, AUTH-13, WS-04, WS-05. A request is judged when it begins, but may go on for hours. One that was let through as
//! a member's is put on a leash: as long as it runs, its session is looked at again and again, and when that no longer holds, the
//! request is dropped where it stands, with both its connections (over HTTP/2, its stream). Whoever ends a session need not know
//! what runs on it.
//!
//! The leash is a wait beside the request, on the same task, for a beat that many share: a timer for each would be the dearest part of
//! what a member's request costs more than a guest's, and nearly all end before the first look.

use std::cell::RefCell;
use std::future::poll_fn;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use http::{Method, Uri};
use pingora::apps::{HttpServerApp, HttpServerOptions, ReusedHttpStream};
use pingora::http::RequestHeader;
use pingora::protocols::http::ServerSession;
use pingora::protocols::http::v2::server::H2Options;
use pingora::proxy::HttpProxy;
use pingora::server::ShutdownWatch;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::task_local;
use tokio::time::MissedTickBehavior;

use super::context::{RequestContext, RequestId};
use super::wire::Refusal;
use super::{Engine, Gateway, access_log};
use crate::auth::LiveSession;
use crate::domain::{SessionId, UserId};

task_local! {
    /// What the request on this task is held by; nothing until it was let through for a member.
    pub(super) static LEASH: RefCell<Option<Leash>>;
}

/// A running request of a member, as far as its end is told of.
pub(super) struct Leash {
    session: SessionId,
    pub(super) member: UserId,
    pub(super) id: RequestId,
    pub(super) client: IpAddr,
    pub(super) method: Method,
    pub(super) target: Uri,
    pub(super) started: Instant,
}

/// From now on the request lasts no longer than `live` does.
pub(super) fn attach(request: &RequestHeader, ctx: &RequestContext, live: &Arc<LiveSession>) {
    let leash = Leash {
        session: live.id(),
        member: live.user(),
        id: ctx.id.clone(),
        client: ctx.origin.client,
        method: request.method.clone(),
        target: request.uri.clone(),
        started: ctx.started,
    };
    // Every request comes through `Leashed`.
    let _ = LEASH.try_with(|held| held.replace(Some(leash)));
}

/// When running requests look at their sessions. There are several, one after the other, so that not all look at once.
#[derive(Default)]
struct Beats([Notify; 16]);

impl Beats {
    /// How often a session is looked at. A tunnel is to end within a second of it.
    const LOOK: Duration = Duration::from_millis(400);

    /// Beats for ever.
    async fn go_on(&self) {
        let mut ticks = tokio::time::interval(Self::LOOK / 16);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        for beat in self.0.iter().cycle() {
            ticks.tick().await;
            beat.notify_waiters();
        }
    }

    /// The one that this request waits for.
    fn of(&self, id: &RequestId) -> &Notify {
        &self.0[usize::from(id.as_str().bytes().fold(0, u8::wrapping_add) % 16)]
    }
}

/// The engine, with each request on a leash.
pub(super) struct Leashed {
    engine: Arc<HttpProxy<Engine>>,
    /// The same phases, for requests that are served without the engine.
    pub(super) own: Engine,
    gateway: Arc<Gateway>,
    beats: Arc<Beats>,
    /// Ends with this.
    _beating: JoinSet<()>,
}

impl Leashed {
    /// Must be called on a runtime.
    pub(super) fn new(engine: HttpProxy<Engine>, own: Engine, gateway: Arc<Gateway>) -> Self {
        let (beats, mut beating) = (Arc::new(Beats::default()), JoinSet::new());
        let going_on = Arc::clone(&beats);
        beating.spawn(async move { going_on.go_on().await });
        Self { engine: Arc::new(engine), own, gateway, beats, _beating: beating }
    }

    /// Counts and writes a request that is given up for what its client does.
    pub(super) fn refused(&self, client: Option<IpAddr>, refusal: Refusal) {
        self.gateway.metrics.refused(client.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), refusal);
    }

    /// Completes when the session of the request on this task no longer holds.
    pub(super) async fn over(&self) {
        let (session, beat) = poll_fn(|_| {
            let held = LEASH
                .with(|held| held.borrow().as_ref().map(|leash| (leash.session, self.beats.of(&leash.id))));
            held.map_or(Poll::Pending, Poll::Ready)
        })
        .await;
        // It held just now; what ends before the first look is answered, and not cut off. The first beat may come at once, so that is
        // at the second.
        beat.notified().await;
        loop {
            beat.notified().await;
            if !self.gateway.sessions.holds(session) {
                break;
            }
        }
        if let Some(leash) = LEASH.with(RefCell::take) {
            access_log::write_ended(&leash, &self.gateway.metrics);
        }
    }
}

#[async_trait]
impl HttpServerApp for Leashed {
    async fn process_new_http(
        self: &Arc<Self>,
        session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        let request = async {
            // The request first: when it is attached in this very turn, the leash sees it.
            tokio::select! {
                biased;
                next = self.engine.process_new_http(session, shutdown) => next,
                () = self.over() => None,
            }
        };
        LEASH.scope(RefCell::default(), request).await
    }

    fn h2_options(&self) -> Option<H2Options> {
        self.engine.h2_options()
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        self.engine.server_options()
    }

    async fn http_cleanup(&self) {
        self.engine.http_cleanup().await;
    }
}
