//! The power is cut at random moments under the load of [`crate::crash`]: what the disk was given by then is all that the next
//! gateway finds (STO-02). What was acknowledged must be there.
//!
//! The disk is a file with a file system of its own. The moment the gateway is stopped, the file is copied: the kernel has
//! written to it what was synced, and little more. The copy takes the disk's place. `PASSGATE_CUT_ROUNDS` sets the number of cuts,
//! `PASSGATE_CUT_FS` the file system. It models a disk that keeps what it was given, in order.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use passgate::sample::SampleForum;

use crate::crash::{hold_through, rounds, site_before};

const ROUNDS: usize = 5;

/// A file system in a file, mounted; gone when dropped.
pub(crate) struct Disk {
    image: PathBuf,
    at: PathBuf,
}

impl Disk {
    /// None, with the reason, where this may not be done.
    pub(crate) fn make(image: PathBuf, kind: &str, at: &Path) -> Result<Self, String> {
        // xfs can be no smaller; the file is as large as what is in it.
        run(Command::new("truncate").args(["-s", "320M"]).arg(&image))?;
        run(Command::new(format!("mkfs.{kind}")).arg("-q").arg(&image))?;
        fs::create_dir(at).map_err(|error| error.to_string())?;
        let disk = Self { image, at: at.to_owned() };
        disk.mount()?;
        fs::set_permissions(at, fs::Permissions::from_mode(0o700)).map_err(|error| error.to_string())?;
        Ok(disk)
    }

    fn mount(&self) -> Result<(), String> {
        run(Command::new("mount").args(["-o", "loop"]).arg(&self.image).arg(&self.at))
    }

    /// Where it is mounted.
    pub(crate) fn place(&self) -> &Path {
        &self.at
    }

    /// The file system that the environment asks for.
    pub(crate) fn kind() -> String {
        env::var("PASSGATE_CUT_FS").unwrap_or_else(|_| "ext4".to_owned())
    }

    /// What the disk has been given so far, in a file.
    pub(crate) fn copy(&self) -> PathBuf {
        let copy = self.image.with_extension("cut");
        run(Command::new("cp").arg("--sparse=always").arg(&self.image).arg(&copy)).unwrap();
        copy
    }

    /// Puts what it had then in place of what it has.
    pub(crate) fn go_back(&self, copy: &Path) {
        run(Command::new("umount").arg(&self.at)).unwrap();
        fs::rename(copy, &self.image).unwrap();
        self.mount().unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}

pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let out = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if out.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&out.stderr).trim().to_owned()) }
}

/// SECURITY: SES-05. A session that was ended stays so.
#[tokio::test(flavor = "multi_thread")]
async fn sto_02_no_loss_of_power_loses_what_was_acknowledged() {
    let forum = SampleForum::bind(([127, 0, 0, 1], 0).into()).await.unwrap().spawn();
    let site = site_before(&forum);
    let folder = tempfile::tempdir().unwrap();
    let disk = match Disk::make(folder.path().join("disk.img"), &Disk::kind(), &site.data_dir()) {
        Ok(disk) => disk,
        Err(reason) => return println!("skipped: no disk could be made of a file: {reason}"),
    };
    let what = format!("cuts on {}", Disk::kind());
    hold_through(&site, rounds("PASSGATE_CUT_ROUNDS", ROUNDS), &what, |mut gateway| {
        gateway.signal("STOP");
        let copy = disk.copy();
        gateway.kill();
        disk.go_back(&copy);
    })
    .await;
}
