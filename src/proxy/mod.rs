//! Floor 3: the adapter to pingora, the engine that carries requests. Each phase is a few lines; what it decides comes
//! from `policy`, what it shows from `web`.
//!
//! The phases of one request, in order: [`ProxyHttp::request_filter`] reads the facts, looks up the session, asks the
//! policy, and either answers here or keeps the [`Permit`]; `upstream_peer` and `upstream_request_filter` demand that
//! permit; `response_filter` rewrites what comes back; `logging` writes the one event. A plain question over HTTP/1.1 is weighed
//! and rewritten by the same functions, without the engine, in `conversation` and `exchange`.
//!
//! [`Permit`]: crate::policy::Permit

mod access_log;
mod answers;
mod app_passwords;
mod asker;
mod bridge;
mod challenges;
mod connection;
mod context;
mod conversation;
mod dial;
mod exchange;
mod facts;
mod failure;
mod fields;
mod flood;
mod forward_auth;
mod forwarded;
mod frames;
mod headers;
mod http2;
mod in_the_clear;
mod kept;
mod known;
mod leash;
mod lines;
pub mod options;
mod own;
mod reply;
mod rules;
mod secured;
mod trailers;
mod tunnels;
mod unasked;
mod upgrade;
mod upstream;
mod wire;

pub use access_log::Metrics;
pub use bridge::ForumRules;
pub use challenges::HttpChallenges;
pub use connection::{Connection, Crowd, Manners};
pub use context::RequestContext;
pub use dial::UpstreamDial;
pub use fields::Fields;
pub use forwarded::{PublicOrigin, TrustedProxies};
pub use headers::HeaderRules;
pub use rules::Rules;
pub use secured::Secured;
pub use upstream::{Checks, Seen, Upstream, Upstreams};

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use bytes::Bytes;
use http::Version;
use http::header::{SET_COOKIE, TRANSFER_ENCODING};
use pingora::Error;
use pingora::apps::ServerApp;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::modules::http::HttpModules;
use pingora::proxy::{FailToProxy, ProxyHttp, Session};
use pingora::server::configuration::ServerConf;
use pingora::upstreams::peer::HttpPeer;

use self::context::{Outcome, RequestIds};
use self::exchange::Exchange;
use self::facts::Parsed;
use self::http2::Front;
use self::known::{Known, cookie_fields};
use self::leash::Leashed;
use self::options::{ConnectionLimits, UpstreamOptions};
use self::trailers::Crossing;
use self::tunnels::{Holder, Tunnels};
use self::upstream::Attempts;
use crate::auth::Sessions;
use crate::auth::throttle::Throttle;
use crate::domain::Clock;
use crate::policy::{Decision, Permit, Refusal, RequestFacts};
use crate::web::{Member, Problem, Visit, is_well_known};

/// The gateway: rules, sessions, and the four acts.
pub struct Gateway {
    rules: ArcSwap<Rules>,
    sessions: Arc<Sessions>,
    throttle: Arc<Throttle>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    tunnels: Arc<Tunnels>,
    challenges: Arc<HttpChallenges>,
    ids: RequestIds,
}

impl Gateway {
    /// What is left of a request's body after our answer is read for this long, then the connection is closed.
    const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

    /// A gateway with these rules.
    pub fn new(
        rules: Rules,
        sessions: Arc<Sessions>,
        throttle: Arc<Throttle>,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let (rules, tunnels, challenges) = (ArcSwap::from_pointee(rules), Arc::default(), Arc::default());
        Self { rules, sessions, throttle, clock, metrics, tunnels, challenges, ids: RequestIds::new() }
    }

    /// The engine that carries this gateway's requests to `upstream`. What it takes at its start holds to its end: how many unused
    /// connections are kept, how patient it is.
    pub fn engine(
        self: &Arc<Self>,
        upstream: &UpstreamOptions,
        limits: ConnectionLimits,
    ) -> impl ServerApp + Send + Sync + use<> {
        let conf = ServerConf {
            upstream_keepalive_pool_size: upstream.pool_size,
            max_retries: Attempts::MOST,
            ..ServerConf::default()
        };
        let engine = Engine(Arc::clone(self), Arc::new(Exchange::new(&conf)));
        let mut proxy = pingora::proxy::http_proxy(&Arc::new(conf), engine.clone());
        proxy.h2_options = Some(http2::options());
        proxy.server_options = Some(http2::server_options(&limits));
        Front::new(Leashed::new(proxy, engine, Arc::clone(self)), limits)
    }

