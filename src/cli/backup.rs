//! `passgate backup`: everything that is kept but sessions and one-time links, in one file, while the gateway runs or not.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::ProgressBar;

use super::reach::copy;
use super::streams::Unit;
use super::{Streams, Trouble};
use crate::config::Config;
use crate::domain::{Clock, SystemClock};
use crate::server::BackupFile;
use crate::server::control::Reply;
use crate::store::backup::{BackupWriter, Packing};

#[derive(Debug, Args)]
pub(super) struct Backup {
    /// The file to make, packed if its name ends in .gz; - for the standard output
    file: PathBuf,
}

impl Backup {
    pub(super) fn run(self, config: &Config, streams: &mut Streams<'_>) -> Result<(), Trouble> {
        let bar = streams.progress(0, Unit::Entries);
        bar.set_message("copying");
        let now = SystemClock.now();
        let lines = if self.file == Path::new("-") {
            let mut out = BackupWriter::new(streams.out(), Packing::Plain, now).map_err(unwritten)?;
            let lines = pour(config, &bar, &mut |line| out.line(line))?;
            out.finish().map_err(unwritten)?;
            lines
        } else {
            let unwritten = |error: &dyn std::fmt::Display| {
                Trouble::data(format!("{} can't be made: {error}", self.file.display()))
            };
            let mut file = BackupFile::create(&self.file, now).map_err(|error| unwritten(&error))?;
            pour(config, &bar, &mut |line| file.line(line))?;
            bar.set_message("reading it once more");
            file.finish().map_err(|error| unwritten(&error))?
        };
        bar.finish_and_clear();
        let entries = if lines == 1 { "1 entry" } else { &*format!("{lines} entries") };
        streams.say(&format!(
            "backed up {entries}; whoever has this file has the hashes of all passwords, so keep it safe"
        ));
        Ok(())
    }
}

/// Writes all lines of a copy; how many there were.
fn pour(
    config: &Config,
    bar: &ProgressBar,
    write: &mut dyn FnMut(&str) -> io::Result<()>,
) -> Result<u64, Trouble> {
    let (mut count, mut failure) = (0, None);
    copy(config, &mut |reply| {
        let Reply::Copy { total, lines } = reply else { return ControlFlow::Break(()) };
        bar.set_length(total);
        bar.inc(lines.len() as u64);
        count += lines.len() as u64;
        match lines.iter().try_for_each(|line| write(line)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    failure.map_or(Ok(count), |error| Err(unwritten(error)))
}

fn unwritten(error: io::Error) -> Trouble {
    Trouble::unavailable(format!("the backup can't be written: {error}"))
}
