//! A passkey and no less: required by the site, or chosen by the member.

use super::super::audit::Log;
use super::*;
use crate::auth::second_factors::FactorsMet;
use crate::domain::{CredentialId, PasskeyFor, Persistence};

const LOGIN: &str = "/.passgate/login";
const USE: &str = "/.passgate/account/passkeys/use";
const ASKED: &str = "/.passgate/login?return_to=%2Findex.php&again=passkey";
const BOTH: PasskeyFor = PasskeyFor { signing_in: true, sensitive_actions: true };
const STALE: Duration = Duration::from_secs(301);

/// A site that requires passkeys of the group alice is in.
fn required() -> PasskeyOptions {
    let group = Group::parse("Tea & cake").unwrap();
    PasskeyOptions { required_for: RequiredFor::Groups(vec![group]), max_per_user: 3, ..everyone() }
}

fn only_passkeys() -> PasskeyOptions {
    PasskeyOptions { required_for: RequiredFor::Everyone, max_per_user: 3, ..everyone() }
}

impl Browser<'_> {
    /// Signs in with the password, on the way to `/index.php`.
    async fn by_password(&mut self, more: &[(&str, &str)]) -> Answer {
        let csrf = self.get("/.passgate/login?again=1").await.last_csrf();
        let mut fields = vec![
            ("csrf", &*csrf),
            ("username", "alice"),
            ("password", PASSWORD),
            ("return_to", "/index.php"),
        ];
        fields.extend(more);
        self.post(LOGIN, &fields).await
    }

    /// Uses a passkey on the page that asks for one; gives where that leads.
    async fn confirm_with(&mut self, device: &mut Device, return_to: &str) -> Value {
        let page = self.get("/.passgate/login?again=passkey").await;
        assert!(page.text().contains("Please use your passkey"), "{}", page.text());
        assert!(!page.text().contains("type=\"password\""), "no other way is offered");
        let (_, rest) = page.text().split_once("data-passkeys=\"step-up\"").unwrap();
        let csrf = rest.split_once("data-csrf=\"").unwrap().1.split_once('"').unwrap().0.to_owned();
        let challenge = self.begin("step-up", &csrf).await;
        let answer = device.get(&challenge);
        let done = self.finish("step-up", &csrf, &challenge, answer, json!({ "return_to": return_to })).await;
        assert_eq!(done.status(), StatusCode::OK, "{}", done.text());
        done.json()["location"].clone()
    }

    async fn choose(&mut self, boxes: &[&str]) -> Answer {
        let csrf = self.member_csrf().await;
        let mut fields = vec![("csrf", &*csrf)];
        fields.extend(boxes.iter().map(|name| (*name, "1")));
        self.post(USE, &fields).await
    }
}

impl Answer {
    /// That of the form in the page, not of the one to sign out in its head.
    fn last_csrf(&self) -> String {
        let (_, rest) = self.text().rsplit_once("name=\"csrf\" value=\"").unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    }
}

impl Site {
    /// A site whose member alice has a passkey.
    async fn with_device(options: PasskeyOptions) -> (Self, Device) {
        let site =
            Self::with_passkeys(PasskeyOptions { required_for: options.required_for, ..everyone() }).await;
        let alice = site.alice();
        let mut device = device();
        let token = site
            .sessions
            .start(FactorsMet::unasked(alice.clone()), Persistence::Browser, "", vec![])
            .await
            .unwrap();
        let mut browser = site.browser();
        browser.jar.insert(site.cookies.session_name().to_owned(), token.to_text().to_string());
        browser.enrol(&mut device).await;
        site.sessions.end_all(alice.profile.id, None, vec![]).await.unwrap();
        (site, device)
    }

    fn alice(&self) -> User {
        self.accounts.find(&UserName::parse("alice").unwrap()).unwrap().unwrap()
    }

    fn choice(&self) -> PasskeyFor {
        self.alice().passkey_for
    }
}

