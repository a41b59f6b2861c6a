//! The composition root: from a configuration to a running gateway. The only place that wires things together.

mod forum;
mod mail;
mod reload;
mod required;
mod second_factors;
mod tls;
mod upstreams;

use self::forum::{AtForum, accounts_at};
pub use self::reload::Reloader;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::auth::joining::Invitations;
use crate::auth::mail::MailQueue;
use crate::auth::passkeys::{PasskeyOptions, Passkeys, Pending};
use crate::auth::second_factors::SecondFactors;
use crate::auth::throttle::Throttle;
use crate::auth::{Accounts, Cookies, KeptForms, Passwords, Sessions, SignIn, Tally};
use crate::bridge::VaultError;
use crate::config::Config;
use crate::domain::{Clock, User};
use crate::proxy::{
    ForumRules, Gateway, HeaderRules, Manners, Metrics, PublicOrigin, Rules, TrustedProxies, Upstreams,
};
use crate::seal::KeyFileError;
use crate::server::options::StoreOptions;
use crate::server::{
    Acme, Admin, Admission, Backups, BindError, Door, Entrance, Look, Renewal, Stopping, Tls, TlsError,
    accept, bind, serve_admin,
};
use crate::store::{MemoryStore, SledStore, Store, StoreError};
use crate::web::{PagesError, PasskeyCounts, Web, WebParts};

