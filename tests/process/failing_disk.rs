//! A disk that fails, or says nothing: nobody waits for good, nothing that was promised is lost, and it goes on by itself when the
//! disk does (STO-06, STO-14). The disk is a real one; its answers are those of [`crate::faults`].
//!
//! `PASSGATE_FAULT_ROUNDS` sets how often it fails under the load of [`crate::crash`].

use passgate::sample::{RunningForum, SampleForum};

use crate::crash::{Crowd, Refusals, rounds, site_before};
use crate::faults::Faults;
use crate::full_disk::{ask, until_ready};
use crate::site::{Gateway, PASSWORD, Site};

const ROUNDS: usize = 4;
/// EIO, EDQUOT, EROFS and ENOSPC, as Linux numbers them.
const ERRORS: [u32; 4] = [5, 122, 30, 28];

async fn forum() -> RunningForum {
    SampleForum::bind(([127, 0, 0, 1], 0).into()).await.unwrap().spawn()
}

fn faults(site: &Site) -> Option<Faults> {
    match Faults::in_store_of(site) {
        Ok(faults) => Some(faults),
        Err(reason) => {
            println!("skipped: no library of faults could be made: {reason}");
            None
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sto_06_a_disk_that_fails_stops_signing_in_until_it_takes_what_it_is_given() {
    let forum = forum().await;
    let site = Site::before(forum.address(), "");
    let Some(faults) = faults(&site) else { return };
    let mut gateway = Gateway::start(faults.in_front_of(site.program(&["serve"])));
    site.add_member("alice");
    let (mut alice, _) = gateway.signed_in("alice", PASSWORD).await;
    faults.order("fail 5");
    let refused = gateway.signed_in("alice", PASSWORD).await.1;
    refused.assert_status(503).assert_says("We can’t do this right now").assert_silent_about("error");
    alice.get("/whoami.php").await.assert_status(200).assert_says("<b id=\"member\">alice</b>");
    let (status, text) = ask(&gateway, "/ready").await;
    assert!(status == 503 && text.contains("Input/output error"), "{text}");
    assert!(ask(&gateway, "/metrics").await.1.contains("\npassgate_store_writes 0\n"));
    faults.order("");
    until_ready(&gateway).await;
    gateway.signed_in("alice", PASSWORD).await.1.assert_says("<b id=\"member\">alice</b>");
    assert_eq!(gateway.stop(), Some(0), "{}", gateway.lines().join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn sto_06_a_disk_that_fails_under_load_again_and_again_loses_nothing() {
    let forum = forum().await;
    let site = site_before(&forum);
    let Some(faults) = faults(&site) else { return };
    let rounds = rounds("PASSGATE_FAULT_ROUNDS", ROUNDS);
    let mut crowd = Crowd::at(&site, Refusals::EndTheWork);
    let mut gateway = Gateway::start(faults.in_front_of(site.program(&["serve"])));
    for round in 0..rounds {
        let order = format!("fail {}", ERRORS[round % ERRORS.len()]);
        crowd.load(gateway.address, round, || faults.order(&order)).await;
        crowd.check_served(gateway.address).await;
        assert_eq!(ask(&gateway, "/ready").await.0, 503);
        faults.order("");
        gateway.event_has_come(round + 1, "the store writes again");
        crowd.check(gateway.address, round.saturating_sub(1)).await;
    }
    assert_eq!(gateway.stop(), Some(0), "{}", gateway.lines().join("\n"));
    let mut gateway = site.serve();
    crowd.check(gateway.address, 0).await;
    crowd.tell(rounds, "failures of the disk");
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn sto_14_a_disk_that_says_nothing_leaves_nobody_waiting_and_is_waited_for() {
    let forum = forum().await;
    let site = Site::before(forum.address(), "");
    let Some(faults) = faults(&site) else { return };
    let mut gateway = Gateway::start(faults.in_front_of(site.program(&["serve"])));
    site.add_member("alice");
    let (mut alice, _) = gateway.signed_in("alice", PASSWORD).await;
    faults.order("hang");
    gateway.signed_in("alice", PASSWORD).await.1.assert_status(503).assert_says("We can’t do this right now");
    alice.get("/whoami.php").await.assert_says("<b id=\"member\">alice</b>");
    let (status, text) = ask(&gateway, "/ready").await;
    assert!(status == 503 && text.contains("does not answer"), "{text}");
    faults.order("");
    gateway.event_has_come(1, "the store goes on");
    assert_eq!(ask(&gateway, "/ready").await.0, 200);
    gateway.signed_in("alice", PASSWORD).await.1.assert_says("<b id=\"member\">alice</b>");
    assert_eq!(gateway.stop(), Some(0), "{}", gateway.lines().join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn sto_14_a_store_that_stands_still_on_a_good_disk_ends_the_process_for_the_next_to_go_on() {
    let forum = forum().await;
    let site = Site::before(forum.address(), "");
    let Some(faults) = faults(&site) else { return };
    let mut gateway = Gateway::start(faults.in_front_of(site.program(&["serve"])));
    site.add_member("alice");
    let (alice, _) = gateway.signed_in("alice", PASSWORD).await;
    faults.order("hang-db");
    gateway.signed_in("alice", PASSWORD).await.1.assert_status(503);
    // By itself, which has the service manager start it anew; what hangs is not waited for.
    assert_eq!(gateway.ended(), Some(69), "{}", gateway.lines().join("\n"));
    assert!(gateway.last_lines().join("\n").contains("it takes a restart"), "{}", gateway.lines().join("\n"));
    let mut gateway = site.serve();
    let mut again = gateway.browser();
    again.jar.put("passgate", &alice.jar.find("passgate").unwrap().value);
    again.get("/whoami.php").await.assert_says("<b id=\"member\">alice</b>");
    assert_eq!(gateway.stop(), Some(0));
}
