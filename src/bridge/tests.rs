//! The bridge before forums that answer as the real ones were seen to: each with its own fields, tokens, cookies and whims. Time is
//! theirs and the gateway's: a clock that moves when the gateway waits.

mod change_forms;
mod changing;
mod forums;
mod hostile;
mod leaving;
mod mint;
mod once;
mod php;
mod python;
mod server;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use http::HeaderValue;
use http::header::USER_AGENT;

use self::server::{Fake, Server};
use super::*;
use crate::domain::{Clock, ManualClock, Secret};

const NAME: &str = "alice";
const PASSWORD: &str = "b&b \"q\" <9> it's Zoë+100%";

fn is_right(name: &str, password: &str) -> bool {
    (name == NAME || name.starts_with("member")) && password == PASSWORD
}

fn credentials(name: &str, password: &str) -> Credentials {
    Credentials { name: name.to_owned(), password: Secret::new(password.to_owned()) }
}

fn visitor(at: u8) -> Visitor {
    let origin = Origin::parse("https://forum.test").unwrap();
    Visitor::new(origin, [192, 0, 2, at].into())
        .with(USER_AGENT, HeaderValue::from_static("Mozilla/5.0 (X11) Firefox/140.0"))
}

/// Moves the clock instead of waiting.
struct Skip(Arc<ManualClock>);

#[async_trait]
impl Pause for Skip {
    async fn pause(&self, time: Duration) {
        self.0.advance(time);
    }
}

/// A forum of the preset's kind, and the gateway's side of it.
async fn start(preset: &str, fake: Fake) -> (Server, Forum) {
    let server = Server::start(fake).await;
    let forum = forum(&server, Preset::shipped(preset).unwrap(), "/");
    (server, forum)
}

fn forum(server: &Server, preset: Preset, base: &str) -> Forum {
    let clock = server.clock.clone();
    Forum::new(preset, base, Arc::new(vec![server.address]), clock.clone(), Arc::new(Skip(clock)))
}

/// What the forum sees of a jar.
fn sent(jar: &Jar, now: Timestamp) -> String {
    let field = jar.field(std::iter::empty(), &CookieNames::default(), "/", now);
    field.map(|field| String::from_utf8(field.as_bytes().to_vec()).unwrap()).unwrap_or_default()
}

/// A sign-in in words, for tables.
fn said(login: &Login) -> &'static str {
    match login {
        Login::SignedIn(_) => "signed in",
        Login::WrongPassword => "wrong password",
        Login::UnknownUser => "unknown",
        Login::Throttled { .. } => "throttled",
        Login::NeedsMember(Question::Captcha) => "captcha",
        Login::NeedsMember(Question::SecondFactor) => "second factor",
        Login::Unavailable => "unavailable",
        Login::Unrecognised { .. } => "unrecognised",
        Login::NotMinted(_) => "not minted",
    }
}
