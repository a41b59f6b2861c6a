//! Whether a session still holds, for what was let through once and goes on; and how many of them a member may hold.

use std::sync::atomic::Ordering;

use super::Sessions;
use crate::domain::{SessionId, TokenHash, UserId};
use crate::store::StoreError;

impl Sessions {
    /// Whether the session has neither been ended nor come to its end, or the app password not been removed. It does not count
    /// as a use. Cost: one map read; for an app password two.
    pub fn holds(&self, id: SessionId) -> bool {
        let holds = self.live.look(id, |session, _| session.ends(&self.lifetimes.load()) > self.clock.now());
        holds.unwrap_or_else(|| self.app_passwords.holds(id))
    }

    /// Whether there is such a session or app password. A session may have come to its end by time, and wait to be swept.
    pub fn knows(&self, id: SessionId) -> bool {
        self.live.look(id, |_, _| ()).is_some() || self.app_passwords.holds(id)
    }

    /// Counts as a use what a member sends through a tunnel.
    pub fn used(&self, id: SessionId) {
        if self.holds(id) {
            self.live.look(id, |session, _| session.see(self.clock.now()));
        }
    }

    /// From now on a member has at most so many sessions; those that there are stay until the next sign-in.
    pub fn set_most(&self, most: usize) {
        self.most.store(most, Ordering::Relaxed);
    }

    /// SECURITY: SES-12. Ends the sessions of a member that are too many, those first that were not used for longest; not
    /// `newest`. Whoever opens one comes here when it is in the store, so that of many at once the last sees all of them.
    pub(super) async fn make_room(&self, user: UserId, newest: SessionId) -> Result<(), StoreError> {
        let own = self.store.sessions_of(user)?;
        let too_many = own.len().saturating_sub(self.most.load(Ordering::Relaxed));
        if too_many == 0 {
            return Ok(());
        }
        let others = own.into_iter().filter(|id| *id != newest);
        let mut others: Vec<_> = others.map(|id| (self.last_seen(id).unwrap_or_default(), id.0)).collect();
        others.sort_unstable();
        for (_, id) in others.into_iter().take(too_many) {
            self.end_of(user, TokenHash(id)).await?;
        }
        Ok(())
    }
}
