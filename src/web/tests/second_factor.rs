//! Two-step sign-in, page by page.

mod short;

use std::time::Duration;

use super::audit::Log;
use super::mailing::Mailing;
use super::*;
use crate::auth::second_factors::App;

const LOGIN: &str = "/.passgate/login";
const CODE: &str = "/.passgate/login/code";
const TWO_STEP: &str = "/.passgate/account/two-step";
const OFF: &str = "/.passgate/account/two-step/off";
const CODES: &str = "/.passgate/account/two-step/codes";

/// A member who has set it up.
struct Enrolled {
    app: App,
    codes: Vec<String>,
}

impl Enrolled {
    fn code(&self, site: &Site) -> String {
        site.clock.advance(Duration::from_secs(30));
        self.app.shows(&site.clock)
    }
}

/// What is between two texts.
fn between<'t>(text: &'t str, start: &str, end: &str) -> &'t str {
    text.split_once(start).and_then(|(_, rest)| rest.split_once(end)).expect(start).0
}

/// What was written down of the audit events.
fn fields_of(log: &Log) -> Vec<serde_json::Value> {
    let lines = log.lines().into_iter().filter(|line| line["target"] == "passgate::audit");
    lines.map(|line| line["fields"].clone()).collect()
}

/// Of the form in the middle of the page; that to sign out has another.
fn sign_in_csrf(page: &Answer) -> String {
    let (_, form) = page.text().split_once("<form class=\"stack\"").unwrap();
    between(form, "name=\"csrf\" value=\"", "\"").to_owned()
}

fn codes_in(page: &Answer) -> Vec<String> {
    between(page.text(), "<pre tabindex=\"0\" aria-label=\"Recovery codes\">", "</pre>")
        .lines()
        .map(str::to_owned)
        .collect()
}

impl Browser<'_> {
    async fn turn_two_step_on(&mut self) -> Enrolled {
        let page = self.get(TWO_STEP).await;
        assert_eq!(page.status(), StatusCode::OK);
        let app = App::of(between(page.text(), "class=\"key\">", "</code>"));
        let (csrf, code) = (page.field("csrf"), app.shows(&self.site.clock));
        let done = self.post(TWO_STEP, &[("csrf", &csrf), ("code", &code)]).await;
        assert_eq!(done.status(), StatusCode::OK);
        Enrolled { app, codes: codes_in(&done) }
    }

    /// Sends the code on the page that asks for it.
    async fn enter(&mut self, code: &str, more: &[(&str, &str)]) -> Answer {
        let page = self.get(CODE).await;
        assert_eq!(page.status(), StatusCode::OK, "{}", page.text());
        let csrf = sign_in_csrf(&page);
        let mut fields = vec![("csrf", &*csrf), ("code", code)];
        fields.extend(more);
        self.post(CODE, &fields).await
    }

    async fn confirm(&mut self, enrolled: &Enrolled) {
        let csrf = sign_in_csrf(&self.get("/.passgate/login?again=1").await);
        let fields = [("csrf", &*csrf), ("username", "alice"), ("password", PASSWORD), ("again", "1")];
        let asked = self.post(LOGIN, &fields).await;
        assert!(asked.location().starts_with(CODE), "{}", asked.location());
        let code = enrolled.code(self.site);
        assert_eq!(self.enter(&code, &[]).await.status(), StatusCode::SEE_OTHER);
    }
}

