//! `passgate user import`: members of a forum, from a dump of its database or a list.
//!
//! The file is read here, and the members go over in batches: to the gateway that runs, or into the store. Each batch is
//! written wholly or not at all, and the command may be repeated, so one that was broken off is simply run again.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use indicatif::ProgressBar;

use super::reach::{Reach, unexpected};
use super::{Streams, Trouble};
use crate::auth::import::{Admission, Candidate, Mode, Origin, Report, Unusable, read_members};
use crate::config::Config;
use crate::domain::{Clock, SystemClock};
use crate::server::control::{Command, MemberRecord, Reply, room_for_command};

#[derive(Debug, Args)]
pub(super) struct Import {
    /// A dump of the database (.sql, also packed with gzip), or a list (.csv, .json); - for the standard input
    file: PathBuf,
    /// What wrote it
    #[arg(long, value_name = "KIND", value_parser = PossibleValuesParser::new(Origin::ALL.map(Origin::name))
        .try_map(|name| Origin::named(&name).ok_or("unknown")))]
    from: Origin,
    /// What the forum's tables begin with, if the dump holds several forums
    #[arg(long, value_name = "PREFIX")]
    table_prefix: Option<String>,
    /// Write nothing; tell what would happen
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON line at the end
    #[arg(long)]
    json: bool,
}

/// The problems that people get to see; `--json` has more.
const SHOWN_PROBLEMS: usize = 20;

impl Import {
    pub(super) fn run(self, config: &Config, streams: &mut Streams<'_>) -> Result<(), Trouble> {
        let mode = if self.dry_run { Mode::Rehearse } else { Mode::Write };
        let mut report = Report::default();
        let mut desk = Desk {
            reach: Reach::new(config),
            from: self.from,
            mode,
            waiting: Vec::new(),
            records: Vec::new(),
            bytes: 0,
        };
        let read = self.read(streams, &mut report, &mut desk);
        if self.json {
            streams.json(&report)?;
        }
        say(&report, mode, streams);
        read?;
        if report.imported + report.skipped == 0 {
            return Err(Trouble::data("nobody in the file could be taken; see above, and check --from"));
        }
        Ok(())
    }

    /// Reads the file, and hands its members over.
    fn read(
        &self,
        streams: &mut Streams<'_>,
        report: &mut Report,
        desk: &mut Desk<'_>,
    ) -> Result<(), Trouble> {
        let mut file = opened(&self.file, streams)
            .map_err(|error| Trouble::data(format!("{} can't be read: {error}", self.file.display())))?;
        let bar = streams.progress(file.metadata().map_or(0, |about| about.len()));
        let mut trouble = None;
        let mut open = || reading(&mut file, &bar);
        let prefix = self.table_prefix.as_deref();
        let read =
            read_members(self.from, prefix, SystemClock.now(), &mut open, report, &mut |report, member| {
                trouble = desk.take(member, report).err();
                trouble.is_none()
            });
        let handed_over = match trouble {
            Some(trouble) => Err(trouble),
            None => desk.hand_over(report),
        };
        bar.finish_and_clear();
        if let Err(unusable) = &read {
            let line = if let Unusable::Broken(broken) = unusable { broken.line } else { 0 };
            let reason = if let Unusable::Broken(broken) = unusable {
                broken.reason.clone()
            } else {
                unusable.to_string()
            };
            report.fail(line, reason);
        }
        handed_over.map_err(|trouble| Trouble {
            words: format!("{}\nrun the command again to go on; nobody is taken twice", trouble.words),
            ..trouble
        })?;
        read.map_err(|unusable| {
            let taken = report.imported + report.skipped > 0;
            let words =
                "; whoever stands before that has been taken, so mend the file and run the command again";
            Trouble::data(format!("{unusable}{}", if taken { words } else { "" }))
        })
    }
}

/// A file that can be read twice. What comes through a pipe is kept in a temporary file without a name, which is gone
/// with this process however that ends.
fn opened(path: &Path, streams: &mut Streams<'_>) -> io::Result<File> {
    let kept = tempfile::tempfile;
    if path == Path::new("-") {
        let mut file = kept()?;
        io::copy(streams.input(), &mut file)?;
        return Ok(file);
    }
    let mut file = File::open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    let mut copy = kept()?;
    io::copy(&mut file, &mut copy)?;
    Ok(copy)
}

fn reading(file: &mut File, bar: &ProgressBar) -> io::Result<Box<dyn Read>> {
    file.rewind()?;
    bar.reset();
    bar.set_message("reading");
    Ok(Box::new(bar.wrap_read(file.try_clone()?)))
}

/// Where members wait until there are enough of them for a batch.
struct Desk<'c> {
    reach: Reach<'c>,
    from: Origin,
    mode: Mode,
    waiting: Vec<Candidate>,
    records: Vec<MemberRecord>,
    bytes: usize,
}

impl Desk<'_> {
    fn take(&mut self, candidate: Candidate, report: &mut Report) -> Result<(), Trouble> {
        let record = MemberRecord::from(&candidate.member);
        let bytes = serde_json::to_vec(&record).map_or(0, |text| text.len() + 1);
        if self.waiting.len() == Admission::BATCH || self.bytes + bytes > room_for_command() {
            self.hand_over(report)?;
        }
        self.bytes += bytes;
        self.waiting.push(candidate);
        self.records.push(record);
        Ok(())
    }

    fn hand_over(&mut self, report: &mut Report) -> Result<(), Trouble> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        self.bytes = 0;
        let members = std::mem::take(&mut self.records);
        let waiting = std::mem::take(&mut self.waiting);
        match self.reach.carry_out(Command::UserImport {
            from: self.from.name().to_owned(),
            members,
            mode: self.mode,
        })? {
            Reply::Imported(outcomes) if outcomes.len() == waiting.len() => {
                waiting.iter().zip(outcomes).for_each(|(member, outcome)| report.settle(member, outcome));
                Ok(())
            }
            _ => Err(unexpected()),
        }
    }
}

/// The report, for people.
fn say(report: &Report, mode: Mode, streams: &mut Streams<'_>) {
    let list = |counts: &mut dyn Iterator<Item = (&&'static str, &u64)>| {
        counts.map(|(what, count)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
    };
    let mut line = |label: &str, count: u64, more: &str| {
        streams.say(format!("{label:<18} {count:>9}  {more}").trim_end());
    };
    line("imported", report.imported, &format!("{} new, {} renewed", report.added, report.updated));
    if !report.hashes.is_empty() {
        line("  with a password", report.hashes.values().sum(), &list(&mut report.hashes.iter()));
    }
    if report.without_password > 0 {
        line("  without", report.without_password, "they need a link: passgate user link NAME");
    }
    if !report.disabled.is_empty() {
        line("  disabled", report.disabled.values().sum(), &list(&mut report.disabled.iter()));
    }
    line("skipped", report.skipped, &list(&mut report.skipped_because.iter()));
    line("failed", report.failed, "");
    for problem in report.problems.iter().take(SHOWN_PROBLEMS) {
        streams.say(&format!("line {}: {}", problem.line, problem.reason));
    }
    let more = report.problems.len().saturating_sub(SHOWN_PROBLEMS) as u64 + report.problems_omitted;
    if more > 0 {
        streams.say(&format!("… and {more} more; --json lists them"));
    }
    if mode == Mode::Rehearse {
        streams.say("this was a rehearsal: nothing was written");
    }
}
