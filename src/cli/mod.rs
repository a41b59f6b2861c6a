//! Floor 5: the commands, one file each. Data goes to stdout, human words to stderr.
//!
//! A command that is about accounts, passkeys or sessions asks the running gateway through its admin socket; if none runs, it opens
//! the store itself. No command takes or prints a password as an argument.

mod app_password;
mod applications;
mod audit;
mod backup;
mod check;
mod compact;
mod demo;
mod doctor;
mod explain;
mod forum;
mod import;
mod in_place;
mod invitation;
mod live;
mod mail;
mod passkey;
mod password;
mod reach;
mod reload;
mod restore;
mod serve;
mod session;
mod streams;
mod table;
mod trouble;
mod user;

pub use streams::Streams;
pub use trouble::{Exit, Trouble};

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Config;

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "passgate",
    version,
    about = "An authenticating gateway in front of an unmodified web application"
)]
#[command(arg_required_else_help = true, subcommand_required = true)]
pub struct Cli {
    /// The configuration file; gateway.toml in this folder if there is one
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List or remove app passwords
    #[command(subcommand)]
    AppPassword(app_password::AppPassword),
    /// See what matters to security, and whether the log of it is whole
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Copy everything that is kept but sessions into a file, while the gateway runs or not
    Backup(backup::Backup),
    /// Check the configuration and tell every problem at once
    Check(check::Check),
    /// Write the store anew, so that it takes no more room than it needs; the gateway must not run
    Compact(compact::Compact),
    /// Try it out: a sample forum and the gateway before it, on a store that is gone with it
    Demo(demo::Demo),
    /// Sign in at the forum once, as the gateway does for its members, and tell each step
    Doctor(doctor::Doctor),
    /// Tell which rule decides a request, and why
    Explain(explain::Explain),
    /// See what is known of the forum, and look after members' passwords for it
    #[command(subcommand)]
    Forum(forum::Forum),
    /// Invite people to make an account of their own
    #[command(subcommand)]
    Invitation(invitation::Invitation),
    /// Try the mail server out
    #[command(subcommand)]
    Mail(mail::Mail),
    /// List or remove passkeys
    #[command(subcommand)]
    Passkey(passkey::Passkey),
    /// Have the running gateway read its configuration again
    Reload,
    /// Make the store of a backup; the gateway must not run
    Restore(restore::Restore),
    /// Run the gateway
    Serve,
    /// List or end sessions
    #[command(subcommand)]
    Session(session::Session),
    /// Add, show and change members
    #[command(subcommand)]
    User(user::User),
}

/// Reads the command line of this process and does what it says.
pub fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => Streams::standard(|streams| cli.run(streams)).into(),
        Err(error) => {
            // Nobody is left to tell if that fails.
            let _ = error.print();
            if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() }
        }
    }
}

impl Cli {
    /// Does what the command line says.
    pub fn run(self, streams: &mut Streams<'_>) -> Exit {
        match self.act(streams) {
            Ok(()) => Exit::Done,
            Err(trouble) => {
                streams.say(&trouble.words);
                trouble.exit
            }
        }
    }

    fn act(self, streams: &mut Streams<'_>) -> Result<(), Trouble> {
        // The demonstration has a configuration of its own.
        if let Action::Demo(demo) = self.action {
            return demo.run(streams);
        }
        let overrides = match &self.action {
            Action::User(user::User::Import(import)) => import.overrides()?,
            _ => Vec::new(),
        };
        let config = Config::load(self.config.as_deref(), &overrides)?;
        match self.action {
            Action::AppPassword(app_password) => app_password.run(&config, streams),
            Action::Audit(audit) => audit.run(&config, streams),
            Action::Backup(backup) => backup.run(&config, streams),
            Action::Check(check) => check.run(&config, streams),
            Action::Compact(compact) => compact.run(&config, streams),
            Action::Demo(_) => Ok(()),
            Action::Doctor(doctor) => doctor.run(&config, streams),
            Action::Explain(explain) => explain.run(&config, streams),
            Action::Forum(forum) => forum.run(&config, streams),
            Action::Invitation(invitation) => invitation.run(&config, streams),
            Action::Mail(mail) => mail.run(&config, streams),
            Action::Passkey(passkey) => passkey.run(&config, streams),
            Action::Reload => reload::run(&config, streams),
            Action::Restore(restore) => restore.run(&config, streams),
            Action::Serve => serve::run(&config, self.config),
            Action::Session(session) => session.run(&config, streams),
            Action::User(user) => user.run(&config, streams),
        }
    }
}

#[cfg(test)]
mod tests;
