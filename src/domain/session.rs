//! A [`Session`]: who signed in, when, and for how long that holds. Pure questions only; kept by `auth::sessions`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{CredentialId, Timestamp, TokenHash, UserId};

/// A session is known by the hash of its token, never by the token.
pub type SessionId = TokenHash;

/// How long the browser is to keep the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Persistence {
    /// Until the browser is closed.
    Browser,
    /// "Stay signed in": until [`Lifetimes::remember`] has passed.
    Remembered,
    /// "This is a shared computer": until the browser is closed, and not for long. Nothing that outlives the session is
    /// left in that browser, and nothing is suggested that would be.
    Shared,
}

impl Persistence {
    /// The moment at which a session made at `created` ends if it is not used after `last_seen`.
    pub fn ends(self, created: Timestamp, last_seen: Timestamp, lifetimes: &Lifetimes) -> Timestamp {
        match self {
            Self::Browser => created.after(lifetimes.absolute).min(last_seen.after(lifetimes.idle)),
            Self::Remembered => created.after(lifetimes.remember),
            Self::Shared => {
                let absolute = lifetimes.absolute.min(Lifetimes::SHARED_ABSOLUTE);
                let idle = lifetimes.idle.min(lifetimes.shared);
                created.after(absolute).min(last_seen.after(idle))
            }
        }
    }
}

/// How the member of a session last proved who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// Not at all: an operator's one-time link tells nothing about who holds it, so step-up asks however fresh the
    /// session is (SECURITY: L9).
    Link,
    /// With such a link and the code of a second factor. Step-up asks all the same.
    LinkAndCode,
    /// With a passkey, which counts as both factors (BP-29).
    Passkey,
    /// With a password alone.
    Password,
    /// With a password and the code of a second factor.
    PasswordAndCode,
    /// With a password and a code that was mailed: as strong as the mailbox, so it is less to those who ask for a second factor.
    PasswordAndMailedCode,
    /// As [`Proof::TrustedDevice`], where it was a mailed code after which the member trusted it.
    TrustedByMail,
    /// With a password in a browser that the member trusts not to be somebody else's. Enough to sign in, not to confirm: step-up
    /// asks however fresh the session is.
    TrustedDevice,
}

impl Proof {
    /// When it was given, for a session made at `created`; none if there was none.
    pub fn at(self, created: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Passkey | Self::Password | Self::PasswordAndCode | Self::PasswordAndMailedCode => {
                Some(created)
            }
            Self::Link | Self::LinkAndCode | Self::TrustedByMail | Self::TrustedDevice => None,
        }
    }
}

/// What was shown beside a password or a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Beside {
    /// The code of a second factor.
    Code,
    /// A code that was mailed.
    MailedCode,
    /// Nothing: there was no second factor, or none is asked for here.
    #[default]
    Nothing,
    /// That the member trusts the browser, since they showed a mailed code there.
    TrustedByMail,
    /// That the member trusts the browser.
    TrustedDevice,
}

/// A signed-in browser.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The hash of its token.
    pub id: SessionId,
    /// Whose it is.
    pub user: UserId,
    /// When the member signed in. A fresh sign-in makes a fresh session, so this is also the moment of the last proof
    /// of identity, which step-up asks for; but see [`Proof::Link`].
    pub created: Timestamp,
    /// When it was last used, exact to about a minute.
    pub last_seen: Timestamp,
    /// How long the browser keeps it.
    pub persistence: Persistence,
    /// The passkey it was opened with, if it was one. Removing that passkey ends the session.
    pub passkey: Option<CredentialId>,
    /// Whether an operator's one-time link alone opened it.
    pub by_link: bool,
    /// What was shown beside the password or the link.
    pub beside: Beside,
    /// What the browser called itself, shortened; shown to the member in the list of sessions.
    pub user_agent: String,
}

/// How long sessions live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// An ordinary session ends when unused for this long …
    pub idle: Duration,
    /// … and in any case this long after sign-in.
    pub absolute: Duration,
    /// A "stay signed in" session ends this long after sign-in, used or not.
    pub remember: Duration,
    /// One on a shared computer ends when unused for this long, or sooner with `idle`; and in any case
    /// [`Lifetimes::SHARED_ABSOLUTE`] after sign-in, or sooner with `absolute`.
    pub shared: Duration,
}

