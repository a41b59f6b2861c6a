//! The bridge through the whole gateway: a member who signs in here is known to an unmodified forum.

mod cookies;
mod first_sign_in;
mod forum;
mod generated;
mod minted;
mod programs;
mod routes;
mod rules;
mod second_factor;
mod tls;

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use http::Method;
use passgate::domain::UserName;
use tempfile::TempDir;

use self::forum::{FakeForum, PRESET};
use crate::support::browser::{Browser, Page};
use crate::support::gateway::{Gateway, Settings};

const PASSWORD: &str = "wonderland is far";

struct Site {
    forum: FakeForum,
    gateway: Gateway,
    folder: TempDir,
}

impl Site {
    /// A site whose member alice has one password here and at the forum.
    async fn open(bridge: &str) -> Self {
        Self::with("", bridge).await
    }

    async fn with(access: &str, bridge: &str) -> Self {
        let forum = FakeForum::start().await;
        let address = forum.address();
        Self::before(forum, address, tempfile::tempdir().unwrap(), access, bridge).await
    }

    /// A site before a forum that is reached at `address`: over TLS, if there is a `ca.pem` in the folder.
    async fn before(
        forum: FakeForum,
        address: SocketAddr,
        folder: TempDir,
        access: &str,
        bridge: &str,
    ) -> Self {
        let preset = folder.path().join("fake.toml");
        fs::write(&preset, PRESET).unwrap();
        let rest = format!(
            "[forum]\npreset = {preset:?}\nvault_key = {:?}\n{bridge}",
            folder.path().join("forum.key")
        );
        let ca_file = folder.path().join("ca.pem");
        let ca_file = ca_file.exists().then_some(ca_file.as_path());
        let settings = Settings { rest: &rest, access, ca_file, ..Settings::NONE };
        let gateway = Gateway::with(address, settings).await;
        let site = Self { forum, gateway, folder };
        site.add("alice").await;
        site
    }

    async fn add(&self, name: &str) {
        self.gateway.add_member(name, PASSWORD, &[]).await;
        self.forum.state().passwords.insert(name.to_owned(), PASSWORD.to_owned());
    }

    fn browser(&self) -> Browser {
        Browser::new(self.gateway.address, &self.gateway.url())
    }

    async fn sign_in(&self, browser: &mut Browser, name: &str) -> Page {
        let page = browser.get("/.passgate/login?return_to=%2Fa").await;
        browser.submit(&page, "password", &[("username", name), ("password", PASSWORD)]).await
    }

    /// Three requests for `path` with each of these session cookies, all at once; each with whose it is.
    async fn at_once(&self, cookies: &[String], path: &'static str) -> Vec<(usize, Page)> {
        let mut requests = tokio::task::JoinSet::new();
        for (member, cookie) in cookies.iter().enumerate() {
            for _ in 0..3 {
                let mut browser = self.browser();
                browser.jar.put("passgate", cookie);
                requests.spawn(async move { (member, browser.get(path).await) });
            }
        }
        requests.join_all().await
    }

    /// A browser in which alice is signed in, and the forum has another password for her.
    async fn with_another_password(&self) -> (Browser, Page) {
        self.forum.state().passwords.insert("alice".to_owned(), "another one".to_owned());
        let mut browser = self.browser();
        let page = self.sign_in(&mut browser, "alice").await;
        (browser, page)
    }
}

/// Presses a button of the account page.
async fn post_from_account(browser: &mut Browser, action: &str) -> Page {
    let account = browser.get("/.passgate/account").await;
    let form = account.form("csrf");
    browser.post_form(&format!("/.passgate/account/{action}"), &[("csrf", form.value("csrf"))]).await
}

