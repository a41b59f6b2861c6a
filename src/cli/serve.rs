//! `passgate serve`: the gateway, until it is told to stop. SIGHUP and `passgate reload` put a changed configuration into
//! force; SIGTERM and SIGINT let requests finish and end it.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Exit, Trouble, applications};
use crate::app::{Reloader, Running, Services, Sockets, StartError};
use crate::auth::import::Admission;
use crate::config::Config;
use crate::domain::{Clock, SteadyClock, Step};
use crate::server::control::{Control, ControlSocket};
use crate::server::options::Watch;
use crate::server::{
    StopSignals, Successor, Watched, harden, is_root, manager, private_folder, raise_descriptors, runtime,
    start_log,
};
use crate::store::{Standstill, Store, StoreError};

/// Serves until a signal. `file` is what `--config` named, to be read again on reload.
pub(super) fn run(config: &Config, file: Option<PathBuf>) -> Result<(), Trouble> {
    harden().map_err(Trouble::unavailable)?;
    let _log = start_log(&config.log, &config.server.data_dir)
        .map_err(|error| Trouble::new(Exit::Configuration, error))?;
    take_descriptors(config.proxy.connections.most);
    runtime(config.server.threads).map_err(Trouble::unavailable)?.block_on(serve(config, file))
}

/// Each connection takes one, and a second while its request is at the application.
fn take_descriptors(most: usize) {
    let wanted = most.saturating_mul(2);
    match raise_descriptors() {
        Ok(limit) if usize::try_from(limit).is_ok_and(|limit| limit < wanted) => tracing::warn!(
            target: "passgate::server",
            limit,
            wanted,
            "there are fewer file descriptors than connections.most needs; raise the process's limit (LimitNOFILE in systemd), or lower that"
        ),
        Ok(_) => {}
        Err(error) => {
            tracing::warn!(target: "passgate::server", %error, "can't raise the limit of file descriptors")
        }
    }
}

async fn serve(config: &Config, file: Option<PathBuf>) -> Result<(), Trouble> {
    let changes = watched(config);
    // Sockets first: a busy port is the likeliest mistake, and finding it changes nothing on the disk.
    let sockets = Sockets::bind(config).map_err(Trouble::unavailable)?;
    settle(config)?;
    let clock = Arc::new(SteadyClock::new());
    let services = Services::open(config, Arc::clone(&clock) as Arc<dyn Clock>)?;
    let announced = |running: &Running| {
        announce(config, running);
        Ok(())
    };
    Site { config, file, changes, sockets, clock, services }.serve(announced).await
}

/// The configuration's file, if changes to it count by themselves: those from now on.
pub(super) fn watched(config: &Config) -> Option<Watched> {
    config.file.clone().filter(|_| config.server.watch == Watch::On).map(Watched::new)
}

/// What is needed to serve.
pub(super) struct Site<'c> {
    pub(super) config: &'c Config,
    /// To be read again on reload.
    pub(super) file: Option<PathBuf>,
    pub(super) changes: Option<Watched>,
    pub(super) sockets: Sockets,
    /// The one of `services`.
    pub(super) clock: Arc<SteadyClock>,
    pub(super) services: Services,
}

