//! Putting a store that was made beside another one in its place.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// A folder beside this one, named after it.
pub(super) fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(what);
    path.with_file_name(name)
}

/// Puts what was made in the place of `path`, and what was there `aside`.
pub(super) fn put_in_place(made: &Path, path: &Path, aside: Option<&Path>) -> std::io::Result<()> {
    match aside {
        Some(aside) => fs::rename(path, aside)?,
        None if path.exists() => fs::remove_dir(path)?,
        None => {}
    }
    fs::rename(made, path)?;
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}
