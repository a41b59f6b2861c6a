//! "This wasn't me": whatever lets anybody into an account ends at once (SIB-12, S6).
//!
//! This is the one list of what gives access beside the password and the passkeys, which their member alone can judge. Whatever
//! else comes to give access is added here.

use super::Accounts;
use super::events::Happened;
use super::links;
use crate::domain::{SessionId, UserId};
use crate::store::{Change, Drawer, Owner, StoreError};

impl Accounts {
    /// Ends all sessions of a member but one, the one-time links that are open for them, mailed ones too, the passwords of their programs, and the
    /// trust in their devices; keeps `event` in the same breath. Returns how many sessions were live.
    pub async fn shut_out(
        &self,
        user: UserId,
        but: Option<SessionId>,
        event: Happened,
    ) -> Result<usize, StoreError> {
        let mut with =
            vec![Change::DropRecords(Drawer::TrustedDevice, Owner::Member(user)), event.kept(user)];
        with.extend(links::forgotten(user));
        self.sessions.end_access(user, but, with).await
    }
}
