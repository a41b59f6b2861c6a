//! Signing a member in at the forum's own form, once, as their browser would. How it went is a value; nothing is tried twice
//! here, and nothing of the password or the cookies is in what is said about it.

mod change;
mod mint;
mod sign_out;
mod walk;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use self::change::{ChangeReport, Changed};
use self::walk::{Hop, Walk};
use super::client::Client;
use super::form::Filling;
use super::pace::Pace;
use super::preset::{FormPreset, Preset};
use super::sign::{Sign, any_seen};
use super::{Dial, Jar, Unminted, Visitor};
use crate::domain::{Clock, Secret};

/// How the forum lets the gateway wait; tests have their own.
#[async_trait]
pub trait Pause: Send + Sync {
    /// Comes back after this long.
    async fn pause(&self, time: Duration);
}

/// Waits by the machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealPause;

#[async_trait]
impl Pause for RealPause {
    async fn pause(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

/// What a member signs in with at the forum.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The name, as the forum spells it.
    pub name: String,
    /// The password.
    pub password: Secret<String>,
}

/// How a sign-in went.
#[derive(Debug)]
pub enum Login {
    /// The forum knows the member by these cookies.
    SignedIn(Jar),
    /// The password is wrong, or the name too, where the forum doesn't tell which.
    WrongPassword,
    /// The forum says that there is no such member.
    UnknownUser,
    /// Too many sign-ins. The password was not judged.
    Throttled {
        /// How long to keep away.
        wait: Duration,
    },
    /// The forum asks what only the member can answer.
    NeedsMember(Question),
    /// The forum can't be reached or has a fault of its own.
    Unavailable,
    /// No session could be made from its database.
    NotMinted(Unminted),
    /// What came is not what the preset describes, or not to be trusted.
    Unrecognised {
        /// Where it was noticed; [`Report::steps`] has why.
        step: Step,
    },
}

/// What the forum asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// To prove to be human.
    Captcha,
    /// A second factor.
    SecondFactor,
}

/// A part of signing in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Fetching the page with the form.
    Page,
    /// Finding and filling in the form.
    Form,
    /// Posting it, and following where that leads.
    Post,
    /// Making the cookies from the forum's database.
    Mint,
    /// Making sure with the page that shows who is signed in.
    Check,
}

/// A step that was taken, for the operator who wants to see why a sign-in fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Which.
    pub step: Step,
    /// What came of it: a status, an address without its query, a fault.
    pub said: String,
}

/// A sign-in and how it came about.
#[derive(Debug)]
pub struct Report {
    /// How it went.
    pub login: Login,
    /// Step by step.
    pub steps: Vec<Taken>,
    /// The forum's name of whoever is signed in, if the preset says how it is known and it is there.
    pub name: Option<String>,
}

/// A forum whose members sign in at a form.
pub struct Forum {
    preset: Preset,
    base: String,
    client: Client,
    clock: Arc<dyn Clock>,
    pause: Arc<dyn Pause>,
    pace: Pace,
}

impl Forum {
    /// A forum below the path `base`: `/`, or such as `/phpbb`.
    pub fn new(
        preset: Preset,
        base: &str,
        dial: Arc<dyn Dial>,
        clock: Arc<dyn Clock>,
        pause: Arc<dyn Pause>,
    ) -> Self {
        let base = base.trim_end_matches('/').to_owned();
        Self { preset, base, client: Client::new(dial), clock, pause, pace: Pace::default() }
    }

