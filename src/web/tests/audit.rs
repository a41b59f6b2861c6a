use super::*;
pub(super) use crate::auth::captured_log::Log;

impl Log {
    /// The audit events: name, reason, member.
    pub(super) fn events(&self) -> Vec<(String, String, String)> {
        let lines = self.lines().into_iter();
        lines
            .filter(|line| line["target"] == "passgate::audit")
            .map(|line| {
                assert_eq!(line["fields"]["request_id"], "0f1e2d3c");
                assert_eq!(line["fields"]["client"], "127.0.0.1");
                let field = |name: &str| line["fields"][name].as_str().unwrap_or_default().to_owned();
                (field("event"), field("reason"), field("member"))
            })
            .collect()
    }
}

#[tokio::test]
async fn every_security_event_is_logged_and_nothing_that_was_typed() {
    let site = Site::new();
    let alice = site.add("alice").await;
    let id = alice.profile.id.to_string();
    let token = site.accounts.link(alice.profile.id, LinkKind::SetUp).await.unwrap().to_text().to_string();
    let log = Log::start();
    let mut browser = site.browser();
    browser.sign_in("hunter2 in the wrong field", "x").await;
    browser.sign_in("ALICE", "hunter2").await;
    let other = site.signed_in("alice").await;
    let mut browser = site.signed_in("alice").await;
    let csrf = browser.get("/.passgate/account").await.field("csrf");
    let short = SessionToken::parse(other.session().unwrap()).unwrap().hash().short();
    browser.post("/.passgate/account/end-session", &[("csrf", &csrf), ("session", &short)]).await;
    browser.post("/.passgate/account/end-other-sessions", &[("csrf", &csrf)]).await;
    browser.post("/.passgate/logout", &[("csrf", &csrf)]).await;
    browser.post("/.passgate/setup", &[("token", &token), ("password", "hunter2 hunter2")]).await;
    let event =
        |name: &str, reason: &str, member: &str| (name.to_owned(), reason.to_owned(), member.to_owned());
    assert_eq!(
        log.events(),
        [
            event("sign-in-refused", "unknown-name", ""),
            event("sign-in-refused", "wrong-password", &id),
            event("signed-in", "", &id),
            event("signed-in", "", &id),
            event("session-ended", "", &id),
            event("other-sessions-ended", "", &id),
            event("signed-out", "", &id),
            event("set-up", "", &id),
        ]
    );
    let text = log.text();
    for secret in ["hunter2", PASSWORD, &token, &csrf, other.session().unwrap(), "ALICE"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
}

#[tokio::test]
async fn thr_16_a_store_that_fails_signs_nobody_in_or_out_and_tells_the_log_alone() {
    let site = Site::with_alice().await;
    let mut member = site.signed_in("alice").await;
    let csrf = member.get("/.passgate/logout").await.field("csrf");
    let mut visitor = site.browser();
    visitor.get("/.passgate/login").await;
    let log = Log::start();
    site.store.break_down();
    let refused = visitor.sign_in("alice", PASSWORD).await;
    assert_eq!((refused.status(), visitor.session()), (StatusCode::SERVICE_UNAVAILABLE, None));
    assert!(refused.text().contains("Nothing was changed.") && !refused.text().contains("/var/lib"));
    let kept = member.post("/.passgate/logout", &[("csrf", &csrf)]).await;
    assert_eq!(kept.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        kept.set_cookies().is_empty() && site.live(member.session().unwrap()),
        "not said to be signed out"
    );
    assert_eq!(log.text().matches("no space left").count(), 2);
    assert!(log.events().is_empty());
}
