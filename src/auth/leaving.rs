//! Switching an account off, coming back, and leaving for good, as members do it themselves (SIB-15).
//!
//! An account that an operator disabled stays so, whatever its member asks: the states are apart, and only the member's own are
//! taken back here.

use super::events::{Happened, What};
use super::{Accounts, links};
use crate::domain::{UserId, UserState};
use crate::store::{Change, Drawer, Owner, StoreError, Verdict};

/// Whether members delete their accounts themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelfDelete {
    /// At once.
    Now,
    /// They don't.
    Off,
    /// They ask for it, and an operator does it.
    Request,
}

impl Accounts {
    /// Switches a member's account off, or marks it to be deleted; all sessions and links end, and what else lets programs and
    /// devices in. [`StoreError::Abandoned`] if it is not active.
    pub async fn switch_off(
        &self,
        user: UserId,
        state: UserState,
        event: Happened,
    ) -> Result<(), StoreError> {
        let revision = Change::ReviseUser(
            user,
            Box::new(move |user| {
                if user.state != UserState::Active || !state.is_switched_off() {
                    return Verdict::Abandon;
                }
                user.state = state;
                Verdict::Keep
            }),
        );
        let mut with =
            vec![revision, Change::DropRecords(Drawer::TrustedDevice, Owner::Member(user)), event.kept(user)];
        with.extend(links::forgotten(user));
        self.sessions.end_access(user, None, with).await.map(drop)
    }

    /// Switches it on again, for who has just shown that the account is theirs. An account that is disabled stays so.
    pub async fn come_back(&self, user: UserId) -> Result<(), StoreError> {
        self.store.apply(vec![back(user), self.happened(What::CameBack).kept(user)]).await
    }
}

/// Makes an account active that its member switched off.
pub(super) fn back(user: UserId) -> Change {
    Change::ReviseUser(
        user,
        Box::new(|user| {
            if user.state.is_switched_off() {
                user.state = UserState::Active;
            }
            Verdict::Keep
        }),
    )
}
