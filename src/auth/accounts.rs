//! Accounts, as operators manage them.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::advising::Asked;
use super::identifier::{Identified, identify};
use super::passwords::{Busy, PasswordPolicy, Passwords};
use super::{Sessions, recovery};
use crate::domain::{Clock, EmailKey, Group, PasskeyFor, Profile, Secret, User, UserId, UserName, UserState};
use crate::store::{Batch, Change, Drawer, Owner, Store, StoreError, Verdict};

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

/// Management of accounts.
pub struct Accounts {
    pub(super) store: Arc<dyn Store>,
    pub(super) sessions: Arc<Sessions>,
    pub(super) passwords: Arc<Passwords>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) policy: PasswordPolicy,
    pub(super) asked: Asked,
}

impl Accounts {
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
        Self { store, sessions, passwords, clock, policy, asked: Asked::default() }
    }

    /// Adds an account, with a password's PHC string from [`Accounts::hash`], with the text of a
    /// [`StoredPassword`](super::passwords::StoredPassword), or without. [`StoreError::NameTaken`] if the name is in use.
    pub async fn add(&self, new: NewUser, password: Option<String>) -> Result<User, StoreError> {
        let user = User { password, ..self.made(new) };
        self.add_with(user.clone(), Vec::new(), Vec::new()).await?;
        Ok(user)
    }

    /// Adds an account between the changes in `before` and those in `after`, or nothing at all.
    pub(super) async fn add_with(&self, user: User, before: Batch, after: Batch) -> Result<(), StoreError> {
        self.expect(user.password.as_deref());
        let mut batch = before;
        batch.push(Change::AddUser(user));
        batch.extend(after);
        self.store.apply(batch).await
    }

    /// A new account, without a password, that is not added yet.
    pub(super) fn made(&self, new: NewUser) -> User {
        let mut groups = new.groups;
        groups.sort();
        groups.dedup();
        User {
            profile: Profile {
                id: UserId::generate(),
                name: new.name,
                full_name: new.full_name,
                email: new.email,
                groups,
            },
            state: UserState::Active,
            password: None,
            created: self.clock.now(),
            last_sign_in: None,
            setup: None,
            passkey_for: PasskeyFor::default(),
            imported: None,
        }
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

    /// How often a password has been hashed or compared so far.
    pub fn hashes(&self) -> u64 {
        self.passwords.hashes()
    }

    /// The account of that name.
    pub fn find(&self, name: &UserName) -> Result<Option<User>, StoreError> {
        self.store.user_by_name(name.key())
    }

    /// The account with this id.
    pub fn by_id(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.store.user(id)
    }

    /// Whether an operator has deleted an account of that name, and nobody has it since.
    pub fn was_deleted(&self, name: &UserName) -> Result<bool, StoreError> {
        self.store.was_deleted(name.key())
    }

    /// The account that is meant by what was typed into the name field: its name or e-mail address.
    pub fn identify(&self, typed: &str) -> Result<Option<User>, StoreError> {
        Ok(match identify(self.store.as_ref(), typed)? {
            Identified::One(user) => Some(*user),
            Identified::Nobody | Identified::Several => None,
        })
    }

    /// The accounts with this e-mail address.
    pub fn with_email(&self, key: &EmailKey) -> Result<Vec<User>, StoreError> {
        self.store.users_by_email(key)
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

    /// How much lies in a drawer of theirs.
    pub fn count_in(&self, drawer: Drawer, owner: Owner) -> Result<usize, StoreError> {
        Ok(self.store.records(drawer, owner)?.len())
    }

    /// Whether there is any account yet.
    pub fn is_empty(&self) -> Result<bool, StoreError> {
        let mut empty = true;
        self.store.each_user_unordered(&mut |_| {
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
        self.disable_with(user, Batch::new()).await
    }

    /// [`Self::disable`], and `with` in the same breath.
    pub async fn disable_with(&self, user: UserId, with: Batch) -> Result<(), StoreError> {
        let mut batch = with;
        batch.extend([set_state(user, UserState::Disabled), recovery::forgotten(user)]);
        self.sessions.end_access(user, None, batch).await.map(drop)
    }

    /// Removes an account and all that hangs on it.
    pub async fn delete(&self, user: UserId) -> Result<(), StoreError> {
        self.sessions.end_access(user, None, vec![Change::DeleteUser(user)]).await.map(drop)
    }
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
