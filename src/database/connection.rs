//! [`Connection`]: one connection to one database, used by one task at a time.

use std::future::Future;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::timeout;

use super::error::Stage;
use super::mysql::{self, MySql, MySqlRows};
use super::postgres::{self, Postgres, PostgresRows};
use super::sqlite::{self, Sqlite, SqliteRows};
use super::{DatabaseAccess, DatabaseError, DatabaseUrl, Kind, Parameter, Purpose, Row, Terms, Transport};

/// An open connection. Needs a runtime of tokio's around it. Whoever drops it closes it, and takes back what was not
/// committed.
///
/// Any of its futures may be dropped before it is ready; if it was waiting for an answer then, the connection is of no
/// more use and says so ([`DatabaseError::Lost`]).
pub struct Connection {
    link: Link,
    talk: Talk,
    transaction: Open,
    kind: Kind,
    purpose: Purpose,
    warning: Option<String>,
}

enum Link {
    MySql(Box<MySql>),
    Postgres(Postgres),
    Sqlite(Sqlite),
}

/// Whose turn it is to speak.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Ours,
    /// An answer is awaited, or never came.
    Theirs,
}

/// Whether a transaction is open.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    No,
    Yes,
    /// It was dropped without being committed, and the server does not know it yet.
    Abandoned,
}

/// What is said on a connection, one question after the other, each with its time.
struct Talk {
    at: String,
    answer: Duration,
    turn: Turn,
}

impl Talk {
    async fn ask<T>(
        &mut self,
        question: impl Future<Output = Result<T, DatabaseError>>,
    ) -> Result<T, DatabaseError> {
        if self.turn == Turn::Theirs {
            return Err(Stage::Open.broken(&self.at, "an earlier answer never came".to_owned()));
        }
        self.turn = Turn::Theirs;
        let answer = timeout(self.answer, question)
            .await
            .unwrap_or_else(|_| Err(DatabaseError::Slow { at: self.at.clone(), limit: self.answer }));
        if !answer.as_ref().is_err_and(DatabaseError::ends_connection) {
            self.turn = Turn::Ours;
        }
        answer
    }
}

impl Connection {
    /// Opens a connection.
    pub async fn open(access: &DatabaseAccess, terms: &Terms) -> Result<Self, DatabaseError> {
        let at = access.url.to_string();
        let opened = timeout(terms.connect, link(access, terms, &at)).await;
        let (link, transport) =
            opened.unwrap_or_else(|_| Err(DatabaseError::Slow { at: at.clone(), limit: terms.connect }))?;
        let remote = matches!(&access.url, DatabaseUrl::Server(server) if server.is_remote());
        let warning = (remote && transport == Transport::Plain).then(|| {
            format!("the connection to the database {at} is not encrypted; others on its way can read it and change it")
        });
        Ok(Self {
            link,
            talk: Talk { at, answer: terms.answer, turn: Turn::Ours },
            transaction: Open::No,
            kind: access.url.kind(),
            purpose: terms.purpose,
            warning,
        })
    }

    /// Whose rules its statements follow.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// What whoever runs the site should know of the way to the server.
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// Asks for rows, which are read one after the other; those that are not are dropped. Memory holds a few of them.
    pub async fn rows(
        &mut self,
        statement: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Rows<'_>, DatabaseError> {
        self.settled().await?;
        let Self { link, talk, .. } = self;
        let at = talk.at.clone();
        let source = talk
            .ask(async {
                Ok(match link {
                    Link::MySql(link) => {
                        let rows = link.rows(statement, parameters).await;
                        Source::MySql(rows.map_err(|error| mysql::explained(&error, &at, Stage::Open))?)
                    }
                    Link::Postgres(link) => {
                        let rows = link.rows(statement, parameters).await;
                        Source::Postgres(rows.map_err(|error| postgres::explained(&error, &at, Stage::Open))?)
                    }
                    Link::Sqlite(link) => {
                        let rows = link.rows(statement, parameters).await;
                        Source::Sqlite(rows.map_err(|error| sqlite::explained(&error, &at, Stage::Open))?)
                    }
                })
            })
            .await?;
        Ok(Rows { source, talk })
    }

    /// Carries out a statement that gives no rows, and says how many it has met.
    pub async fn execute(
        &mut self,
        statement: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<u64, DatabaseError> {
        self.settled().await?;
        self.carry_out(statement, parameters).await
    }

    /// Begins a transaction. With [`Purpose::Read`] all it reads is of one moment, where the database's tables allow for
    /// that (MyISAM's do not).
    pub async fn begin(&mut self) -> Result<Transaction<'_>, DatabaseError> {
        self.settled().await?;
        let Self { link, talk, purpose, .. } = self;
        let at = talk.at.clone();
        talk.ask(async {
            match link {
                Link::MySql(link) => {
                    link.begin(*purpose).await.map_err(|error| mysql::explained(&error, &at, Stage::Open))
                }
                Link::Postgres(link) => {
                    link.begin(*purpose).await.map_err(|error| postgres::explained(&error, &at, Stage::Open))
                }
                Link::Sqlite(link) => {
                    link.begin(*purpose).await.map_err(|error| sqlite::explained(&error, &at, Stage::Open))
                }
            }
        })
        .await?;
        self.transaction = Open::Yes;
        Ok(Transaction(self))
    }

