//! Forums' tables in a file of SQLite's, with the columns that matter and rows as the real ones have them.

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use tempfile::TempDir;

use super::Kind;

/// Names are compared as MySQL does: letter case makes no difference.
const PHPBB: &str = r#"
CREATE TABLE phpbb_config (config_name TEXT PRIMARY KEY, config_value TEXT);
INSERT INTO phpbb_config VALUES ('cookie_name', 'phpbb3_ab1cd'), ('cookie_path', '/'), ('allow_autologin', '1');
CREATE TABLE phpbb_users (user_id INTEGER PRIMARY KEY, user_type INTEGER, username TEXT COLLATE NOCASE, user_password TEXT);
INSERT INTO phpbb_users VALUES (1, 2, 'Anonymous', ''), (2, 3, 'admin', '$2y$10$a'), (47, 2, 'Googlebot', ''),
  (58, 0, 'alice', '$argon2id$v=19$m=65536,t=4,p=2$alZUYUtCL3dYSjlnOWZlMg$X1Li1eEt3de1ZTr7+OBpLZuhgjvf2fiSrfaugfXw2ww'),
  (59, 0, 'bob', '$2y$10$b'), (60, 0, 'banned', '$2y$10$c'), (61, 1, 'inactive', '$2y$10$d'), (62, 0, 'returned', '$2y$10$e'),
  (63, 0, 'spared', '$2y$10$f'), (64, 0, 'a&amp;b &quot;c&quot; &lt;d&gt;', '$2y$10$g');
CREATE TABLE phpbb_banlist (ban_id INTEGER PRIMARY KEY, ban_userid INTEGER, ban_end INTEGER, ban_exclude INTEGER);
INSERT INTO phpbb_banlist VALUES (1, 60, 0, 0), (2, 62, 1000, 0), (3, 63, 0, 0), (4, 63, 0, 1), (5, 2, 0, 0);
CREATE TABLE phpbb_sessions_keys (key_id TEXT, user_id INTEGER, last_ip TEXT, last_login INTEGER, PRIMARY KEY (key_id, user_id));
INSERT INTO phpbb_sessions_keys VALUES ('0123456789abcdef0123456789abcdef', 58, '192.0.2.1', 1);
"#;

const SMF: &str = r#"
CREATE TABLE smf_settings (variable TEXT PRIMARY KEY, value TEXT);
INSERT INTO smf_settings VALUES ('tfa_mode', '1'), ('localCookies', '0'), ('globalCookies', '0');
CREATE TABLE smf_members (id_member INTEGER PRIMARY KEY, member_name TEXT COLLATE NOCASE, passwd TEXT, password_salt TEXT,
  is_activated INTEGER, tfa_secret TEXT);
INSERT INTO smf_members VALUES (2, 'alice', '$2y$10$wZ1e', 'a1b2c3d4', 1, ''), (3, 'bob', '$2y$10$wZ2e', 'e5f6', 1, ''),
  (4, 'banned', '$2y$10$wZ3e', 'x', 11, ''), (5, 'inactive', '$2y$10$wZ4e', 'x', 0, ''), (6, 'careful', '$2y$10$wZ5e', 'x', 1, 'SECRET');
"#;

const MYBB: &str = r#"
CREATE TABLE mybb_settings (sid INTEGER PRIMARY KEY, name TEXT, value TEXT);
INSERT INTO mybb_settings VALUES (1, 'cookieprefix', ''), (2, 'cookiepath', '/');
CREATE TABLE mybb_usergroups (gid INTEGER PRIMARY KEY, isbannedgroup INTEGER);
INSERT INTO mybb_usergroups VALUES (1, 0), (2, 0), (4, 0), (5, 0), (7, 1);
CREATE TABLE mybb_banned (uid INTEGER, lifted INTEGER);
INSERT INTO mybb_banned VALUES (5, 0), (7, 1000);
CREATE TABLE mybb_users (uid INTEGER PRIMARY KEY, username TEXT COLLATE NOCASE, password TEXT, usergroup INTEGER, loginkey TEXT);
INSERT INTO mybb_users VALUES (4, 'alice', '47a05e54d26d06fc75678bd10dd5565d', 2, 'l0ginKeyOfAlice'), (2, 'bob', 'f6', 2, 'l0ginKeyOfBob'),
  (5, 'banned', 'x', 7, 'key'), (6, 'inactive', 'x', 5, 'key'), (7, 'returned', 'x', 7, 'key'), (8, 'keyless', 'x', 2, '');
