//! Where the bytes of a kept form lie: small ones in memory, larger ones on the disk.
//!
//! SECURITY: R3. A file has no name by the time anything is written to it: its folder shows nothing, a backup takes
//! nothing along, and the operating system frees it when it is dropped or the process ends, however it ends.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Semaphore;

use crate::domain::TokenHash;

/// Bodies up to this size stay in memory.
const SMALL: usize = 64 * 1024;
/// How many threads write and read at once.
const THREADS: usize = 2;

/// The bytes of one form.
#[derive(Debug)]
pub(super) enum Body {
    Memory(Bytes),
    Disk(Arc<File>, usize),
}

/// Puts bodies away and fetches them.
pub(super) struct Bodies {
    folder: Option<PathBuf>,
    threads: Semaphore,
}

impl Bodies {
    /// Without a folder all stays in memory.
    pub(super) fn new(folder: Option<PathBuf>) -> Self {
        Self { folder, threads: Semaphore::new(THREADS) }
    }

    pub(super) async fn put(&self, bytes: Bytes) -> io::Result<Body> {
        match self.folder.clone() {
            Some(folder) if bytes.len() > SMALL => {
                let length = bytes.len();
                let file = self.on_disk(move || write(&folder, &bytes)).await?;
                Ok(Body::Disk(Arc::new(file), length))
            }
            _ => Ok(Body::Memory(bytes)),
        }
    }

    pub(super) async fn fetch(&self, body: &Body) -> io::Result<Bytes> {
        match body {
            Body::Memory(bytes) => Ok(bytes.clone()),
            Body::Disk(file, length) => {
                let (file, mut bytes) = (Arc::clone(file), vec![0; *length]);
                self.on_disk(move || file.read_exact_at(&mut bytes, 0).map(|()| bytes.into())).await
            }
        }
    }

    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let _turn = self.threads.acquire().await.map_err(io::Error::other)?;
        tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
    }
}

fn write(folder: &Path, bytes: &[u8]) -> io::Result<File> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let path = folder.join(TokenHash(crate::domain::random()).short());
    let mut file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)?;
    file.write_all(bytes)?;
    Ok(file)
}
