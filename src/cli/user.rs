//! `passgate user add | approve | refuse | list | show | disable | enable | delete | link | unlock | reset-second-factor`; `import` has a file of its own.

use clap::{Args, Subcommand};

use super::import::Import;
use super::reach::{carry_out, unexpected};
use super::streams::Input;
use super::table::{minute, moment, table};
use super::{Streams, Trouble, passkey, password};
use crate::auth::Accounts;
use crate::auth::passkeys::PasskeyOptions;
use crate::auth::second_factors::Kind;
use crate::config::Config;
use crate::domain::UserState;
use crate::server::control::{
    ApplicantCommand, AskedFor, Command, LinkTo, MemberView, NewAccount, Reply, SecondFactorView, SetupUrl,
    ThrottleView, UserLine, UserView,
};

#[derive(Debug, Subcommand)]
pub(super) enum User {
    /// Add a member; prints a one-time link with which they set their password
    Add(Add),
    /// Let somebody in who made an account and waits; they are told by mail
    Approve(Named),
    /// Remove a member for good; all their sessions end
    Delete(Delete),
    /// Keep a member out; all their sessions end
    Disable(Named),
    /// Let a disabled member sign in again
    Enable(Named),
    /// Take in the members of a forum, with their passwords
    Import(Import),
    /// Print a one-time link to sign in with, for a member who is locked out; an earlier one stops working
    Link(Link),
    /// List all members
    List(List),
    /// Take the account away of somebody who waits to be let in; they are told by mail
    Refuse(Named),
    /// Take away the second factor of a member who has lost it: be sure that you know who asks
    ResetSecondFactor(Named),
    /// Show one member
    Show(Show),
    /// Forget the wrong passwords that were tried for a member, so that nobody has to wait
    Unlock(Named),
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// The name to sign in with
    name: String,
    /// A name to show
    #[arg(long, value_name = "TEXT")]
    full_name: Option<String>,
    /// An e-mail address
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// A group; may be given several times
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// Read a password from the first line of the input, or ask for it on a terminal, instead of making a link
    #[arg(long)]
    password_stdin: bool,
}

#[derive(Debug, Args)]
pub(super) struct Named {
    /// The member's name
    name: String,
}

#[derive(Debug, Args)]
pub(super) struct Link {
    /// The member's name
    name: String,
    /// Let them set a new password, or add one passkey: be sure that you know who asks
    #[arg(long)]
    reset: bool,
    /// Make the link that `user add` prints: it sets a password and signs nobody in
    #[arg(long, conflicts_with = "reset")]
    set_up: bool,
}

