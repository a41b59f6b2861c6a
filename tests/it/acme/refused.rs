//! Authorities that refuse, are away, or mean no good: it is tried again later and later, what was there stays, and nothing is asked
//! of anybody else.

use std::time::Duration;

use passgate::server::Look;

use super::site::{DAY, Site};
use crate::support::acme::Fault;
use crate::support::acme::proof::shown;
use crate::support::upstream::{Act, Recorder};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_can_not_be_proved_is_told_with_the_reason_and_tried_later_in_another_way() {
    let site = Site::new("").await;
    site.ca.names_lead_to(None, None);
    let running = site.serve_unreached("").await;
    let why = running.why().await;
    assert!(why.contains("forum.example") && why.contains("the name leads nowhere"), "{why}");
    site.ca.names_lead_to(Some(running.plain), Some(running.tls));
    assert!(matches!(running.order().await, Look::Waits { .. }), "not before it is time");
    running.gateway.clock.advance(3 * MINUTE);
    assert!(running.has_come().await);
    let kinds: Vec<_> = site.ca.orders().iter().map(|order| order.proofs[0].kind.unwrap()).collect();
    assert_eq!(kinds, ["tls-alpn-01", "http-01"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_09_an_authority_is_not_asked_sooner_because_of_a_restart_or_a_reload() {
    let site = Site::new("").await;
    site.ca.habits().kinds = vec!["dns-01"];
    let mut running = site.serve("").await;
    assert!(running.why().await.contains("can't be proved there by tls-alpn-01 or http-01"));
    let asked = site.ca.requests().len();
    for _ in 0..3 {
        drop(running);
        running = site.serve("").await;
        running.reload("").await;
        running.settled().await;
        running.gateway.clock.advance(MINUTE);
        running.settled().await;
    }
    assert_eq!(site.ca.requests().len(), asked);
    let mut waits = Vec::new();
    for _ in 0..4 {
        let Look::Waits { next_try, .. } = running.order().await else { panic!("it waits") };
        waits.push(next_try.since(running.now()).as_secs() / 60);
        running.gateway.clock.set(next_try);
        running.settled().await;
    }
    assert!(waits[1] >= 4 && waits[2] >= 8 && waits[3] >= 16, "{waits:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_09_an_authority_that_asks_to_wait_is_left_alone_for_as_long() {
    let site = Site::new("").await;
    site.ca.habits().fault = Some(Fault::TooMany(5 * 3600));
    let running = site.serve("").await;
    assert!(running.why().await.contains("too many certificates already"));
    site.ca.habits().fault = None;
    running.gateway.clock.advance(5 * 60 * MINUTE - MINUTE);
    running.reload("").await;
    assert!(matches!(running.order().await, Look::Waits { .. }));
    running.gateway.clock.advance(MINUTE);
    assert!(running.has_come().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_09_what_an_authority_says_leads_nowhere_else_and_is_bounded() {
    let inner = Recorder::always([Act::ok("secrets of the machine")]).await;
    let elsewhere = |scheme: &str| format!("{scheme}://{}/", inner.address());
    for (fault, words) in [
        (Fault::Redirect(elsewhere("http")), "it redirects"),
        (Fault::Redirect(elsewhere("https")), "it redirects"),
        (Fault::Elsewhere(elsewhere("http")), "not at its own host and port"),
        (Fault::Elsewhere(elsewhere("https")), "not at its own host and port"),
        (Fault::Endless, "too long"),
        (Fault::Token("<script>".to_owned()), "a token that is none"),
        (Fault::Token("../../x".to_owned()), "a token that is none"),
    ] {
        let site = Site::new("").await;
        site.ca.habits().fault = Some(fault.clone());
        let running = site.serve("").await;
        let why = running.why().await;
        assert!(why.contains(words), "{fault:?}: {why}");
        site.ca.habits().fault = None;
        running.gateway.clock.advance(3 * MINUTE);
        assert!(running.has_come().await, "{fault:?}");
    }
    assert!(inner.connections().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn ops_01_an_authoritys_words_are_short_and_one_line() {
    let site = Site::new("").await;
    site.ca.habits().fault = Some(Fault::Words(format!("a\r\nb\u{1b}[31m{}", "x".repeat(10_000))));
    let running = site.serve("").await;
    let why = running.why().await;
    assert!(why.len() < 1000 && !why.chars().any(char::is_control), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_was_not_ordered_never_takes_the_place_of_a_good_one() {
    let site = Site::new("").await;
    let running = site.serve("").await;
    running.settled().await;
    let good = shown(running.tls, "forum.example").await.unwrap();
    running.gateway.clock.advance(60 * DAY);
    let begin = site.ca.habits().begin;
    for fault in [Some(Fault::OfAnotherKey), Some(Fault::ForSomebodyElse), None] {
        // Without a fault it has run out already.
        site.ca.habits().begin = if fault.is_some() { running.now() } else { begin };
        site.ca.habits().lifetime = if fault.is_some() { 90 * DAY } else { DAY };
        site.ca.habits().fault = fault.clone();
        let why = running.why().await;
        assert!(why.contains("no certificate of ours"), "{fault:?}: {why}");
        assert_eq!(shown(running.tls, "forum.example").await.unwrap(), good);
        running.gateway.clock.advance(60 * MINUTE);
    }
    site.ca.habits().begin = running.now();
    site.ca.habits().lifetime = 90 * DAY;
    assert!(running.has_come().await);
    assert_ne!(shown(running.tls, "forum.example").await.unwrap(), good);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_one_no_longer_is_followed_by_another() {
    let site = Site::new("").await;
    let running = site.serve("").await;
    running.settled().await;
    let good = shown(running.tls, "forum.example").await.unwrap();
    site.ca.revoke_accounts();
    running.gateway.clock.advance(60 * DAY);
    site.ca.habits().begin = running.now();
    assert!(running.why().await.contains("the account is deactivated"));
    assert_eq!(shown(running.tls, "forum.example").await.unwrap(), good, "what was there stays");
    running.gateway.clock.advance(3 * MINUTE);
    assert!(running.has_come().await);
    assert_eq!(site.ca.accounts().0, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn short_certificates_are_not_ordered_one_after_the_other() {
    let site = Site::new("").await;
    site.ca.habits().lifetime = Duration::from_secs(3_700);
    let running = site.serve("").await;
    running.settled().await;
    for _ in 0..50 {
        running.gateway.clock.advance(MINUTE);
        running.settled().await;
    }
    assert_eq!(site.ca.orders().len(), 1);
    site.ca.habits().begin = running.now();
    running.gateway.clock.advance(15 * MINUTE);
    assert!(running.has_come().await);
}
