//! `passgate passkey list | remove`.

use clap::{Args, Subcommand};

use super::reach::{carry_out, unexpected};
use super::table::{minute, moment, table};
use super::{Streams, Trouble};
use crate::config::Config;
use crate::server::control::{Command, PasskeyView, Reply, Synced};

#[derive(Debug, Subcommand)]
pub(super) enum Passkey {
    /// List passkeys, by member, oldest first
    List(List),
    /// Remove a member's passkey; the sessions it opened end
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
    /// The passkey, as `passkey list` shows it in its first column
    passkey: String,
}

impl Passkey {
    pub(super) fn run(self, config: &Config, streams: &mut Streams<'_>) -> Result<(), Trouble> {
        match self {
            Self::List(list) => list.run(config, streams),
            Self::Remove(remove) => remove.run(config, streams),
        }
    }
}

impl List {
    fn run(self, config: &Config, streams: &mut Streams<'_>) -> Result<(), Trouble> {
        let of_one = self.name.is_some();
        let Reply::Passkeys(passkeys) = carry_out(config, Command::PasskeyList { name: self.name })? else {
            return Err(unexpected());
        };
        if self.json {
            return streams.json(&passkeys);
        }
        if passkeys.is_empty() {
            streams.say(if of_one { "this member has no passkeys" } else { "nobody has a passkey yet" });
            return Ok(());
        }
        let rows: Vec<_> = passkeys.into_iter().map(row).collect();
        let headings = ["PASSKEY", "MEMBER", "ADDED (UTC)", "LAST USED (UTC)", "SYNCED", "PROVIDER", "NAME"];
        streams.data(&table(headings, &rows))
    }
}

fn row(passkey: PasskeyView) -> [String; 7] {
    let (created, last_used) = (minute(Some(&passkey.created)), minute(passkey.last_used.as_deref()));
    let synced = match passkey.synced {
        Synced::DeviceOnly => "no, this device only",
        Synced::NoLonger => "no longer",
        Synced::NotYet => "not yet",
        Synced::Yes => "yes",
    };
    let provider = provider(&passkey).to_owned();
    [passkey.id, passkey.user, created, last_used, synced.to_owned(), provider, passkey.name]
}

fn provider(passkey: &PasskeyView) -> &str {
    passkey.provider.as_deref().unwrap_or("unknown")
}

/// One passkey in one line.
pub(super) fn in_words(passkey: &PasskeyView) -> String {
    let synced = match passkey.synced {
        Synced::DeviceOnly => "this device only",
        Synced::NoLonger => "no longer synced",
        Synced::NotYet => "not synced yet",
        Synced::Yes => "synced",
    };
    let (created, last_used) = (moment(Some(&passkey.created)), moment(passkey.last_used.as_deref()));
    format!(
        "{}; provider {}; {synced}; added {created}; last used {last_used}",
        passkey.name,
        provider(passkey)
    )
}

impl Remove {
    fn run(self, config: &Config, streams: &mut Streams<'_>) -> Result<(), Trouble> {
        let command = Command::PasskeyRemove { name: self.name, passkey: self.passkey };
        let Reply::Done(words) = carry_out(config, command)? else { return Err(unexpected()) };
        streams.say(&words);
        Ok(())
    }
}
