//! A disk that is full: nobody is signed out, nobody is signed in, and nothing that was promised is lost (STO-05, STO-06).

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use passgate::sample::SampleForum;

use crate::site::{PASSWORD, Site};
use crate::support::raw::exchange;

/// A small disk in memory; gone when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// None, with the reason, where this may not be done.
    fn mount(at: &Path) -> Result<Self, String> {
        fs::create_dir(at).map_err(|error| error.to_string())?;
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=3m,mode=0700", "tmpfs"])
            .arg(at)
            .output()
            .map_err(|error| error.to_string())?;
        match mount.status.success() {
            true => Ok(Self(at.to_owned())),
            false => Err(String::from_utf8_lossy(&mount.stderr).trim().to_owned()),
        }
    }

    fn filling(&self) -> PathBuf {
        self.0.join("filling")
    }

    /// To the last byte.
    fn fill(&self) {
        let mut file = File::create(self.filling()).unwrap();
        for size in [64 * 1024, 4096, 1] {
            // The error is the disk being full.
            while file.write_all(&vec![0; size]).is_ok() {}
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily, should a process still have files open.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sto_05_a_full_disk_stops_signing_in_and_nothing_else() {
    let forum = SampleForum::bind(([127, 0, 0, 1], 0).into()).await.unwrap().spawn();
    let site = Site::before(forum.address(), "");
    let disk = match SmallDisk::mount(&site.data_dir()) {
        Ok(disk) => disk,
        Err(reason) => return println!("skipped: no small disk could be mounted: {reason}"),
    };
    let mut gateway = site.serve();
    site.add_member("alice");
    let (mut alice, page) = gateway.signed_in("alice", PASSWORD).await;
    page.assert_status(200).assert_says("<b id=\"member\">alice</b>");
    let mut kept = vec![alice.jar.find("passgate").unwrap().value.clone()];
    disk.fill();

    // What the disk has already set aside for the store may still take some.
    let refused = 'full: {
        for _ in 0..200 {
            let (browser, page) = gateway.signed_in("alice", PASSWORD).await;
            match browser.jar.find("passgate") {
                Some(cookie) => kept.push(cookie.value.clone()),
                None => break 'full page,
            }
        }
        panic!("200 sign-ins on a full disk");
    };
    refused.assert_status(503).assert_says("We can’t do this right now").assert_silent_about("No space");
    for _ in 0..3 {
        alice.get("/whoami.php").await.assert_status(200).assert_says("<b id=\"member\">alice</b>");
        gateway.browser().get("/.passgate/login").await.assert_status(200);
    }
    let ask = |path: &'static str| {
        exchange(gateway.admin, format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
    };
    assert_eq!(ask("/health").await.unwrap().status(), 200);
    let ready = ask("/ready").await.unwrap();
    assert_eq!(ready.status(), 503);
    assert!(ready.text().contains("can't write"), "{}", ready.text());
    site.run(&["user", "add", "bob"]).assert_code(69).assert_says("can't write").assert_says("restart");
    assert_eq!(gateway.stop(), Some(0), "{}", gateway.lines().join("\n"));

    fs::remove_file(disk.filling()).unwrap();
    let mut gateway = site.serve();
    for session in kept {
        let mut browser = gateway.browser();
        browser.jar.put("passgate", &session);
        browser.get("/whoami.php").await.assert_says("<b id=\"member\">alice</b>");
    }
    gateway.signed_in("alice", PASSWORD).await.1.assert_says("<b id=\"member\">alice</b>");
    assert_eq!(gateway.stop(), Some(0));
}
