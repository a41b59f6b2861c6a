//! Between the password and the code: what is known of a browser in which a password was right. No session yet.
//!
//! SECURITY: it is in memory alone, for five minutes at most, ten where the code is mailed, and belongs to one browser, by the token of its cookie. The password
//! is with it only where the forum is to be signed in to with it afterwards.

use std::sync::Arc;
use std::time::Duration;

use super::SecondFactors;
use crate::auth::throttle::Way;
use crate::domain::{Persistence, Secret, TokenHash, UserId};

/// A sign-in that waits for a code.
pub(in crate::auth) struct Waiting {
    pub(in crate::auth) user: UserId,
    /// The hash that was verified: it must still be what is stored.
    pub(in crate::auth) stored: Option<String>,
    /// The one to put in its place, if it is to be renewed.
    pub(in crate::auth) upgraded: Option<String>,
    pub(in crate::auth) persistence: Persistence,
    pub(in crate::auth) way: Way,
    pub(in crate::auth) password: Option<Secret<String>>,
    /// For how long.
    pub(in crate::auth) lifetime: Duration,
}

impl SecondFactors {
    pub(in crate::auth) fn wait(&self, browser: TokenHash, waiting: Waiting) {
        let lifetime = waiting.lifetime;
        self.waiting.put_for(browser, waiting, lifetime);
    }

    pub(in crate::auth) fn waiting(&self, browser: TokenHash) -> Option<Arc<Waiting>> {
        self.waiting.find(browser)
    }

    pub(in crate::auth) fn go_on_from(&self, browser: TokenHash, waiting: &Arc<Waiting>) {
        self.waiting.forget(browser, waiting);
    }
}
