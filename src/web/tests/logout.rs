use super::*;

const LOGOUT: &str = "/.passgate/logout";

#[tokio::test]
async fn ses_04_signing_out_ends_the_session_at_once_and_forgets_everything() {
    let site = Site::with_alice().await;
    let mut browser = site.signed_in("alice").await;
    let token = browser.session().unwrap().clone();
    let csrf = browser.get(LOGOUT).await.field("csrf");
    assert!(site.live(&token), "the page only asks");
    let answer = browser.post(LOGOUT, &[("csrf", &csrf)]).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(answer.location(), "/.passgate/login?notice=signed-out");
    assert_eq!(answer.header("clear-site-data"), "\"cookies\", \"storage\"");
    assert!(answer.header("set-cookie").starts_with("__Host-passgate=;"));
    assert!(!site.live(&token));
    browser.jar.insert("__Host-passgate".to_owned(), token);
    assert!(browser.get("/.passgate/account").await.location().starts_with("/.passgate/login"), "replayed");
}

#[tokio::test]
async fn ses_04_another_site_can_sign_nobody_out() {
    let site = Site::with_alice().await;
    let mut browser = site.signed_in("alice").await;
    let token = browser.session().unwrap().clone();
    let csrf = browser.get(LOGOUT).await.field("csrf");
    let foreign = || Request::post(LOGOUT).header(ORIGIN, "https://evil.example");
    for (request, csrf) in [
        (foreign(), &*csrf),
        (Request::post(LOGOUT).header("sec-fetch-site", "cross-site"), &*csrf),
        (Request::post(LOGOUT), ""),
        (Request::post(LOGOUT), "x"),
    ] {
        let answer = browser.post_as(request, &[("csrf", csrf)]).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
        assert!(answer.set_cookies().is_empty() && !answer.headers().contains_key("clear-site-data"));
        assert!(site.live(&token));
    }
    // The cookie is SameSite=Lax, so this is how another site's form arrives.
    let answer = site.browser().post_as(foreign(), &[]).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(!answer.headers().contains_key("clear-site-data"));
    let answer = site.browser().post_as(Request::post(LOGOUT), &[]).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert!(answer.set_cookies().is_empty() && !answer.headers().contains_key("clear-site-data"));
}

#[tokio::test]
async fn an_old_page_asks_once_more_before_it_signs_out() {
    let site = Site::with_alice().await;
    let mut browser = site.signed_in("alice").await;
    let answer = browser.post(LOGOUT, &[("csrf", "of an older session")]).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let csrf = answer.field("csrf");
    assert_eq!(browser.post(LOGOUT, &[("csrf", &csrf)]).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(site.sessions.count(), 0);
}

#[tokio::test]
async fn signing_out_twice_is_no_mistake() {
    let site = Site::with_alice().await;
    let mut browser = site.browser();
    browser.jar.insert("__Host-passgate".to_owned(), SessionToken::generate().to_text().to_string());
    let answer = browser.post(LOGOUT, &[]).await;
    assert_eq!((answer.status(), browser.session()), (StatusCode::SEE_OTHER, None));
    assert_eq!(browser.get(LOGOUT).await.location(), "/.passgate/login?notice=signed-out");
}
