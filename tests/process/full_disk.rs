//! A disk that is full: nobody is signed out, nobody is signed in, nothing that was promised is lost, and when there is room again
//! all goes on by itself (STO-05, OPS-11).
//!
//! `PASSGATE_FULL_ROUNDS` sets how often it is filled under the load of [`crate::crash`].

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use passgate::sample::SampleForum;

use crate::crash::{Crowd, Refusals, rounds, site_before};
use crate::cut::Disk;
use crate::site::{Gateway, PASSWORD, Site};
use crate::support::raw::exchange;

const ROUNDS: usize = 3;

/// What takes the room.
pub(crate) struct Filling(PathBuf);

impl Filling {
    pub(crate) fn in_folder(folder: &Path) -> Self {
        Self(folder.join("filling"))
    }

    /// Leaves room for so many bytes, about.
    pub(crate) fn fill(&self, but: u64) {
        let mut file = File::create(&self.0).unwrap();
        for size in [1024 * 1024, 4096, 1] {
            // The error is the disk being full.
            while file.write_all(&vec![0; size]).is_ok() {}
        }
        let length = file.metadata().unwrap().len();
        file.set_len(length.saturating_sub(but)).unwrap();
        file.sync_all().unwrap();
    }

    pub(crate) fn take_away(&self) {
        fs::remove_file(&self.0).unwrap();
    }
}

/// A site with a disk of its own; none, with the reason, where there can't be one.
fn small_disk(site: &Site) -> Option<Disk> {
    match Disk::make(site.data_dir().with_file_name("disk.img"), &Disk::kind(), &site.data_dir()) {
        Ok(disk) => Some(disk),
        Err(reason) => {
            println!("skipped: no disk could be made of a file: {reason}");
            None
        }
    }
}

/// What an address of the admin listener answers.
pub(crate) async fn ask(gateway: &Gateway, path: &str) -> (u16, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let answer = exchange(gateway.admin, request).await.unwrap();
    (answer.status(), answer.text())
}

/// Waits until the gateway serves sign-ins again, which it finds out by itself.
pub(crate) async fn until_ready(gateway: &Gateway) {
    gateway.event_has_come(1, "the store writes again");
    assert_eq!(ask(gateway, "/ready").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn sto_05_a_full_disk_stops_signing_in_and_nothing_else_until_there_is_room() {
    let forum = SampleForum::bind(([127, 0, 0, 1], 0).into()).await.unwrap().spawn();
    let site = Site::before(forum.address(), "");
    let Some(_disk) = small_disk(&site) else { return };
    let mut gateway = site.serve();
    site.add_member("alice");
    let (mut alice, page) = gateway.signed_in("alice", PASSWORD).await;
    page.assert_status(200).assert_says("<b id=\"member\">alice</b>");
    assert!(ask(&gateway, "/metrics").await.1.contains("\npassgate_store_writes 1\n"));
    let filling = Filling::in_folder(&site.data_dir());
    filling.fill(4 << 20);

    let refused = gateway.signed_in("alice", PASSWORD).await.1;
    refused.assert_status(503).assert_says("We can’t do this right now");
    refused.assert_silent_about("KiB").assert_silent_about("room");
    for _ in 0..3 {
        alice.get("/whoami.php").await.assert_status(200).assert_says("<b id=\"member\">alice</b>");
        gateway.browser().get("/.passgate/login").await.assert_status(200);
    }
    assert_eq!(ask(&gateway, "/health").await.0, 200);
    let (status, text) = ask(&gateway, "/ready").await;
    assert!(status == 503 && text.contains("KiB left"), "{text}");
    assert!(ask(&gateway, "/metrics").await.1.contains("\npassgate_store_writes 0\n"));
    gateway.event("of the reason", |event| {
        event["reason"].as_str().is_some_and(|text| text.contains("KiB left"))
    });
    site.run(&["user", "add", "bob"]).assert_code(69).assert_says("can't write").assert_says("make room");

    filling.take_away();
    until_ready(&gateway).await;
    site.add_member("bob");
    gateway.signed_in("bob", PASSWORD).await.1.assert_says("<b id=\"member\">bob</b>");
    alice.get("/whoami.php").await.assert_says("<b id=\"member\">alice</b>");
    assert_eq!(gateway.stop(), Some(0), "{}", gateway.lines().join("\n"));
    let mut gateway = site.serve();
    let mut again = gateway.browser();
    again.jar.put("passgate", &alice.jar.find("passgate").unwrap().value);
    again.get("/whoami.php").await.assert_says("<b id=\"member\">alice</b>");
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn sto_05_ops_11_a_disk_that_fills_up_under_load_again_and_again_loses_nothing_and_breaks_no_log() {
    let forum = SampleForum::bind(([127, 0, 0, 1], 0).into()).await.unwrap().spawn();
    let site = site_before(&forum);
    let Some(_disk) = small_disk(&site) else { return };
    let (filling, rounds) = (Filling::in_folder(&site.data_dir()), rounds("PASSGATE_FULL_ROUNDS", ROUNDS));
    let mut crowd = Crowd::at(&site, Refusals::EndTheWork);
    let mut gateway = site.serve();
    for round in 0..rounds {
        // To the last byte, which may come in the middle of a write, or so that there is too little.
        crowd.load(gateway.address, round, || filling.fill(if round % 2 == 0 { 0 } else { 4 << 20 })).await;
        crowd.check_served(gateway.address).await;
        assert_eq!(ask(&gateway, "/ready").await.0, 503);
        filling.take_away();
        gateway.event_has_come(round + 1, "the store writes again");
        crowd.check(gateway.address, round.saturating_sub(1)).await;
    }
    assert_eq!(gateway.stop(), Some(0), "{}", gateway.lines().join("\n"));
    site.run(&["audit", "verify"]).assert_code(0);
    let mut gateway = site.serve();
    crowd.check(gateway.address, 0).await;
    crowd.tell(rounds, &format!("times full on {}", Disk::kind()));
    assert_eq!(gateway.stop(), Some(0));
}
