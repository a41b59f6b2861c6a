//! `passgate user import`: members of a forum, from its database, a dump of it, or a list.
//!
//! They are read here, all of them, and go over in the order of their names and in batches: to the gateway that runs, or into
//! the store. Each batch is written wholly or not at all, and the command may be repeated, so one that was broken off is
//! simply run again.

mod database;
mod sorted;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use indicatif::ProgressBar;

use self::sorted::Sorter;
use super::reach::{Reach, unexpected};
use super::streams::Unit;
use super::{Exit, Streams, Trouble};
use crate::auth::import::{Admission, Candidate, Mode, Origin, Report, Unusable, read_members};
use crate::config::Config;
use crate::database::DatabaseUrl;
use crate::domain::{Clock, SystemClock};
use crate::server::control::{Command, MemberRecord, Reply, room_for_command};

#[derive(Debug, Args)]
pub(super) struct Import {
    /// A dump of the database (.sql, also packed with gzip), or a list (.csv, .json); - for the standard input. Or the database
    /// itself: mysql://USER@HOST/DATABASE, postgres://USER@HOST/DATABASE, sqlite:PATH; that of forum.database if this
    /// is left out
    file: Option<PathBuf>,
    /// What wrote it
    #[arg(long, value_name = "KIND", value_parser = PossibleValuesParser::new(Origin::ALL.map(Origin::name))
        .try_map(|name| Origin::named(&name).ok_or("unknown")))]
    from: Origin,
    /// What the forum's tables begin with, if there are several forums
    #[arg(long, value_name = "PREFIX")]
    table_prefix: Option<String>,
    /// The file with the password of the database's user, readable by its owner alone
    #[arg(long, value_name = "PATH")]
    database_password_file: Option<String>,
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
    /// What it says in the place of the configuration: which database, and the file with the password for that one.
    pub(super) fn overrides(&self) -> Result<Vec<(String, String)>, Trouble> {
        let url = self.file.as_deref().and_then(Path::to_str).filter(|text| DatabaseUrl::is_meant(text));
        let live = self.file.is_none() || url.is_some();
        if live && !self.from.has_tables() {
            let from = self.from.name();
            return Err(usage(format!(
                "--from {from} is a list, so name the FILE it is in; a database has none"
            )));
        }
        if !live && self.database_password_file.is_some() {
            return Err(usage("--database-password-file is for a database, but FILE is none"));
        }
        // SECURITY: OPS-05. The URL is not shown: a password may stand in it.
        url.map_or(Ok(()), |url| DatabaseUrl::parse(url).map(drop)).map_err(usage)?;
        let password = self.database_password_file.as_deref().or_else(|| url.and(Some("")));
        let keys = [("forum.database", url), ("forum.database_password_file", password)];
        Ok(keys.into_iter().filter_map(|(key, text)| Some((key.to_owned(), text?.to_owned()))).collect())
    }

    pub(super) fn run(self, config: &Config, streams: &mut Streams<'_>) -> Result<(), Trouble> {
        let mode = if self.dry_run { Mode::Rehearse } else { Mode::Write };
        let mut report = Report::default();
        let mut desk = Desk::new(config, self.from, mode);
        let read = match &self.file {
            Some(file) if !file.to_str().is_some_and(DatabaseUrl::is_meant) => {
                self.read_file(file, streams, &mut report, &mut desk)
            }
            _ => database::read(&self, config, streams, &mut report, &mut desk)?,
        };
        let ended = desk.close(read, &mut report, streams);
        report.put_in_order();
        if self.json {
            streams.json(&report)?;
        }
        say(&report, mode, streams);
        ended?;
        if report.imported + report.skipped == 0 {
            return Err(Trouble::data("nobody could be taken; see above, and check --from"));
        }
        Ok(())
    }

    /// Reads a file, and hands its members over.
    fn read_file(
        &self,
        path: &Path,
        streams: &mut Streams<'_>,
        report: &mut Report,
        desk: &mut Desk<'_>,
    ) -> Result<(), Unusable> {
        let mut file = opened(path, streams)
            .map_err(|error| Unusable::Kind(format!("{} can't be read: {error}", path.display())))?;
        let bar = streams.progress(file.metadata().map_or(0, |about| about.len()), Unit::Bytes);
        let mut open = || reading(&mut file, &bar);
        let prefix = self.table_prefix.as_deref();
        let mut take = |_: &mut Report, member| desk.take(&member);
        let read = read_members(self.from, prefix, SystemClock.now(), &mut open, report, &mut take);
        bar.finish_and_clear();
        read
    }
}

fn usage(words: impl std::fmt::Display) -> Trouble {
    Trouble::new(Exit::Usage, words)
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

/// Where members wait until all have been read, and then until there are enough of them for a batch.
struct Desk<'c> {
    sorter: Sorter,
    count: u64,
    reach: Reach<'c>,
    from: Origin,
    mode: Mode,
    waiting: Vec<Candidate>,
    records: Vec<MemberRecord>,
    bytes: usize,
    /// Why no more are taken.
    trouble: Option<Trouble>,
}

