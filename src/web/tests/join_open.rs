use super::mailing::{Mail, Mailing};
use super::*;
use crate::auth::joining::waiting;
use crate::auth::mail::Letter;
use crate::domain::MailAddress;
use crate::policy::RequiredFor;

const JOIN: &str = "/.passgate/join";
const NEW: &str = "a password of my own";
const ZOE: &str = "zoe@garden.example";

/// A site that anybody may join.
fn open(approval: Approval) -> Mailing {
    let mut mailing = Mailing::new();
    let joining = &mut mailing.site.web.parts.joining;
    *joining = JoinOptions { mode: JoinMode::Open, approval, ..joining.clone() };
    mailing
}

impl Mailing {
    /// Asks for a link in a browser of its own.
    async fn want_in(&self, address: &str) -> Answer {
        let mut browser = self.site.browser();
        let csrf = browser.get(JOIN).await.field("csrf");
        browser.post(JOIN, &[("csrf", &csrf), ("email", address)]).await
    }

    /// Asks, and gives the token in the mail.
    async fn token_for(&self, address: &str) -> String {
        self.want_in(address).await;
        token(&self.mails().await[0])
    }

    async fn join(&self, token: &str, name: &str) -> Answer {
        let fields = [("token", token), ("username", name), ("password", NEW)];
        self.site.browser().post(JOIN, &fields).await
    }

    fn user(&self, name: &str) -> Option<User> {
        self.site.accounts.find(&UserName::parse(name).unwrap()).unwrap()
    }
}

fn token((_, _, text): &Mail) -> String {
    let begin = "https://forum.example/.passgate/join?token=";
    let line = text.lines().find_map(|line| line.strip_prefix(begin));
    line.unwrap_or_else(|| panic!("no link in {text}")).to_owned()
}

