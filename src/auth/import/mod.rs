//! Floor 2: bringing members over from a forum: from a file's bytes, or its database's rows, to accounts.
//!
//! | module | what |
//! | --- | --- |
//! | `input`, `scanner` | packed or not; bytes with their lines |
//! | `sql`, `delimited`, `json`, `htpasswd` | rows, streamed, each bounded in size |
//! | `shapes` | which tables and columns a forum has, as data |
//! | `gather` | a file's rows as members |
//! | `live` | a database's rows as members |
//! | `member` | a member in types that can't be wrong |
//! | `admission` | members into the store, as often as one likes |
//! | `report` | what came of it |
//!
//! Reading is pure: bytes come in through a `Read`, or rows through a transaction, and members go out. Whatever they are, it
//! ends in members, problems with their places, or both; its memory does not grow with the source but for a few bytes a
//! member.

mod admission;
mod delimited;
mod gather;
mod htpasswd;
mod input;
mod json;
mod live;
mod member;
mod record;
mod report;
mod scanner;
mod shapes;
mod sql;

#[cfg(test)]
mod tests;

pub use admission::{Admission, Mode, Outcome};
pub use gather::{Open, Unusable};
pub use live::Live;
pub use member::{Candidate, ImportedMember};
pub use report::{Problem, Report};
pub use scanner::Broken;

use std::hash::{BuildHasher, RandomState};

use self::gather::{Entry, gather};
use crate::auth::passwords::Source;
use crate::domain::Timestamp;

/// What the members were members of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "names of programs and formats")]
pub enum Origin {
    Csv,
    Django,
    FlaskBb,
    FluxBb,
    Htpasswd,
    Ipb,
    Json,
    MediaWiki,
    MyBb,
    Passgate,
    PhpBb,
    PunBb,
    Smf,
    Spirit,
    VBulletin,
    WordPress,
    XenForo,
}

impl Origin {
    /// All of them, forums first.
    pub const ALL: [Self; 17] = [
        Self::PhpBb,
        Self::FluxBb,
        Self::PunBb,
        Self::MyBb,
        Self::Smf,
        Self::VBulletin,
        Self::Ipb,
        Self::XenForo,
        Self::FlaskBb,
        Self::Spirit,
        Self::Django,
        Self::WordPress,
        Self::MediaWiki,
        Self::Htpasswd,
        Self::Csv,
        Self::Json,
        Self::Passgate,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Django => "django",
            Self::FlaskBb => "flaskbb",
            Self::FluxBb => "fluxbb",
            Self::Htpasswd => "htpasswd",
            Self::Ipb => "ipb",
            Self::Json => "json",
            Self::MediaWiki => "mediawiki",
            Self::MyBb => "mybb",
            Self::Passgate => "passgate",
            Self::PhpBb => "phpbb",
            Self::PunBb => "punbb",
            Self::Smf => "smf",
            Self::Spirit => "spirit",
            Self::VBulletin => "vbulletin",
            Self::WordPress => "wordpress",
            Self::XenForo => "xenforo",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|origin| origin.name() == name)
    }

    /// Whether it keeps its members in a database's tables; the others are lists.
    pub fn has_tables(self) -> bool {
        !shapes::shape(self).users.names.is_empty()
    }
}

/// Is handed a member; false ends the reading.
pub type Take<'t> = dyn FnMut(&mut Report, Candidate) -> bool + 't;

/// Reads a file's members. Each is handed to `take`, which ends the reading by returning false; what else there was is
/// noted in `report`. No two that are handed out have the same name (SECURITY: AUTH-15).
pub fn read_members(
    origin: Origin,
    prefix: Option<&str>,
    now: Timestamp,
    open: &mut Open<'_>,
    report: &mut Report,
    take: &mut Take<'_>,
) -> Result<(), Unusable> {
    let mut intake = Intake::new(origin);
    let mut goes_on = true;
    let read = gather(origin, prefix, seconds(now), open, &mut |entry| {
        goes_on = intake.take_in(entry, report, take);
        if goes_on { Ok(()) } else { Err(Broken { line: 0, reason: String::new() }) }
    });
    if goes_on { read } else { Ok(()) }
}

