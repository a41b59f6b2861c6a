//! What can go wrong with a database, in words for an operator. None of them holds a password or a value out of a
//! statement or a row, so that each may be logged.

use std::time::Duration;

/// Why a database did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseError {
    /// Nobody answers there, or not in a way that is understood.
    #[error("the database {at} can't be reached: {reason}")]
    Unreachable {
        /// The URL.
        at: String,
        /// What the machine or the library says.
        reason: String,
    },
    /// The server lets this user not in, or not into this database.
    #[error("the database {at} refuses the user: {reason}")]
    Denied {
        /// The URL.
        at: String,
        /// What the server says.
        reason: String,
    },
    /// There is no such database.
    #[error("the database {at} is not there: {reason}")]
    NoDatabase {
        /// The URL.
        at: String,
        /// What the server says.
        reason: String,
    },
    /// The connection ended in the middle. A new one may do better.
    #[error("the connection to the database {at} was lost: {reason}")]
    Lost {
        /// The URL.
        at: String,
        /// What the machine or the library says.
        reason: String,
    },
    /// The server took too long. The connection is of no more use; a new one may do better.
    #[error("the database {at} gave no answer within {limit:?}")]
    Slow {
        /// The URL.
        at: String,
        /// How long it had.
        limit: Duration,
    },
    /// A statement was refused. The connection can be used on.
    #[error("the database {at} refused a statement: {reason}")]
    Refused {
        /// The URL.
        at: String,
        /// SQLSTATE, or SQLite's number.
        code: String,
        /// What the server says, as far as that can't quote a value; its code at least.
        reason: String,
    },
}

impl DatabaseError {
    /// Whether a new connection could make the difference.
    pub const fn ends_connection(&self) -> bool {
        !matches!(self, Self::Refused { .. })
    }
}

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Opening,
    Open,
}

impl Stage {
    /// What it means if the connection ends now.
    pub(super) fn broken(self, at: &str, reason: String) -> DatabaseError {
        let at = at.to_owned();
        match self {
            Self::Opening => DatabaseError::Unreachable { at, reason },
            Self::Open => DatabaseError::Lost { at, reason },
        }
    }
}
