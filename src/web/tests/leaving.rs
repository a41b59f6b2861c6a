use serde_json::json;

use super::passkeys::{device, everyone};
use super::*;
use crate::auth::SelfDelete;
use crate::domain::UserState;

const LEAVE: &str = "/.passgate/account/leave";
const LOGIN: &str = "/.passgate/login";

impl Site {
    fn deleting(self, self_delete: SelfDelete) -> Self {
        let web = Web::new(WebParts { self_delete, ..self.web.parts }).unwrap();
        Self { web, ..self }
    }

    fn state(&self) -> Option<UserState> {
        self.store.user_by_name("alice").unwrap().map(|user| user.state)
    }
}

impl Browser<'_> {
    async fn leave(&mut self, fields: &[(&str, &str)]) -> Answer {
        let csrf = self.get(LEAVE).await.field("csrf");
        self.post(LEAVE, &[&[("csrf", &*csrf)], fields].concat()).await
    }
}

#[tokio::test]
async fn sib_15_a_member_switches_the_account_off_and_comes_back() {
    let site = Site::with_alice().await;
    let other = site.signed_in("alice").await;
    let mut browser = site.signed_in("alice").await;
    let token = browser.session().unwrap().clone();
    let answer = browser.leave(&[]).await;
    assert_eq!(answer.location(), "/.passgate/login?notice=deactivated");
    assert_eq!(site.state(), Some(UserState::Deactivated));
    assert!(!site.live(other.session().unwrap()) && !site.live(&token), "S6");
    assert!(browser.get(answer.location()).await.text().contains("Your account is switched off"));

    let wrong = browser.sign_in("alice", "wrong").await;
    assert!(wrong.text().contains("is not right") && !wrong.text().contains("switched"), "L5");
    let asked = browser.sign_in("alice", PASSWORD).await;
    assert_eq!((asked.status(), browser.session()), (StatusCode::UNPROCESSABLE_ENTITY, None));
    assert!(asked.text().contains("Do you want to come back?"), "{}", asked.text());
    assert_eq!(site.state(), Some(UserState::Deactivated), "asked, and not done");
    let (csrf, back) = (asked.field("csrf"), asked.field("come_back"));
    let fields = [("csrf", &*csrf), ("come_back", &*back), ("username", "alice")];
    browser.post(LOGIN, &[&fields[..], &[("password", "wrong")]].concat()).await;
    assert_eq!(site.state(), Some(UserState::Deactivated), "who has not the password brings nobody back");
    let answer = browser.post(LOGIN, &[&fields[..], &[("password", PASSWORD)]].concat()).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{}", answer.text());
    assert_eq!(site.state(), Some(UserState::Active));
    assert!(browser.get("/.passgate/account/security").await.text().contains("You came back"));
}

#[tokio::test]
async fn sib_15_whom_an_operator_disabled_does_not_come_back() {
    let site = Site::with_alice().await;
    let alice = site.store.user_by_name("alice").unwrap().unwrap().profile.id;
    site.accounts.disable(alice).await.unwrap();
    let mut browser = site.browser();
    let csrf = browser.get(LOGIN).await.field("csrf");
    let fields = [("csrf", &*csrf), ("come_back", "1"), ("username", "alice"), ("password", PASSWORD)];
    let answer = browser.post(LOGIN, &fields).await;
    assert!(answer.text().contains("is not right") && !answer.text().contains("come back?"));
    site.accounts.come_back(alice).await.unwrap();
    assert_eq!(site.state(), Some(UserState::Disabled), "not even if somebody forgets to ask");
}

