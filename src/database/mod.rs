//! Floor 1: other people's databases, MySQL's, PostgreSQL's and SQLite's alike. The only place that names their crates.
//!
//! | module | what |
//! | --- | --- |
//! | `url` | where a database is, as a value that can't be wrong and holds no password |
//! | `connection` | one connection: statements, rows, transactions, time limits |
//! | `row` | parameters in, raw bytes out |
//! | `mysql`, `postgres`, `sqlite`, `tls` | the three behind it |
//! | `error` | what went wrong, without anything secret |
//!
//! Knows of no forum and of no table. Statements are written with `?` for each parameter, whoever's they are; whatever
//! comes from outside goes in as a parameter, and a name of a table through [`Kind::quoted`].

mod connection;
mod error;
mod mysql;
mod postgres;
mod row;
mod sqlite;
mod tls;
mod url;

pub use connection::{Connection, Rows, Transaction};
pub use error::DatabaseError;
pub use row::{Parameter, Row};
pub use url::{DatabaseUrl, Kind, ServerUrl, UrlError};

use std::time::Duration;

use crate::domain::Secret;

/// A database, and what opens it.
#[derive(Clone, Debug)]
pub struct DatabaseAccess {
    /// Where it is.
    pub url: DatabaseUrl,
    /// The user's password; none where the server asks for none.
    pub password: Option<Secret<String>>,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A transaction reads one state of the database, and can't write.
    Read,
    /// A transaction may write.
    Write,
}

/// On what terms a connection is opened.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// What it is for.
    pub purpose: Purpose,
    /// How long connecting may take.
    pub connect: Duration,
    /// How long each answer, and each row, may take.
    pub answer: Duration,
}

/// Who can listen to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    Encrypted,
    Plain,
}

#[cfg(test)]
mod tests;
