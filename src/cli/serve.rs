//! `passgate serve`: the gateway, until it is told to stop. SIGHUP and `passgate reload` put a changed configuration into
//! force, SIGTERM and SIGINT drain and end it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Failure;
use crate::app::{Reloader, Running, Services, Sockets};
use crate::config::Config;
use crate::domain::SystemClock;
use crate::server::options::StoreOptions;
use crate::server::{Control, private_folder, runtime, start_log};

/// Serves until a signal.
pub(super) fn run(config: &Config, file: Option<PathBuf>) -> Result<(), Failure> {
    start_log(&config.log).map_err(|error| Failure::configuration(&error))?;
    runtime(config.server.threads).map_err(|error| Failure::unavailable(&error))?.block_on(serve(config, file))
}

async fn serve(config: &Config, file: Option<PathBuf>) -> Result<(), Failure> {
    // Sockets first: a busy port is the most likely mistake and costs nothing to find.
    let sockets = Sockets::bind(config).map_err(|error| Failure::unavailable(&error))?;
    if matches!(config.store, StoreOptions::Sled { .. }) {
        private_folder(&config.server.data_dir).map_err(|error| Failure::unavailable(&error))?;
    }
    let services = Services::open(config, Arc::new(SystemClock)).map_err(|error| Failure::start(&error))?;
    let running = Running::start(config, services, sockets).await.map_err(|error| Failure::start(&error))?;
    let reload = Reload { file, reloader: running.reloader() };
    let control = control(config, &running, reload.clone());
    let serving = tokio::spawn(control.serve(config.server.data_dir.clone(), running.stopping()));
    announce(config, &running);
    wait_for_signal(&reload).await;
    tracing::info!(target: "passgate::server", "stopping: letting requests finish");
    let cut = running.stop().await;
    tracing::info!(target: "passgate::server", connections_cut = cut, "stopped");
    serving.abort();
    Ok(())
}
