//! Certificates that come by themselves: ordered from an authority of the test's own, proved, shown, renewed in time; and what an
//! authority can do to us that means no good, or is away.

mod refused;
mod site;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use passgate::server::Look;

use self::site::{DAY, Site};
use super::upstreams::admin;
use crate::support::acme::Fault;
use crate::support::acme::proof::shown;
use crate::support::raw::exchange;

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_comes_by_either_challenge_and_is_shown_from_the_next_handshake_on() {
    for kind in ["tls-alpn-01", "http-01"] {
        let site = Site::new("").await;
        site.ca.habits().fault = Some(Fault::Silent);
        let mut running = site.serve(&format!("challenges = \"{kind}\"")).await;
        site.ca.until("a first question", |ca| !ca.requests().is_empty()).await;
        assert!(shown(running.tls, "forum.example").await.is_err(), "nothing is shown before");
        assert_eq!(
            admin(&running.gateway, "/ready").await,
            (503, "no certificate has come yet\n".to_owned())
        );
        assert_eq!(admin(&running.gateway, "/health").await.0, 200);
        drop(running);
        site.ca.habits().fault = None;
        running = site.serve(&format!("challenges = \"{kind}\"")).await;
        running.gateway.clock.advance(Duration::from_secs(180));
        running.settled().await;
        let orders = site.ca.orders();
        assert_eq!((orders.len(), orders[0].status), (1, "valid"), "{kind}");
        assert_eq!(orders[0].proofs[0].kind, Some(kind));
        assert_eq!(
            shown(running.tls, "forum.example").await.unwrap(),
            *orders[0].certificate.as_ref().unwrap()
        );
        assert!(shown(running.tls, "other.example").await.is_err());
        assert_eq!(running.order().await, Look::Fine);
        let reply = running.get("/viewtopic.php").await;
        assert_eq!((reply.status(), reply.text().as_str()), (200, "the forum"));
        assert_eq!(admin(&running.gateway, "/ready").await.0, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ops_05_what_is_kept_of_it_is_for_the_owner_alone() {
    let site = Site::new("").await;
    let running = site.serve("").await;
    running.settled().await;
    let folder = site.data_dir().join("acme");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let mut names: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            assert_eq!(mode(&path), 0o600, "{}", path.display());
            path.file_name().unwrap().to_str().unwrap().to_owned()
        })
        .collect();
    names.sort();
    let account = format!("account-localhost-{}-directory.json", site.ca.address.port());
    assert_eq!(names, [account.as_str(), "certificate.pem", "state.json"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_not_lost_when_the_gateway_is_killed_before_it_hears_of_it() {
    const EXTERNAL: (&str, &[u8]) = ("kid-1", b"a key of the authority's");
    let site = Site::new("").await;
    let file = site.folder.path().join("external");
    fs::write(&file, URL_SAFE_NO_PAD.encode(EXTERNAL.1)).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let lines = format!("external_account = \"{}\"\nexternal_account_key_file = {file:?}", EXTERNAL.0);
    site.ca.habits().external = Some(EXTERNAL);
    site.ca.habits().fault = Some(Fault::Unheard);
    let running = site.serve(&lines).await;
    site.ca.until("an account", |ca| ca.accounts().0 == 1).await;
    drop(running);
    site.ca.habits().fault = None;
    let running = site.serve(&lines).await;
    running.gateway.clock.advance(Duration::from_secs(180));
    assert!(running.has_come().await);
    assert_eq!(site.ca.accounts().0, 1, "a second one is not given");
    assert_eq!(site.ca.orders()[0].status, "valid");
}

#[tokio::test(flavor = "multi_thread")]
async fn web_09_beside_the_challenge_everything_in_the_clear_is_led_away() {
    let site = Site::new("redirect = true").await;
    let running = site.serve("challenges = \"http-01\"").await;
    running.settled().await;
    assert_eq!(site.ca.orders()[0].status, "valid");
    for path in ["/.well-known/acme-challenge/token_0", "/.well-known/acme-challenge/", "/"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: forum.example\r\nAccept: text/html\r\n\r\n");
        let reply = exchange(running.plain, &request).await.unwrap();
        assert_eq!(reply.status(), 301, "{path}");
        assert_eq!(reply.head.value("location"), Some(format!("https://forum.example{path}")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_renewed_when_two_thirds_of_its_time_are_over_and_no_connection_is_lost() {
    let site = Site::new("").await;
    let running = site.serve("").await;
    running.settled().await;
    let first = shown(running.tls, "forum.example").await.unwrap();
    let mut client = running.connect().await;
    assert_eq!(running.get_over(&mut client, "/").await.status(), 200);
    running.gateway.clock.advance(59 * DAY);
    site.ca.habits().begin = running.now();
    assert_eq!(running.order().await, Look::Fine);
    running.gateway.clock.advance(DAY);
    assert!(running.has_come().await);
    let second = shown(running.tls, "forum.example").await.unwrap();
    assert_ne!(first, second);
    assert_eq!(site.ca.orders().len(), 2);
    assert_eq!(site.ca.accounts().0, 1, "the account is the same");
    assert_eq!(running.get_over(&mut client, "/").await.status(), 200, "the old connection goes on");
    assert_eq!(running.order().await, Look::Fine);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_says_when_is_followed_and_told_which_certificate_is_replaced() {
    let site = Site::new("").await;
    let running = site.serve("").await;
    let now = running.now();
    site.ca.habits().window = Some((now.after(10 * DAY), now.after(11 * DAY)));
    running.settled().await;
    running.gateway.clock.advance(DAY);
    assert_eq!(running.order().await, Look::Fine);
    running.gateway.clock.advance(10 * DAY);
    assert!(running.has_come().await);
    let orders = site.ca.orders();
    let replaces: Vec<_> = orders.iter().map(|order| order.replaces.is_some()).collect();
    assert_eq!(replaces, [false, true]);
    assert!(site.ca.requests().iter().any(|request| request.contains(orders[1].replaces.as_ref().unwrap())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_far_away_does_not_keep_from_renewing() {
    let site = Site::new("").await;
    let running = site.serve("").await;
    let now = running.now();
    site.ca.habits().window = Some((now.after(400 * DAY), now.after(500 * DAY)));
    running.settled().await;
    running.gateway.clock.advance(74 * DAY);
    assert_eq!(running.order().await, Look::Fine);
    running.gateway.clock.advance(DAY);
    assert!(running.has_come().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_nonces_are_no_matter() {
    let site = Site::new("").await;
    site.ca.habits().bad_nonces = 2;
    let running = site.serve("").await;
    running.settled().await;
    assert!(shown(running.tls, "forum.example").await.is_ok());
    assert_eq!(site.ca.habits().bad_nonces, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_ends_in_the_middle_goes_on_with_the_same_order() {
    let site = Site::new("").await;
    site.ca.habits().fault = Some(Fault::Slow);
    let running = site.serve("").await;
    site.ca
        .until("the end of an order", |ca| ca.orders().iter().any(|order| order.status == "processing"))
        .await;
    drop(running);
    site.ca.habits().fault = None;
    let running = site.serve("").await;
    assert!(matches!(running.order().await, Look::Waits { .. }), "not at once: it may fall over each time");
    running.gateway.clock.advance(Duration::from_secs(180));
    assert!(running.has_come().await);
    let orders = site.ca.orders();
    assert_eq!((orders.len(), site.ca.accounts().0), (1, 1));
    assert_eq!(shown(running.tls, "forum.example").await.unwrap(), *orders[0].certificate.as_ref().unwrap());
    drop(running);
    let running = site.serve("").await;
    assert_eq!(running.order().await, Look::Fine, "it lies on the disk");
    assert!(shown(running.tls, "forum.example").await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_a_crash_left_behind_is_not_taken_for_a_new_one() {
    let site = Site::new("").await;
    site.ca.habits().fault = Some(Fault::Slow);
    let running = site.serve("").await;
    site.ca
        .until("the end of an order", |ca| ca.orders().iter().any(|order| order.status == "processing"))
        .await;
    let order = site.data_dir().join("acme/order.json");
    let left = fs::read(&order).unwrap();
    drop(running);
    site.ca.habits().fault = None;
    let running = site.serve("").await;
    running.gateway.clock.advance(Duration::from_secs(180));
    running.settled().await;
    assert!(!order.exists());
    fs::write(&order, left).unwrap();
    fs::set_permissions(&order, fs::Permissions::from_mode(0o600)).unwrap();
    running.gateway.clock.advance(60 * DAY);
    site.ca.habits().begin = running.now();
    assert!(running.has_come().await);
    assert_eq!(site.ca.orders().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_added_and_taken_away_by_a_reload() {
    let site = Site::new("").await;
    let running = site.serve("").await;
    running.settled().await;
    let names = |at: usize| {
        let orders = site.ca.orders();
        orders[at].proofs.iter().map(|proof| proof.name.clone()).collect::<Vec<_>>()
    };
    for (at, list) in [(1, &["forum.example", "www.forum.example"][..]), (2, &["forum.example"])] {
        running.reload(&format!("names = {list:?}")).await;
        running.settled().await;
        assert_eq!(names(at), list);
        let www = shown(running.tls, "www.forum.example").await;
        assert_eq!(www.ok(), (list.len() == 2).then(|| site.ca.orders()[at].certificate.clone().unwrap()));
    }
    running.reload("contact = \"admin@forum.example\"").await;
    running.settled().await;
    assert_eq!(site.ca.orders().len(), 3, "that is no reason for a certificate");
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_from_files_stand_beside_and_go_first() {
    let site = Site::with_file("forum.example").await;
    let names = "names = [\"forum.example\", \"www.forum.example\"]\ncontact = \"admin@forum.example\"";
    let running = site.serve(names).await;
    running.settled().await;
    let came = site.ca.orders()[0].certificate.clone().unwrap();
    assert_eq!(shown(running.tls, "www.forum.example").await.unwrap(), came);
    let own = shown(running.tls, "forum.example").await.unwrap();
    assert_ne!(own, came);
    running.reload("enabled = false").await;
    assert!(shown(running.tls, "www.forum.example").await.is_err(), "none is wanted any longer");
    assert_eq!(shown(running.tls, "forum.example").await.unwrap(), own);
    running.reload(names).await;
    assert_eq!(shown(running.tls, "www.forum.example").await.unwrap(), came, "the one on the disk is good");
    running.settled().await;
    assert_eq!(site.ca.orders().len(), 1);
    assert_eq!(site.ca.accounts(), (1, vec!["mailto:admin@forum.example".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_listener_tells_when_it_ends_and_how_often_none_came() {
    let site = Site::new("").await;
    site.ca.habits().kinds = vec!["dns-01"];
    let running = site.serve("").await;
    running.settled().await;
    let metrics = async || {
        let admin = running.gateway.running.admin_address.unwrap();
        exchange(admin, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap().text()
    };
    assert!(metrics().await.contains("\npassgate_acme_failures 1\n"));
    site.ca.habits().kinds = vec!["http-01"];
    running.gateway.clock.advance(Duration::from_secs(180));
    running.settled().await;
    let text = metrics().await;
    assert!(text.contains("\npassgate_acme_failures 0\n"));
    let line =
        text.lines().find(|line| line.starts_with("passgate_certificate_expiry_seconds{file=")).unwrap();
    let end = site.ca.habits().begin.as_millis() / 1000 + 90 * DAY.as_secs();
    assert!(line.ends_with(&format!("acme/certificate.pem\"}} {end}")), "{line}");
}
