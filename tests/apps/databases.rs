//! Members out of real databases: MariaDB's and PostgreSQL's, by a user who may only read. With SQLite's: `tests/process/import.rs`.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use passgate::database::{Connection, DatabaseAccess, DatabaseError, DatabaseUrl, Kind, Purpose, Terms};
use passgate::domain::Secret;
use serde_json::Value;
use tokio::io::{AsyncReadExt, copy};
use tokio::net::{UnixListener, UnixStream};

use crate::program::root;
use crate::site::{Finished, Site, finish};

const TERMS: Terms =
    Terms { purpose: Purpose::Write, connect: Duration::from_secs(10), answer: Duration::from_secs(60) };

/// How often a server is asked whether it is there, and how long to wait in between: a minute in all.
const ASKED: usize = 600;
const PAUSE: Duration = Duration::from_millis(100);

/// A server of our own, on a socket in its folder.
struct Server {
    kind: Kind,
    leash: Child,
    folder: tempfile::TempDir,
}

impl Server {
    async fn start(kind: Kind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = File::create(folder.path().join("log")).unwrap();
        let leash = Command::new(root().join("tests/apps/leash.sh"))
            .arg(root().join("tests/apps/database.sh"))
            .arg(if kind == Kind::MySql { "mysql" } else { "postgres" })
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut server = Self { kind, leash, folder };
        for _ in 0..ASKED {
            if server.leash.try_wait().unwrap().is_some() {
                break;
            }
            if Connection::open(&server.access("root", server.first()), &TERMS).await.is_ok() {
                return server;
            }
            tokio::time::sleep(PAUSE).await;
        }
        let said = fs::read_to_string(server.folder.path().join("log")).unwrap_or_default();
        panic!("no database is there (is it installed? run tests/setup.sh apps); it said:\n{said}");
    }

    /// A database that is there from the start.
    fn first(&self) -> &'static str {
        if self.kind == Kind::MySql { "mysql" } else { "postgres" }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join(if self.kind == Kind::MySql { "mysql.sock" } else { ".s.PGSQL.5432" })
    }

    fn url(&self, user: &str, database: &str) -> String {
        self.url_at(&self.socket(), user, database)
    }

    fn url_at(&self, socket: &Path, user: &str, database: &str) -> String {
        format!("{}://{user}@localhost/{database}?socket={}", self.first(), socket.display())
    }

    fn access(&self, user: &str, database: &str) -> DatabaseAccess {
        let password = (user != "root").then(|| Secret::new(PASSWORD.to_owned()));
        DatabaseAccess { url: DatabaseUrl::parse(&self.url(user, database)).unwrap(), password }
    }

    /// One of the programs that come with the server, in the name of its administrator.
    fn client(&self, program: &str, arguments: &[&str], input: &str) -> String {
        let mut command = Command::new(program);
        match self.kind {
            Kind::MySql => command.arg("--no-defaults").arg("--user=root").arg("--socket").arg(self.socket()),
            _ => command.arg("--username=root").arg("--host").arg(self.folder.path()),
        };
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let finished = finish(command, input);
        finished.assert_code(0);
        finished.out
    }

    fn run(&self, database: &str, statements: &str) {
        match self.kind {
            Kind::MySql => self.client("mariadb", &["--default-character-set=utf8mb4", database], statements),
            _ => self.client("psql", &["--quiet", "--set=ON_ERROR_STOP=1", database], statements),
        };
    }

    fn dump(&self, database: &str) -> Vec<u8> {
        let file = self.folder.path().join("dump.sql");
        let path = file.to_str().unwrap();
        match self.kind {
            Kind::MySql => {
                self.client("mariadb-dump", &["--skip-dump-date", "--result-file", path, database], "")
            }
            _ => self.client("pg_dump", &["--file", path, database], ""),
        };
        let dump = fs::read(file).unwrap();
        // Newer ones write a word there that is another one each time.
        let lines = dump
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.starts_with(b"\\restrict ") && !line.starts_with(b"\\unrestrict "));
        lines.collect::<Vec<_>>().join(&b'\n')
    }

    /// Makes a user who may do this with these tables.
    fn let_in(&self, user: &str, may: &str, database: &str, tables: &[&str]) {
        let mut statements = match self.kind {
            Kind::MySql => format!("CREATE USER {user}@localhost IDENTIFIED BY '{PASSWORD}';"),
            _ => format!("CREATE USER {user} PASSWORD '{PASSWORD}';"),
        };
        for table in tables {
            statements += &match self.kind {
                Kind::MySql => format!("GRANT {may} ON {database}.{table} TO {user}@localhost;"),
                _ if *table == "*" => format!("GRANT {may} ON ALL TABLES IN SCHEMA public TO {user};"),
                _ => format!("GRANT {may} ON {table} TO {user};"),
            };
        }
        self.run(database, &statements);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.leash.stdin.take());
        let _ = self.leash.wait();
    }
}

