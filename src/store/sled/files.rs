//! The store's folder: who may open it, in which format it is, and what it takes for its files to be on the disk.
//!
//! ```text
//! format    the number of the format; its lock says that the store is in use
//! db        sled's log, where all the data is
//! conf      sled's settings, written once
//! snap.*    sled's map of the log, written when it opens
//! blobs/    what sled finds too large for the log
//! written   how many groups of changes the disk has
//! probe     there for a moment, to see whether the disk takes it
//! closed    there while no process has the store, if the last one had brought all to the disk
//! ```
//!
//! The format stands in a file of its own and is read first: sled changes files by merely opening them, and a store that
//! is refused must stay as it is.
//!
//! SECURITY: STO-07. A damaged place in the log reads, to sled, as its end: what came after would be gone without a word,
//! accounts with it, and sessions that had ended would be back. So each group of changes is numbered, the number is noted
//! beside the log once the disk has the group, and a log that ends before it is refused. The note costs no sync. It may
//! be older than the log after a loss of power, never newer.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::store::StoreError;

/// The format written.
///
/// Format 2 has drawers, which a passgate from before them would leave behind when it deletes an account; else it is format 1.
/// Format 3 keeps sessions with their accounts, has no lists of names and addresses, and packs accounts and sessions.
/// Format 4 keeps accounts and sessions in `bundles`; see `migrate`. An older store gets the new number when it is opened, in one
/// byte: it has the one or the other at every moment.
const FORMAT: u32 = 4;
/// The oldest format that is read.
const OLDEST: u32 = 1;

/// The folder, locked for this process.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// The file `format`, locked.
    format: File,
}

impl Folder {
    /// Makes the folder if there is none, and takes it for this process. Nothing in it is changed if it is refused.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        create(path).map_err(|error| unreadable(path, error))?;
        let name = path.join("format");
        let empty = fs::read_dir(path).map_err(|error| unreadable(path, error))?.all(|entry| entry.is_err());
        if !empty && !name.exists() {
            return Err(unreadable(path, "there are files in it, but not those of a store; name another"));
        }
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&name)
            .map_err(|error| unreadable(path, error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::InUse { path: path.to_owned() }),
            Err(TryLockError::Error(error)) => return Err(unreadable(path, error)),
        }
        check_format(&mut file, path)?;
        let folder = Self { path: path.to_owned(), format: file };
        folder.secure().map_err(|error| unreadable(path, error))?;
        Ok(folder)
    }

    /// Gives a store of an older format, which can be read, the number of the one that is written from now on.
    pub(super) fn raise_format(&self) -> io::Result<()> {
        let number = format!("{FORMAT}\n");
        let mut found = vec![0; number.len()];
        self.format.read_exact_at(&mut found, 0)?;
        if found == number.as_bytes() {
            return Ok(());
        }
        self.format.write_all_at(number.as_bytes(), 0)?;
        self.format.sync_all()
    }

    /// Closes all files to others, whatever the umask, and brings them and their names to the disk.
    pub(super) fn secure(&self) -> io::Result<()> {
        let blobs = self.path.join("blobs");
        for folder in [&self.path, &blobs] {
            let entries = match fs::read_dir(folder) {
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                entries => entries?,
            };
            fs::set_permissions(folder, Permissions::from_mode(0o700))?;
            for entry in entries {
                let entry = entry?;
                if entry.file_type()?.is_file() {
                    secure(&entry.path())?;
                }
            }
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }

    /// Whether the last process that had the store may have left something that is not on the disk, as after a failed sync or a
    /// kill. It is so of this one until [`Self::note_end`]. The note itself needs no sync: without power, what the operating
    /// system remembers is gone, too.
    pub(super) fn is_in_doubt(&self) -> io::Result<bool> {
        match fs::remove_file(self.path.join("closed")) {
            Ok(()) => Ok(false),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Notes that all that was written is on the disk, and nothing more will be.
    pub(super) fn note_end(&self) -> io::Result<()> {
        let name = self.path.join("closed");
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&name)?;
        secure(&name)
    }

    /// Refuses a log with `groups` groups of changes if there were more.
    pub(super) fn check_written(&self, groups: u64) -> Result<(), StoreError> {
        let name = self.path.join("written");
        let way_out = "restore it from a backup, or remove the file `written` to go on with what is left";
        let noted = match fs::read_to_string(&name) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return fs::write(&name, note(groups)).map_err(|error| unreadable(&self.path, error));
            }
            text => text.ok().and_then(|text| text.trim_end().parse::<u64>().ok()),
        };
        match noted {
            Some(noted) if noted <= groups => Ok(()),
            Some(noted) => {
                let lost = noted - groups;
                Err(unreadable(&self.path, format!("its last {lost} writes are missing; {way_out}")))
            }
            None => Err(unreadable(&self.path, format!("its file `written` holds no number; {way_out}"))),
        }
    }

    /// What brings sled's writes to the disk.
    pub(super) fn barrier(&self) -> io::Result<Barrier> {
        let blobs = self.path.join("blobs");
        let known = fs::read_dir(&blobs)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<_>>()?;
        let written = OpenOptions::new().write(true).open(self.path.join("written"))?;
        Ok(Barrier { db: open_db(&self.path)?, written, blobs, known })
    }

    /// Where it lies.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    /// Whoever opens the store next would find it in use.
    fn drop(&mut self) {
        wait_for_sled(&self.path);
    }
}

