//! Who knows a member's password: no command takes, tells or changes one, and a fresh gateway has none (AUTH-11, AUTH-12, OPS-12).

use passgate::sample::SampleForum;

use crate::site::{Gateway, PASSWORD, Site};

const CHOSEN: &str = "chosen by an operator";

/// All that `command` and those below it may be told, as their help says: the command, and the argument's line.
fn arguments(site: &Site, command: &[&str]) -> Vec<(String, String)> {
    let help = site.run(&[command, &["--help"]].concat());
    let mut part = "";
    let mut found = Vec::new();
    for line in help.assert_code(0).out.lines() {
        let is_below = line.starts_with("  ") && !line.starts_with("   ");
        match line.trim() {
            title if title.ends_with(':') && !line.starts_with(' ') => part = line,
            name if part == "Commands:" && is_below && !name.starts_with("help ") => {
                let below = name.split(' ').next().unwrap();
                found.extend(arguments(site, &[command, &[below]].concat()));
            }
            argument if part != "Commands:" && argument.starts_with(['-', '<', '[']) => {
                found.push((command.join(" "), argument.to_owned()));
            }
            _ => {}
        }
    }
    found
}

#[test]
fn auth_11_ops_12_no_command_takes_a_secret_as_an_argument() {
    let site = Site::before(([127, 0, 0, 1], 9).into(), "");
    let all = arguments(&site, &[]);
    assert!(all.len() > 100, "{all:?}");
    let names =
        all.iter().map(|(command, line)| (&**command, line.split("  ").next().unwrap().to_lowercase()));
    let secret =
        |name: &String| ["password", "secret", "token", "phrase"].iter().any(|word| name.contains(word));
    let found: Vec<_> = names.filter(|(_, name)| secret(name)).collect();
    let a_file = ("user import", "--database-password-file <path>".to_owned());
    // The one that a member may be given when they are made, and it is read from the input.
    assert_eq!(found, [("user add", "--password-stdin".to_owned()), a_file]);
}

async fn is_let_in(gateway: &Gateway, name: &str, password: &str) -> bool {
    let page = gateway.signed_in(name, password).await.1;
    page.status == 200 && page.url.path() == "/whoami.php"
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_11_whatever_operators_do_a_member_keeps_the_password_and_nobody_is_told_it() {
    let forum = SampleForum::bind(([127, 0, 0, 1], 0).into()).await.unwrap().spawn();
    let site = Site::before(forum.address(), "");
    let gateway = site.serve();
    site.add_member("alice");
    let list = format!("name,password\nalice,{}\n", "h".repeat(20));
    let chosen = format!("{CHOSEN}\n");
    let reset = ["user", "link", "alice", "--reset"];
    for (arguments, input) in [
        (&["user", "add", "alice", "--password-stdin"][..], &*chosen),
        (&["user", "import", "-", "--from", "csv"], &list),
        (&["user", "disable", "alice"], ""),
        (&["user", "enable", "alice"], ""),
        (&["user", "unlock", "alice"], ""),
        (&["user", "reset-second-factor", "alice"], ""),
        (&["user", "link", "alice", "--set-up"], ""),
        (&["user", "link", "alice"], ""),
        (&reset, ""),
        (&["user", "list", "--json"], ""),
        (&["user", "show", "alice", "--json"], ""),
    ] {
        let told = site.run_with(arguments, input);
        for secret in ["$argon2", PASSWORD, CHOSEN] {
            assert!(!told.out.contains(secret) && !told.err.contains(secret), "{told:?}");
        }
    }
    assert!(is_let_in(&gateway, "alice", PASSWORD).await);
    for other in [CHOSEN, &"h".repeat(20)] {
        assert!(!is_let_in(&gateway, "alice", other).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_12_a_fresh_gateway_lets_nobody_in_until_an_operator_hands_out_a_link_that_works_once() {
    let forum = SampleForum::bind(([127, 0, 0, 1], 0).into()).await.unwrap().spawn();
    let site = Site::before(forum.address(), "");
    let gateway = site.serve();
    assert_eq!(site.run(&["user", "list", "--json"]).assert_code(0).out, "[]\n");
    for name in ["admin", "root", "administrator", "passgate", "guest"] {
        for password in ["", name, "password", PASSWORD] {
            assert!(!is_let_in(&gateway, name, password).await, "{name} {password:?}");
        }
    }
    let link = site.run(&["user", "add", "admin"]).assert_code(0).out.trim_end().to_owned();
    assert!(!is_let_in(&gateway, "admin", "").await, "there is a link, and no password yet");
    let mut browser = gateway.browser();
    let form = browser.get(&link).await;
    browser.submit(&form, "password", &[("password", PASSWORD)]).await.assert_status(200);
    let again = gateway.browser().submit(&form, "password", &[("password", CHOSEN)]).await;
    assert!(again.status.is_client_error(), "{}", again.status);
    assert!(is_let_in(&gateway, "admin", PASSWORD).await && !is_let_in(&gateway, "admin", CHOSEN).await);
    let token = link.split_once("token=").unwrap().1;
    assert!(!gateway.lines().iter().any(|line| line.contains(token)));
}
