use super::*;

const SECURITY: &str = "/.passgate/account/security";
const NOT_ME: &str = "/.passgate/account/not-me";

/// What the page tells, tags left out and blanks as one.
fn told(page: &Answer) -> String {
    let parts = page.text().split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text));
    parts.collect::<Vec<_>>().concat().split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Browser<'_> {
    /// Asks from another address.
    async fn get_from(&self, from: [u8; 4], target: &str) -> Answer {
        let mut request =
            Request::get(target).header("accept", "text/html").header("sec-fetch-mode", "navigate");
        for (name, value) in &self.jar {
            request = request.header(COOKIE, format!("{name}={value}"));
        }
        let request = request.body(Bytes::new()).unwrap();
        let token = self.site.cookies.session(Web::cookie_fields(request.headers())).token().unwrap();
        let live = self.site.sessions.check(&token).unwrap();
        let member = Some(Member { token: &token, session: &live });
        Answer(self.site.web.dispatch(request, &Visit { member, client: from.into(), ..nobody() }).await)
    }
}

#[tokio::test]
async fn sib_09_a_member_sees_browser_network_way_and_time_of_each_session() {
    let site = Site::with_alice().await;
    let alice = site.accounts.find(&UserName::parse("alice").unwrap()).unwrap().unwrap();
    site.signed_in("alice").await;
    let link = site.accounts.link(alice.profile.id, LinkKind::SignIn).await.unwrap().to_text().to_string();
    site.browser().post("/.passgate/link", &[("token", &link)]).await;
    site.clock.advance(Duration::from_secs(7_200));
    let mut here = site.signed_in("alice").await;
    let page = here.get(SECURITY).await;
    assert_eq!((page.status(), page.header("cache-control")), (StatusCode::OK, "no-store"));
    let text = told(&page);
    for part in [
        "Firefox on Linux this browser Last used just now Since 22 November 2026, 08:00 UTC, with your password",
        "Last used 2 hours ago · Signed in from the network you’re in now",
        "Since 22 November 2026, 06:00 UTC, with a link from the people who run The Teapot Forum",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let text = told(&here.get_from([192, 0, 2, 1], SECURITY).await);
    assert_eq!(text.matches("Signed in from another network").count(), 3, "{text}");
    let stranger = site.browser().get(SECURITY).await;
    assert!(stranger.location().starts_with("/.passgate/login"));
}

#[tokio::test]
async fn sib_10_a_member_sees_what_happened_latest_first_and_nothing_of_others() {
    let site = Site::with_alice().await;
    site.add("bob").await;
    let mut browser = site.browser();
    for _ in 0..3 {
        browser.sign_in("alice", "wrong").await;
    }
    browser.sign_in("bob", "wrong").await;
    site.clock.advance(Duration::from_secs(60));
    let other = site.signed_in("alice").await;
    let mut here = site.signed_in("alice").await;
    let csrf = here.get(SECURITY).await.field("csrf");
    let id = SessionToken::parse(other.session().unwrap()).unwrap().hash().short();
    here.post("/.passgate/account/end-session", &[("csrf", &csrf), ("session", &id)]).await;
    here.post("/.passgate/account/end-other-sessions", &[("csrf", &csrf)]).await;
    let text = told(&here.get(SECURITY).await);
    let (_, events) = text.split_once("What happened to your account").unwrap();
    let mut rest = events;
    for part in [
        "Signed out everywhere else",
        "Signed out of one browser",
        "Signed in with your password this browser, now",
        "Signed in with your password",
        "3 wrong passwords were tried 22 November 2026, 06:00 UTC · Firefox on Linux · the network you’re in now",
    ] {
        rest = rest.split_once(part).unwrap_or_else(|| panic!("{part} in {rest}")).1;
    }
    assert!(!rest.contains(" · "), "and that is all: {rest}");
    assert_eq!(told(&site.signed_in("bob").await.get(SECURITY).await).matches("wrong password").count(), 1);
}

#[tokio::test]
async fn confirming_who_one_is_is_no_other_sign_in() {
    let site = Site::with_alice().await;
    let mut here = site.signed_in("alice").await;
    let page = here.get("/.passgate/login?again=1&return_to=/x").await;
    let csrf = page.text().rsplit_once("name=\"csrf\" value=\"").unwrap().1.split('"').next().unwrap();
    let fields = [("csrf", csrf), ("again", "1"), ("username", "alice"), ("password", PASSWORD)];
    here.post("/.passgate/login", &fields).await;
    assert_eq!(told(&here.get(SECURITY).await).matches("Signed in with your password").count(), 1);
}

#[tokio::test]
async fn sib_12_what_was_not_the_member_ends_whatever_lets_anybody_in_but_this_session() {
    let site = Site::with_alice().await;
    let alice = site.accounts.find(&UserName::parse("alice").unwrap()).unwrap().unwrap().profile.id;
    let intruder = site.signed_in("alice").await;
    let mut here = site.signed_in("alice").await;
    let page = here.get(SECURITY).await;
    let (_, link) = page.text().split_once("/account/not-me?event=").unwrap();
    let event = link.split('"').next().unwrap();
    let asking = here.get(&format!("{NOT_ME}?event={event}")).await;
    assert!(told(&asking).contains("Signed in with your password"), "{}", asking.text());
    let csrf = asking.field("csrf");
    assert!(site.live(intruder.session().unwrap()), "nothing is ended by a look");
    assert_eq!(here.post(NOT_ME, &[("csrf", "x")]).await.status(), StatusCode::FORBIDDEN);
    assert!(site.live(intruder.session().unwrap()), "nor by a form from elsewhere");

    let token = site.accounts.link(alice, LinkKind::Reset).await.unwrap();
    let owner = Owner::Member(alice);
    let trusted = Change::ReviseRecord {
        drawer: Drawer::TrustedDevice,
        owner,
        key: vec![1],
        revision: Box::new(|record| {
            *record = Some(vec![1]);
            Ok(Verdict::Keep)
        }),
    };
    site.store.apply(vec![trusted]).await.unwrap();
    let done = here.post(NOT_ME, &[("csrf", &csrf)]).await;
    assert!(
        told(&done).contains("You’re signed in here only now")
            && done.text().contains("/account/password\">Set a new password")
    );
    assert!(!site.live(intruder.session().unwrap()) && site.live(here.session().unwrap()));
    assert_eq!(site.accounts.open_link(&token).unwrap(), None);
    assert!(site.store.records(Drawer::TrustedDevice, owner).unwrap().is_empty());
    assert!(told(&here.get(SECURITY).await).contains("You said that something wasn’t you"));
}
