//! Floor 1: what is kept, and the promise under which it is kept. Adapters are on floor 2.
//!
//! **The contract.** A [`Store`] applies a [`Batch`] of [`Change`]s wholly or not at all, one batch after another, and the
//! future of [`Store::apply`] completes with `Ok` only when the batch would survive the loss of power. From that moment
//! every read sees it; a read may see it earlier, never in part. A failed batch leaves nothing behind. "Not there" is
//! `None`, not an error. One suite, `contract`, runs against every adapter.
//!
//! Reads are synchronous and quick (memory, or a page cache); nothing on the path of a proxied request reads the store.

pub mod backup;
mod drawer;
mod memory;
mod record;
mod sled;

#[cfg(test)]
mod contract;

pub use self::drawer::{Drawer, Entry, Kept, Owner, RecordRevision};
pub use self::memory::MemoryStore;
#[cfg(fuzzing)]
pub use self::sled::fuzzing;
pub use self::sled::{Compacted, Contents, Rebuild, SledStore};

use std::future::Future;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::pin::Pin;

use crate::domain::{
    CredentialId, EmailKey, Failures, Passkey, PasskeyFor, Profile, SealedPassword, Secret, Session,
    SessionId, Timestamp, TokenHash, User, UserId, UserState,
};

/// Accounts, passkeys, sessions, sealed passwords for the forum and wrong tries, durably.
pub trait Store: Send + Sync {
    /// The account with this id.
    fn user(&self, id: UserId) -> Result<Option<User>, StoreError>;

    /// What is known of the account's member on the way of each request. Cost: a look into memory; it reads nothing from a disk, and
    /// waits for no write.
    fn member(&self, id: UserId) -> Result<Option<Member>, StoreError> {
        Ok(self.user(id)?.map(Member::from))
    }

    /// The account whose name has this key ([`crate::domain::UserName::key`]).
    fn user_by_name(&self, key: &str) -> Result<Option<User>, StoreError>;

    /// The accounts with this e-mail address, in any spelling and no particular order.
    fn users_by_email(&self, key: &EmailKey) -> Result<Vec<User>, StoreError>;

    /// Whether an account whose name had this key was deleted, and none was made since that has it.
    fn was_deleted(&self, key: &str) -> Result<bool, StoreError>;

    /// The account for which a set-up link with this hash is open. The caller checks that it has not expired.
    fn user_by_setup(&self, link: &TokenHash) -> Result<Option<User>, StoreError>;

    /// The session of an account with this id.
    fn session(&self, user: UserId, id: SessionId) -> Result<Option<Session>, StoreError>;

    /// The sessions of an account, in no particular order. Cost: grows with how many these are.
    fn sessions_of(&self, user: UserId) -> Result<Vec<SessionId>, StoreError>;

    /// The passkey with this credential id, whosever it is.
    fn passkey(&self, id: &CredentialId) -> Result<Option<Passkey>, StoreError>;

    /// All passkeys of an account, oldest first, as one consistent read: what it leaves out is not there.
    fn passkeys_of(&self, user: UserId) -> Result<Vec<Passkey>, StoreError>;

    /// Visits every passkey, in no particular order, until told to stop; as with accounts, changes made meanwhile may or
    /// may not be seen.
    fn each_passkey(&self, visit: &mut dyn FnMut(Passkey) -> ControlFlow<()>) -> Result<(), StoreError>;

    /// The sealed password of an account for the forum; one at most.
    fn forum_password(&self, user: UserId) -> Result<Option<SealedPassword>, StoreError>;

    /// Visits every sealed password, in no particular order, until told to stop; as with accounts, changes made meanwhile
    /// may or may not be seen.
    fn each_forum_password(
        &self,
        visit: &mut dyn FnMut(SealedPassword) -> ControlFlow<()>,
    ) -> Result<(), StoreError>;

    /// Visits the wrong tries of every account that has some, in no particular order, until told to stop; as with accounts,
    /// changes made meanwhile may or may not be seen.
    fn each_failures(
        &self,
        visit: &mut dyn FnMut(UserId, Failures) -> ControlFlow<()>,
    ) -> Result<(), StoreError>;

    /// The key by which devices are known, if one was ever kept.
    fn device_key(&self) -> Result<Option<Secret<[u8; 32]>>, StoreError>;

    /// Visits every account, ordered by name key, until told to stop. No lock is held meanwhile: the visitor may use the
    /// store, and a change made during the visit may or may not be seen.
    fn each_user(&self, visit: &mut dyn FnMut(User) -> ControlFlow<()>) -> Result<(), StoreError>;

    /// As [`Self::each_user`], in the order that costs the store least: of very many, that is a small part.
    fn each_user_unordered(&self, visit: &mut dyn FnMut(User) -> ControlFlow<()>) -> Result<(), StoreError> {
        self.each_user(visit)
    }

