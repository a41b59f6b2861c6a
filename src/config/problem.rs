//! What is wrong with a configuration, told so that it can be put right without looking anything up.

use std::fmt;
use std::path::PathBuf;

/// One problem. `Display` gives several lines for an operator to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key, with dots. Rules count from 1, so `access.rule.2.path` is in the second `[[access.rule]]`.
    pub key: String,
    /// What is there.
    pub found: String,
    /// What could be there.
    pub expected: String,
    /// What to do.
    pub help: String,
    /// Where it was found.
    pub source: Source,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nobody said anything else.
    Default,
    /// This environment variable.
    Environment(String),
    /// This file; none for a text that is in no file.
    File(Option<PathBuf>),
    /// An option on the command line.
    Flag,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({})", self.key, self.source)?;
        for (label, text) in [("found:", &self.found), ("expected:", &self.expected), ("help:", &self.help)] {
            let mut lines = text.lines();
            writeln!(f, "  {label:<9} {}", lines.next().unwrap_or("nothing"))?;
            lines.try_for_each(|line| writeln!(f, "  {:<9} {line}", ""))?;
        }
        Ok(())
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::File(Some(path)) => write!(f, "{}", path.display()),
            Self::File(None) => f.write_str("configuration text"),
            Self::Flag => f.write_str("command line"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_as_key_source_found_expected_help() {
        let problem = Problem {
            key: "server.listen".into(),
            found: "\"localhost\"".into(),
            expected: "an address and a port".into(),
            help: "write 127.0.0.1:8080\nfor this machine alone".into(),
            source: Source::Environment("PASSGATE_SERVER__LISTEN".into()),
        };
        assert_eq!(
            problem.to_string(),
            "server.listen (environment variable PASSGATE_SERVER__LISTEN)\n  found:    \"localhost\"\n  \
             expected: an address and a port\n  help:     write 127.0.0.1:8080\n            for this machine alone\n"
        );
    }
}
