//! The code after the password, and beside a link.
//!
//! SECURITY: THR-01, THR-08. A code is six digits: each try is counted for its account, with the wrong passwords, and a right
//! password takes none back. Only somebody who knows the password gets as far as being counted here, so nobody else can keep a
//! member out.

use std::net::IpAddr;
use std::sync::Arc;

use super::{SignIn, SignInOutcome};
use crate::auth::second_factors::{Asked, CodeWay, FactorsMet, SecondFactors, Shown, Waiting};
use crate::auth::throttle::{Marks, Reserved, Throttled, Try, Way, Who};
use crate::auth::{LiveSession, SessionToken};
use crate::domain::{Persistence, Profile, Secret, TokenHash, User, UserId, UserState};
use crate::store::StoreError;

/// That a password was right. It opens nothing: a code has to come after it.
#[derive(Debug)]
pub struct PasswordRight {
    pub(super) user: UserId,
    pub(super) stored: Option<String>,
    pub(super) upgraded: Option<String>,
    pub(super) persistence: Persistence,
    pub(super) way: Way,
    pub(super) code_way: CodeWay,
}

impl PasswordRight {
    /// Whose it is.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// How its member gets the code.
    pub fn code_way(&self) -> &CodeWay {
        &self.code_way
    }
}

/// What was typed where a code is asked for.
#[derive(Debug)]
pub struct CodeAttempt<'a> {
    /// The code, or a recovery code, in any spelling.
    pub code: Secret<String>,
    /// What the browser calls itself.
    pub user_agent: &'a str,
    /// From where.
    pub from: IpAddr,
    /// The session the browser has already, if it has one.
    pub session: Option<&'a LiveSession>,
    /// Who has signed in there before.
    pub marks: &'a Marks,
}

/// How that ended.
#[derive(Debug)]
pub enum CodeOutcome {
    /// No sign-in waits in this browser, or not any more.
    Over,
    /// The code is not right, or it was used before.
    Refused(UserId),
    /// Signed in.
    SignedIn(Box<SignedInByCode>),
    /// Too many have been tried; nothing was checked.
    Throttled(Throttled, UserId),
}

/// Somebody whom a code has let in.
#[derive(Debug)]
pub struct SignedInByCode {
    /// What the browser gets.
    pub token: SessionToken,
    /// Who it is.
    pub profile: Arc<Profile>,
    /// What kind of code it was.
    pub shown: Shown,
    /// What was chosen with the password.
    pub persistence: Persistence,
    /// Whether it was to sign in or to confirm.
    pub way: Way,
    /// The password, where the forum is to be signed in to with it.
    pub password: Option<Secret<String>>,
}

/// What is asked beside a link.
pub enum LinkFactors {
    /// A code, and none, or a wrong one, was given.
    Asked(Answered),
    /// Nothing more.
    Met(FactorsMet, Option<Shown>),
    /// Too many codes have been tried.
    Throttled(Throttled),
}

/// Whether a code was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// None.
    NotYet,
    /// A wrong one.
    Wrongly,
}

/// Why a code is not taken.
enum NotTaken {
    Throttled(Throttled),
    Wrong,
}

impl SignIn {
    /// Has the browser of this token wait for the code. `password` is what was typed, where the forum is to be signed in to with
    /// it; it is forgotten with the waiting.
    pub fn await_code(&self, browser: TokenHash, right: PasswordRight, password: Option<Secret<String>>) {
        let PasswordRight { user, stored, upgraded, persistence, way, code_way } = right;
        let lifetime = match code_way {
            CodeWay::Mail(_) => SecondFactors::MAILED_LIFETIME,
            CodeWay::App | CodeWay::NotByMail(_) => SecondFactors::WAITING,
        };
        let waiting = Waiting { user, stored, upgraded, persistence, way, password, lifetime };
        self.second_factors.wait(browser, waiting);
    }

