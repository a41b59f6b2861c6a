//! The way to the applications: [`Upstreams`] are all of them, an [`Upstream`] is one, with its servers. Named only with a
//! [`Permit`], which says which one: whoever has none can't choose, and nobody can take a permit for one to another.
//!
//! With one server there is nothing to choose and nothing to leave out: what a request costs here is the copy of its peer.

mod attempts;
mod checks;
mod choice;
mod line;
mod report;
mod server;
mod standing;
#[cfg(test)]
mod tests;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::header::{HOST, UPGRADE};
use pingora::http::RequestHeader;
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorType};
use tokio::task::JoinSet;

pub(super) use self::attempts::Attempts;
use self::attempts::{Budget, is_servers_fault};
pub(super) use self::attempts::{answered, is_safe_again, not_answered, not_connected};
pub use self::checks::Checks;
use self::choice::Choice;
pub(super) use self::line::Line;
pub use self::report::Seen;
use self::server::{Security, Server};
use self::standing::{Change, Standing, Tick};
use super::fields::Fields;
use super::options::{
    ApplicationOptions, Balance, CheckOptions, TunnelLimits, UpstreamOptions, UpstreamScheme,
};
use super::trailers::{CarryingConnector, Crossing};
use super::tunnels::Holder;
use super::upgrade::UpgradeConnector;
use crate::domain::UserId;
use crate::policy::{ApplicationId, Permit};

/// The key of connections that are not to be exchanged at all. Those of kept ones are 0, or have the highest bit.
static FRESH: AtomicU64 = AtomicU64::new(1);

/// The applications behind the gateway.
pub struct Upstreams {
    sites: Arc<Upstream>,
    routed: Vec<Arc<Upstream>>,
    tunnels: TunnelLimits,
}

impl Upstreams {
    /// Whose addresses are not known yet; see [`Self::look_up`]. What is known of servers that `before` has too stays known, but for
    /// what they said to another question.
    pub fn new(options: &UpstreamOptions, before: Option<&Self>) -> Self {
        let upstream = |options: &ApplicationOptions| {
            let known = before.and_then(|before| before.all().find(|known| known.name == options.name));
            let is_asked_alike = known.is_some_and(|known| known.check == options.check);
            Upstream::new(options.clone(), |name| {
                let mut servers = known.iter().flat_map(|known| &known.servers);
                let standing = &servers.find(|server| server.name == name)?.standing;
                if !is_asked_alike {
                    standing.forget_checks();
                }
                Some(Arc::clone(standing))
            })
        };
        Self {
            sites: upstream(&options.sites),
            routed: options.routed.iter().map(upstream).collect(),
            tunnels: options.tunnels,
        }
    }

    /// The one that a request may go to.
    pub(super) fn of(&self, permit: &Permit) -> &Arc<Upstream> {
        self.one(permit.application())
    }

    fn one(&self, id: ApplicationId) -> &Arc<Upstream> {
        id.route().and_then(|at| self.routed.get(at)).unwrap_or(&self.sites)
    }

    /// All of them, the site's first.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Upstream>> {
        std::iter::once(&self.sites).chain(&self.routed)
    }

    /// Whether any of their servers are asked how they are.
    pub fn has_checks(&self) -> bool {
        self.all().any(|upstream| upstream.check.is_some())
    }

    /// How many tunnels to them may be open.
    pub(super) const fn tunnels(&self) -> &TunnelLimits {
        &self.tunnels
    }

    /// Looks up all names. An application whose names take long does not keep the others waiting.
    pub async fn look_up(&self) {
        let mut running = JoinSet::new();
        for upstream in self.all().map(Arc::clone) {
            running.spawn(async move { upstream.look_up().await });
        }
        running.join_all().await;
    }
}

/// An application.
pub struct Upstream {
    name: String,
    servers: Vec<Server>,
    choice: Choice,
    balance: Balance,
    budget: Budget,
    security: ArcSwap<Security>,
    /// Whether it has been said that its files can't be used.
    is_stale: AtomicBool,
    check: Option<CheckOptions>,
    is_plain: bool,
}

/// Whose request it is, where that decides which server gets it.
#[derive(Clone, Copy)]
pub(super) struct Client {
    pub(super) member: Option<UserId>,
    pub(super) address: IpAddr,
}

impl Client {
    fn key(self, balance: Balance) -> [u8; 16] {
        let holder = match (balance, self.member) {
            (Balance::Turns, _) => return [0; 16],
            (Balance::Member, Some(member)) => Holder::Member(member),
            (Balance::Member, None) | (Balance::Address, _) => Holder::visitor(self.address),
        };
        match holder {
            Holder::Member(member) => member.0,
            Holder::Visitor(IpAddr::V4(address)) => address.to_ipv6_mapped().octets(),
            Holder::Visitor(IpAddr::V6(address)) => address.octets(),
        }
    }
}