    /// What it is.
    pub const fn preset(&self) -> &Preset {
        &self.preset
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Signs in, or finds out why not. One attempt; never more than one post.
    pub async fn sign_in(&self, credentials: &Credentials, visitor: &Visitor) -> Report {
        let Some(form) = &self.preset.form else {
            let said = "the preset has no form".to_owned();
            let steps = vec![Taken { step: Step::Form, said }];
            return Report { login: Login::Unrecognised { step: Step::Form }, steps, name: None };
        };
        let mut walk = Walk::new(&self.client, &*self.clock, visitor);
        let login = match self.attempt(form, credentials, &mut walk).await {
            Ok(()) => Login::SignedIn(std::mem::take(&mut walk.jar)),
            Err(login) => login,
        };
        Report { login, steps: walk.steps, name: walk.name }
    }

    async fn attempt(
        &self,
        form: &FormPreset,
        credentials: &Credentials,
        walk: &mut Walk<'_>,
    ) -> Result<(), Login> {
        let signs = &self.preset.signs;
        let arrived = walk.fetch(Step::Page, &self.address(&form.page)).await?;
        if arrived.iter().any(|hop| any_seen(&signs.captcha, &hop.seen())) {
            return Err(walk.stop(
                Step::Page,
                "it asks for a captcha",
                Login::NeedsMember(Question::Captcha),
            ));
        }
        if let Some(wait) = throttled(form, &signs.throttled, &arrived) {
            return Err(walk.stop(Step::Page, "it says: too many", Login::Throttled { wait }));
        }
        let filling = Filling {
            fields: &[
                (&form.user_field, &credentials.name),
                (&form.password_field, credentials.password.expose()),
            ],
            fixed: &form.fixed,
        };
        let action = form.action.as_deref().map(|action| self.address(action));
        let (to, body) = walk.fill(&arrived, action.as_deref(), filling)?;
        self.pause_for(form.wait).await;

        let mut turn = self.pace.turn(form, walk.visitor().address()).await;
        self.pause_for(turn.left(self.clock.now())).await;
        let answers = walk.post(to, body).await;
        turn.taken(self.clock.now());
        drop(turn);

        self.judge(form, &answers?, walk)?;
        self.check(form, &credentials.name, walk).await
    }

    /// Whether the forum knows the member by the cookies that `cookies.session` names.
    async fn check(&self, form: &FormPreset, name: &str, walk: &mut Walk<'_>) -> Result<(), Login> {
        walk.jar.keep(&self.preset.cookies.session);
        let Some(check) = &form.check else { return Ok(()) };
        let shown = walk.fetch(Step::Check, &self.address(check)).await?;
        if !shown.iter().any(|hop| any_seen(&self.preset.signs.signed_in, &hop.seen())) {
            let why = "the forum does not know the member by the cookies that cookies.session names";
            return Err(walk.unrecognised(Step::Check, why));
        }
        if let Some(place) = &form.name {
            walk.read_name(place, name, &shown);
        }
        walk.jar.keep(&self.preset.cookies.session);
        Ok(())
    }

    /// What the answers to the post say. Success is looked for first: a member's page may hold what looks like a refusal.
    fn judge(&self, form: &FormPreset, answers: &[Hop], walk: &mut Walk<'_>) -> Result<(), Login> {
        let signs = &self.preset.signs;
        let seen = |signs: &[Sign]| answers.iter().any(|hop| any_seen(signs, &hop.seen()));
        let (said, login) = if seen(&signs.second_factor) {
            ("it asks for a second factor", Login::NeedsMember(Question::SecondFactor))
        } else if seen(&signs.success) {
            return Ok(());
        } else if seen(&signs.captcha) {
            ("it asks for a captcha", Login::NeedsMember(Question::Captcha))
        } else if let Some(wait) = throttled(form, &signs.throttled, answers) {
            ("it says: too many", Login::Throttled { wait })
        } else if seen(&signs.unknown_user) {
            ("it says: no such member", Login::UnknownUser)
        } else if seen(&signs.wrong_password) {
            ("it says: wrong password", Login::WrongPassword)
        } else {
            return Err(walk.unrecognised(Step::Post, "none of the preset's signs is in the answer"));
        };
        Err(walk.stop(Step::Post, said, login))
    }

    fn address(&self, below: &str) -> String {
        format!("{}{below}", self.base)
    }

    async fn pause_for(&self, time: Duration) {
        if !time.is_zero() {
            self.pause.pause(time).await;
        }
    }
}

/// How long to keep away, if the forum says "too many": as long as it says, or as the preset does.
fn throttled(form: &FormPreset, signs: &[Sign], answers: &[Hop]) -> Option<Duration> {
    let hop = answers.iter().find(|hop| any_seen(signs, &hop.seen()))?;
    Some(hop.retry_after().unwrap_or(form.throttled))
}