#[tokio::test]
async fn setting_up_shows_the_key_until_it_counts_and_the_recovery_codes_once() {
    let site = Site::with_alice().await;
    let mut browser = site.signed_in("alice").await;
    assert!(browser.get("/.passgate/account").await.text().contains("Set up two-step sign-in"));
    let page = browser.get(TWO_STEP).await;
    let key = between(page.text(), "class=\"key\">", "</code>").to_owned();
    assert_eq!((key.len(), key.matches(' ').count()), (39, 7), "{key}");
    let plain = key.replace(' ', "");
    for part in [
        "<svg class=\"qr\"",
        "inputmode=\"numeric\" autocomplete=\"one-time-code\"",
        &format!(
            "otpauth:&#x2f;&#x2f;totp&#x2f;The%20Teapot%20Forum:alice?secret={plain}&amp;issuer=The%20Teapot%20Forum"
        ),
    ] {
        assert!(page.text().contains(part), "{part} in {}", page.text());
    }
    assert!(!page.text().contains("style="), "nothing inline");
    let csrf = page.field("csrf");
    let wrong = browser.post(TWO_STEP, &[("csrf", &csrf), ("code", "12 34")]).await;
    assert_eq!(wrong.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.text().contains(&key) && wrong.text().contains("didn’t fit"));
    let before = browser.session().unwrap().clone();
    let code = App::of(&key).shows(&site.clock);
    let done = browser.post(TWO_STEP, &[("csrf", &csrf), ("code", &code)]).await;
    let codes = codes_in(&done);
    assert_eq!((done.status(), codes.len()), (StatusCode::OK, 10));
    assert_eq!(done.header("cache-control"), "no-store");
    assert_ne!(browser.session().unwrap(), &before);
    assert!(!site.live(&before), "another session from then on");
    let account = browser.get("/.passgate/account").await;
    assert!(account.text().contains("You have 10 recovery codes left"), "{}", account.text());
    let again = browser.get(TWO_STEP).await;
    assert!(again.location().ends_with("two-step-there"));
    for page in [account.text(), browser.get(CODES).await.text(), browser.get(OFF).await.text()] {
        let secrets = codes.iter().chain([&key, &plain]);
        assert!(secrets.into_iter().all(|secret| !page.contains(secret)), "{page}");
    }
}

#[tokio::test]
async fn auth_10_after_the_right_password_there_is_no_session_and_no_mark_until_the_code_is_right() {
    let site = Site::with_alice().await;
    let enrolled = site.signed_in("alice").await.turn_two_step_on().await;
    let log = Log::start();
    let mut browser = site.browser();
    let page = browser.get("/.passgate/login?return_to=/viewtopic.php?t=5%26p=7").await;
    let (csrf, return_to) = (page.field("csrf"), page.field("return_to"));
    let fields = [
        ("csrf", &*csrf),
        ("return_to", &*return_to),
        ("username", "alice"),
        ("password", PASSWORD),
        ("remember", "1"),
    ];
    let asked = browser.post(LOGIN, &fields).await;
    let address = "/.passgate/login/code?return_to=%2Fviewtopic.php%3Ft%3D5%26p%3D7";
    assert_eq!((asked.status(), asked.location()), (StatusCode::SEE_OTHER, address));
    assert_eq!(asked.set_cookies(), Vec::<&str>::new());
    let page = browser.get(address).await;
    assert_eq!(page.field("return_to"), "/viewtopic.php?t=5&p=7");
    for part in ["inputmode=\"numeric\"", "autocomplete=\"one-time-code\"", "name=\"trust\"", "30 days"] {
        assert!(page.text().contains(part), "{part} in {}", page.text());
    }
    assert!(!page.text().contains(PASSWORD));
    let csrf = page.field("csrf");
    let fields = |code| [("csrf", csrf.clone()), ("return_to", return_to.clone()), ("code", code)];
    let send = async |browser: &mut Browser<'_>, code: String| {
        let fields = fields(code);
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        browser.post(CODE, &fields).await
    };
    let wrong = send(&mut browser, "000 00x".to_owned()).await;
    assert_eq!(wrong.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.set_cookies().is_empty() && wrong.text().contains("That didn’t work"));
    let code = enrolled.code(&site);
    let done = send(&mut browser, format!("{} {}", &code[..3], &code[3..])).await;
    assert_eq!((done.status(), done.location()), (StatusCode::SEE_OTHER, "/viewtopic.php?t=5&p=7"));
    assert!(done.session_cookie().ends_with("; Max-Age=2592000"), "stay signed in is kept");
    let after = browser.get(address).await;
    let on = browser.get(after.location()).await;
    assert_eq!(on.location(), "/viewtopic.php?t=5&p=7", "nothing waits any more");
    let events = fields_of(&log);
    assert_eq!(events[0]["event"], "second-factor-awaited");
    assert_eq!(events[1]["event"], "second-factor-refused");
    assert_eq!(events[2]["event"], "signed-in");
    assert_eq!(events[2]["second_factor"], "code");
}

