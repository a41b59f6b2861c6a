//! `forum.passwords = "generated"`: the forum has a password that nobody knows, and its member can have one of their own again.

use std::time::Duration;

use http::Method;

use super::*;

const CHOSEN: &str = "chosen by alice";
const PAGE: &str = "/.passgate/account/forum/password";

impl Site {
    async fn generating() -> Self {
        Self::open("passwords = \"generated\"").await
    }

    fn password(&self, name: &str) -> String {
        self.forum.state().passwords[name].clone()
    }

    /// A browser in which alice is signed in, and the forum has a password of the gateway's.
    async fn with_alice(&self) -> Browser {
        let mut browser = self.browser();
        self.sign_in(&mut browser, "alice").await.assert_status(200).assert_says("Hello alice at /a!");
        browser
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn o4_after_the_first_sign_in_nobody_knows_the_forums_password_and_no_page_tells_it() {
    let site = Site::generating().await;
    let mut browser = site.with_alice().await;
    let made = site.password("alice");
    assert!(made != PASSWORD && made.len() == 32, "{made}");
    assert_eq!(site.forum.tries(), 2, "with the old one, and with the new one to make sure");
    let mut elsewhere = site.browser();
    site.sign_in(&mut elsewhere, "alice").await.assert_says("Hello alice");
    assert_eq!((site.password("alice"), site.forum.tries()), (made.clone(), 3));
    for path in ["/.passgate/account", PAGE, "/.passgate/account/forum"] {
        let page = browser.get(path).await;
        page.assert_status(200).assert_says("nobody knows").assert_silent_about(&made);
    }
    let heads = site.forum.heads();
    let targets: Vec<_> = heads.iter().map(|head| head.start_line()).collect();
    assert!(targets.iter().any(|target| *target == "GET /password?of=7 HTTP/1.1"), "{targets:#?}");
    assert!(!targets.iter().any(|target| target.contains(&made)), "{targets:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_forums_own_page_leads_to_ours_however_it_is_spelled_unless_the_member_knows_the_password() {
    let site = Site::generating().await;
    let mut browser = site.with_alice().await;
    for spelled in [
        "/password",
        "/./password",
        "/%70assword?x",
        "/password/x?y",
        "/settings?action=password",
        "/settings?x=1;%61ction=password",
        "/settings/z?action=x&action=password",
    ] {
        for method in [Method::GET, Method::POST] {
            let headers =
                [("accept", "text/html"), ("sec-fetch-dest", "document"), ("sec-fetch-mode", "navigate")];
            let answer = browser.ask(method.clone(), spelled, &headers, "").await;
            assert_eq!(
                (answer.status.as_u16(), &*answer.header("location")),
                (303, PAGE),
                "{method} {spelled}"
            );
        }
        assert_eq!(browser.xhr(spelled).await.status, 403, "{spelled}");
    }
    browser.get("/settings?action=colours").await.assert_says("Hello alice at /settings!");

    let page = browser.get(PAGE).await;
    let done = browser.submit(&page, "password", &[("password", CHOSEN)]).await;
    done.assert_status(200).assert_says("The forum has your new password").assert_silent_about(CHOSEN);
    browser.get("/password").await.assert_status(200).assert_says("name=old");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_can_choose_a_password_and_it_stays_theirs() {
    let site = Site::generating().await;
    let mut browser = site.with_alice().await;
    let account = browser.get("/.passgate/account").await;
    let page = browser.click(&account, PAGE).await;
    page.assert_says("nobody knows it");
    for (typed, said) in [("wenig", "a little short"), (" with a blank before", "spaces at its beginning")] {
        let again = browser.submit(&page, "password", &[("password", typed)]).await;
        again.assert_status(422).assert_says(said).assert_silent_about(typed);
    }
    let tries = site.forum.tries();
    site.forum.state().keeps_passwords = true;
    let refused = browser.submit(&page, "password", &[("password", CHOSEN)]).await;
    refused.assert_status(422).assert_says("did not take that password").assert_silent_about(CHOSEN);
    assert_eq!(site.forum.tries(), tries + 1, "nobody tries what the forum did not take");

    site.forum.state().keeps_passwords = false;
    let done = browser.submit(&refused, "password", &[("password", CHOSEN)]).await;
    done.assert_status(200).assert_says("You sign in here as before");
    assert_eq!(site.password("alice"), CHOSEN);
    browser.get("/b").await.assert_says("Hello alice at /b!");
    let mut elsewhere = site.browser();
    site.sign_in(&mut elsewhere, "alice").await.assert_says("Hello alice");
    assert_eq!(site.password("alice"), CHOSEN, "it is not replaced");
    browser
        .get("/.passgate/account")
        .await
        .assert_says("Change your forum password")
        .assert_says("Disconnect");
}

#[tokio::test(flavor = "multi_thread")]
async fn bp_63_choosing_one_takes_a_fresh_proof_and_a_form_of_ours() {
    let site = Site::generating().await;
    let mut browser = site.with_alice().await;
    let made = site.password("alice");
    let page = browser.get(PAGE).await;
    let forged = browser.post_form(PAGE, &[("csrf", "x"), ("password", CHOSEN)]).await;
    assert_eq!(forged.status, 403);
    site.gateway.clock.advance(Duration::from_secs(301));
    let late = browser.submit(&page, "password", &[("password", CHOSEN)]).await;
    assert_eq!(late.url.path(), "/.passgate/login");
    assert_eq!(browser.get(PAGE).await.url.path(), "/.passgate/login");
    assert_eq!(site.password("alice"), made);
    let proven = browser.submit(&late, "password", &[("password", PASSWORD)]).await;
    assert_eq!(proven.url.path(), PAGE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_nobody_knows_is_not_given_up_by_mistake() {
    let site = Site::generating().await;
    let mut browser = site.with_alice().await;
    let made = site.password("alice");
    let led = post_from_account(&mut browser, "forum/disconnect").await;
    assert_eq!(led.url.path(), PAGE);
    let link = browser.get("/.passgate/account/forum").await;
    let wrong = browser.submit(&link, "password", &[("password", PASSWORD)]).await;
    wrong.assert_status(422).assert_says("another password for");
    browser.get("/b").await.assert_says("Hello alice at /b!");
    assert_eq!(site.password("alice"), made);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_runs_the_forum_keeps_their_password_there() {
    let site = Site::generating().await;
    site.gateway.add_member("admin", PASSWORD, &["admins"]).await;
    site.forum.state().passwords.insert("admin".to_owned(), PASSWORD.to_owned());
    let mut browser = site.browser();
    site.sign_in(&mut browser, "admin").await.assert_says("Hello admin");
    assert_eq!(site.password("admin"), PASSWORD);
    browser.get("/password").await.assert_says("name=old");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_members_keep_theirs_nothing_is_changed_and_there_is_nothing_to_choose() {
    let site = Site::open("").await;
    let mut browser = site.with_alice().await;
    assert_eq!(site.password("alice"), PASSWORD);
    let account = browser.get("/.passgate/account").await;
    account.assert_says("Disconnect").assert_silent_about("forum/password");
    browser.get("/password").await.assert_says("name=old");
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_new_gets_one_with_the_first_page() {
    let site = Site::open("passwords = \"generated\"\nfirst_sign_in = \"create\"").await;
    site.forum.state().passwords.insert("Bob".to_owned(), PASSWORD.to_owned());
    let mut browser = site.browser();
    site.sign_in(&mut browser, "Bob").await.assert_status(200).assert_says("Hello Bob at /a!");
    assert_ne!(site.password("Bob"), PASSWORD);
}