    /// Takes back what an abandoned transaction has done.
    async fn settled(&mut self) -> Result<(), DatabaseError> {
        if self.transaction == Open::Abandoned {
            self.carry_out("ROLLBACK", &[]).await?;
            self.transaction = Open::No;
        }
        Ok(())
    }

    async fn carry_out(
        &mut self,
        statement: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<u64, DatabaseError> {
        let Self { link, talk, .. } = self;
        let at = talk.at.clone();
        talk.ask(async {
            match link {
                Link::MySql(link) => {
                    let done = link.execute(statement, parameters).await;
                    done.map_err(|error| mysql::explained(&error, &at, Stage::Open))
                }
                Link::Postgres(link) => {
                    let done = link.execute(statement, parameters).await;
                    done.map_err(|error| postgres::explained(&error, &at, Stage::Open))
                }
                Link::Sqlite(link) => {
                    let done = link.execute(statement, parameters).await;
                    done.map_err(|error| sqlite::explained(&error, &at, Stage::Open))
                }
            }
        })
        .await
    }
}

async fn link(access: &DatabaseAccess, terms: &Terms, at: &str) -> Result<(Link, Transport), DatabaseError> {
    let password = access.password.as_ref();
    match &access.url {
        DatabaseUrl::File(path) => {
            let opened = Sqlite::open(path, terms.purpose, terms.answer).await;
            let link = opened.map_err(|error| sqlite::explained(&error, at, Stage::Opening))?;
            Ok((Link::Sqlite(link), Transport::Plain))
        }
        DatabaseUrl::Server(url) if url.kind == Kind::Postgres => {
            let (link, transport) = Postgres::open(url, password, at).await?;
            Ok((Link::Postgres(link), transport))
        }
        DatabaseUrl::Server(url) => {
            let opened = MySql::open(url, password).await;
            let (link, transport) = opened.map_err(|error| mysql::explained(&error, at, Stage::Opening))?;
            Ok((Link::MySql(Box::new(link)), transport))
        }
    }
}

/// Rows on their way.
pub struct Rows<'c> {
    source: Source<'c>,
    talk: &'c mut Talk,
}

enum Source<'c> {
    MySql(MySqlRows<'c>),
    Postgres(PostgresRows),
    Sqlite(SqliteRows),
}

impl Rows<'_> {
    /// The next row; none behind the last one.
    pub async fn next(&mut self) -> Result<Option<Row>, DatabaseError> {
        let Self { source, talk } = self;
        let at = talk.at.clone();
        talk.ask(async {
            match source {
                Source::MySql(rows) => {
                    let row = rows.next().await.transpose();
                    Ok(row.map_err(|error| mysql::explained(&error, &at, Stage::Open))?.map(mysql::row))
                }
                Source::Postgres(rows) => {
                    let row = rows.next().await.transpose();
                    let row = row.and_then(|row| row.as_ref().map(postgres::row).transpose());
                    row.map_err(|error| postgres::explained(&error, &at, Stage::Open))
                }
                Source::Sqlite(rows) => {
                    let row = rows.recv().await.transpose();
                    row.map_err(|error| sqlite::explained(&error, &at, Stage::Open))
                }
            }
        })
        .await
    }
}

/// An open transaction. Unless it is committed, nothing of it happened.
pub struct Transaction<'c>(&'c mut Connection);

impl Transaction<'_> {
    /// See [`Connection::kind`].
    pub const fn kind(&self) -> Kind {
        self.0.kind()
    }

    /// See [`Connection::rows`].
    pub async fn rows(
        &mut self,
        statement: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Rows<'_>, DatabaseError> {
        self.0.rows(statement, parameters).await
    }

    /// See [`Connection::execute`].
    pub async fn execute(
        &mut self,
        statement: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<u64, DatabaseError> {
        self.0.execute(statement, parameters).await
    }

    /// Makes it last. After an error nobody knows whether it does.
    pub async fn commit(self) -> Result<(), DatabaseError> {
        self.0.carry_out("COMMIT", &[]).await?;
        self.0.transaction = Open::No;
        Ok(())
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if self.0.transaction == Open::Yes {
            self.0.transaction = Open::Abandoned;
        }
    }
}
