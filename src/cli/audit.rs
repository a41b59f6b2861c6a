//! `passgate audit verify` and `passgate audit tail`: what is in the audit log, and whether all of it is.

use std::collections::VecDeque;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::table::{minute, table};
use super::{Streams, Trouble};
use crate::config::Config;
use crate::server::audit_log::{AuditLine, Broken, Chain, FOLDER, read_chain};

#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// Tell whether a line was changed or taken out
    Verify(Place),
    /// Show the last events
    Tail(Tail),
}

#[derive(Debug, Args)]
pub(super) struct Place {
    /// A copy of the log; the folder audit in server.data_dir if none is named
    folder: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Tail {
    #[command(flatten)]
    place: Place,
    /// How many
    #[arg(short = 'n', long, default_value_t = 20)]
    lines: usize,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

impl Audit {
    pub(super) fn run(self, config: &Config, streams: &mut Streams<'_>) -> Result<(), Trouble> {
        match self {
            Self::Verify(place) => {
                let Chain { first, lines, head } = place.read(config, &mut drop)?;
                streams.say(&match lines {
                    0 => "there are no events yet".to_owned(),
                    _ => format!("{lines} events, from number {first} on, as they were written"),
                });
                // To be noted elsewhere, and compared.
                streams.data(&format!("{} {head}", (first + lines).saturating_sub(1)))
            }
            Self::Tail(tail) => tail.run(config, streams),
        }
    }
}

impl Place {
    fn read(&self, config: &Config, visit: &mut dyn FnMut(AuditLine)) -> Result<Chain, Trouble> {
        let folder = self.folder.clone().unwrap_or_else(|| config.server.data_dir.join(FOLDER));
        if !folder.exists() {
            return Err(Trouble::unavailable(format!(
                "there is no audit log in {}; a gateway with log.audit = true makes it",
                folder.display()
            )));
        }
        read_chain(&folder, visit).map_err(|broken| match broken {
            Broken::Unreadable { .. } => Trouble::unavailable(broken),
            _ => Trouble::data(format!("the audit log is not as it was written: {broken}")),
        })
    }
}

impl Tail {
    fn run(&self, config: &Config, streams: &mut Streams<'_>) -> Result<(), Trouble> {
        let mut last = VecDeque::new();
        let read = self.place.read(config, &mut |line| {
            last.push_back(line);
            if last.len() > self.lines {
                last.pop_front();
            }
        });
        if self.json {
            streams.json(&last)?;
        } else {
            let rows: Vec<_> = last.iter().map(row).collect();
            streams.data(&table(["TIME (UTC)", "EVENT", "MEMBER", "CLIENT", "MORE"], &rows))?;
        }
        // What can be shown is shown, and then what is wrong.
        read.map(drop)
    }
}

fn row(line: &AuditLine) -> [String; 5] {
    // A terminal obeys control characters.
    let shown = |text: &str| text.replace(char::is_control, "\u{fffd}");
    let text = |value: &Value| shown(value.as_str().unwrap_or(&value.to_string()));
    let field = |name: &str| line.fields.get(name).map(text).unwrap_or_default();
    let elsewhere = ["event", "member", "client", "request_id"];
    let more = line.fields.iter().filter(|(name, _)| !elsewhere.contains(&name.as_str()));
    let more: Vec<_> = more.map(|(name, value)| format!("{name}={}", text(value))).collect();
    [minute(Some(&line.time)), field("event"), field("member"), field("client"), more.join(" ")]
}
