//! What the integration tests stand on: a browser, a client and an application that are exact to the byte.
//!
//! Only `gateway` knows the gateway; tests bring the two together. Whatever waits, waits for an event and at most
//! [`LIMIT`] long.

pub(crate) mod acme;
pub(crate) mod app;
pub(crate) mod browser;
pub(crate) mod ceremony;
pub(crate) mod gateway;
pub(crate) mod http2;
pub(crate) mod passkey;
pub(crate) mod raw;
pub(crate) mod secure;
pub(crate) mod tls;
pub(crate) mod upstream;
pub(crate) mod wire;

use std::time::Duration;

/// How long anything may take before a test gives up on it. Generous: it is only reached when something is broken.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// Waits for something that must happen.
///
/// # Panics
/// If it does not happen within [`LIMIT`].
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(LIMIT, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {LIMIT:?} in vain for {what}"),
    }
}
