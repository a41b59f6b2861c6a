use super::mailing::{Mail, Mailing};
use super::*;
use crate::domain::PasskeyFor;
use crate::store::{Change, Verdict};

const FORGOT: &str = "/.passgate/forgot";
const SETUP: &str = "/.passgate/setup";
const NEW: &str = "a password of my own";

impl Mailing {
    /// Asks for a mail, in a browser of its own; the answer, and the mails that have gone since.
    async fn ask(&self, typed: &str) -> (Answer, Vec<Mail>) {
        let mut browser = self.site.browser();
        let page = browser.get(FORGOT).await;
        let fields =
            [("csrf", &*page.field("csrf")), ("return_to", "/viewtopic.php?t=1"), ("username", typed)];
        let answer = browser.post(FORGOT, &fields).await;
        (answer, self.mails().await)
    }

    /// Asks, and gives the token in the mail.
    async fn token(&self, typed: &str) -> String {
        let (_, mails) = self.ask(typed).await;
        mails.iter().flat_map(|(_, _, text)| tokens(text)).next().expect("a mail with a link")
    }

    async fn set(&self, token: &str, password: &str) -> Answer {
        self.site.browser().post(SETUP, &[("token", token), ("password", password)]).await
    }

    async fn is_open(&self, token: &str) -> bool {
        match self.site.browser().get(&format!("{SETUP}?token={token}")).await.status() {
            StatusCode::OK => true,
            StatusCode::GONE => false,
            other => panic!("{other}"),
        }
    }
}

fn tokens(text: &str) -> Vec<String> {
    let links =
        text.lines().filter_map(|line| line.strip_prefix("https://forum.example/.passgate/setup?token="));
    links.map(str::to_owned).collect()
}

