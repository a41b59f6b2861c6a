//! What the service manager (systemd) is told, if it asks: `sd_notify(3)`. Without one, each of these does nothing.

use std::time::Duration;

use sd_notify::{NotifyState, notify, watchdog_enabled};

/// Requests are served.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The configuration is being read again; [`ready`] ends it.
pub fn reloading() {
    // Without the time systemd would not know to which reload the end belongs.
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        tell(&[NotifyState::Reloading, now]);
    }
}

/// Requests in flight may finish, no new ones are taken.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Says that the process lives, as often as the manager wants to hear it, as long as `is_well`. Silence has it restarted.
pub async fn keep_alive(is_well: impl Fn() -> bool) {
    let Some(limit) = watchdog_enabled().filter(|limit| !limit.is_zero()) else {
        return std::future::pending().await;
    };
    let mut ticks = tokio::time::interval((limit / 3).max(Duration::from_millis(10)));
    loop {
        ticks.tick().await;
        if is_well() {
            tell(&[NotifyState::Watchdog]);
        }
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = notify(states) {
        tracing::warn!(target: "passgate::server", %error, "the service manager can't be told");
    }
}
