//! Floor 4: the configuration. One way in: defaults, then the file, then `PASSGATE_SECTION__KEY` variables, then options
//! of the command line; the later counts.
//!
//! What comes out is resolved: each part is the options type of the module that uses it, and holds only values that make
//! sense together. A configuration with problems never comes out in part; all its problems do, each with its key, what
//! was found, what was expected and what to do. Unknown keys are problems.

mod access;
mod acme;
mod app_passwords;
mod connections;
mod database;
mod first_sign_in;
mod forum;
mod forum_passwords;
mod house;
mod layers;
mod limits;
mod mail;
mod passkeys;
mod preset;
mod problem;
mod public;
mod raw;
mod reader;
mod registration;
mod resolve;
mod second_factor;
mod secret;
mod server;
mod session;
mod shape;
mod tls;
mod upstream;

pub use problem::{Problem, Source};

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::auth::app_passwords::options::AppPasswordOptions;
use crate::auth::joining::options::JoinOptions;
use crate::auth::mail::options::MailOptions;
use crate::auth::passkeys::PasskeyOptions;
use crate::auth::second_factors::SecondFactorOptions;
use crate::auth::throttle::ThrottleOptions;
use crate::auth::{HashingCost, PasswordPolicy, SelfDelete, Transport};
use crate::bridge::options::ForumOptions;
use crate::database::DatabaseAccess;
use crate::domain::{Host, HostPattern, Lifetimes};
use crate::policy::{ApplicationId, Policy};
use crate::proxy::options::ProxyOptions;
use crate::server::options::{LogOptions, ServerOptions, StoreOptions, TlsOptions};
use crate::web::options::PageOptions;
use layers::Layers;

/// The file that is read when none is named, if it is there.
pub const DEFAULT_FILE: &str = "gateway.toml";

/// A resolved configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// The process.
    pub server: ServerOptions,
    /// TLS on listeners of our own; none without.
    pub tls: Option<TlsOptions>,
    /// The proxy.
    pub proxy: ProxyOptions,
    /// Who may pass.
    pub policy: Policy,
    /// How long sessions live.
    pub lifetimes: Lifetimes,
    /// How large a form may be that is kept for a member who has to sign in; 0 where none is kept.
    pub keep_forms: usize,
    /// How many sessions a member may have at once.
    pub max_per_member: usize,
    /// Whether members delete their accounts themselves.
    pub self_delete: SelfDelete,
    /// What a new password has to be.
    pub password: PasswordPolicy,
    /// What one hash costs.
    pub hashing: HashingCost,
    /// How many threads hash; at least one.
    pub hashing_workers: usize,
    /// How often anybody may try to get in.
    pub throttle: ThrottleOptions,
    /// How people who have no account may get one.
    pub joining: JoinOptions,
    /// What app passwords are for; none where they are off.
    pub app_passwords: Option<AppPasswordOptions>,
    /// Passkeys; none without.
    pub passkeys: Option<PasskeyOptions>,
    /// Second factors.
    pub second_factor: SecondFactorOptions,
    /// The forum behind the gateway, as far as it is more than an application; none without a bridge.
    pub forum: Option<ForumOptions>,
    /// Which of the applications is the forum: the one that gets requests for its path.
    pub forum_application: ApplicationId,
    /// The forum's own database; none if it is not named.
    pub database: Option<DatabaseAccess>,
    /// Where accounts and sessions are kept.
    pub store: StoreOptions,
    /// How mail leaves; none if none does.
    pub mail: Option<MailOptions>,
    /// How our pages look.
    pub pages: PageOptions,
    /// The log.
    pub log: LogOptions,
    /// How browsers reach the gateway.
    pub transport: Transport,
    /// The host of the public URL.
    pub host: Host,
    /// Other names of the site, which lead to the public URL.
    pub aliases: Vec<HostPattern>,
    /// The origins (`https://host[:port]`) our forms may come from; a host with a star keeps it.
    pub origins: Vec<String>,
    /// The path below which our own pages live, without a slash at its end.
    pub prefix: String,
    /// The file that was read, if any.
    pub file: Option<PathBuf>,
}

impl Config {
    /// Reads the configuration of this process. `path` is the file to read; it has to be there if it is named.
    /// `overrides` are dotted keys and texts from the command line.
    pub fn load(path: Option<&Path>, overrides: &[(String, String)]) -> Result<Self, Vec<Problem>> {
        Self::load_with(path, std::env::vars_os(), overrides)
    }

    /// [`Config::load`] with another environment.
    pub fn load_with(
        path: Option<&Path>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        overrides: &[(String, String)],
    ) -> Result<Self, Vec<Problem>> {
        let mut layers = Layers::default();
        let mut problems = Vec::new();
        if let Some((text, path)) = read_file(path)? {
            problems.extend(layers.add_text(&text, Some(&path)));
        }
        problems.extend(layers.add_environment(environment.into_iter()));
        layers.add_flags(overrides);
        Self::from_layers(layers, problems)
    }

    /// Reads a configuration from its text alone; no file, no environment.
    pub fn from_toml_str(text: &str) -> Result<Self, Vec<Problem>> {
        let mut layers = Layers::default();
        let problems = layers.add_text(text, None);
        Self::from_layers(layers, problems)
    }

    /// The absolute URL of one of our own pages; `path` begins with a slash.
    pub fn own_url(&self, path: &str) -> String {
        format!("{}{}{path}", self.server.public_url.origin().ascii_serialization(), self.prefix)
    }

    fn from_layers(mut layers: Layers, mut problems: Vec<Problem>) -> Result<Self, Vec<Problem>> {
        let (raw, misfits) = layers.shape();
        problems.extend(misfits);
        resolve::resolve(&raw, &layers, problems)
    }
}

/// The text of the file and its path; none if no file was named and the default one is not there.
fn read_file(path: Option<&Path>) -> Result<Option<(String, PathBuf)>, Vec<Problem>> {
    let (file, named) = match path {
        Some(path) => (path, true),
        None => (Path::new(DEFAULT_FILE), false),
    };
    match std::fs::read_to_string(file) {
        Ok(text) => Ok(Some((text, file.to_owned()))),
        Err(error) if error.kind() == ErrorKind::NotFound && !named => Ok(None),
        Err(error) => Err(vec![Problem {
            key: "--config".into(),
            found: format!("{} can't be read: {error}", file.display()),
            expected: "a configuration file".into(),
            help: "correct the path or the file's permissions; without --config, gateway.toml in this folder is read \
                   if it is there"
                .into(),
            source: if named { Source::Flag } else { Source::Default },
        }]),
    }
}

#[cfg(test)]
mod tests;