#[derive(Debug, Args)]
pub(super) struct Delete {
    /// The member's name
    name: String,
    /// Do not ask first
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// Only those who wait to be let in
    #[arg(long)]
    waiting: bool,
    /// Print one JSON array
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Show {
    /// The member's name
    name: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl User {
    pub(super) fn run(self, config: &Config, streams: &mut Streams<'_>) -> Result<(), Trouble> {
        match self {
            Self::Add(add) => add.run(config, streams),
            Self::Approve(Named { name }) => {
                plain(config, streams, Command::Applicant(ApplicantCommand::Approve { name }))
            }
            Self::Refuse(Named { name }) => {
                plain(config, streams, Command::Applicant(ApplicantCommand::Refuse { name }))
            }
            Self::Delete(delete) => delete.run(config, streams),
            Self::Disable(Named { name }) => plain(config, streams, Command::UserDisable { name }),
            Self::Enable(Named { name }) => plain(config, streams, Command::UserEnable { name }),
            Self::Import(import) => import.run(config, streams),
            Self::Link(link) => link.run(config, streams),
            Self::List(list) => list.run(config, streams),
            Self::ResetSecondFactor(Named { name }) => {
                plain(config, streams, Command::UserResetSecondFactor { name })
            }
            Self::Show(show) => show.run(config, streams),
            Self::Unlock(Named { name }) => plain(config, streams, Command::UserUnlock { name }),
        }
    }
}

fn plain(config: &Config, streams: &mut Streams<'_>, command: Command) -> Result<(), Trouble> {
    let Reply::Done(words) = carry_out(config, command)? else { return Err(unexpected()) };
    streams.say(&words);
    Ok(())
}

fn hand_out(config: &Config, link: &SetupUrl, streams: &mut Streams<'_>) -> Result<(), Trouble> {
    let without_passwords = config.passkeys.as_ref().is_some_and(PasskeyOptions::are_the_only_way);
    let does = match link.to {
        LinkTo::Reset | LinkTo::SetUp if without_passwords => "it signs them in to add one passkey",
        LinkTo::SignIn if without_passwords => {
            "it signs them in and changes nothing; --reset lets them add a passkey"
        }
        LinkTo::Reset => "it sets a new password, or signs them in to add one passkey",
        LinkTo::SetUp => "it sets their password",
        LinkTo::SignIn => "it signs them in and changes nothing; --reset lets them set a new password",
    };
    let time = match link.to {
        LinkTo::SetUp => format!("{} hours", Accounts::SETUP_LIFETIME.as_secs() / 3_600),
        LinkTo::Reset | LinkTo::SignIn => format!("{} minutes", Accounts::SIGN_IN_LIFETIME.as_secs() / 60),
    };
    let until = minute(Some(&link.expires));
    streams
        .say(&format!("hand this link to them; it works once, within {time} (until {until} UTC); {does}:"));
    streams.data(&link.url)
}

impl Link {
    fn run(self, config: &Config, streams: &mut Streams<'_>) -> Result<(), Trouble> {
        let to = match self {
            Self { reset: true, .. } => LinkTo::Reset,
            Self { set_up: true, .. } => LinkTo::SetUp,
            _ => LinkTo::SignIn,
        };
        match carry_out(config, Command::UserLink { name: self.name, to })? {
            Reply::Link(link) => hand_out(config, &link, streams),
            _ => Err(unexpected()),
        }
    }
}

impl Add {
    fn run(self, config: &Config, streams: &mut Streams<'_>) -> Result<(), Trouble> {
        let password = if self.password_stdin { Some(password::read(streams)?) } else { None };
        let new = NewAccount {
            name: self.name,
            full_name: self.full_name,
            email: self.email,
            groups: self.groups,
            password,
        };
        let Reply::Added { user, link, warnings } = carry_out(config, Command::UserAdd(new))? else {
            return Err(unexpected());
        };
        warnings.iter().for_each(|warning| streams.say(&format!("warning: {warning}")));
        streams.say(&format!("{} is a member now", user.name));
        link.map_or(Ok(()), |link| hand_out(config, &link, streams))
    }
}

impl Delete {
    fn run(self, config: &Config, streams: &mut Streams<'_>) -> Result<(), Trouble> {
        let name = self.name;
        if !self.yes && streams.input_kind() == Input::Terminal {
            let Reply::User(member) = carry_out(config, Command::UserShow { name: name.clone() })? else {
                return Err(unexpected());
            };
            if !streams.confirm(&format!("delete {} for good?", member.user.name)) {
                streams.say("nothing was changed");
                return Ok(());
            }
        }
        plain(config, streams, Command::UserDelete { name })
    }
}

impl List {
    fn run(self, config: &Config, streams: &mut Streams<'_>) -> Result<(), Trouble> {
        let Reply::Users(mut users) = carry_out(config, Command::UserList)? else {
            return Err(unexpected());
        };
        users.retain(|line| !self.waiting || line.waits_since.is_some());
        if self.json {
            return streams.json(&users);
        }
        if users.is_empty() && self.waiting {
            streams.say("nobody waits to be let in");
            return Ok(());
        }
        if users.is_empty() {
            streams.say("there are no members yet; `passgate user add NAME` adds the first");
            return Ok(());
        }
        let rows: Vec<_> = users.iter().map(row).collect();
        let headings = ["NAME", "STATE", "PASSWORD", "PASSKEYS", "LAST SIGN-IN (UTC)", "GROUPS", "E-MAIL"];
        streams.data(&table(headings, &rows))
    }
}

fn row(line: &UserLine) -> [String; 7] {
    let user = &line.user;
    let last = minute(user.last_sign_in.as_deref());
    let email = user.email.clone().unwrap_or_default();
    [
        user.name.clone(),
        if line.waits_since.is_some() { "waits for you" } else { state(user) }.to_owned(),
        has_password(user).to_owned(),
        line.passkeys.to_string(),
        last,
        user.groups.join(", "),
        email,
    ]
}

fn state(user: &UserView) -> &'static str {
    match user.state {
        UserState::Active => "active",
        UserState::Deactivated => "switched off",
        UserState::Leaving => "wants to be deleted",
        UserState::Disabled => "disabled",
    }
}

fn or_none(text: &str) -> String {
    if text.is_empty() { "none".to_owned() } else { text.to_owned() }
}

fn has_password(user: &UserView) -> &'static str {
    if user.has_password { "set" } else { "none" }
}

