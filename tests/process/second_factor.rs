//! The key that opens what members' apps share with the gateway: over a restart, lost, another one's, and back.

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use passgate::domain::{Clock, ManualClock, SystemClock};
use passgate::sample::SampleForum;

use crate::site::{Gateway, PASSWORD, Site, mode};
use crate::support::app::{App, TWO_STEP};
use crate::support::browser::Page;

/// The code an app shows so many steps from now.
fn code(app: &App, steps: u32) -> String {
    app.shows(&ManualClock::at(SystemClock.now().after(Duration::from_secs(30) * steps)))
}

/// Gives name, password and this code; the page they lead to.
async fn enter(gateway: &Gateway, code: &str) -> Page {
    let (mut browser, page) = gateway.signed_in("alice", PASSWORD).await;
    page.assert_says("Enter your code");
    browser.submit(&page, "code", &[("code", code)]).await
}

fn let_in(page: &Page) -> bool {
    page.target() == "/whoami.php"
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_10_apps_go_on_over_a_restart_and_a_key_that_is_lost_or_anothers_lets_nobody_in() {
    let forum = SampleForum::bind(([127, 0, 0, 1], 0).into()).await.unwrap().spawn();
    let site = Site::before(forum.address(), "");
    site.add_member("alice");
    let mut gateway = site.serve();
    let (mut alice, _) = gateway.signed_in("alice", PASSWORD).await;
    let page = alice.get(TWO_STEP).await;
    let app = App::of(&page);
    // Each step is taken once, and those before it no more: this one, and the next ones are left.
    let page = alice.submit(&page, "code", &[("code", &code(&app, 0))]).await;
    page.assert_says("Your recovery codes");
    let text = page.text();
    let recovery = text.split_once("Recovery codes\">").unwrap().1.lines().next().unwrap().to_owned();
    assert_eq!(gateway.stop(), Some(0));

    let file = site.file().with_file_name("second-factor.key");
    assert_eq!(mode(&file), 0o600);
    let right = fs::read_to_string(&file).unwrap();
    let another = right.chars().rev().collect::<String>().trim().to_owned();
    // The last character of 43 stands for four bits, not six.
    let another = format!("{}A\n", &another[..42]);
    let put = |text: &str| {
        let _ = fs::remove_file(&file);
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create_new(true).mode(0o600).open(&file).unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    };
    for (key, uses_recovery) in [(None, true), (Some(&another), false)] {
        match key {
            None => fs::remove_file(&file).unwrap(),
            Some(text) => put(text),
        }
        let mut gateway = site.serve();
        let told =
            gateway.event("of the key", |event| event["message"] == "the key of second factors is missing");
        let words = told["warning"].as_str().unwrap();
        assert!(words.contains("1 member's app") && words.contains("second-factor.key"), "{words}");
        assert!(words.contains("put the right file back"), "{words}");
        let refused = enter(&gateway, &code(&app, 1)).await;
        refused.assert_status(422).assert_says("That didn’t work");
        gateway.event("of the member", |event| {
            event["level"] == "ERROR"
                && event["message"].as_str().is_some_and(|said| said.contains("can't be opened"))
        });
        if uses_recovery {
            assert!(let_in(&enter(&gateway, &recovery).await), "a recovery code needs no key");
        }
        assert_eq!(gateway.stop(), Some(0));
    }

    put(&right);
    let mut gateway = site.serve();
    assert!(let_in(&enter(&gateway, &code(&app, 1)).await), "the very code that was refused without the key");
    assert_eq!(gateway.stop(), Some(0));
    assert!(!gateway.last_lines().iter().any(|line| line.contains("key of second factors is missing")));
}
