//! Signing in with a name and a password.

use std::sync::Arc;

use super::{Passwords, SessionToken, Sessions};
use crate::domain::{Clock, Persistence, Profile, Secret, UserName, UserState};
use crate::store::{Change, Store, StoreError, Verdict};

/// What was typed into the sign-in form.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// The name, in any spelling.
    pub name: &'a str,
    /// The password.
    pub password: Secret<String>,
    /// Whether "stay signed in" was ticked.
    pub persistence: Persistence,
    /// What the browser calls itself.
    pub user_agent: &'a str,
}

/// How an attempt ended.
#[derive(Debug)]
pub enum SignInOutcome {
    /// Too many are signing in at this moment; nothing was checked.
    Busy,
    /// Name and password do not belong together, or the account may not sign in. Which of them is not said.
    Refused(RefusedBecause),
    /// Signed in.
    SignedIn(SessionToken, Arc<Profile>),
}

/// Why, for the log alone; the answer to the visitor is the same (SECURITY: L5, THR-13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedBecause {
    /// The account is disabled.
    Disabled,
    /// No account of that name, or not a name at all.
    UnknownName,
    /// The password is not the account's, or it has none.
    WrongPassword,
}

/// The ways in.
pub struct SignIn {
    store: Arc<dyn Store>,
    sessions: Arc<Sessions>,
    passwords: Arc<Passwords>,
    clock: Arc<dyn Clock>,
}

impl SignIn {
    /// Wires the use case.
    pub fn new(
        store: Arc<dyn Store>,
        sessions: Arc<Sessions>,
        passwords: Arc<Passwords>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { store, sessions, passwords, clock }
    }

    /// Tries a name and a password. The same work is done whether or not the name exists (SECURITY: L5).
    pub async fn by_password(&self, attempt: Attempt<'_>) -> Result<SignInOutcome, StoreError> {
        let user = match UserName::parse(attempt.name) {
            Ok(name) => self.store.user_by_name(name.key())?,
            Err(_) => None,
        };
        let stored = user.as_ref().and_then(|user| user.password.clone());
        let Ok(verified) = self.passwords.verify(stored.clone(), attempt.password).await else {
            return Ok(SignInOutcome::Busy);
        };
        let Some(user) = user else { return Ok(SignInOutcome::Refused(RefusedBecause::UnknownName)) };
        if !verified.matches {
            return Ok(SignInOutcome::Refused(RefusedBecause::WrongPassword));
        }
        if user.state != UserState::Active {
            return Ok(SignInOutcome::Refused(RefusedBecause::Disabled));
        }
        let now = self.clock.now();
        let revision = Change::ReviseUser(
            user.profile.id,
            Box::new(move |current| {
                // What was verified must still be what is stored.
                if current.state != UserState::Active || current.password != stored {
                    return Verdict::Abandon;
                }
                current.last_sign_in = Some(now);
                current.password = verified.upgraded.or(stored);
                Verdict::Keep
            }),
        );
        match self.sessions.start(&user, attempt.persistence, None, attempt.user_agent, vec![revision]).await
        {
            Ok(token) => Ok(SignInOutcome::SignedIn(token, Arc::new(user.profile))),
            Err(StoreError::Abandoned | StoreError::NoSuchUser) => {
                Ok(SignInOutcome::Refused(RefusedBecause::WrongPassword))
            }
            Err(error) => Err(error),
        }
    }
}