"#;

/// Also PunBB's, which has salts beside.
const PUN: &str = r#"
CREATE TABLE #bans (id INTEGER PRIMARY KEY, username TEXT, ip TEXT, email TEXT, expire INTEGER);
INSERT INTO #bans VALUES (1, 'BANNED', NULL, NULL, NULL), (2, 'returned', NULL, NULL, 1000), (3, NULL, NULL, 'spam@forum.test', NULL),
  (4, 'admin', NULL, NULL, NULL), (5, NULL, '198.51.100', NULL, NULL);
CREATE TABLE #users (id INTEGER PRIMARY KEY, group_id INTEGER, username TEXT COLLATE NOCASE, email TEXT, password TEXT, salt TEXT);
INSERT INTO #users VALUES (1, 2, 'Guest', 'Guest', 'Guest', NULL), (2, 1, 'admin', 'admin@forum.test', '$2y$10$0', 'x'),
  (6, 4, 'alice', 'alice@forum.test', '$2y$10$q9VAVT8OKS6aFNX92D90NO16iMG7am.6Xj4uXd31siHNznCcBLhXC', '49rg,~''6&VdD'),
  (4, 4, 'bob', 'bob@forum.test', '$2y$10$TNNbcoIazWpbfOockb7Kf.mmH5O2r3wkYHDI5FEDoW6ij9wZbcBPK', NULL),
  (7, 4, 'banned', 'b@forum.test', 'x', 'y'), (8, 0, 'inactive', 'i@forum.test', 'x', 'y'), (9, 4, 'returned', 'r@forum.test', 'x', 'y'),
  (10, 4, 'spammer', 'spam@forum.test', 'x', 'y');
"#;

pub(super) struct Tables {
    folder: TempDir,
    kind: &'static str,
}

impl Tables {
    pub(super) fn of(kind: &Kind) -> Self {
        let tables = Self { folder: tempfile::tempdir().unwrap(), kind: kind.preset };
        let text = match kind.preset {
            "phpbb" => PHPBB.to_owned(),
            "smf" => SMF.to_owned(),
            "mybb" => MYBB.to_owned(),
            _ => PUN.replace('#', kind.prefix),
        };
        open(&tables.path()).execute_batch(&text).unwrap();
        tables
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("forum.db")
    }

    pub(super) fn run(&self, statement: &str) {
        open(&self.path()).execute_batch(statement).unwrap();
    }

    pub(super) fn count(&self, table: &str) -> i64 {
        open(&self.path()).query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    }

    /// As forums do when a member changes it.
    pub(super) fn change_password(&self, name: &str) {
        self.run(&match self.kind {
            "phpbb" => format!("UPDATE phpbb_users SET user_password = 'new' WHERE username = '{name}'"),
            "smf" => format!(
                "UPDATE smf_members SET passwd = 'new', password_salt = 'n' WHERE member_name = '{name}'"
            ),
            "mybb" => format!("UPDATE mybb_users SET loginkey = 'new' WHERE username = '{name}'"),
            "fluxbb" => format!("UPDATE flux_users SET password = 'new' WHERE username = '{name}'"),
            _ => format!("UPDATE users SET password = 'new', salt = 'n' WHERE username = '{name}'"),
        });
    }

    pub(super) fn remove(&self, name: &str) {
        self.run(&match self.kind {
            "phpbb" => format!("DELETE FROM phpbb_users WHERE username = '{name}'"),
            "smf" => format!("DELETE FROM smf_members WHERE member_name = '{name}'"),
            "mybb" => format!("DELETE FROM mybb_users WHERE username = '{name}'"),
            "fluxbb" => format!("DELETE FROM flux_users WHERE username = '{name}'"),
            _ => format!("DELETE FROM users WHERE username = '{name}'"),
        });
    }
}

pub(super) fn open(path: &Path) -> Connection {
    Connection::open(path).unwrap()
}