#[tokio::test]
async fn sib_15_a_passkey_brings_its_member_back_who_is_asked_first() {
    let site = Site::with_passkeys(everyone()).await;
    let mut device = device();
    let mut browser = site.signed_in("alice").await;
    browser.enrol(&mut device).await;
    browser.leave(&[]).await;
    let answer = site.browser().sign_in_with(&mut device, json!({})).await;
    assert_eq!(answer.refusal(), (403, "account_switched_off".to_owned()));
    assert_eq!(site.state(), Some(UserState::Deactivated));
    let page = site.browser().get("/.passgate/login?come_back=1").await;
    assert_eq!(page.field("come_back"), "1");
    let back = site.browser().sign_in_with(&mut device, json!({ "come_back": true })).await;
    assert_eq!((back.status(), site.state()), (StatusCode::OK, Some(UserState::Active)));

    let alice = site.store.user_by_name("alice").unwrap().unwrap().profile.id;
    site.accounts.disable(alice).await.unwrap();
    let refused = site.browser().sign_in_with(&mut device, json!({ "come_back": true })).await;
    assert_eq!(refused.refusal(), (403, "account_disabled".to_owned()));
    assert_eq!(site.state(), Some(UserState::Disabled));
}

#[tokio::test]
async fn sib_15_who_asks_to_be_deleted_is_marked_and_may_change_their_mind() {
    let site = Site::with_alice().await;
    let mut browser = site.signed_in("alice").await;
    let page = browser.get("/.passgate/account/leave?for=good").await;
    assert!(page.text().contains("What stays:") && page.text().contains("told to delete it"));
    let answer = browser.leave(&[("for", "good")]).await;
    assert_eq!(answer.location(), "/.passgate/login?notice=deletion-asked");
    assert_eq!(site.state(), Some(UserState::Leaving));
    let csrf = browser.get("/.passgate/login?come_back=1").await.field("csrf");
    let fields = [("csrf", &*csrf), ("come_back", "1"), ("username", "alice"), ("password", PASSWORD)];
    browser.post(LOGIN, &fields).await;
    assert_eq!(site.state(), Some(UserState::Active));
}

#[tokio::test]
async fn bp_63_leaving_takes_a_fresh_sign_in_and_our_own_form() {
    let site = Site::with_alice().await;
    let mut browser = site.signed_in("alice").await;
    let csrf = browser.get(LEAVE).await.field("csrf");
    assert_eq!(browser.post(LEAVE, &[("csrf", "x")]).await.status(), StatusCode::FORBIDDEN);
    site.clock.advance(Duration::from_secs(301));
    let answer = browser.post(LEAVE, &[("csrf", &csrf), ("for", "good")]).await;
    assert!(answer.location().ends_with("leave%3Ffor%3Dgood&again=1"), "{}", answer.location());
    assert_eq!(browser.get(LEAVE).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(site.state(), Some(UserState::Active));
}

#[tokio::test]
async fn sib_15_where_members_delete_their_accounts_the_page_says_so_and_it_is_gone_at_once() {
    let site = Site::with_alice().await.deleting(SelfDelete::Now);
    let mut browser = site.signed_in("alice").await;
    let token = browser.session().unwrap().clone();
    assert!(browser.get("/.passgate/account/data").await.text().contains("Delete my account"));
    let page = browser.get("/.passgate/account/leave?for=good").await;
    assert!(page.text().contains("What stays:") && !page.text().contains("told to delete it"));
    assert!(site.state().is_some(), "nothing happens by a look");
    let answer = browser.leave(&[("for", "good")]).await;
    assert_eq!(answer.location(), "/.passgate/login?notice=deleted");
    assert_eq!((site.state(), site.live(&token), browser.session()), (None, false, None));
    assert_eq!(browser.get(answer.location()).await.status(), StatusCode::OK);
    let again = browser.sign_in("alice", PASSWORD).await;
    assert!(again.text().contains("is not right"), "as for any name that nobody has");
}

#[tokio::test]
async fn sib_15_where_members_do_not_delete_their_accounts_nothing_offers_it_and_nothing_does_it() {
    let site = Site::with_alice().await.deleting(SelfDelete::Off);
    let mut browser = site.signed_in("alice").await;
    let page = browser.get("/.passgate/account/data").await;
    assert!(page.text().contains("Switch my account off") && !page.text().contains("Delete my account"));
    let good = "/.passgate/account/leave?for=good";
    assert_eq!(browser.get(good).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(browser.leave(&[("for", "good")]).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(site.state(), Some(UserState::Active));
    browser.leave(&[]).await;
    assert_eq!(site.state(), Some(UserState::Deactivated), "they still switch it off");
}