impl Lifetimes {
    /// No session on a shared computer lasts longer.
    pub const SHARED_ABSOLUTE: Duration = Duration::from_secs(2 * 3_600);
}

impl Session {
    /// How its member proved who they are. A fresh proof makes a fresh session, so this is also the last one.
    pub fn proof(&self) -> Proof {
        match (&self.passkey, self.by_link, self.beside) {
            (Some(_), _, _) => Proof::Passkey,
            (None, true, Beside::Code) => Proof::LinkAndCode,
            (None, true, _) => Proof::Link,
            (None, false, Beside::Code) => Proof::PasswordAndCode,
            (None, false, Beside::MailedCode) => Proof::PasswordAndMailedCode,
            (None, false, Beside::Nothing) => Proof::Password,
            (None, false, Beside::TrustedByMail) => Proof::TrustedByMail,
            (None, false, Beside::TrustedDevice) => Proof::TrustedDevice,
        }
    }

    /// When the member last proved who they are; none if nothing of theirs did.
    pub fn proved_at(&self) -> Option<Timestamp> {
        self.proof().at(self.created)
    }

    /// The moment at which the session ends if it is not used after `last_seen`.
    pub fn ends(&self, last_seen: Timestamp, lifetimes: &Lifetimes) -> Timestamp {
        self.persistence.ends(self.created, last_seen, lifetimes)
    }

    /// Whether the session still holds at `now`, having last been used at `last_seen`.
    pub fn is_live(&self, last_seen: Timestamp, now: Timestamp, lifetimes: &Lifetimes) -> bool {
        now < self.ends(last_seen, lifetimes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIMES: Lifetimes = Lifetimes {
        idle: Duration::from_secs(60),
        absolute: Duration::from_secs(600),
        remember: Duration::from_secs(6_000),
        shared: Duration::from_secs(30),
    };

    fn session(persistence: Persistence) -> Session {
        Session {
            id: TokenHash([0; 32]),
            user: UserId([0; 16]),
            created: Timestamp::from_millis(0),
            last_seen: Timestamp::from_millis(0),
            persistence,
            passkey: None,
            by_link: false,
            beside: Beside::Nothing,
            user_agent: String::new(),
        }
    }

    fn live(session: &Session, seen: u64, now: u64) -> bool {
        session.is_live(Timestamp::from_millis(seen), Timestamp::from_millis(now), &LIFETIMES)
    }

    #[test]
    fn ses_06_idle_and_absolute_limits_hold_to_the_millisecond() {
        let ordinary = session(Persistence::Browser);
        assert!(live(&ordinary, 0, 59_999));
        assert!(!live(&ordinary, 0, 60_000), "idle");
        assert!(live(&ordinary, 590_000, 599_999));
        assert!(!live(&ordinary, 590_000, 600_000), "absolute");
        let remembered = session(Persistence::Remembered);
        assert!(live(&remembered, 0, 5_999_999));
        assert!(!live(&remembered, 5_999_999, 6_000_000));
    }

    #[test]
    fn sib_17_a_session_on_a_shared_computer_is_short_and_never_longer_than_an_ordinary_one() {
        let shared = session(Persistence::Shared);
        assert!(live(&shared, 0, 29_999));
        assert!(!live(&shared, 0, 30_000), "idle");
        assert!(!live(&shared, 590_000, 600_000), "an ordinary one ends then");
        let (day, two_hours) = (Duration::from_secs(86_400), 2 * 3_600_000);
        let ends = |lifetimes: &Lifetimes, seen| shared.ends(Timestamp::from_millis(seen), lifetimes);
        let long = Lifetimes { idle: day, absolute: day, remember: day, shared: day };
        assert_eq!(ends(&long, 7_000_000), Timestamp::from_millis(two_hours));
        assert_eq!(ends(&Lifetimes { shared: day, ..LIFETIMES }, 0), Timestamp::from_millis(60_000));
    }
}
