//! What is known of a member's forum account: where the password comes from, and whether trying it makes sense.
//!
//! One refusal stops. A forum counts wrong passwords, asks captchas after three and locks after ten, and the member would
//! be locked out of it too.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::login::{Credentials, Login, Question, Step};
use super::{Minter, VaultError};
use crate::domain::{Secret, Timestamp, UserId};

/// Where members' forum passwords are kept. Where there are none, there is nothing to keep and nothing to change.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// What is known of a member's account.
    async fn account(&self, member: UserId) -> Account;

    /// Remembers that the forum refused what was given out with this stamp, so that it is not tried again, not even after a
    /// restart, until the member gives other credentials or asks for it. Whether there is another one to be tried.
    async fn refused(&self, member: UserId, stamp: u64, ask: Ask) -> Left;

    /// Keeps a password that a member has given and the forum has taken.
    async fn keep(&self, _member: UserId, _password: &Secret<String>) -> Result<(), VaultError> {
        Ok(())
    }

    /// The password that the forum is to get in the place of the one it has just taken; none if that one stays. It is kept
    /// beside that one, and on the disk, when it is given out: only one of the two can be what the forum has from now on.
    async fn to_generate(&self, _member: UserId) -> Option<Secret<String>> {
        None
    }

    /// The same for one that the member has chosen. Whether there is one for it to stand beside.
    async fn choose(&self, _member: UserId, _password: &Secret<String>) -> Result<bool, VaultError> {
        Ok(false)
    }

    /// The forum has the other one, and the one before is forgotten.
    async fn changed(&self, _member: UserId) -> Result<(), VaultError> {
        Ok(())
    }

    /// The forum does not have the other one and never will.
    async fn unchanged(&self, _member: UserId) -> Result<(), VaultError> {
        Ok(())
    }

    /// Whether members can do anything about what does not work.
    fn can_ask(&self) -> bool {
        true
    }
}

/// Whether a refused password leaves another one that the forum may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// It does.
    Another,
    /// It does not.
    Nothing,
}

/// A member's account at the forum.
#[derive(Clone, Debug)]
pub enum Account {
    /// None is linked.
    Unknown,
    /// To be signed in with. The stamp changes with the credentials.
    Linked(Credentials, u64),
    /// It needs no password: the member of this name gets a session from the forum's database.
    Minted(Arc<Minter>, String),
    /// It was refused.
    Refused(Ask),
    /// Can't be looked up at the moment.
    Unreadable,
}

/// What the member has to do before the forum can know them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Give name and password of their forum account.
    Link,
    /// Give the password again: the forum has another.
    WrongPassword,
    /// Give the name again: the forum has no such member.
    UnknownUser,
    /// Sign in at the forum once by themselves: it wants to see a human.
    Captcha,
    /// Sign in at the forum by themselves, each time: it asks for a second factor.
    SecondFactor,
    /// Ask whoever runs the site: the forum answered in a way that is not understood.
    Unrecognised,
    /// As before: the forum forgets the member right after each sign-in.
    Forgotten,
}

impl Ask {
    /// Whether the account is at fault rather than the set-up, so that it holds beyond a restart.
    pub(super) const fn is_of_the_account(self) -> bool {
        matches!(self, Self::WrongPassword | Self::UnknownUser | Self::Captcha | Self::SecondFactor)
    }
}

/// A member's turn: one sign-in at a time, and none while it makes no sense.
#[derive(Debug, Default)]
pub(super) struct Gate {
    pub(super) turn: tokio::sync::Mutex<()>,
    standing: Mutex<(Standing, u64)>,
    /// When the forum may be asked to take another password.
    next_change: Mutex<Timestamp>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Standing {
    /// May be tried.
    #[default]
    Free,
    /// Not before the member has done something.
    Asks(Ask),
    /// Not before then; it is the so-manieth time in a row.
    Until(Timestamp, u32),
}

/// How long the forum is left alone when it can't be reached, and at most.
pub(super) const PAUSE: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// At most, where it is the database or the member's row in it that has to change.
pub(super) const LONGEST_OF_MINTS: Duration = Duration::from_secs(10 * 60);

impl Gate {
    /// How the member stands, and since which change of the account.
    pub(super) fn standing(&self) -> (Standing, u64) {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how a sign-in ended, unless the account changed in between: then it says nothing of the new one.
    pub(super) fn settle(&self, to: Standing, change: u64) -> Standing {
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        if standing.1 == change {
            standing.0 = to;
        }
        standing.0
    }

    /// The account changed: whatever was, it may be tried.
    pub(super) fn open(&self) {
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        *standing = (Standing::Free, standing.1 + 1);
    }

    pub(super) fn may_change(&self, now: Timestamp) -> bool {
        now >= *self.next_change.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn no_change_before(&self, then: Timestamp) {
        *self.next_change.lock().unwrap_or_else(PoisonError::into_inner) = then;
    }
}

impl Standing {
    /// What follows from a sign-in that ended without a session.
    pub(super) fn after(self, login: &Login, now: Timestamp) -> Self {
        let at_most = |pause: Duration, longest| {
            let times = if let Self::Until(_, times) = self { times + 1 } else { 0 };
            Self::Until(now.after(pause.saturating_mul(1 << times.min(10)).min(longest)), times)
        };
        let until = |pause| at_most(pause, LONGEST);
        match login {
            Login::SignedIn(_) => Self::Free,
            Login::WrongPassword => Self::Asks(Ask::WrongPassword),
            Login::UnknownUser => Self::Asks(Ask::UnknownUser),
            Login::NeedsMember(Question::Captcha) => Self::Asks(Ask::Captcha),
            Login::NeedsMember(Question::SecondFactor) => Self::Asks(Ask::SecondFactor),
            Login::Throttled { wait } => until(*wait),
            Login::Unavailable => until(PAUSE),
            Login::NotMinted(_) => at_most(PAUSE, LONGEST_OF_MINTS),
            // The password was not sent: nothing was refused.
            Login::Unrecognised { step: Step::Page | Step::Form } => until(PAUSE),
            Login::Unrecognised { .. } => Self::Asks(Ask::Unrecognised),
        }
    }
}
