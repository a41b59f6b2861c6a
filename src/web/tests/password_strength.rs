//! How good a password is, told while it is typed.

use serde_json::{Value, json};

use super::mailing::Mailing;
use super::*;
use crate::auth::SetupToken;

const ADDRESS: &str = "/.passgate/api/password-strength";
const SETUP: &str = "/.passgate/setup";
const GOOD: &str = "wren magnet orchard ladle";

fn posting() -> Builder {
    Request::post(ADDRESS)
        .header(ORIGIN, ORIGIN_OF_SITE)
        .header("sec-fetch-site", "same-origin")
        .header(CONTENT_TYPE, "application/json")
}

impl Browser<'_> {
    async fn judged(&mut self, csrf: &str, body: Value) -> Answer {
        self.send_body(posting().header("x-csrf-token", csrf), body.to_string()).await
    }

    async fn csrf(&mut self) -> String {
        self.get("/.passgate/account/password").await.field("csrf")
    }
}

fn verdict(answer: &Answer) -> String {
    assert_eq!(answer.status(), StatusCode::OK, "{}", answer.text());
    let said: Value = serde_json::from_str(answer.text()).unwrap();
    assert_eq!(said.as_object().unwrap().len(), 1, "nothing else is told: {said}");
    said["verdict"].as_str().unwrap().to_owned()
}

async fn link(site: &Site, user: &User) -> String {
    site.accounts.link(user.profile.id, LinkKind::SetUp).await.unwrap().to_text().to_string()
}