    /// Visits every session, in no particular order, until told to stop; as with accounts, changes made meanwhile may
    /// or may not be seen.
    fn each_session(&self, visit: &mut dyn FnMut(Session) -> ControlFlow<()>) -> Result<(), StoreError>;

    /// What lies below this key in a drawer, as bytes; [`Self::kept`] tells what they mean.
    fn record(&self, drawer: Drawer, owner: Owner, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// All that an owner has in a drawer, in the order of the keys.
    fn records(&self, drawer: Drawer, owner: Owner) -> Result<Vec<Entry>, StoreError>;

    /// Visits all that lies in a drawer, owner, key and bytes, until told to stop; as with accounts, changes made meanwhile may
    /// or may not be seen.
    fn each_record(
        &self,
        drawer: Drawer,
        visit: &mut dyn FnMut(Owner, Vec<u8>, Vec<u8>) -> ControlFlow<()>,
    ) -> Result<(), StoreError>;

    /// Whether writes are still taken; the reason if not.
    fn health(&self) -> Result<(), StoreError>;

    /// Begins a copy of everything but sessions, to be kept elsewhere. Changes go on meanwhile. Fails with
    /// [`StoreError::KeepsNothing`] where nothing outlives the process anyway.
    fn export(&self) -> Result<Box<dyn Export>, StoreError>;

    /// Applies a batch; see the contract above. Batches take effect in the order of these calls, whether or not the
    /// futures are polled: a caller that goes away does not undo its write.
    fn apply(&self, batch: Batch) -> Commit;
}

/// An account as far as the way of a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// What the application is told.
    pub profile: Profile,
    /// Whether they may be signed in.
    pub state: UserState,
    /// What takes a passkey by their own choice.
    pub passkey_for: PasskeyFor,
}

impl From<User> for Member {
    fn from(user: User) -> Self {
        Self { profile: user.profile, state: user.state, passkey_for: user.passkey_for }
    }
}

/// A copy under way. Its lines, one after another, are the state of one moment before the last of them was given out.
pub trait Export: Send + Sync {
    /// About how many lines there will be.
    fn total(&self) -> u64;

    /// The next lines; none when all were given out.
    fn next_lines(&mut self) -> Result<Option<Vec<String>>, StoreError>;
}

/// Completes when a batch is durable, or has failed.
pub type Commit = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>;

/// Changes that happen together or not at all, in order.
pub type Batch = Vec<Change>;

/// One change.
pub enum Change {
    /// Adds a passkey, if its account has fewer than `limit` then. Fails with [`StoreError::NoSuchUser`] if the account is
    /// gone, else with [`StoreError::CredentialTaken`] if any account has one of this id, else with
    /// [`StoreError::LimitReached`] if the account has enough.
    AddPasskey {
        /// The passkey.
        passkey: Passkey,
        /// How many the account may have with it.
        limit: usize,
    },
    /// Adds an account. Fails with [`StoreError::NameTaken`] if its name's key, or its id, is in use.
    AddUser(User),
    /// Removes an account, its passkeys, its sealed password for the forum, its wrong tries, all its sessions and all that it has in
    /// drawers; no error if it is gone already.
    /// That there was one of its name is remembered ([`Store::was_deleted`]).
    DeleteUser(UserId),
    /// Takes all out of a drawer that an owner has there.
    DropRecords(Drawer, Owner),
    /// Ends a session of an account; no error if it has ended already, or the account has none of this id.
    EndSession(UserId, SessionId),
    /// Ends all sessions of an account, but this one if given.
    EndSessions(UserId, Option<SessionId>),
    /// Keeps the key by which devices are known, in place of the one before.
    PutDeviceKey(Secret<[u8; 32]>),
    /// Keeps the wrong tries of an account, in place of those before; none if there are none. No error, and nothing kept, if the
    /// account is gone.
    PutFailures(UserId, Failures),
    /// Keeps a sealed password for the forum, in place of the one before. Fails with [`StoreError::NoSuchUser`] if its
    /// account is gone.
    PutForumPassword(SealedPassword),
    /// Keeps a session, new or changed. Fails with [`StoreError::NoSuchUser`] if its account is gone.
    PutSession(Session),
    /// Removes a passkey of this account and ends its sessions that were opened with it; no error if the account has no
    /// such passkey. An account left with none asks for none: its [`User::passkey_for`] is nothing then.
    RemovePasskey(UserId, CredentialId),
    /// Changes a passkey of this account as it is at that moment; id, account and relying party stay what they are.
    /// Otherwise like [`Change::ReviseUser`]. Fails with [`StoreError::NoSuchPasskey`] if the account has no such passkey,
    /// so whoever opens a session with one revises it in the same batch.
    RevisePasskey(UserId, CredentialId, PasskeyRevision),
    /// Changes what lies below a key in a drawer; see [`Change::revise_kept`]. Fails with [`StoreError::NoSuchUser`] if
    /// something is to lie there and the owner is gone.
    ReviseRecord {
        /// Which drawer.
        drawer: Drawer,
        /// Whose record.
        owner: Owner,
        /// Below which key.
        key: Vec<u8>,
        /// How.
        revision: RecordRevision,
    },
    /// Changes an account as it is at that moment; no other write comes between reading and writing. Returning
    /// [`Verdict::Abandon`], or panicking, makes the whole batch fail with [`StoreError::Abandoned`]. Fails with
    /// [`StoreError::NoSuchUser`], or [`StoreError::NameTaken`] after a change of name. The id can't be changed.
    ReviseUser(UserId, Revision),
    /// Notes when a session of an account was last used; no error, and no session, if it has ended.
    TouchSession(UserId, SessionId, Timestamp),
}