const PASSWORD: &str = "hunter2 of the forum";

/// What `passgate user import` says of a site.
struct Import<'s> {
    site: &'s Site,
    from: &'s str,
    prefix: Option<&'s str>,
}

impl Import<'_> {
    fn run(&self, source: &str) -> Finished {
        let file = self.site.file().with_file_name("password");
        let mut arguments = vec!["user", "import", source, "--from", self.from, "--json"];
        if source.contains("://") {
            fs::write(&file, PASSWORD).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
            arguments.extend(["--database-password-file", file.to_str().unwrap()]);
        }
        self.prefix.iter().for_each(|prefix| arguments.extend(["--table-prefix", prefix]));
        let finished = self.site.run(&arguments);
        assert!(!format!("{finished:?}").contains(PASSWORD), "{finished:#?}");
        finished
    }
}

fn nowhere() -> Site {
    Site::before(([127, 0, 0, 1], 9).into(), "")
}

/// A report without what has to differ: places, and tables that the samples lack.
fn without_places(finished: &Finished) -> Value {
    let mut report = finished.assert_code(0).json();
    let reasons =
        report["problems"].as_array().unwrap().iter().map(|problem| problem["reason"].as_str().unwrap());
    let reasons = reasons.filter(|reason| !reason.starts_with("no table "));
    let placeless = |reason: &str| {
        reason.replace("line ", "old_users, user_id ").split("user_id ").next().unwrap().into()
    };
    report["problems"] = reasons.map(placeless).collect::<Vec<Value>>().into();
    report
}

/// Members of a database are those of its dump, and reading them leaves it as it is.
fn assert_same(server: &Server, database: &str, from: &str, prefix: Option<&str>) -> Value {
    let before = server.dump(database);
    let (from_dump, from_database) = (nowhere(), nowhere());
    let dump = from_dump.file().with_file_name("forum.sql");
    fs::write(&dump, &before).unwrap();
    let to = |site| Import { site, from, prefix };
    let url = server.url("reader", database);
    let report = without_places(&to(&from_database).run(&url));
    assert_eq!(report, without_places(&to(&from_dump).run(dump.to_str().unwrap())), "{from}");
    let members = from_database.members();
    assert_eq!(members, from_dump.members(), "{from}");
    // Hashes are compared by whoever says that there is nothing new.
    for site in [&from_dump, &from_database] {
        let again = to(site).run(&url).assert_code(0).json();
        let unchanged = &again["skipped_because"]["here already"];
        assert_eq!((&again["imported"], unchanged), (&0.into(), &report["imported"]), "{from}: {again}");
    }
    assert_eq!(server.dump(database), before, "nothing was written");
    members
}

/// Members with groups, bans and guests, one of a name that is there twice, whoever's tables they are.
const ROWS: &str = "INSERT INTO old_groups VALUES (2,'REGISTERED'),(5,'ADMINISTRATORS'),(12,'Bird &amp; Co');\n\
    INSERT INTO old_user_group VALUES (12,3,0),(12,4,1);\nINSERT INTO old_banlist VALUES (6,0,0),(3,1,0);\n\
    INSERT INTO old_users VALUES (1,2,1,'Anonymous','',NULL),(2,3,5,'root','$2y$10$f9zNsrN9oZUjhp18jmHQz.McDSXrwWM4GqmUOn.m7hXEpr/c/FSyu','r@x.example'),\
    (3,0,2,'Zoë','$H$9zNsrN9oZUjhp18jmHQzMcDSXrwWM41','z@x.example'),(4,0,2,'Tom &amp; \"J\"','nonsense','R@x.example'),(5,1,2,'new','',''),\
    (6,0,2,'bad','',NULL),(7,0,2,'ZOË','',NULL),(8,0,2,'it''s','',NULL);\n";

