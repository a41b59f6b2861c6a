//! Upkeep of the certificates in force.

use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::domain::Clock;
use crate::proxy::Gateway;
use crate::server::{Acme, Renewal, Tls};

/// How often it is looked whether there are other files.
const EVERY: Duration = Duration::from_secs(60);
/// After how many looks what is wrong with a certificate is said again: once a day.
const LOOKS_A_DAY: u32 = 24 * 60;

/// Who orders certificates, if the configuration says so now or later.
pub(super) fn acme(config: &Config, tls: &Arc<Tls>, gateway: &Gateway, clock: &Arc<dyn Clock>) -> Arc<Acme> {
    let options = config.tls.as_ref().and_then(|tls| tls.acme.clone());
    let data_dir = &config.server.data_dir;
    Arc::new(Acme::new(options, data_dir, Arc::clone(tls), gateway.challenges(), Arc::clone(clock)))
}

/// Looks for renewed certificates, and says once a day which run out soon. Never ends.
pub(super) async fn keep(tls: Arc<Tls>, clock: Arc<dyn Clock>) {
    let mut minute = tokio::time::interval(EVERY);
    let mut last_refusal = None;
    for look in 0u32.. {
        minute.tick().await;
        match tls.renew() {
            Renewal::Unchanged => last_refusal = None,
            Renewal::Renewed => {
                last_refusal = None;
                tracing::info!(target: "passgate::server", "the certificates have been read again");
            }
            // An ACME client may be between its two files; the next look tells.
            Renewal::Refused(why) if last_refusal.as_ref() != Some(&why) => {
                tracing::warn!(target: "passgate::server", why, "the changed certificates can't be used; going on with the old");
                last_refusal = Some(why);
            }
            Renewal::Refused(_) => {}
        }
        if look.is_multiple_of(LOOKS_A_DAY) {
            for warning in tls.warnings(&*clock) {
                tracing::warn!(target: "passgate::server", warning, "a certificate wants looking after");
            }
        }
    }
}
