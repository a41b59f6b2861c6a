//! `passgate restore`: makes the store of a backup. It is made beside the one that is there, read once more, and only then put
//! in its place; the other one is put aside, never removed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use clap::Args;

use super::in_place::{beside, put_in_place};
use super::reach::{explained, owned_by_us};
use super::streams::Unit;
use super::{Streams, Trouble};
use crate::config::Config;
use crate::domain::{Clock, SystemClock};
use crate::server::control::is_running;
use crate::server::options::StoreOptions;
use crate::server::private_folder;
use crate::store::backup::read_backup;
use crate::store::{Contents, Rebuild, SledStore, Store, StoreError};

#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The backup, packed or not
    file: PathBuf,
    /// Put the store that is there aside
    #[arg(long)]
    replace: bool,
}

impl Restore {
    pub(super) fn run(self, config: &Config, streams: &mut Streams<'_>) -> Result<(), Trouble> {
        let data_dir = &config.server.data_dir;
        let StoreOptions::Sled { path, cache_bytes, .. } = &config.store else {
            return Err(Trouble::unavailable(
                "store.backend = \"memory\" keeps nothing, so nothing can be restored",
            ));
        };
        if is_running(data_dir)? {
            let folder = data_dir.display();
            return Err(Trouble::unavailable(format!("a gateway runs on {folder}; stop it first")));
        }
        let is_there = path.read_dir().is_ok_and(|mut entries| entries.next().is_some());
        if is_there && !self.replace {
            return Err(Trouble::data(format!(
                "there is a store in {} already; with --replace it is put aside and the backup takes its place",
                path.display()
            )));
        }
        private_folder(data_dir).map_err(Trouble::unavailable)?;
        owned_by_us(path, data_dir)?;
        let _lock = locked(path)?;
        let made = beside(path, "restoring");
        let contents = self.build(&made, *cache_bytes, streams).inspect_err(|_| {
            // Nobody needs half a store; what can't be removed now is removed the next time.
            let _ = fs::remove_dir_all(&made);
        })?;
        let aside = is_there.then(|| beside(path, &SystemClock.now().to_string().replace(':', "")));
        put_in_place(&made, path, aside.as_deref())
            .map_err(|error| Trouble::unavailable(format!("{} can't be moved: {error}", path.display())))?;
        let Contents { accounts, passkeys, forum_passwords } = contents;
        let many = |count: u64, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        streams.say(&format!(
            "restored {}, {} and {} for the forum",
            many(accounts, "account"),
            many(passkeys, "passkey"),
            many(forum_passwords, "sealed password"),
        ));
        if let Some(aside) = aside {
            streams.say(&format!(
                "the store that was there is in {} now; remove it when all is well",
                aside.display()
            ));
        }
        streams.say(
            "everyone has to sign in once more; whom you disabled or deleted since that backup is back, so look through \
             `passgate user list`",
        );
        Ok(())
    }

    /// Makes the store in a folder of its own.
    fn build(&self, folder: &Path, cache_bytes: u64, streams: &Streams<'_>) -> Result<Contents, Trouble> {
        let unusable = |error: &dyn std::fmt::Display| {
            Trouble::data(format!("{} can't be restored: {error}; nothing was changed", self.file.display()))
        };
        let file = File::open(&self.file).map_err(|error| unusable(&error))?;
        if folder.exists() {
            fs::remove_dir_all(folder).map_err(|error| unusable(&error))?;
        }
        let bytes = file.metadata().map_or(0, |about| about.len());
        let bar = streams.progress(bytes, Unit::Bytes);
        bar.set_message("reading");
        let mut rebuild = Rebuild::begin(folder, cache_bytes).map_err(explained)?;
        read_backup(bar.wrap_read(file), &mut |line| rebuild.take(line)).map_err(|error| unusable(&error))?;
        bar.set_message("putting in order");
        let contents = rebuild.finish().map_err(|error| unusable(&error))?;
        bar.set_message("checking");
        let found =
            SledStore::open(folder, cache_bytes).and_then(|store| counted(&store)).map_err(explained)?;
        bar.finish_and_clear();
        if found == contents { Ok(contents) } else { Err(unusable(&"what was written is not what is there")) }
    }
}

/// What a store has, each thing of it read.
fn counted(store: &SledStore) -> Result<Contents, StoreError> {
    let mut contents = Contents::default();
    let count = |number: &mut u64| {
        *number += 1;
        std::ops::ControlFlow::Continue(())
    };
    store.each_user(&mut |_| count(&mut contents.accounts))?;
    store.each_passkey(&mut |_| count(&mut contents.passkeys))?;
    store.each_forum_password(&mut |_| count(&mut contents.forum_passwords))?;
    Ok(contents)
}

/// Keeps others out of a store that is there, whatever its state.
fn locked(path: &Path) -> Result<Option<File>, Trouble> {
    let Ok(file) = File::open(path.join("format")) else { return Ok(None) };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(_) => Err(explained(StoreError::InUse { path: path.to_owned() })),
    }
}