#[tokio::test]
async fn mf_01_who_needs_a_passkey_and_has_none_adds_one_confirms_with_it_and_goes_on() {
    let site = Site::with_passkeys(required()).await;
    let log = Log::start();
    let mut browser = site.browser();
    assert_eq!(browser.by_password(&[]).await.location(), ASKED);
    let add = browser.get(ASKED).await.location().to_owned();
    assert_eq!(add, format!("{ADD}?return_to=%2Findex.php&needed=1"));
    let page = browser.get(&add).await;
    assert!(page.text().contains("Your account needs a passkey."), "{}", page.text());
    assert!(page.text().contains("data-return-to=\"&#x2f;index.php\""));
    assert!(!page.text().contains("Keep your password"));
    let mut device = device();
    let name_it = browser.enrol(&mut device).await["location"].as_str().unwrap().to_owned();
    let target: String = form_urlencoded::byte_serialize(name_it.as_bytes()).collect();
    let asked = browser.get(&name_it).await.location().to_owned();
    assert_eq!(asked, format!("{LOGIN}?return_to={target}&again=passkey"));
    let before = browser.session().unwrap().clone();
    assert_eq!(browser.confirm_with(&mut device, &name_it).await, name_it);
    assert!(!site.live(&before) && site.live(browser.session().unwrap()), "BP-49: a new session");
    assert_eq!(browser.get(&name_it).await.status(), StatusCode::OK);
    assert!(browser.get(ACCOUNT).await.text().contains("alice@wonderland.example"));
    let names: Vec<_> = log.events().into_iter().map(|(name, ..)| name).collect();
    assert_eq!(names, ["passkey-awaited", "passkey-added", "confirmed"], "not signed in by the password");
}

