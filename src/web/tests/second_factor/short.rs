//! Passwords that may be shorter because an app's code is always asked beside them.

use super::*;
use crate::auth::second_factors::Availability;
use crate::web::tests::mailed_code::options_with;

const CHANGE: &str = "/.passgate/account/password";
const SETUP: &str = "/.passgate/setup";
const SHORT: &str = "k7#Vw9!zQ";
const LONG: &str = "wren magnet orchard ladle";

impl Site {
    /// Whether a second factor is asked of alice's group, and so of her.
    fn require(&self, groups: &[&str]) {
        self.second_factors.set_options(options_with(Availability::Off, groups));
    }

    async fn link_of(&self, name: &str) -> String {
        let user = self.accounts.find(&UserName::parse(name).unwrap()).unwrap().unwrap();
        self.accounts.link(user.profile.id, LinkKind::SetUp).await.unwrap().to_text().to_string()
    }

    /// Tries to set a password by a link, which says how many characters it wants.
    async fn set(&self, name: &str, password: &str, least: usize) -> StatusCode {
        let token = self.link_of(name).await;
        let page = self.browser().get(&format!("{SETUP}?token={token}")).await;
        assert!(page.text().contains(&format!("At least {least} characters")), "{}", page.text());
        self.browser().post(SETUP, &[("token", &token), ("password", password)]).await.status()
    }

    /// Signs in with password and code, and gives where that leads.
    async fn lands(&self, password: &str, enrolled: &Enrolled) -> (Browser<'_>, String) {
        let mut browser = self.browser();
        let asked = browser.sign_in("alice", password).await;
        assert!(asked.location().starts_with(CODE), "{}", asked.location());
        let code = enrolled.code(self);
        let done = browser.enter(&code, &[("return_to", "/viewtopic.php?t=1")]).await;
        let next = done.location().to_owned();
        (browser, next)
    }
}

#[tokio::test]
async fn auth_01_fewer_characters_do_only_where_an_apps_code_is_asked_in_any_case() {
    let site = Site::with_alice().await;
    site.add("bob").await;
    assert_eq!(site.set("alice", SHORT, 15).await, StatusCode::UNPROCESSABLE_ENTITY);
    site.signed_in("alice").await.turn_two_step_on().await;
    assert_eq!(site.set("alice", SHORT, 15).await, StatusCode::UNPROCESSABLE_ENTITY, "she can turn it off");
    site.require(&["Tea & cake"]);
    assert_eq!(site.set("bob", SHORT, 15).await, StatusCode::UNPROCESSABLE_ENTITY, "he has none yet");
    assert_eq!(site.set("alice", "k7#Vw9!", 8).await, StatusCode::UNPROCESSABLE_ENTITY, "seven");
    assert_eq!(site.set("alice", "iloveyou", 8).await, StatusCode::UNPROCESSABLE_ENTITY, "AUTH-04 holds");
    assert_eq!(site.set("alice", SHORT, 8).await, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn auth_01_when_nothing_more_is_asked_a_longer_password_is_and_nothing_is_lost() {
    let site = Site::with_alice().await;
    let enrolled = site.signed_in("alice").await.turn_two_step_on().await;
    site.require(&["Tea & cake"]);
    assert_eq!(site.set("alice", SHORT, 8).await, StatusCode::SEE_OTHER);
    assert_eq!(site.lands(SHORT, &enrolled).await.1, "/viewtopic.php?t=1");

    site.require(&[]);
    let (mut browser, next) = site.lands(SHORT, &enrolled).await;
    assert_eq!(next, format!("{CHANGE}?return_to=%2Fviewtopic.php%3Ft%3D1"));
    let page = browser.get(&next).await;
    for part in ["So it should be longer", "At least 15 characters", "Not now"] {
        assert!(page.text().contains(part), "{part} in {}", page.text());
    }
    assert!(page.text().contains("href=\"&#x2f;viewtopic.php?t=1\""), "{}", page.text());
    let (csrf, return_to) = (page.field("csrf"), page.field("return_to"));
    let fields = |new| [("csrf", &*csrf), ("return_to", &*return_to), ("current", SHORT), ("password", new)];
    let weak = browser.post(CHANGE, &fields("another short")).await;
    assert_eq!(weak.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let done = browser.post(CHANGE, &fields(LONG)).await;
    assert_eq!(done.location(), "/viewtopic.php?t=1", "on to where they were going");
    assert_eq!(site.lands(LONG, &enrolled).await.1, "/viewtopic.php?t=1", "asked once");
}

#[tokio::test]
async fn auth_01_an_operator_who_takes_the_second_factor_away_has_a_longer_password_asked_for() {
    let site = Site::with_alice().await;
    site.signed_in("alice").await.turn_two_step_on().await;
    site.require(&["Tea & cake"]);
    assert_eq!(site.set("alice", SHORT, 8).await, StatusCode::SEE_OTHER);
    let alice = site.accounts.find(&UserName::parse("alice").unwrap()).unwrap().unwrap();
    site.second_factors.remove(alice.profile.id).await.unwrap();
    let mut browser = site.browser();
    let first = browser.sign_in("alice", SHORT).await.location().to_owned();
    assert!(first.ends_with("again=second-factor"), "what the site requires comes first: {first}");
    site.require(&[]);
    let mut browser = site.browser();
    assert_eq!(browser.sign_in("alice", SHORT).await.location(), format!("{CHANGE}?return_to=%2F"));
    assert_eq!(browser.get("/.passgate/account").await.status(), StatusCode::OK, "and all else works");
}
