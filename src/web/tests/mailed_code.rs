//! Codes that are mailed, page by page.

use super::mailing::{Mail, Mailing};
use super::*;
use crate::auth::second_factors::{Availability, SecondFactorOptions};
use crate::domain::Proof;
use crate::policy::SecondFactorFor;

const CODE: &str = "/.passgate/login/code";
const MAIL: &str = "/.passgate/account/two-step/mail";
const NEW: &str = "a password of my own";
const OTHER: &str = "another password of mine";
const ALICE: &str = "alice@wonderland.example";

pub(super) fn options_with(mail: Availability, groups: &[&str]) -> SecondFactorOptions {
    let groups = groups.iter().map(|group| Group::parse(group).unwrap()).collect();
    SecondFactorOptions {
        availability: Availability::On,
        mail,
        required_for: SecondFactorFor::Groups(groups),
        trust: Some(Duration::from_secs(30 * 86_400)),
        key_file: std::path::PathBuf::new(),
    }
}

/// A site where codes are mailed, and alice, whose address is confirmed.
async fn site() -> Mailing {
    let mailing = Mailing::new();
    mailing.site.second_factors.set_options(options_with(Availability::On, &[]));
    mailing.site.add("alice").await;
    let mut browser = mailing.site.signed_in("alice").await;
    let csrf = browser.get("/.passgate/account/email").await.field("csrf");
    browser.post("/.passgate/account/email", &[("csrf", &csrf), ("email", ALICE)]).await;
    let mails = mailing.mails().await;
    let link = mails[0].2.lines().find_map(|line| line.strip_prefix(ORIGIN_OF_SITE)).unwrap();
    let page = browser.get(link).await;
    let fields = [("csrf", &*page.field("csrf")), ("token", &*page.field("token"))];
    browser.post("/.passgate/account/email/confirm", &fields).await;
    mailing
}

impl Mailing {
    /// Alice turns it on; her recovery codes.
    async fn turn_on(&self) -> Vec<String> {
        let mut browser = self.site.signed_in("alice").await;
        let csrf = browser.get(MAIL).await.field("csrf");
        let page = browser.post(MAIL, &[("csrf", &csrf)]).await;
        assert_eq!(page.status(), StatusCode::OK, "{}", page.text());
        let (_, codes) = page.text().split_once("Recovery codes\">").unwrap();
        let codes = codes.split_once("</pre>").unwrap().0.lines().map(str::to_owned).collect();
        let told = self.mails().await;
        assert!(told.iter().any(|(_, subject, _)| subject.contains("was turned on")), "{told:?}");
        codes
    }

    /// The password in a browser of its own; the browser, and the codes that were mailed.
    async fn begin(&self, password: &str) -> (Browser<'_>, Vec<String>) {
        let mut browser = self.site.browser();
        let asked = browser.sign_in("alice", password).await;
        assert!(asked.location().starts_with(CODE), "{}", asked.location());
        assert_eq!(browser.session(), None, "no session yet");
        (browser, self.codes().await)
    }

    async fn codes(&self) -> Vec<String> {
        self.mails().await.iter().filter_map(code_in).collect()
    }

    fn proof_of(&self, browser: &Browser<'_>) -> Proof {
        let token = SessionToken::parse(browser.session().expect("a session")).unwrap();
        self.site.sessions.check(&token).unwrap().proof()
    }
}

impl Browser<'_> {
    async fn show(&mut self, code: &str, more: &[(&str, &str)]) -> Answer {
        let page = self.get(CODE).await;
        let csrf = page.field("csrf");
        let mut fields = vec![("csrf", &*csrf), ("code", code)];
        fields.extend(more);
        self.post(CODE, &fields).await
    }
}

fn code_in((to, subject, text): &Mail) -> Option<String> {
    let is_one =
        |line: &&str| line.len() == 9 && line.chars().all(|sign| sign.is_ascii_digit() || sign == ' ');
    let code = text.lines().find(is_one).map(str::to_owned)?;
    assert_eq!((&**to, &**subject), (ALICE, "Your code for The Teapot Forum"));
    Some(code)
}

fn wrong(code: &str) -> String {
    let first = if code.starts_with('0') { '1' } else { '0' };
    format!("{first}{}", &code[1..])
}

