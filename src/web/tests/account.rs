use super::*;

const ACCOUNT: &str = "/.passgate/account";

#[tokio::test]
async fn a_visitor_is_asked_to_sign_in_and_comes_back() {
    let site = Site::new();
    let answer = site.browser().get(ACCOUNT).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(answer.location(), "/.passgate/login?return_to=%2F.passgate%2Faccount");
    assert_eq!(site.browser().get("/.passgate/").await.location(), ACCOUNT);
    assert_eq!(site.browser().get("/.passgate").await.location(), ACCOUNT);
}

#[tokio::test]
async fn a_member_sees_who_they_are_here_and_where_they_are_signed_in() {
    let site = Site::with_alice().await;
    site.signed_in("alice").await;
    site.clock.advance(Duration::from_secs(7_200));
    let mut browser = site.signed_in("alice").await;
    let page = browser.get(ACCOUNT).await;
    assert_eq!((page.status(), page.header("cache-control")), (StatusCode::OK, "no-store"));
    for part in [
        "alice",
        "Alice &lt;Liddell&gt;",
        "alice@wonderland.example",
        "Tea &amp; cake",
        "22 November 2026, 08:00 UTC",
        "2 browsers are signed in",
        "action=\"&#x2f;.passgate/logout\"",
    ] {
        assert!(page.text().contains(part), "{part} in {}", page.text());
    }
}

#[tokio::test]
async fn ses_08_a_member_ends_one_of_their_sessions_or_all_others() {
    let site = Site::with_alice().await;
    let (phone, tablet, mut here) =
        (site.signed_in("alice").await, site.signed_in("alice").await, site.signed_in("alice").await);
    let bob = site.add("bob").await;
    let bobs = site.signed_in("bob").await;
    let csrf = here.get(ACCOUNT).await.field("csrf");
    let token = SessionToken::parse(phone.session().unwrap()).unwrap();
    let id = token.hash().short();
    let answer = here.post("/.passgate/account/end-session", &[("csrf", &csrf), ("session", &id)]).await;
    assert_eq!(answer.location(), "/.passgate/account/security?notice=session-ended");
    assert!(!site.live(phone.session().unwrap()) && site.live(tablet.session().unwrap()));

    let theirs = site.sessions.of(bob.profile.id)[0].id.short();
    here.post("/.passgate/account/end-session", &[("csrf", &csrf), ("session", &theirs)]).await;
    assert!(site.live(bobs.session().unwrap()), "nobody ends another's");

    let answer = here.post("/.passgate/account/end-other-sessions", &[("csrf", &csrf)]).await;
    assert_eq!(answer.location(), "/.passgate/account/security?notice=other-sessions-ended");
    assert!(!site.live(tablet.session().unwrap()));
    assert!(site.live(here.session().unwrap()) && site.live(bobs.session().unwrap()));
    assert!(here.get(answer.location()).await.text().contains("You’re now signed in here only."));
}

#[tokio::test]
async fn web_01_web_02_sessions_are_ended_by_our_own_form_alone() {
    let site = Site::with_alice().await;
    let other = site.signed_in("alice").await;
    let mut here = site.signed_in("alice").await;
    let csrf = here.get(ACCOUNT).await.field("csrf");
    for path in ["/.passgate/account/end-session", "/.passgate/account/end-other-sessions"] {
        let get = here.get(path).await;
        assert_eq!((get.status(), get.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "POST"));
        assert_eq!(here.send(Request::head(path)).await.status(), StatusCode::METHOD_NOT_ALLOWED);
        let plain = Request::post(path).header(ORIGIN, ORIGIN_OF_SITE).header(CONTENT_TYPE, "text/plain");
        let plain = here.send_body(plain, format!("csrf={csrf}")).await;
        assert_eq!(plain.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert_eq!(here.post(path, &[("csrf", "x")]).await.status(), StatusCode::FORBIDDEN);
        assert_eq!(here.post(path, &[]).await.status(), StatusCode::FORBIDDEN);
        let foreign = Request::post(path).header(ORIGIN, "null");
        assert_eq!(here.post_as(foreign, &[("csrf", &csrf)]).await.status(), StatusCode::FORBIDDEN);
        let signed_out = site.browser().post(path, &[("csrf", &csrf)]).await;
        assert!(signed_out.location().starts_with("/.passgate/login"));
    }
    assert!(site.live(other.session().unwrap()));
}