#[tokio::test]
async fn who_asks_gets_a_link_makes_an_account_and_signs_in() {
    let mailing = open(Approval::NotNeeded);
    let login = mailing.site.browser().get("/.passgate/login").await;
    assert!(login.text().contains("Join The Teapot Forum"), "{}", login.text());
    let answer = mailing.want_in(ZOE).await;
    assert!(answer.text().contains("A mail is on its way") && !answer.text().contains("zoe"));
    let mails = mailing.mails().await;
    let [mail] = &mails[..] else { panic!("{mails:?}") };
    assert_eq!((&*mail.0, &*mail.1), (ZOE, "Your account at The Teapot Forum"));
    let token = token(mail);
    for _ in 0..2 {
        let page = mailing.site.browser().get(&format!("{JOIN}?token={token}")).await;
        assert!(page.text().contains("Your address is confirmed") && page.text().contains(ZOE));
    }
    let done = mailing.join(&token, "Zo\u{eb}").await;
    assert_eq!(done.location(), "/.passgate/login?notice=joined");
    let zoe = mailing.user("zo\u{eb}").unwrap();
    let standing = mailing.site.accounts.address_of(&zoe.profile).unwrap();
    assert!(
        zoe.profile.email.as_deref() == Some(ZOE)
            && standing.confirmed.is_some()
            && zoe.profile.groups.is_empty()
    );
    assert_eq!(mailing.site.browser().sign_in(ZOE, NEW).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(mailing.join(&token, "again").await.status(), StatusCode::GONE, "AUTH-09: once");
}

#[tokio::test]
async fn auth_14_the_answer_does_not_tell_who_has_an_account_and_the_mail_does() {
    let mailing = open(Approval::NotNeeded);
    mailing.site.add("alice").await;
    let bob = mailing.site.add("bob").await;
    mailing.site.accounts.disable(bob.profile.id).await.unwrap();
    let mut browser = mailing.site.browser();
    let csrf = browser.get(JOIN).await.field("csrf");
    let mut answers = Vec::new();
    for address in ["Alice@wonderland.example", "bob@wonderland.example", ZOE] {
        let (writes, looks) = (mailing.site.store.writes(), mailing.site.store.looks());
        let answer = browser.post(JOIN, &[("csrf", &csrf), ("email", address)]).await;
        let done = (mailing.site.store.writes() - writes, mailing.site.store.looks() - looks);
        answers.push((answer.status(), format!("{:?}", answer.headers()), answer.text().to_owned(), done));
    }
    assert_eq!((answers[0].0, answers[0].3), (StatusCode::OK, (1, 0)));
    assert!(answers.iter().all(|answer| *answer == answers[0]), "byte for byte, and write for write");
    let mut mails = mailing.mails().await;
    mails.sort();
    let told: Vec<_> = mails.iter().map(|(to, subject, _)| (&**to, &**subject)).collect();
    let already = "You have an account at The Teapot Forum already";
    assert_eq!(
        told,
        [
            ("Alice@wonderland.example", already),
            ("bob@wonderland.example", already),
            (ZOE, "Your account at The Teapot Forum"),
        ]
    );
    assert!(
        mails[0].2.contains("your name there is alice") && !mails[0].2.contains("token="),
        "{}",
        mails[0].2
    );
}

#[tokio::test]
async fn auth_09_no_link_to_join_outlives_its_day_a_newer_one_or_the_open_door() {
    let mut mailing = open(Approval::NotNeeded);
    let first = mailing.token_for(ZOE).await;
    let second = mailing.token_for("Zoe@garden.example").await;
    let third = mailing.token_for("zoe@garden.example").await;
    assert_eq!(mailing.join(&first, "zoe").await.status(), StatusCode::GONE, "a newer one");
    assert_eq!(mailing.join(&second, "zoe").await.status(), StatusCode::GONE, "in any spelling");
    assert_eq!(mailing.site.web.parts.invitations.all().unwrap().len(), 1);
    mailing.site.add_with_email("carol", ZOE).await;
    assert_eq!(mailing.join(&third, "zoe").await.status(), StatusCode::GONE, "a member has it by now");
    mailing.site.accounts.delete(mailing.user("carol").unwrap().profile.id).await.unwrap();
    mailing.site.web.parts.joining.mode = JoinMode::Invitation;
    assert_eq!(mailing.join(&third, "zoe").await.status(), StatusCode::GONE, "closed");
    assert_eq!(mailing.site.browser().get(JOIN).await.status(), StatusCode::GONE);
    assert_eq!(mailing.want_in_closed().await, StatusCode::NOT_FOUND);
    mailing.site.web.parts.joining.mode = JoinMode::Open;
    mailing.site.clock.advance(Duration::from_secs(24 * 3_600));
    assert_eq!(mailing.join(&third, "zoe").await.status(), StatusCode::GONE, "a day");
    assert!(mailing.user("zoe").is_none());
}

impl Mailing {
    async fn want_in_closed(&self) -> StatusCode {
        self.site.browser().post(JOIN, &[("csrf", "x"), ("email", ZOE)]).await.status()
    }
}

#[tokio::test]
async fn asking_is_bounded_by_address_of_either_kind_and_in_all() {
    let mut mailing = open(Approval::NotNeeded);
    mailing.site.web.parts.joining.per_hour = 3;
    let mut sent = 0;
    for _ in 0..5 {
        mailing.want_in(ZOE).await;
        sent += mailing.mails().await.len();
    }
    assert_eq!(sent, 3, "three an hour go to one mailbox");
    for n in 0..2 {
        assert_eq!(mailing.want_in(&format!("a{n}@x.example")).await.status(), StatusCode::OK);
    }
    let full = mailing.want_in("late@x.example").await;
    assert_eq!(full.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(full.text().contains("A lot of people want to join"), "{}", full.text());
    mailing.mails().await;
    mailing.site.clock.advance(Duration::from_secs(3_600));
    mailing.queue.forget_now().await;
    assert_eq!(mailing.site.store.records(Drawer::Mail, Owner::Site).unwrap(), [], "nothing is left of them");
    mailing.site.web.parts.joining.per_hour = 1_000;
    let mut asked = 0;
    while mailing.want_in(&format!("b{asked}@x.example")).await.status() == StatusCode::OK {
        asked += 1;
    }
    assert_eq!(asked, 30, "from one internet address in a quarter of an hour");
}

#[tokio::test]
async fn what_is_no_address_or_from_another_site_sends_nothing() {
    let mailing = open(Approval::NotNeeded);
    for bad in ["", "zoe", "a@b\r\nRCPT TO:<eve@x.example>", "\"a b\"@x.example"] {
        assert_eq!(mailing.want_in(bad).await.status(), StatusCode::UNPROCESSABLE_ENTITY, "{bad:?}");
    }
    let foreign = Request::post(JOIN).header(ORIGIN, "https://evil.example");
    let answer = mailing.site.browser().post_as(foreign, &[("email", ZOE)]).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let answer = mailing.site.browser().post(JOIN, &[("csrf", "x"), ("email", ZOE)]).await;
    assert!(answer.text().contains("did not send back our cookie"), "{}", answer.text());
    assert!(mailing.mails().await.is_empty());
}

#[tokio::test]
async fn whoever_needs_approval_is_kept_out_until_an_operator_says_yes() {
    let mailing = open(Approval::Needed);
    let token = mailing.token_for(ZOE).await;
    let done = mailing.join(&token, "zoe").await;
    assert_eq!(done.location(), "/.passgate/login?notice=joined-to-wait");
    let page = mailing.site.browser().get(done.location()).await;
    assert!(page.text().contains("you get a mail when you can sign in"), "{}", page.text());
    let waits = mailing.site.browser().sign_in("zoe", NEW).await;
    assert!(waits.text().contains("Your account is not open yet"), "{}", waits.text());
    let wrong = mailing.site.browser().sign_in("zoe", PASSWORD).await;
    assert!(!wrong.text().contains("open yet") && wrong.text().contains("is not right"), "AUTH-14");
    let zoe = mailing.user("zoe").unwrap();
    let (id, accounts) = (zoe.profile.id, &mailing.site.accounts);
    assert_eq!(accounts.applicants().unwrap().len(), 1);
    let mail = mailing.queue.hand_in(id, Some(ZOE), Letter::Approved);
    assert!(accounts.approve(id, mail.into_iter().collect()).await.unwrap());
    assert!(!accounts.approve(id, Vec::new()).await.unwrap(), "once");
    let mails = mailing.mails().await;
    assert_eq!((&*mails[0].0, &*mails[0].1), (ZOE, "Welcome to The Teapot Forum"));
    assert!(mails[0].2.contains("https://forum.example/.passgate/login"), "{}", mails[0].2);
    assert_eq!(mailing.site.browser().sign_in("zoe", NEW).await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn an_operator_is_told_who_waits_three_times_an_hour_at_most() {
    let mut mailing = open(Approval::Needed);
    mailing.site.web.parts.joining.approver = MailAddress::parse("team@forum.example");
    for n in 0..4 {
        let token = mailing.token_for(&format!("a{n}@garden.example")).await;
        mailing.join(&token, &format!("zoe{n}")).await;
        let mails = mailing.mails().await;
        let told: Vec<_> = mails.iter().map(|(to, subject, _)| (&**to, &**subject)).collect();
        let one = [("team@forum.example", "Somebody waits to join The Teapot Forum")];
        assert_eq!(told, one[..usize::from(n < 3)], "{n}");
        assert!(mails.iter().all(|(_, _, text)| text.contains(&format!("zoe{n} has made an account"))));
    }
}

#[tokio::test]
async fn whom_an_operator_refuses_or_nobody_lets_in_is_gone() {
    let mailing = open(Approval::Needed);
    let accounts = &mailing.site.accounts;
    for (name, address) in [("zoe", ZOE), ("yan", "yan@garden.example")] {
        let token = mailing.token_for(address).await;
        mailing.join(&token, name).await;
    }
    let zoe = mailing.user("zoe").unwrap().profile;
    let mail = mailing.queue.tell_refused(Some(ZOE), &zoe.name);
    assert!(accounts.refuse(zoe.id, mail.into_iter().collect()).await.unwrap());
    let mails = mailing.mails().await;
    assert!(mails[0].0 == ZOE && mails[0].2.contains("Hello zoe,"), "{mails:?}");
    assert!(mailing.user("zoe").is_none());
    let alice = mailing.site.add("alice").await.profile.id;
    assert!(!accounts.refuse(alice, Vec::new()).await.unwrap(), "a member is not taken away so");
    mailing.site.clock.advance(waiting::LONGEST - Duration::from_millis(1));
    assert_eq!(accounts.forget_applicants().await, Ok(0));
    mailing.site.clock.advance(Duration::from_millis(1));
    assert_eq!(accounts.forget_applicants().await, Ok(1));
    assert!(mailing.user("yan").is_none() && mailing.user("alice").is_some());
}

#[tokio::test]
async fn who_was_invited_waits_for_nobody() {
    let mailing = open(Approval::Needed);
    let day = Duration::from_secs(86_400);
    let made = mailing.site.web.parts.invitations.make(Vec::new(), None, 1, day).await.unwrap();
    let token = made.unwrap().0.to_text().to_string();
    assert_eq!(mailing.join(&token, "ann").await.location(), "/.passgate/login?notice=joined");
    assert_eq!(mailing.site.browser().sign_in("ann", NEW).await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn where_passwords_are_off_the_mail_that_says_yes_leads_to_a_first_passkey() {
    let options = PasskeyOptions { required_for: RequiredFor::Everyone, ..passkeys::everyone() };
    let mut mailing = Mailing::made(super::options(), Some(options));
    let joining = &mut mailing.site.web.parts.joining;
    *joining = JoinOptions { mode: JoinMode::Open, approval: Approval::Needed, ..joining.clone() };
    let token = mailing.token_for(ZOE).await;
    let joined = mailing.join(&token, "zoe").await;
    assert_eq!(joined.location(), "/.passgate/login?notice=joined-to-wait");
    let id = mailing.user("zoe").unwrap().profile.id;
    let mail = mailing.queue.hand_in(id, Some(ZOE), Letter::Approved);
    mailing.site.accounts.approve(id, mail.into_iter().collect()).await.unwrap();
    let mails = mailing.mails().await;
    let link = mails[0].2.lines().find_map(|line| line.strip_prefix(ORIGIN_OF_SITE)).unwrap();
    let mut browser = mailing.site.browser();
    let page = browser.get(link).await;
    let next = browser.post("/.passgate/link", &[("token", &*page.field("token"))]).await;
    assert_eq!(next.location(), "/.passgate/account/passkeys/add");
}
