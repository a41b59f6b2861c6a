//! Noticing that a file has changed. By looking at it now and then, since what a system tells of changes differs with file
//! systems, and a file that is replaced, or a link to it, would be lost sight of.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A file that is looked at.
#[derive(Debug)]
pub struct Watched {
    path: PathBuf,
    known: Mark,
}

/// What differs when a file was written to or replaced: where it lies, its size, and when it was changed. None if it is away.
type Mark = Option<(u64, u64, u64, i64, i64)>;

impl Watched {
    /// How often it is looked at.
    const EVERY: Duration = Duration::from_secs(1);

    /// Looks at `path`, which may be a link, from now on.
    pub fn new(path: PathBuf) -> Self {
        let known = mark(&path);
        Self { path, known }
    }

    /// Completes when the file is another than before and has been so for a moment: whoever writes it may not be done. A file
    /// that is away is waited for.
    pub async fn changed(&mut self) {
        let mut seen = self.known;
        loop {
            tokio::time::sleep(Self::EVERY).await;
            let now = mark(&self.path);
            if now.is_some() && now == seen && now != self.known {
                self.known = now;
                return;
            }
            seen = now;
        }
    }
}

fn mark(path: &Path) -> Mark {
    let file = std::fs::metadata(path).ok()?;
    Some((file.dev(), file.ino(), file.len(), file.mtime(), file.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_file_that_is_written_replaced_or_linked_anew_has_changed_and_one_that_is_read_has_not() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other, link] = ["one", "other", "link"].map(|name| folder.path().join(name));
        std::fs::write(&one, "1").unwrap();
        std::os::unix::fs::symlink(&one, &link).unwrap();
        let mut watched = Watched::new(link.clone());
        let hour = Duration::from_secs(3_600);
        std::fs::read(&link).unwrap();
        assert!(tokio::time::timeout(hour, watched.changed()).await.is_err(), "nothing has changed");
        std::fs::write(&one, "12").unwrap();
        tokio::time::timeout(hour, watched.changed()).await.expect("it was written to");
        std::fs::write(&other, "34").unwrap();
        std::fs::rename(&other, &one).unwrap();
        tokio::time::timeout(hour, watched.changed()).await.expect("it was replaced");
        std::fs::write(&other, "56").unwrap();
        std::fs::remove_file(&link).unwrap();
        assert!(tokio::time::timeout(hour, watched.changed()).await.is_err(), "it is away");
        std::os::unix::fs::symlink(&other, &link).unwrap();
        tokio::time::timeout(hour, watched.changed()).await.expect("it leads to another");
    }
}
