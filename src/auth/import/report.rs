//! What came of an import, in numbers and lines. Holds no password, hash or e-mail address.

use std::collections::BTreeMap;

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
    pub disabled: BTreeMap<&'static str, u64>,
    /// Of the imported, how many have no password that could be used.
    pub without_password: u64,
    /// Of the imported, kinds of hashes.
    pub hashes: BTreeMap<&'static str, u64>,
    /// Why some were skipped.
    pub skipped_because: BTreeMap<&'static str, u64>,
}

/// Something about one line.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where, counted from 1; 0 if it is about the whole file.
    pub line: u64,
    /// What, in words.
    pub reason: String,
}

impl Report {
    /// So many are listed; more is one problem many times.
    pub const MOST_PROBLEMS: usize = 10_000;

    /// Somebody who is not to be an account.
    pub(super) fn skip(&mut self, because: &'static str) {
        self.skipped += 1;
        *self.skipped_because.entry(because).or_default() += 1;
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
        if let Some(why) = candidate.off {
            *self.disabled.entry(why).or_default() += 1;
        }
        match candidate.kind {
            Some(kind) => *self.hashes.entry(kind).or_default() += 1,
            None => self.without_password += 1,
        }
        for note in &candidate.notes {
            self.tell(candidate.line, note.clone());
        }
    }

    fn tell(&mut self, line: u64, reason: String) {
        if self.problems.len() < Self::MOST_PROBLEMS {
            self.problems.push(Problem { line, reason });
        } else {
            self.problems_omitted += 1;
        }
    }
}
