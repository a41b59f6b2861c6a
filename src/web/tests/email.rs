use super::mailing::{Mail, Mailing};
use super::*;

const EMAIL: &str = "/.passgate/account/email";
const CONFIRM: &str = "/.passgate/account/email/confirm";
const NEW: &str = "alice@rabbit-hole.example";
const OLD: &str = "alice@wonderland.example";

impl Browser<'_> {
    async fn ask_for(&mut self, address: &str) -> Answer {
        let csrf = self.get(EMAIL).await.field("csrf");
        self.post(EMAIL, &[("csrf", &csrf), ("email", address)]).await
    }

    /// Opens the link and presses the button.
    async fn take_up(&mut self, link: &str) -> Answer {
        let page = self.get(link).await;
        if page.status() != StatusCode::OK {
            return page;
        }
        let fields = [("csrf", &*page.field("csrf")), ("token", &*page.field("token"))];
        self.post(CONFIRM, &fields).await
    }
}

/// The path of the link in a mail.
fn link((_, _, text): &Mail) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix(ORIGIN_OF_SITE));
    line.unwrap_or_else(|| panic!("no link in {text}")).to_owned()
}

fn email_of(site: &Site, name: &str) -> (Option<String>, bool) {
    let user = site.accounts.find(&UserName::parse(name).unwrap()).unwrap().unwrap();
    let standing = site.accounts.address_of(&user.profile).unwrap();
    (user.profile.email, standing.confirmed.is_some())
}

#[tokio::test]
async fn auth_09_an_address_is_taken_when_the_link_sent_there_is_opened_in_the_same_account() {
    let mailing = Mailing::new();
    let site = &mailing.site;
    site.add("alice").await;
    let mut browser = site.signed_in("alice").await;
    assert_eq!(browser.ask_for(NEW).await.location(), "/.passgate/account?notice=email-sent");
    let page = browser.get("/.passgate/account?notice=email-sent").await;
    for part in [OLD, "not confirmed", NEW, "22 November 2026, 07:00 UTC", "account/email/cancel"] {
        assert!(page.text().replace("&#x2f;", "/").contains(part), "{part} in {}", page.text());
    }
    let mails = mailing.mails().await;
    let [mail] = &mails[..] else { panic!("{mails:?}") };
    assert_eq!((&*mail.0, &*mail.1), (NEW, "Your e-mail address at The Teapot Forum"));
    let link = link(mail);
    let token = link.split_once("token=").unwrap().1;
    assert!(!format!("{:?}", site.store.records(Drawer::Mail, owner(site, "alice"))).contains(token));

    site.add("bob").await;
    let mut other = site.signed_in("bob").await;
    assert_eq!(other.take_up(&link).await.status(), StatusCode::GONE, "another account's");
    let visitor = site.browser().get(&link).await;
    assert!(visitor.location().starts_with("/.passgate/login?return_to=%2F.passgate%2Faccount%2Femail"));
    for _ in 0..2 {
        assert_eq!(browser.get(&link).await.status(), StatusCode::OK, "looking changes nothing");
    }
    assert_eq!(email_of(site, "alice"), (Some(OLD.to_owned()), false));
    let done = browser.take_up(&link).await;
    assert_eq!(done.location(), "/.passgate/account?notice=email-confirmed");
    assert_eq!(email_of(site, "alice"), (Some(NEW.to_owned()), true));
    let token = SessionToken::parse(browser.session().unwrap()).unwrap();
    let session = site.sessions.check(&token).unwrap();
    assert_eq!(session.profile().email.as_deref(), Some(NEW), "the application is told at once");
    assert_eq!(browser.take_up(&link).await.status(), StatusCode::GONE, "once");
    let told = mailing.mails().await;
    let told: Vec<_> = told.iter().map(|(to, subject, _)| (&**to, &**subject)).collect();
    assert_eq!(told[0], (OLD, "Your e-mail address at The Teapot Forum was changed"));
    assert!(told[1..].iter().all(|(_, subject)| !subject.contains("e-mail")), "{told:?}");
    let page = browser.get("/.passgate/account").await;
    assert!(page.text().contains(NEW) && !page.text().contains("not confirmed"), "{}", page.text());
}

fn owner(site: &Site, name: &str) -> Owner {
    Owner::Member(site.accounts.find(&UserName::parse(name).unwrap()).unwrap().unwrap().profile.id)
}

