//! Floor 1: what is kept, and the promise under which it is kept. Adapters are on floor 2.
//!
//! **The contract.** A [`Store`] applies a [`Batch`] of [`Change`]s wholly or not at all, one batch after another, and the
//! future of [`Store::apply`] completes with `Ok` only when the batch would survive the loss of power. From that moment
//! every read sees it; a read may see it earlier, never in part. A failed batch leaves nothing behind. "Not there" is
//! `None`, not an error. One suite, `contract`, runs against every adapter.
//!
//! Reads are synchronous and quick (memory, or a page cache); nothing on the path of a proxied request reads the store.

mod memory;
mod sled;

#[cfg(test)]
mod contract;

pub use self::memory::MemoryStore;
pub use self::sled::SledStore;

use std::future::Future;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::pin::Pin;

use crate::domain::{Session, SessionId, Timestamp, TokenHash, User, UserId};

/// Accounts and sessions, durably.
pub trait Store: Send + Sync {
    /// The account with this id.
    fn user(&self, id: UserId) -> Result<Option<User>, StoreError>;

    /// The account whose name has this key ([`crate::domain::UserName::key`]).
    fn user_by_name(&self, key: &str) -> Result<Option<User>, StoreError>;

    /// The account for which a set-up link with this hash is open. The caller checks that it has not expired.
    fn user_by_setup(&self, link: &TokenHash) -> Result<Option<User>, StoreError>;

    /// The session with this id.
    fn session(&self, id: SessionId) -> Result<Option<Session>, StoreError>;

    /// Visits every account, ordered by name key, until told to stop. No lock is held meanwhile: the visitor may use the
    /// store, and a change made during the visit may or may not be seen.
    fn each_user(&self, visit: &mut dyn FnMut(User) -> ControlFlow<()>) -> Result<(), StoreError>;

    /// Visits every session, in no particular order, until told to stop; as with accounts, changes made meanwhile may
    /// or may not be seen.
    fn each_session(&self, visit: &mut dyn FnMut(Session) -> ControlFlow<()>) -> Result<(), StoreError>;

    /// Whether writes are still taken; the reason if not.
    fn health(&self) -> Result<(), StoreError>;

    /// Applies a batch; see the contract above. Batches take effect in the order of these calls, whether or not the
    /// futures are polled: a caller that goes away does not undo its write.
    fn apply(&self, batch: Batch) -> Commit;
}

/// Completes when a batch is durable, or has failed.
pub type Commit = Pin<Box<dyn Future<Output = Result<(), StoreError>> + Send>>;

/// Changes that happen together or not at all, in order.
pub type Batch = Vec<Change>;

/// One change.
pub enum Change {
    /// Adds an account. Fails with [`StoreError::NameTaken`] if its name's key, or its id, is in use.
    AddUser(User),
    /// Removes an account and all its sessions; no error if it is gone already.
    DeleteUser(UserId),
    /// Ends a session; no error if it has ended already.
    EndSession(SessionId),
    /// Ends all sessions of an account, but this one if given.
    EndSessions(UserId, Option<SessionId>),
    /// Keeps a session, new or changed. Fails with [`StoreError::NoSuchUser`] if its account is gone.
    PutSession(Session),
    /// Changes an account as it is at that moment; no other write comes between reading and writing. Returning
    /// [`Verdict::Abandon`], or panicking, makes the whole batch fail with [`StoreError::Abandoned`]. Fails with
    /// [`StoreError::NoSuchUser`], or [`StoreError::NameTaken`] after a change of name. The id can't be changed.
    ReviseUser(UserId, Revision),
    /// Notes when a session was last used; no error, and no session, if it has ended.
    TouchSession(SessionId, Timestamp),
}

/// How to change an account.
pub type Revision = Box<dyn FnOnce(&mut User) -> Verdict + Send>;

/// Whether a [`Revision`] stands.
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
    /// A [`Revision`] said no.
    #[error("the change no longer applies")]
    Abandoned,
    /// What lies there is not what was written, or from a newer version.
    #[error("the store in {path} can't be read: {reason}", path = path.display())]
    Damaged {
        /// Where it lies.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The disk refused; writes are refused until a restart, since what a failed sync has written is unknown.
    #[error("the store can't write: {0}")]
    Failed(String),
    /// Another process has it open.
    #[error("the store in {path} is in use by another process; stop that one, or give this one a data_dir of its own", path = path.display())]
    InUse {
        /// Where it lies.
        path: PathBuf,
    },
    /// The name's key belongs to another account.
    #[error("the name is taken")]
    NameTaken,
    /// The account is gone.
    #[error("there is no such account")]
    NoSuchUser,
}

/// The account as `revision` leaves it. It runs among the store's own things, so its panic stays its own.
fn revised(user: &User, revision: Revision) -> Result<User, StoreError> {
    let revise = AssertUnwindSafe(|| {
        let mut next = user.clone();
        let verdict = revision(&mut next);
        next.profile.id = user.profile.id;
        (next, verdict)
    });
    match catch_unwind(revise) {
        Ok((next, Verdict::Keep)) => Ok(next),
        Ok((_, Verdict::Abandon)) | Err(_) => Err(StoreError::Abandoned),
    }
}