#[tokio::test]
async fn auth_09_a_mailed_code_lets_in_once_and_is_nowhere_in_the_store() {
    let mailing = site().await;
    mailing.turn_on().await;
    let (mut browser, codes) = mailing.begin(PASSWORD).await;
    let page = browser.get(CODE).await;
    assert!(page.text().contains("a…@w….example") && !page.text().contains(ALICE), "{}", page.text());
    let [code] = &codes[..] else { panic!("{codes:?}") };
    let stored = format!("{:?}", mailing.site.store.record(Drawer::Mail, mailing.alice(), &[]).unwrap());
    for spelling in [code.clone(), code.replace(' ', "")] {
        assert!(!stored.contains(&format!("{:?}", spelling.as_bytes()).replace(['[', ']'], "")), "{stored}");
    }
    let done = browser.show(&format!(" {code}"), &[]).await;
    assert_eq!(done.status(), StatusCode::SEE_OTHER, "{}", done.text());
    assert_eq!(mailing.proof_of(&browser), Proof::PasswordAndMailedCode);
    let (mut other, _) = mailing.begin(PASSWORD).await;
    assert_eq!(other.show(code, &[]).await.status(), StatusCode::UNPROCESSABLE_ENTITY, "once");
}

impl Mailing {
    fn alice(&self) -> Owner {
        Owner::Member(
            self.site.accounts.find(&UserName::parse("alice").unwrap()).unwrap().unwrap().profile.id,
        )
    }
}

#[tokio::test]
async fn auth_09_a_code_is_over_after_ten_minutes_a_newer_one_or_five_tries() {
    let mailing = site().await;
    mailing.turn_on().await;
    let (mut browser, first) = mailing.begin(PASSWORD).await;
    let again = browser.show("", &[("another", "1")]).await;
    assert!(again.text().contains("Another code is on its way"), "{}", again.text());
    let second = mailing.codes().await.remove(0);
    assert_eq!(browser.show(&first[0], &[]).await.status(), StatusCode::UNPROCESSABLE_ENTITY, "a newer one");
    mailing.site.clock.advance(Duration::from_secs(599));
    assert_eq!(browser.get(CODE).await.status(), StatusCode::OK, "it waits as long as the code is good");
    mailing.site.clock.advance(Duration::from_secs(1));
    assert!(browser.get(CODE).await.location().starts_with("/.passgate/login"), "ten minutes");
    let (mut browser, _) = mailing.begin(PASSWORD).await;
    assert_eq!(browser.show(&second, &[]).await.status(), StatusCode::UNPROCESSABLE_ENTITY);

    mailing.site.clock.advance(Duration::from_secs(3_600));
    mailing.site.web.parts.throttle.forgive(mailing.id()).unwrap();
    let (mut browser, codes) = mailing.begin(PASSWORD).await;
    for _ in 0..5 {
        assert_ne!(browser.show(&wrong(&codes[0]), &[]).await.status(), StatusCode::SEE_OTHER);
        mailing.site.web.parts.throttle.forgive(mailing.id()).unwrap();
    }
    let late = browser.show(&codes[0], &[]).await;
    assert_eq!(late.status(), StatusCode::UNPROCESSABLE_ENTITY, "five tries, whatever the throttle says");
}

impl Mailing {
    fn id(&self) -> crate::domain::UserId {
        self.site.accounts.find(&UserName::parse("alice").unwrap()).unwrap().unwrap().profile.id
    }
}

#[tokio::test]
async fn thr_01_wrong_codes_count_with_wrong_passwords_and_mails_are_bounded() {
    let mailing = site().await;
    mailing.turn_on().await;
    let (mut browser, codes) = mailing.begin(PASSWORD).await;
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(browser.show(&wrong(&codes[0]), &[]).await.status());
    }
    assert_eq!(statuses[4..], [StatusCode::UNPROCESSABLE_ENTITY, StatusCode::TOO_MANY_REQUESTS]);
    let mut sent = 1;
    let enough = loop {
        let answer = browser.show("", &[("another", "1")]).await;
        if answer.status() != StatusCode::OK {
            break answer;
        }
        sent += mailing.codes().await.len();
    };
    assert_eq!((enough.status(), sent), (StatusCode::TOO_MANY_REQUESTS, 10));
    assert!(enough.text().contains("mailed you many codes"), "{}", enough.text());
}