impl Upstream {
    /// How often names are looked up again, and files read: containers move, and certificates are renewed.
    pub const LOOKUP_INTERVAL: Duration = Duration::from_secs(10);

    fn new(options: ApplicationOptions, known: impl Fn(&str) -> Option<Arc<Standing>>) -> Arc<Self> {
        let security = Security::new(&options);
        let standing = |name: &str| known(name).unwrap_or_default();
        let servers: Vec<_> = options
            .servers
            .iter()
            .map(|at| Server::new(at, &options, &security, standing(&at.place.to_string())))
            .collect();
        Arc::new(Self {
            is_plain: servers.iter().all(|server| server.place.scheme() == UpstreamScheme::Http),
            servers,
            choice: Choice::new(&options.servers, options.balance),
            balance: options.balance,
            budget: Budget::new(),
            security: ArcSwap::from_pointee(security),
            is_stale: AtomicBool::new(false),
            check: options.check,
            name: options.name,
        })
    }

    /// An application for requests of our own, with nothing known of its servers.
    pub(super) fn apart(options: &ApplicationOptions) -> Arc<Self> {
        Self::new(options.clone(), |_| None)
    }

    /// Looks its servers' names up. What can't be found is said, and keeps the addresses it had.
    async fn look_up(&self) {
        let security = self.security.load_full();
        for server in &self.servers {
            if let Err(error) = server.look_up(&security).await {
                if server.peer().is_none() {
                    tracing::warn!(target: "passgate::proxy", server = server.name, %error,
                        "an upstream's name can't be looked up yet; it gets no requests until it can");
                } else {
                    tracing::debug!(target: "passgate::proxy", server = server.name, %error,
                        "an upstream's name can't be looked up");
                }
            }
        }
    }

    /// Reads its certificates again. Where that fails it goes on with those it has.
    pub fn renew(&self) {
        match self.security.load().renewed() {
            Ok(None) => self.is_stale.store(false, Relaxed),
            Ok(Some(security)) => {
                self.servers.iter().for_each(|server| server.renew(&security));
                self.security.store(Arc::new(security));
                self.is_stale.store(false, Relaxed);
                tracing::info!(target: "passgate::proxy", application = self.name,
                    "the certificates for an upstream have been read again");
            }
            // Whoever renews them may be between two files; the next look tells.
            Err(why) if !self.is_stale.swap(true, Relaxed) => {
                tracing::warn!(target: "passgate::proxy", application = self.name, why,
                    "the changed certificates for an upstream can't be used; going on with the old");
            }
            Err(_) => {}
        }
    }

    /// Whether our connections to it carry plain HTTP; the engine's TLS is out of our sight.
    pub(super) const fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// The peer to connect to for a permitted request, which goes on to be the one for `attempts`.
    ///
    /// A request that may change something never goes out on a connection that had a request before: the application
    /// may be closing that one just now, and what was typed would be lost (SECURITY: REL-07).
    /// Neither does one that may have trailer fields: the connections they are carried on can't be kept.
    ///
    /// # Errors
    /// There is no server that could be tried: all checks say so, or no address is known.
    pub(super) fn peer(
        &self,
        _permit: &Permit,
        request: &RequestHeader,
        crossing: Option<&Crossing>,
        client: Client,
        attempts: &mut Attempts,
    ) -> pingora::Result<Box<HttpPeer>> {
        let server = attempts.server.or_else(|| self.pick(client, attempts));
        attempts.server = server;
        let peer = server.and_then(|at| self.servers.get(at)).and_then(Server::peer);
        let Some(mut peer) = peer else {
            return Err(
                Error::explain(ErrorType::ConnectNoRoute, "no server of the upstream is up").into_up()
            );
        };
        let is_upgrade = request.headers.contains_key(UPGRADE);
        if is_upgrade {
            peer.options.custom_l4 = Some(Arc::new(UpgradeConnector));
        }
        if let Some(crossing) = crossing {
            peer.options.custom_l4 = Some(Arc::new(CarryingConnector(crossing.clone())));
        }
        if is_upgrade || crossing.is_some() || !request.method.is_safe() {
            peer.group_key = FRESH.fetch_add(1, Relaxed);
            peer.options.idle_timeout = Some(Duration::ZERO);
        }
        Ok(peer)
    }

