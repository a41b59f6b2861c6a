//! `forum.cookies = "browser"`: the forum's cookies in members' browsers, and what they are worth there.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::Site;
use crate::support::browser::{Browser, Page};

const PUBLIC_PART: &str = "default = \"guest\"\n[[access.rule]]\npath = \"/open/**\"\nrequire = \"public\"";

async fn site() -> Site {
    Site::with(PUBLIC_PART, "cookies = \"browser\"").await
}

/// The forum's cookie in this browser.
fn fsid(browser: &Browser) -> Option<String> {
    browser.jar.find("fsid").map(|cookie| cookie.value.clone())
}

/// Whose the forum's cookie in this browser is.
fn whose(site: &Site, browser: &Browser) -> Option<String> {
    fsid(browser).and_then(|value| site.forum.state().sessions.get(&value).cloned())
}

async fn sign_out(browser: &mut Browser) -> Page {
    let account = browser.get("/.passgate/account").await;
    browser.submit(&account, "csrf", &[]).await
}

/// Whether the last request for `path` took any cookie of the forum's along.
fn took_along(site: &Site, path: &str) -> bool {
    site.forum.last(path).values("cookie").join("; ").contains("fsid")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_members_browser_gets_the_forums_cookie_and_is_known_there_when_passgate_is_gone() {
    let site = site().await;
    let mut browser = site.browser();
    site.sign_in(&mut browser, "alice").await.assert_says("Hello alice at /a!");
    assert_eq!(whose(&site, &browser).as_deref(), Some("alice"));
    assert!(browser.jar.find("fsid").unwrap().is_http_only, "as the forum wrote it");
    let again = browser.get("/b").await;
    again.assert_says("Hello alice at /b!");
    assert!(!again.header("set-cookie").contains("fsid"), "it has it already");

    browser.get("/renew").await.assert_says("Hello alice");
    assert_eq!(whose(&site, &browser).as_deref(), Some("alice"), "the new one");
    browser.get("/b").await.assert_says("Hello alice at /b!");
    assert_eq!(site.forum.tries(), 1);

    let mut past_passgate = Browser::at(site.forum.address());
    past_passgate.jar.put("fsid", &fsid(&browser).unwrap());
    past_passgate.get("/b").await.assert_says("Hello alice at /b!");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ends_at_the_forum_is_made_again_and_the_browser_gets_the_new_cookie() {
    let site = site().await;
    let mut browser = site.browser();
    site.sign_in(&mut browser, "alice").await.assert_says("Hello alice");
    let first = fsid(&browser);
    site.gateway.clock.advance(Duration::from_secs(600));
    site.forum.state().sessions.clear();
    browser.get("/private").await.assert_status(200).assert_says("Hello alice");
    assert_eq!(whose(&site, &browser).as_deref(), Some("alice"));
    assert!(fsid(&browser) != first && site.forum.tries() == 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn o1_a_cookie_that_was_not_handed_to_this_session_does_not_reach_the_forum_and_is_replaced() {
    let site = site().await;
    site.forum.state().sessions.insert("planted".to_owned(), "mallory".to_owned());
    let mut browser = site.browser();
    site.sign_in(&mut browser, "alice").await;
    browser.jar.put("fsid", "planted");
    let script = browser.xhr("/x").await;
    script.assert_says("Hello alice at /x!");
    assert!(!script.header("set-cookie").contains("fsid"), "pages alone put a browser right");
    browser.get("/b").await.assert_says("Hello alice at /b!");
    assert_eq!(whose(&site, &browser).as_deref(), Some("alice"));
    let said: String = site.forum.heads().iter().map(|head| head.text()).collect();
    assert!(!said.contains("planted"));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_members_in_one_browser_are_never_mixed_up_though_the_first_did_not_sign_out() {
    let site = site().await;
    site.add("bobby").await;
    let mut browser = site.browser();
    site.sign_in(&mut browser, "alice").await.assert_says("Hello alice");
    site.gateway.clock.advance(Duration::from_secs(2 * 3600));
    site.sign_in(&mut browser, "bobby").await.assert_says("Hello bobby at /a!").assert_silent_about("alice");
    assert_eq!(whose(&site, &browser).as_deref(), Some("bobby"));
    browser.get("/b").await.assert_says("Hello bobby at /b!");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_of_a_session_that_has_ended_makes_nobody_a_member_and_goes_with_the_next_page() {
    let site = site().await;
    let mut browser = site.browser();
    site.sign_in(&mut browser, "alice").await.assert_says("Hello alice");
    let copied = fsid(&browser).unwrap();
    site.gateway.clock.advance(Duration::from_secs(2 * 3600));
    browser.get("/b").await.assert_says("Hello guest");
    assert!(!took_along(&site, "/b") && fsid(&browser).is_none());

    for spelled in ["fsid", "fsi%64"] {
        let mut elsewhere = site.browser();
        elsewhere.jar.put(spelled, &copied);
        elsewhere.get("/b").await.assert_says("Hello guest");
        assert!(!site.forum.last("/b").text().contains(&copied), "{spelled}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_at_the_forum_takes_the_cookie_out_of_the_browser() {
    let site = site().await;
    let mut browser = site.browser();
    site.sign_in(&mut browser, "alice").await.assert_says("Hello alice");
    let out = browser.ask(http::Method::GET, "/logout?t=alice", &[], "").await;
    assert_eq!(out.status, 302);
    assert!(fsid(&browser).is_none() && browser.jar.find("passgate").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_here_takes_the_cookie_out_of_the_browser_and_a_copy_of_it_counts_for_nothing() {
    let site = site().await;
    let mut browser = site.browser();
    site.sign_in(&mut browser, "alice").await.assert_says("Hello alice");
    let copied = fsid(&browser).unwrap();
    sign_out(&mut browser).await.assert_says("signed out");
    assert!(fsid(&browser).is_none());
    site.forum.left(1).await;
    site.forum.state().sessions.insert(copied.clone(), "alice".to_owned());
    browser.jar.put("fsid", &copied);
    browser.get("/b").await.assert_says("Hello guest");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_after_signing_out_brings_no_cookie() {
    let site = site().await;
    let mut browser = site.browser();
    site.sign_in(&mut browser, "alice").await.assert_says("Hello alice");
    let mut tab = site.browser();
    tab.jar = browser.jar.clone();
    let hold = Arc::new(Notify::new());
    site.forum.state().hold = Some(Arc::clone(&hold));
    let late = tokio::spawn(async move { tab.xhr("/renew").await });
    site.forum.hears("/renew").await;
    sign_out(&mut browser).await.assert_says("signed out");
    hold.notify_one();
    let late = late.await.unwrap();
    late.assert_says("Hello alice");
    assert!(!late.header("set-cookie").contains("fsid"), "{}", late.header("set-cookie"));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_is_named_the_cookie_names_nobody() {
    let site = site().await;
    let mut browser = site.browser();
    site.sign_in(&mut browser, "alice").await.assert_says("Hello alice");
    browser.get("/open/x").await.assert_says("Hello guest");
    assert!(!took_along(&site, "/open/x"));
    browser.get("/b").await.assert_says("Hello alice at /b!");
    assert_eq!(whose(&site, &browser).as_deref(), Some("alice"));
    assert_eq!(site.forum.tries(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn visitors_keep_the_sessions_that_the_forum_gives_to_visitors() {
    let site = site().await;
    let mut browser = site.browser();
    browser.get("/visit").await.assert_says("Hello guest!");
    let guest = fsid(&browser).unwrap();
    browser.get("/b").await.assert_says("Hello guest!");
    assert!(site.forum.last("/b").text().contains(&guest));
    assert_eq!(fsid(&browser), Some(guest));
    site.sign_in(&mut browser, "alice").await.assert_says("Hello alice");
    assert_eq!(whose(&site, &browser).as_deref(), Some("alice"));
}
