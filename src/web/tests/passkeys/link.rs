use super::*;

const LINK: &str = "/.passgate/link";
const SETUP: &str = "/.passgate/setup";
const NEW: &str = "a password of my own";

impl Site {
    async fn link(&self, name: &str, kind: LinkKind) -> String {
        let user = self.accounts.find(&UserName::parse(name).unwrap()).unwrap().unwrap();
        self.accounts.link(user.profile.id, kind).await.unwrap().to_text().to_string()
    }

    /// A browser that a link has signed in.
    async fn let_in(&self, name: &str, kind: LinkKind) -> Browser<'_> {
        let token = self.link(name, kind).await;
        let mut browser = self.browser();
        assert_eq!(browser.post(LINK, &[("token", &token)]).await.status(), StatusCode::SEE_OTHER);
        assert!(self.live(browser.session().unwrap()));
        browser
    }
}

#[tokio::test]
async fn mf_63_a_link_signs_in_once_and_looking_at_it_uses_nothing_up() {
    let site = Site::with_alice().await;
    let token = site.link("alice", LinkKind::SignIn).await;
    let address = format!("{LINK}?token={token}");
    for request in [Request::get(&address), Request::head(&address), Request::get(&address)] {
        let mut scanner = site.browser();
        assert_eq!(scanner.send(request).await.status(), StatusCode::OK);
        assert_eq!(scanner.session(), None);
    }
    let mut browser = site.browser();
    let page = browser.get(&address).await;
    assert!(page.text().contains("alice") && page.text().matches(&token).count() == 1);
    let done = browser.post(LINK, &[("token", &page.field("token"))]).await;
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    assert_eq!(done.location(), "/.passgate/account?notice=by-link");
    let account = browser.get(done.location()).await;
    assert!(account.text().contains("signed in with your link"), "{}", account.text());
    let again = site.browser().post(LINK, &[("token", &token)]).await;
    assert_eq!(again.status(), StatusCode::GONE);
    assert_eq!(site.browser().get(&address).await.status(), StatusCode::GONE);
    assert_eq!(site.browser().sign_in("alice", PASSWORD).await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn auth_09_a_link_to_sign_in_with_sets_no_password_and_the_other_way_round() {
    let site = Site::with_alice().await;
    let token = site.link("alice", LinkKind::SignIn).await;
    assert_eq!(site.browser().get(&format!("{SETUP}?token={token}")).await.status(), StatusCode::GONE);
    let answer = site.browser().post(SETUP, &[("token", &token), ("password", NEW)]).await;
    assert_eq!(answer.status(), StatusCode::GONE);
    assert_eq!(site.browser().sign_in("alice", PASSWORD).await.status(), StatusCode::SEE_OTHER);
    let token = site.link("alice", LinkKind::SetUp).await;
    assert_eq!(site.browser().get(&format!("{LINK}?token={token}")).await.status(), StatusCode::GONE);
    let answer = site.browser().post(LINK, &[("token", &token)]).await;
    assert_eq!((answer.status(), answer.set_cookies().len()), (StatusCode::GONE, 0));
}

#[tokio::test]
async fn mf_63_old_replaced_and_foreign_links_and_those_of_disabled_members_let_nobody_in() {
    let site = Site::with_alice().await;
    let replaced = site.link("alice", LinkKind::SignIn).await;
    let old = site.link("alice", LinkKind::SignIn).await;
    site.clock.advance(Accounts::SIGN_IN_LIFETIME);
    for token in [&*replaced, &*old, "x", ""] {
        assert_eq!(site.browser().post(LINK, &[("token", token)]).await.status(), StatusCode::GONE);
    }
    let token = site.link("alice", LinkKind::Reset).await;
    let foreign = Request::post(LINK).header(ORIGIN, "https://evil.example");
    let answer = site.browser().post_as(foreign, &[("token", &token)]).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let alice = site.accounts.find(&UserName::parse("alice").unwrap()).unwrap().unwrap();
    site.accounts.disable(alice.profile.id).await.unwrap();
    assert_eq!(site.browser().post(LINK, &[("token", &token)]).await.status(), StatusCode::GONE);
}

#[tokio::test]
async fn l9_a_link_is_no_fresh_proof_so_no_passkey_is_added_or_removed_with_it() {
    let site = Site::with_passkeys(everyone()).await;
    site.signed_in("alice").await.enrol(&mut device()).await;
    let mut browser = site.let_in("alice", LinkKind::SignIn).await;
    let page = browser.get(ADD).await;
    assert!(page.location().contains("again=1"), "{}", page.location());
    let csrf = browser.member_csrf().await;
    let answer = browser.call("add/begin", &csrf, &json!({})).await;
    assert_eq!(answer.refusal().1, "reauth_required");
    let account = browser.get(ACCOUNT).await;
    let (_, rest) = account.text().split_once("/passkeys/remove?passkey=").unwrap();
    let handle = rest.split('"').next().unwrap();
    let fields = [("csrf", &*csrf), ("passkey", handle), ("sure", "1")];
    let answer = browser.post("/.passgate/account/passkeys/remove", &fields).await;
    assert!(answer.location().contains("again=1"), "{}", answer.location());
}

#[tokio::test]
async fn l9_an_operator_who_vouches_allows_one_change_of_credentials_within_its_time() {
    let site = Site::with_passkeys(everyone()).await;
    let mut browser = site.let_in("alice", LinkKind::Reset).await;
    let mut phone = device();
    assert_eq!(browser.get(ADD).await.status(), StatusCode::OK);
    browser.enrol(&mut phone).await;
    assert!(browser.get(ADD).await.location().contains("again=1"), "one, and no second");
    let csrf = browser.member_csrf().await;
    let second = browser.call("add/begin", &csrf, &json!({})).await;
    assert_eq!(second.refusal().1, "reauth_required");
    let done = site.browser().sign_in_with(&mut phone, json!({})).await;
    assert_eq!(done.status(), StatusCode::OK, "{}", done.text());

    let mut late = site.let_in("alice", LinkKind::Reset).await;
    site.clock.advance(Accounts::GRANT_LIFETIME);
    assert!(late.get(ADD).await.location().contains("again=1"));
}

#[tokio::test]
async fn l9_of_two_passkeys_that_were_begun_with_one_grant_the_second_is_refused() {
    let site = Site::with_passkeys(everyone()).await;
    let mut browser = site.let_in("alice", LinkKind::Reset).await;
    let csrf = browser.member_csrf().await;
    let challenge = browser.begin("add", &csrf).await;
    // The grant goes between the halves: an operator makes another link.
    site.link("alice", LinkKind::SignIn).await;
    let answer = device().create(&challenge);
    let refused = browser.finish("add", &csrf, &challenge, answer, json!({})).await;
    assert_eq!(refused.refusal().1, "reauth_required");
}

#[tokio::test]
async fn mf_63_a_reset_link_sets_a_password_or_signs_in_and_not_both() {
    let site = Site::with_passkeys(everyone()).await;
    let token = site.link("alice", LinkKind::Reset).await;
    let mut browser = site.browser();
    let page = browser.get(&format!("{SETUP}?token={token}")).await;
    assert!(page.text().contains("name=\"password\"") && page.text().contains("Add a passkey instead"));
    let signed_in = browser.post(LINK, &[("token", &token)]).await;
    assert_eq!(signed_in.location(), ADD);
    let answer = browser.post(SETUP, &[("token", &token), ("password", NEW)]).await;
    assert_eq!(answer.status(), StatusCode::GONE);
    let token = site.link("alice", LinkKind::Reset).await;
    let done = site.browser().post(SETUP, &[("token", &token), ("password", NEW)]).await;
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    assert_eq!(site.browser().post(LINK, &[("token", &token)]).await.status(), StatusCode::GONE);
    assert_eq!(site.browser().sign_in("alice", NEW).await.status(), StatusCode::SEE_OTHER);
    assert!(!site.live(browser.session().unwrap()), "a new password ends what the other link opened");
}

#[tokio::test]
async fn auth_09_no_link_outlives_another_change_of_credentials() {
    let site = Site::with_passkeys(everyone()).await;
    let mut browser = site.signed_in("alice").await;
    for kind in [LinkKind::SignIn, LinkKind::Reset] {
        let token = site.link("alice", kind).await;
        browser.enrol(&mut device()).await;
        assert_eq!(site.browser().post(LINK, &[("token", &token)]).await.status(), StatusCode::GONE);
    }
}

#[tokio::test]
async fn mf_63_what_a_link_was_used_for_is_in_the_audit_log_and_its_token_is_not() {
    let site = Site::with_alice().await;
    let log = super::super::audit::Log::start();
    let token = site.link("alice", LinkKind::Reset).await;
    site.browser().post(LINK, &[("token", &token)]).await;
    assert_eq!(log.events()[0].0, "signed-in");
    assert!(log.text().contains("\"link\":\"reset\""), "{}", log.text());
    assert!(!log.text().contains(&token));
}