    /// Puts new rules into force for every request that begins from now on.
    pub fn replace_rules(&self, rules: Rules) {
        self.rules.store(Arc::new(rules));
    }

    /// Whether an address is that of one of our own proxies, which bring many clients.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.rules.load().trusted.contains(address.to_canonical())
    }

    /// The rules in force.
    pub fn rules(&self) -> Arc<Rules> {
        self.rules.load_full()
    }

    /// Facts, session, policy: who asks, and which of the acts it comes to.
    fn weigh(&self, request: &RequestHeader, raw: &[u8], ctx: &mut RequestContext) -> (Known, Judged) {
        let rules = Arc::clone(&ctx.rules);
        let known = self.known(request, &rules.cookies);
        let parsed = facts::parse(request, raw);
        if let Some((outcome, response)) = self.in_the_clear(&parsed, request, ctx) {
            return (known, Judged::Answered(outcome, Box::new(response)));
        }
        let (known, judged) = match parsed {
            Ok(parsed) if !ctx.may_ask(&parsed.host, request.version) => {
                (known, Judged::Refused(Problem::UnknownHost))
            }
            Ok(parsed) => match self.or_program(known, request, &parsed, ctx) {
                Ok(known) => {
                    let judged = self.judge(&rules, request, parsed, &known);
                    (known, judged)
                }
                Err(problem) => (Known::Nobody, Judged::Refused(problem)),
            },
            Err(problem) => (known, Judged::Refused(problem)),
        };
        ctx.member = known.live().map(|live| live.user());
        let judged = self.placed(judged, request, ctx, &known);
        (known, judged)
    }

    /// From here on the request is the application's.
    fn let_pass(
        &self,
        request: &RequestHeader,
        ctx: &mut RequestContext,
        permit: Permit,
        rewritten: Option<Vec<u8>>,
        known: &Known,
    ) {
        ctx.outcome = Outcome::Forwarded;
        (ctx.permit, ctx.rewritten) = (Some(permit), rewritten);
        if let Some(live) = known.live() {
            leash::attach(request, ctx, live);
        }
    }

    /// One of the acts. Returns whether a response has been written.
    async fn handle(&self, session: &mut Session, ctx: &mut RequestContext) -> pingora::Result<bool> {
        let rules = Arc::clone(&ctx.rules);
        let raw = session.as_http1().map(|session| session.get_headers_raw_bytes()).unwrap_or_default();
        let (known, judged) = self.weigh(session.req_header(), &raw, ctx);
        match judged {
            Judged::Forwarded(permit, rewritten) => {
                let answer = match self.at_forum(session, ctx, &permit, &known).await {
                    None => self.before_forwarding(session, ctx, &permit, &known).await,
                    answer => answer,
                };
                if let Some(response) = answer {
                    return own::respond(session, response).await.map(|()| true);
                }
                ctx.crossing = Crossing::begin(session, &rules.headers, rules.upstreams.of(&permit));
                self.let_pass(session.req_header(), ctx, permit, rewritten, &known);
                Ok(false)
            }
            Judged::Answered(outcome, response) => {
                ctx.outcome = outcome;
                own::respond(session, *response).await.map(|()| true)
            }
            Judged::Moved(location) => {
                ctx.outcome = Outcome::Own;
                own::respond(session, rules.web.moved(&location)).await.map(|()| true)
            }
            Judged::Own(target) => self.serve_own(session, ctx, &target, known).await.map(|()| true),
            Judged::SignIn(target, reason) => {
                ctx.outcome = Outcome::SignIn;
                let mut response = self.sign_in_first(session, ctx, &target, reason, &known).await;
                app_passwords::invite(&mut response, &session.req_header().headers, ctx);
                own::respond(session, response).await.map(|()| true)
            }
            Judged::Refused(problem) => {
                ctx.outcome = Outcome::Failed(problem);
                let response = rules.web.problem(problem, ctx.audience, &visit(ctx, &known));
                own::respond(session, response).await.map(|()| true)
            }
        }
    }

    fn judge(&self, rules: &Rules, request: &RequestHeader, parsed: Parsed<'_>, known: &Known) -> Judged {
        let Parsed { host, path, is_canonical } = parsed;
        let facts = RequestFacts { host: &host, path: &path, method: &request.method };
        let profile = known.live().map(|live| live.profile());
        let member = known.live().zip(profile.as_ref()).map(|(live, profile)| live.presence(profile));
        match rules.policy.decide(&facts, member, self.clock.now()) {
            Decision::Refuse(Refusal::UnknownHost) => rules.elsewhere(&facts),
            _ if is_well_known(&path) => Judged::Own(path.target().into_owned()),
            Decision::Forward(_) if rules.refuse_worker(&request.headers) => {
                Judged::Refused(Problem::ServiceWorker)
            }
            Decision::Forward(_) if rules.is_foreign_tunnel(request) => {
                Judged::Refused(Problem::ForeignTunnel)
            }
            Decision::Forward(permit) => {
                Judged::Forwarded(permit, (!is_canonical).then(|| path.target().into_owned().into_bytes()))
            }
            Decision::ServeOwn => Judged::Own(path.target().into_owned()),
            Decision::SignIn(reason) => Judged::SignIn(path.target().into_owned(), reason),
            Decision::Refuse(refusal) => Judged::Refused(Problem::from(refusal)),
        }
    }

    /// As judged, unless a tunnel is asked for and no place is left.
    fn placed(
        &self,
        judged: Judged,
        request: &RequestHeader,
        ctx: &mut RequestContext,
        known: &Known,
    ) -> Judged {
        if !matches!(judged, Judged::Forwarded(..)) || !tunnels::is_asked_for(request) {
            return judged;
        }
        let live = known.live();
        let holder =
            live.map_or_else(|| Holder::visitor(ctx.origin.client), |live| Holder::Member(live.user()));
        let limits = ctx.rules.upstreams.tunnels();
        ctx.tunnel = self.tunnels.open(holder, live.map(|live| live.id()), limits);
        if ctx.tunnel.is_some() { judged } else { Judged::Refused(Problem::Busy) }
    }
}