#[tokio::test]
async fn web_01_the_code_is_taken_from_our_own_page_in_the_browser_of_the_password_alone() {
    let site = Site::with_alice().await;
    let enrolled = site.signed_in("alice").await.turn_two_step_on().await;
    let (mut victim, mut other) = (site.browser(), site.browser());
    victim.sign_in("alice", PASSWORD).await;
    let page = other.get(CODE).await;
    assert!(page.location().starts_with(LOGIN), "nobody waits there");
    other.get(LOGIN).await;
    let code = enrolled.code(&site);
    let csrf = victim.get(CODE).await.field("csrf");
    let stolen = other.post(CODE, &[("csrf", &csrf), ("code", &code)]).await;
    assert!(stolen.location().starts_with(LOGIN) && other.session().is_none());
    let request = Request::post(CODE).header(ORIGIN, "https://evil.example");
    let foreign = victim.post_as(request, &[("csrf", &csrf), ("code", &code)]).await;
    assert_eq!(foreign.status(), StatusCode::FORBIDDEN);
    assert_eq!(victim.enter(&code, &[]).await.status(), StatusCode::SEE_OTHER, "it was not used up");
    site.clock.advance(Duration::from_secs(300));
    let mut late = site.browser();
    late.sign_in("alice", PASSWORD).await;
    site.clock.advance(Duration::from_secs(300));
    assert!(late.get(CODE).await.location().starts_with(LOGIN), "five minutes");
}

#[tokio::test]
async fn l10_no_form_but_one_with_a_right_code_lets_anybody_in() {
    let site = Site::with_alice().await;
    let enrolled = site.signed_in("alice").await.turn_two_step_on().await;
    let code = enrolled.code(&site);
    let mut early = site.browser();
    let csrf = sign_in_csrf(&early.get(LOGIN).await);
    let without_password = early.post(CODE, &[("csrf", &csrf), ("code", &code)]).await;
    assert!(without_password.location().starts_with(LOGIN) && early.session().is_none());
    let mut browser = site.browser();
    browser.sign_in("alice", PASSWORD).await;
    let csrf = sign_in_csrf(&browser.get(CODE).await);
    for fields in [
        &[("csrf", &*csrf)][..],
        &[("csrf", &csrf), ("code", "")],
        &[("csrf", &csrf), ("code", &code), ("code", &code)],
        &[("csrf", &csrf), ("recovery", "1"), ("trust", "1"), ("then_add", "1")],
    ] {
        let answer = browser.post(CODE, fields).await;
        assert!(answer.status().is_client_error() && browser.session().is_none(), "{fields:?}");
    }
    assert_eq!(browser.enter(&code, &[]).await.status(), StatusCode::SEE_OTHER);
    assert!(browser.session().is_some());
}