impl Change {
    /// Changes nothing, and fails with [`StoreError::NoSuchPasskey`] if the account does not have this passkey.
    pub fn still_there(user: UserId, passkey: CredentialId) -> Self {
        Self::RevisePasskey(user, passkey, Box::new(|_| Verdict::Keep))
    }
}

/// How to change an account.
pub type Revision = Box<dyn FnOnce(&mut User) -> Verdict + Send>;

/// How to change a passkey.
pub type PasskeyRevision = Box<dyn FnOnce(&mut Passkey) -> Verdict + Send>;

/// Whether a [`Revision`] or [`PasskeyRevision`] stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does not; nothing of its batch happens.
    Abandon,
    /// It does.
    Keep,
}

/// Why the store could not do as asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A [`Revision`] or [`PasskeyRevision`] said no.
    #[error("the change no longer applies")]
    Abandoned,
    /// The credential id belongs to a passkey already, of whichever account.
    #[error("the passkey is registered already")]
    CredentialTaken,
    /// What lies there is not what was written, or from a newer version.
    #[error("the store in {path} can't be read: {reason}", path = path.display())]
    Damaged {
        /// Where it lies.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The disk refused, or has no room. Nothing is written until it is known again what the disk has; whether this was is
    /// unknown.
    #[error("the store can't write: {0}")]
    Failed(String),
    /// Another process has it open.
    #[error("the store in {path} is in use by another process; stop that one, or give this one a data_dir of its own", path = path.display())]
    InUse {
        /// Where it lies.
        path: PathBuf,
    },
    /// A store in memory.
    #[error("the store is in memory and gone with the process; there is nothing to copy")]
    KeepsNothing,
    /// The account has as many passkeys as it may.
    #[error("the account has as many passkeys as it may")]
    LimitReached,
    /// The name's key belongs to another account.
    #[error("the name is taken")]
    NameTaken,
    /// The passkey is gone, or is another account's.
    #[error("there is no such passkey")]
    NoSuchPasskey,
    /// The account is gone.
    #[error("there is no such account")]
    NoSuchUser,
    /// What lies in a drawer is not what was put there, or from a newer version.
    #[error("the store holds what can't be read: {0}")]
    NotUnderstood(String),
    /// A write does not come back. Whether it will have happened is unknown.
    #[error("the store stands still: {0}")]
    StandsStill(Standstill),
}

/// What keeps a write from coming back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Standstill {
    /// The disk, for all that is known. A restart would only wait for it, too.
    #[error("its disk does not answer, or has only just; it goes on when that does")]
    Disk,
    /// Not the disk: that takes what it is given. Only a restart helps.
    #[error("a write does not come back, though the disk answers; it takes a restart")]
    Store,
}

/// The account as `revision` leaves it.
fn revised_user(user: &User, revision: Revision) -> Result<User, StoreError> {
    let mut next = revised(user, revision)?;
    next.profile.id = user.profile.id;
    Ok(next)
}

/// The passkey as `revision` leaves it.
fn revised_passkey(passkey: &Passkey, revision: PasskeyRevision) -> Result<Passkey, StoreError> {
    let next = revised(passkey, revision)?;
    Ok(Passkey { id: passkey.id.clone(), user: passkey.user, rp_id: passkey.rp_id.clone(), ..next })
}

/// A revision runs among the store's own things, so its panic stays its own.
fn revised<T: Clone>(before: &T, revision: impl FnOnce(&mut T) -> Verdict) -> Result<T, StoreError> {
    let revise = AssertUnwindSafe(|| {
        let mut next = before.clone();
        let verdict = revision(&mut next);
        (next, verdict)
    });
    match catch_unwind(revise) {
        Ok((next, Verdict::Keep)) => Ok(next),
        Ok((_, Verdict::Abandon)) | Err(_) => Err(StoreError::Abandoned),
    }
}

/// The order in which an account's passkeys are told.
fn oldest_first(mut passkeys: Vec<Passkey>) -> Vec<Passkey> {
    passkeys.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
    passkeys
}