/// What a request came to.
enum Judged {
    Answered(Outcome, Box<http::Response<Bytes>>),
    Forwarded(Permit, Option<Vec<u8>>),
    Moved(String),
    Own(String),
    Refused(Problem),
    SignIn(String, crate::policy::SignInReason),
}

/// The connection that a request of HTTP/1 came on. The engine takes any stream; ours come from our accept loop.
fn connection(session: &Session) -> Option<&Connection> {
    (**session.as_http1()?.stream()).as_any().downcast_ref()
}

fn visit<'v>(ctx: &'v RequestContext, known: &'v Known) -> Visit<'v> {
    let member = known.session().map(|(token, session)| Member { token, session });
    Visit { request_id: ctx.id.as_str(), client: ctx.origin.client, member }
}

/// A [`Gateway`] as the engine's phases.
#[derive(Clone)]
struct Engine(Arc<Gateway>, Arc<Exchange>);

#[async_trait]
impl ProxyHttp for Engine {
    type CTX = RequestContext;

    fn new_ctx(&self) -> RequestContext {
        RequestContext::new(self.0.rules.load_full(), self.0.ids.next())
    }

    /// No modules: bodies pass as they are, compressed or not.
    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    async fn request_filter(&self, session: &mut Session, ctx: &mut RequestContext) -> pingora::Result<bool> {
        session.set_total_drain_timeout(Some(Gateway::DRAIN_TIMEOUT));
        http2::take_in(session.req_header_mut())?;
        let peer = session.client_addr().and_then(|address| address.as_inet()).map(std::net::SocketAddr::ip);
        ctx.begin(session.req_header(), peer, secured::of(session));
        self.0.handle(session, ctx).await
    }

    /// Questions are carried here; with the rest the engine goes on.
    async fn proxy_upstream_filter(
        &self,
        session: &mut Session,
        ctx: &mut RequestContext,
    ) -> pingora::Result<bool> {
        if !Exchange::may_carry(session, ctx) {
            return Ok(true);
        }
        self.carry(session, ctx).await.map(|()| false)
    }

    async fn upstream_peer(
        &self,
        session: &mut Session,
        ctx: &mut RequestContext,
    ) -> pingora::Result<Box<HttpPeer>> {
        Self::peer(session.req_header(), ctx)
    }

