//! `passgate invitation make | list | withdraw`.

use clap::{Args, Subcommand};

use super::reach::{carry_out, unexpected};
use super::table::{minute, table};
use super::{Exit, Streams, Trouble};
use crate::auth::joining::options::JoinMode;
use crate::config::Config;
use crate::server::control::{Command, InvitationCommand, InvitationView, NewInvitation, Reply};

#[derive(Debug, Subcommand)]
pub(super) enum Invitation {
    /// List invitations that are open, oldest first
    List(List),
    /// Make a link with which somebody makes their own account; prints it
    Make(Make),
    /// Take an invitation back; accounts made with it stay
    Withdraw(Withdraw),
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Print one JSON array
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Make {
    /// The e-mail address of who is invited, if you are sure of it; their account will have it
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// A group their account will be in; may be given several times
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// For how many accounts it is good
    #[arg(long, value_name = "COUNT", default_value_t = 1, conflicts_with = "email",
        value_parser = clap::value_parser!(u32).range(1..=10_000))]
    times: u32,
    /// For how many days it is good
    #[arg(long, value_name = "COUNT", default_value_t = 7,
        value_parser = clap::value_parser!(u32).range(1..=365))]
    days: u32,
}

#[derive(Debug, Args)]
pub(super) struct Withdraw {
    /// Its id, as `invitation list` shows it
    id: String,
}

impl Invitation {
    pub(super) fn run(self, config: &Config, streams: &mut Streams<'_>) -> Result<(), Trouble> {
        match self {
            Self::List(list) => list.run(config, streams),
            Self::Make(make) => make.run(config, streams),
            Self::Withdraw(Withdraw { id }) => {
                let command = InvitationCommand::Withdraw { id };
                let Reply::Done(words) = carry_out(config, Command::Invitation(command))? else {
                    return Err(unexpected());
                };
                streams.say(&words);
                Ok(())
            }
        }
    }
}

impl Make {
    fn run(self, config: &Config, streams: &mut Streams<'_>) -> Result<(), Trouble> {
        if config.joining.mode == JoinMode::Closed {
            let words = "registration.mode is \"closed\", so the link would lead nowhere; set it to \"invitation\", or add the member \
                yourself with `passgate user add`";
            return Err(Trouble::new(Exit::Configuration, words));
        }
        let Self { email, groups, times, days } = self;
        let command = InvitationCommand::Make(NewInvitation { email, groups, times, days });
        let Reply::Invited { url, invitation } = carry_out(config, Command::Invitation(command))? else {
            return Err(unexpected());
        };
        let until = minute(Some(&invitation.expires));
        let accounts = if times == 1 { "one account".to_owned() } else { format!("{times} accounts") };
        streams.say(&format!("hand this link to whom you invite; it makes {accounts}, until {until} UTC:"));
        streams.data(&url)
    }
}

impl List {
    fn run(self, config: &Config, streams: &mut Streams<'_>) -> Result<(), Trouble> {
        let command = Command::Invitation(InvitationCommand::List);
        let Reply::Invitations(invitations) = carry_out(config, command)? else { return Err(unexpected()) };
        if self.json {
            return streams.json(&invitations);
        }
        if invitations.is_empty() {
            streams.say("no invitation is open; `passgate invitation make` makes one");
            return Ok(());
        }
        let rows: Vec<_> = invitations.iter().map(row).collect();
        streams.data(&table(
            ["ID", "MADE (UTC)", "GOOD UNTIL (UTC)", "ACCOUNTS LEFT", "GROUPS", "E-MAIL"],
            &rows,
        ))
    }
}

fn row(invitation: &InvitationView) -> [String; 6] {
    [
        invitation.id.clone(),
        minute(Some(&invitation.created)),
        minute(Some(&invitation.expires)),
        invitation.left.to_string(),
        invitation.groups.join(", "),
        invitation.email.clone().unwrap_or_default(),
    ]
}
