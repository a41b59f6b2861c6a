//! Sessions made from the forum's database, through the whole gateway: nobody is asked for a password, nothing is in the browser.

use std::fs;
use std::time::Duration;

use tempfile::TempDir;

use super::{PASSWORD, assert_nothing_of_the_forum_in};
use crate::support::browser::{Browser, Page};
use crate::support::gateway::{Gateway, Settings};
use crate::support::upstream::{Act, Heard, Recorder};

const TABLES: &str = "
CREATE TABLE mybb_settings (name TEXT, value TEXT);
CREATE TABLE mybb_usergroups (gid INTEGER, isbannedgroup INTEGER);
INSERT INTO mybb_usergroups VALUES (2, 0), (7, 1);
CREATE TABLE mybb_banned (uid INTEGER, lifted INTEGER);
CREATE TABLE mybb_users (uid INTEGER, username TEXT, usergroup INTEGER, loginkey TEXT);
INSERT INTO mybb_users VALUES (4, 'alice', 2, 'KeyOfAlice'), (5, 'bob', 7, 'KeyOfBob');
";

struct Site {
    forum: Recorder,
    gateway: Gateway,
    folder: TempDir,
}

/// MyBB: alice by her key, everybody else as a guest.
fn answer(heard: &Heard) -> Vec<Act> {
    let cookies = heard.head.values("cookie").join("; ");
    let line = heard.head.start_line();
    let (fields, page) = match cookies.contains("mybbuser=4_KeyOfAlice") {
        true if line.contains("action=logout") => {
            ("Set-Cookie: mybbuser=; Max-Age=0; Path=/\r\n", String::new())
        }
        true => {
            ("", "Hello alice! <a href=\"/member.php?action=logout&amp;logoutkey=k\">Log out</a>".to_owned())
        }
        false => ("", "Hello guest! <a href=\"/member.php?action=login\">Log in</a>".to_owned()),
    };
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n", page.len());
    vec![Act::Send(format!("{head}{fields}\r\n{page}").into_bytes())]
}

impl Site {
    async fn open(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("forum.db");
        rusqlite::Connection::open(&path).unwrap().execute_batch(TABLES).unwrap();
        let forum = Recorder::on_request(answer).await;
        let database = format!("sqlite:{}", path.display());
        let rest =
            format!("[forum]\npreset = \"mybb\"\nbridge = \"session\"\ndatabase = {database:?}\n{more}");
        let gateway = Gateway::with(forum.address(), Settings { rest: &rest, ..Settings::NONE }).await;
        for name in ["alice", "bob"] {
            gateway.add_member(name, PASSWORD, &[]).await;
        }
        Self { forum, gateway, folder }
    }

    async fn sign_in(&self, name: &str) -> (Browser, Page) {
        let mut browser = Browser::new(self.gateway.address, &self.gateway.url());
        let page = browser.get("/.passgate/login?return_to=%2Fa").await;
        let page = browser.submit(&page, "password", &[("username", name), ("password", PASSWORD)]).await;
        (browser, page)
    }

    fn asked(&self) -> Vec<String> {
        self.forum.request_heads().iter().map(|head| head.start_line()).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_is_known_to_the_forum_without_a_password_there_and_without_a_question() {
    let site = Site::open("").await;
    let (mut browser, page) = site.sign_in("alice").await;
    page.assert_status(200).assert_says("Hello alice!");
    browser.get("/b").await.assert_says("Hello alice!");
    assert!(browser.jar.find("mybbuser").is_none());
    assert_nothing_of_the_forum_in(&browser);
    assert_eq!(
        site.asked(),
        ["GET /index.php HTTP/1.1", "GET /a HTTP/1.1", "GET /b HTTP/1.1"],
        "one page to make sure, and no form"
    );
    let account = browser.get("/.passgate/account").await;
    account.assert_status(200).assert_silent_about("forum-disconnect").assert_silent_about("account/forum");
    browser.get("/.passgate/account/forum").await.assert_status(404);
    let login = browser.get("/member.php?action=login").await;
    assert_eq!(login.url.path(), "/", "whoever is signed in needs no form");
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_the_forum_would_not_let_in_reads_as_a_guest_and_is_asked_nothing() {
    let site = Site::open("").await;
    let (mut browser, page) = site.sign_in("bob").await;
    page.assert_status(200).assert_says("Hello guest!");
    browser.jar.put("mybbuser", "4_KeyOfAlice");
    browser.get("/b").await.assert_says("Hello guest!");
    assert_eq!(site.asked(), ["GET /a HTTP/1.1", "GET /b HTTP/1.1"]);

    fs::remove_file(site.folder.path().join("forum.db")).unwrap();
    let (_, page) = site.sign_in("bob").await;
    page.assert_status(200).assert_says("Hello guest!");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_signs_out_here_is_signed_out_at_the_forum() {
    let site = Site::open("cookies = \"browser\"\n").await;
    let (mut browser, page) = site.sign_in("alice").await;
    page.assert_says("Hello alice!");
    assert_eq!(browser.jar.find("mybbuser").unwrap().value, "4_KeyOfAlice", "where it is wanted there");
    super::post_from_account(&mut browser, "../logout").await;
    assert!(browser.jar.find("mybbuser").is_none());
    let is_leave = |heard: &Heard| heard.head.start_line().contains("action=logout");
    site.forum.wait_until("a sign-out at the forum", |records| records.requests.iter().any(is_leave)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_forums_administration_wants_a_fresh_sign_in_since_no_password_of_the_forum_was_given() {
    let site = Site::open("").await;
    let (mut browser, _) = site.sign_in("alice").await;
    browser.get("/admin/index.php").await.assert_says("Hello alice!");
    site.gateway.clock.advance(Duration::from_secs(16 * 60));
    assert_eq!(browser.get("/admin/index.php").await.url.path(), "/.passgate/login");
    browser.get("/b").await.assert_says("Hello alice!");
}