#[tokio::test]
async fn who_confirms_the_address_they_had_is_told_nothing_more() {
    let mailing = Mailing::new();
    mailing.site.add("alice").await;
    let mut browser = mailing.site.signed_in("alice").await;
    assert_eq!(browser.get(EMAIL).await.field("email"), OLD, "it is there already");
    browser.ask_for(OLD).await;
    let mails = mailing.mails().await;
    assert_eq!(browser.take_up(&link(&mails[0])).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(email_of(&mailing.site, "alice"), (Some(OLD.to_owned()), true));
    assert!(mailing.mails().await.is_empty());
    let again = browser.ask_for(OLD).await;
    assert!(again.text().contains("You have that address already"), "{}", again.text());
}

#[tokio::test]
async fn auth_14_whose_an_address_is_shows_in_its_mailbox_alone() {
    let mailing = Mailing::new();
    let site = &mailing.site;
    site.add("alice").await;
    site.add("bob").await;
    let mut browser = site.signed_in("alice").await;
    let csrf = browser.get(EMAIL).await.field("csrf");
    let mut seen = Vec::new();
    let mut mails = Vec::new();
    for address in ["Bob@wonderland.example", "nobody@wonderland.example"] {
        let asked = browser.post(EMAIL, &[("csrf", &csrf), ("email", address)]).await;
        mails.extend(mailing.mails().await);
        let page = browser.get("/.passgate/account").await;
        let told = page.text().replace(address, "").replace(&address.to_lowercase(), "");
        seen.push((asked.status(), format!("{:?}", asked.headers()), asked.text().to_owned(), told));
    }
    assert_eq!(seen[0], seen[1], "byte for byte");
    assert_eq!(mails[0].1, "An e-mail address that is taken at The Teapot Forum");
    assert!(!mails[0].2.contains("token="), "{}", mails[0].2);
    let link = link(&mails[1]);
    site.add_with_email("carol", "nobody@wonderland.example").await;
    let late = browser.take_up(&link).await;
    assert_eq!(late.status(), StatusCode::CONFLICT);
    assert!(late.text().contains("Another account has this address"), "{}", late.text());
    assert_eq!(email_of(site, "alice"), (Some(OLD.to_owned()), false));
}

#[tokio::test]
async fn auth_09_no_link_to_an_address_outlives_its_time_a_newer_one_a_cancel_or_a_change_of_credentials() {
    let mailing = Mailing::new();
    let site = &mailing.site;
    let alice = site.add("alice").await;
    let mut browser = site.signed_in("alice").await;
    let mut links = Vec::new();
    for address in [NEW, "alice@garden.example"] {
        browser.ask_for(address).await;
        links.push(link(&mailing.mails().await[0]));
    }
    assert_eq!(browser.take_up(&links[0]).await.status(), StatusCode::GONE, "a newer one");
    assert_eq!(browser.get(&links[1]).await.status(), StatusCode::OK);
    let csrf = browser.get("/.passgate/account").await.field("csrf");
    browser.post(&format!("{EMAIL}/cancel"), &[("csrf", &csrf)]).await;
    assert_eq!(browser.take_up(&links[1]).await.status(), StatusCode::GONE, "cancelled");
    assert!(!browser.get("/.passgate/account").await.text().contains("garden"));

    browser.ask_for(NEW).await;
    let third = link(&mailing.mails().await[0]);
    assert_eq!(browser.ask_for(NEW).await.status(), StatusCode::TOO_MANY_REQUESTS, "three an hour");
    site.clock.advance(Duration::from_secs(3_600));
    assert_eq!(browser.take_up(&third).await.status(), StatusCode::GONE, "an hour");

    let mut browser = site.signed_in("alice").await;
    browser.ask_for(NEW).await;
    let mails = mailing.mails().await;
    let last = link(mails.iter().find(|(to, ..)| to == NEW).unwrap());
    let event = site.accounts.happened(crate::auth::events::What::WasNotMe);
    site.accounts.shut_out(alice.profile.id, None, event).await.unwrap();
    let mut browser = site.signed_in("alice").await;
    assert_eq!(browser.take_up(&last).await.status(), StatusCode::GONE, "everybody was shut out");
    assert_eq!(email_of(site, "alice"), (Some(OLD.to_owned()), false));
}

#[tokio::test]
async fn auth_05_asking_takes_a_fresh_sign_in_and_our_own_form() {
    let mailing = Mailing::new();
    let site = &mailing.site;
    site.add("alice").await;
    let mut browser = site.signed_in("alice").await;
    let csrf = browser.get(EMAIL).await.field("csrf");
    for bad in ["", "alice", "a@b\r\nRCPT TO:<eve@x.example>", "\"a b\"@x.example"] {
        let answer = browser.post(EMAIL, &[("csrf", &csrf), ("email", bad)]).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "{bad:?}");
    }
    let forged = browser.post(EMAIL, &[("csrf", "x"), ("email", NEW)]).await;
    assert_eq!(forged.status(), StatusCode::FORBIDDEN);
    site.clock.advance(Duration::from_secs(301));
    let late = browser.post(EMAIL, &[("csrf", &csrf), ("email", NEW)]).await;
    assert!(late.location().ends_with("account%2Femail&again=1"), "{}", late.location());
    assert!(browser.get(EMAIL).await.location().ends_with("&again=1"));
    assert!(mailing.mails().await.is_empty());
    let silent = Site::with_alice().await;
    assert_eq!(silent.signed_in("alice").await.get(EMAIL).await.status(), StatusCode::NOT_FOUND, "no mail");
}

#[tokio::test]
async fn no_reset_that_was_mailed_to_the_old_address_works_after_a_change() {
    let mailing = Mailing::new();
    let site = &mailing.site;
    site.add("alice").await;
    let mut browser = site.signed_in("alice").await;
    mailing.ask_reset("alice");
    let reset = link(&mailing.mails().await[0]);
    assert_eq!(site.browser().get(&reset).await.status(), StatusCode::OK);
    browser.ask_for(NEW).await;
    let mails = mailing.mails().await;
    browser.take_up(&link(&mails[0])).await;
    assert_eq!(site.browser().get(&reset).await.status(), StatusCode::GONE);
    mailing.mails().await;
    mailing.ask_reset("alice");
    assert_eq!(mailing.mails().await[0].0, NEW);
}

#[tokio::test]
async fn an_address_that_comes_from_elsewhere_is_not_confirmed_by_the_one_before() {
    let mailing = Mailing::new();
    let alice = mailing.site.add("alice").await;
    let mut browser = mailing.site.signed_in("alice").await;
    browser.ask_for(NEW).await;
    browser.take_up(&link(&mailing.mails().await[0])).await;
    let imported = |user: &mut User| {
        user.profile.email = Some(OLD.to_owned());
        Verdict::Keep
    };
    let change = Change::ReviseUser(alice.profile.id, Box::new(imported));
    mailing.site.store.apply(vec![change]).await.unwrap();
    assert_eq!(email_of(&mailing.site, "alice"), (Some(OLD.to_owned()), false));
}
