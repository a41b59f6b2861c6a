//! `passgate doctor`: tries each server of each application once, as the gateway would. With `--as NAME` it signs in at the forum
//! once as the gateway would, at its form or from its database, and tells step by step how that went. For whoever sets up a site
//! or has changed it. Needs no running gateway, keeps nothing, and ends with what to do.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use clap::Args;
use http::header::USER_AGENT;
use http::{HeaderMap, HeaderValue};
use tokio::runtime::Runtime;

use super::{Streams, Trouble, password};
use crate::bridge::options::{ForumOptions, Passwords};
use crate::bridge::{
    Credentials, Forum, Kind, Login, Minter, Question, RealPause, Report, Step, Taken, Unminted, Visitor,
};
use crate::config::Config;
use crate::domain::SystemClock;
use crate::proxy::{Seen, UpstreamDial, Upstreams};

#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// Sign in at the forum as this member, in the forum's spelling; where members sign in at its form, the password is asked for,
    /// or read from the input's first line
    #[arg(long = "as", value_name = "NAME")]
    name: Option<String>,
}

impl Doctor {
    pub(super) fn run(self, config: &Config, streams: &mut Streams<'_>) -> Result<(), Trouble> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|error| Trouble::unavailable(format!("no thread could be started: {error}")))?;
        match self.name {
            Some(name) => sign_in(name, config, &runtime, streams),
            None => runtime.block_on(servers(config, streams)),
        }
    }
}

/// Tries each server.
async fn servers(config: &Config, streams: &mut Streams<'_>) -> Result<(), Trouble> {
    let mut is_fine = true;
    for Seen { application, server, trouble } in Upstreams::new(&config.proxy.upstream, None).examine().await
    {
        is_fine &= trouble.is_none();
        let words = trouble.unwrap_or_else(|| "fine".to_owned());
        streams.data(&format!("{application:<16} {server}  {words}"))?;
    }
    if is_fine {
        return streams.data("fine: every server can be reached");
    }
    Err(Trouble::unavailable("a server does not do what it should; see its line, and whether it runs there"))
}

fn sign_in(
    name: String,
    config: &Config,
    runtime: &Runtime,
    streams: &mut Streams<'_>,
) -> Result<(), Trouble> {
    let keeps_session = |forum: &&ForumOptions| forum.ways().any(Kind::keeps_session);
    let Some(options) = config.forum.as_ref().filter(keeps_session) else {
        return Err(Trouble::data(
            "members sign in at no forum here; set forum.preset, and forum.bridge = \"form\" or \"session\"",
        ));
    };
    let dial = Arc::new(UpstreamDial::new(config.proxy.upstream.application(config.forum_application)));
    let forum =
        Forum::new(options.preset.clone(), &options.base, dial, Arc::new(SystemClock), Arc::new(RealPause));
    let visitor = visitor(options);
    let report = match &options.session {
        Some(session) => {
            let minter = Minter::new(session.clone(), options.preset.cookies.session.clone());
            runtime.block_on(forum.mint(&minter, &name, &visitor))
        }
        None => {
            let credentials = Credentials { name, password: password::read_once(streams)? };
            runtime.block_on(forum.sign_in(&credentials, &visitor))
        }
    };
    let Report { login, steps, name: shown } = report;
    tell_steps(&steps, streams)?;
    if let Some(shown) = shown {
        streams.data(&format!("name  {shown}"))?;
    }
    streams.data(told(&login)?)?;
    match login {
        Login::SignedIn(jar) if options.passwords == Passwords::Generated => {
            streams.data("and where a password is changed, of which nothing is sent:")?;
            let found = runtime.block_on(forum.find_change_form(jar, &visitor));
            tell_steps(found.as_ref().unwrap_or_else(|steps| steps), streams)?;
            let words = "fine: the form is there, and a password of the gateway's can be set";
            found.map_err(|_| Trouble::unavailable(NO_FORM)).and_then(|_| streams.data(words))
        }
        _ => Ok(()),
    }
}

const NO_FORM: &str = "the form that changes a password is not where the preset says; compare its [change] with the forum's page";

fn tell_steps(steps: &[Taken], streams: &mut Streams<'_>) -> Result<(), Trouble> {
    steps.iter().try_for_each(|taken| streams.data(&format!("{:<6}{}", name(taken.step), taken.said)))
}

fn visitor(options: &ForumOptions) -> Visitor {
    let agent = HeaderValue::from_static(concat!("passgate/", env!("CARGO_PKG_VERSION"), " (doctor)"));
    let browser = HeaderMap::from_iter([(USER_AGENT, agent)]);
    let visitor = Visitor::new(options.origin.clone(), IpAddr::V4(Ipv4Addr::LOCALHOST)).as_browser(&browser);
    options.fields.iter().fold(visitor, |visitor, (name, value)| visitor.with(name.clone(), value.clone()))
}

const fn name(step: Step) -> &'static str {
    match step {
        Step::Page => "page",
        Step::Form => "form",
        Step::Post => "post",
        Step::Mint => "mint",
        Step::Check => "check",
    }
}

/// What it means, and what to do about it.
fn told(login: &Login) -> Result<&'static str, Trouble> {
    Err(match login {
        Login::SignedIn(_) => return Ok("fine: the forum knows this member"),
        Login::WrongPassword => Trouble::data(
            "the forum refused the password, or knows no such member; try it at the forum's own page",
        ),
        Login::UnknownUser => {
            Trouble::data("the forum knows no member of this name; use the spelling it shows")
        }
        Login::Throttled { wait } => Trouble::unavailable(format!(
            "the forum wants a pause; wait {} seconds, and see whether it counts all members as one address",
            wait.as_secs()
        )),
        Login::NeedsMember(Question::Captcha) => Trouble::unavailable(
            "the forum asks to prove to be human; sign in there in a browser once, then try again",
        ),
        Login::NeedsMember(Question::SecondFactor) => Trouble::unavailable(
            "the forum asks this member for a second factor, which nobody else can give; try another member",
        ),
        Login::NotMinted(why) => not_minted(why),
        Login::Unavailable => {
            Trouble::unavailable("the forum can't be reached or has a fault; see upstream.url and its log")
        }
        Login::Unrecognised { step } => Trouble::unavailable(format!(
            "the forum answered otherwise than the preset says, at the step `{}`; compare the preset with its pages",
            name(*step)
        )),
    })
}

/// Why nobody has a session from the database, and what to do about it.
fn not_minted(why: &Unminted) -> Trouble {
    match why {
        Unminted::NotThere | Unminted::OtherSpelling => {
            Trouble::data(format!("{why}; use the spelling it shows, capitals and accents too"))
        }
        Unminted::Inactive | Unminted::Banned | Unminted::SecondFactor => {
            Trouble::data(format!("{why}, so they read there as a guest; try another member"))
        }
        Unminted::NotTaken => Trouble::unavailable(format!(
            "{why}; compare forum.table_prefix, forum.cookie_name and what is in forum.secret_file with the forum's own \
             configuration, and see that it is the same forum's database"
        )),
        Unminted::Database(_) => Trouble::unavailable(format!(
            "{why}; docs/forums.md says which tables must be there, and which rights it takes"
        )),
        Unminted::Misconfigured(_) => Trouble::unavailable(why.to_string()),
    }
}

#[cfg(test)]
mod tests;
