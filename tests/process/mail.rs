//! Mail, before a real mail server.

use std::net::SocketAddr;

use crate::mail_server::{Certificate, MailServer, SMTP_PASSWORD, USER};
use crate::site::{Finished, Site, finish};

/// Nothing is behind the gateway: no command asks the application.
fn nobody() -> SocketAddr {
    ([127, 0, 0, 1], 1).into()
}

fn mail_test(site: &Site, authority: Option<&str>, address: &str) -> Finished {
    let mut command = site.program(&["mail", "test", address]);
    command.envs(authority.map(|file| ("SSL_CERT_FILE", file)));
    finish(command, "")
}

#[test]
fn mail_test_hands_a_mail_over_or_says_why_not() {
    let certificate = Certificate::new();
    let authority = certificate.authority();
    for tls in ["starttls", "tls"] {
        let server = MailServer::with_tls(tls, &certificate);
        let site = Site::before(nobody(), "");
        let folder = site.data_dir().parent().unwrap().to_owned();
        site.configure(&server.settings_with_tls(tls, &folder, SMTP_PASSWORD));
        mail_test(&site, Some(&authority), "ann@münchen.example").assert_code(0);
        let mail = server.mail("for the test", |_| true);
        assert_eq!(
            (mail.to(), mail.noted("from").as_str()),
            ("ann@xn--mnchen-3ya.example", Some("forum@forum.example"))
        );
        assert_eq!((mail.noted("tls"), mail.noted("user")), (&true.into(), &USER.into()));
        assert_eq!(mail.field("Subject"), "A test mail from The Teapot Forum");
        assert_eq!(mail.field("From"), "\"The Teapot Forum\" <forum@forum.example>");
        assert_eq!(mail.field("Auto-Submitted"), "auto-generated");
        assert!(
            mail.text().contains("If you can read this, The Teapot Forum can send mail"),
            "{}",
            mail.text()
        );

        mail_test(&site, None, "ann@forum.example")
            .assert_code(69)
            .assert_says("has to be one that this system trusts");
        let refused = mail_test(&site, Some(&authority), "ann@never.example");
        refused.assert_code(69).assert_says("sending: 550 5.1.1").assert_says("no such member");
        site.configure(&server.settings_with_tls(tls, &folder, "another canary"));
        let refused = mail_test(&site, Some(&authority), "ann@forum.example");
        refused.assert_code(69).assert_says("signing in: 535").assert_says("mail.password_file");
        assert!(!refused.err.contains("canary"), "{refused:#?}");
        assert_eq!(server.mails().len(), 1);
        drop(server);
        mail_test(&site, Some(&authority), "ann@forum.example").assert_code(69).assert_says("connecting: ");
    }
}

#[test]
fn nothing_is_sent_in_the_clear_to_a_server_that_offers_no_tls() {
    let server = MailServer::start();
    let site = Site::before(nobody(), "");
    let folder = site.data_dir().parent().unwrap().to_owned();
    site.configure(&server.settings_with_tls("starttls", &folder, SMTP_PASSWORD));
    mail_test(&site, None, "ann@forum.example").assert_code(69).assert_says("STARTTLS is not supported");
    assert!(server.mails().is_empty());
    site.configure(&server.settings());
    mail_test(&site, None, "ann@forum.example").assert_code(0);
    for nonsense in
        ["ann", "ann@forum.example, eve@forum.example", "a\r\nRCPT TO:<eve@forum.example>@forum.example"]
    {
        mail_test(&site, None, nonsense).assert_code(65).assert_says("no e-mail address");
    }
    site.configure("");
    mail_test(&site, None, "ann@forum.example").assert_code(78).assert_says("[mail]");
    assert_eq!(server.mails().len(), 1);
}
