//! A [`Minter`] makes a member's session at the forum out of the forum's own database, as the forum itself would after a
//! sign-in, and without the member's password. One file a kind of forum; what is the same in all of them is here.
//!
//! SECURITY: the connection can make anybody a session, administrators too. So a name is compared byte for byte
//! ([`exactly`]), whoever could not sign in at the forum gets nothing, and hashes, keys and cookies are in no error and no
//! log: what is said of a mint are numbers, names of tables and of cookies.

mod by_name;
mod fluxbb;
mod mybb;
mod phpbb;
mod pun;
mod punbb;
mod smf;

pub use by_name::ByName;

use std::collections::HashMap;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use super::options::SessionOptions;
use super::{CookieNames, Jar};
use crate::database::{Connection, DatabaseError, Kind as DatabaseKind, Parameter, Purpose, Row, Terms};
use crate::domain::{Secret, Timestamp, hex};

/// How long connecting to the database, and each of its answers, may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a database that is away is left alone, so that members do not queue up behind it.
const PAUSE: Duration = Duration::from_secs(10);
/// What PHP's `urlencode` leaves as it is.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// Whose sessions are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "names of programs")]
pub enum Recipe {
    Phpbb,
    Smf,
    Mybb,
    Fluxbb,
    Punbb,
}

impl Recipe {
    /// What the forum's own configuration file calls the secret that it takes, if it takes one.
    pub const fn secret(self) -> Option<&'static str> {
        match self {
            Self::Smf => Some("$auth_secret of Settings.php"),
            Self::Fluxbb => Some("$cookie_seed of config.php"),
            Self::Phpbb | Self::Mybb | Self::Punbb => None,
        }
    }

    /// What that file calls the name of the cookie, where the database does not have it.
    pub const fn cookie_name(self) -> Option<&'static str> {
        match self {
            Self::Smf => Some("$cookiename of Settings.php"),
            Self::Fluxbb | Self::Punbb => Some("$cookie_name of config.php"),
            Self::Phpbb | Self::Mybb => None,
        }
    }

    /// The table of members.
    const fn members(self) -> &'static str {
        if matches!(self, Self::Smf) { "members" } else { "users" }
    }

    /// Whether rows of its own have to be written for it.
    const fn purpose(self) -> Purpose {
        match self {
            Self::Phpbb => Purpose::Write,
            Self::Smf | Self::Mybb | Self::Fluxbb | Self::Punbb => Purpose::Read,
        }
    }
}

/// Why a member has no session at the forum.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unminted {
    /// Nobody there has the name.
    #[error("the forum has no member of this name")]
    NotThere,
    /// Somebody there has it in another spelling, which databases take for the same.
    #[error(
        "the forum has no member of exactly this name, only one whose name its database takes for the same"
    )]
    OtherSpelling,
    /// A guest's or bot's account, or one that was not activated.
    #[error("the member's account at the forum is not an active one")]
    Inactive,
    /// Banned there.
    #[error("the member is banned at the forum")]
    Banned,
    /// The forum would ask for a second factor, which nobody else can give.
    #[error("the member has a second factor at the forum")]
    SecondFactor,
    /// The forum's page does not show the member, though it was sent the cookies.
    #[error("the forum does not take the cookies that were made for the member")]
    NotTaken,
    /// The database does not do what it is asked.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The set-up does not fit.
    #[error("{0}")]
    Misconfigured(String),
}

/// A session that was made.
#[derive(Clone, Debug)]
pub(super) struct Minted {
    pub(super) jar: Jar,
    /// The member's number at the forum.
    pub(super) member: i64,
    /// A key that is in the database until the forum has taken the cookies.
    key: Option<Secret<String>>,
}

/// Makes sessions at one forum.
pub struct Minter {
    options: SessionOptions,
    names: CookieNames,
    line: Mutex<Line>,
}

/// The one connection: a mint is a few reads of single rows, so members wait for one another.
#[derive(Default)]
struct Line {
    open: Option<Connection>,
    /// Until when the database is left alone, and why.
    away: Option<(Timestamp, DatabaseError)>,
}