impl Show {
    fn run(self, config: &Config, streams: &mut Streams<'_>) -> Result<(), Trouble> {
        let Reply::User(member) = carry_out(config, Command::UserShow { name: self.name })? else {
            return Err(unexpected());
        };
        if self.json {
            return streams.json(&member);
        }
        let lines = facts(&member).into_iter();
        let lines: Vec<_> =
            lines.map(|(label, value)| format!("{label:<16} {value}").trim_end().to_owned()).collect();
        streams.data(&lines.join("\n"))
    }
}

fn throttled(throttle: &ThrottleView) -> String {
    let ThrottleView { wrong_tries, waiting_places, locked } = throttle;
    let mut words = format!("{wrong_tries} in a row");
    match locked.as_deref() {
        Some("until-lifted") => {
            words.push_str("; only passkeys and known browsers get in until `user unlock`")
        }
        Some(until) => {
            let until = minute(Some(until));
            words.push_str(&format!("; only passkeys and known browsers get in before {until} UTC"));
        }
        None if *waiting_places > 0 => {
            words.push_str(&format!("; places that have to wait: {waiting_places}"))
        }
        None => {}
    }
    words
}

fn second_factor(view: Option<&SecondFactorView>) -> String {
    let Some(SecondFactorView { kind, since, recovery_codes, trusted_devices }) = view else {
        return or_none("");
    };
    let since = moment(Some(since));
    let kind = match kind {
        Kind::App => "app",
        Kind::Mail => "codes by mail",
    };
    format!(
        "{kind}, since {since}; recovery codes left: {recovery_codes}; trusted browsers: {trusted_devices}"
    )
}

fn email(member: &MemberView) -> String {
    let Some(email) = member.user.email.as_deref() else { return or_none("") };
    match member.email_confirmed.as_deref() {
        Some(at) => format!("{email}, confirmed {}", moment(Some(at))),
        None => format!("{email}, not confirmed"),
    }
}

/// What there is to tell of a member, a line each.
fn facts(member: &MemberView) -> Vec<(&'static str, String)> {
    let user = &member.user;
    let mut lines = vec![
        ("name", user.name.clone()),
        ("full name", or_none(user.full_name.as_deref().unwrap_or_default())),
        ("e-mail", email(member)),
        ("groups", or_none(&user.groups.join(", "))),
        ("state", state(user).to_owned()),
        ("password", has_password(user).to_owned()),
        ("made", moment(Some(&user.created))),
        ("last sign-in", moment(user.last_sign_in.as_deref())),
        ("id", user.id.clone()),
    ];
    if let Some(expires) = &user.link_expires {
        lines.push(("open link until", moment(Some(expires))));
    }
    if member.throttle.wrong_tries > 0 {
        lines.push(("wrong passwords", throttled(&member.throttle)));
    }
    lines.push(("second factor", second_factor(member.second_factor.as_ref())));
    if member.passkeys.is_empty() {
        lines.push(("passkeys", or_none("")));
    }
    if !user.passkey_for.is_empty() {
        let words = user.passkey_for.iter().map(|asked| match asked {
            AskedFor::SensitiveActions => "sensitive actions",
            AskedFor::SigningIn => "signing in",
        });
        lines.push(("asked for when", words.collect::<Vec<_>>().join(", ")));
    }
    lines.extend(member.passkeys.iter().map(|passkey| ("passkey", passkey::in_words(passkey))));
    lines
}
