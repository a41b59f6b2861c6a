//! Backups as files: how one is made so that it is whole or not there, and the ones that a gateway keeps by itself.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, BufWriter};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::options::BackupOptions;
use crate::domain::{Clock, Timestamp};
use crate::store::backup::{BackupError, BackupWriter, Packing, read_backup};
use crate::store::{Store, StoreError};

/// A backup that is being written. What is not finished is gone.
pub struct BackupFile {
    writer: Option<BackupWriter<BufWriter<File>>>,
    part: PathBuf,
    path: PathBuf,
}

impl BackupFile {
    /// Begins the file, which must not be there yet. It is packed if its name ends in `.gz`, and nobody but its owner can
    /// read it (SECURITY: STO-09; the hashes of all members' passwords are in it).
    pub fn create(path: &Path, made: Timestamp) -> io::Result<Self> {
        if path.exists() {
            let words = "there is such a file already, and a backup never takes another one's place";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, words));
        }
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        let mut part_name = name.to_owned();
        part_name.push(".part");
        let part = path.with_file_name(part_name);
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        let mut backup = Self { writer: None, part, path: path.to_owned() };
        file.set_permissions(Permissions::from_mode(0o600))?;
        let packing =
            if path.extension().is_some_and(|end| end == "gz") { Packing::Gzip } else { Packing::Plain };
        backup.writer = Some(BackupWriter::new(BufWriter::new(file), packing, made)?);
        Ok(backup)
    }

    /// Adds a line of an export.
    pub fn line(&mut self, line: &str) -> io::Result<()> {
        self.writer.as_mut().map_or(Ok(()), |writer| writer.line(line))
    }

    /// Brings it to the disk, reads it once more, and gives it its name. How many lines it has.
    pub fn finish(mut self) -> Result<u64, BackupError> {
        if let Some(writer) = self.writer.take() {
            writer.finish()?.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        }
        let lines = read_backup(File::open(&self.part)?, &mut |_| Ok(()))?;
        fs::rename(&self.part, &self.path)?;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or_else(|| Path::new(".")))?.sync_all()?;
        Ok(lines)
    }
}

impl Drop for BackupFile {
    fn drop(&mut self) {
        // After it was finished it has another name.
        let _ = fs::remove_file(&self.part);
    }
}

/// The backups that a gateway keeps.
pub struct Backups {
    options: BackupOptions,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    is_over: AtomicBool,
}

/// Whoever stops the gateway does not wait for a backup.
struct GiveUp(Arc<Backups>);

impl Drop for GiveUp {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Relaxed);
    }
}

/// Why there is no new backup.
#[derive(Debug, thiserror::Error)]
pub enum NoBackup {
    /// The store can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file can't be written, or is not what was written.
    #[error("{path}: {error}", path = .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: BackupError,
    },
}

impl Backups {
    /// How often it is looked whether one is due.
    const LOOK: Duration = Duration::from_secs(60);
    /// How long to wait after one has failed.
    const AFTER_FAILURE: Duration = Duration::from_secs(15 * 60);
    const BEFORE_TIME: &str = "passgate-";
    const AFTER_TIME: &str = ".jsonl.gz";

    /// Backups of this store.
    pub fn new(options: BackupOptions, store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { options, store, clock, is_over: AtomicBool::new(false) }
    }

