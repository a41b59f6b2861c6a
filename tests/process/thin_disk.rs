//! A disk that has promised more room than there is: the file system takes what it is given, and finds out only when it brings it
//! there. Linux then holds for written what is not, and shows it to every reader until the power goes. What a store reads after
//! such a failure must be what the disk has (STO-06).
//!
//! The disk is a file in memory with a file system (xfs) in it, of which only what is in use has memory behind it. What else takes the
//! memory makes every new block fail. Power is cut as in [`crate::cut`]. `PASSGATE_THIN_ROUNDS` sets how often.

use std::path::{Path, PathBuf};
use std::process::Command;

use passgate::sample::SampleForum;

use crate::crash::{Crowd, Refusals, rounds, site_before};
use crate::cut::{Disk, run};
use crate::full_disk::{Filling, ask};
use crate::site::Site;

const ROUNDS: usize = 2;

/// The memory in which the disk lies; gone when dropped.
struct Memory(PathBuf);

impl Memory {
    fn mount(at: PathBuf) -> Result<Self, String> {
        Site::private_folder(&at);
        run(Command::new("mount").args(["-t", "tmpfs", "-o", "size=480m,mode=0700", "tmpfs"]).arg(&at))?;
        Ok(Self(at))
    }

    /// What takes the rest of it.
    fn filling(&self) -> Filling {
        Filling::in_folder(&self.0)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// The disk before its memory, in the order in which they must go.
struct Thin {
    disk: Disk,
    memory: Memory,
}

impl Thin {
    fn make(at: &Path) -> Result<Self, String> {
        let memory = Memory::mount(at.with_file_name("memory"))?;
        let image = memory.0.join("disk.img");
        let disk = Disk::make(image, "xfs", at)?;
        let thin = Self { disk, memory };
        thin.trim()?;
        Ok(thin)
    }

    /// Puts memory behind all of it, and takes it from what is not in use.
    fn trim(&self) -> Result<(), String> {
        run(Command::new("fallocate").args(["-l", "320M"]).arg(self.memory.0.join("disk.img")))?;
        run(Command::new("sync").arg("-f").arg(self.disk.place()))?;
        run(Command::new("fstrim").arg(self.disk.place()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sto_06_a_store_that_goes_on_after_a_failed_sync_goes_on_with_what_the_disk_has() {
    let forum = SampleForum::bind(([127, 0, 0, 1], 0).into()).await.unwrap().spawn();
    let site = site_before(&forum);
    let thin = match Thin::make(&site.data_dir()) {
        Ok(thin) => thin,
        Err(reason) => return println!("skipped: no thin disk could be made: {reason}"),
    };
    let rounds = rounds("PASSGATE_THIN_ROUNDS", ROUNDS);
    let mut crowd = Crowd::at(&site, Refusals::EndTheWork);
    for round in 0..rounds {
        thin.trim().unwrap();
        let mut gateway = site.serve();
        crowd.check(gateway.address, round.saturating_sub(1)).await;
        crowd.load(gateway.address, round, || thin.memory.filling().fill(0)).await;
        crowd.check_served(gateway.address).await;
        assert_eq!(ask(&gateway, "/ready").await.0, 503);
        thin.memory.filling().take_away();
        gateway.event_has_come(1, "the store writes again");
        crowd.check(gateway.address, round).await;
        crowd
            .load(gateway.address, round, || {
                gateway.signal("STOP");
                let copy = thin.disk.copy();
                gateway.kill();
                thin.disk.go_back(&copy);
            })
            .await;
    }
    let gateway = site.serve();
    crowd.check(gateway.address, 0).await;
    crowd.tell(rounds, "failures and cuts on a thin disk");
}
