//! PostgreSQL, by `tokio-postgres`.

use std::error::Error as _;
use std::pin::Pin;

use bytes::BytesMut;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::types::{Format, FromSql, IsNull, Kind as TypeKind, ToSql, Type};
use tokio_postgres::{Client, Config, Error, NoTls, RowStream, Socket};

use super::error::Stage;
use super::row::numbered;
use super::tls::Encryption;
use super::url::{ServerUrl, Tls, Way};
use super::{DatabaseError, Parameter, Purpose, Row, Transport};
use crate::domain::Secret;

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// An open connection.
pub(super) struct Postgres(Client);

/// Rows that are still coming.
pub(super) type PostgresRows = Pin<Box<RowStream>>;

impl Postgres {
    pub(super) async fn open(
        url: &ServerUrl,
        password: Option<&Secret<String>>,
        at: &str,
    ) -> Result<(Self, Transport), DatabaseError> {
        let mut config = Config::new();
        config.user(&url.user).dbname(&url.database).application_name("passgate");
        if let Some(password) = password {
            config.password(password.expose());
        }
        let tls = match &url.way {
            Way::Socket { path, port } => {
                config.host_path(path).port(*port);
                &Tls::Off
            }
            Way::Network { host, port, tls } => {
                config.host(host).port(*port);
                tls
            }
        };
        let wrong = |error: Error| explained(&error, at, Stage::Opening);
        if *tls == Tls::Off {
            let client = connected(config.ssl_mode(SslMode::Disable), NoTls).await.map_err(wrong)?;
            return Ok((Self(client), Transport::Plain));
        }
        let mode = if *tls == Tls::Offered { SslMode::Prefer } else { SslMode::Require };
        let encryption = Encryption::new(tls).map_err(|reason| Stage::Opening.broken(at, reason))?;
        let client = connected(config.ssl_mode(mode), encryption.clone()).await.map_err(wrong)?;
        Ok((Self(client), encryption.transport()))
    }

    pub(super) async fn rows(
        &self,
        statement: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<PostgresRows, Error> {
        let rows = self.0.query_raw(&numbered(statement), parameters.iter().map(Text)).await?;
        Ok(Box::pin(rows))
    }

    pub(super) async fn execute(&self, statement: &str, parameters: &[Parameter<'_>]) -> Result<u64, Error> {
        self.0.execute_raw(&numbered(statement), parameters.iter().map(Text)).await
    }

    pub(super) async fn begin(&self, purpose: Purpose) -> Result<(), Error> {
        self.0
            .batch_execute(match purpose {
                Purpose::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
                Purpose::Write => "BEGIN",
            })
            .await
    }
}

/// The connection is looked after by a task of its own, which ends with the client.
async fn connected<T>(config: &Config, tls: T) -> Result<Client, Error>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let (client, connection) = config.connect(tls).await?;
    tokio::spawn(async move {
        // Whoever waits for an answer is told of its end.
        let _ = connection.await;
    });
    Ok(client)
}

/// A parameter, left to the server to be read as what it wants there.
#[derive(Debug)]
struct Text<'p>(&'p Parameter<'p>);

impl ToSql for Text<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Fault> {
        match self.0 {
            Parameter::Null => return Ok(IsNull::Yes),
            Parameter::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
            Parameter::Text(text) => out.extend_from_slice(text.as_bytes()),
            Parameter::Bytes(bytes) => out.extend_from_slice(bytes),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Fault> {
        self.to_sql(kind, out)
    }

    fn encode_format(&self, _: &Type) -> Format {
        if matches!(self.0, Parameter::Bytes(_)) { Format::Binary } else { Format::Text }
    }
}

/// A value as [`Row`] has it.
struct Bytes(Vec<u8>);

impl<'a> FromSql<'a> for Bytes {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Fault> {
        let number = |bytes: &[u8]| -> Option<i64> {
            Some(match bytes.len() {
                2 => i16::from_be_bytes(bytes.try_into().ok()?).into(),
                4 if *kind == Type::OID => u32::from_be_bytes(bytes.try_into().ok()?).into(),
                4 => i32::from_be_bytes(bytes.try_into().ok()?).into(),
                _ => i64::from_be_bytes(bytes.try_into().ok()?),
            })
        };
        let bytes = match *kind {
            Type::BOOL => if raw == [1] { b"t" } else { b"f" }.to_vec(),
            Type::INT2 | Type::INT4 | Type::INT8 | Type::OID => {
                number(raw).ok_or("a number of a strange size")?.to_string().into_bytes()
            }
            _ => raw.to_vec(),
        };
        Ok(Self(bytes))
    }

    fn accepts(kind: &Type) -> bool {
        let plain = matches!(
            *kind,
            Type::BOOL
                | Type::INT2
                | Type::INT4
                | Type::INT8
                | Type::OID
                | Type::BYTEA
                | Type::TEXT
                | Type::VARCHAR
                | Type::BPCHAR
                | Type::NAME
                | Type::UNKNOWN
                | Type::JSON
        );
        plain || matches!(kind.kind(), TypeKind::Enum(_)) || kind.name() == "citext"
    }
}

pub(super) fn row(row: &tokio_postgres::Row) -> Result<Row, Error> {
    let value = |column| Ok(row.try_get::<_, Option<Bytes>>(column)?.map(|bytes| bytes.0));
    (0..row.len()).map(value).collect::<Result<_, _>>().map(Row)
}

/// Classes of SQLSTATE whose messages name tables and users, and quote no value.
const TOLD: [&str; 8] = ["0A", "25", "28", "3D", "42", "53", "55", "57"];

pub(super) fn explained(error: &Error, at: &str, stage: Stage) -> DatabaseError {
    let Some(told) = error.as_db_error() else {
        let reason = error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
        // A value of a type that has no plain text ends nothing.
        if reason.starts_with("error deserializing") || reason.starts_with("error retrieving") {
            let code = "42804".to_owned();
            return DatabaseError::Refused {
                at: at.to_owned(),
                code,
                reason: format!("{reason}; cast it to text"),
            };
        }
        return stage.broken(at, reason);
    };
    let (at, code) = (at.to_owned(), told.code().code());
    let quotes_nothing = TOLD.iter().any(|class| code.starts_with(class));
    let reason =
        if quotes_nothing { format!("{} ({code})", told.message()) } else { format!("error {code}") };
    match code {
        "28000" | "28P01" => DatabaseError::Denied { at, reason },
        "3D000" => DatabaseError::NoDatabase { at, reason },
        "53300" | "57P03" => DatabaseError::Unreachable { at, reason },
        // It is shutting down, or somebody ended the connection there.
        "57P01" | "57P02" | "57P05" | "25P03" => DatabaseError::Lost { at, reason },
        _ => DatabaseError::Refused { at, code: code.to_owned(), reason },
    }
}