impl std::fmt::Debug for Minter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Minter").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Minter {
    /// Makes sessions whose cookies are of these names.
    pub fn new(options: SessionOptions, names: CookieNames) -> Self {
        Self { options, names, line: Mutex::default() }
    }

    /// Where the members are looked up, to show.
    pub(super) fn place(&self) -> String {
        let SessionOptions { database, recipe, table_prefix, .. } = &self.options;
        format!("{}, tables {table_prefix}{}", database.url, recipe.members())
    }

    /// Makes the cookies of the member of exactly this name.
    pub(super) async fn mint(&self, name: &str, now: Timestamp) -> Result<Minted, Unminted> {
        let mut line = self.line.lock().await;
        let was_open = line.open.is_some();
        let minted = match self.attempt(&mut line, name, now).await {
            // An idle connection may have ended unnoticed.
            Err(Unminted::Database(error)) if was_open && error.ends_connection() => {
                self.attempt(&mut line, name, now).await
            }
            other => other,
        };
        self.named_right(minted?)
    }

    async fn attempt(&self, line: &mut Line, name: &str, now: Timestamp) -> Result<Minted, Unminted> {
        let mut tables = self.tables(line, now).await?;
        let minted = match self.options.recipe {
            Recipe::Phpbb => phpbb::mint(&mut tables, name, now).await,
            Recipe::Smf => smf::mint(&mut tables, name, now).await,
            Recipe::Mybb => mybb::mint(&mut tables, name, now).await,
            Recipe::Fluxbb => fluxbb::mint(&mut tables, name, now).await,
            Recipe::Punbb => punbb::mint(&mut tables, name, now).await,
        };
        tables.back_to(line, &minted);
        minted
    }

    /// Whether the forum, which took the cookies, has left them as they were where it has to. SMF shows the member once and takes a
    /// cookie back that names another domain or path than its own.
    pub(super) fn is_kept(&self, minted: &Minted, jar: &Jar) -> bool {
        self.options.recipe != Recipe::Smf
            || self.options.cookie_name.iter().all(|name| {
                let value = |jar: &Jar| jar.clone().take_where(|known| known == name.as_bytes());
                value(&minted.jar) == value(jar)
            })
    }

    /// Takes out of the database what the forum needs no more, whether it has taken the cookies or not.
    pub(super) async fn tidy(&self, minted: &Minted, jar: &mut Jar, now: Timestamp) -> Result<(), Unminted> {
        let Some(key) = &minted.key else { return Ok(()) };
        let mut line = self.line.lock().await;
        let mut tables = self.tables(&mut line, now).await?;
        let tidied = phpbb::tidy(&mut tables, minted.member, key, jar).await;
        tables.back_to(&mut line, &tidied);
        tidied
    }

    /// SECURITY: O1. A cookie that is not known for the forum's would go on to browsers, and be taken from them.
    fn named_right(&self, minted: Minted) -> Result<Minted, Unminted> {
        if let Some(name) = minted.jar.names().find(|name| !self.names.include(name)) {
            return Err(Unminted::Misconfigured(format!(
                "the forum calls a cookie {:?}, which cookies.session does not include; say so in [forum.override]",
                String::from_utf8_lossy(name)
            )));
        }
        Ok(minted)
    }

    async fn tables(&self, line: &mut Line, now: Timestamp) -> Result<Tables<'_>, DatabaseError> {
        let options = &self.options;
        if let Some(connection) = line.open.take() {
            return Ok(Tables { connection, options });
        }
        if let Some((_, error)) = line.away.as_ref().filter(|(until, _)| now < *until) {
            return Err(error.clone());
        }
        let terms = Terms { purpose: options.recipe.purpose(), connect: PATIENCE, answer: PATIENCE };
        let opened = Connection::open(&options.database, &terms).await;
        line.away = opened.as_ref().err().map(|error| (now.after(PAUSE), error.clone()));
        let connection = opened?;
        connection.warning().inspect(|warning| tracing::warn!("{warning}"));
        Ok(Tables { connection, options })
    }
}

