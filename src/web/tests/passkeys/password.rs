use super::*;

const CHANGE: &str = "/.passgate/account/password";
const NEW: &str = "wren magnet orchard ladle";

#[tokio::test]
async fn auth_05_a_passkey_used_just_now_stands_for_the_current_password_for_five_minutes() {
    let site = Site::with_passkeys(everyone()).await;
    let mut device = device();
    site.signed_in("alice").await.enrol(&mut device).await;
    let mut here = site.browser();
    assert_eq!(here.sign_in_with(&mut device, json!({})).await.status(), StatusCode::OK);
    let page = here.get(CHANGE).await;
    assert!(!page.text().contains("name=\"current\""));
    let csrf = page.field("csrf");
    site.clock.advance(Passkeys::FRESH + Duration::from_millis(1));
    let late = here.post(CHANGE, &[("csrf", &csrf), ("password", NEW)]).await;
    assert_eq!(late.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(late.text().contains("name=\"current\"") && late.text().contains("Use a passkey instead"));
    let mut here = site.browser();
    here.sign_in_with(&mut device, json!({})).await;
    let csrf = here.get(CHANGE).await.field("csrf");
    let done = here.post(CHANGE, &[("csrf", &csrf), ("password", NEW)]).await;
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    assert_eq!(site.browser().sign_in("alice", NEW).await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn bp_63_whoever_is_asked_for_a_passkey_can_not_change_the_password_with_the_password() {
    let options = PasskeyOptions {
        required_for: RequiredFor::Groups(vec![Group::parse("Tea & cake").unwrap()]),
        ..everyone()
    };
    let site = Site::with_passkeys(options).await;
    let mut here = site.signed_in("alice").await;
    let to_passkey = "/.passgate/login?return_to=%2F.passgate%2Faccount%2Fpassword&again=passkey";
    assert_eq!(here.get(CHANGE).await.location(), to_passkey, "none yet");
    let csrf = here.member_csrf().await;
    let fields = [("csrf", csrf.as_str()), ("current", PASSWORD), ("password", NEW)];
    assert_eq!(here.post(CHANGE, &fields).await.location(), to_passkey);
    assert_eq!(site.browser().sign_in("alice", PASSWORD).await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn where_passwords_are_off_nobody_sets_one() {
    let site =
        Site::with_passkeys(PasskeyOptions { required_for: RequiredFor::Everyone, ..everyone() }).await;
    let alice = site.accounts.all().unwrap().remove(0);
    let link = site.accounts.link(alice.profile.id, LinkKind::SignIn).await.unwrap();
    let mut here = site.browser();
    here.post("/.passgate/link", &[("token", &*link.to_text())]).await;
    assert!(!here.get(ACCOUNT).await.text().contains("account/password"));
    assert!(here.get(CHANGE).await.status().is_client_error());
}