    /// Whose code the browser of this token is waited for to send, and for what; none if none is.
    pub fn awaited_in(&self, browser: TokenHash) -> Result<Option<(User, Way, Persistence)>, StoreError> {
        let Some(waiting) = self.second_factors.waiting(browser) else { return Ok(None) };
        let user = self.still(&waiting)?;
        Ok(user.map(|user| (user, waiting.way, waiting.persistence)))
    }

    /// Tries a code after a password that was right in this browser.
    pub async fn by_code(
        &self,
        browser: TokenHash,
        attempt: CodeAttempt<'_>,
    ) -> Result<CodeOutcome, StoreError> {
        let Some(waiting) = self.second_factors.waiting(browser) else { return Ok(CodeOutcome::Over) };
        let Some(user) = self.still(&waiting)? else { return Ok(CodeOutcome::Over) };
        let id = user.profile.id;
        let (met, shown, reserved) = match self.judge(user, &attempt).await? {
            Ok(right) => right,
            Err(NotTaken::Throttled(throttled)) => return Ok(CodeOutcome::Throttled(throttled, id)),
            Err(NotTaken::Wrong) => return Ok(CodeOutcome::Refused(id)),
        };
        let Waiting { stored, upgraded, persistence, way, password, .. } = &*waiting;
        let opened =
            self.open(met, *persistence, attempt.user_agent, stored.clone(), upgraded.clone()).await?;
        // None: the code was used in the same moment, or the password is another one by now.
        let Some(SignInOutcome::SignedIn(token, profile, _)) = opened else {
            return Ok(CodeOutcome::Refused(id));
        };
        reserved.succeeded(id);
        self.second_factors.go_on_from(browser, &waiting);
        let (persistence, way, password) = (*persistence, *way, password.clone());
        let signed_in = SignedInByCode { token, profile, shown, persistence, way, password };
        Ok(CodeOutcome::SignedIn(Box::new(signed_in)))
    }

    /// What is asked of this member beside their link, given what was typed for a code; nothing if it is empty.
    pub async fn beside_link(
        &self,
        user: User,
        attempt: &CodeAttempt<'_>,
    ) -> Result<LinkFactors, StoreError> {
        let user = match self.second_factors.asked_of(user, None)? {
            Asked::Nothing(met) => return Ok(LinkFactors::Met(met, None)),
            Asked::Code(user, _) => *user,
        };
        if attempt.code.expose().is_empty() {
            return Ok(LinkFactors::Asked(Answered::NotYet));
        }
        Ok(match self.judge(user, attempt).await? {
            Ok((met, shown, reserved)) => {
                reserved.undone();
                LinkFactors::Met(met, Some(shown))
            }
            Err(NotTaken::Throttled(throttled)) => LinkFactors::Throttled(throttled),
            Err(NotTaken::Wrong) => LinkFactors::Asked(Answered::Wrongly),
        })
    }

    async fn judge(
        &self,
        user: User,
        attempt: &CodeAttempt<'_>,
    ) -> Result<Result<(FactorsMet, Shown, Reserved), NotTaken>, StoreError> {
        let device = self.device(&user, attempt.session, attempt.marks);
        let who = Who::Member(user.profile.id);
        let wanted = Try { way: Way::SecondFactor, who, from: attempt.from, device };
        let reserved = match self.throttle.reserve(&wanted)? {
            Ok(reserved) => reserved,
            Err(throttled) => return Ok(Err(NotTaken::Throttled(throttled))),
        };
        let judged = self.second_factors.judge(&reserved, user, &attempt.code).await?;
        Ok(judged.map(|(met, shown)| (met, shown, reserved)).ok_or(NotTaken::Wrong))
    }

    /// The account, if what was verified is still so.
    fn still(&self, waiting: &Waiting) -> Result<Option<User>, StoreError> {
        let user = self.store.user(waiting.user)?;
        Ok(user.filter(|user| user.state == UserState::Active && user.password == waiting.stored))
    }
}
