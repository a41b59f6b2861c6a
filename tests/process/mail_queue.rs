//! Mails that wait, before a mail server that is away, comes back, and refuses; and getting back in by mail.

use std::net::SocketAddr;
use std::path::Path;

use passgate::sample::SampleForum;
use serde_json::Value;

use crate::mail_server::MailServer;
use crate::site::{Gateway, Site, URL};
use crate::support::raw::exchange;

/// Nothing is behind the gateway: nobody asks for a page.
fn nobody() -> SocketAddr {
    ([127, 0, 0, 1], 1).into()
}

fn add(site: &Site, name: &str, address: &str) {
    site.run_with(&["user", "add", name, "--email", address, "--password-stdin"], "wonderland is far\n")
        .assert_code(0);
}

async fn metrics(gateway: &Gateway) -> String {
    let answer = exchange(gateway.admin, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    answer.unwrap().text()
}

fn audit(event: &Value, name: &str) -> bool {
    event["event"] == name
}

#[tokio::test(flavor = "multi_thread")]
async fn mails_wait_while_the_mail_server_is_away_and_come_after_a_restart_or_a_reload() {
    let server = MailServer::start();
    let port = server.port;
    let site = Site::before(nobody(), "");
    site.configure(&server.settings());
    drop(server);
    for name in ["ann", "bob", "cem"] {
        add(&site, name, &format!("{name}@forum.example"));
    }
    // Without a gateway it waits for the next start.
    site.run(&["user", "disable", "cem"]).assert_code(0);
    let mut gateway = site.serve();
    site.run(&["user", "disable", "ann"]).assert_code(0);
    gateway.event("of the server", |event| event["message"] == "the mail server takes no mails; they wait");
    let lines = metrics(&gateway).await;
    assert!(lines.contains("passgate_mail_stuck 1"), "{lines}");
    // A slow or absent mail server keeps nobody waiting.
    assert_eq!(gateway.stop(), Some(0));

    let server = MailServer::again(port);
    let mut gateway = site.serve();
    let mail = server.mail("for ann", |mail| mail.to() == "ann@forum.example");
    assert_eq!(mail.field("Subject"), "Your account at The Teapot Forum is switched off");
    assert!(mail.text().contains("Hello ann,"), "{}", mail.text());
    server.mail("for cem", |mail| mail.to() == "cem@forum.example");
    for name in ["ann", "cem"] {
        let id = site.run(&["user", "show", name, "--json"]).json()["id"].clone();
        gateway.event("that it is sent", |event| audit(event, "mail-sent") && event["member"] == id);
    }
    drop(server);

    site.run(&["user", "disable", "bob"]).assert_code(0);
    gateway.event("of the server", |event| event["message"] == "the mail server takes no mails; they wait");
    let server = MailServer::again(port);
    site.run(&["reload"]).assert_code(0);
    server.mail("for bob", |mail| mail.to() == "bob@forum.example");
    gateway
        .event("that it is sent", |event| audit(event, "mail-sent") && event["mail"] == "account-disabled");
    assert_eq!(gateway.stop(), Some(0));
    assert_eq!(server.mails().len(), 1, "each once");
    let warnings = gateway.last_lines();
    let count = warnings.iter().filter(|line| line.contains("takes no mails; they wait")).count();
    assert_eq!(count, 1, "said once, not at each try");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_mail_server_refuses_for_good_is_given_up_and_what_it_refuses_for_now_waits() {
    let server = MailServer::start();
    let site = Site::before(nobody(), "");
    site.configure(&server.settings());
    for (name, host) in [("ann", "never"), ("bob", "later"), ("cem", "forum")] {
        add(&site, name, &format!("{name}@{host}.example"));
    }
    let mut gateway = site.serve();
    for name in ["ann", "bob", "cem"] {
        site.run(&["user", "disable", name]).assert_code(0);
    }
    let refused = gateway.event("that it is given up", |event| audit(event, "mail-given-up"));
    assert_eq!(refused["reason"], "sending: 550 5.1.1");
    let later = gateway.event("that it is tried again", |event| event["next"].is_string());
    assert_eq!(later["reason"], "sending: 451 4.7.1");
    server.mail("for cem", |mail| mail.to() == "cem@forum.example");
    gateway.event("that it is sent", |event| audit(event, "mail-sent"));
    let lines = metrics(&gateway).await;
    for line in [
        "passgate_mails_waiting 1",
        "passgate_mail_stuck 0",
        "passgate_mails_total{end=\"refused\"} 1",
        "passgate_mails_total{end=\"sent\"} 1",
    ] {
        assert!(lines.contains(line), "{line} in {lines}");
    }
    assert_eq!(gateway.stop(), Some(0));
    let log = gateway.last_lines().join("\n");
    assert!(!log.contains("@never") && !log.contains("@forum.example"), "no address is in the log: {log}");
}

/// The bytes of all files below a folder.
fn bytes_below(folder: &Path, all: &mut Vec<u8>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            bytes_below(&path, all);
        } else if path.is_file() {
            all.extend(std::fs::read(&path).unwrap());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_09_a_member_gets_back_in_by_mail_and_the_links_token_is_nowhere_on_the_disk() {
    let forum = SampleForum::bind(([127, 0, 0, 1], 0).into()).await.unwrap().spawn();
    let server = MailServer::start();
    let port = server.port;
    let site = Site::before(forum.address(), "");
    site.configure(&server.settings());
    drop(server);
    add(&site, "ann", "ann@forum.example");
    let mut gateway = site.serve();
    let mut browser = gateway.browser();
    let page = browser.get("/.passgate/login?return_to=/whoami.php").await;
    page.assert_says("Forgot your password?");
    let page = browser.get("/.passgate/forgot?return_to=/whoami.php").await;
    let page = browser.submit(&page, "username", &[("username", "ANN@forum.example")]).await;
    page.assert_status(200).assert_says("a mail with a link is on its way");
    gateway.event("of asking", |event| audit(event, "reset-asked-for") && event["member"].is_string());
    gateway.event("of the server", |event| event["message"] == "the mail server takes no mails; they wait");
    assert_eq!(gateway.stop(), Some(0));

    let server = MailServer::again(port);
    let mut gateway = site.serve();
    let mail = server.mail("for ann", |mail| mail.to() == "ann@forum.example");
    let text = mail.text();
    let begin = format!("{URL}/.passgate/setup?token=");
    let token: String = text.split_once(&begin).unwrap().1.chars().take(75).collect();
    gateway.event("that it is sent", |event| audit(event, "mail-sent"));
    let mut bytes = Vec::new();
    bytes_below(&site.data_dir(), &mut bytes);
    let secret = &token.as_bytes()[32..];
    assert!(!bytes.windows(secret.len()).any(|window| window == secret), "the token is on the disk");
    assert!(bytes.windows(3).any(|window| window == b"ann"), "these are the right files");

    let mut browser = gateway.browser();
    let page = browser.get(&format!("/.passgate/setup?token={token}")).await;
    let page = browser.submit(&page, "password", &[("password", "a teapot of my own")]).await;
    page.assert_says("Your new password is saved");
    let page = browser.get(&format!("/.passgate/setup?token={token}")).await;
    page.assert_status(410);
    gateway.signed_in("ann", "wonderland is far").await.1.assert_status(422);
    gateway.signed_in("ann", "a teapot of my own").await.1.assert_says("<b id=\"member\">ann</b>");
    let told = server.mail("of the change", |mail| mail.field("Subject").contains("was changed"));
    assert!(!told.text().contains("token="), "{}", told.text());
    assert_eq!(gateway.stop(), Some(0));
    let log = gateway.last_lines().join("\n");
    assert!(log.contains("\"password-reset\""), "{log}");
    assert!(!log.contains(&token[32..]) && !log.contains("@forum.example"), "{log}");
}