fn assert_rich(members: &Value) {
    let told: Vec<_> = members
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            let groups: Vec<_> =
                one["groups"].as_array().unwrap().iter().map(|group| group.as_str().unwrap()).collect();
            format!(
                "{} {} {}",
                one["name"].as_str().unwrap(),
                groups.join("+"),
                one["state"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "bad  disabled",
            "it's  active",
            "new  disabled",
            "root admins active",
            "Tom & \"J\"  active",
            "Zoë Bird & Co active"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_a_mysql_database_are_those_of_its_dump() {
    let server = Server::start(Kind::MySql).await;
    server.run("mysql", "CREATE DATABASE forum; CREATE DATABASE twice");
    server.let_in("reader", "SELECT", "forum", &["*"]);
    server.run("forum", "GRANT SELECT ON twice.* TO reader@localhost");
    for from in ["phpbb", "fluxbb", "mybb"] {
        let sample = root().join(format!("tests/fixtures/import/{from}.sql"));
        server.run("forum", &format!("source {}", sample.display()));
        let members = assert_same(&server, "forum", from, None);
        assert_eq!(members.as_array().unwrap().len(), 3);
        server.run("mysql", "DROP DATABASE forum; CREATE DATABASE forum");
    }
    // Old tables: no transactions, another character set, texts as bytes.
    server.run("twice", "SET sql_mode = '';\n\
        CREATE TABLE old_users (user_id int unsigned PRIMARY KEY, user_type tinyint, group_id mediumint, username varchar(255), user_password varbinary(255), user_email varchar(100)) ENGINE=MyISAM DEFAULT CHARSET=latin1;\n\
        CREATE TABLE old_groups (group_id mediumint, group_name varchar(255)) ENGINE=MyISAM DEFAULT CHARSET=latin1;\n\
        CREATE TABLE old_user_group (group_id mediumint, user_id mediumint, user_pending bit(1)) ENGINE=MyISAM;\n\
        CREATE TABLE old_banlist (ban_userid mediumint, ban_end int, ban_exclude bool);\n\
        CREATE TABLE new_users (user_id bigint, username varchar(20), user_password text);");
    server.run("twice", ROWS);
    let import = Import { site: &nowhere(), from: "phpbb", prefix: None };
    let choice = import.run(&server.url("reader", "twice"));
    choice.assert_code(65).assert_says("\"new_\" (new_users), \"old_\" (old_users)");
    assert_rich(&assert_same(&server, "twice", "phpbb", Some("old_")));
    let mut reader = Connection::open(&server.access("reader", "twice"), &TERMS).await.unwrap();
    let refused = reader.execute("UPDATE old_users SET username = ''", &[]).await.unwrap_err();
    assert!(matches!(refused, DatabaseError::Refused { .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_a_postgresql_database_are_those_of_its_dump() {
    let server = Server::start(Kind::Postgres).await;
    for (database, encoding) in [("utf8", "UTF8"), ("latin", "LATIN1"), ("bytes", "SQL_ASCII")] {
        server.run("postgres", &format!("CREATE DATABASE {database} TEMPLATE template0 ENCODING {encoding}"));
        server.run(database, "CREATE DOMAIN varchar_ci AS varchar(255);\n\
            CREATE TABLE old_users (user_id serial PRIMARY KEY, user_type smallint, group_id int, username varchar_ci, user_password varchar, user_email text);\n\
            CREATE TABLE old_groups (group_id bigint, group_name varchar_ci);\n\
            CREATE TABLE old_user_group (group_id int, user_id int, user_pending smallint);\n\
            CREATE TABLE old_banlist (ban_userid int, ban_end int, ban_exclude smallint);\n\
            CREATE TYPE kind AS ENUM ('a', 'b');\n\
            CREATE TABLE users (id bigserial, username varchar(200), email text, password bytea, activated boolean, primary_group_id int, kind kind);\n\
            CREATE TABLE groups (id int, name varchar, admin boolean, super_mod boolean, mod boolean, guest boolean, banned boolean);\n\
            CREATE TABLE groups_users (user_id int, group_id int);\n\
            INSERT INTO groups VALUES (1,'Boss',true,false,false,false,false),(9,'Out',false,false,false,false,true);\n\
            INSERT INTO users VALUES (1,'root','r@x.example','sha1$salt$da39a3ee5e6b4b0d3255bfef95601890afd80709',true,1,'a'),(2,'out',NULL,'',true,9,NULL),(3,'new','','',false,4,'b');");
        let client_encoding = format!("SET client_encoding = 'UTF8';\n{ROWS}");
        server.run(database, &client_encoding);
        match database {
            "utf8" => server.let_in("reader", "SELECT", database, &["*"]),
            _ => server.run(database, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader"),
        }
        assert_rich(&assert_same(&server, database, "phpbb", None));
        assert_eq!(assert_same(&server, database, "flaskbb", None)[2]["groups"][0], "admins");
    }
    let mut reader = Connection::open(&server.access("reader", "utf8"), &TERMS).await.unwrap();
    let refused = reader.execute("UPDATE old_users SET username = ''", &[]).await.unwrap_err();
    assert!(matches!(refused, DatabaseError::Refused { .. }), "{refused}");
}

/// Tables as phpBB's with so many members.
fn crowd(members: usize) -> String {
    let member = |n| format!("({n},0,2,'member {n}','$2y$10${n:022}{n:031}','m{n}@forum.example')");
    let members: Vec<_> = (2..members + 2).map(member).collect();
    format!(
        "CREATE TABLE old_users (user_id int PRIMARY KEY, user_type smallint, group_id int, username varchar(255), \
         user_password varchar(255), user_email varchar(100));\n\
         CREATE TABLE old_banlist (ban_userid int, ban_end int, ban_exclude smallint);\n\
         INSERT INTO old_users VALUES {};\n",
        members.join(",")
    )
}

/// Listens where it is told, and ends the first connection after so many bytes of the server's.
fn cut_after(bytes: u64, socket: &Path, server: PathBuf) {
    let listener = UnixListener::bind(socket).unwrap();
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut server = UnixStream::connect(server).await.unwrap();
        let ((mut questions, mut to_client), (answers, mut to_server)) = (client.split(), server.split());
        let mut answers = answers.take(bytes);
        tokio::select! {
            _ = copy(&mut questions, &mut to_server) => {}
            _ = copy(&mut answers, &mut to_client) => {}
        }
    });
}

/// What goes wrong with a database, and what is said about it.
async fn assert_told(kind: Kind) {
    const MEMBERS: u64 = 5_000;
    let server = Server::start(kind).await;
    server.run(server.first(), "CREATE DATABASE forum");
    server.run("forum", &crowd(MEMBERS as usize));
    server.let_in("reader", "SELECT", "forum", &["*"]);
    server.let_in("half", "SELECT", "forum", &["old_users"]);
    server.let_in("writer", "INSERT", "forum", &["old_users", "old_banlist"]);
    server.let_in("nobody", "SELECT", "forum", &[]);
    let site = nowhere();
    let import = Import { site: &site, from: "phpbb", prefix: None };

    let blind = import.run(&server.url("writer", "forum"));
    blind.assert_code(69).assert_says("needs the right to SELECT");
    let nobody = import.run(&server.url("nobody", "forum"));
    // MySQL keeps such a user out.
    let (code, words) = if kind == Kind::MySql {
        (69, "refuses the user")
    } else {
        (65, "grant the user SELECT on …users")
    };
    nobody.assert_code(code).assert_says(words);
    import.run(&server.url("reader", "elsewhere")).assert_code(69);
    import.run(&server.url("stranger", "forum")).assert_code(69).assert_says("--database-password-file");
    let away = server.url_at(&server.folder.path().join("none").join(".s.PGSQL.5432"), "reader", "forum");
    import.run(&away).assert_code(69).assert_says("see that it runs");

    let socket = server.folder.path().join("cut").join(".s.PGSQL.5432");
    fs::create_dir(socket.parent().unwrap()).unwrap();
    cut_after(300_000, &socket, server.socket());
    let lost = import.run(&server.url_at(&socket, "reader", "forum"));
    lost.assert_code(69)
        .assert_says("was lost")
        .assert_says("run the command again to go on, nobody is taken twice");
    let taken = lost.json()["imported"].as_u64().unwrap();
    assert!(taken > 0 && taken < MEMBERS && taken.is_multiple_of(1_000), "{taken}");
    assert_eq!(site.members().as_array().unwrap().len() as u64, taken);
    let rest = import.run(&server.url("reader", "forum")).assert_code(0).json();
    assert_eq!((&rest["imported"], &rest["skipped"]), (&(MEMBERS - taken).into(), &taken.into()));

    let half = import.run(&server.url("half", "forum")).assert_code(0).json();
    let told = half["problems"].to_string();
    assert!(told.contains("no table old_banlist was seen"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_with_a_mysql_database_is_told_with_what_to_do() {
    assert_told(Kind::MySql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_with_a_postgresql_database_is_told_with_what_to_do() {
    assert_told(Kind::Postgres).await;
}
