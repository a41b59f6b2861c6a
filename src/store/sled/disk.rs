//! The disk, asked beside the store's own files: whether there is room on it, whether it takes what it is given, and what it
//! really has.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;

/// With less room than this, in bytes, nothing is written: sled would find out in the middle of a write, and be of no use
/// until it is opened anew.
pub(super) const ROOM: u64 = 8 << 20;

/// Fails unless there is so much room, in bytes, for whoever we are.
pub(super) fn has_room(folder: &Path, needed: u64) -> io::Result<()> {
    let about = statvfs(folder)?;
    let free = about.blocks_available().saturating_mul(about.fragment_size());
    // Some file systems don't tell, and have no blocks at all.
    if about.blocks() == 0 || free >= needed {
        return Ok(());
    }
    // Not how much: the same trouble has the same words.
    let text = format!("its disk has less than {} KiB left; make room", needed >> 10);
    Err(io::Error::new(ErrorKind::StorageFull, text))
}

/// Writes a small file and brings it to the disk. May take as long as the disk likes.
pub(super) fn takes_writes(folder: &Path) -> io::Result<()> {
    let name = folder.join("probe");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&name)?;
    let written = file.write_all(&[1; 4096]).and_then(|()| file.sync_all());
    let removed = fs::remove_file(&name);
    written.and(removed)
}

/// How large sled's map of its log is, in bytes. It writes another one when it opens, before it removes the last one.
pub(super) fn map_bytes(folder: &Path) -> u64 {
    let Ok(files) = files(folder) else { return 0 };
    let maps = files
        .iter()
        .filter(|path| path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"snap")));
    maps.filter_map(|path| fs::metadata(path).ok()).map(|about| about.len()).sum()
}

/// Has the operating system forget what it knows of the store's files, so that what is read next is what the disk has.
///
/// SECURITY: STO-06. After a failed sync Linux holds what was to be written for written, and shows it to every reader until
/// the power goes. A store that was opened on it would go on behind a hole in its log.
pub(super) fn forget_cached(folder: &Path) -> io::Result<()> {
    for folder in [folder, &folder.join("blobs")] {
        for path in files(folder)? {
            let file = File::open(path)?;
            // Only what is on the disk is forgotten.
            file.sync_all()?;
            #[cfg(any(target_os = "linux", target_os = "freebsd"))]
            {
                use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
                posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)?;
            }
        }
    }
    Ok(())
}

fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            files.push(entry.path());
        }
    }
    Ok(files)
}
