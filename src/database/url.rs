//! [`DatabaseUrl`]: where a database is, and as whom it is opened. Never with a password: a URL stands in command lines,
//! configuration files, logs.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;
use url::{Host, Url};

/// Whose rules a database follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "names of programs")]
pub enum Kind {
    /// MariaDB too.
    MySql,
    Postgres,
    Sqlite,
}

/// Where a database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// At a server.
    Server(ServerUrl),
    /// In a file of SQLite's.
    File(PathBuf),
}

/// A database at a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl {
    pub(super) kind: Kind,
    pub(super) user: String,
    pub(super) database: String,
    pub(super) way: Way,
}

/// How a server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Network {
        host: String,
        port: u16,
        tls: Tls,
    },
    /// MySQL's socket, or the folder of PostgreSQL's with the port it is named by.
    Socket {
        path: PathBuf,
        port: u16,
    },
}

/// How much is asked of the connection's encryption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tls {
    Off,
    /// If the server has it, whoever that is.
    Offered,
    /// Whoever the server is.
    Required,
    /// By a certificate of the server's name that one of those in this file vouches for.
    Verified(PathBuf),
}

/// Why a text is no such URL. Says nothing of what stands there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// SECURITY: OPS-05. Arguments are seen by every process, and files and logs by many people.
    #[error("there is a password in the URL, where others can see it")]
    Password,
    /// It is something else.
    #[error("it is no URL of a database, such as mysql://USER@HOST/DATABASE")]
    Shape,
    /// Nobody is named to sign in as.
    #[error("the URL names no user; write {0}://USER@HOST/DATABASE")]
    NoUser(String),
    /// A server has many.
    #[error("the URL names no database; write {0}://USER@HOST/DATABASE")]
    NoDatabase(String),
    /// What stands behind the question mark.
    #[error("the URL's parameter {0:?} is not known here; there are socket, tls and ca")]
    Parameter(String),
    /// Its value.
    #[error("the URL's parameter {0} should be {1}")]
    Value(&'static str, &'static str),
}

impl DatabaseUrl {
    /// Whether a text is meant as one, right or wrong.
    pub fn is_meant(text: &str) -> bool {
        text.contains("://") || text.starts_with("sqlite:")
    }

    /// Reads it.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            // After two slashes stands a host; none is the empty one.
            let path = path.strip_prefix("//").filter(|path| path.starts_with('/')).unwrap_or(path);
            let fits = !path.is_empty() && !path.starts_with("//") && !path.contains(['?', '\0']);
            return if fits { Ok(Self::File(path.into())) } else { Err(UrlError::Shape) };
        }
        if holds_password(text) {
            return Err(UrlError::Password);
        }
        let url = Url::parse(text).map_err(|_| UrlError::Shape)?;
        let kind = match url.scheme() {
            "mysql" | "mariadb" => Kind::MySql,
            "postgres" | "postgresql" => Kind::Postgres,
            _ => return Err(UrlError::Shape),
        };
        let scheme = || url.scheme().to_owned();
        let user = decoded(url.username()).ok_or(UrlError::Shape)?;
        let database = decoded(url.path().trim_start_matches('/')).ok_or(UrlError::Shape)?;
        if user.is_empty() {
            return Err(UrlError::NoUser(scheme()));
        }
        if database.is_empty() || database.contains('/') {
            return Err(UrlError::NoDatabase(scheme()));
        }
        if url.fragment().is_some() {
            return Err(UrlError::Shape);
        }
        let way = way(&url, kind)?;
        Ok(Self::Server(ServerUrl { kind, user, database, way }))
    }

    /// Takes relative paths as seen from this folder.
    pub fn seen_from(mut self, folder: &Path) -> Self {
        match &mut self {
            Self::File(path) => *path = folder.join(&path),
            Self::Server(ServerUrl { way: Way::Network { tls: Tls::Verified(path), .. }, .. }) => {
                *path = folder.join(&path);
            }
            Self::Server(_) => {}
        }
        self
    }

    /// Whose rules it follows.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Server(server) => server.kind,
            Self::File(_) => Kind::Sqlite,
        }
    }
}