/// SECURITY: L8.
#[tokio::test]
async fn auth_09_a_mailed_link_sets_a_password_once_and_signs_nobody_in() {
    let mailing = Mailing::new();
    let site = &mailing.site;
    site.add("alice").await;
    let old = site.signed_in("alice").await;
    let (_, mails) = mailing.ask("Alice").await;
    let [(to, subject, text)] = &mails[..] else { panic!("{mails:?}") };
    assert_eq!((&**to, &**subject), ("alice@wonderland.example", "A new password for The Teapot Forum"));
    for part in ["Hello alice,", "works once, for ten minutes", "your password stays as it is"] {
        assert!(text.replace('\n', " ").contains(part), "{part} in {text}");
    }
    let token = tokens(text).remove(0);
    assert!(mailing.is_open(&token).await && mailing.is_open(&token).await, "mail scanners look, too");
    assert!(site.live(old.session().unwrap()), "looking changes nothing");
    let page = site.browser().get(&format!("{SETUP}?token={token}")).await;
    assert!(page.text().contains("alice") && !page.text().contains("Sign in without"), "{}", page.text());
    assert_eq!(page.field("token"), token);
    assert_eq!(mailing.set(&token, "too short").await.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let mut browser = site.browser();
    let done = browser.post(SETUP, &[("token", &token), ("password", NEW)]).await;
    assert_eq!(done.location(), "/.passgate/login?notice=password-set");
    assert_eq!(browser.session(), None, "AUTH-10: it signs nobody in");
    assert!(!site.live(old.session().unwrap()));
    assert_eq!(mailing.set(&token, "another of my own").await.status(), StatusCode::GONE);
    assert!(!mailing.is_open(&token).await);
    let told = mailing.mails().await;
    let (to, subject, text) = &told[0];
    assert_eq!(
        (&**to, &**subject),
        ("alice@wonderland.example", "Your password at The Teapot Forum was changed")
    );
    assert!(text.contains("Firefox on Linux") && tokens(text).is_empty(), "{text}");
    assert_eq!(site.browser().sign_in("alice", PASSWORD).await.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(site.browser().sign_in("alice", NEW).await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn auth_14_the_answer_does_not_tell_who_has_an_account() {
    let mailing = Mailing::new();
    mailing.site.add("alice").await;
    let bob = mailing.site.add("bob").await;
    mailing.site.accounts.disable(bob.profile.id).await.unwrap();
    mailing.site.add_with_email("carol", "no address").await;
    let mut browser = mailing.site.browser();
    let page = browser.get(&format!("{FORGOT}?return_to=%2Fviewtopic.php")).await;
    let (csrf, return_to) = (page.field("csrf"), page.field("return_to"));
    let before = (mailing.site.store.looks(), mailing.site.store.writes());
    let mut answers = Vec::new();
    for typed in
        ["alice", "ALICE@Wonderland.example", "nobody", "nobody@x.example", "bob", "carol", "\u{0}", ""]
    {
        let fields = [("csrf", &*csrf), ("return_to", &*return_to), ("username", typed)];
        let answer = browser.post(FORGOT, &fields).await;
        let headers = format!("{:?}", answer.headers());
        answers.push((answer.status(), headers, answer.text().to_owned()));
    }
    let store = &mailing.site.store;
    assert_eq!(
        (store.looks(), store.writes()),
        before,
        "nothing is looked for before they have their answer"
    );
    let (status, _, text) = &answers[0];
    assert_eq!(*status, StatusCode::OK);
    assert!(text.contains("a mail with a link is on its way") && text.contains("viewtopic.php"), "{text}");
    assert!(answers.iter().all(|answer| *answer == answers[0]), "byte for byte");
    let log = audit::Log::start();
    let mails = mailing.mails().await;
    assert_eq!(mails.iter().map(|(to, ..)| &**to).collect::<Vec<_>>(), ["alice@wonderland.example"; 2]);
    let asked = log.lines().into_iter().filter(|line| line["fields"]["event"] == "reset-asked-for");
    let members = asked.map(|line| line["fields"]["member"].is_string()).collect::<Vec<_>>();
    assert_eq!(members, [true, true, false, false, true, true, false, false], "operators are told");
}

#[tokio::test]
async fn auth_09_no_mailed_link_outlives_its_time_a_newer_one_or_a_change() {
    let mailing = Mailing::new();
    let site = &mailing.site;
    let alice = site.add("alice").await;
    let id = alice.profile.id;
    let first = mailing.token("alice").await;
    let second = mailing.token("alice").await;
    assert!(!mailing.is_open(&first).await && mailing.is_open(&second).await);
    site.clock.advance(Duration::from_secs(10 * 60));
    assert!(!mailing.is_open(&second).await, "ten minutes");
    assert_eq!(mailing.set(&second, NEW).await.status(), StatusCode::GONE);

    site.clock.advance(Duration::from_secs(3_600));
    let token = mailing.token("alice").await;
    let operators = site.accounts.link(id, LinkKind::SetUp).await.unwrap();
    assert!(mailing.is_open(&token).await, "neither undoes the other");
    assert!(mailing.is_open(&operators.to_text()).await);
    assert_eq!(mailing.set(&operators.to_text(), NEW).await.status(), StatusCode::SEE_OTHER);
    assert!(!mailing.is_open(&token).await, "a password was set");

    let token = mailing.token("alice").await;
    let operators = site.accounts.link(id, LinkKind::SetUp).await.unwrap();
    assert_eq!(mailing.set(&token, "another of my own").await.status(), StatusCode::SEE_OTHER);
    assert!(!mailing.is_open(&operators.to_text()).await, "the other way round");

    let token = mailing.token("alice").await;
    site.accounts.disable(id).await.unwrap();
    site.accounts.enable(id).await.unwrap();
    assert!(!mailing.is_open(&token).await, "the account was disabled");
    let other = site.add("bob").await;
    let foreign = format!("{}{}", other.profile.id, &token[32..]);
    assert!(!mailing.is_open(&foreign).await, "it is good for its own account alone");
}

#[tokio::test]
async fn nobody_is_flooded_whoever_asks() {
    let mailing = Mailing::new();
    for name in ["alice", "bob"] {
        mailing.site.add_with_email(name, "both@wonderland.example").await;
    }
    let mut sent = 0;
    for typed in ["alice", "bob", "both@wonderland.example", "Both@wonderland.example", "alice"] {
        sent += mailing.ask(typed).await.1.len();
    }
    assert_eq!(sent, 3, "an address gets three an hour, whatever was typed");
    let mut answer = StatusCode::OK;
    for _ in 0..40 {
        answer = mailing.ask("nobody").await.0.status();
        if answer != StatusCode::OK {
            break;
        }
    }
    assert_eq!(answer, StatusCode::TOO_MANY_REQUESTS);
    mailing.site.clock.advance(Duration::from_secs(3_600));
    let (answer, mails) = mailing.ask("alice").await;
    assert_eq!((answer.status(), mails.len()), (StatusCode::OK, 1));
}

#[tokio::test]
async fn accounts_that_share_an_address_get_one_mail_that_names_each() {
    let mailing = Mailing::new();
    for (name, email) in [
        ("alice", "home@wonderland.example"),
        ("bob", "Home@Wonderland.example"),
        ("carol", "ho\u{212a}me@wonderland.example"),
        ("dan", "dan@wonderland.example"),
    ] {
        mailing.site.add_with_email(name, email).await;
    }
    let (_, mails) = mailing.ask("bob").await;
    let [(_, _, text)] = &mails[..] else { panic!("{mails:?}") };
    assert!(text.contains("alice:") && text.contains("bob:"), "{text}");
    assert!(!text.contains("carol") && !text.contains("dan"), "{text}");
    let tokens = tokens(text);
    assert_eq!(tokens.len(), 2);
    for token in &tokens {
        assert_eq!(mailing.set(token, NEW).await.status(), StatusCode::SEE_OTHER);
    }
    for name in ["alice", "bob"] {
        assert_eq!(mailing.site.browser().sign_in(name, NEW).await.status(), StatusCode::SEE_OTHER, "{name}");
    }
}

#[tokio::test]
async fn auth_10_what_is_asked_beside_the_password_is_asked_after_a_reset() {
    let mailing = Mailing::new();
    let alice = mailing.site.add("alice").await;
    let asks = PasskeyFor { signing_in: true, sensitive_actions: true };
    let choose = move |user: &mut User| {
        user.passkey_for = asks;
        Verdict::Keep
    };
    let change = Change::ReviseUser(alice.profile.id, Box::new(choose));
    mailing.site.store.apply(vec![change]).await.unwrap();
    let token = mailing.token("alice").await;
    assert_eq!(mailing.set(&token, NEW).await.status(), StatusCode::SEE_OTHER);
    let user = mailing.site.store.user(alice.profile.id).unwrap().unwrap();
    assert_eq!(user.passkey_for, asks);
}

#[tokio::test]
async fn the_sign_in_page_leads_to_it_and_it_back() {
    let mailing = Mailing::new();
    let mut browser = mailing.site.browser();
    let login = browser.get("/.passgate/login?return_to=%2Fviewtopic.php%3Ft%3D1").await;
    let link = "/.passgate/forgot?return_to=%2Fviewtopic.php%3Ft%3D1";
    assert!(login.text().replace("&#x2f;", "/").contains(link), "{}", login.text());
    let page = browser.get(link).await;
    assert_eq!(page.field("return_to"), "/viewtopic.php?t=1");
    assert!(
        page.text().replace("&#x2f;", "/").contains("/.passgate/login?return_to=%2Fviewtopic.php%3Ft%3D1")
    );
    assert_eq!(Site::new().browser().get(FORGOT).await.status(), StatusCode::NOT_FOUND);
    let own = PageOptions { recovery_url: Some("/lost".to_owned()), ..options() };
    let login = Mailing::with(own).site.browser().get("/.passgate/login").await.text().replace("&#x2f;", "/");
    assert!(
        login.contains("href=\"/lost\"") && !login.contains("forgot?"),
        "an operator's own page comes first"
    );
}

#[tokio::test]
async fn web_01_another_site_can_ask_for_no_mail() {
    let mailing = Mailing::new();
    mailing.site.add("alice").await;
    let foreign = Request::post(FORGOT).header(ORIGIN, "https://evil.example");
    let answer = mailing.site.browser().post_as(foreign, &[("username", "alice")]).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let answer = mailing.site.browser().post(FORGOT, &[("csrf", "x"), ("username", "alice")]).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(answer.text().contains("did not send back our cookie"));
    assert!(mailing.mails().await.is_empty());
}

#[tokio::test]
async fn sib_08_a_sign_in_in_a_browser_that_is_not_known_is_told_and_others_are_not() {
    let mailing = Mailing::new();
    let alice = mailing.site.add("alice").await;
    let mut first = mailing.site.signed_in("alice").await;
    assert!(mailing.mails().await.is_empty(), "not the first of all");
    first.jar.remove("__Host-passgate");
    first.sign_in("alice", PASSWORD).await;
    assert!(mailing.mails().await.is_empty(), "a known browser");
    mailing.site.signed_in("alice").await;
    let mails = mailing.mails().await;
    let [(to, subject, text)] = &mails[..] else { panic!("{mails:?}") };
    assert_eq!(to, "alice@wonderland.example");
    assert_eq!(subject, "A new sign-in to your account at The Teapot Forum");
    assert!(text.contains("Firefox on Linux") && !text.contains("https:"), "{text}");

    let token = mailing.site.accounts.link(alice.profile.id, LinkKind::SetUp).await.unwrap().to_text();
    assert_eq!(mailing.set(&token, NEW).await.status(), StatusCode::SEE_OTHER);
    let subjects: Vec<_> = mailing.mails().await.into_iter().map(|(_, subject, _)| subject).collect();
    assert_eq!(subjects, ["Your password at The Teapot Forum was changed"]);
}
