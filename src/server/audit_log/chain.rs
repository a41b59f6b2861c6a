//! Lines, how they hang together, and reading them to see whether they do.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::domain::hex;

/// The digest that the first line names.
const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// The file with the end of the chain.
const HEAD: &str = "head";
const BEFORE_MONTH: &str = "audit-";
const AFTER_MONTH: &str = ".jsonl";

/// A line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditLine {
    /// Its number, from 1 on.
    pub n: u64,
    /// When it was written, in RFC 3339, UTC.
    pub time: String,
    /// The digest of the line before.
    pub prev: String,
    /// What happened.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

/// The end of a chain: the last line's number and digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) n: u64,
    pub(super) digest: String,
}

impl End {
    /// Where there is no line yet.
    pub(super) fn none() -> Self {
        Self { n: 0, digest: NOTHING.to_owned() }
    }

    /// Adds a line, and gives its text.
    pub(super) fn extend(&mut self, time: String, fields: Map<String, Value>) -> serde_json::Result<String> {
        let line = AuditLine { n: self.n + 1, time, prev: self.digest.clone(), fields };
        let text = serde_json::to_string(&line)?;
        *self = Self { n: line.n, digest: digest(text.as_bytes()) };
        Ok(text)
    }

    /// As it stands in the file `head`; always as long, so that one overwrites the other.
    pub(super) fn to_text(&self) -> String {
        format!("{:020} {}\n", self.n, self.digest)
    }

    /// The one in the file; none if there is none or it is no such file.
    pub(super) fn read(folder: &Path) -> Option<Self> {
        let text = fs::read_to_string(head(folder)).ok()?;
        let (n, digest) = text.trim_end().split_once(' ')?;
        Some(Self { n: n.parse().ok()?, digest: digest.to_owned() })
    }
}

pub(super) fn head(folder: &Path) -> PathBuf {
    folder.join(HEAD)
}

/// The name of the file for a time in RFC 3339.
pub(super) fn file_name(time: &str) -> String {
    format!("{BEFORE_MONTH}{}{AFTER_MONTH}", time.get(..7).unwrap_or(time))
}

/// The files of the log, oldest first.
pub(super) fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let is_one =
            name.to_str().is_some_and(|name| name.starts_with(BEFORE_MONTH) && name.ends_with(AFTER_MONTH));
        if is_one {
            files.push(folder.join(name));
        }
    }
    files.sort_unstable();
    Ok(files)
}

pub(super) fn digest(line: &[u8]) -> String {
    hex(Sha256::digest(line))
}

/// A chain that hangs together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The number of the first line that is there; more than 1 where old files were removed.
    pub first: u64,
    /// How many lines there are.
    pub lines: u64,
    /// The digest of the last.
    pub head: String,
}

/// Why a chain can't be relied on.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// It can't be read.
    #[error("{path} can't be read: {error}", path = .path.display())]
    Unreadable {
        /// What.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A line is not what was written.
    #[error("{path}, line {line}: {reason}", path = .path.display())]
    Line {
        /// In which file.
        path: PathBuf,
        /// Which line, from 1 on.
        line: u64,
        /// What is wrong.
        reason: &'static str,
    },
    /// Lines are missing at the end.
    #[error("the last {0} lines are missing")]
    CutOff(u64),
    /// There is no note of where the chain ends.
    #[error(
        "the file {HEAD}, which says where the log ends, is missing or damaged; nobody can tell whether lines are missing there"
    )]
    NoHead,
}

/// Reads all lines of the log in this folder, and tells whether they are those that were written.
pub fn read_chain(folder: &Path, visit: &mut dyn FnMut(AuditLine)) -> Result<Chain, Broken> {
    let unreadable = |path: &Path, error| Broken::Unreadable { path: path.to_owned(), error };
    // Before the lines: what is written meanwhile is beyond it.
    let noted = End::read(folder);
    let files = files(folder).map_err(|error| unreadable(folder, error))?;
    let mut chain = Chain { first: 0, lines: 0, head: NOTHING.to_owned() };
    let mut noted_is_there = false;
    for path in &files {
        let mut input = BufReader::new(File::open(path).map_err(|error| unreadable(path, error))?);
        let (mut text, mut number) = (Vec::new(), 0);
        loop {
            text.clear();
            input.read_until(b'\n', &mut text).map_err(|error| unreadable(path, error))?;
            number += 1;
            // A line without an end is being written just now, or was when the power failed.
            let Some(line) = text.strip_suffix(b"\n") else { break };
            let parsed = chain.take(line).map_err(|reason| Broken::Line {
                path: path.clone(),
                line: number,
                reason,
            })?;
            if let Some(noted) = noted.as_ref().filter(|noted| noted.n == parsed.n) {
                let reason = "it is not the line that was written last";
                noted_is_there = noted.digest == chain.head;
                if !noted_is_there {
                    return Err(Broken::Line { path: path.clone(), line: number, reason });
                }
            }
            visit(parsed);
        }
        if !text.is_empty() && files.last() != Some(path) {
            return Err(Broken::Line { path: path.clone(), line: number, reason: "it has no end" });
        }
    }
    match noted {
        Some(_) if noted_is_there => Ok(chain),
        Some(noted) => Err(Broken::CutOff(noted.n.saturating_sub(chain.last()))),
        None if chain.lines == 0 => Ok(chain),
        None => Err(Broken::NoHead),
    }
}

impl Chain {
    fn last(&self) -> u64 {
        (self.first + self.lines).saturating_sub(1)
    }

    fn take(&mut self, text: &[u8]) -> Result<AuditLine, &'static str> {
        let line: AuditLine = serde_json::from_slice(text).map_err(|_| "it is no line of an audit log")?;
        if self.lines == 0 {
            self.first = line.n;
            if line.n == 1 && line.prev != NOTHING {
                return Err("it is numbered 1 but was not the first");
            }
        } else if line.n != self.last() + 1 {
            return Err("lines before it are missing");
        } else if line.prev != self.head {
            return Err("the line before it was changed");
        }
        self.lines += 1;
        self.head = digest(text);
        Ok(line)
    }
}