impl Site<'_> {
    /// Serves until a signal. `ready` is called as soon as requests and commands are answered.
    pub(super) async fn serve(
        self,
        ready: impl FnOnce(&Running) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        let Self { config, file, mut changes, sockets, clock, services } = self;
        let socket = ControlSocket::bind(&config.server.data_dir).map_err(Trouble::unavailable)?;
        let running = Running::start(config, services, sockets).await?;
        let reload = Reload { file, reloader: running.reloader() };
        let stopping = running.stopping();
        let control = control(config, &running, reload.clone());
        let answering = tokio::spawn(socket.serve(Arc::new(control), async move { stopping.begins().await }));
        // Before anybody can know that we are ready: a signal that nobody waits for ends the process at once.
        let stop = StopSignals::listen().map_err(Trouble::unavailable)?;
        let hangup = signal(SignalKind::hangup()).map_err(Trouble::unavailable)?;
        ready(&running)?;
        manager::ready();
        let store = Arc::clone(&running.services.store);
        let fault = tokio::select! {
            () = stop.arrive() => None,
            () = reload.at_each(hangup) => None,
            () = reload.at_each_change(changes.as_mut()) => None,
            // Should stopping not come to its end either, silence has the service manager see to it.
            () = manager::keep_alive(|| lost(&*store).is_none()) => None,
            fault = loss(&*store) => Some(fault),
            () = mind(&clock) => None,
        };
        drop(store);
        manager::stopping();
        if fault.is_some() {
            // Whoever waits for the store may hold up the end, too.
            end_within(config.server.drain_timeout + Duration::from_secs(2));
        }
        tracing::info!(target: "passgate::server", "stopping; requests in flight may finish");
        let connections_cut = running.stop().await;
        // It ends by itself when stopping begins.
        let _ = answering.await;
        tracing::info!(target: "passgate::server", connections_cut, "stopped");
        fault.map_or(Ok(()), |fault| Err(Trouble::unavailable(fault)))
    }
}

/// Why the store needs a restart, if it does (SECURITY: STO-14).
fn lost(store: &dyn Store) -> Option<StoreError> {
    store.health().err().filter(|error| *error == StoreError::StandsStill(Standstill::Store))
}

/// Completes when the store needs a restart.
async fn loss(store: &dyn Store) -> StoreError {
    let mut looks = tokio::time::interval(Duration::from_millis(500));
    loop {
        looks.tick().await;
        if let Some(error) = lost(store) {
            return error;
        }
    }
}

/// Ends the process then, if nothing else has. Where there are no threads left, the service manager has to.
fn end_within(limit: Duration) {
    let _ = std::thread::Builder::new().name("end".to_owned()).spawn(move || {
        std::thread::sleep(limit);
        std::process::exit(Exit::Unavailable as i32);
    });
}

/// The data folder, and whose process it is from now on.
fn settle(config: &Config) -> Result<(), Trouble> {
    let folder = &config.server.data_dir;
    let Some(name) = &config.server.user else {
        if is_root() {
            tracing::warn!(
                target: "passgate::server",
                "runs as root, which it does not need; name a user of its own in server.user, or see docs/running.md"
            );
        }
        return private_folder(folder).map_err(Trouble::unavailable);
    };
    let refused = |error: io::Error| Trouble::new(Exit::Configuration, error);
    let user = Successor::named(name).map_err(refused)?;
    let is_new = !folder.exists();
    private_folder(folder).map_err(Trouble::unavailable)?;
    if is_new {
        user.own(folder).map_err(Trouble::unavailable)?;
    }
    user.take_over().map_err(refused)?;
    // What can't be read now could not be at the next reload.
    if let Some(file) = &config.file
        && let Err(error) = std::fs::File::open(file)
    {
        let text =
            format!("server.user = {name:?} can't read {}: {error}; make it that user's", file.display());
        return Err(refused(io::Error::other(text)));
    }
    Ok(())
}

fn control(config: &Config, running: &Running, reload: Reload) -> Control {
    Control {
        accounts: Arc::clone(&running.services.accounts),
        admission: Admission::new(Arc::clone(&running.services.store), Arc::clone(&running.services.clock)),
        store: Arc::clone(&running.services.store),
        sessions: Arc::clone(&running.services.sessions),
        second_factors: Arc::clone(&running.services.second_factors),
        throttle: Arc::clone(&running.services.throttle),
        mail: Arc::clone(&running.services.mail),
        clock: Arc::clone(&running.services.clock),
        passkey_counts: Some(Arc::clone(&running.services.passkey_counts)),
        own_pages: config.own_url(""),
        vault: {
            let services = running.services.clone();
            Box::new(move || services.forum_accounts().and_then(|accounts| accounts.vault()))
        },
        reload: Box::new(move || {
            let reload = reload.clone();
            Box::pin(async move { reload.now().await })
        }),
    }
}