/// SECURITY: nothing by which the forum knows a member is in the browser.
fn assert_nothing_of_the_forum_in(browser: &Browser) {
    assert!(browser.jar.find("fsid").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_who_signs_in_here_is_known_to_the_forum_and_no_cookie_of_it_is_in_the_browser() {
    let site = Site::open("").await;
    let mut browser = site.browser();
    site.sign_in(&mut browser, "alice").await.assert_status(200).assert_says("Hello alice at /a!");
    browser.get("/b").await.assert_says("Hello alice at /b!");
    assert_eq!(browser.get("/renew").await.header("set-cookie"), "", "another cookie for the same member");
    assert_nothing_of_the_forum_in(&browser);
    browser.get("/b").await.assert_says("Hello alice at /b!");
    assert_eq!(site.forum.tries(), 1);
    assert_eq!(browser.jar.find("theme").unwrap().value, "dark", "other cookies pass");
    let cookies = site.forum.last("/b").values("cookie").join("; ");
    assert!(cookies.contains("theme=dark") && !cookies.contains("passgate"), "{cookies}");

    let mut elsewhere = site.browser();
    site.sign_in(&mut elsewhere, "alice").await.assert_says("Hello alice");
    assert_eq!(site.forum.tries(), 2, "a session of its own, by the password that is kept");
    let account = browser.get("/.passgate/account").await;
    account.assert_says("Connected to").assert_silent_about(PASSWORD);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_at_once_make_one_sign_in_and_fifty_members_at_once_get_what_is_theirs() {
    let site = Site::open("").await;
    let names: Vec<_> = (0..50).map(|n| format!("member{n}")).collect();
    for name in &names {
        site.add(name).await;
    }
    let mut browsers = Vec::new();
    for name in &names {
        let mut browser = site.browser();
        site.sign_in(&mut browser, name).await.assert_says(&format!("Hello {name} "));
        browsers.push(browser.jar.find("passgate").unwrap().value.clone());
    }
    assert_eq!(site.forum.tries(), 50);
    site.forum.state().sessions.clear();
    // The first page shows that the sessions are over, all the following are the members' again.
    site.at_once(&browsers, "/first").await;
    for (member, page) in site.at_once(&browsers, "/second").await {
        let name = &names[member];
        page.assert_says(&format!("Hello {name} at /second!"));
    }
    assert_eq!(site.forum.tries(), 100, "one sign-in for three requests");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_at_the_forum_is_made_again_without_a_word() {
    let site = Site::open("").await;
    let mut browser = site.browser();
    site.sign_in(&mut browser, "alice").await.assert_says("Hello alice");
    site.gateway.clock.advance(Duration::from_secs(600));
    site.forum.state().sessions.clear();
    browser.get("/private").await.assert_status(200).assert_says("Hello alice");
    assert_eq!(site.forum.tries(), 2);
    assert_nothing_of_the_forum_in(&browser);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_the_forum_refuses_is_tried_once_and_then_asked_for() {
    let site = Site::open("").await;
    let (mut browser, page) = site.with_another_password().await;
    assert_eq!(page.url.path(), "/.passgate/account/forum");
    page.assert_says("another password for").assert_says("alice");
    assert_eq!(site.forum.tries(), 1);
    let again = browser.submit(&page, "password", &[("password", "wrong too")]).await;
    again.assert_status(422).assert_says("another password for").assert_silent_about("wrong too");
    assert_eq!(site.forum.tries(), 2, "one try each time the button is pressed");
    browser.xhr("/x").await.assert_says("Hello guest");
    assert_eq!(site.forum.tries(), 2);
    let there = browser.submit(&again, "password", &[("password", "another one")]).await;
    there.assert_status(200).assert_says("Hello alice at /a!");
    assert_eq!(site.forum.tries(), 3);

    let mut elsewhere = site.browser();
    site.sign_in(&mut elsewhere, "alice").await.assert_says("Hello alice at /a!");
    assert_eq!(site.forum.tries(), 4, "with the password that worked, not the one typed here");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_on_without_is_a_guest_and_asked_no_more_in_this_session() {
    let site = Site::open("").await;
    let (mut browser, page) = site.with_another_password().await;
    let on = browser.submit(&page, "password", &[("choice", "without")]).await;
    on.assert_status(200).assert_says("Hello guest");
    browser.get("/b").await.assert_says("Hello guest");
    assert_eq!(site.forum.tries(), 1);
    browser.get("/.passgate/account").await.assert_says("Not connected yet");
    let mut elsewhere = site.browser();
    let page = site.sign_in(&mut elsewhere, "alice").await;
    assert_eq!(page.url.path(), "/.passgate/account/forum");
    assert_eq!(site.forum.tries(), 1, "what was refused is not tried by itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forum_that_wants_a_pause_is_left_alone_and_the_password_was_not_wrong() {
    let site = Site::open("").await;
    site.forum.state().is_throttled = true;
    let mut browser = site.browser();
    site.sign_in(&mut browser, "alice").await.assert_status(200);
    site.forum.state().is_throttled = false;
    let page = browser.get("/.passgate/account/forum?return_to=%2Fb").await;
    let there = browser.submit(&page, "password", &[("password", PASSWORD)]).await;
    there.assert_status(200).assert_says("Hello alice at /b!");
    assert_eq!(site.forum.tries(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_typed_while_the_forum_is_away_is_tried_when_it_is_back_and_nobody_asked_for_it_again() {
    for is_right in [true, false] {
        let site = Site::open("").await;
        if !is_right {
            site.forum.state().passwords.insert("alice".to_owned(), "another one".to_owned());
        }
        site.forum.state().is_away = true;
        let mut browser = site.browser();
        site.sign_in(&mut browser, "alice").await.assert_status(502);
        site.forum.state().is_away = false;
        browser.get("/b").await.assert_says("Hello guest!");
        assert_eq!(site.forum.tries(), 0, "it is left alone for a while");
        site.gateway.clock.advance(Duration::from_secs(60));
        let page = browser.get("/b").await;
        match is_right {
            true => page.assert_says("Hello alice at /b!"),
            false => page.assert_says("has another password"),
        };
        browser.get("/c").await;
        assert_eq!(site.forum.tries(), 1, "once, and then it is known");
    }
}

/// SECURITY: HDR-09.
#[tokio::test(flavor = "multi_thread")]
async fn a_forum_session_that_somebody_planted_in_the_browser_does_not_reach_the_forum() {
    let site = Site::open("").await;
    site.forum.state().sessions.insert("planted".to_owned(), "mallory".to_owned());
    let mut browser = site.browser();
    site.sign_in(&mut browser, "alice").await;
    browser.jar.put("fsid", "planted");
    browser.get("/b").await.assert_says("Hello alice at /b!");
    assert!(!site.forum.last("/b").text().contains("planted"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_changed_at_the_forum_is_tried_once_more_and_then_asked_for_once() {
    let site = Site::open("").await;
    let mut browser = site.browser();
    site.sign_in(&mut browser, "alice").await.assert_says("Hello alice");
    site.forum.state().passwords.insert("alice".to_owned(), "another one".to_owned());
    site.gateway.clock.advance(Duration::from_secs(600));
    site.forum.state().sessions.clear();
    let page = browser.get("/private").await;
    assert_eq!(page.url.path(), "/.passgate/account/forum");
    page.assert_says("another password for");
    for _ in 0..3 {
        assert_eq!(browser.get("/b").await.url.path(), "/.passgate/account/forum");
    }
    browser.jar.put("fsid", "planted");
    site.forum.state().sessions.insert("planted".to_owned(), "mallory".to_owned());
    browser.xhr("/x").await.assert_says("Hello guest");
    assert_eq!(site.forum.tries(), 2);
    let there = browser.submit(&page, "password", &[("password", "another one")]).await;
    there.assert_status(200).assert_says("Hello alice");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_members_one_after_the_other_in_one_browser_are_never_mixed_up() {
    let site = Site::open("").await;
    site.add("bobby").await;
    let mut browser = site.browser();
    site.sign_in(&mut browser, "alice").await.assert_says("Hello alice");
    let account = browser.get("/.passgate/account").await;
    browser.submit(&account, "csrf", &[]).await.assert_says("signed out");
    site.sign_in(&mut browser, "bobby").await.assert_says("Hello bobby");
    browser.get("/b").await.assert_says("Hello bobby at /b!").assert_silent_about("alice");
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_at_the_forum_signs_out_at_both_and_only_with_the_forums_own_token() {
    let site = Site::open("").await;
    let mut browser = site.browser();
    let page = site.sign_in(&mut browser, "alice").await;
    browser.get("/logout?t=forged").await.assert_says("Hello alice");
    assert!(browser.jar.find("passgate").is_some());
    let session = browser.jar.find("passgate").unwrap().value.clone();
    let out = browser.click(&page, "/logout?t=alice").await;
    assert_eq!(out.url.path(), "/.passgate/login", "nobody is signed in");
    assert!(browser.jar.find("passgate").is_none() && site.forum.state().sessions.is_empty());
    browser.jar.put("passgate", &session);
    assert_eq!(browser.get("/b").await.url.path(), "/.passgate/login");
}

/// MediaWiki's script does that, for one.
#[tokio::test(flavor = "multi_thread")]
async fn signing_out_at_the_forum_counts_when_the_word_for_it_is_in_the_form_alone() {
    let site = Site::open("").await;
    let mut browser = site.browser();
    site.sign_in(&mut browser, "alice").await;
    for stays in ["act=stay", "note=act%3Dleave", &format!("act=leave&note={}", "x".repeat(9_000))] {
        browser.ask(Method::POST, "/do", &[], stays).await.assert_says("Hello alice");
    }
    browser.ask(Method::POST, "/do", &[], "act=leave").await.assert_status(200);
    assert_eq!(browser.get("/.passgate/account").await.url.path(), "/.passgate/login");
    assert_eq!(site.forum.tries(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_signed_out_here_in_whatever_way_is_signed_out_at_the_forum() {
    let site = Site::open("").await;
    let mut browser = site.browser();
    site.sign_in(&mut browser, "alice").await.assert_says("Hello alice");
    let account = browser.get("/.passgate/account").await;
    browser.submit(&account, "csrf", &[]).await.assert_says("signed out");
    site.forum.left(1).await;
    assert!(site.forum.state().sessions.is_empty(), "by themselves");

    site.sign_in(&mut site.browser(), "alice").await.assert_says("Hello alice");
    site.sign_in(&mut browser, "alice").await.assert_says("Hello alice");
    post_from_account(&mut browser, "end-other-sessions").await.assert_says("signed in here only");
    site.forum.left(2).await;
    assert_eq!(site.forum.state().sessions.len(), 1, "elsewhere");
    let tries = site.forum.tries();
    browser.get("/b").await.assert_says("Hello alice");
    assert_eq!(site.forum.tries(), tries, "and not here");

    let accounts = &site.gateway.running.services.accounts;
    let alice = accounts.find(&UserName::parse("alice").unwrap()).unwrap().unwrap();
    accounts.disable(alice.profile.id).await.unwrap();
    site.forum.left(3).await;
    assert!(site.forum.state().sessions.is_empty(), "by an operator");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forum_that_does_not_answer_holds_no_sign_out_up() {
    let site = Site::open("").await;
    let mut browser = site.browser();
    site.sign_in(&mut browser, "alice").await.assert_says("Hello alice");
    site.forum.state().hangs = true;
    let account = browser.get("/.passgate/account").await;
    browser.submit(&account, "csrf", &[]).await.assert_says("signed out");
    assert_eq!(browser.get("/b").await.url.path(), "/.passgate/login");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_forums_own_sign_in_leads_to_ours_and_members_back_to_where_they_were() {
    let site = Site::with("default = \"guest\"", "").await;
    let mut browser = site.browser();
    let page = browser.get("/b").await;
    page.assert_says("Hello guest");
    let form = browser.click(&page, "/login").await;
    assert_eq!(form.url.path(), "/.passgate/login");
    let back = browser.submit(&form, "password", &[("username", "alice"), ("password", PASSWORD)]).await;
    assert_eq!(back.target(), "/b");
    back.assert_says("Hello alice at /b!");
    assert_eq!(browser.click(&back, "/login").await.target(), "/b");
    for way in ["/logout?t=alice", "/login"] {
        let referer = format!("{}{way}", site.gateway.url());
        let answer = browser.ask(Method::GET, "/login", &[("referer", &referer)], "").await;
        assert_eq!(answer.header("location"), "/", "{way}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_can_disconnect_and_nothing_of_the_password_is_left() {
    let site = Site::open("").await;
    let mut browser = site.browser();
    site.sign_in(&mut browser, "alice").await.assert_says("Hello alice");
    post_from_account(&mut browser, "forum/disconnect").await.assert_says("forgotten your password");
    browser.get("/b").await.assert_says("Hello guest");
    site.forum.left(1).await;
    let mut elsewhere = site.browser();
    let page = site.sign_in(&mut elsewhere, "alice").await;
    assert_eq!(page.url.path(), "/.passgate/account/forum");
    assert_eq!(site.forum.tries(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn registration_is_refused_where_the_operator_says_so() {
    let site = Site::with("default = \"guest\"", "register = \"block\"").await;
    let mut browser = site.browser();
    for spelled in ["/register", "/./register", "/%72egister", "/register/x?y"] {
        let answer = browser.ask(Method::GET, spelled, &[], "").await;
        assert_eq!(answer.status, 403, "{spelled}");
    }
    browser.get("/registered").await.assert_says("Hello guest");
}

#[tokio::test(flavor = "multi_thread")]
async fn basic_names_the_member_and_nobody_can_name_themselves() {
    let rule = "default = \"guest\"\n[[access.rule]]\npath = \"/feed\"\nrequire = \"guest\"\nauthorization = \"forward\"";
    let site = Site::with(rule, "bridge = \"basic\"").await;
    let mut browser = site.browser();
    let claim = [("authorization", "Basic YWRtaW46eA==")];
    for path in ["/x", "/feed"] {
        browser.ask(Method::GET, path, &claim, "").await;
        assert_eq!(site.forum.last(path).value("authorization"), None, "{path}");
    }
    site.sign_in(&mut browser, "alice").await;
    for path in ["/x", "/feed"] {
        browser.ask(Method::GET, path, &claim, "").await;
        assert_eq!(site.forum.last(path).value("authorization").unwrap(), "Basic YWxpY2U6eA==", "{path}");
    }
    browser.get("/adm/index").await.assert_status(200);
    site.gateway.clock.advance(Duration::from_secs(16 * 60));
    assert_eq!(browser.get("/adm/index").await.url.path(), "/.passgate/login");
    browser.get("/b").await.assert_status(200);
    assert!(!site.folder.path().join("forum.key").exists(), "no password is kept");
}
