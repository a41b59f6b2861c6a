//! Joining by mail and changing one's address, before a real mail server.

use passgate::sample::SampleForum;

use crate::mail_server::MailServer;
use crate::site::{Site, URL};

const PASSWORD: &str = "a teapot of my own";

/// The path of the link in a mail, and its token.
fn link(text: &str) -> (String, String) {
    let line = text.lines().find_map(|line| line.trim_end().strip_prefix(URL)).expect("a link");
    (line.to_owned(), line.split_once("token=").expect("a token").1.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_joins_by_mail_is_let_in_by_the_operator_and_changes_their_address() {
    let forum = SampleForum::bind(([127, 0, 0, 1], 0).into()).await.unwrap().spawn();
    let server = MailServer::start();
    let site = Site::before(forum.address(), "");
    site.configure(&format!(
        "registration.mode = \"open\"\nregistration.approval = true\n{}",
        server.settings()
    ));
    let mut gateway = site.serve();
    let mut browser = gateway.browser();
    browser.get("/.passgate/login").await.assert_says("New here?");
    let page = browser.get("/.passgate/join").await;
    let page = browser.submit(&page, "email", &[("email", "zoe@forum.example")]).await;
    page.assert_status(200).assert_says("A mail is on its way");
    let mail = server.mail("for zoe", |mail| mail.to() == "zoe@forum.example");
    let (path, joining) = link(&mail.text());
    let page = browser.get(&path).await;
    let filled = [("username", "zoe"), ("password", PASSWORD)];
    browser.submit(&page, "username", &filled).await.assert_says("you get a mail when you can sign in");
    gateway.signed_in("zoe", PASSWORD).await.1.assert_status(422).assert_says("not open yet");

    let waiting = site.run(&["user", "list", "--waiting", "--json"]).assert_code(0).json();
    assert_eq!((waiting[0]["name"].as_str(), waiting.as_array().unwrap().len()), (Some("zoe"), 1));
    site.run(&["user", "enable", "zoe"]).assert_code(65).assert_says("user approve NAME");
    site.run(&["user", "approve", "zoe"])
        .assert_code(0)
        .assert_says("may sign in now, and is told so by mail");
    site.run(&["user", "refuse", "zoe"]).assert_code(65).assert_says("does not wait for you");
    server.mail("that they are in", |mail| mail.field("Subject") == "Welcome to The Teapot Forum");
    let (mut browser, page) = gateway.signed_in("zoe", PASSWORD).await;
    page.assert_says("<b id=\"member\">zoe</b>");

    let page = browser.get("/.passgate/account/email").await;
    browser
        .submit(&page, "email", &[("email", "zoe@garden.example")])
        .await
        .assert_says("Look into your mail");
    let mail = server.mail("to the new address", |mail| mail.to() == "zoe@garden.example");
    let (path, confirming) = link(&mail.text());
    let page = browser.get(&path).await;
    browser.submit(&page, "token", &[]).await.assert_says("Your e-mail address is confirmed");
    let told = server.mail("to the old one", |mail| mail.field("Subject").contains("was changed"));
    assert_eq!(told.to(), "zoe@forum.example");
    let shown = site.run(&["user", "show", "zoe"]);
    assert!(shown.assert_code(0).out.contains("zoe@garden.example, confirmed"), "{shown:#?}");
    assert_eq!(gateway.stop(), Some(0));
    let log = gateway.last_lines().join("\n");
    for event in ["joining-asked-for", "joined-to-wait", "user approve", "address-changed"] {
        assert!(log.contains(event), "{event} in {log}");
    }
    for secret in [&*joining, &confirming, "@forum.example", "@garden.example", PASSWORD] {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
}
