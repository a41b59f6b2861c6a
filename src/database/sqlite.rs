//! SQLite, by `rusqlite`. It works where it is called, so each connection has a thread of its own, which ends with it.

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, Error, ErrorCode, OpenFlags, params_from_iter};
use tokio::sync::{mpsc, oneshot};

use super::error::Stage;
use super::{DatabaseError, Parameter, Purpose, Row};

/// An open connection.
pub(super) struct Sqlite {
    work: Sender<Work>,
}

/// Rows that are still coming.
pub(super) type SqliteRows = mpsc::Receiver<Result<Row, Error>>;

/// So many rows are read ahead.
const AHEAD: usize = 64;

/// What the thread is asked for. Answers nobody waits for any more are dropped.
enum Work {
    Execute(String, Vec<Value>, oneshot::Sender<Result<u64, Error>>),
    Rows(String, Vec<Value>, oneshot::Sender<Result<(), Error>>, mpsc::Sender<Result<Row, Error>>),
}

impl Sqlite {
    pub(super) async fn open(path: &Path, purpose: Purpose, patience: Duration) -> Result<Self, Error> {
        let flags = match purpose {
            Purpose::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
            Purpose::Write => OpenFlags::SQLITE_OPEN_READ_WRITE,
        };
        // A name that begins with `file:` would be more than a name.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let (work, asked) = channel();
        let (tell, opened) = oneshot::channel();
        let run = move || match opened_at(&path, flags, patience) {
            Ok(connection) => {
                let _ = tell.send(Ok(()));
                serve(&connection, &asked);
            }
            Err(error) => drop(tell.send(Err(error))),
        };
        let thread = thread::Builder::new().name("database".to_owned()).spawn(run);
        thread.map_err(|_| gone())?;
        opened.await.map_err(|_| gone())??;
        Ok(Self { work })
    }

    pub(super) async fn rows(
        &self,
        statement: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<SqliteRows, Error> {
        let (tell, begun) = oneshot::channel();
        let (rows, coming) = mpsc::channel(AHEAD);
        let work = Work::Rows(statement.to_owned(), values(parameters), tell, rows);
        self.work.send(work).map_err(|_| gone())?;
        begun.await.map_err(|_| gone())??;
        Ok(coming)
    }

    pub(super) async fn execute(&self, statement: &str, parameters: &[Parameter<'_>]) -> Result<u64, Error> {
        let (tell, done) = oneshot::channel();
        self.work.send(Work::Execute(statement.to_owned(), values(parameters), tell)).map_err(|_| gone())?;
        done.await.map_err(|_| gone())?
    }

    pub(super) async fn begin(&self, purpose: Purpose) -> Result<(), Error> {
        let begin = if purpose == Purpose::Read { "BEGIN" } else { "BEGIN IMMEDIATE" };
        self.execute(begin, &[]).await.map(drop)
    }
}

fn opened_at(path: &Path, flags: OpenFlags, patience: Duration) -> Result<Connection, Error> {
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(patience)?;
    // As it is for the forum, whatever this build of SQLite takes for usual.
    connection.pragma_update(None, "foreign_keys", "OFF")?;
    // Opening reads nothing yet.
    connection.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))?;
    Ok(connection)
}

/// The thread: one piece of work after another.
fn serve(connection: &Connection, asked: &Receiver<Work>) {
    for work in asked {
        match work {
            Work::Execute(statement, values, tell) => {
                let count = connection.execute(&statement, params_from_iter(values));
                let _ = tell.send(count.map(|count| count as u64));
            }
            Work::Rows(statement, values, tell, rows) => read(connection, &statement, values, tell, &rows),
        }
    }
}

fn read(
    connection: &Connection,
    statement: &str,
    values: Vec<Value>,
    tell: oneshot::Sender<Result<(), Error>>,
    rows: &mpsc::Sender<Result<Row, Error>>,
) {
    let mut statement = match connection.prepare(statement) {
        Ok(statement) => statement,
        Err(error) => return drop(tell.send(Err(error))),
    };
    let columns = statement.column_count();
    let mut found = match statement.query(params_from_iter(values)) {
        Ok(found) => found,
        Err(error) => return drop(tell.send(Err(error))),
    };
    let _ = tell.send(Ok(()));
    loop {
        let row = match found.next() {
            Ok(Some(row)) => {
                (0..columns).map(|column| row.get_ref(column).map(bytes)).collect::<Result<_, _>>().map(Row)
            }
            Ok(None) => return,
            Err(error) => Err(error),
        };
        let failed = row.is_err();
        if rows.blocking_send(row).is_err() || failed {
            return;
        }
    }
}

fn bytes(value: ValueRef<'_>) -> Option<Vec<u8>> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string().into_bytes()),
        ValueRef::Real(number) => Some(number.to_string().into_bytes()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(bytes.to_vec()),
    }
}

fn values(parameters: &[Parameter<'_>]) -> Vec<Value> {
    let value = |parameter: &Parameter<'_>| match *parameter {
        Parameter::Null => Value::Null,
        Parameter::Number(number) => Value::Integer(number),
        Parameter::Text(text) => Value::Text(text.to_owned()),
        Parameter::Bytes(bytes) => Value::Blob(bytes.to_vec()),
    };
    parameters.iter().map(value).collect()
}

/// The thread has ended.
fn gone() -> Error {
    Error::InvalidQuery
}

pub(super) fn explained(error: &Error, at: &str, stage: Stage) -> DatabaseError {
    let reason = error.to_string();
    match error.sqlite_error() {
        _ if stage == Stage::Opening => stage.broken(at, reason),
        Some(failure)
            if !matches!(
                failure.code,
                ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt | ErrorCode::SystemIoFailure
            ) =>
        {
            let code = failure.extended_code.to_string();
            DatabaseError::Refused { at: at.to_owned(), code, reason }
        }
        _ => stage.broken(at, reason),
    }
}
