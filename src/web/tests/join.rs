use super::*;
use crate::policy::RequiredFor;

const JOIN: &str = "/.passgate/join";
const NEW: &str = "a password of my own";

/// A site that people can join, and the token of an invitation.
async fn inviting(passkeys: Option<PasskeyOptions>) -> (Site, String) {
    let mut site = Site::made(options(), CHEAP, passkeys).unwrap();
    site.web.parts.joining.mode = JoinMode::Invitation;
    let day = Duration::from_secs(86_400);
    let made = site.web.parts.invitations.make(Vec::new(), None, 1, day).await.unwrap();
    let token = made.unwrap().0.to_text().to_string();
    (site, token)
}

#[tokio::test]
async fn who_is_invited_makes_an_account_and_signs_in() {
    let (site, token) = inviting(None).await;
    let mut browser = site.browser();
    for _ in 0..2 {
        let page = browser.get(&format!("{JOIN}?token={token}")).await;
        assert_eq!((page.status(), &*page.field("token")), (StatusCode::OK, &*token));
        assert!(page.text().contains("autocomplete=\"new-password\""));
    }
    let done = browser.post(JOIN, &[("token", &token), ("username", "Zoë"), ("password", NEW)]).await;
    assert_eq!((done.status(), done.location()), (StatusCode::SEE_OTHER, "/.passgate/login?notice=joined"));
    assert_eq!(browser.session(), None);
    assert!(browser.get("/.passgate/login?notice=joined").await.text().contains("Your account is there."));
    assert_eq!(browser.sign_in("zoë", NEW).await.status(), StatusCode::SEE_OTHER);
    let late = browser.get(&format!("{JOIN}?token={token}")).await;
    assert_eq!(late.status(), StatusCode::GONE);
}

#[tokio::test]
async fn what_does_not_fit_is_told_and_the_name_stays_typed() {
    let (site, token) = inviting(None).await;
    site.add("alice").await;
    for (name, password, words) in [
        ("Alice", NEW, "That name can’t be had."),
        ("a\u{202e}b", NEW, "That can’t be a name here."),
        ("ann", "my own", "That password is a little short."),
        ("ann", &*"x".repeat(1_001), "That password is too long."),
    ] {
        let fields = [("token", &*token), ("username", name), ("password", password)];
        let answer = site.browser().post(JOIN, &fields).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "{words}");
        assert!(answer.text().contains(words) && answer.field("username") == name, "{words}");
        assert!(!answer.text().contains(password), "{words}");
    }
    assert_eq!(site.accounts.all().unwrap().len(), 1);
}

#[tokio::test]
async fn auth_14_asking_for_names_is_throttled_as_guessing_is() {
    let (site, token) = inviting(None).await;
    site.add("alice").await;
    let mut asked = 0;
    let last = loop {
        let fields = [("token", &*token), ("username", "alice"), ("password", NEW)];
        let status = site.browser().post(JOIN, &fields).await.status();
        asked += 1;
        if status != StatusCode::UNPROCESSABLE_ENTITY || asked > 100 {
            break status;
        }
    };
    assert_eq!((last, asked), (StatusCode::TOO_MANY_REQUESTS, 31));
}

#[tokio::test]
async fn where_nobody_may_join_there_is_no_such_page() {
    let (mut site, token) = inviting(None).await;
    site.web.parts.joining.mode = JoinMode::Closed;
    let mut browser = site.browser();
    assert_eq!(browser.get(&format!("{JOIN}?token={token}")).await.status(), StatusCode::NOT_FOUND);
    let fields = [("token", &*token), ("username", "ann"), ("password", NEW)];
    assert_eq!(browser.post(JOIN, &fields).await.status(), StatusCode::NOT_FOUND);
    assert!(site.accounts.is_empty().unwrap());
}

#[tokio::test]
async fn web_10_another_sites_form_makes_no_account() {
    let (site, token) = inviting(None).await;
    let request =
        Request::post(JOIN).header(ORIGIN, "https://evil.example").header("sec-fetch-site", "cross-site");
    let fields = [("token", &*token), ("username", "ann"), ("password", NEW)];
    let answer = site.browser().post_as(request, &fields).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(site.accounts.is_empty().unwrap());
}

#[tokio::test]
async fn where_passwords_are_off_who_is_invited_adds_a_passkey() {
    let options = PasskeyOptions { required_for: RequiredFor::Everyone, ..passkeys::everyone() };
    let (site, token) = inviting(Some(options)).await;
    let mut browser = site.browser();
    let page = browser.get(&format!("{JOIN}?token={token}")).await;
    assert!(!page.text().contains("type=\"password\""), "{}", page.text());
    let joined = browser.post(JOIN, &[("token", &token), ("username", "zoe")]).await;
    assert!(joined.location().starts_with("/.passgate/setup?token="), "{}", joined.location());
    let link = browser.get(joined.location()).await;
    let next = browser.post("/.passgate/link", &[("token", &*link.field("token"))]).await;
    assert_eq!(next.location(), "/.passgate/account/passkeys/add");
    assert!(site.accounts.all().unwrap()[0].password.is_none() && browser.session().is_some());
}
