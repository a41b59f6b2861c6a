//! Newcomers: members of the forum whom nobody knows here yet. The forum is asked whether a name and a password are a member's,
//! once, by signing in.
//!
//! SECURITY: the forum is not to be guessed at through the gateway, and its guards are not to turn against its members. So one
//! is asked about at a time for each name, within a [`Budget`], and not while the forum wants to be left alone. What comes of it
//! is in the log; whoever tries learns nothing but whether they are in.

mod budget;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;

use self::budget::{Budget, Try};
use super::member::PAUSE;
use super::{Bridge, Credentials, ForumSession, Login, Question, Report, Step, Visitor};
use crate::domain::{Secret, Timestamp, UserName};

/// Somebody whom the forum knows.
pub struct Newcomer {
    /// Their name, as the forum spells it.
    pub name: UserName,
    /// Their session at the forum, which the sign-in made.
    pub session: Unclaimed,
}

/// A session at the forum that is nobody's here. It is ended there if it stays so.
pub struct Unclaimed {
    bridge: Bridge,
    session: Option<Arc<ForumSession>>,
}

impl Unclaimed {
    /// Hands it over to whoever keeps it.
    pub(super) fn claim(mut self) -> Option<Arc<ForumSession>> {
        self.session.take()
    }
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            self.bridge.0.leaving.leave(&session);
        }
    }
}

/// Why somebody is not taken for a member of the forum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotKnown {
    /// The forum knows them by another name than was typed, or does not say by which.
    AnotherName,
    /// It asks what only they can answer.
    Asks(Question),
    /// It can't be reached, wants to be left alone, or answers in a way that is not understood.
    Away,
    /// Too many have been tried.
    TooMany,
    /// It refused them.
    Refused,
}

impl NotKnown {
    /// The word for the log.
    pub const fn code(self) -> &'static str {
        match self {
            Self::AnotherName => "another-name",
            Self::Asks(Question::Captcha) => "captcha",
            Self::Asks(Question::SecondFactor) => "second-factor",
            Self::Away => "later",
            Self::TooMany => "too-many",
            Self::Refused => "refused",
        }
    }
}

/// Who is being asked about, and how often the forum was asked.
#[derive(Default)]
pub(super) struct Newcomers {
    budget: Mutex<Budget>,
    turns: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    /// Until when the forum is left alone, and how many times in a row it has said so itself.
    closed: Mutex<(Timestamp, u32)>,
}

/// The right to ask the forum about a name. Nobody else asks about it until this is dropped.
pub struct Turn {
    bridge: Bridge,
    newcomers: Arc<Newcomers>,
    name: UserName,
    tried: Try,
    _turn: OwnedMutexGuard<()>,
}

impl Newcomers {
    /// Waits until nobody else asks about the name. What is tried counts from now on, whatever becomes of it.
    pub(super) async fn turn(
        self: &Arc<Self>,
        bridge: &Bridge,
        name: &UserName,
        visitor: &Visitor,
    ) -> Result<Turn, NotKnown> {
        let now = bridge.forum().clock().now();
        if now < lock(&self.closed).0 {
            return Err(NotKnown::Away);
        }
        let tried = lock(&self.budget).take(name.key(), visitor.address(), now).ok_or(NotKnown::TooMany)?;
        let turn = {
            let mut turns = lock(&self.turns);
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            Arc::clone(turns.entry(name.key().to_owned()).or_default())
        };
        let _turn = turn.lock_owned().await;
        let (bridge, newcomers) = (bridge.clone(), Arc::clone(self));
        Ok(Turn { bridge, newcomers, name: name.clone(), tried, _turn })
    }

    /// SECURITY: a forum that wants a pause gets it, and twice as long each time it says so again.
    fn note(&self, login: &Login, now: Timestamp) {
        let mut closed = lock(&self.closed);
        *closed = match login {
            Login::Throttled { wait } => {
                (now.after(wait.saturating_mul(1 << closed.1.min(10))), closed.1 + 1)
            }
            Login::Unavailable | Login::Unrecognised { .. } | Login::NotMinted(_) => {
                (now.after(PAUSE), closed.1)
            }
            Login::SignedIn(_) | Login::WrongPassword | Login::UnknownUser | Login::NeedsMember(_) => {
                (closed.0, 0)
            }
        };
    }
}

impl Turn {
    /// Asks, once.
    pub async fn ask(&self, password: &Secret<String>, visitor: &Visitor) -> Result<Newcomer, NotKnown> {
        let forum = self.bridge.forum();
        let now = || forum.clock().now();
        if now() < lock(&self.newcomers.closed).0 {
            self.forgive();
            return Err(NotKnown::Away);
        }
        let credentials = Credentials { name: self.name.to_string(), password: password.clone() };
        let Report { login, steps, name } = forum.sign_in(&credentials, visitor).await;
        self.newcomers.note(&login, now());
        let refused = match login {
            Login::SignedIn(jar) => {
                self.forgive();
                let names = forum.preset().cookies.session.clone();
                let session = Arc::new(ForumSession::new(jar, names, visitor.clone(), now()));
                let session = Unclaimed { bridge: self.bridge.clone(), session: Some(session) };
                if name.is_none() {
                    tracing::warn!("the forum does not show whom it has signed in where form.name says");
                }
                let name = name.and_then(|name| UserName::parse(&name).ok());
                let name = name.filter(|name| name.key() == self.name.key()).ok_or(NotKnown::AnotherName)?;
                return Ok(Newcomer { name, session });
            }
            Login::WrongPassword | Login::UnknownUser => NotKnown::Refused,
            Login::NeedsMember(question) => NotKnown::Asks(question),
            Login::Throttled { .. } | Login::Unavailable | Login::NotMinted(_) => {
                self.forgive();
                NotKnown::Away
            }
            Login::Unrecognised { step } => {
                tracing::warn!(?steps, "the forum answered a sign-in in a way the preset does not describe");
                if matches!(step, Step::Page | Step::Form) {
                    self.forgive();
                }
                NotKnown::Away
            }
        };
        Err(refused)
    }

    /// It was no guess: it does not count against the name and the address.
    pub fn forgive(&self) {
        lock(&self.newcomers.budget).forgive(self.tried);
    }
}

/// A panic can't leave half a change in any of these, so a poisoned lock is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
