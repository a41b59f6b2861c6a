//! The forum hears of a password only once the second factor is shown, too.

use super::*;
use crate::support::app::TWO_STEP;

#[tokio::test(flavor = "multi_thread")]
async fn o4_a_password_goes_to_the_forum_after_the_code_and_not_before() {
    let site = Site::open("").await;
    let services = &site.gateway.running.services;
    let alice = services.accounts.find(&UserName::parse("alice").unwrap()).unwrap().unwrap();
    let cookie = site.gateway.cookie_of(&alice).await;
    let mut browser = site.browser();
    browser.jar.put("passgate", cookie.strip_prefix("passgate=").unwrap());
    let page = browser.get(TWO_STEP).await;
    let (app, _) = browser.set_two_step_up(&page, &site.gateway.clock).await;

    let kept = || services.store.forum_password(alice.profile.id).unwrap().is_some();
    let mut other = site.browser();
    let page = site.sign_in(&mut other, "alice").await;
    page.assert_says("Enter your code");
    other.submit(&page, "code", &[("code", "000000")]).await.assert_status(422);
    assert!(!kept() && site.forum.state().sessions.is_empty());
    site.gateway.clock.advance(Duration::from_secs(30));
    let done = other.submit(&page, "code", &[("code", &app.shows(&site.gateway.clock))]).await;
    assert_eq!(done.assert_status(200).target(), "/a");
    assert!(kept() && !site.forum.state().sessions.is_empty());
}