#[tokio::test]
async fn auth_10_after_a_reset_by_mail_no_mailed_code_counts_until_something_else_was_shown() {
    let mailing = site().await;
    let recovery = mailing.turn_on().await;
    let (mut waiting, before) = mailing.begin(PASSWORD).await;
    mailing.ask_reset("alice");
    let mails = mailing.mails().await;
    let token = mails[0].2.split_once("setup?token=").unwrap().1.split_whitespace().next().unwrap();
    let fields = [("token", token), ("password", NEW)];
    let set = mailing.site.browser().post("/.passgate/setup", &fields).await;
    assert_eq!(set.status(), StatusCode::SEE_OTHER);
    let late = waiting.post(CODE, &[("csrf", "x"), ("code", &before[0])]).await;
    assert!(waiting.session().is_none() && late.status() != StatusCode::OK, "what was begun before is over");
    mailing.mails().await;
    for wait in [0, 3_601, 30 * 86_400] {
        mailing.site.clock.advance(Duration::from_secs(wait));
        let (mut browser, codes) = mailing.begin(NEW).await;
        assert!(codes.is_empty(), "the mailbox has been shown already");
        let page = browser.get(CODE).await;
        assert!(page.text().contains("would show nothing more"), "{}", page.text());
        let another = browser.show("", &[("another", "1")]).await;
        assert!(mailing.codes().await.is_empty() && another.text().contains("recovery code"));
        let refused = browser.show(&before[0], &[]).await;
        assert_eq!((refused.status(), browser.session()), (StatusCode::UNPROCESSABLE_ENTITY, None));
    }
    let (mut browser, _) = mailing.begin(NEW).await;
    let done = browser.show(&recovery[0], &[("recovery", "1")]).await;
    assert_eq!(done.status(), StatusCode::SEE_OTHER, "{}", done.text());
    assert_eq!(mailing.proof_of(&browser), Proof::PasswordAndCode);
    let (mut browser, codes) = mailing.begin(NEW).await;
    assert_eq!(browser.show(&codes[0], &[]).await.status(), StatusCode::SEE_OTHER, "now it counts again");
}

#[tokio::test]
async fn auth_10_an_operators_link_to_a_password_makes_mailed_codes_count_again() {
    let mailing = site().await;
    mailing.turn_on().await;
    let id = mailing.id();
    mailing.ask_reset("alice");
    let mails = mailing.mails().await;
    let token = mails[0].2.split_once("setup?token=").unwrap().1.split_whitespace().next().unwrap();
    mailing.site.browser().post("/.passgate/setup", &[("token", token), ("password", NEW)]).await;
    let link = mailing.site.accounts.link(id, LinkKind::SetUp).await.unwrap().to_text();
    mailing.site.browser().post("/.passgate/setup", &[("token", &link), ("password", OTHER)]).await;
    mailing.mails().await;
    assert_eq!(mailing.begin(OTHER).await.1.len(), 1);
}

