//! `passgate explain METHOD URL`: which rule decides, and why. The same code decides that decides requests.

use std::sync::Arc;

use clap::Args;
use http::Method;

use super::reach::{carry_out, unexpected};
use super::{Streams, Trouble, applications};
use crate::config::Config;
use crate::domain::{
    Clock, Group, Host, PasskeyFor, Profile, Proof, RequestPath, SystemClock, UserId, UserName, UserState,
};
use crate::policy::{Decision, Presence, Refusal, RequestFacts};
use crate::server::control::{AskedFor, Command, MemberView, Reply, UserView};
use crate::web::is_well_known;

#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The method, such as GET
    method: String,
    /// A whole URL, or a path on the host of server.public_url
    url: String,
    /// As this member, just signed in with a password; otherwise as a visitor
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Signed in with a passkey, not with the password
    #[arg(long, requires = "user")]
    passkey: bool,
}

impl Explain {
    pub(super) fn run(self, config: &Config, streams: &mut Streams<'_>) -> Result<(), Trouble> {
        let method = Method::from_bytes(self.method.to_ascii_uppercase().as_bytes())
            .map_err(|_| Trouble::data(format!("{:?} is no method; write one such as GET", self.method)))?;
        let url = self.url.split_once('#').map_or(self.url.as_str(), |(url, _)| {
            streams.say("what follows the # never leaves the browser; it is left out here");
            url
        });
        let (host, target) = parts(url, config)?;
        let proof = if self.passkey { Proof::Passkey } else { Proof::Password };
        let profile = self.user.map(|name| profile(config, name, streams)).transpose()?;
        streams.data(&format!("{method} {target} on {host}"))?;
        let path = match RequestPath::parse(&target) {
            Ok(path) => path,
            Err(error) => {
                let words = "servers could read it in more than one way, so it is refused before any rule is looked at";
                return streams.data(&format!("refused with 400: the target {error}\n{words}"));
            }
        };
        if path.target() != target {
            streams.data(&format!("forwarded as {}", path.target()))?;
        }
        let now = SystemClock.now();
        let member = profile.as_ref().map(|(profile, passkey_for)| Presence {
            profile,
            proved_at: Some(now),
            proof,
            passkey_for: *passkey_for,
        });
        let facts = RequestFacts { host: &host, path: &path, method: &method };
        let explanation = config.policy.explain(&facts, member, now);
        let is_foreign = matches!(explanation.decision, Decision::Refuse(Refusal::UnknownHost));
        if is_well_known(&path) && !is_foreign {
            return streams
                .data("answered by passgate itself, whatever the rules say: password managers look here");
        }
        streams.data(&explanation.to_string())?;
        match &explanation.decision {
            Decision::Forward(permit) => {
                streams.data(&format!("goes to: {}", applications::told(config, permit.application())))
            }
            _ => Ok(()),
        }
    }
}

/// Host and target as they would arrive; nothing is tidied up on the way, as browsers would.
fn parts(url: &str, config: &Config) -> Result<(Host, String), Trouble> {
    if url.starts_with('/') {
        return Ok((config.host.clone(), url.to_owned()));
    }
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let rest = rest.ok_or_else(|| {
        Trouble::data(format!("{url:?} is neither a URL nor a path; begin with https://, http:// or /"))
    })?;
    let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let host = Host::parse(authority).map_err(|error| Trouble::data(format!("{authority:?} {error}")))?;
    let slash = if target.starts_with('/') { "" } else { "/" };
    Ok((host, format!("{slash}{target}")))
}

fn profile(
    config: &Config,
    name: String,
    streams: &mut Streams<'_>,
) -> Result<(Arc<Profile>, PasskeyFor), Trouble> {
    let Reply::User(MemberView { user, .. }) = carry_out(config, Command::UserShow { name })? else {
        return Err(unexpected());
    };
    if user.state != UserState::Active {
        streams.say(&format!("{} is not active and could not sign in; this is as if they could", user.name));
    }
    let choice = AskedFor::choice(&user.passkey_for);
    read(user).map(|profile| (Arc::new(profile), choice)).ok_or_else(unexpected)
}

/// As far as deciding goes; the id decides nothing.
fn read(user: UserView) -> Option<Profile> {
    let groups = user.groups.iter().map(|group| Group::parse(group).ok()).collect::<Option<_>>()?;
    let name = UserName::parse(&user.name).ok()?;
    Some(Profile { id: UserId([0; 16]), name, full_name: user.full_name, email: user.email, groups })
}
