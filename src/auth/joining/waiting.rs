//! Accounts that wait for an operator to let them in: made, and disabled until then.
//!
//! They are few ([`MOST`]) and don't wait for ever ([`LONGEST`]): whom nobody lets in is forgotten, as if they had been refused. A
//! name that was refused is not given out again by joining; an operator can give it to somebody.

use std::ops::ControlFlow;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::Accounts;
use crate::domain::{Timestamp, User, UserId, UserState};
use crate::store::{Batch, Change, Drawer, Kept, Owner, Store, StoreError, Verdict};

/// No more wait at once.
pub const MOST: usize = 1_000;
/// For so long an account waits.
pub const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// That an account waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Applicant {
    /// Since when.
    pub since: Timestamp,
}

impl Kept for Applicant {
    const DRAWER: Drawer = Drawer::Applicant;
}

const KEY: &[u8] = b"";

impl Applicant {
    pub(super) const fn at(since: Timestamp) -> Self {
        Self { since }
    }

    /// The change that keeps it. Its account has to be there.
    pub(super) fn kept(self, user: UserId) -> Change {
        Change::keep(Owner::Member(user), KEY.to_vec(), &self)
    }
}

/// All that wait.
pub(super) fn all(store: &(dyn Store + 'static)) -> Result<Vec<(UserId, Applicant)>, StoreError> {
    let mut all = Vec::new();
    store.each_kept(|owner, _, applicant: Applicant| {
        if let Owner::Member(user) = owner {
            all.push((user, applicant));
        }
        ControlFlow::Continue(())
    })?;
    Ok(all)
}

impl Accounts {
    /// All that wait for an operator.
    pub fn applicants(&self) -> Result<Vec<(UserId, Applicant)>, StoreError> {
        all(self.store.as_ref())
    }

    /// Whether this account waits for an operator.
    pub fn is_applicant(&self, user: UserId) -> Result<bool, StoreError> {
        is_waiting(self.store.as_ref(), user)
    }

    /// Lets an account in that waits, and applies `with` in the same breath. Whether it did wait.
    pub async fn approve(&self, user: UserId, with: Batch) -> Result<bool, StoreError> {
        let activate = |user: &mut User| {
            user.state = UserState::Active;
            Verdict::Keep
        };
        self.decide(user, Change::ReviseUser(user, Box::new(activate)), with).await
    }

    /// Takes an account away that waits, and applies `with` in the same breath. Whether it did wait.
    pub async fn refuse(&self, user: UserId, with: Batch) -> Result<bool, StoreError> {
        self.decide(user, Change::DeleteUser(user), with).await
    }

    /// Takes those away that have waited for too long; how many that were.
    pub async fn forget_applicants(&self) -> Result<usize, StoreError> {
        let now = self.clock.now();
        let mut forgotten = 0;
        for (user, applicant) in self.applicants()? {
            if now.since(applicant.since) >= LONGEST && self.refuse(user, Batch::new()).await? {
                forgotten += 1;
            }
        }
        Ok(forgotten)
    }

    /// [`Self::forget_applicants`] for the log. To be called about once a minute.
    pub async fn sweep_applicants(&self) {
        match self.forget_applicants().await {
            Ok(0) => {}
            Ok(count) => tracing::info!(target: "passgate::audit", event = "applicants-forgotten", count),
            Err(error) => {
                tracing::error!(target: "passgate::store", %error, "can't forget who has waited too long")
            }
        }
    }

    async fn decide(&self, user: UserId, decision: Change, with: Batch) -> Result<bool, StoreError> {
        let no_longer =
            Change::revise_kept(Owner::Member(user), KEY.to_vec(), |applicant: &mut Option<Applicant>| {
                if applicant.take().is_some() { Verdict::Keep } else { Verdict::Abandon }
            });
        let mut batch = vec![no_longer, decision];
        batch.extend(with);
        match self.store.apply(batch).await {
            Ok(()) => Ok(true),
            Err(StoreError::Abandoned | StoreError::NoSuchUser) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Whether this account waits.
pub(in crate::auth) fn is_waiting(store: &(dyn Store + 'static), user: UserId) -> Result<bool, StoreError> {
    Ok(store.kept::<Applicant>(Owner::Member(user), KEY)?.is_some())
}
