//! `passgate serve`: the gateway, until it is told to stop. SIGHUP and `passgate reload` put a changed configuration into
//! force; SIGTERM and SIGINT let requests finish and end it.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Exit, Trouble};
use crate::app::{Reloader, Running, Services, Sockets, StartError};
use crate::auth::import::Admission;
use crate::config::Config;
use crate::domain::SystemClock;
use crate::server::control::{Control, ControlSocket};
use crate::server::{StopSignals, private_folder, runtime, start_log};

/// Serves until a signal. `file` is what `--config` named, to be read again on reload.
pub(super) fn run(config: &Config, file: Option<PathBuf>) -> Result<(), Trouble> {
    let _log = start_log(&config.log, &config.server.data_dir)
        .map_err(|error| Trouble::new(Exit::Configuration, error))?;
    runtime(config.server.threads).map_err(Trouble::unavailable)?.block_on(serve(config, file))
}

async fn serve(config: &Config, file: Option<PathBuf>) -> Result<(), Trouble> {
    // Sockets first: a busy port is the likeliest mistake, and finding it changes nothing on the disk.
    let sockets = Sockets::bind(config).map_err(Trouble::unavailable)?;
    private_folder(&config.server.data_dir).map_err(Trouble::unavailable)?;
    let services = Services::open(config, Arc::new(SystemClock))?;
    let socket = ControlSocket::bind(&config.server.data_dir).map_err(Trouble::unavailable)?;
    let running = Running::start(config, services, sockets).await?;
    let reload = Reload { file, reloader: running.reloader() };
    let stopping = running.stopping();
    let control = control(config, &running, reload.clone());
    let answering = tokio::spawn(socket.serve(Arc::new(control), async move { stopping.begins().await }));
    // Before anybody can know that we are ready: a signal that nobody waits for ends the process at once.
    let stop = StopSignals::listen().map_err(Trouble::unavailable)?;
    let hangup = signal(SignalKind::hangup()).map_err(Trouble::unavailable)?;
    announce(config, &running);
    tokio::select! {
        () = stop.arrive() => {}
        () = reload.at_each(hangup) => {}
    }
    tracing::info!(target: "passgate::server", "stopping; requests in flight may finish");
    let connections_cut = running.stop().await;
    // It ends by itself when stopping begins.
    let _ = answering.await;
    tracing::info!(target: "passgate::server", connections_cut, "stopped");
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
    let addresses: Vec<String> = running.addresses.iter().map(ToString::to_string).collect();
    tracing::info!(
        target: "passgate::server",
        listen = addresses.join(", "),
        admin = running.admin_address.map(tracing::field::display),
        public_url = %config.server.public_url,
        upstream = %config.proxy.upstream.host,
        "ready"
    );
    if let Some(warning) = running.services.without_passkey(config) {
        tracing::warn!(target: "passgate::server", warning, "members need a passkey");
    }
    if let Some(warning) = running.services.without_second_factor(config) {
        tracing::warn!(target: "passgate::server", warning, "members need a second factor");
    }
    if matches!(running.services.accounts.is_empty(), Ok(true)) {
        tracing::warn!(
            target: "passgate::server",
            "there are no members yet; make the first admin with: passgate user add NAME --group admins"
        );
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
