//! Signing in, staying signed in, signing out: through the whole gateway, as a browser without a script does it.

use std::time::Duration;

use http::Method;

use crate::support::browser::{Browser, Fetch, Page};
use crate::support::gateway::{Gateway, Settings};
use passgate::domain::LinkKind;
use passgate::sample::{RunningForum, SampleForum};

const PASSWORD: &str = "wonderland is far";

struct Site {
    _forum: RunningForum,
    gateway: Gateway,
}

impl Site {
    async fn open(settings: Settings<'_>) -> Self {
        let forum = SampleForum::bind(([127, 0, 0, 1], 0).into()).await.unwrap().spawn();
        let gateway = Gateway::with(forum.address(), settings).await;
        gateway.add_member("alice", PASSWORD, &["admins"]).await;
        Self { _forum: forum, gateway }
    }

    fn browser(&self) -> Browser {
        Browser::new(self.gateway.address, &self.gateway.url())
    }

    async fn sign_in(&self, browser: &mut Browser, path: &str) -> Page {
        let page = browser.get(path).await;
        browser.submit(&page, "password", &[("username", "alice"), ("password", PASSWORD)]).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_signs_in_comes_back_to_the_page_asked_for_posts_and_signs_out() {
    let site = Site::open(Settings::default()).await;
    let mut browser = site.browser();
    let page = site.sign_in(&mut browser, "/viewtopic.php?t=1;start=0").await;
    page.assert_status(200);
    assert_eq!(page.target(), "/viewtopic.php?t=1;start=0");
    page.assert_says("alice");
    let session = browser.jar.find("passgate").unwrap().value.clone();

    let account = browser.get("/.passgate/account").await;
    account.assert_status(200).assert_says("alice@forum.example").assert_says("signed in here only");
    let out = browser.submit(&account, "csrf", &[]).await;
    out.assert_status(200).assert_says("signed out");
    assert!(browser.jar.find("passgate").is_none());

    // SECURITY: SES-04, S2: the old cookie is worth nothing.
    let mut thief = site.browser();
    thief.jar.put("passgate", &session);
    let page = thief.get("/").await;
    assert_eq!(page.url.path(), "/.passgate/login");
}

#[tokio::test(flavor = "multi_thread")]
async fn thr_13_unknown_name_wrong_password_and_disabled_account_get_one_answer() {
    let site = Site::open(Settings::default()).await;
    let bob = site.gateway.add_member("bobby", PASSWORD, &[]).await;
    site.gateway.running.services.accounts.disable(bob.profile.id).await.unwrap();
    let mut answers = Vec::new();
    for (name, password) in [("alice", "wrong password!!"), ("nosuc", PASSWORD), ("bobby", PASSWORD)] {
        let mut browser = site.browser();
        let form = browser.get("/.passgate/login").await;
        let csrf = form.form("password").value("csrf").to_owned();
        let page = browser.submit(&form, "password", &[("username", name), ("password", password)]).await;
        assert!(browser.jar.find("passgate").is_none());
        let names: Vec<_> = page.headers.keys().cloned().collect();
        let text = page.text().replace(&csrf, "CSRF").replace(name, "NAME");
        let masked = page.form("password").value("csrf").to_owned();
        answers.push((page.status, names, text.replace(&masked, "CSRF")));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn page_loads_are_redirected_and_everything_else_is_told_in_json() {
    let site = Site::open(Settings::default()).await;
    let mut browser = site.browser();
    let page = browser.ask(Method::GET, "/viewforum.php?f=1", &[], "").await;
    page.assert_status(302);
    assert_eq!(page.header("location"), "/.passgate/login?return_to=%2Fviewforum.php%3Ff%3D1");
    for fetch in [Fetch::Xhr, Fetch::Image] {
        let answer = browser.fetch(fetch, "/ajax.php").await;
        answer.assert_status(401);
        assert_eq!(answer.json()["code"], "sign-in-required");
    }
    let feed = browser
        .ask(
            Method::GET,
            "/feed.php",
            &[
                ("accept", "application/rss+xml"),
                ("sec-fetch-mode", ""),
                ("sec-fetch-dest", ""),
                ("sec-fetch-site", ""),
            ],
            "",
        )
        .await;
    feed.assert_status(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn web_01_a_sign_in_form_from_elsewhere_is_refused_and_sets_nothing() {
    let site = Site::open(Settings::default()).await;
    let mut browser = site.browser();
    let form = browser.get("/.passgate/login").await;
    let csrf = form.form("password").value("csrf").to_owned();
    let body = format!("username=alice&password={}&csrf={csrf}", PASSWORD.replace(' ', "+"));
    for forged in [
        [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")],
        [("origin", "null"), ("sec-fetch-site", "")],
        [("origin", ""), ("sec-fetch-site", "cross-site")],
        [("origin", ""), ("sec-fetch-site", "same-site")],
    ] {
        let answer = browser.ask(Method::POST, "/.passgate/login", &forged, &body).await;
        answer.assert_status(403);
        assert!(!answer.header("set-cookie").contains("passgate="), "{forged:?}");
    }
    let answer = browser.ask(Method::POST, "/.passgate/login", &[], &body.replace(&csrf, "x")).await;
    assert!(!answer.header("set-cookie").starts_with("passgate="), "without the token nobody is signed in");
    let answer =
        browser.ask(Method::POST, "/.passgate/login", &[("content-type", "text/plain")], &body).await;
    answer.assert_status(415);
    browser.ask(Method::POST, "/.passgate/login", &[], &body).await.assert_status(303);
}

#[tokio::test(flavor = "multi_thread")]
async fn web_01_r1_a_host_of_a_starred_name_has_a_sign_in_of_its_own_and_keeps_its_visitors() {
    let server = "hosts = [\"*.forum.localhost\"]";
    let access = "[[access.rule]]\nhost = \"*.forum.localhost\"\nrequire = \"login\"";
    let site = Site::open(Settings { server, access, ..Settings::NONE }).await;
    let port = site.gateway.address.port();
    let club = format!("http://club.forum.localhost:{port}");
    let mut browser = Browser::new(site.gateway.address, &club);
    let page = site.sign_in(&mut browser, "/viewtopic.php?t=1").await;
    page.assert_status(200).assert_says("alice");
    assert_eq!(page.url.as_str(), format!("{club}/viewtopic.php?t=1"));
    let hops: Vec<_> = page.chain.iter().map(|url| url.origin().ascii_serialization()).collect();
    assert!(hops.iter().all(|origin| *origin == club), "{hops:?}");

    for target in
        ["//other.forum.localhost/", "http://localhost/", "https://club.forum.localhost.evil.example/"]
    {
        let mut browser = Browser::new(site.gateway.address, &club);
        let target: String = form_urlencoded::byte_serialize(target.as_bytes()).collect();
        let page = site.sign_in(&mut browser, &format!("/.passgate/login?return_to={target}")).await;
        assert_eq!(page.url.as_str(), format!("{club}/"), "{target}");
    }
    let mut browser = Browser::new(site.gateway.address, &club);
    let form = browser.get("/.passgate/login").await;
    let csrf = form.form("password").value("csrf").to_owned();
    let body = format!("username=alice&password={}&csrf={csrf}", PASSWORD.replace(' ', "+"));
    for origin in
        ["http://other.forum.localhost", "http://forum.localhost", "http://club.forum.localhost.evil.example"]
    {
        let sibling = format!("{origin}:{port}");
        let answer = browser.ask(Method::POST, "/.passgate/login", &[("origin", &sibling)], &body).await;
        answer.assert_status(403);
    }
    browser.ask(Method::POST, "/.passgate/login", &[("origin", &club)], &body).await.assert_status(303);
}

#[tokio::test(flavor = "multi_thread")]
async fn ses_03_a_planted_session_is_never_adopted_and_each_sign_in_makes_a_new_one() {
    let site = Site::open(Settings::default()).await;
    let mut browser = site.browser();
    let planted = "A".repeat(43);
    browser.jar.put("passgate", &planted);
    site.sign_in(&mut browser, "/").await.assert_status(200);
    let first = browser.jar.find("passgate").unwrap().value.clone();
    assert_ne!(first, planted);
    let again = browser.get("/.passgate/login?again=1").await;
    browser.submit(&again, "password", &[("password", PASSWORD)]).await.assert_status(200);
    assert_ne!(browser.jar.find("passgate").unwrap().value, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn ses_06_an_idle_session_is_sent_to_sign_in_and_a_remembered_one_is_not() {
    let site = Site::open(Settings::default()).await;
    let (mut ordinary, mut remembered) = (site.browser(), site.browser());
    site.sign_in(&mut ordinary, "/").await.assert_status(200);
    let form = remembered.get("/").await;
    let filled = [("username", "ALICE"), ("password", PASSWORD), ("remember", "1")];
    remembered.submit(&form, "password", &filled).await.assert_status(200);
    site.gateway.clock.advance(Duration::from_secs(3_600));
    assert_eq!(ordinary.get("/").await.url.path(), "/.passgate/login");
    assert_eq!(remembered.get("/").await.url.path(), "/");
    site.gateway.clock.advance(Duration::from_secs(30 * 86_400));
    assert_eq!(remembered.get("/").await.url.path(), "/.passgate/login");
}

/// SECURITY: AUTH-13.
#[tokio::test(flavor = "multi_thread")]
async fn s6_disabling_revoking_and_deleting_count_from_the_next_request_on() {
    let site = Site::open(Settings::default()).await;
    let services = site.gateway.running.services.clone();
    let alice = site.gateway.add_member("alina", PASSWORD, &[]).await;
    let id = alice.profile.id;
    for end in ["revoke", "disable", "delete"] {
        services.accounts.enable(id).await.unwrap();
        let mut browser = site.browser();
        let form = browser.get("/").await;
        browser
            .submit(&form, "password", &[("username", "alina"), ("password", PASSWORD)])
            .await
            .assert_says("alina");
        match end {
            "revoke" => services.sessions.end_all(id, None, vec![]).await.map(drop).unwrap(),
            "disable" => services.accounts.disable(id).await.unwrap(),
            _ => services.accounts.delete(id).await.unwrap(),
        }
        assert_eq!(browser.get("/").await.url.path(), "/.passgate/login", "{end}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn guests_read_and_members_are_known() {
    let site = Site::open(Settings { access: "default = \"guest\"", ..Settings::default() }).await;
    let mut browser = site.browser();
    browser.get("/").await.assert_status(200).assert_silent_about("alice@");
    assert_eq!(browser.get("/whoami.json").await.json()["member"], serde_json::Value::Null);
    site.sign_in(&mut browser, "/.passgate/login?return_to=/whoami.json").await;
    assert_eq!(browser.get("/whoami.json").await.json()["member"], "alice");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_area_asks_for_a_group_and_a_fresh_sign_in() {
    let access = "default = \"login\"\n[[access.rule]]\npath = \"/whoami.php\"\nrequire = \"login\"\ngroups = [\"admins\"]\n\
                  step_up = \"5m\"";
    let site = Site::open(Settings { access, ..Settings::default() }).await;
    site.gateway.add_member("bobby", PASSWORD, &[]).await;
    let mut alice = site.browser();
    site.sign_in(&mut alice, "/whoami.php").await.assert_status(200);
    site.gateway.clock.advance(Duration::from_secs(301));
    alice.get("/").await.assert_status(200);
    let again = alice.get("/whoami.php").await;
    again.assert_says("confirm");
    let back = alice.submit(&again, "password", &[("password", PASSWORD)]).await;
    assert_eq!(back.assert_status(200).target(), "/whoami.php");
    let mut bobby = site.browser();
    let form = bobby.get("/").await;
    bobby
        .submit(&form, "password", &[("username", "bobby"), ("password", PASSWORD)])
        .await
        .assert_status(200);
    bobby.get("/whoami.php").await.assert_status(403);
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_09_a_set_up_link_sets_one_password_once() {
    let site = Site::open(Settings::default()).await;
    let services = &site.gateway.running.services;
    let carol = site.gateway.add_member("carol", "the old password of carol", &[]).await;
    let token = services.accounts.link(carol.profile.id, LinkKind::SetUp).await.unwrap();
    let path = format!("/.passgate/setup?token={}", *token.to_text());
    let mut browser = site.browser();
    let form = browser.get(&path).await;
    form.assert_status(200).assert_says("carol");
    browser.submit(&form, "password", &[("password", "short")]).await.assert_says("15");
    let done = browser.submit(&form, "password", &[("password", "a much better password")]).await;
    assert_eq!(done.assert_status(200).url.path(), "/.passgate/login");
    let filled = [("username", "carol"), ("password", "a much better password")];
    browser.submit(&done, "password", &filled).await.assert_says("carol");
    let used = site.browser().get(&path).await;
    assert!(used.status.is_client_error(), "{}", used.status);
    let late = services.accounts.link(carol.profile.id, LinkKind::SetUp).await.unwrap();
    site.gateway.clock.advance(Duration::from_secs(24 * 3_600));
    let page = site.browser().get(&format!("/.passgate/setup?token={}", *late.to_text())).await;
    assert!(page.status.is_client_error(), "{}", page.status);
}

#[tokio::test(flavor = "multi_thread")]
async fn l9_a_member_whom_a_link_let_in_passes_but_is_asked_where_step_up_asks() {
    let rule = "[[access.rule]]\npath = \"/whoami.php\"\nstep_up = \"15m\"\n";
    let site = Site::open(Settings { access: rule, ..Settings::default() }).await;
    let carol = site.gateway.add_member("carol", "the old password of carol", &[]).await;
    let accounts = &site.gateway.running.services.accounts;
    let token = accounts.link(carol.profile.id, LinkKind::SignIn).await.unwrap();
    let mut browser = site.browser();
    let page = browser.get(&format!("/.passgate/link?token={}", *token.to_text())).await;
    browser.submit(&page, "token", &[]).await.assert_status(200).assert_says("carol");
    browser.get("/index.php").await.assert_status(200);
    browser.get("/whoami.php").await.assert_says("Please confirm it’s you");
}
