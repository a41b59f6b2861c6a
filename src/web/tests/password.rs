use super::*;
use crate::domain::TokenHash;

const CHANGE: &str = "/.passgate/account/password";
const NEW: &str = "wren magnet orchard ladle";

impl Browser<'_> {
    async fn change(&mut self, fields: &[(&str, &str)]) -> Answer {
        let csrf = self.get(CHANGE).await.field("csrf");
        let fields = [&[("csrf", csrf.as_str())], fields].concat();
        self.post(CHANGE, &fields).await
    }
}

#[tokio::test]
async fn auth_05_a_member_changes_their_password_and_ends_their_other_sessions() {
    let site = Site::with_alice().await;
    let (phone, mut here) = (site.signed_in("alice").await, site.signed_in("alice").await);
    let page = here.get("/.passgate/account").await;
    assert!(page.text().contains("Change your password"));
    let page = here.get(CHANGE).await;
    for part in [
        "autocomplete=\"current-password\"",
        "autocomplete=\"new-password\"",
        "name=\"others\" value=\"1\" checked",
    ] {
        assert!(page.text().contains(part), "{part}");
    }
    let log = audit::Log::start();
    let done = here.change(&[("current", PASSWORD), ("password", NEW), ("others", "1")]).await;
    assert_eq!(done.location(), "/.passgate/account?notice=password-changed");
    assert!(!site.live(phone.session().unwrap()) && site.live(here.session().unwrap()));
    assert_eq!(log.events()[0].0, "password-changed");
    assert!(!log.text().contains(NEW) && !log.text().contains(PASSWORD));
    assert!(here.get(done.location()).await.text().contains("new password"));
    assert!(here.get("/.passgate/account/security").await.text().contains("A new password was set"));
    assert_eq!(site.browser().sign_in("alice", NEW).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(site.browser().sign_in("alice", PASSWORD).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn auth_05_other_sessions_go_on_if_the_member_wants_that() {
    let site = Site::with_alice().await;
    let (phone, mut here) = (site.signed_in("alice").await, site.signed_in("alice").await);
    let done = here.change(&[("current", PASSWORD), ("password", NEW)]).await;
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    assert!(site.live(phone.session().unwrap()) && site.live(here.session().unwrap()));
}

#[tokio::test]
async fn auth_05_with_only_a_session_cookie_the_change_is_refused() {
    let site = Site::with_alice().await;
    let mut here = site.signed_in("alice").await;
    let other = site.signed_in("alice").await;
    let log = audit::Log::start();
    for current in ["", "wrong", &"x".repeat(1_001), NEW] {
        let answer = here.change(&[("current", current), ("password", NEW), ("others", "1")]).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "{current}");
        assert!(answer.text().contains("Your current password is not right"), "{current}");
    }
    assert!(log.events().iter().all(|(event, ..)| event == "password-not-changed"));
    assert!(site.live(other.session().unwrap()), "nothing was ended");
    assert_eq!(site.browser().sign_in("alice", PASSWORD).await.status(), StatusCode::SEE_OTHER);
    let stranger = site.browser().post(CHANGE, &[("current", PASSWORD), ("password", NEW)]).await;
    assert!(stranger.location().starts_with("/.passgate/login"));
    let foreign = Request::post(CHANGE).header(ORIGIN, "https://evil.example");
    let fields = [("current", PASSWORD), ("password", NEW)];
    assert_eq!(here.post_as(foreign, &fields).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(here.post(CHANGE, &fields).await.status(), StatusCode::FORBIDDEN, "no anti-forgery value");
}

#[tokio::test]
async fn thr_08_guesses_of_the_current_password_count_with_all_others() {
    let site = Site::with_alice().await;
    let mut here = site.signed_in("alice").await;
    for _ in 0..ThrottleOptions::default().account {
        here.change(&[("current", "wrong"), ("password", NEW)]).await;
    }
    let before = site.passwords.hashes();
    let answer = here.change(&[("current", PASSWORD), ("password", NEW)]).await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(site.passwords.hashes(), before, "nothing was looked at");
}

#[tokio::test]
async fn auth_04_a_weak_new_password_is_told_and_the_old_one_stays() {
    let site = Site::with_alice().await;
    let mut here = site.signed_in("alice").await;
    for (password, words) in [
        ("short", "a little short"),
        ("passwordpassword", "tried first"),
        ("The Teapot Forum!", "the name of this site"),
    ] {
        let answer = here.change(&[("current", PASSWORD), ("password", password)]).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.text().contains(words), "{words}");
    }
    assert_eq!(site.browser().sign_in("alice", PASSWORD).await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn auth_09_a_changed_password_closes_every_link_and_forgets_the_devices_mark() {
    let site = Site::new();
    let alice = site.add("alice").await;
    let link = site.accounts.link(alice.profile.id, LinkKind::Reset).await.unwrap();
    let mut here = site.signed_in("alice").await;
    let mark: TokenHash = link.hash();
    assert!(site.store.user_by_setup(&mark).unwrap().is_some());
    let done = here.change(&[("current", PASSWORD), ("password", NEW)]).await;
    assert!(done.set_cookies().iter().any(|cookie| cookie.contains("device")), "{:?}", done.set_cookies());
    assert!(site.store.user_by_setup(&mark).unwrap().is_none());
}
