//! First sign-ins: the forum knows somebody and nobody here does.

use std::time::Duration;

use passgate::domain::{User, UserName, UserState};

use super::*;
use crate::support::passkey::Device;

/// Shorter than passwords that are chosen here.
const AT_FORUM: &str = "short one";
const QUARTER: Duration = Duration::from_secs(15 * 60);

impl Site {
    /// A site that takes in whom the forum knows; there is Bob.
    async fn for_newcomers() -> Self {
        let site = Self::open("first_sign_in = \"create\"").await;
        site.forum.state().passwords.insert("Bob".to_owned(), AT_FORUM.to_owned());
        site
    }

    fn account(&self, name: &str) -> Option<User> {
        self.gateway.running.services.accounts.find(&UserName::parse(name).unwrap()).unwrap()
    }

    async fn try_with(&self, browser: &mut Browser, name: &str, password: &str) -> Page {
        let page = browser.get("/.passgate/login?return_to=%2Fa").await;
        browser.submit(&page, "password", &[("username", name), ("password", password)]).await
    }

    /// The answer to this name and password, without what is the browser's own and the name.
    async fn refusal(&self, name: &str, password: &str) -> (Vec<(String, String)>, String) {
        let mut browser = self.browser();
        let page = self.try_with(&mut browser, name, password).await;
        page.assert_status(422).assert_says("is not right");
        let csrf = page.form("csrf").value("csrf").to_owned();
        let fields =
            page.headers.iter().filter(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()));
        let fields = fields.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()));
        let text = page.text().replace(&csrf, "?").replace(&format!("value=\"{name}\""), "value=\"?\"");
        (fields.filter(|(name, _)| name != "content-length").collect(), text)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_a_member_of_the_forum_gets_an_account_is_at_home_there_and_comes_back_with_a_passkey() {
    let site = Site::for_newcomers().await;
    let mut browser = site.browser();
    site.try_with(&mut browser, " bob", AT_FORUM).await.assert_status(200).assert_says("Hello Bob at /a!");
    assert_eq!(site.forum.tries(), 1, "one sign-in at the forum, and its session is used");
    browser.get("/b").await.assert_says("Hello Bob at /b!");
    assert_nothing_of_the_forum_in(&browser);

    let bob = site.account("bob").unwrap();
    assert_eq!(bob.profile.name.as_str(), "Bob", "as the forum spells it");
    assert!(bob.profile.groups.is_empty() && bob.state == UserState::Active && bob.imported.is_none());
    assert!(bob.password.unwrap().starts_with("$argon2id$"));

    let mut elsewhere = site.browser();
    site.try_with(&mut elsewhere, "BOB", AT_FORUM).await.assert_says("Hello Bob at /a!");
    let mut device = Device::new(&site.gateway.url());
    elsewhere.enrol(&mut device).await;

    site.gateway.clock.advance(Duration::from_secs(24 * 3600));
    let mut next_day = site.browser();
    next_day.sign_in_with(&mut device).await.assert_status(200);
    next_day.get("/b").await.assert_status(200).assert_says("Hello Bob at /b!");
    assert_eq!(site.forum.tries(), 3, "by the password that was kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn thr_13_whatever_the_forum_says_but_yes_the_answer_is_that_to_a_wrong_password() {
    let site = Site::for_newcomers().await;
    let known = site.refusal("alice", "wrong").await;
    assert_eq!(site.forum.tries(), 0, "who is known here is not asked about");
    assert_eq!(site.refusal("bob", "wrong").await, known);
    assert_eq!(site.refusal("nobody", AT_FORUM).await, known);
    assert_eq!(site.forum.tries(), 2);
    site.forum.state().is_away = true;
    assert_eq!(site.refusal("bob", AT_FORUM).await, known);
    site.forum.state().is_away = false;
    site.gateway.clock.advance(Duration::from_secs(10));
    site.forum.state().is_throttled = true;
    assert_eq!(site.refusal("bob", AT_FORUM).await, known);
    site.forum.state().is_throttled = false;
    let heard = site.forum.heads().len();
    site.gateway.clock.advance(Duration::from_secs(299));
    assert_eq!(site.refusal("bob", AT_FORUM).await, known, "it has asked for five minutes");
    assert_eq!(site.forum.heads().len(), heard, "and is left alone");
    assert!(site.account("bob").is_none() && site.account("nobody").is_none());

    site.gateway.clock.advance(Duration::from_secs(1));
    let mut browser = site.browser();
    site.try_with(&mut browser, "bob", AT_FORUM).await.assert_says("Hello Bob");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_guesses_at_the_forum_through_us() {
    let site = Site::for_newcomers().await;
    for password in ["one", "two", "three", AT_FORUM] {
        site.refusal("bob", password).await;
    }
    assert_eq!(site.forum.tries(), 2, "not even with the right one");
    site.gateway.clock.advance(QUARTER);
    for n in 0..10 {
        site.refusal(&format!("somebody {n}"), "one").await;
    }
    assert_eq!(site.forum.tries(), 2 + 6, "nor by one password for many names");
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_15_whom_an_operator_keeps_out_does_not_come_in_by_the_forum() {
    let site = Site::for_newcomers().await;
    let accounts = &site.gateway.running.services.accounts;
    for name in ["Rene", "gone"] {
        site.add(name).await;
    }
    accounts.disable(site.account("rene").unwrap().profile.id).await.unwrap();
    accounts.delete(site.account("gone").unwrap().profile.id).await.unwrap();
    for name in ["rene", "gone", "GONE"] {
        site.refusal(name, PASSWORD).await;
    }
    assert_eq!(site.forum.tries(), 0);
    site.refusal("René", PASSWORD).await;
    assert_eq!(site.forum.tries(), 1, "one name for the forum, two for us");
    site.forum.left(1).await;
    assert!(site.account("René").is_none() && site.account("gone").is_none());
    site.gateway.add_member("gone", PASSWORD, &[]).await;
    let mut browser = site.browser();
    site.try_with(&mut browser, "gone", PASSWORD).await.assert_says("Hello gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_15_an_account_goes_by_a_name_and_two_at_once_make_one() {
    let site = Site::for_newcomers().await;
    site.forum.state().passwords.insert("carol@forum.example".to_owned(), AT_FORUM.to_owned());
    for name in ["carol@forum.example", "carol＠forum.example", "\u{202e}lorac"] {
        site.refusal(name, AT_FORUM).await;
    }
    assert_eq!(site.forum.tries(), 0);
    let (mut one, mut other) = (site.browser(), site.browser());
    let pages =
        tokio::join!(site.try_with(&mut one, "bob", AT_FORUM), site.try_with(&mut other, "Bob", AT_FORUM));
    for page in [pages.0, pages.1] {
        page.assert_status(200).assert_says("Hello Bob at /a!");
    }
    assert_eq!(site.gateway.running.services.accounts.all().unwrap().len(), 2, "alice and Bob");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_forum_is_not_asked_unless_the_operator_wants_it() {
    let site = Site::open("").await;
    site.forum.state().passwords.insert("Bob".to_owned(), AT_FORUM.to_owned());
    let (_, text) = site.refusal("bob", AT_FORUM).await;
    assert!(!text.contains("first time") && site.forum.tries() == 0);
    let site = Site::for_newcomers().await;
    let page = site.browser().get("/.passgate/login").await;
    page.assert_says("The name and the password you have at the forum will do");
}