/// The forum's tables.
struct Tables<'o> {
    connection: Connection,
    options: &'o SessionOptions,
}

impl Tables<'_> {
    /// The connection is of further use, unless what was done with it says otherwise.
    fn back_to<T>(self, line: &mut Line, done: &Result<T, Unminted>) {
        if !matches!(done, Err(Unminted::Database(error)) if error.ends_connection()) {
            line.open = Some(self.connection);
        }
    }

    /// The name of a table, for a statement. PostgreSQL has in small letters what the forum did not quote.
    fn table(&self, name: &str) -> String {
        let name = format!("{}{name}", self.options.table_prefix);
        match self.connection.kind() {
            kind @ DatabaseKind::Postgres => kind.quoted(&name.to_lowercase()),
            kind => kind.quoted(&name),
        }
    }

    /// The rows of `SELECT columns FROM table rest`.
    async fn rows(
        &mut self,
        columns: &str,
        table: &str,
        rest: &str,
        parameters: &[Parameter<'_>],
    ) -> Result<Vec<Row>, DatabaseError> {
        let statement = format!("SELECT {columns} FROM {} {rest}", self.table(table));
        let mut rows = self.connection.rows(&statement, parameters).await?;
        let mut all = Vec::new();
        while let Some(row) = rows.next().await? {
            all.push(row);
        }
        Ok(all)
    }

    /// What a table of settings says of these; those of them that are there.
    async fn settings<const N: usize>(
        &mut self,
        (table, name, value): (&str, &str, &str),
        wanted: [&str; N],
    ) -> Result<HashMap<String, String>, DatabaseError> {
        let marks = ["?"; N].join(", ");
        let rest = format!("WHERE {name} IN ({marks})");
        let rows = self.rows(&format!("{name}, {value}"), table, &rest, &wanted.map(Parameter::Text)).await?;
        let text = |row: &Row, column| row.text(column).unwrap_or_default().into_owned();
        Ok(rows.iter().map(|row| (text(row, 0), text(row, 1))).collect())
    }

    /// What the forum's own configuration file says, checked when the configuration was read.
    fn cookie_name(&self) -> &str {
        self.options.cookie_name.as_deref().unwrap_or_default()
    }

    fn secret(&self) -> &str {
        self.options.secret.as_ref().map(|secret| secret.expose().as_str()).unwrap_or_default()
    }
}

/// The one row whose column holds exactly this name.
///
/// SECURITY: AUTH-15. Databases take *Rene* for *René* and let blanks at the end be. Nobody is signed in as the other one.
fn exactly(rows: Vec<Row>, column: usize, name: &str) -> Result<Row, Unminted> {
    let is_empty = rows.is_empty();
    let mut same = rows.into_iter().filter(|row| row.bytes(column) == Some(name.as_bytes()));
    match (same.next(), same.next()) {
        (Some(row), None) => Ok(row),
        (Some(_), Some(_)) => {
            Err(Unminted::Misconfigured("the forum has two members of exactly this name".to_owned()))
        }
        (None, _) if is_empty => Err(Unminted::NotThere),
        (None, _) => Err(Unminted::OtherSpelling),
    }
}

/// What a column holds that every row has.
fn number(row: &Row, column: usize, what: &str) -> Result<i64, Unminted> {
    row.number(column).ok_or_else(|| Unminted::Misconfigured(format!("the forum's {what} is no number")))
}

fn seconds(now: Timestamp) -> i64 {
    i64::try_from(now.as_millis() / 1000).unwrap_or(i64::MAX)
}

/// As PHP's `urlencode`, but for blanks, which need not be `+`.
fn encoded(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

/// Puts a cookie into a jar as the forum would set it: for the session, and for no script.
fn put(jar: &mut Jar, name: &str, value: &str, path: &str, now: Timestamp) {
    let field = Zeroizing::new(format!("{name}={}; path={path}; HttpOnly; SameSite=lax", encoded(value)));
    jar.set(field.as_bytes(), "/", now);
}