#[tokio::test]
async fn thr_08_who_tries_codes_waits_as_with_passwords() {
    let site = Site::with_alice().await;
    let enrolled = site.signed_in("alice").await.turn_two_step_on().await;
    let mut thief = site.browser();
    thief.sign_in("alice", PASSWORD).await;
    for _ in 0..5 {
        assert_eq!(thief.enter("000000", &[]).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
    }
    let code = enrolled.code(&site);
    let page = thief.enter(&code, &[]).await;
    assert_eq!((page.status(), page.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, "30"));
    assert!(page.text().contains("Please wait a minute"));
    let password = site.browser().sign_in("alice", PASSWORD).await;
    assert_eq!(password.status(), StatusCode::TOO_MANY_REQUESTS, "one budget");
}

#[tokio::test]
async fn a_recovery_code_signs_in_is_written_down_and_counted() {
    let site = Site::with_alice().await;
    let mut first = site.signed_in("alice").await;
    let enrolled = first.turn_two_step_on().await;
    let mut browser = site.browser();
    browser.sign_in("alice", PASSWORD).await;
    let page = browser.get("/.passgate/login/code?with=recovery").await;
    assert!(page.text().contains("Recovery code") && !page.text().contains("inputmode"));
    let log = Log::start();
    let typed = enrolled.codes[0].to_uppercase().replace('-', "");
    let done = browser.enter(&typed, &[("recovery", "1")]).await;
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    let events = fields_of(&log);
    assert_eq!(events[0]["event"], "recovery-code-used");
    assert_eq!(events[0]["recovery_codes"], 9);
    assert_eq!(events[1]["second_factor"], "recovery-code");
    assert!(browser.get("/.passgate/account").await.text().contains("9 recovery codes left"));
    let csrf = browser.get(CODES).await.field("csrf");
    let new = browser.post(CODES, &[("csrf", &csrf)]).await;
    assert_eq!(codes_in(&new).len(), 10);
    assert!(codes_in(&new).iter().all(|code| !enrolled.codes.contains(code)));
}

#[tokio::test]
async fn a_trusted_browser_is_listed_and_ended_and_never_enough_to_change_anything() {
    let site = Site::with_alice().await;
    let mut first = site.signed_in("alice").await;
    let enrolled = first.turn_two_step_on().await;
    let mut phone = site.browser();
    phone.sign_in("alice", PASSWORD).await;
    let code = enrolled.code(&site);
    let done = phone.enter(&code, &[("trust", "1")]).await;
    let cookies = done.set_cookies();
    let cookie = cookies.iter().find(|line| line.starts_with("__Host-passgate-trusted=")).unwrap();
    assert!(cookie.ends_with("; HttpOnly; SameSite=Strict; Secure; Path=/; Max-Age=2592000"), "{cookie}");
    phone.jar.remove(site.cookies.session_name());
    let again = phone.sign_in("alice", PASSWORD).await;
    assert_eq!(again.location(), "/", "no code asked");
    for page in [OFF, CODES] {
        let answer = phone.get(page).await;
        assert!(answer.location().starts_with(LOGIN), "{page}: {}", answer.location());
    }
    phone.confirm(&enrolled).await;
    assert_eq!(phone.get(OFF).await.status(), StatusCode::OK, "with a code");
    let account = first.get("/.passgate/account").await;
    let name = account.field("device");
    assert!(account.text().contains("Browsers you trust"));
    let csrf = account.field("csrf");
    first.post("/.passgate/account/two-step/end-trust", &[("csrf", &csrf), ("device", &name)]).await;
    assert!(!first.get("/.passgate/account").await.text().contains("Browsers you trust"));
    phone.jar.remove(site.cookies.session_name());
    assert!(phone.sign_in("alice", PASSWORD).await.location().starts_with(CODE));
}

#[tokio::test]
async fn sib_17_on_a_shared_computer_no_trust_is_offered_or_taken() {
    let site = Site::with_alice().await;
    let enrolled = site.signed_in("alice").await.turn_two_step_on().await;
    let mut browser = site.browser();
    let csrf = browser.get(LOGIN).await.field("csrf");
    let fields = [("csrf", &*csrf), ("username", "alice"), ("password", PASSWORD), ("shared", "1")];
    browser.post(LOGIN, &fields).await;
    assert!(!browser.get(CODE).await.text().contains("name=\"trust\""));
    let code = enrolled.code(&site);
    let done = browser.enter(&code, &[("trust", "1")]).await;
    assert_eq!(done.status(), StatusCode::SEE_OTHER);
    assert!(done.set_cookies().iter().all(|line| !line.contains("passgate-trusted")));
}

#[tokio::test]
async fn turning_it_off_takes_a_fresh_sign_in_with_a_code() {
    let site = Site::with_alice().await;
    let mut browser = site.signed_in("alice").await;
    let enrolled = browser.turn_two_step_on().await;
    site.clock.advance(Duration::from_secs(301));
    let page = browser.get(OFF).await;
    assert!(page.location().contains("again=1"), "{}", page.location());
    browser.confirm(&enrolled).await;
    let csrf = browser.get(OFF).await.field("csrf");
    assert!(browser.post(OFF, &[("csrf", &csrf)]).await.location().ends_with("two-step-off"));
    assert!(site.browser().sign_in("alice", PASSWORD).await.location().starts_with('/'));
    assert!(
        site.second_factors
            .of(site.store.user_by_name("alice").unwrap().unwrap().profile.id)
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn auth_10_a_link_asks_for_the_code_too_and_a_reset_takes_nothing_away() {
    let site = Site::with_alice().await;
    let enrolled = site.signed_in("alice").await.turn_two_step_on().await;
    let alice = site.store.user_by_name("alice").unwrap().unwrap().profile.id;
    for kind in [LinkKind::SignIn, LinkKind::Reset] {
        let token = site.accounts.link(alice, kind).await.unwrap().to_text().to_string();
        let mut browser = site.browser();
        let page = browser.get(&format!("/.passgate/link?token={token}")).await;
        assert!(page.text().contains("name=\"code\""), "{}", page.text());
        for code in ["", "000000"] {
            let answer = browser.post("/.passgate/link", &[("token", &token), ("code", code)]).await;
            assert_eq!((answer.status(), browser.session()), (StatusCode::UNPROCESSABLE_ENTITY, None));
        }
        let code = enrolled.code(&site);
        let answer = browser.post("/.passgate/link", &[("token", &token), ("code", &code)]).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        assert!(browser.session().is_some_and(|session| site.live(session)));
        let used = site.browser().post("/.passgate/link", &[("token", &token), ("code", &code)]).await;
        assert_eq!(used.status(), StatusCode::GONE);
    }
    let token = site.accounts.link(alice, LinkKind::Reset).await.unwrap().to_text().to_string();
    let new = "a password of my own";
    let set = site.browser().post("/.passgate/setup", &[("token", &*token), ("password", new)]).await;
    assert_eq!(set.location(), "/.passgate/login?notice=password-set", "AUTH-10: signs nobody in");
    let after = site.browser().sign_in("alice", new).await;
    assert!(after.location().starts_with(CODE), "{}", after.location());
}

#[tokio::test]
async fn a_stranger_another_site_and_a_wrong_method_get_nowhere() {
    let site = Site::with_alice().await;
    for page in [TWO_STEP, CODES, OFF] {
        assert!(site.browser().get(page).await.location().starts_with(LOGIN), "{page}");
        let mut browser = site.signed_in("alice").await;
        assert_eq!(browser.post(page, &[("csrf", "0"), ("code", "0")]).await.status(), StatusCode::FORBIDDEN);
        let answer = browser.send(Request::delete(page)).await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.header("allow"), "GET, HEAD, POST");
    }
}

#[tokio::test]
async fn sib_08_a_member_is_told_by_mail_when_two_step_sign_in_is_turned_on_and_off() {
    let mailing = Mailing::new();
    mailing.site.add("alice").await;
    let mut browser = mailing.site.signed_in("alice").await;
    mailing.mails().await;
    browser.turn_two_step_on().await;
    let on = mailing.mails().await;
    assert!(on.len() == 1 && on[0].1.ends_with("was turned on"), "{on:?}");
    let page = browser.get("/.passgate/account/two-step/off").await;
    let csrf = page.field("csrf");
    browser.post("/.passgate/account/two-step/off", &[("csrf", &csrf)]).await;
    let off = mailing.mails().await;
    assert!(off.len() == 1 && off[0].1.ends_with("was turned off"), "{off:?}");
    assert!(off[0].2.contains("with Firefox on Linux"), "{off:?}");
}
