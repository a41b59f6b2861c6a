//! `passgate session list | revoke`.

use clap::{Args, Subcommand};

use super::reach::{carry_out, unexpected};
use super::table::{minute, table};
use super::{Streams, Trouble};
use crate::config::Config;
use crate::server::control::{Command, Reply, SessionView, SessionsOf};

#[derive(Debug, Subcommand)]
pub(super) enum Session {
    /// List who is signed in, latest use first
    List(List),
    /// End sessions at once
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Only this member's
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Print one JSON array
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Revoke {
    /// The session with this id, as `session list` shows it
    id: Option<String>,
    /// All sessions of this member
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// All sessions of everyone
    #[arg(long)]
    all: bool,
}

impl Session {
    pub(super) fn run(self, config: &Config, streams: &mut Streams<'_>) -> Result<(), Trouble> {
        match self {
            Self::List(list) => list.run(config, streams),
            Self::Revoke(revoke) => revoke.run(config, streams),
        }
    }
}

impl List {
    fn run(self, config: &Config, streams: &mut Streams<'_>) -> Result<(), Trouble> {
        let Reply::Sessions(sessions) = carry_out(config, Command::SessionList { user: self.user })? else {
            return Err(unexpected());
        };
        if self.json {
            return streams.json(&sessions);
        }
        if sessions.is_empty() {
            streams.say("nobody is signed in");
            return Ok(());
        }
        let rows: Vec<_> = sessions.into_iter().map(row).collect();
        streams
            .data(&table(["ID", "MEMBER", "SIGNED IN (UTC)", "LAST USED (UTC)", "STAYS", "BROWSER"], &rows))
    }
}

fn row(session: SessionView) -> [String; 6] {
    let stays = if session.remembered { "yes" } else { "no" };
    let (created, last_seen) = (minute(Some(&session.created)), minute(Some(&session.last_seen)));
    [session.id, session.user, created, last_seen, stays.to_owned(), session.user_agent]
}

impl Revoke {
    fn run(self, config: &Config, streams: &mut Streams<'_>) -> Result<(), Trouble> {
        let which = match (self.id, self.user) {
            (Some(id), _) => SessionsOf::Id(id),
            (None, Some(user)) => SessionsOf::User(user),
            (None, None) => SessionsOf::Everyone,
        };
        let Reply::Done(words) = carry_out(config, Command::SessionRevoke(which))? else {
            return Err(unexpected());
        };
        streams.say(&words);
        Ok(())
    }
}