/// Why a gateway could not be built or started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A port is taken or forbidden.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Mail can't be sent as the configuration wants it.
    #[error("{0}")]
    Mail(String),
    /// Counters could not be registered.
    #[error("can't register the metrics: {0}")]
    Metrics(String),
    /// The key of second factors can't be used.
    #[error(transparent)]
    SecondFactors(#[from] KeyFileError),
    /// The key of the forum passwords can't be used.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The relying party of `[passkeys]` does not fit.
    #[error("{0}")]
    Passkeys(String),
    /// A template of our pages is broken.
    #[error(transparent)]
    Pages(#[from] PagesError),
    /// The store could not be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// TLS can't be spoken.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// What works on accounts and sessions, whether or not requests are served.
#[derive(Clone)]
pub struct Services {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// Live sessions.
    pub sessions: Arc<Sessions>,
    /// Management of accounts.
    pub accounts: Arc<Accounts>,
    /// The ways in.
    pub sign_in: Arc<SignIn>,
    /// How often anybody may try to get in.
    pub throttle: Arc<Throttle>,
    /// What is asked beside passwords.
    pub second_factors: Arc<SecondFactors>,
    /// Forms that came too late.
    pub kept: Arc<KeptForms>,
    /// Mails to members.
    pub mail: Arc<MailQueue>,
    /// What became of passkeys' ceremonies since the start.
    pub passkey_counts: Arc<PasskeyCounts>,
    /// What strangers make happen, for the audit log.
    pub tally: Arc<Tally>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What a reload of the passkeys' options leaves as it is.
    pending: Arc<Pending>,
    /// Members' sessions at the forum, for as long as it is the same forum.
    forum: Arc<Mutex<Option<AtForum>>>,
}

impl Services {
    /// Opens the store and reads the accounts and sessions. Takes as long as there are of them; blocks.
    pub fn open(config: &Config, clock: Arc<dyn Clock>) -> Result<Self, StartError> {
        let passwords = Arc::new(Passwords::new(config.hashing, config.hashing_workers));
        let mut expect = |user: &User| user.password.iter().for_each(|stored| passwords.expect(stored));
        let store: Arc<dyn Store> = match &config.store {
            StoreOptions::Memory => Arc::new(MemoryStore::new()),
            StoreOptions::Sled { path, cache_bytes, .. } => {
                Arc::new(SledStore::open_seeing(path, *cache_bytes, &mut expect)?)
            }
        };
        let sessions = Sessions::open(Arc::clone(&store), Arc::clone(&clock), config.lifetimes)?;
        let sessions = Arc::new(sessions);
        sessions.set_most(config.max_per_member);
        let accounts = Arc::new(Accounts::new(
            Arc::clone(&store),
            Arc::clone(&sessions),
            Arc::clone(&passwords),
            Arc::clone(&clock),
            config.password,
        ));
        let throttle = Arc::new(Throttle::open(config.throttle, Arc::clone(&store), Arc::clone(&clock))?);
        let second_factors = Arc::new(Self::second_factors(config, &store, &sessions, &clock)?);
        let sign_in = Arc::new(SignIn::new(
            Arc::clone(&store),
            Arc::clone(&sessions),
            passwords,
            Arc::clone(&throttle),
            Arc::clone(&second_factors),
            Arc::clone(&clock),
        ));
        let pending = Arc::new(Pending::new(&clock));
        let folder = match &config.store {
            StoreOptions::Memory => None,
            StoreOptions::Sled { .. } => Some(config.server.data_dir.join("kept")),
        };
        let kept = Arc::new(KeptForms::new(Arc::clone(&clock), folder));
        let mail = Arc::new(MailQueue::open(Arc::clone(&store), Arc::clone(&clock))?);
        let forum: Arc<Mutex<Option<AtForum>>> = Arc::default();
        let at_forum = Arc::clone(&forum);
        sessions.tell(move |session| {
            accounts_at(&at_forum).iter().for_each(|accounts| accounts.forget(&session))
        });
        Ok(Self {
            store,
            sessions,
            accounts,
            sign_in,
            throttle,
            second_factors,
            kept,
            mail,
            passkey_counts: Arc::default(),
            tally: Arc::default(),
            clock,
            pending,
            forum,
        })
    }

    fn passkeys(&self, options: PasskeyOptions) -> Result<Arc<Passkeys>, StartError> {
        let Self { store, sessions, clock, pending, .. } = self.clone();
        Passkeys::new(options, pending, store, sessions, clock).map(Arc::new).map_err(StartError::Passkeys)
    }

    /// What a reload replaces, from `config`; what is known of the servers there were `before` stays known.
    fn rules(&self, config: &Config, before: Option<&Upstreams>) -> Result<Rules, StartError> {
        // The cookie stays longer than the session, so that a form sent just after its end is still known as its member's.
        let cookies = Cookies::new(config.transport, config.lifetimes.remember + Sessions::REMEMBERED);
        let passkeys = config.passkeys.clone().map(|options| self.passkeys(options)).transpose()?;
        let forum = self.at_forum(config)?;
        let web = Web::new(WebParts {
            options: config.pages.clone(),
            prefix: config.prefix.clone(),
            origins: config.origins.clone(),
            hsts: config.proxy.hsts.clone(),
            cookies: cookies.clone(),
            methods: config.policy.methods().to_vec(),
            sign_in: Arc::clone(&self.sign_in),
            accounts: Arc::clone(&self.accounts),
            invitations: Invitations::new(Arc::clone(&self.store), Arc::clone(&self.clock)),
            joining: config.joining.clone(),
            kept: Arc::clone(&self.kept),
            keep_forms: config.keep_forms,
            self_delete: config.self_delete,
            app_passwords: config.app_passwords.clone(),
            passkeys,
            throttle: Arc::clone(&self.throttle),
            second_factors: Arc::clone(&self.second_factors),
            passkey_counts: Arc::clone(&self.passkey_counts),
            tally: Arc::clone(&self.tally),
            forum: forum.clone(),
            mail: config.mail.as_ref().map(|_| Arc::clone(&self.mail)),
            sessions: Arc::clone(&self.sessions),
            clock: Arc::clone(&self.clock),
        })?;
        let url = &config.server.public_url;
        let public = PublicOrigin {
            proto: if url.scheme() == "https" { "https" } else { "http" },
            origin: url.origin().ascii_serialization(),
            port: url.port_or_known_default().unwrap_or(443).to_string(),
        };
        self.mail.set_courier(mail::courier(config)?);
        Ok(Rules {
            policy: config.policy.clone(),
            headers: Arc::new(HeaderRules::new(
                config.proxy.identity.clone(),
                cookies.clone(),
                config.proxy.hsts.clone(),
                config.proxy.webauthn,
            )),
            cookies,
            web,
            upstreams: Arc::new(Upstreams::new(&config.proxy.upstream, before)),
            trusted: TrustedProxies::new(config.proxy.trusted_proxies.clone()),
            aliases: config.aliases.clone(),
            public,
            service_workers: config.proxy.service_workers,
            plain_http: config.proxy.plain_http,
            app_passwords: config.app_passwords.clone(),
            forum: config.forum.clone().map(|it| ForumRules::new(it, forum, config.forum_application)),
        })
    }
}

/// Sockets that are bound already. Tests bind port 0 and put the port they got into the configuration.
pub struct Sockets {
    /// Where members' requests arrive.
    pub public: Vec<TcpListener>,
    /// Where they arrive over TLS.
    pub tls: Vec<TcpListener>,
    /// Where metrics and health are.
    pub admin: Option<TcpListener>,
}

impl Sockets {
    /// Binds what the configuration names.
    pub fn bind(config: &Config) -> Result<Self, BindError> {
        let all = |addresses: &[SocketAddr]| addresses.iter().map(|address| bind(*address)).collect();
        let tls = config.tls.as_ref().map_or(Ok(Vec::new()), |tls| all(&tls.listen))?;
        Ok(Self {
            public: all(&config.server.listen)?,
            tls,
            admin: config.server.admin_listen.map(bind).transpose()?,
        })
    }

    /// The addresses of the public sockets without TLS, their ports known.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.public.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// Those with TLS.
    pub fn tls_addresses(&self) -> Vec<SocketAddr> {
        self.tls.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }
}

/// A gateway that serves. Dropping it ends it at once; [`Running::stop`] lets requests finish.
pub struct Running {
    /// Accounts and sessions.
    pub services: Services,
    /// Where members' requests arrive.
    pub addresses: Vec<SocketAddr>,
    /// Where they arrive over TLS.
    pub tls_addresses: Vec<SocketAddr>,
    /// Where metrics and health are.
    pub admin_address: Option<SocketAddr>,
    gateway: Arc<Gateway>,
    tls: Option<Arc<Tls>>,
    acme: Option<Arc<Acme>>,
    started_with: Arc<Config>,
    stop: watch::Sender<bool>,
    stopping: Stopping,
    tasks: JoinSet<()>,
    /// Sends mails; ends by itself when stopping begins.
    postman: JoinSet<()>,
}

impl Running {
    /// Serves on `sockets`. The first lookup of the application's name is done when this returns.
    pub async fn start(config: &Config, services: Services, sockets: Sockets) -> Result<Self, StartError> {
        let rules = services.rules(config, None)?;
        rules.upstreams.look_up().await;
        let metrics = Arc::new(Metrics::new().map_err(|error| StartError::Metrics(error.to_string()))?);
        let gateway = Arc::new(Gateway::new(
            rules,
            Arc::clone(&services.sessions),
            Arc::clone(&services.throttle),
            Arc::clone(&services.clock),
            Arc::clone(&metrics),
        ));
        let tls = config.tls.clone().map(Tls::new).transpose()?.map(Arc::new);
        let (stop, signal) = watch::channel(false);
        let mut running = Self {
            addresses: sockets.addresses(),
            tls_addresses: sockets.tls_addresses(),
            acme: tls.as_ref().map(|tls| tls::acme(config, tls, &gateway, &services.clock)),
            tls,
            admin_address: sockets.admin.as_ref().and_then(|listener| listener.local_addr().ok()),
            stopping: Stopping::new(signal.clone()),
            tasks: JoinSet::new(),
            postman: JoinSet::new(),
            started_with: Arc::new(config.clone()),
            gateway,
            services,
            stop,
        };
        running.spawn_listeners(config, sockets, metrics);
        running.spawn_upkeep();
        let mail = Arc::clone(&running.services.mail);
        running.postman.spawn(async move { mail.run(signal).await });
        if let StoreOptions::Sled { backups: Some(options), .. } = &config.store {
            let (store, clock) = (Arc::clone(&running.services.store), Arc::clone(&running.services.clock));
            running.tasks.spawn(Backups::new(options.clone(), store, clock).keep());
        }
        Ok(running)
    }

    fn spawn_listeners(&mut self, config: &Config, sockets: Sockets, metrics: Arc<Metrics>) {
        let limits = config.proxy.connections;
        let engine = Arc::new(self.gateway.engine(&config.proxy.upstream, limits));
        let entrance = Arc::new(Entrance {
            gateway: Arc::clone(&self.gateway),
            admission: Admission::new(&limits),
            manners: Manners::new(limits, Arc::clone(&metrics)),
            proxy_protocol: config.server.proxy_protocol,
        });
        let tls = self.tls.clone().map(Door::Tls);
        let plain = sockets.public.into_iter().map(|listener| (listener, Door::Open));
        let over_tls = sockets.tls.into_iter().filter_map(|listener| Some((listener, tls.clone()?)));
        for (listener, door) in plain.chain(over_tls) {
            let (engine, entrance) = (Arc::clone(&engine), Arc::clone(&entrance));
            self.tasks.spawn(accept(listener, door, entrance, engine, self.stopping.clone()));
        }
        if let Some(listener) = sockets.admin {
            let admin = Admin {
                gateway: Arc::clone(&self.gateway),
                metrics,
                passkey_counts: Arc::clone(&self.services.passkey_counts),
                throttle: Arc::clone(&self.services.throttle),
                mail: Arc::clone(&self.services.mail),
                tls: self.tls.clone(),
                acme: self.acme.clone(),
                sessions: Arc::clone(&self.services.sessions),
                store: Arc::clone(&self.services.store),
            };
            self.tasks.spawn(serve_admin(listener, Arc::new(admin), self.stopping.clone()));
        }
    }

    /// Once a minute sessions and kept forms are swept, what strangers did is summed up, and certificates are looked at; each second wrong tries are written down; for the
    /// applications see [`upstreams::keep`].
    fn spawn_upkeep(&mut self) {
        if let Some(tls) = self.tls.clone() {
            self.tasks.spawn(tls::keep(tls, Arc::clone(&self.services.clock)));
        }
        if let Some(acme) = self.acme.clone() {
            self.tasks.spawn(acme.keep());
        }
        let services = self.services.clone();
        let accounts = Arc::clone(&services.accounts);
        let (sessions, kept) = (Arc::clone(&services.sessions), Arc::clone(&services.kept));
        self.tasks.spawn(async move {
            let mut minute = tokio::time::interval(Duration::from_secs(60));
            loop {
                minute.tick().await;
                kept.sweep();
                services.second_factors.sweep();
                services.tally.sum_up();
                if let Some(forum) = services.forum_accounts() {
                    forum.keep(|session| sessions.knows(*session));
                }
                accounts.sweep_applicants().await;
                if let Err(error) = sessions.sweep().await {
                    tracing::error!(target: "passgate::store", %error, "can't write down the use of sessions");
                }
            }
        });
        let throttle = Arc::clone(&self.services.throttle);
        self.tasks.spawn(async move {
            let mut second = tokio::time::interval(Duration::from_secs(1));
            let mut is_failing = false;
            loop {
                second.tick().await;
                // Each is said once: a full disk is to find no log that grows each second.
                match throttle.flush().await {
                    Err(error) if !is_failing => {
                        is_failing = true;
                        tracing::error!(target: "passgate::store", %error, "can't write down wrong tries");
                    }
                    Ok(()) if is_failing => {
                        is_failing = false;
                        tracing::info!(target: "passgate::store", "wrong tries are written down again");
                    }
                    Ok(()) | Err(_) => {}
                }
            }
        });
        self.tasks.spawn(upstreams::keep(Arc::clone(&self.gateway)));
    }

    /// Puts what can change while serving into force: access rules, pages, header names, upstream, trusted proxies,
    /// session lifetimes. Nobody is signed out.
    ///
    /// Returns the keys whose change counts only from the next start on.
    pub async fn reload(&self, config: &Config) -> Result<Vec<&'static str>, StartError> {
        self.reloader().reload(config).await
    }

    /// A handle for whoever answers the `reload` command.
    pub fn reloader(&self) -> Reloader {
        let (services, gateway) = (self.services.clone(), Arc::clone(&self.gateway));
        let (tls, acme) = (self.tls.clone(), self.acme.clone());
        Reloader { services, gateway, tls, acme, started_with: Arc::clone(&self.started_with) }
    }

    /// Looks for renewed certificates now, as is done once a minute; none without TLS of our own.
    pub fn renew_certificates(&self) -> Option<Renewal> {
        self.tls.as_ref().map(|tls| tls.renew())
    }

    /// Orders a certificate now if it is time for one, as is done once a minute; none without TLS of our own.
    pub async fn order_certificates(&self) -> Option<Look> {
        match &self.acme {
            Some(acme) => Some(acme.look().await),
            None => None,
        }
    }

    /// Follows the signal to stop, for tasks beside this one.
    pub fn stopping(&self) -> Stopping {
        self.stopping.clone()
    }

    /// Stops accepting, lets requests in flight finish, for as long as `server.drain_timeout`. Returns how many
    /// connections had to be cut.
    pub async fn stop(mut self) -> usize {
        self.stop.send_replace(true);
        let limit = self.started_with.server.drain_timeout;
        let deadline = tokio::time::Instant::now() + limit;
        let left = self.stopping.drained(limit).await;
        // A mail that is being handed over is finished, if the mail server is quick enough; else it is sent once more.
        let _ = tokio::time::timeout_at(deadline, self.postman.join_next()).await;
        self.tasks.shutdown().await;
        self.services.tally.sum_up();
        if let Err(error) = self.services.throttle.flush().await {
            tracing::error!(target: "passgate::store", %error, "can't write down wrong tries");
        }
        left
    }
}

#[cfg(test)]
mod tests;