#[tokio::test]
async fn auth_04_what_is_told_while_typing_is_what_the_form_would_be_told() {
    let site = Site::new();
    let token = link(&site, &site.add("alice").await).await;
    for (password, expected, words) in [
        ("short", "too-short", "a little short"),
        (&*"x".repeat(1_001), "too-long", "too long"),
        ("correct horse battery staple", "common", "tried first"),
        ("monkeymonkey1234!", "guessable", "easy to guess"),
        ("wonderland wonderland", "made-of-email", "your e-mail address"),
        ("Alice-Liddell 1852", "made-of-full-name", "made of your name."),
        ("alice alice alice", "made-of-user-name", "made of your name here"),
        ("The Teapot Forum!", "made-of-site-name", "the name of this site"),
    ] {
        let told = site.browser().judged("", json!({ "link": token, "password": password })).await;
        assert_eq!(verdict(&told), expected, "{password}");
        let sent = site.browser().post(SETUP, &[("token", &token), ("password", password)]).await;
        assert_eq!(sent.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert!(sent.text().contains(words), "{words}");
    }
    let before = site.passwords.hashes();
    for (password, expected) in [("rainy rainy days", "good"), (GOOD, "very-good")] {
        let told = site.browser().judged("", json!({ "link": token, "password": password })).await;
        assert_eq!(verdict(&told), expected, "{password}");
    }
    assert_eq!(site.passwords.hashes(), before, "nothing is hashed");
    assert_eq!(site.browser().get(&format!("{SETUP}?token={token}")).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn auth_04_members_and_whoever_holds_a_link_are_told_each_of_themselves() {
    let mut mailing = Mailing::new();
    mailing.site.web.parts.joining.mode = JoinMode::Invitation;
    let site = &mailing.site;
    site.add("alice").await;
    let mut member = site.signed_in("alice").await;
    let csrf = member.csrf().await;
    let told = member.judged(&csrf, json!({ "password": "alice alice alice" })).await;
    assert_eq!(verdict(&told), "made-of-user-name");

    let day = Duration::from_secs(86_400);
    let made = site.web.parts.invitations.make(Vec::new(), None, 1, day).await.unwrap().unwrap();
    let invitation = made.0.to_text().to_string();
    for (username, expected) in
        [("bob bobby", "made-of-user-name"), ("", "very-good"), ("\u{202e}", "very-good")]
    {
        let asked =
            json!({ "invitation": invitation, "username": username, "password": "bob bobby bob bobby" });
        assert_eq!(verdict(&site.browser().judged("", asked).await), expected, "{username:?}");
    }
    // A name that is typed is looked up nowhere: whether somebody has it makes no difference.
    for username in ["alice", "nobody"] {
        let asked = json!({ "invitation": invitation, "username": username, "password": GOOD });
        assert_eq!(verdict(&site.browser().judged("", asked).await), "very-good", "{username}");
    }

    let mut browser = site.browser();
    let csrf = browser.get("/.passgate/forgot").await.field("csrf");
    browser.post("/.passgate/forgot", &[("csrf", &csrf), ("username", "alice")]).await;
    let mails = mailing.mails().await;
    let mailed = mails[0].2.split("token=").nth(1).unwrap().split_whitespace().next().unwrap();
    let told = browser.judged("", json!({ "link": mailed, "password": "alice alice alice" })).await;
    assert_eq!(verdict(&told), "made-of-user-name");
}

#[tokio::test]
async fn web_01_nobody_is_told_anything_who_could_not_send_the_form() {
    let site = Site::with_alice().await;
    let mut member = site.signed_in("alice").await;
    let csrf = member.csrf().await;
    let asked = || json!({ "password": GOOD });
    let status = |answer: Answer| answer.status().as_u16();
    assert_eq!(status(site.browser().judged("", asked()).await), 401, "a guest");
    assert_eq!(status(site.browser().judged(&csrf, asked()).await), 401, "without the session");
    assert_eq!(status(member.judged("", asked()).await), 403, "not from the member's page");
    assert_eq!(status(member.get(ADDRESS).await), 405);
    let foreign =
        Request::post(ADDRESS).header(CONTENT_TYPE, "application/json").header("x-csrf-token", &csrf);
    let foreign = foreign.header(ORIGIN, "https://evil.example");
    assert_eq!(status(member.send_body(foreign, asked().to_string()).await), 403, "from another site");
    let as_form = Request::post(ADDRESS).header(ORIGIN, ORIGIN_OF_SITE);
    assert_eq!(status(member.post_as(as_form, &[("password", GOOD)]).await), 415);
    let large = json!({ "password": "x".repeat(4_096) });
    assert_eq!(status(member.judged(&csrf, large).await), 413);
    assert_eq!(status(member.judged(&csrf, json!({ "password": 7 })).await), 400);

    let unknown = SetupToken::generate().to_text().to_string();
    for asked in [
        json!({ "link": unknown, "password": GOOD }),
        json!({ "link": "x", "password": GOOD }),
        json!({ "invitation": unknown, "password": GOOD }),
    ] {
        assert_eq!(status(member.judged(&csrf, asked.clone()).await), 404, "{asked}");
    }
    let signs_in = site.accounts.find(&UserName::parse("alice").unwrap()).unwrap().unwrap().profile.id;
    let signs_in = site.accounts.link(signs_in, LinkKind::SignIn).await.unwrap().to_text().to_string();
    let asked = json!({ "link": signs_in, "password": GOOD });
    assert_eq!(status(site.browser().judged("", asked).await), 404, "a link that sets no password");
}

#[tokio::test]
async fn thr_08_guessing_the_token_of_a_link_counts_here_too() {
    let site = Site::new();
    let asked = || json!({ "link": SetupToken::generate().to_text().to_string(), "password": GOOD });
    for _ in 0..ThrottleOptions::default().address {
        assert_eq!(site.browser().judged("", asked()).await.status(), StatusCode::NOT_FOUND);
    }
    let answer = site.browser().judged("", asked()).await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn thr_09_who_asks_all_the_time_waits_and_the_form_goes_on_working() {
    let site = Site::new();
    let token = link(&site, &site.add("alice").await).await;
    let asked = || json!({ "link": token, "password": "short" });
    for _ in 0..60 {
        assert_eq!(verdict(&site.browser().judged("", asked()).await), "too-short");
    }
    let answer = site.browser().judged("", asked()).await;
    assert_eq!((answer.status(), answer.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "60"));
    let mut member = site.signed_in("alice").await;
    let csrf = member.csrf().await;
    let answer = member.judged(&csrf, json!({ "password": GOOD })).await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS, "another way, and the same member");
    let done = site.browser().post(SETUP, &[("token", &token), ("password", GOOD)]).await;
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    site.clock.advance(Duration::from_secs(60));
    let mut member = site.browser();
    assert_eq!(member.sign_in("alice", GOOD).await.status(), StatusCode::SEE_OTHER);
    let csrf = member.csrf().await;
    assert_eq!(verdict(&member.judged(&csrf, json!({ "password": GOOD })).await), "very-good");
}

#[tokio::test]
async fn ops_03_a_password_that_is_judged_stands_in_no_line_of_the_log() {
    let site = Site::with_alice().await;
    let mut member = site.signed_in("alice").await;
    let csrf = member.csrf().await;
    let log = audit::Log::start();
    for password in [GOOD, "hunter2 hunter2 hunter2"] {
        member.judged(&csrf, json!({ "password": password })).await;
    }
    member.judged(&csrf, json!({ "password": GOOD, "link": "x" })).await;
    for secret in [GOOD, "hunter2", &csrf] {
        assert!(!log.text().contains(secret), "{secret} in {}", log.text());
    }
}
