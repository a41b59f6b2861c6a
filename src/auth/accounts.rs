//! Accounts, as operators manage them and as a one-time link sets them up.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use super::passwords::{Busy, PasswordPolicy, Passwords};
use super::{Sessions, SetupToken};
use crate::domain::{
    Clock, Group, PasskeyFor, Profile, Secret, SetupLink, User, UserId, UserName, UserState,
};
use crate::store::{Change, Store, StoreError, Verdict};

/// An account to be made.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The name to sign in with.
    pub name: UserName,
    /// A name to show.
    pub full_name: Option<String>,
    /// An e-mail address.
    pub email: Option<String>,
    /// Groups.
    pub groups: Vec<Group>,
}

/// Why a password is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeakPassword {
    /// Fewer characters than this.
    TooShort(usize),
    /// More characters than this; nothing is cut off (SECURITY: AUTH-02).
    TooLong(usize),
}

/// How setting a password through a link ended.
#[derive(Debug, PartialEq, Eq)]
pub enum SetupOutcome {
    /// Too much hashing going on; the link still works.
    Busy,
    /// Set; the link is used up and all sessions have ended.
    Done,
    /// The link is used up, replaced or too old.
    Expired,
    /// The password is not accepted; the link still works.
    Weak(WeakPassword),
}

/// Management of accounts.
pub struct Accounts {
    store: Arc<dyn Store>,
    sessions: Arc<Sessions>,
    passwords: Arc<Passwords>,
    clock: Arc<dyn Clock>,
    policy: PasswordPolicy,
}

impl Accounts {
    /// How long a set-up link works. An operator hands it over by hand, which takes longer than the ten minutes of an
    /// automatic mail (AUTH-09).
    pub const LINK_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
    /// Longer passwords are refused before they are hashed (SECURITY: THR-11).
    pub const MAX_PASSWORD_CHARS: usize = 1_000;
    /// Whatever the policy says, nothing shorter is accepted (SECURITY: AUTH-01).
    pub const MIN_PASSWORD_CHARS: usize = 8;

    /// Wires the use case.
    pub fn new(
        store: Arc<dyn Store>,
        sessions: Arc<Sessions>,
        passwords: Arc<Passwords>,
        clock: Arc<dyn Clock>,
        policy: PasswordPolicy,
    ) -> Self {
        Self { store, sessions, passwords, clock, policy }
    }

    /// What a member's password has to be.
    pub fn policy(&self) -> PasswordPolicy {
        self.policy
    }

    /// Adds an account, with a password's PHC string from [`Accounts::hash`], with the text of a
    /// [`StoredPassword`](super::passwords::StoredPassword), or without. [`StoreError::NameTaken`] if the name is in use.
    pub async fn add(&self, new: NewUser, password: Option<String>) -> Result<User, StoreError> {
        let mut groups = new.groups;
        groups.sort();
        groups.dedup();
        let user = User {
            profile: Profile {
                id: UserId::generate(),
                name: new.name,
                full_name: new.full_name,
                email: new.email,
                groups,
            },
            state: UserState::Active,
            password,
            created: self.clock.now(),
            last_sign_in: None,
            setup: None,
            passkey_for: PasskeyFor::default(),
            imported: None,
        };
        self.expect(user.password.as_deref());
        self.store.apply(vec![Change::AddUser(user.clone())]).await?;
        Ok(user)
    }

    /// Makes known that a member has this stored, before they have (SECURITY: AUTH-08).
    pub fn expect(&self, password: Option<&str>) {
        if let Some(stored) = password {
            self.passwords.expect(stored);
        }
    }

    /// Hashes a new password.
    pub async fn hash(&self, password: Secret<String>) -> Result<String, Busy> {
        self.passwords.hash(password).await
    }

    /// Checks a new password against `min_chars` and the fixed bounds, before any hashing.
    pub fn check_password(password: &Secret<String>, min_chars: usize) -> Result<(), WeakPassword> {
        let chars = password.expose().chars().count();
        let least = min_chars.max(Self::MIN_PASSWORD_CHARS);
        if chars < least {
            Err(WeakPassword::TooShort(least))
        } else if chars > Self::MAX_PASSWORD_CHARS {
            Err(WeakPassword::TooLong(Self::MAX_PASSWORD_CHARS))
        } else {
            Ok(())
        }
    }

