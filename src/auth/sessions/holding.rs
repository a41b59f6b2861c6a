//! Sessions as long-running requests see them, which were let through once and go on.

use super::Sessions;
use crate::domain::SessionId;

impl Sessions {
    /// Whether the session has neither been ended nor come to its end. It does not count as a use. Cost: one map read.
    pub fn holds(&self, id: SessionId) -> bool {
        self.live.get(&id).is_some_and(|session| session.0.ends(&self.lifetimes.load()) > self.clock.now())
    }

    /// Counts as a use what a member sends through a tunnel.
    pub fn used(&self, id: SessionId) {
        if self.holds(id)
            && let Some(session) = self.live.get(&id)
        {
            session.0.see(self.clock.now());
        }
    }
}