impl<'c> Desk<'c> {
    fn new(config: &'c Config, from: Origin, mode: Mode) -> Self {
        let (waiting, records) = (Vec::new(), Vec::new());
        let (sorter, reach) = (Sorter::default(), Reach::new(config));
        Self { sorter, count: 0, reach, from, mode, waiting, records, bytes: 0, trouble: None }
    }

    /// Takes a member who was read; false if that is of no more use.
    fn take(&mut self, candidate: &Candidate) -> bool {
        let kept = self.sorter.add(candidate.member.name.key(), candidate);
        self.count += 1;
        self.trouble = kept.err().map(|error| unsorted(&error));
        self.trouble.is_none()
    }

    /// Puts a member into the batch; false if that is of no more use.
    fn put(&mut self, candidate: Candidate, report: &mut Report) -> bool {
        let record = MemberRecord::from(&candidate.member);
        let bytes = serde_json::to_vec(&record).map_or(0, |text| text.len() + 1);
        if self.waiting.len() == Admission::BATCH || self.bytes + bytes > room_for_command() {
            self.trouble = self.hand_over(report).err();
        }
        self.bytes += bytes;
        self.waiting.push(candidate);
        self.records.push(record);
        self.trouble.is_none()
    }

    /// Hands over whoever waits, however the reading has ended, and says how it all did.
    fn close(
        mut self,
        read: Result<(), Unusable>,
        report: &mut Report,
        streams: &Streams<'_>,
    ) -> Result<(), Trouble> {
        let handed_over = self.hand_all_over(report, streams);
        if let Err(unusable) = &read {
            let (line, reason) = match unusable {
                Unusable::Broken(broken) => (broken.line, broken.reason.clone()),
                other => (0, other.to_string()),
            };
            report.fail(line, reason);
        }
        handed_over.map_err(|trouble| Trouble {
            words: format!("{}\nrun the command again to go on; nobody is taken twice", trouble.words),
            ..trouble
        })?;
        read.map_err(|unusable| {
            let some = report.imported + report.skipped > 0;
            match &unusable {
                Unusable::Database(error) => database::explained(error, some),
                _ if some => Trouble::data(format!(
                    "{unusable}; whoever stands before that has been taken, so mend that and run the command again"
                )),
                _ => Trouble::data(unusable),
            }
        })
    }

    fn hand_all_over(&mut self, report: &mut Report, streams: &Streams<'_>) -> Result<(), Trouble> {
        let bar = streams.progress(self.count, Unit::Entries);
        bar.set_message("taking in");
        let sorter = std::mem::take(&mut self.sorter);
        let sorted = sorter.hand_out(&mut |candidate| {
            bar.inc(1);
            self.trouble.is_none() && self.put(candidate, report)
        });
        bar.finish_and_clear();
        match self.trouble.take() {
            Some(trouble) => Err(trouble),
            None => sorted.map_err(|error| unsorted(&error)).and_then(|()| self.hand_over(report)),
        }
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

fn unsorted(error: &io::Error) -> Trouble {
    let folder = std::env::temp_dir();
    Trouble::unavailable(format!(
        "members are put in order in a temporary file in {}, which failed: {error}; TMPDIR names another folder",
        folder.display()
    ))
}

/// The report, for people.
fn say(report: &Report, mode: Mode, streams: &mut Streams<'_>) {
    let list = |counts: &BTreeMap<Cow<'static, str>, u64>| {
        counts.iter().map(|(what, count)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
    };
    let mut line = |label: &str, count: u64, more: &str| {
        streams.say(format!("{label:<18} {count:>9}  {more}").trim_end());
    };
    line("imported", report.imported, &format!("{} new, {} renewed", report.added, report.updated));
    if !report.hashes.is_empty() {
        line("  with a password", report.hashes.values().sum(), &list(&report.hashes));
    }
    if report.without_password > 0 {
        line("  without", report.without_password, "they need a link: passgate user link NAME");
    }
    if !report.disabled.is_empty() {
        line("  disabled", report.disabled.values().sum(), &list(&report.disabled));
    }
    line("skipped", report.skipped, &list(&report.skipped_because));
    line("failed", report.failed, "");
    for problem in report.problems.iter().take(SHOWN_PROBLEMS) {
        streams.say(&problem.to_string());
    }
    let more = report.problems.len().saturating_sub(SHOWN_PROBLEMS) as u64 + report.problems_omitted;
    if more > 0 {
        streams.say(&format!("… and {more} more; --json lists them"));
    }
    if mode == Mode::Rehearse {
        streams.say("this was a rehearsal: nothing was written");
    }
}