/// Seconds since 1970, as forums count.
fn seconds(now: Timestamp) -> i64 {
    i64::try_from(now.as_millis() / 1_000).unwrap_or(i64::MAX)
}

/// Makes members of rows, and notes in the report what is none.
struct Intake {
    hashes: Option<Source>,
    names: Places,
    emails: Places,
}

impl Intake {
    fn new(origin: Origin) -> Self {
        let hashes = shapes::shape(origin).hashes;
        Self { hashes, names: Places::default(), emails: Places::default() }
    }

    /// One row; false if `take` has had enough.
    fn take_in(&mut self, entry: Entry, report: &mut Report, take: &mut Take<'_>) -> bool {
        let (line, draft) = match entry {
            Entry::Member { line, draft } => (line, draft),
            Entry::Skipped(because) => {
                report.skip(because);
                return true;
            }
            Entry::Unusable { line, reason } => {
                report.fail(line, reason);
                return true;
            }
        };
        let mut candidate = match member::prepared(line, draft, self.hashes) {
            Ok(candidate) => candidate,
            Err(reason) => {
                report.fail(line, reason);
                return true;
            }
        };
        if let Some(first) = self.names.seen(candidate.member.name.key(), line) {
            let (name, first) = (candidate.member.name.as_str(), report.place(first));
            report.fail(line, format!("{name:?} is the same name as the one in {first}"));
            return true;
        }
        if let Some(email) = &candidate.member.email
            && let Some(first) = self.emails.seen(&email.to_lowercase(), line)
        {
            candidate.notes.push(format!("the e-mail address is also that of {}", report.place(first)));
        }
        take(report, candidate)
    }
}

/// Where a text was seen first. Keeps a hash of each, 64 bits under a key of this process: among a million texts the odds
/// of two being taken for one are below one in thirty million.
///
/// Tables of our own, since a map of the standard library grows to twice its size at once, and three quarters of that are empty
/// for long; and several, so that only a small part of it all is there twice while it grows.
#[derive(Default)]
struct Places {
    tables: [PlaceTable; Self::TABLES],
    hasher: RandomState,
}

/// A part of the places.
#[derive(Default)]
struct PlaceTable {
    /// Halves of the hash, and the place, which is never 0 where something is. In the order of their hashes, with gaps.
    slots: Vec<[u32; 3]>,
    count: usize,
}

impl Places {
    const TABLES: usize = 32;

    /// The line, or the key of the row, in which it was before, if it was.
    fn seen(&mut self, text: &str, line: u64) -> Option<u64> {
        let hash = self.hasher.hash_one(text);
        // The lowest bits; the order in a table is that of the highest.
        self.tables[hash as usize % Self::TABLES].seen(hash, line)
    }
}

impl PlaceTable {
    fn seen(&mut self, hash: u64, line: u64) -> Option<u64> {
        if self.count * 8 >= self.slots.len() * 7 {
            self.grow();
        }
        let line = u32::try_from(line).unwrap_or(u32::MAX).max(1);
        let slot = self.slot(hash);
        let [.., first] = self.slots[slot];
        if first != 0 {
            return Some(first.into());
        }
        self.slots[slot] = [(hash >> 32) as u32, hash as u32, line];
        self.count += 1;
        None
    }

    /// Where this hash is, or should be.
    fn slot(&self, hash: u64) -> usize {
        let halves = [(hash >> 32) as u32, hash as u32];
        let mut slot = ((u128::from(hash) * self.slots.len() as u128) >> 64) as usize;
        while self.slots[slot][2] != 0 && self.slots[slot][..2] != halves {
            slot = (slot + 1) % self.slots.len();
        }
        slot
    }

    fn grow(&mut self) {
        let larger = vec![[0; 3]; self.slots.len() + self.slots.len() / 4 + 64];
        for entry in std::mem::replace(&mut self.slots, larger).into_iter().filter(|entry| entry[2] != 0) {
            let slot = self.slot(u64::from(entry[0]) << 32 | u64::from(entry[1]));
            self.slots[slot] = entry;
        }
    }
}
