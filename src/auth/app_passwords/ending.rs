//! Ending app passwords together with a member's sessions.

use super::record::forgotten;
use crate::auth::Sessions;
use crate::domain::{SessionId, TokenHash, UserId};
use crate::store::{Batch, StoreError};

impl Sessions {
    /// Ends all sessions of a member but one, and all their app passwords, and applies `with` in the same breath: nothing but the
    /// password and the passkeys lets anybody in then (SECURITY: S6). Returns how many sessions were live.
    pub async fn end_access(
        &self,
        user: UserId,
        but: Option<SessionId>,
        with: Batch,
    ) -> Result<usize, StoreError> {
        let mut batch = with;
        batch.push(forgotten(user));
        let ended = self.end_all(user, but, batch).await?;
        self.announce(self.app_passwords.take_all(user));
        Ok(ended)
    }

    /// One is removed: it counts no longer.
    pub(super) fn forget_app_password(&self, hash: TokenHash) {
        let was_there = self.app_passwords.take(hash);
        self.announce(was_there.then_some(hash));
    }
}
