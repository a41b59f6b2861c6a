//! Upkeep of the ways to the applications.

use std::sync::Arc;
use std::time::Duration;

use crate::proxy::{Checks, Gateway, Upstream};

/// How often it is looked whether a server is to be asked how it is.
const EVERY: Duration = Duration::from_secs(1);

/// Keeps addresses and certificates fresh, and asks servers how they are. Never ends.
pub(super) async fn keep(gateway: Arc<Gateway>) {
    tokio::join!(refresh(&gateway), ask(&gateway));
}

async fn refresh(gateway: &Gateway) {
    let first = tokio::time::Instant::now() + Upstream::LOOKUP_INTERVAL;
    let mut pause = tokio::time::interval_at(first, Upstream::LOOKUP_INTERVAL);
    loop {
        pause.tick().await;
        let upstreams = Arc::clone(&gateway.rules().upstreams);
        upstreams.all().for_each(|upstream| upstream.renew());
        upstreams.look_up().await;
    }
}

async fn ask(gateway: &Gateway) {
    let mut pause = tokio::time::interval(EVERY);
    // Made when there is something to ask: it reads the system's certificates.
    let mut checks: Option<Checks> = None;
    loop {
        pause.tick().await;
        let upstreams = Arc::clone(&gateway.rules().upstreams);
        if upstreams.has_checks() {
            checks.get_or_insert_default().begin(&upstreams);
        }
    }
}