#[tokio::test]
async fn mf_01_the_first_passkey_takes_a_fresh_sign_in_and_nobody_is_sent_round_in_circles() {
    let site = Site::with_passkeys(required()).await;
    let mut browser = site.browser();
    browser.by_password(&[]).await;
    site.clock.advance(STALE);
    let mut at = ASKED.to_owned();
    let mut seen = Vec::new();
    let page = loop {
        let answer = browser.get(&at).await;
        if answer.status() == StatusCode::OK {
            break answer;
        }
        at = answer.location().to_owned();
        assert!(!seen.contains(&at), "{seen:?}");
        seen.push(at.clone());
    };
    assert!(at.ends_with("&again=1") && page.text().contains("type=\"password\""), "{at}");
    let target = page.field("return_to");
    let csrf = page.last_csrf();
    let fields = [
        ("csrf", &*csrf),
        ("username", "alice"),
        ("password", PASSWORD),
        ("return_to", &target),
        ("again", "1"),
    ];
    let answer = browser.post(LOGIN, &fields).await;
    assert_eq!(answer.location(), format!("{ADD}?return_to=%2Findex.php&needed=1"), "straight to adding");
    assert_eq!(browser.get(answer.location()).await.status(), StatusCode::OK);
    let account = browser.get(ACCOUNT).await;
    assert_eq!(account.status(), StatusCode::OK, "our own pages stay in reach");
    assert!(account.text().contains("One more step:") && account.text().contains("again=passkey"));
    assert_eq!(browser.get("/.passgate/help/passkeys").await.status(), StatusCode::OK);
    let csrf = account.field("csrf");
    assert_eq!(browser.post("/.passgate/logout", &[("csrf", &csrf)]).await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn bp_65_a_password_is_no_way_around_a_passkey_that_is_asked_for() {
    let (site, mut phone) = Site::with_device(required()).await;
    let mut browser = site.browser();
    assert_eq!(browser.by_password(&[]).await.location(), ASKED);
    let account = browser.get(ACCOUNT).await;
    for secret in ["wonderland.example", "Tea &amp; cake", "Firefox", "/rename", "Liddell"] {
        assert!(!account.text().contains(secret), "{secret}");
    }
    let csrf = account.field("csrf");
    let handle = CredentialId::new(&phone.id).unwrap().handle();
    let asked = |answer: &Answer| answer.location().ends_with("&again=passkey");
    assert!(asked(&browser.get(ADD).await));
    for page in [RENAME, REMOVE] {
        assert!(asked(&browser.get(&format!("{page}?passkey={handle}")).await), "{page}");
    }
    let fields = [("csrf", &*csrf), ("passkey", &*handle), ("name", "x"), ("sure", "1"), ("session", "0")];
    for form in
        [RENAME, REMOVE, USE, "/.passgate/account/end-session", "/.passgate/account/end-other-sessions"]
    {
        assert!(asked(&browser.post(form, &fields).await), "{form}");
    }
    let begun = browser.call("add/begin", &csrf, &json!({})).await;
    assert_eq!(begun.refusal(), refused(403, "reauth_required"));
    assert_eq!(site.store.passkeys_of(site.alice().profile.id).unwrap().len(), 1);

    browser.confirm_with(&mut phone, "/").await;
    browser.enrol(&mut device()).await;
    assert_eq!(
        site.store.passkeys_of(site.alice().profile.id).unwrap().len(),
        2,
        "with the passkey it works"
    );
}

#[tokio::test]
async fn bp_65_of_two_browsers_that_add_the_first_passkey_at_once_one_does() {
    let site = Site::with_passkeys(required()).await;
    let (mut thief, mut member) = (site.browser(), site.browser());
    let mut begun = Vec::new();
    for browser in [&mut thief, &mut member] {
        browser.by_password(&[]).await;
        let csrf = browser.member_csrf().await;
        let challenge = browser.begin("add", &csrf).await;
        begun.push((csrf, challenge, device()));
    }
    let (csrf, challenge, device) = &mut begun[1];
    let answer = device.create(challenge);
    assert_eq!(member.finish("add", csrf, challenge, answer, json!({})).await.status(), StatusCode::OK);
    let (csrf, challenge, device) = &mut begun[0];
    let answer = device.create(challenge);
    let refusal = thief.finish("add", csrf, challenge, answer, json!({})).await.refusal();
    assert_eq!(refusal, refused(403, "reauth_required"));
}

#[tokio::test]
async fn bp_65_whom_a_rule_asks_for_a_passkey_gets_no_other_one_by_password() {
    let staff = RequiredFor::Groups(vec![Group::parse("Tea & cake").unwrap()]);
    let guests = RequiredFor::Groups(vec![Group::parse("guests").unwrap()]);
    for (asked_by_rules, is_asked) in [(staff, true), (RequiredFor::Everyone, true), (guests, false)] {
        let site = Site::with_passkeys(PasskeyOptions { asked_by_rules, ..everyone() }).await;
        let mut browser = site.signed_in("alice").await;
        let mut phone = device();
        browser.enrol(&mut phone).await;
        let answer = browser.get(ADD).await;
        assert_eq!(answer.status() == StatusCode::OK, !is_asked);
        assert!(browser.get("/.passgate/login?again=1").await.text().contains("type=\"password\""));
        if is_asked {
            assert!(answer.location().ends_with("&again=passkey"), "{}", answer.location());
            browser.confirm_with(&mut phone, "/").await;
            assert_eq!(browser.get(ADD).await.status(), StatusCode::OK);
        }
    }
}

#[tokio::test]
async fn a_member_who_may_have_no_passkey_is_told_so_and_not_sent_to_add_one() {
    let nobody = PasskeyOptions { rollout: Rollout::Groups(vec![]), ..everyone() };
    let site = Site::with_passkeys(nobody).await;
    let mut browser = site.signed_in("alice").await;
    let answer = browser.get(ASKED).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(answer.text().contains("your account can’t have one yet"), "{}", answer.text());
}

#[tokio::test]
async fn mf_28_where_passwords_are_off_none_is_asked_for_or_taken() {
    let (site, mut phone) = Site::with_device(only_passkeys()).await;
    let mut browser = site.browser();
    let page = browser.get(LOGIN).await;
    assert!(
        !page.text().contains("password\"") && page.text().contains("Sign in with a passkey"),
        "{}",
        page.text()
    );
    for again in ["", "1"] {
        let fields = [("csrf", "x"), ("username", "alice"), ("password", PASSWORD), ("again", again)];
        let answer = browser.post(LOGIN, &fields).await;
        assert_eq!((answer.status(), browser.session()), (StatusCode::FORBIDDEN, None));
        assert!(answer.text().contains("There are no passwords here"));
    }
    let request = Request::post(LOGIN).header(ORIGIN, ORIGIN_OF_SITE).header("sec-fetch-site", "same-origin");
    let request = request.header("x-requested-with", "XMLHttpRequest").header(CONTENT_TYPE, FORM);
    let body = format!("username=alice&password={PASSWORD}");
    let answer = ask(&site, request.body(body.into()).unwrap()).await;
    assert_eq!(answer.refusal(), refused(403, "passwords-off"), "nor by scripts");

    let link = site.accounts.link(site.alice().profile.id, LinkKind::SetUp).await.unwrap();
    let token = link.to_text().to_string();
    let page = site.browser().get(&format!("/.passgate/setup?token={token}")).await;
    assert!(page.text().contains("add a passkey") && !page.text().contains("password\""), "{}", page.text());
    let fields = [("token", &*token), ("password", PASSWORD)];
    assert_eq!(site.browser().post("/.passgate/setup", &fields).await.status(), StatusCode::FORBIDDEN);
    assert!(site.alice().setup.is_some(), "the link is not used up");

    browser.sign_in_with(&mut phone, json!({})).await;
    let page = browser.get("/.passgate/login?again=1").await;
    assert!(page.text().contains("Please use your passkey") && !page.text().contains("password\""));
}

#[tokio::test]
async fn mf_28_who_has_no_passkey_where_passwords_are_off_needs_a_link_while_it_is_fresh() {
    let site = Site::with_passkeys(only_passkeys()).await;
    let token = site
        .sessions
        .start(FactorsMet::unasked(site.alice()), Persistence::Browser, "", vec![])
        .await
        .unwrap();
    let mut browser = site.browser();
    browser.jar.insert(site.cookies.session_name().to_owned(), token.to_text().to_string());
    assert!(browser.get(ASKED).await.location().starts_with(ADD));
    assert_eq!(browser.get(ADD).await.status(), StatusCode::OK);
    site.clock.advance(STALE);
    let again = browser.get(ADD).await.location().to_owned();
    let answer = browser.get(&again).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(answer.text().contains("Please ask for a new link"), "{}", answer.text());
}

#[tokio::test]
async fn bp_68_the_last_passkey_stays_where_passwords_are_off() {
    let (site, mut phone) = Site::with_device(only_passkeys()).await;
    let mut browser = site.browser();
    browser.sign_in_with(&mut phone, json!({})).await;
    let csrf = browser.member_csrf().await;
    let handle = CredentialId::new(&phone.id).unwrap().handle();
    let remove = [("csrf", &*csrf), ("passkey", &*handle), ("sure", "1")];
    let answer = browser.post(REMOVE, &remove).await;
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    assert!(
        answer.text().contains("your only way to sign in.")
            && !answer.text().contains("Remove passkey</button>")
    );
    let mut laptop = device();
    browser.enrol(&mut laptop).await;
    let answer = browser.post(REMOVE, &remove).await;
    assert_eq!(answer.location(), "/.passgate/login?notice=passkey-removed", "one is left");
    assert!(!browser.get(answer.location()).await.text().contains("Your password still works"));
}

#[tokio::test]
async fn mx_11_mx_12_okx_12_a_member_chooses_what_passkeys_are_asked_for() {
    let site = Site::with_passkeys(everyone()).await;
    let log = Log::start();
    let mut browser = site.signed_in("alice").await;
    assert!(
        !browser.get(ACCOUNT).await.text().contains("passkeys are asked for"),
        "who has none has no choice"
    );
    assert_eq!(browser.choose(&["signing_in"]).await.status(), StatusCode::NOT_FOUND);
    let mut phone = device();
    browser.enrol(&mut phone).await;
    let page = browser.get(ACCOUNT).await;
    for part in ["What passkeys are asked for", "If you lose a device", "better add a second one first"] {
        assert!(page.text().contains(part), "{part}");
    }
    assert!(!page.text().contains(" checked"), "both are off");
    let forged = browser.post(USE, &[("csrf", "x"), ("signing_in", "1")]).await;
    assert_eq!(forged.status(), StatusCode::FORBIDDEN, "WEB-02");
    site.clock.advance(STALE);
    let stale = browser.choose(&["signing_in"]).await;
    assert!(stale.location().ends_with("&again=1"), "MX-12: {}", stale.location());
    assert_eq!(site.choice(), PasskeyFor::default());

    browser.confirm_with(&mut phone, "/").await;
    let saved = browser.choose(&["signing_in", "sensitive_actions"]).await;
    assert_eq!(saved.location(), "/.passgate/account?notice=passkey-use-saved");
    assert_eq!(site.choice(), BOTH);
    assert_eq!(browser.get(ACCOUNT).await.text().matches(" checked").count(), 2);
    assert_eq!(site.browser().by_password(&[]).await.location(), ASKED, "a password alone signs in no more");
    assert_eq!(site.browser().sign_in_with(&mut phone, json!({})).await.json()["location"], "/");
    browser.choose(&[]).await;
    assert_eq!(site.browser().by_password(&[]).await.location(), "/index.php");
    let events = log.events();
    let chosen: Vec<_> = events.iter().filter(|(name, ..)| name == "passkey-use-chosen").collect();
    assert_eq!(
        chosen.iter().map(|event| event.1.as_str()).collect::<Vec<_>>(),
        ["signing-in, sensitive-actions", "nothing"]
    );
}

#[tokio::test]
async fn mx_13_sensitive_actions_take_the_passkey_alone_once_that_is_chosen() {
    let (site, mut phone) = Site::with_device(everyone()).await;
    let mut browser = site.signed_in("alice").await;
    assert_eq!(browser.get(ADD).await.status(), StatusCode::OK, "MX-15: a fresh password is enough");
    browser.choose(&["sensitive_actions"]).await;
    for page in [ADD.to_owned(), "/.passgate/login?return_to=%2F&again=1".to_owned()] {
        let answer = browser.get(&page).await;
        let answer =
            if answer.status() == StatusCode::OK { answer } else { browser.get(answer.location()).await };
        assert!(answer.text().contains("Please use your passkey"), "{page}");
    }
    assert!(
        browser.choose(&[]).await.location().ends_with("&again=passkey"),
        "nor is it switched off without"
    );
    assert_eq!(
        site.browser().by_password(&[]).await.location(),
        "/index.php",
        "signing in is another matter"
    );
    browser.confirm_with(&mut phone, "/").await;
    assert_eq!(browser.get(ADD).await.status(), StatusCode::OK);
    browser.choose(&[]).await;
    assert_eq!(site.choice(), PasskeyFor::default());
}

#[tokio::test]
async fn mx_11_the_last_passkey_takes_the_choice_along() {
    let (site, mut phone) = Site::with_device(everyone()).await;
    let mut browser = site.browser();
    browser.sign_in_with(&mut phone, json!({})).await;
    browser.choose(&["signing_in", "sensitive_actions"]).await;
    let mut waiting = site.browser();
    assert_eq!(waiting.by_password(&[]).await.location(), ASKED);
    let (csrf, handle) = (browser.member_csrf().await, CredentialId::new(&phone.id).unwrap().handle());
    let page = browser.get(&format!("{REMOVE}?passkey={handle}")).await;
    assert!(page.text().contains("We’ll also stop asking you for a passkey."));
    browser.post(REMOVE, &[("csrf", &csrf), ("passkey", &handle), ("sure", "1")]).await;
    assert_eq!(site.choice(), PasskeyFor::default());
    assert!(
        waiting.get(ACCOUNT).await.text().contains("alice@wonderland.example"),
        "nothing is waited for any more"
    );
}

#[tokio::test]
async fn mx_14_adding_is_offered_for_after_the_password_and_never_instead() {
    let site = Site::with_passkeys(everyone()).await;
    let mut browser = site.signed_in("alice").await;
    let page = browser.get("/.passgate/login?return_to=%2Findex.php&again=1").await;
    assert!(page.text().contains("Then set up a passkey") && page.text().contains("type=\"password\""));
    assert_eq!(browser.by_password(&[("again", "1")]).await.location(), "/index.php", "only if it is ticked");
    let answer = browser.by_password(&[("again", "1"), ("then_add", "1")]).await;
    assert_eq!(answer.location(), format!("{ADD}?return_to=%2Findex.php"));
    assert!(!site.browser().get(LOGIN).await.text().contains("then_add"), "not to strangers");
    for options in [
        PasskeyOptions { suggest: Suggest::Never, ..everyone() },
        PasskeyOptions { rollout: Rollout::Groups(vec![]), ..everyone() },
    ] {
        let site = Site::with_passkeys(options).await;
        let page = site.signed_in("alice").await.get("/.passgate/login?again=1").await;
        assert!(!page.text().contains("then_add"));
    }
}

#[tokio::test]
async fn bp_50_bp_51_before_the_password_is_right_nothing_tells_who_needs_a_passkey() {
    for options in [everyone(), required()] {
        let (site, mut phone) = Site::with_device(options).await;
        let mut browser = site.browser();
        browser.sign_in_with(&mut phone, json!({})).await;
        browser.choose(&["signing_in", "sensitive_actions"]).await;
        let mut answers = Vec::new();
        for name in ["alice", "nobdy"] {
            let mut browser = site.browser();
            let answer = browser.sign_in(name, "not the password").await;
            let csrf = answer.field("csrf");
            let names: Vec<_> = answer.headers().keys().cloned().collect();
            answers.push((answer.status(), names, answer.text().replace(&csrf, "").replace(name, "")));
        }
        assert_eq!(answers[0], answers[1]);
    }
}