    /// The server that is to get a request. One whose checks fail gets none. One that could not be connected to gets some only if
    /// there is no other.
    fn pick(&self, client: Client, attempts: &Attempts) -> Option<usize> {
        let may_go = |at: usize| {
            let server = self.servers.get(at).filter(|_| !attempts.has_left(at));
            server.filter(|server| !server.standing.is_down() && server.is_found())
        };
        if let Choice::Only = self.choice {
            return may_go(0).map(|_| 0);
        }
        self.budget.earn();
        let (now, key) = (Tick::now(), client.key(self.balance));
        let admits = |at| may_go(at).is_some_and(|server| server.standing.admits(now));
        let before = attempts.last_left();
        self.choice
            .first(&key, before, admits)
            .or_else(|| self.choice.first(&key, before, |at| may_go(at).is_some()))
    }

    /// What becomes of a request whose server could not be connected to: nothing of it has been sent, so any may be tried elsewhere.
    pub(super) fn not_connected(
        &self,
        peer: &HttpPeer,
        mut error: Box<Error>,
        attempts: &mut Attempts,
    ) -> Box<Error> {
        let Some((at, server)) = attempts.server.and_then(|at| Some((at, self.servers.get(at)?))) else {
            error.set_retry(false);
            return error;
        };
        let is_servers_fault = is_servers_fault(&error);
        if !is_servers_fault {
            error = Error::because(ErrorType::ConnectError, "connecting to the application", error);
        }
        attempts.addresses += 1;
        let mut may_retry = is_servers_fault && server.pass_over(peer, attempts.addresses);
        if !may_retry {
            if is_servers_fault {
                self.tell(server, server.standing.failed(Tick::now()), "can't be connected to");
            }
            attempts.leave(at);
            may_retry = (0..self.servers.len()).any(|at| !attempts.has_left(at));
        }
        error.set_retry(may_retry);
        error
    }

    /// Whether a request that was sent to a server on a new connection may be sent to another one.
    fn may_resend(&self, attempts: &mut Attempts) -> bool {
        if let Some(at) = attempts.server {
            attempts.leave(at);
        }
        let is_another =
            |at| !attempts.has_left(at) && self.servers.get(at).is_some_and(|it| it.standing.is_up());
        (0..self.servers.len()).any(is_another) && attempts.may_resend() && self.budget.spend()
    }

    /// Notes that a request's server has answered.
    pub(super) fn answered(&self, attempts: &Attempts) {
        if let Some(server) = attempts.server.and_then(|at| self.servers.get(at)) {
            self.tell(server, server.standing.answered(), "answers again");
        }
    }

    /// Notes that a request's server was too slow. What comes after the head of an answer says nothing of the server: a long poll
    /// or a tunnel may be silent.
    fn not_in_time(&self, attempts: &Attempts) {
        let server = attempts.server.filter(|_| !attempts.is_answered);
        if let Some(server) = server.and_then(|at| self.servers.get(at)) {
            self.tell(server, server.standing.too_slow(Tick::now()), "does not answer in time");
        }
    }

    fn tell(&self, server: &Server, change: Change, what: &str) {
        let (application, server) = (self.name.as_str(), server.name.as_str());
        match change {
            Change::None => {}
            Change::Lost => {
                tracing::warn!(target: "passgate::proxy", application, server, "the server {what}")
            }
            Change::Back => {
                tracing::info!(target: "passgate::proxy", application, server, "the server {what}")
            }
        }
    }

    /// Writes the `Host` field the application is to see; by default the client's stays as it is.
    pub(super) fn write_host(&self, request: &mut impl Fields, attempts: &Attempts) -> pingora::Result<()> {
        let server = attempts.server.and_then(|at| self.servers.get(at));
        match server.and_then(|server| server.host_header.as_ref()) {
            None => Ok(()),
            Some(host) => request.set_as(&HOST, "Host", host.as_bytes()),
        }
    }

    /// Takes addresses over for its first server.
    #[cfg(test)]
    pub(crate) fn found(&self, found: Vec<std::net::SocketAddr>) {
        if let Some(server) = self.servers.first() {
            server.found(found, &self.security.load());
        }
    }

    /// The peers for a connection of our own, of the server for this address first, each of its addresses; looked up anew.
    pub(super) async fn peers(&self, address: IpAddr) -> io::Result<Vec<HttpPeer>> {
        self.renew();
        let security = self.security.load_full();
        let mut looked_up = Ok(());
        for server in &self.servers {
            looked_up = server.look_up(&security).await.and(looked_up);
        }
        let mut attempts = Attempts::default();
        let mut peers = Vec::new();
        while let Some(at) = self.pick(Client { member: None, address }, &attempts) {
            attempts.leave(at);
            peers.extend(self.servers.get(at).iter().flat_map(|server| server.peers().to_vec()));
        }
        if peers.is_empty() {
            looked_up?;
        }
        Ok(peers)
    }
}