    /// Makes one whenever it is time, for ever. When this is dropped, one that is being made is given up.
    pub async fn keep(self) {
        let this = Arc::new(self);
        let _given_up = GiveUp(Arc::clone(&this));
        loop {
            let next = Arc::clone(&this);
            let made = tokio::task::spawn_blocking(move || next.make_if_due()).await;
            let pause = match made {
                Ok(Ok(None)) => Self::LOOK,
                Ok(Ok(Some(path))) => {
                    tracing::info!(target: "passgate::store", path = %path.display(), "backup made");
                    Self::LOOK
                }
                Ok(Err(error)) => {
                    tracing::error!(target: "passgate::store", %error, "no backup could be made");
                    Self::AFTER_FAILURE
                }
                Err(_) => Self::AFTER_FAILURE,
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Makes one if the last is old enough, and removes those that are too many.
    pub fn make_if_due(&self) -> Result<Option<PathBuf>, NoBackup> {
        let now = self.clock.now();
        let folder = &self.options.folder;
        let failed = |error: io::Error| NoBackup::File { path: folder.clone(), error: error.into() };
        let kept = self.kept(now).map_err(failed)?;
        let before =
            now.as_millis().saturating_sub(self.options.every.as_millis().try_into().unwrap_or(u64::MAX));
        if kept.last().is_some_and(|newest| *newest > name(Timestamp::from_millis(before))) {
            return Ok(None);
        }
        let path = folder.join(name(now));
        self.make(&path, now)?;
        let surplus = (kept.len() + 1).saturating_sub(self.options.keep);
        for old in kept.iter().take(surplus) {
            fs::remove_file(folder.join(old)).map_err(failed)?;
        }
        Ok(Some(path))
    }

    fn make(&self, path: &Path, now: Timestamp) -> Result<(), NoBackup> {
        let failed = |error: BackupError| NoBackup::File { path: path.to_owned(), error };
        let mut file = BackupFile::create(path, now).map_err(|error| failed(error.into()))?;
        let mut export = self.store.export()?;
        while let Some(lines) = export.next_lines()? {
            if self.is_over.load(Ordering::Relaxed) {
                return Err(failed(io::Error::from(io::ErrorKind::Interrupted).into()));
            }
            lines.iter().try_for_each(|line| file.line(line)).map_err(|error| failed(error.into()))?;
        }
        file.finish().map(drop).map_err(failed)
    }

    /// The names of those that are there, oldest first. One from the future, made before the clock was put right, is nobody's
    /// business here.
    fn kept(&self, now: Timestamp) -> io::Result<Vec<String>> {
        let folder = &self.options.folder;
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut names = Vec::new();
        for entry in fs::read_dir(folder)? {
            let found = entry?.file_name().into_string().unwrap_or_default();
            if found.len() == name(now).len()
                && found.starts_with(Self::BEFORE_TIME)
                && found.ends_with(Self::AFTER_TIME)
                && found <= name(now)
            {
                names.push(found);
            }
        }
        names.sort_unstable();
        Ok(names)
    }
}

/// Names sort as their times do.
fn name(made: Timestamp) -> String {
    let time = made.to_string().replace(':', "");
    let seconds = time.split_once('.').map_or(&*time, |(seconds, _)| seconds);
    format!("{}{seconds}Z{}", Backups::BEFORE_TIME, Backups::AFTER_TIME)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ManualClock, PasskeyFor, Profile, User, UserId, UserName, UserState};
    use crate::store::{Change, MemoryStore, SledStore};

    /// 2026-11-27T17:34:05Z.
    const START: Timestamp = Timestamp::from_millis(1_795_800_845_000);
    const DAY: Duration = Duration::from_secs(86_400);

    fn backups(folder: &Path, store: Arc<dyn Store>) -> (Backups, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::at(START));
        let options = BackupOptions { folder: folder.join("backups"), every: DAY, keep: 3 };
        (Backups::new(options, store, Arc::clone(&clock) as Arc<dyn Clock>), clock)
    }

    fn alice() -> User {
        let (id, name) = (UserId([1; 16]), UserName::parse("alice").unwrap());
        User {
            profile: Profile { id, name, full_name: None, email: None, groups: Vec::new() },
            state: UserState::Active,
            password: None,
            created: START,
            last_sign_in: None,
            setup: None,
            passkey_for: PasskeyFor::default(),
            imported: None,
        }
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder.join("backups"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn sto_09_a_backup_is_made_each_day_and_old_ones_go() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(SledStore::open(&folder.path().join("store"), 1 << 20).unwrap());
        let (backups, clock) = backups(folder.path(), store);
        let first = backups.make_if_due().unwrap().unwrap();
        assert_eq!(first.file_name().unwrap(), "passgate-2026-11-27T173405Z.jsonl.gz");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&first), mode(first.parent().unwrap())), (0o600, 0o700));
        clock.advance(DAY - Duration::from_secs(1));
        assert_eq!(backups.make_if_due().unwrap(), None);
        fs::write(folder.path().join("backups/notes.txt"), "mine").unwrap();
        for _ in 0..4 {
            clock.advance(DAY);
            assert!(backups.make_if_due().unwrap().is_some());
        }
        let kept = names(folder.path());
        assert_eq!(kept.len(), 4, "three, and what is not ours: {kept:?}");
        assert!(kept[0] == "notes.txt" && kept[3] == "passgate-2026-12-02T173404Z.jsonl.gz", "{kept:?}");
    }

    #[test]
    fn a_clock_that_was_wrong_once_keeps_no_backup_from_being_made() {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(SledStore::open(&folder.path().join("store"), 1 << 20).unwrap());
        let (backups, clock) = backups(folder.path(), store);
        clock.advance(DAY * 3_000);
        backups.make_if_due().unwrap();
        clock.set(START);
        assert!(backups.make_if_due().unwrap().is_some());
        assert_eq!(names(folder.path()).len(), 2, "and the other one stays");
    }

    #[test]
    fn sto_09_what_could_not_be_finished_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let (backups, _) = backups(folder.path(), Arc::new(MemoryStore::new()));
        assert!(matches!(backups.make_if_due(), Err(NoBackup::Store(StoreError::KeepsNothing))));
        assert_eq!(names(folder.path()), Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_backup_that_is_being_made_when_the_gateway_stops_is_given_up_and_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(SledStore::open(&folder.path().join("store"), 1 << 20).unwrap());
        store.apply(vec![Change::AddUser(alice())]).await.unwrap();
        let (backups, _) = backups(folder.path(), store);
        let backups = Arc::new(backups);
        drop(GiveUp(Arc::clone(&backups)));
        assert!(matches!(backups.make_if_due(), Err(NoBackup::File { .. })));
        assert_eq!(names(folder.path()), Vec::<String>::new());
    }

    #[test]
    fn a_backup_never_takes_another_ones_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.jsonl");
        fs::write(&path, "mine").unwrap();
        assert!(BackupFile::create(&path, START).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }
}