    fn fail_to_connect(
        &self,
        _session: &mut Session,
        peer: &HttpPeer,
        ctx: &mut RequestContext,
        error: Box<Error>,
    ) -> Box<Error> {
        upstream::not_connected(peer, error, ctx, &self.0.metrics)
    }

    fn error_while_proxy(
        &self,
        _peer: &HttpPeer,
        session: &mut Session,
        error: Box<Error>,
        ctx: &mut RequestContext,
        is_reused: bool,
    ) -> Box<Error> {
        let is_safe_again = upstream::is_safe_again(&error, session);
        upstream::not_answered(error, is_safe_again, ctx, is_reused, &self.0.metrics)
    }

    /// The engine has dropped hop-by-hop and nominated fields by now.
    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        upstream: &mut RequestHeader,
        ctx: &mut RequestContext,
    ) -> pingora::Result<()> {
        http2::body_is_waited_for();
        self.introduce(session.req_header(), upstream, ctx)?;
        if let Some(crossing) = &ctx.crossing {
            crossing.announce(upstream, session.req_header())?;
        }
        if let Some(target) = &ctx.rewritten {
            upstream.set_raw_path(target)?;
        }
        if let Some(replay) = &mut ctx.replay {
            replay.write_header(upstream)?;
        }
        Ok(())
    }

    /// A kept form goes in place of the request's own body.
    async fn request_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        ctx: &mut RequestContext,
    ) -> pingora::Result<()> {
        http2::body_came(body.as_ref().map_or(0, Bytes::len), end_of_stream);
        if let Some(replay) = &mut ctx.replay {
            *body = Some(if end_of_stream { replay.take_body() } else { Bytes::new() });
        }
        bridge::read_form(ctx, body.as_ref(), end_of_stream);
        if let Some(session) = ctx.tunnel.as_ref().and_then(|tunnel| tunnel.session)
            && body.as_ref().is_some_and(|bytes| !bytes.is_empty())
        {
            self.0.sessions.used(session);
        }
        Ok(())
    }

    async fn upstream_response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        ctx: &mut RequestContext,
    ) -> pingora::Result<()> {
        upstream::answered(ctx);
        let (status, version) = (response.status, response.version);
        answers::judge(session.req_header(), status, version, response, &mut ctx.interim)
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        ctx: &mut RequestContext,
    ) -> pingora::Result<()> {
        // Clients of HTTP/1.0 can't read chunks; without them the body ends with the connection.
        let is_old = session.req_header().version < Version::HTTP_11;
        if is_old && response.remove_header(&TRANSFER_ENCODING).is_some() {
            session.set_keepalive(None);
        }
        self.pass_back(response, response.status, ctx).await?;
        if ctx.replay.is_some() {
            response.append_header(SET_COOKIE, ctx.rules.web.clear_send())?;
        }
        Ok(())
    }

    fn response_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        end_of_stream: bool,
        ctx: &mut RequestContext,
    ) -> pingora::Result<Option<Duration>> {
        bridge::watch(ctx, body.as_deref(), end_of_stream);
        Ok(None)
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        ctx: &mut RequestContext,
    ) -> FailToProxy {
        let problem = failure::problem_of(error);
        let is_answered =
            session.response_written().is_some_and(|written| !written.status.is_informational());
        if let Some(replay) = ctx.replay.take()
            && !is_answered
        {
            replay.put_back(ctx);
        }
        ctx.outcome = problem.map_or(ctx.outcome, Outcome::Failed);
        let mut error_code = 0;
        if let Some(problem) = problem
            && !is_answered
        {
            let response = ctx.rules.web.problem(problem, ctx.audience, &visit(ctx, &Known::Nobody));
            error_code = response.status().as_u16();
            session.set_keepalive(None);
            // The visitor may be gone; there is nobody else to tell.
            let _ = own::respond(session, response).await;
        }
        FailToProxy { error_code, can_reuse_downstream: false }
    }

    /// The engine's own line would hold the request's target; `logging` writes ours.
    fn suppress_error_log(&self, _session: &Session, _ctx: &RequestContext, _error: &Error) -> bool {
        true
    }

    async fn logging(&self, session: &mut Session, error: Option<&Error>, ctx: &mut RequestContext) {
        access_log::write(&access_log::Seen::of(session), error, ctx, &self.0.metrics);
    }
}
