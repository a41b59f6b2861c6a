//! The doctor where sessions are made from the forum's database: each step, and at which one it fails.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use crate::cli::tests::Place;
use crate::cli::trouble::Exit;

const TABLES: &str = "
CREATE TABLE mybb_settings (name TEXT, value TEXT);
CREATE TABLE mybb_usergroups (gid INTEGER, isbannedgroup INTEGER);
INSERT INTO mybb_usergroups VALUES (2, 0), (7, 1);
CREATE TABLE mybb_banned (uid INTEGER, lifted INTEGER);
CREATE TABLE mybb_users (uid INTEGER, username TEXT, usergroup INTEGER, loginkey TEXT);
INSERT INTO mybb_users VALUES (4, 'alice', 2, 'TheLoginKey'), (5, 'bob', 7, 'AnotherKey'), (6, 'carol', 2, 'ANewKey');
";

/// A forum that knows alice by her key, and carol no more.
fn forum() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let (mut asked, mut buffer) = (Vec::new(), [0; 4096]);
            while !asked.ends_with(b"\r\n\r\n") {
                match stream.read(&mut buffer) {
                    Ok(length @ 1..) => asked.extend_from_slice(&buffer[..length]),
                    _ => break,
                }
            }
            let page = match String::from_utf8_lossy(&asked).contains("mybbuser=4_TheLoginKey") {
                true => "<span class=\"welcome\"><a href=x>alice</a></span><a href=\"?action=logout\">",
                false => "<a href=\"?action=login\">",
            };
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n";
            let _ = write!(stream, "{head}Content-Length: {}\r\n\r\n{page}", page.len());
        }
    });
    address
}

fn place(forum: SocketAddr) -> Place {
    let place = Place::new(&format!(
        "[upstream]\nurl = \"http://{forum}\"\n[forum]\npreset = \"mybb\"\nbridge = \"session\"\ndatabase = \"sqlite:forum.db\"\n"
    ));
    let database = rusqlite::Connection::open(place.0.path().join("forum.db")).unwrap();
    database.execute_batch(TABLES).unwrap();
    place
}

#[test]
fn a_session_from_the_database_is_walked_without_a_password_and_without_a_secret_on_the_screen() {
    let ran = place(forum()).run(&["doctor", "--as", "alice"]);
    assert_eq!(ran.exit, Exit::Done, "{}", ran.err);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert!(lines[0].starts_with("mint  sqlite:") && lines[0].ends_with("tables mybb_users"), "{}", ran.out);
    assert_eq!(
        lines[1..],
        [
            "mint  the member is number 4 there; made {\"mybbuser\"}",
            "check 200 /index.php",
            "name  alice",
            "fine: the forum knows this member"
        ]
    );
    assert!(!format!("{}{}", ran.out, ran.err).contains("TheLoginKey"));
}

#[test]
fn what_fails_is_told_with_its_step_and_what_to_do() {
    let place = place(forum());
    for (name, exit, step, said) in [
        ("Alice", Exit::Data, "mint", "no member of this name; use the spelling it shows"),
        ("bob", Exit::Data, "mint", "banned at the forum"),
        ("carol", Exit::Unavailable, "check", "compare forum.table_prefix"),
    ] {
        let ran = place.run(&["doctor", "--as", name]);
        assert_eq!(ran.exit, exit, "{name}: {}", ran.err);
        let last = ran.out.lines().last().unwrap();
        assert!(last.starts_with(step) && ran.err.contains(said), "{name}: {}{}", ran.out, ran.err);
    }
    let database = rusqlite::Connection::open(place.0.path().join("forum.db")).unwrap();
    database.execute_batch("DROP TABLE mybb_users").unwrap();
    let ran = place.run(&["doctor", "--as", "alice"]);
    assert_eq!(ran.exit, Exit::Unavailable);
    assert!(ran.err.contains("mybb_users") && ran.err.contains("docs/forums.md"), "{}", ran.err);
    std::fs::remove_file(place.0.path().join("forum.db")).unwrap();
    let ran = place.run(&["doctor", "--as", "alice"]);
    assert!(ran.exit == Exit::Unavailable && ran.err.contains("can't be reached"), "{}", ran.err);
}