impl ServerUrl {
    /// Whether what is said on the way leaves this machine.
    pub(super) fn is_remote(&self) -> bool {
        matches!(&self.way, Way::Network { host, .. } if !is_loopback(host))
    }
}

/// What a log and a message may show: all of it but the parameters.
impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Server(server) => server.fmt(f),
            Self::File(path) => write!(f, "sqlite:{}", path.display()),
        }
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.kind == Kind::Postgres { "postgres" } else { "mysql" };
        write!(f, "{scheme}://{}@", self.user)?;
        match &self.way {
            Way::Network { host, port, .. } if host.contains(':') => write!(f, "[{host}]:{port}")?,
            Way::Network { host, port, .. } => write!(f, "{host}:{port}")?,
            Way::Socket { path, .. } => write!(f, "({})", path.display())?,
        }
        write!(f, "/{}", self.database)
    }
}

/// Before the last `@` of what stands before the parameters. Looked for in the text, since a password that was written as
/// it is makes a URL that can't be read.
fn holds_password(text: &str) -> bool {
    let before = text.split('?').next().unwrap_or_default();
    let authority = before.split_once("://").map_or(before, |(_, rest)| rest);
    authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
}

fn decoded(text: &str) -> Option<String> {
    let text = percent_decode_str(text).decode_utf8().ok()?.into_owned();
    (!text.contains('\0')).then_some(text)
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn way(url: &Url, kind: Kind) -> Result<Way, UrlError> {
    let host = match url.host() {
        Some(Host::Domain(name)) if !name.is_empty() => decoded(name).ok_or(UrlError::Shape)?,
        Some(Host::Ipv4(address)) => address.to_string(),
        Some(Host::Ipv6(address)) => address.to_string(),
        Some(Host::Domain(_)) | None => return Err(UrlError::Shape),
    };
    let mut port = url.port().unwrap_or(if kind == Kind::Postgres { 5432 } else { 3306 });
    let mut tls = if is_loopback(&host) { Tls::Off } else { Tls::Offered };
    let mut socket = None;
    for pair in url.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decoded(value).ok_or(UrlError::Shape)?;
        match (name, value.as_str()) {
            ("socket", path) if path.starts_with('/') => socket = Some(PathBuf::from(path)),
            ("socket", _) => return Err(UrlError::Value("socket", "a path that begins with a slash")),
            ("tls", "off") => tls = Tls::Off,
            ("tls", "on") => tls = Tls::Required,
            ("tls", _) => return Err(UrlError::Value("tls", "on or off")),
            ("ca", "") => return Err(UrlError::Value("ca", "a file of certificates")),
            ("ca", path) => tls = Tls::Verified(path.into()),
            _ => return Err(UrlError::Parameter(name.chars().take(40).collect())),
        }
    }
    let Some(mut path) = socket else { return Ok(Way::Network { host, port, tls }) };
    // PostgreSQL's own clients take the folder; people name the file as well.
    let file = path.file_name().and_then(|name| name.to_str()?.strip_prefix(".s.PGSQL.")?.parse().ok());
    if let Some(named) = file.filter(|_| kind == Kind::Postgres) {
        port = named;
        path.pop();
    }
    Ok(Way::Socket { path, port })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(text: &str) -> ServerUrl {
        match DatabaseUrl::parse(text) {
            Ok(DatabaseUrl::Server(server)) => server,
            other => panic!("{text}: {other:?}"),
        }
    }

    fn network(host: &str, port: u16, tls: Tls) -> Way {
        Way::Network { host: host.to_owned(), port, tls }
    }

    #[test]
    fn a_url_names_user_server_and_database() {
        let url = server("mysql://forum@db.example/php%20bb");
        assert_eq!((url.user.as_str(), url.database.as_str(), url.kind), ("forum", "php bb", Kind::MySql));
        assert_eq!(url.way, network("db.example", 3306, Tls::Offered));
        assert!(url.is_remote());
        assert_eq!(server("mariadb://a%40b@localhost:33/d").way, network("localhost", 33, Tls::Off));
        assert_eq!(server("mariadb://a%40b@localhost:33/d").user, "a@b");
        assert_eq!(server("postgresql://a@[::1]/d").way, network("::1", 5432, Tls::Off));
        assert_eq!(server("postgres://a@127.0.0.1/d?tls=on").way, network("127.0.0.1", 5432, Tls::Required));
        let verified = network("db.example", 5432, Tls::Verified("/etc/ca.pem".into()));
        assert_eq!(server("postgres://a@db.example/d?ca=/etc/ca.pem").way, verified);
        let socket = Way::Socket { path: "/run/my sql/d.sock".into(), port: 3306 };
        assert_eq!(server("mysql://a@localhost/d?socket=/run/my%20sql/d.sock").way, socket);
        let socket = Way::Socket { path: "/run/pg".into(), port: 5433 };
        assert_eq!(server("postgres://a@localhost/d?socket=/run/pg/.s.PGSQL.5433").way, socket);
        assert!(!server("mysql://a@localhost/d?socket=/run/d.sock").is_remote());
    }

    #[test]
    fn a_file_is_named_by_its_path() {
        for (text, path) in
            [("sqlite:/a/b.db", "/a/b.db"), ("sqlite:///a/b.db", "/a/b.db"), ("sqlite:b.db", "b.db")]
        {
            assert_eq!(DatabaseUrl::parse(text), Ok(DatabaseUrl::File(path.into())), "{text}");
        }
        for text in ["sqlite:", "sqlite://", "sqlite:b.db?mode=rw", "sqlite://host/b.db"] {
            assert_eq!(DatabaseUrl::parse(text), Err(UrlError::Shape), "{text}");
        }
        let url = DatabaseUrl::parse("sqlite:b.db").unwrap().seen_from(Path::new("/x"));
        assert_eq!(url.to_string(), "sqlite:/x/b.db");
    }

    #[test]
    fn ops_05_a_password_in_a_url_is_refused_however_it_is_written_and_never_shown() {
        for text in [
            "mysql://forum:hunter2@db.example/d",
            "mysql://forum:hun/ter2@db.example/d",
            "mysql://forum:hun@ter2@db.example/d",
            "mysql://forum:hunter2@db.example/d?tls=on",
            "postgres://:hunter2@db.example/d",
            "mysqli://forum:hunter2@db.example/d",
            "mysql://forum:hun ter2@db.example:x/d",
        ] {
            assert!(DatabaseUrl::is_meant(text));
            assert_eq!(DatabaseUrl::parse(text), Err(UrlError::Password), "{text}");
        }
        for text in ["mysql://forum@db/d?password=hunter2", "mysql://forum:hun?ter2@db/d"] {
            let error = DatabaseUrl::parse(text).unwrap_err().to_string();
            assert!(!error.contains("hunter2") && !error.contains("ter2"), "{error}");
        }
    }

    #[test]
    fn what_is_missing_or_unknown_is_told() {
        let error = |text| DatabaseUrl::parse(text).unwrap_err();
        assert_eq!(error("mysql://db.example/d"), UrlError::NoUser("mysql".into()));
        assert_eq!(error("postgres://u@db.example"), UrlError::NoDatabase("postgres".into()));
        assert_eq!(error("postgres://u@db.example/a/b"), UrlError::NoDatabase("postgres".into()));
        assert_eq!(error("mysql://u@h/d?sslmode=require"), UrlError::Parameter("sslmode".into()));
        for text in ["mysql://u@h/d?tls=maybe", "mysql://u@h/d?socket=run", "mysql://u@h/d?ca="] {
            assert!(matches!(error(text), UrlError::Value(..)), "{text}");
        }
        for text in ["", "forum.sql", "oracle://u@h/d", "mysql:u@h/d", "mysql://u@h:x/d", "mysql://u@h/d#x"] {
            assert!(DatabaseUrl::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_shown_tells_where_it_is() {
        for text in ["mysql://u@h:3306/d", "postgres://u@[::1]:5432/d"] {
            assert_eq!(server(text).to_string(), text);
        }
        assert_eq!(server("mysql://u@localhost/d?socket=/s").to_string(), "mysql://u@(/s)/d");
    }
}
