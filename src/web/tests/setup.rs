use super::*;

const SETUP: &str = "/.passgate/setup";
const NEW: &str = "a password of my own";

async fn link(site: &Site, user: &User) -> String {
    site.accounts.link(user.profile.id, LinkKind::SetUp).await.unwrap().to_text().to_string()
}

#[tokio::test]
async fn auth_09_a_link_sets_a_password_once() {
    let site = Site::new();
    let user = site.add("alice").await;
    let old = site.signed_in("alice").await;
    let token = link(&site, &user).await;
    let mut browser = site.browser();
    let page = browser.get(&format!("{SETUP}?token={token}")).await;
    assert_eq!(page.status(), StatusCode::OK);
    for part in
        ["alice", "At least 15 characters", "autocomplete=\"new-password\"", "autocomplete=\"username\""]
    {
        assert!(page.text().contains(part), "{part}");
    }
    let fields = [("token", &*page.field("token")), ("password", NEW)];
    let done = browser.post(SETUP, &fields).await;
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    assert_eq!(done.location(), "/.passgate/login?notice=password-set");
    assert_eq!(browser.session(), None, "AUTH-10: a link signs nobody in");
    assert!(!site.live(old.session().unwrap()));
    assert_eq!(browser.post(SETUP, &fields).await.status(), StatusCode::GONE);
    assert_eq!(browser.get(&format!("{SETUP}?token={token}")).await.status(), StatusCode::GONE);
    assert_eq!(site.browser().sign_in("alice", NEW).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(site.browser().sign_in("alice", PASSWORD).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn auth_09_old_unknown_and_broken_links_get_one_kind_answer() {
    let site = Site::new();
    let user = site.add("alice").await;
    let replaced = link(&site, &user).await;
    let old = link(&site, &user).await;
    site.clock.advance(Accounts::SETUP_LIFETIME);
    let unknown = crate::auth::SetupToken::generate().to_text().to_string();
    let expected = site.browser().get(SETUP).await;
    assert_eq!(expected.status(), StatusCode::GONE);
    assert!(expected.text().contains("This link no longer works"));
    for token in [&*replaced, &*old, &*unknown, "x", ""] {
        let shown = site.browser().get(&format!("{SETUP}?token={token}")).await;
        let posted = site.browser().post(SETUP, &[("token", token), ("password", NEW)]).await;
        for answer in [shown, posted] {
            assert_eq!((answer.status(), answer.text()), (StatusCode::GONE, expected.text()), "{token}");
        }
    }
}

#[tokio::test]
async fn auth_01_a_weak_password_is_told_kindly_and_the_link_still_works() {
    let site = Site::new();
    let token = link(&site, &site.add("alice").await).await;
    for (password, words) in
        [("too short, 14!", "a little short"), ("", "a little short"), (&"x".repeat(1_001), "too long")]
    {
        let answer = site.browser().post(SETUP, &[("token", &token), ("password", password)]).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.text().contains(words) && answer.text().contains("role=\"alert\""), "{words}");
    }
    let done = site.browser().post(SETUP, &[("token", &token), ("password", "long enough, 15")]).await;
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn auth_04_what_is_guessed_first_is_told_kindly_and_not_taken() {
    let site = Site::new();
    let token = link(&site, &site.add("alice").await).await;
    for (password, words) in [
        ("correct horse battery staple", "tried first"),
        ("monkeymonkey1234!", "easy to guess"),
        ("wonderland wonderland", "your e-mail address"),
        ("Alice-Liddell 1852", "made of your name."),
        ("alice alice alice", "made of your name here"),
        ("The Teapot Forum!", "the name of this site"),
    ] {
        let answer = site.browser().post(SETUP, &[("token", &token), ("password", password)]).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "{password}");
        assert!(answer.text().contains(words), "{words} in {}", answer.text());
        assert!(!answer.text().contains(&format!("value=\"{password}")));
    }
    assert_eq!(site.browser().sign_in("alice", PASSWORD).await.status(), StatusCode::SEE_OTHER);
    let fine = [("token", &*token), ("password", "wren magnet orchard ladle")];
    assert_eq!(site.browser().post(SETUP, &fine).await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_links_token_goes_nowhere_but_into_its_own_form() {
    let site = Site::new();
    let token = link(&site, &site.add("alice").await).await;
    let page = site.browser().get(&format!("{SETUP}?token={token}")).await;
    assert_eq!(page.text().matches(&token).count(), 1);
    assert_eq!(page.header("referrer-policy"), "strict-origin");
    assert!(!page.text().contains("http:") && !page.text().contains("https:"), "nothing from elsewhere");
}

#[tokio::test]
async fn web_01_another_site_can_set_no_password() {
    let site = Site::new();
    let token = link(&site, &site.add("alice").await).await;
    let foreign = Request::post(SETUP).header(ORIGIN, "https://evil.example");
    let answer = site.browser().post_as(foreign, &[("token", &token), ("password", NEW)]).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert_eq!(site.browser().get(&format!("{SETUP}?token={token}")).await.status(), StatusCode::OK);
}
