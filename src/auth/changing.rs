//! Changing one's own password.
//!
//! SECURITY: AUTH-05. A session is not enough: whoever finds a browser open must not be able to keep the account. It takes the
//! current password, or a passkey that was used just now, as the caller has seen.

use super::events::{Seen, What};
use super::links::forgotten;
use super::passwords::{Busy, WeakPassword};
use super::second_factors::mailed;
use super::throttle::Reserved;
use super::{Accounts, LiveSession, NewPassword};
use crate::domain::{Secret, User, UserId, UserState};
use crate::store::{Change, StoreError, Verdict};

/// What becomes of the member's other sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherSessions {
    /// They end.
    End,
    /// They go on.
    Keep,
}

/// How a change of the password ended.
#[derive(Debug, PartialEq, Eq)]
pub enum PasswordChange {
    /// Too much hashing going on; nothing was changed.
    Busy,
    /// Changed; so many other sessions have ended.
    Done(usize),
    /// The account was changed by somebody else at the same moment; nothing was changed here.
    Overtaken,
    /// The new password is not accepted.
    Weak(WeakPassword),
}

impl Accounts {
    /// The account with this id.
    pub fn account(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.store.user(id)
    }

    /// Whether this is the account's password. The try is counted already (SECURITY: THR-08).
    pub async fn is_password_of(
        &self,
        reserved: &Reserved,
        user: &User,
        password: Secret<String>,
    ) -> Result<bool, Busy> {
        Ok(self.passwords.verify(reserved, user.password.clone(), password).await?.matches)
    }

    /// Sets a new password in the place of that which `user` has, as it was read before the proof was looked at. Links of the
    /// account stop working.
    pub async fn change_password(
        &self,
        session: &LiveSession,
        user: &User,
        password: NewPassword,
        others: OtherSessions,
        seen: Seen<'_>,
    ) -> Result<PasswordChange, StoreError> {
        let accepted = match self.accept(password).await {
            Err(Busy) => return Ok(PasswordChange::Busy),
            Ok(Err(weak)) => return Ok(PasswordChange::Weak(weak)),
            Ok(Ok(accepted)) => accepted,
        };
        let short = accepted.noted(user.profile.id);
        let (id, before) = (user.profile.id, user.password.clone());
        let revision = Change::ReviseUser(
            id,
            Box::new(move |user| {
                if user.state != UserState::Active || user.password != before {
                    return Verdict::Abandon;
                }
                user.password = Some(accepted.phc);
                Verdict::Keep
            }),
        );
        let event = self.happened(What::PasswordSet).seen(seen).kept(id);
        let mut batch = vec![revision, short, mailed::no_longer_barred(id), event];
        batch.extend(forgotten(id));
        let ended = match others {
            OtherSessions::End => self.sessions.end_access(id, Some(session.id()), batch).await,
            OtherSessions::Keep => self.store.apply(batch).await.map(|()| 0),
        };
        match ended {
            Ok(count) => Ok(PasswordChange::Done(count)),
            Err(StoreError::Abandoned | StoreError::NoSuchUser) => Ok(PasswordChange::Overtaken),
            Err(error) => Err(error),
        }
    }
}
