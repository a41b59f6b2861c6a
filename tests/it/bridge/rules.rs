//! A bridge for each rule: how the application learns who is there differs from path to path.

use std::time::Duration;

use http::Method;

use super::Site;
use crate::support::browser::Browser;

const RULES: &str = r#"
default = "guest"
[[access.rule]]
path = "/api/**"
bridge = "headers"
[[access.rule]]
path = "/static/**"
require = "guest"
bridge = "none"
[[access.rule]]
path = "/members/**"
bridge = "none"
[[access.rule]]
path = "/named/**"
require = "guest"
bridge = "basic"
[[access.rule]]
path = "/feed"
require = "guest"
authorization = "forward"
"#;

/// By what the forum was told of the member in the last request for `path`.
fn told(site: &Site, path: &str) -> Vec<&'static str> {
    let head = site.forum.last(path);
    let cookies = head.values("cookie").join("; ");
    let said = [
        ("headers", head.value("remote-user").as_deref() == Some("alice")),
        ("basic", head.value("authorization").as_deref() == Some("Basic YWxpY2U6eA==")),
        ("form", cookies.contains("fsid=s")),
    ];
    said.into_iter().filter_map(|(word, is_so)| is_so.then_some(word)).collect()
}

async fn ask(browser: &mut Browser, path: &str) {
    browser.get(path).await.assert_status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_rule_says_by_what_members_become_known() {
    let site = Site::with(RULES, "").await;
    let mut browser = site.browser();
    site.sign_in(&mut browser, "alice").await.assert_says("Hello alice at /a!");
    for (path, expected) in [
        ("/b", &["headers", "form"][..]),
        ("/api/x", &["headers"]),
        ("/static/x", &[]),
        ("/members/x", &[]),
        ("/named/x", &["headers", "basic"]),
    ] {
        ask(&mut browser, path).await;
        assert_eq!(told(&site, path), expected, "{path}");
    }
    assert_eq!(site.forum.tries(), 1);

    let mut visitor = site.browser();
    ask(&mut visitor, "/static/x").await;
    for path in ["/api/y", "/members/y"] {
        assert_eq!(visitor.get(path).await.url.path(), "/.passgate/login", "{path}: for members alone");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_08_where_one_rule_names_by_basic_nobody_can_name_themselves_on_any_other() {
    let site = Site::with(RULES, "").await;
    let mut browser = site.browser();
    let claim = [("authorization", "Basic YWRtaW46eA==")];
    for who in ["", "alice"] {
        if !who.is_empty() {
            site.sign_in(&mut browser, who).await;
        }
        for path in ["/feed", "/b", "/named/x", "/static/x"] {
            browser.ask(Method::GET, path, &claim, "").await;
            let said = site.forum.last(path).value("authorization");
            assert_ne!(said.as_deref(), Some(claim[0].1), "{path} of {who:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_that_names_nobody_can_have_a_part_that_does() {
    let rule =
        "default = \"guest\"\n[[access.rule]]\npath = \"/forum/**\"\nrequire = \"guest\"\nbridge = \"form\"";
    let site = Site::with(rule, "bridge = \"none\"").await;
    let mut browser = site.browser();
    site.sign_in(&mut browser, "alice").await.assert_says("Hello guest");
    assert_eq!(told(&site, "/a"), [""; 0]);
    browser.get("/forum/x").await.assert_says("Hello alice at /forum/x!");
    assert_eq!(told(&site, "/forum/x"), ["headers", "form"]);
    browser.get("/.passgate/account").await.assert_says("Connected to");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_forums_administration_asks_for_a_fresh_sign_in_only_where_it_takes_a_bare_name() {
    let rule = "[[access.rule]]\npath = \"/adm/form/**\"\nbridge = \"form\"";
    let site = Site::with(rule, "bridge = \"basic\"").await;
    let mut browser = site.browser();
    site.sign_in(&mut browser, "alice").await;
    site.gateway.clock.advance(Duration::from_secs(16 * 60));
    browser.get("/adm/form/x").await.assert_says("Hello alice at /adm/form/x!");
    assert_eq!(browser.get("/adm/x").await.url.path(), "/.passgate/login");
}
