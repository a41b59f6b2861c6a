//! `passgate check`: every problem at once, or what the configuration comes to. Problems are told by whoever loads it.

mod certificates;

use clap::Args;

use super::reach::carry_out;
use super::{Streams, Trouble, applications, live, mail};
use crate::auth::joining::options::JoinMode;
use crate::bridge::Kind;
use crate::config::Config;
use crate::domain::{Clock, SystemClock};
use crate::policy::RequiredFor;
use crate::server::control::{Command, Reply, without_passkey, without_second_factor};
use crate::server::options::StoreOptions;

#[derive(Debug, Args)]
pub(super) struct Check {
    /// Ask the running gateway, too, for what members and their password managers need
    #[arg(long)]
    live: bool,
}

impl Check {
    pub(super) fn run(self, config: &Config, streams: &mut Streams<'_>) -> Result<(), Trouble> {
        tell(config, streams)?;
        certificates::tell(config, SystemClock.now(), streams)?;
        if self.live { live::run(config, streams) } else { Ok(()) }
    }
}

fn tell(config: &Config, streams: &mut Streams<'_>) -> Result<(), Trouble> {
    let store = match &config.store {
        StoreOptions::Memory => "in memory, gone when the gateway stops".to_owned(),
        StoreOptions::Sled { path, .. } => path.display().to_string(),
    };
    let file =
        config.file.as_ref().map_or_else(|| "none; defaults".to_owned(), |file| file.display().to_string());
    let listen: Vec<_> = config.server.listen.iter().map(ToString::to_string).collect();
    let listen = if listen.is_empty() { "nowhere in the clear".to_owned() } else { listen.join(", ") };
    let admin =
        config.server.admin_listen.map_or_else(|| "nowhere".to_owned(), |address| address.to_string());
    let mut lines = vec![
        ("file", file),
        ("site", format!("{} at {}", config.pages.site_name, config.server.public_url)),
        ("listens on", listen),
        ("over TLS", certificates::listeners(config)),
        ("application", applications::servers(&config.proxy.upstream.sites)),
        ("forum", forum(config)),
        (
            "its database",
            config.database.as_ref().map_or_else(|| "not named".to_owned(), |it| it.url.to_string()),
        ),
        ("own pages", config.own_url("/")),
        ("mail", config.mail.as_ref().map_or_else(|| "none is sent".to_owned(), mail::server)),
        ("metrics, health", admin),
        ("store", store),
    ];
    streams.data("configuration is fine")?;
    let at = 1 + lines.iter().position(|(label, _)| *label == "application").unwrap_or_default();
    lines.splice(at..at, applications::routes(config).map(|route| ("route", route)));
    let lines: Vec<_> = lines.iter().map(|(label, value)| format!("  {label:<16} {value}")).collect();
    streams.data(&lines.join("\n"))?;
    name_who_lacks_one(config, streams);
    warn_of_names(config, streams);
    Ok(())
}

/// How members become known to the application.
fn forum(config: &Config) -> String {
    let way = match config.policy.bridge() {
        None => "members are not told to it",
        Some(Kind::Headers) => "members are told by headers",
        Some(Kind::Basic) => "members are told by Authorization",
        Some(Kind::Form) => "members are signed in at its form",
        Some(Kind::Session) => "members' sessions are made from its database",
    };
    let Some(forum) = &config.forum else { return format!("not named; {way}") };
    let mut words = format!("{} at {}; {way}", forum.preset.title, forum.base);
    if !forum.ways_of_rules.is_empty() {
        let ways: Vec<_> = forum.ways_of_rules.iter().map(|kind| kind.as_str()).collect();
        words.push_str(&format!("; rules name other ways: {}", ways.join(", ")));
    }
    if forum.uses(Kind::Form) {
        words.push_str(&format!("; the key of their passwords is {}", forum.vault_key.display()));
    }
    words
}

/// SECURITY: AUTH-15. What the application knows by a name alone is whoever has that name here.
fn warn_of_names(config: &Config, streams: &mut Streams<'_>) {
    let believes = [Kind::Headers, Kind::Basic, Kind::Session];
    let is_believed = config.policy.bridge().is_some_and(|kind| believes.contains(&kind));
    if config.joining.mode != JoinMode::Closed && is_believed {
        streams.say(
            "warning: who joins chooses their name, and the application takes them for whoever has that name there; \
             import its members first, so that their names are taken",
        );
    }
}

/// By the gateway that runs, or in the store; neither need be there for a configuration to be fine.
fn name_who_lacks_one(config: &Config, streams: &mut Streams<'_>) {
    let passkeys = config.passkeys.as_ref().map(|passkeys| &passkeys.required_for);
    let passkeys = passkeys.filter(|required_for| **required_for != RequiredFor::Groups(Vec::new()));
    let second_factors = &config.second_factor.required_for;
    if passkeys.is_none() && second_factors.is_nobody() {
        return;
    }
    let warnings = match carry_out(config, Command::UserList) {
        Ok(Reply::Users(users)) => {
            let passkeys = passkeys.and_then(|required_for| without_passkey(required_for, &users));
            [passkeys, without_second_factor(second_factors, &users)]
        }
        Ok(_) => [None, None],
        Err(trouble) => {
            let words = "who lacks a passkey or a second factor can't be told";
            [Some(format!("{words}: {}", trouble.words)), None]
        }
    };
    warnings.into_iter().flatten().for_each(|warning| streams.say(&format!("warning: {warning}")));
}