fn announce(config: &Config, running: &Running) {
    let shown =
        |addresses: &[SocketAddr]| addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    tracing::info!(
        target: "passgate::server",
        listen = shown(&running.addresses),
        tls = shown(&running.tls_addresses),
        admin = running.admin_address.map(tracing::field::display),
        public_url = %config.server.public_url,
        upstream = applications::servers(&config.proxy.upstream.sites),
        "ready"
    );
    if let Some(warning) = running.services.without_passkey(config) {
        tracing::warn!(target: "passgate::server", warning, "members need a passkey");
    }
    if let Some(warning) = running.services.without_second_factor(config) {
        tracing::warn!(target: "passgate::server", warning, "members need a second factor");
    }
    if let Some(warning) = running.services.without_second_factor_key() {
        tracing::error!(target: "passgate::server", warning, "the key of second factors is missing");
    }
    if matches!(running.services.accounts.is_empty(), Ok(true)) {
        tracing::warn!(
            target: "passgate::server",
            "there are no members yet; make the first admin with: passgate user add NAME --group admins"
        );
    }
}

/// Tells when the machine's clock was set (SECURITY: SES-07).
async fn mind(clock: &SteadyClock) {
    let mut minutes = tokio::time::interval(Duration::from_secs(60));
    loop {
        minutes.tick().await;
        match clock.step() {
            None => {}
            Some(Step::Ahead(by)) => tracing::warn!(
                target: "passgate::server",
                seconds = by.as_secs(),
                "the clock was set ahead; sessions and links that are over by it have ended"
            ),
            Some(Step::Behind(by)) => tracing::error!(
                target: "passgate::server",
                seconds = by.as_secs(),
                "the clock was set back; passgate goes on by the time it had, codes of authenticator apps may not fit: \
                 restart it if the clock is right now"
            ),
        }
    }
}

/// Reads the configuration again and puts it into force, or leaves everything as it was.
#[derive(Clone)]
struct Reload {
    file: Option<PathBuf>,
    reloader: Reloader,
}

impl Reload {
    async fn now(&self) -> Result<Vec<String>, Vec<String>> {
        manager::reloading();
        let outcome = self.apply().await;
        manager::ready();
        outcome
    }

    async fn apply(&self) -> Result<Vec<String>, Vec<String>> {
        let config = Config::load(self.file.as_deref(), &[])
            .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        let needs_restart = self.reloader.reload(&config).await.map_err(|error| vec![error.to_string()])?;
        let note = |key: &&str| format!("{key} has changed and counts from the next start on");
        let services = self.reloader.services();
        let warnings = [services.without_passkey(&config), services.without_second_factor(&config)];
        Ok(needs_restart.iter().map(note).chain(warnings.into_iter().flatten()).collect())
    }

    async fn at_each(&self, mut hangup: Signal) {
        while hangup.recv().await.is_some() {
            self.and_tell().await;
        }
    }

    /// Where the configuration says so, and there is a file.
    async fn at_each_change(&self, file: Option<&mut Watched>) {
        let Some(file) = file else { return std::future::pending().await };
        loop {
            file.changed().await;
            self.and_tell().await;
        }
    }

    async fn and_tell(&self) {
        match self.now().await {
            Ok(notes) => {
                tracing::info!(target: "passgate::audit", event = "reloaded", notes = notes.join("; "), "reloaded")
            }
            Err(problems) => tracing::error!(
                target: "passgate::server",
                problems = problems.join("\n"),
                "the configuration has problems; going on with what was"
            ),
        }
    }
}

impl From<StartError> for Trouble {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Pages(error) => Self::new(Exit::Configuration, error),
            StartError::Passkeys(error) => Self::new(Exit::Configuration, error),
            other => Self::unavailable(other),
        }
    }
}
