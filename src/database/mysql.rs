//! MySQL and MariaDB, by `mysql_async`.

use std::pin::Pin;

use futures_util::{Stream, StreamExt};
use mysql_async::prelude::Queryable;
use mysql_async::{Conn, DriverError, Error, Opts, OptsBuilder, Params, ServerError, SslOpts, Value};

use super::error::Stage;
use super::url::{ServerUrl, Tls, Way};
use super::{DatabaseError, Parameter, Purpose, Row, Transport};
use crate::domain::Secret;

/// An open connection.
pub(super) struct MySql(Conn);

/// Rows that are still coming.
pub(super) type MySqlRows<'c> = Pin<Box<dyn Stream<Item = Result<mysql_async::Row, Error>> + Send + 'c>>;

impl MySql {
    pub(super) async fn open(
        url: &ServerUrl,
        password: Option<&Secret<String>>,
    ) -> Result<(Self, Transport), Error> {
        let mut transport = Transport::Encrypted;
        let opened = Conn::new(options(url, password, &url.way)).await;
        let mut conn = match (opened, &url.way) {
            (
                Err(Error::Driver(DriverError::NoClientSslFlagFromServer)),
                Way::Network { host, port, tls: Tls::Offered },
            ) => {
                transport = Transport::Plain;
                let plain = Way::Network { host: host.clone(), port: *port, tls: Tls::Off };
                Conn::new(options(url, password, &plain)).await?
            }
            (opened, Way::Network { tls: Tls::Off, .. } | Way::Socket { .. }) => {
                transport = Transport::Plain;
                opened?
            }
            (opened, Way::Network { .. }) => opened?,
        };
        // A server may be told not to believe what the client said of this when it connected.
        let utf8 = if conn.server_version() < (5, 5, 3) { "SET NAMES utf8" } else { "SET NAMES utf8mb4" };
        conn.query_drop(utf8).await?;
        Ok((Self(conn), transport))
    }

    /// Without parameters it is asked as text, since not every statement can be prepared.
    pub(super) async fn rows<'c>(
        &'c mut self,
        statement: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<MySqlRows<'c>, Error> {
        let rows: Option<MySqlRows<'c>> = if parameters.is_empty() {
            let result = self.0.query_iter(statement.to_owned()).await?;
            result.stream_and_drop().await?.map(|rows| rows.boxed() as MySqlRows<'c>)
        } else {
            let result = self.0.exec_iter(statement.to_owned(), positional(parameters)).await?;
            result.stream_and_drop().await?.map(|rows| rows.boxed() as MySqlRows<'c>)
        };
        Ok(rows.unwrap_or_else(|| futures_util::stream::empty().boxed()))
    }

    pub(super) async fn execute(
        &mut self,
        statement: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<u64, Error> {
        if parameters.is_empty() {
            self.0.query_drop(statement).await?;
        } else {
            self.0.exec_drop(statement, positional(parameters)).await?;
        }
        Ok(self.0.affected_rows())
    }

    pub(super) async fn begin(&mut self, purpose: Purpose) -> Result<(), Error> {
        if purpose == Purpose::Write {
            return self.0.query_drop("START TRANSACTION").await;
        }
        self.0.query_drop("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ").await?;
        let snapshot = "START TRANSACTION WITH CONSISTENT SNAPSHOT";
        match self.0.query_drop(format!("{snapshot}, READ ONLY")).await {
            // Before MySQL 5.6 and MariaDB 10.0 no transaction was for reading alone.
            Err(Error::Server(ServerError { code: 1064, .. })) => self.0.query_drop(snapshot).await,
            begun => begun,
        }
    }
}

fn options(url: &ServerUrl, password: Option<&Secret<String>>, way: &Way) -> Opts {
    let options = OptsBuilder::default()
        .user(Some(&url.user))
        .pass(password.map(|password| password.expose().clone()))
        .db_name(Some(&url.database))
        // A row that is met counts, changed or not, as everywhere else.
        .client_found_rows(true)
        .prefer_socket(false);
    let options = match way {
        Way::Socket { path, .. } => options.socket(Some(path.to_string_lossy())),
        Way::Network { host, port, tls } => {
            options.ip_or_hostname(host).tcp_port(*port).ssl_opts(encryption(tls))
        }
    };
    options.into()
}

fn encryption(tls: &Tls) -> Option<SslOpts> {
    match tls {
        Tls::Off => None,
        Tls::Offered | Tls::Required => Some(SslOpts::default().with_danger_accept_invalid_certs(true)),
        Tls::Verified(path) => Some(
            SslOpts::default().with_disable_built_in_roots(true).with_root_certs(vec![path.clone().into()]),
        ),
    }
}

fn positional(parameters: &[Parameter<'_>]) -> Params {
    let value = |parameter: &Parameter<'_>| match parameter {
        Parameter::Null => Value::NULL,
        Parameter::Number(number) => Value::Int(*number),
        Parameter::Text(text) => Value::Bytes(text.as_bytes().to_vec()),
        Parameter::Bytes(bytes) => Value::Bytes(bytes.to_vec()),
    };
    Params::Positional(parameters.iter().map(value).collect())
}

pub(super) fn row(row: mysql_async::Row) -> Row {
    let bytes = |value| match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(bytes),
        Value::Int(number) => Some(number.to_string().into_bytes()),
        Value::UInt(number) => Some(number.to_string().into_bytes()),
        // Floats and dates, as they stand in a statement.
        other => Some(other.as_sql(true).trim_matches('\'').as_bytes().to_vec()),
    };
    Row(row.unwrap().into_iter().map(bytes).collect())
}

/// Codes of the server whose messages name tables and users, and quote no value.
const TOLD: [u16; 16] =
    [1040, 1044, 1045, 1049, 1054, 1064, 1129, 1130, 1142, 1143, 1146, 1205, 1213, 1227, 1290, 1792];

pub(super) fn explained(error: &Error, at: &str, stage: Stage) -> DatabaseError {
    let Error::Server(ServerError { code, message, state }) = error else {
        return stage.broken(at, root(error));
    };
    let reason =
        if TOLD.contains(code) { format!("{message} ({code})") } else { format!("error {code} ({state})") };
    let at = at.to_owned();
    match code {
        1044 | 1045 | 1130 | 1131 | 1251 | 1698 | 1862 | 3118 => DatabaseError::Denied { at, reason },
        1049 => DatabaseError::NoDatabase { at, reason },
        // It is shutting down, or somebody ended the connection there.
        1053 | 1927 | 4031 => DatabaseError::Lost { at, reason },
        1040 | 1129 => DatabaseError::Unreachable { at, reason },
        _ => DatabaseError::Refused { at, code: state.clone(), reason },
    }
}

/// What is at the bottom of it; the library's own words around that say "input/output error" twice.
fn root(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}