    /// The account of that name.
    pub fn find(&self, name: &UserName) -> Result<Option<User>, StoreError> {
        self.store.user_by_name(name.key())
    }

    /// All accounts by name.
    pub fn all(&self) -> Result<Vec<User>, StoreError> {
        let mut all = Vec::new();
        self.store.each_user(&mut |user| {
            all.push(user);
            ControlFlow::Continue(())
        })?;
        Ok(all)
    }

    /// Whether there is any account yet.
    pub fn is_empty(&self) -> Result<bool, StoreError> {
        let mut empty = true;
        self.store.each_user(&mut |_| {
            empty = false;
            ControlFlow::Break(())
        })?;
        Ok(empty)
    }

    /// Lets a member sign in again.
    pub async fn enable(&self, user: UserId) -> Result<(), StoreError> {
        self.store.apply(vec![set_state(user, UserState::Active)]).await
    }

    /// Keeps a member out; all their sessions and links end with it (SECURITY: S6, AUTH-13).
    pub async fn disable(&self, user: UserId) -> Result<(), StoreError> {
        self.sessions.end_all(user, None, vec![set_state(user, UserState::Disabled)]).await.map(drop)
    }

    /// Removes an account and all that hangs on it.
    pub async fn delete(&self, user: UserId) -> Result<(), StoreError> {
        self.sessions.end_all(user, None, vec![Change::DeleteUser(user)]).await.map(drop)
    }

    /// Makes a one-time link's token; an earlier link of the account stops working.
    pub async fn link(&self, user: UserId) -> Result<SetupToken, StoreError> {
        let token = SetupToken::generate();
        let link = SetupLink { hash: token.hash(), expires: self.clock.now().after(Self::LINK_LIFETIME) };
        let revision = Change::ReviseUser(
            user,
            Box::new(move |user| {
                user.setup = Some(link);
                Verdict::Keep
            }),
        );
        self.store.apply(vec![revision]).await?;
        Ok(token)
    }

    /// The account for which a link is open.
    pub fn open_link(&self, token: &SetupToken) -> Result<Option<User>, StoreError> {
        let hash = token.hash();
        let now = self.clock.now();
        let user = self.store.user_by_setup(&hash)?;
        Ok(user.filter(|user| is_open(user, &hash, now)))
    }

    /// Sets a password through a link. The link works once; of two at the same moment one is refused
    /// (SECURITY: AUTH-09).
    pub async fn redeem(
        &self,
        token: &SetupToken,
        password: Secret<String>,
    ) -> Result<SetupOutcome, StoreError> {
        let Some(user) = self.open_link(token)? else { return Ok(SetupOutcome::Expired) };
        if let Err(weak) = Self::check_password(&password, self.policy.min_chars) {
            return Ok(SetupOutcome::Weak(weak));
        }
        let Ok(phc) = self.passwords.hash(password).await else { return Ok(SetupOutcome::Busy) };
        let hash = token.hash();
        let now = self.clock.now();
        let revision = Change::ReviseUser(
            user.profile.id,
            Box::new(move |user| {
                if !is_open(user, &hash, now) {
                    return Verdict::Abandon;
                }
                user.password = Some(phc);
                user.setup = None;
                Verdict::Keep
            }),
        );
        match self.sessions.end_all(user.profile.id, None, vec![revision]).await {
            Ok(_) => Ok(SetupOutcome::Done),
            Err(StoreError::Abandoned | StoreError::NoSuchUser) => Ok(SetupOutcome::Expired),
            Err(error) => Err(error),
        }
    }
}

fn is_open(user: &User, link: &crate::domain::TokenHash, now: crate::domain::Timestamp) -> bool {
    user.state == UserState::Active
        && user.setup.as_ref().is_some_and(|setup| setup.hash == *link && now < setup.expires)
}

fn set_state(user: UserId, state: UserState) -> Change {
    Change::ReviseUser(
        user,
        Box::new(move |user| {
            user.state = state;
            if state == UserState::Disabled {
                user.setup = None;
            }
            Verdict::Keep
        }),
    )
}
