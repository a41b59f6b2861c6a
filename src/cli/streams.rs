//! Where a command reads and writes. A value, so that tests can look.

use std::io::{self, BufRead, ErrorKind, IsTerminal, Write};

use indicatif::{ProgressBar, ProgressStyle};

use super::Trouble;

/// Whether somebody sits there who can answer a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A file or a pipe.
    Piped,
    /// A terminal.
    Terminal,
}

/// What a bar counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Bytes,
    Entries,
    Rows,
}

/// The streams of a command.
pub struct Streams<'s> {
    out: &'s mut dyn Write,
    err: &'s mut dyn Write,
    input: &'s mut dyn BufRead,
    kind: Input,
    /// Whether somebody watches the error stream.
    watched: bool,
}

impl<'s> Streams<'s> {
    /// Streams of one's own.
    pub fn new(
        out: &'s mut dyn Write,
        err: &'s mut dyn Write,
        input: &'s mut dyn BufRead,
        kind: Input,
    ) -> Self {
        Self { out, err, input, kind, watched: false }
    }

    /// Runs something with the process's own streams.
    pub fn standard<T>(run: impl FnOnce(&mut Streams<'_>) -> T) -> T {
        let stdin = io::stdin();
        let kind = if stdin.is_terminal() { Input::Terminal } else { Input::Piped };
        let (mut out, mut err, mut input) = (io::stdout(), io::stderr(), stdin.lock());
        let watched = err.is_terminal();
        let streams = Streams::new(&mut out, &mut err, &mut input, kind);
        run(&mut Streams { watched, ..streams })
    }

    /// Writes data: what another program may read. A reader that has seen enough is no trouble.
    pub fn data(&mut self, text: &str) -> Result<(), Trouble> {
        match writeln!(self.out, "{}", text.trim_end()).and_then(|()| self.out.flush()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                Err(Trouble::unavailable(format!("the output can't be written: {error}")))
            }
            _ => Ok(()),
        }
    }

    /// Writes one value as JSON.
    pub fn json(&mut self, value: &impl serde::Serialize) -> Result<(), Trouble> {
        let text = serde_json::to_string(value).map_err(Trouble::unavailable)?;
        self.data(&text)
    }

    /// Writes words for a human.
    pub fn say(&mut self, words: &str) {
        // Nobody is left to tell if that fails.
        let _ = writeln!(self.err, "{}", words.trim_end());
    }

    /// Where data goes that is no text of ours.
    pub(super) fn out(&mut self) -> &mut dyn Write {
        self.out
    }

    /// A bar for work on so much; nothing is drawn where nobody watches.
    pub(super) fn progress(&self, total: u64, unit: Unit) -> ProgressBar {
        if !self.watched {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template(match unit {
            Unit::Bytes => "{msg} {wide_bar} {bytes} of {total_bytes}, {eta} left",
            Unit::Entries => "{msg} {wide_bar} {human_pos} of about {human_len}, {eta} left",
            Unit::Rows => "{msg} {wide_bar} {human_pos} of {human_len} rows, {eta} left",
        });
        let bar = ProgressBar::new(total);
        match style {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        }
    }

    /// Where input comes from.
    pub fn input_kind(&self) -> Input {
        self.kind
    }

    pub(super) fn input(&mut self) -> &mut dyn BufRead {
        self.input
    }

    /// Asks a question that has a "yes"; anything else is a "no".
    pub fn confirm(&mut self, question: &str) -> bool {
        let _ = write!(self.err, "{question} [y/N] ").and_then(|()| self.err.flush());
        let mut answer = String::new();
        let read = self.input.read_line(&mut answer);
        read.is_ok() && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
    }
}
