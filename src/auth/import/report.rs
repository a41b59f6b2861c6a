//! What came of an import, in numbers and places. Holds no password, hash or e-mail address.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::{Candidate, Outcome};

/// What scripts and people get to see at the end.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Added or updated.
    pub imported: u64,
    /// Left as they are, and guests and bots.
    pub skipped: u64,
    /// Could not be taken.
    pub failed: u64,
    /// What an operator should know, by line.
    pub problems: Vec<Problem>,
    /// How many more there were than are listed.
    pub problems_omitted: u64,
    /// New here.
    pub added: u64,
    /// Here from an earlier import, with something new.
    pub updated: u64,
    /// Of the imported, those who can't sign in, by reason.
    pub disabled: BTreeMap<Cow<'static, str>, u64>,
    /// Of the imported, how many have no password that could be used.
    pub without_password: u64,
    /// Of the imported, kinds of hashes.
    pub hashes: BTreeMap<Cow<'static, str>, u64>,
    /// Why some were skipped.
    pub skipped_because: BTreeMap<Cow<'static, str>, u64>,
    /// The table whose rows stand in the place of lines, and their key.
    #[serde(skip)]
    pub(super) rows_of: Option<String>,
}

/// Something about one line, or one row of a database.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where in a file, counted from 1; 0 if it is about the whole file, or no file.
    pub line: u64,
    /// Where in a database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<String>,
    /// What, in words.
    pub reason: String,
    /// The line, or the key of the row.
    #[serde(skip)]
    at: u64,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.row {
            Some(row) => write!(f, "{row}: {}", self.reason),
            None if self.line == 0 => f.write_str(&self.reason),
            None => write!(f, "line {}: {}", self.line, self.reason),
        }
    }
}

impl Report {
    /// So many are listed; more is one problem many times.
    pub const MOST_PROBLEMS: usize = 10_000;

    /// Somebody who is not to be an account.
    pub(super) fn skip(&mut self, because: &'static str) {
        self.skipped += 1;
        *self.skipped_because.entry(Cow::Borrowed(because)).or_default() += 1;
    }

    /// Somebody, or something, who can't be one.
    pub fn fail(&mut self, line: u64, reason: String) {
        self.failed += 1;
        self.tell(line, reason);
    }

    /// What came of a member.
    pub fn settle(&mut self, candidate: &Candidate, outcome: Outcome) {
        match outcome {
            Outcome::AtHome => self.skip("have signed in or set a password here since"),
            Outcome::Stranger => {
                self.skip("have the name of another member here");
                let name = candidate.member.name.as_str();
                let reason = format!(
                    "{name:?} is a member here who did not come from there; they were left as they are"
                );
                self.tell(candidate.line, reason);
            }
            Outcome::Unchanged => self.skip("here already"),
            Outcome::Added => {
                self.added += 1;
                self.count(candidate);
            }
            Outcome::Updated => {
                self.updated += 1;
                self.count(candidate);
            }
        }
    }

    fn count(&mut self, candidate: &Candidate) {
        self.imported += 1;
        if let Some(why) = &candidate.off {
            *self.disabled.entry(why.clone()).or_default() += 1;
        }
        match &candidate.kind {
            Some(kind) => *self.hashes.entry(kind.clone()).or_default() += 1,
            None => self.without_password += 1,
        }
        for note in &candidate.notes {
            self.tell(candidate.line, note.clone());
        }
    }

    /// Puts what is told of lines or rows into their order, for people to look them up.
    pub fn put_in_order(&mut self) {
        self.problems.sort_by_key(|problem| problem.at);
    }

    /// A line, or a row by its key, as it is called.
    pub(super) fn place(&self, line: u64) -> String {
        match &self.rows_of {
            Some(rows) => format!("{rows} {line}"),
            None => format!("line {line}"),
        }
    }

    /// Something an operator should know.
    pub(super) fn tell(&mut self, line: u64, reason: String) {
        if self.problems.len() < Self::MOST_PROBLEMS {
            let row = self.rows_of.is_some() && line != 0;
            let row = row.then(|| self.place(line));
            let shown = if row.is_some() { 0 } else { line };
            self.problems.push(Problem { line: shown, row, reason, at: line });
        } else {
            self.problems_omitted += 1;
        }
    }
}