#[tokio::test]
async fn an_address_that_is_not_confirmed_gets_no_code_and_the_code_is_asked_all_the_same() {
    let mailing = site().await;
    let recovery = mailing.turn_on().await;
    let moved = |user: &mut User| {
        user.profile.email = Some("other@wonderland.example".to_owned());
        Verdict::Keep
    };
    let change = Change::ReviseUser(mailing.id(), Box::new(moved));
    mailing.site.store.apply(vec![change]).await.unwrap();
    let (mut browser, codes) = mailing.begin(PASSWORD).await;
    assert!(codes.is_empty());
    assert!(browser.get(CODE).await.text().contains("Your e-mail address is not confirmed"));
    assert_eq!(browser.show(&recovery[0], &[("recovery", "1")]).await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn where_a_second_factor_is_required_a_mailed_code_is_not_enough() {
    let mailing = site().await;
    mailing.turn_on().await;
    mailing.site.second_factors.set_options(options_with(Availability::On, &["Tea & cake"]));
    let (mut browser, codes) = mailing.begin(PASSWORD).await;
    browser.show(&codes[0], &[("trust", "1")]).await;
    let awaits = |browser: &Browser<'_>| {
        let token = SessionToken::parse(browser.session().unwrap()).unwrap();
        mailing.site.second_factors.are_awaited(&mailing.site.sessions.check(&token).unwrap())
    };
    assert!(awaits(&browser), "it is as strong as the mailbox");
    let next = browser.get("/.passgate/login?again=second-factor&return_to=%2F").await;
    assert!(next.location().starts_with("/.passgate/account/two-step?"), "to an app: {}", next.location());
    assert_eq!(browser.get(next.location()).await.status(), StatusCode::OK);
    browser.jar.remove("__Host-passgate");
    assert_eq!(browser.sign_in("alice", PASSWORD).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(mailing.proof_of(&browser), Proof::TrustedByMail);
    assert!(awaits(&browser), "nor is a browser that was trusted after one");
    let mut fresh = mailing.site.signed_in_by_mail(&mailing).await;
    assert_eq!(fresh.get(MAIL).await.status(), StatusCode::NOT_FOUND, "it is not offered to them");
}

impl Site {
    async fn signed_in_by_mail(&self, mailing: &Mailing) -> Browser<'_> {
        let mut browser = self.browser();
        browser.sign_in("alice", PASSWORD).await;
        let code = mailing.codes().await.remove(0);
        browser.show(&code, &[]).await;
        browser
    }
}

#[tokio::test]
async fn it_is_offered_where_the_operator_allows_it_to_who_has_confirmed_their_address() {
    let mailing = site().await;
    let account = "/.passgate/account";
    let offer = "Have codes mailed";
    let mut alice = mailing.site.signed_in("alice").await;
    assert!(alice.get(account).await.text().contains(offer));
    mailing.site.add("bob").await;
    let mut bob = mailing.site.signed_in("bob").await;
    let page = bob.get(account).await;
    assert!(!page.text().contains(offer) && page.text().contains("Once your e-mail address is confirmed"));
    assert_eq!(bob.get(MAIL).await.status(), StatusCode::NOT_FOUND);
    let csrf = page.field("csrf");
    assert_eq!(bob.post(MAIL, &[("csrf", &csrf)]).await.status(), StatusCode::NOT_FOUND);
    mailing.site.second_factors.set_options(options_with(Availability::Off, &[]));
    assert!(!alice.get(account).await.text().contains("codes mailed"));
    assert_eq!(alice.get(MAIL).await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn where_codes_are_mailed_no_longer_nobody_is_asked_for_one_and_an_app_takes_their_place() {
    let mailing = site().await;
    mailing.turn_on().await;
    mailing.site.second_factors.set_options(options_with(Availability::Off, &[]));
    let mut browser = mailing.site.signed_in("alice").await;
    assert!(browser.get("/.passgate/account").await.text().contains("Set up two-step sign-in"));
    assert!(mailing.codes().await.is_empty());
    mailing.site.second_factors.set_options(options_with(Availability::On, &[]));
    let mut browser = mailing.site.signed_in_by_mail(&mailing).await;
    let page = browser.get("/.passgate/account/two-step").await;
    let key = page.text().split_once("class=\"key\">").unwrap().1.split_once('<').unwrap().0.to_owned();
    let app = crate::auth::second_factors::App::of(&key);
    let (csrf, code) = (page.field("csrf"), app.shows(&mailing.site.clock));
    let done = browser.post("/.passgate/account/two-step", &[("csrf", &csrf), ("code", &code)]).await;
    assert_eq!(done.status(), StatusCode::OK, "{}", done.text());
    let mut other = mailing.site.browser();
    other.sign_in("alice", PASSWORD).await;
    assert!(mailing.codes().await.is_empty() && other.get(CODE).await.text().contains("authenticator app"));
}

#[tokio::test]
async fn a_link_that_signs_in_asks_for_a_mailed_code_that_is_sent_when_it_is_asked_for() {
    let mailing = site().await;
    mailing.turn_on().await;
    let link = mailing.site.accounts.link(mailing.id(), LinkKind::SignIn).await.unwrap().to_text();
    let mut browser = mailing.site.browser();
    let page = browser.get(&format!("/.passgate/link?token={}", *link)).await;
    assert!(page.text().contains("Send me a code"), "{}", page.text());
    assert!(mailing.codes().await.is_empty(), "looking sends nothing");
    let sent = browser.post("/.passgate/link", &[("token", &link), ("another", "1"), ("code", "")]).await;
    assert!(sent.text().contains("A code is on its way"), "{}", sent.text());
    let code = mailing.codes().await.remove(0);
    let refused = browser.post("/.passgate/link", &[("token", &link), ("code", &wrong(&code))]).await;
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let done = browser.post("/.passgate/link", &[("token", &link), ("code", &code)]).await;
    assert_eq!(done.status(), StatusCode::SEE_OTHER, "{}", done.text());
    assert_eq!(mailing.proof_of(&browser), Proof::Link);
}
