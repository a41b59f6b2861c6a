use http::header::REFERER;

use super::audit::Log;
use super::*;
use crate::policy::SignInReason;
use crate::web::{Late, Resend};

const TARGET: &str = "/posting.php?canary-query";
const BODY: &str = "subject=canary+subject&message=canary+message";

fn posted(cookies: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, FORM.parse().unwrap());
    headers.insert(ORIGIN, ORIGIN_OF_SITE.parse().unwrap());
    headers.insert(REFERER, "https://forum.example/posting.php".parse().unwrap());
    headers.insert("accept", "text/html".parse().unwrap());
    headers.insert(COOKIE, cookies.parse().unwrap());
    headers
}

#[tokio::test]
async fn r3_what_becomes_of_a_form_is_in_the_audit_log_and_nothing_that_was_typed() {
    let site = Site::new();
    let alice = site.add("alice").await.profile.id;
    let log = Log::start();
    let mut browser = site.signed_in("alice").await;
    let cookies = |browser: &Browser<'_>| {
        let pairs: Vec<_> = browser.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    };
    for button in ["send", "discard"] {
        let headers = posted(&cookies(&browser));
        let room = site.web.room_for(&Method::POST, &headers, crate::web::Audience::Page).unwrap().unwrap();
        let late = Late { member: alice, reason: SignInReason::StepUp, target: TARGET, headers: &headers };
        let answer = site.web.keep(late, BODY.into(), room, &nobody()).await;
        assert_eq!(
            answer.headers()["location"],
            "/.passgate/login?return_to=%2F.passgate%2Faccount%2Fkept&again=1"
        );
        let page = browser.get("/.passgate/account/kept").await;
        let value = |name: &str| {
            let marker = format!("name=\"{name}\" value=\"");
            page.text().split(&marker).last().unwrap().split('"').next().unwrap().to_owned()
        };
        assert!(page.text().contains("canary message"), "{}", page.text());
        let fields = [("csrf", value("csrf")), ("form", value("form"))];
        let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
        let clicked = browser.post(&format!("/.passgate/account/kept/{button}"), &fields).await;
        assert!(clicked.status().is_redirection(), "{}", clicked.text());
    }
    let token = SessionToken::parse(browser.session().unwrap()).unwrap();
    let session = site.sessions.check(&token).unwrap();
    let visit = Visit { member: Some(Member { token: &token, session: &session }), ..nobody() };
    let sent = site.web.resend(&posted(&cookies(&browser)), TARGET, &visit).await;
    let Resend::Form(form, body) = sent else { panic!("{sent:?}") };
    assert_eq!(body, BODY);
    site.web.put_back(&form, crate::auth::Progress::Unanswered, &visit);
    let problem = site.web.not_kept(crate::web::Problem::FormTooLarge, alice, &nobody());
    assert_eq!(problem.status(), StatusCode::PAYLOAD_TOO_LARGE);

    let events: Vec<_> = log.events().into_iter().skip(1).collect();
    let event = |name: &str, reason: &str| (name.to_owned(), reason.to_owned(), alice.to_string());
    assert_eq!(
        events,
        [
            event("form-kept", ""),
            event("form-kept", ""),
            event("form-discarded", ""),
            event("form-sent", ""),
            event("form-kept", ""),
            event("form-not-kept", "form-too-large"),
        ]
    );
    assert!(log.text().contains(&format!("\"bytes\":{}", BODY.len())));
    assert!(!log.text().contains("canary"), "{}", log.text());
}
