//! `passgate app-password list | remove`.

use clap::{Args, Subcommand};

use super::reach::{carry_out, unexpected};
use super::table::{minute, table};
use super::{Streams, Trouble};
use crate::config::Config;
use crate::server::control::{AppPasswordCommand, AppPasswordView, Command, Reply};

#[derive(Debug, Subcommand)]
pub(super) enum AppPassword {
    /// List app passwords, by member, oldest first
    List(List),
    /// Remove a member's app password, or all of them; programs that used it get in no longer
    Remove(Remove),
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Only this member's
    name: Option<String>,
    /// Print one JSON array
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Remove {
    /// The member's name
    name: String,
    /// The app password, as `app-password list` shows it in its first column
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    id: Option<String>,
    /// All of the member's
    #[arg(long)]
    all: bool,
}

impl AppPassword {
    pub(super) fn run(self, config: &Config, streams: &mut Streams<'_>) -> Result<(), Trouble> {
        match self {
            Self::List(list) => list.run(config, streams),
            Self::Remove(Remove { name, id, .. }) => {
                let command = Command::AppPassword(AppPasswordCommand::Remove { name, id });
                let Reply::Done(words) = carry_out(config, command)? else { return Err(unexpected()) };
                streams.say(&words);
                Ok(())
            }
        }
    }
}

impl List {
    fn run(self, config: &Config, streams: &mut Streams<'_>) -> Result<(), Trouble> {
        let of_one = self.name.is_some();
        let command = Command::AppPassword(AppPasswordCommand::List { name: self.name });
        let Reply::AppPasswords(all) = carry_out(config, command)? else { return Err(unexpected()) };
        if self.json {
            return streams.json(&all);
        }
        if all.is_empty() {
            streams.say(if of_one {
                "this member has no app passwords"
            } else {
                "nobody has an app password"
            });
            return Ok(());
        }
        let rows: Vec<_> = all.into_iter().map(row).collect();
        let headings = ["APP PASSWORD", "MEMBER", "MADE (UTC)", "LAST USED (UTC)", "FOR", "NAME"];
        streams.data(&table(headings, &rows))
    }
}

fn row(one: AppPasswordView) -> [String; 6] {
    let (created, last_used) = (minute(Some(&one.created)), minute(one.last_used.as_deref()));
    let paths = one.paths.map_or_else(|| "all".to_owned(), |paths| paths.join(", "));
    [one.id, one.user, created, last_used, paths, one.name]
}
