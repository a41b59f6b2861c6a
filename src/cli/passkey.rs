//! `passgate passkey list | remove | stats`.

use std::collections::HashSet;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::reach::{carry_out, unexpected};
use super::table::{minute, moment, table};
use super::{Streams, Trouble};
use crate::auth::passkeys::Rollout;
use crate::config::Config;
use crate::server::control::{Command, CountView, PasskeyView, Reply, Synced, UserView};

#[derive(Debug, Subcommand)]
pub(super) enum Passkey {
    /// List passkeys, by member, oldest first
    List(List),
    /// Remove a member's passkey; the sessions it opened end
    Remove(Remove),
    /// How far the roll-out has come: who has one, and what became of ceremonies since the gateway's start
    Stats(Stats),
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

#[derive(Debug, Args)]
pub(super) struct Stats {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// How far a roll-out has come.
#[derive(Debug, Serialize)]
struct Figures {
    members: usize,
    in_rollout: usize,
    with_passkey: usize,
    passkeys: usize,
    /// None without a running gateway.
    ceremonies: Option<Vec<CountView>>,
}

impl Stats {
    fn run(self, config: &Config, streams: &mut Streams<'_>) -> Result<(), Trouble> {
        let Reply::Users(users) = carry_out(config, Command::UserList)? else { return Err(unexpected()) };
        let list = Command::PasskeyList { name: None };
        let Reply::Passkeys(passkeys) = carry_out(config, list)? else { return Err(unexpected()) };
        let Reply::PasskeyCounts(ceremonies) = carry_out(config, Command::PasskeyCounts)? else {
            return Err(unexpected());
        };
        let rollout = config.passkeys.as_ref().map_or(&Rollout::Off, |options| &options.rollout);
        let owners: HashSet<_> = passkeys.iter().map(|passkey| passkey.user.as_str()).collect();
        let figures = Figures {
            members: users.len(),
            in_rollout: users.iter().filter(|user| is_reached(rollout, &user.user)).count(),
            with_passkey: owners.len(),
            passkeys: passkeys.len(),
            ceremonies,
        };
        if self.json {
            return streams.json(&figures);
        }
        let Figures { members, in_rollout, with_passkey, passkeys, ceremonies } = figures;
        streams.data(&format!(
            "members          {members}\nin the roll-out  {in_rollout}\nwith a passkey   {with_passkey}\npasskeys         {passkeys}"
        ))?;
        match ceremonies {
            None => streams.say("no gateway runs, so there are no ceremonies to count"),
            Some(counts) if counts.is_empty() => streams.say("no ceremony since the gateway's start"),
            Some(counts) => {
                let row =
                    |count: CountView| [count.ceremony, count.outcome, count.client, count.count.to_string()];
                let rows: Vec<_> = counts.into_iter().map(row).collect();
                streams.data(&table(["CEREMONY", "OUTCOME", "BROWSER", "COUNT"], &rows))?;
            }
        }
        Ok(())
    }
}

fn is_reached(rollout: &Rollout, user: &UserView) -> bool {
    match rollout {
        Rollout::Off => false,
        Rollout::Groups(groups) => {
            groups.iter().any(|group| user.groups.iter().any(|own| own == group.as_str()))
        }
        Rollout::Everyone => true,
    }
}

impl Passkey {
    pub(super) fn run(self, config: &Config, streams: &mut Streams<'_>) -> Result<(), Trouble> {
        match self {
            Self::List(list) => list.run(config, streams),
            Self::Remove(remove) => remove.run(config, streams),
            Self::Stats(stats) => stats.run(config, streams),
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
