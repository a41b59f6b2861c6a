//! Why a command failed, and the exit code that says so (the numbers are those of BSD's sysexits).

use std::process::ExitCode;

use crate::config::Problem;
use crate::server::control::{CallError, Failure};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It is done.
    Done = 0,
    /// The command line makes no sense.
    Usage = 64,
    /// What was typed or read makes no sense.
    Data = 65,
    /// Something that is needed can't be reached.
    Unavailable = 69,
    /// The configuration has problems.
    Configuration = 78,
}

/// A command's failure.
#[derive(Debug)]
pub struct Trouble {
    /// The exit code.
    pub exit: Exit,
    /// What happened and what to do, to be shown as it is.
    pub words: String,
}

impl Trouble {
    pub(super) fn new(exit: Exit, words: impl std::fmt::Display) -> Self {
        Self { exit, words: format!("passgate: {words}") }
    }

    pub(super) fn data(words: impl std::fmt::Display) -> Self {
        Self::new(Exit::Data, words)
    }

    pub(super) fn unavailable(words: impl std::fmt::Display) -> Self {
        Self::new(Exit::Unavailable, words)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<Vec<Problem>> for Trouble {
    fn from(problems: Vec<Problem>) -> Self {
        let each = problems.iter().map(ToString::to_string).collect::<Vec<_>>();
        Self { exit: Exit::Configuration, words: counted(&each) }
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Configuration(problems) => Self {
                exit: Exit::Configuration,
                words: format!("{}\nthe gateway goes on with what it had", counted(&problems)),
            },
            Failure::Data(words) => Self::data(words),
            Failure::Unavailable(words) => Self::unavailable(words),
        }
    }
}

impl From<CallError> for Trouble {
    fn from(error: CallError) -> Self {
        Self::unavailable(error)
    }
}

fn counted(problems: &[String]) -> String {
    let count = match problems.len() {
        1 => "the configuration has 1 problem".to_owned(),
        count => format!("the configuration has {count} problems"),
    };
    format!(
        "{}\n\npassgate: {count}",
        problems.iter().map(|problem| problem.trim_end()).collect::<Vec<_>>().join("\n\n")
    )
}
