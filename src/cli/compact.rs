//! `passgate compact`: writes the store anew, so that it takes the room of what is in it. Made beside the one that is there,
//! read once more, and only then put in its place; the other one is put aside, never removed.

use std::fs;
use std::path::Path;

use clap::Args;

use super::in_place::{beside, put_in_place};
use super::reach::{explained, owned_by_us};
use super::streams::Unit;
use super::{Streams, Trouble};
use crate::config::Config;
use crate::domain::{Clock, SystemClock};
use crate::server::control::is_running;
use crate::server::options::StoreOptions;
use crate::store::{Compacted, SledStore};

#[derive(Debug, Args)]
pub(super) struct Compact {}

impl Compact {
    pub(super) fn run(self, config: &Config, streams: &mut Streams<'_>) -> Result<(), Trouble> {
        let data_dir = &config.server.data_dir;
        let StoreOptions::Sled { path, cache_bytes, .. } = &config.store else {
            return Err(Trouble::unavailable(
                "store.backend = \"memory\" keeps nothing, so there is nothing to write anew",
            ));
        };
        if is_running(data_dir)? {
            let folder = data_dir.display();
            return Err(Trouble::unavailable(format!("a gateway runs on {folder}; stop it first")));
        }
        if !path.join("format").exists() {
            return Err(Trouble::unavailable(format!("there is no store in {}", path.display())));
        }
        owned_by_us(path, data_dir)?;
        let made = beside(path, "compacting");
        let compacted = written_anew(path, &made, *cache_bytes, streams).inspect_err(|_| {
            // Nobody needs half a store; what can't be removed now is removed the next time.
            let _ = fs::remove_dir_all(&made);
        })?;
        let aside = beside(path, &SystemClock.now().to_string().replace(':', ""));
        put_in_place(&made, path, Some(&aside))
            .map_err(|error| Trouble::unavailable(format!("{} can't be moved: {error}", path.display())))?;
        let mib = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
        let (before, after) = (mib(compacted.bytes_before), mib(compacted.bytes_after));
        streams.say(&format!("the store took {before}, and takes {after} now; nobody was signed out"));
        streams.say(&format!("as it was, it is in {} now; remove it when all is well", aside.display()));
        Ok(())
    }
}

fn written_anew(
    path: &Path,
    made: &Path,
    cache_bytes: u64,
    streams: &Streams<'_>,
) -> Result<Compacted, Trouble> {
    if made.exists() {
        fs::remove_dir_all(made)
            .map_err(|error| Trouble::unavailable(format!("{} can't be removed: {error}", made.display())))?;
    }
    let bar = streams.progress(0, Unit::Entries);
    bar.set_message("writing anew");
    let compacted = SledStore::compact(path, made, cache_bytes, &mut |total, done| {
        bar.set_length(total);
        bar.inc(done);
    });
    bar.finish_and_clear();
    compacted.map_err(explained)
}
