//! A member's programs at the forum: known there as the member is, each with a session of its own, and led to no page.

use http::Method;

use super::{PASSWORD, Site};
use crate::support::browser::{Browser, Page};

const ON: &str = "[app_passwords]\nenabled = true\npaths = [\"/feed/**\", \"/logout\", \"/login\"]";

/// A site whose member alice has made an app password, and that.
async fn site() -> (Site, String) {
    let site = Site::open(ON).await;
    let mut browser = site.browser();
    site.sign_in(&mut browser, "alice").await.assert_says("Hello alice");
    let page = browser.get("/.passgate/account/app-passwords").await;
    let page = browser.submit(&page, "name", &[("name", "Reader")]).await;
    let text = page.assert_status(200).text();
    let at = text.find("pga-").unwrap();
    (site, format!("Bearer {}", &text[at..at + 43]))
}

async fn ask(site: &Site, authorization: &str, path: &str) -> Page {
    let mut client = Browser::new(site.gateway.address, &site.gateway.url());
    client.ask(Method::GET, path, &[("authorization", authorization)], "").await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_forum_knows_a_program_as_its_member_by_a_session_of_its_own() {
    let (site, authorization) = site().await;
    assert_eq!(site.forum.tries(), 1);
    for _ in 0..3 {
        ask(&site, &authorization, "/feed/a").await.assert_status(200).assert_says("Hello alice at /feed/a!");
    }
    assert_eq!(site.forum.tries(), 2, "one sign-in for all its requests");
    let page = ask(&site, &authorization, "/feed/a").await;
    assert!(!page.header("set-cookie").contains("fsid"), "nothing of it goes out");
    ask(&site, "", "/feed/a").await.assert_silent_about("Hello alice");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_its_member_would_have_to_do_something_a_program_is_a_guest_and_led_nowhere() {
    let (site, authorization) = site().await;
    site.forum.state().passwords.insert("alice".to_owned(), format!("{PASSWORD}, changed"));
    let page = ask(&site, &authorization, "/feed/a").await;
    page.assert_status(200).assert_says("Hello guest").assert_silent_about("/.passgate/");
}