/// sled's threads may hold its files a moment longer than the database lives: this waits for them, within reason.
pub(super) fn wait_for_sled(path: &Path) {
    let Ok(db) = open_db(path) else { return };
    for _ in 0..200 {
        if !matches!(db.try_lock(), Err(TryLockError::WouldBlock)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// SECURITY: STO-04. sled's own `flush` hands data to the disk but asks for nothing to be kept, so this follows it.
#[derive(Debug)]
pub(super) struct Barrier {
    db: File,
    written: File,
    blobs: PathBuf,
    known: HashSet<OsString>,
}

impl Barrier {
    /// Returns when all that sled has written, up to the group of this number, would survive the loss of power.
    pub(super) fn pass(&mut self, group: u64) -> io::Result<()> {
        let mut found = HashSet::new();
        for entry in fs::read_dir(&self.blobs)? {
            found.insert(entry?.file_name());
        }
        for new in found.difference(&self.known) {
            match secure(&self.blobs.join(new)) {
                // Replaced in the same breath.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                done => done?,
            }
        }
        if found != self.known {
            File::open(&self.blobs)?.sync_all()?;
            self.known = found;
        }
        self.db.sync_data()?;
        self.written.write_all_at(note(group).as_bytes(), 0)
    }
}

/// A store that can't be read, with the reason.
pub(super) fn unreadable(path: &Path, reason: impl ToString) -> StoreError {
    StoreError::Damaged { path: path.to_owned(), reason: reason.to_string() }
}

fn open_db(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path.join("db"))
}

/// Makes the folder and those above it, and brings their names to the disk.
fn create(path: &Path) -> io::Result<()> {
    let path = std::path::absolute(path)?;
    let missing: Vec<_> = path.ancestors().take_while(|folder| !folder.exists()).collect();
    for folder in missing.into_iter().rev() {
        DirBuilder::new().mode(0o700).create(folder)?;
        // A umask may have taken the owner's own rights.
        fs::set_permissions(folder, Permissions::from_mode(0o700))?;
        folder.parent().map_or(Ok(()), |above| File::open(above)?.sync_all())?;
    }
    Ok(())
}

/// Writes the format of a new store, or reads that of an old one.
fn check_format(file: &mut File, path: &Path) -> Result<(), StoreError> {
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(|error| unreadable(path, error))?;
    if text.is_empty() && !path.join("db").exists() {
        let written = file.write_all(format!("{FORMAT}\n").as_bytes()).and_then(|()| file.sync_all());
        return written.map_err(|error| unreadable(path, error));
    }
    match text.trim_end().parse::<u32>() {
        Ok(OLDEST..=FORMAT) => Ok(()),
        Ok(other) => Err(unreadable(
            path,
            format!(
                "it has format {other}, and this version knows formats {OLDEST} to {FORMAT}; use a newer passgate"
            ),
        )),
        Err(_) => Err(unreadable(path, "its format file holds no number; restore it from a backup")),
    }
}

/// Always as long, so that one overwrites the other.
fn note(group: u64) -> String {
    format!("{group:020}\n")
}

fn secure(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    File::open(path)?.sync_all()
}
