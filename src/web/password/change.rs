//! The page on which a member changes their password, or sets a first one.
//!
//! SECURITY: AUTH-05, BP-63. A session cookie is not enough: it takes the current password, or a passkey used within
//! [`Passkeys::FRESH`]. Whoever has a passkey that is asked for confirms with that one, as for every change of credentials.

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use serde::{Serialize, Serializer};

use super::super::account::seen;
use super::super::audit::{self, Event};
use super::super::pages::Page;
use super::super::request::in_query;
use super::super::response::Reply;
use super::super::{Member, Problem, Visit, Web};
use super::PasswordTrouble;
use crate::auth::mail::Happened;
use crate::auth::passkeys::Passkeys;
use crate::auth::throttle::{Way, Who};
use crate::auth::{Accounts, Busy, OtherSessions, PasswordChange};
use crate::domain::{Proof, ReturnTo, Secret, User};
use crate::policy::SignInReason;

/// What the page shows.
#[derive(Default, Serialize)]
pub(in crate::web) struct PasswordPage {
    csrf: String,
    username: String,
    min_chars: usize,
    max_chars: usize,
    /// Whether the current password is asked; otherwise a passkey was used just now.
    asks_current: bool,
    /// Whether there is one.
    has_password: bool,
    /// Whether it is shorter than one that is enough alone, as it is now.
    is_short: bool,
    /// Where the member was on the way to; empty for nowhere.
    return_to: String,
    /// Whether a passkey can be used in its place.
    has_passkeys: bool,
    /// Whether the member is signed in elsewhere, too.
    has_other_sessions: bool,
    /// Whether programs of theirs get in, too.
    has_app_passwords: bool,
    /// Whether the forum has a password of its own.
    forum: bool,
    /// Whether the box for ending other sessions is ticked.
    ends_others: bool,
    trouble: Option<Trouble>,
}

/// Why the form is shown once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    New(PasswordTrouble),
    WrongCurrent,
}

impl Trouble {
    const fn status(self) -> StatusCode {
        match self {
            Self::New(why) => why.status(),
            Self::WrongCurrent => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }
}

impl Serialize for Trouble {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::New(why) => why.serialize(serializer),
            Self::WrongCurrent => serializer.serialize_str("wrong-current"),
        }
    }
}

impl Page for PasswordPage {
    const TEMPLATE: &'static str = "password.html";

    fn samples() -> Vec<Self> {
        let all = PasswordTrouble::ALL.map(Trouble::New).into_iter().chain([Trouble::WrongCurrent]);
        let trouble = |trouble| Self { trouble: Some(trouble), asks_current: true, ..Self::default() };
        let full = Self {
            asks_current: true,
            has_password: true,
            has_passkeys: true,
            has_other_sessions: true,
            has_app_passwords: true,
            ends_others: true,
            forum: true,
            ..Self::default()
        };
        let short = Self { is_short: true, return_to: "/".to_owned(), ..Self::default() };
        all.map(trouble).chain([Self::default(), full, short]).collect()
    }
}

/// Who asks, and what shows that it is they.
struct Asking<'a> {
    member: Member<'a>,
    user: User,
    proof: Shown,
    has_passkeys: bool,
    /// So many characters a new password needs.
    least: usize,
    /// Whether the one they have has too few for what it opens now.
    is_short: bool,
    /// Where they were on their way to; empty for nowhere.
    return_to: String,
}

/// What stands for the member.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// The current password, which has to come with the form.
    CurrentPassword,
    /// A passkey, used just now.
    Passkey,
}

impl Web {
    pub(in crate::web) fn password_page(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let Some(member) = visit.member else { return Ok(self.to_sign_in()) };
        match self.before_new_password(member, &in_query(request, "return_to"), visit)? {
            Err(first) => Ok(first),
            Ok(asking) => Ok(self.show_password(&asking, OtherSessions::End, None, visit)),
        }
    }

    pub(in crate::web) async fn change_password(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let Some(member) = visit.member else { return Ok(self.to_sign_in()) };
        let form = self.member_form(request, &member)?;
        let asking = match self.before_new_password(member, form.text("return_to"), visit)? {
            Err(first) => return Ok(first),
            Ok(asking) => asking,
        };
        let others = if form.is_ticked("others") { OtherSessions::End } else { OtherSessions::Keep };
        let again = |trouble| Ok(self.show_password(&asking, others, Some(trouble), visit));
        let password = self.new_password(form.secret("password"), &asking.user.profile, visit)?;
        if let Err(weak) = Accounts::check_length(&password.text, password.min_chars) {
            return again(Trouble::New(weak.into()));
        }
        if let Some(trouble) =
            self.disproves(&asking, form.secret("current"), request.headers(), visit).await?
        {
            return again(trouble);
        }
        let (accounts, seen) = (&self.parts.accounts, seen(request.headers(), visit));
        let changing = accounts.change_password(member.session, &asking.user, password, others, seen);
        match changing.await.map_err(|error| self.store_failed(&error, visit))? {
            PasswordChange::Busy => again(Trouble::New(PasswordTrouble::Busy)),
            PasswordChange::Overtaken => Ok(self.to_password()),
            PasswordChange::Weak(weak) => again(Trouble::New(weak.into())),
            PasswordChange::Done(ended) => {
                let user = asking.user.profile.id;
                audit::record(Event::PasswordChanged(ended), Some(user), visit);
                self.notify(Happened::PasswordChanged, user, request.headers(), visit).await;
                self.forgive(user, visit);
                let response = match asking.return_to.as_str() {
                    "" => self.back_to_account("password-changed"),
                    next => self.outbound.redirect(StatusCode::SEE_OTHER, next),
                };
                // The mark that this browser has is good for the old password only.
                let persistence = member.session.persistence();
                Ok(self.marking(response, user, persistence, request.headers(), visit))
            }
        }
    }

    /// Why the form does not come from the member, if it does not show that it does (SECURITY: AUTH-05, THR-08).
    async fn disproves(
        &self,
        asking: &Asking<'_>,
        current: Secret<String>,
        headers: &HeaderMap,
        visit: &Visit<'_>,
    ) -> Result<Option<Trouble>, Problem> {
        if asking.proof == Shown::Passkey {
            return Ok(None);
        }
        if current.expose().chars().count() > Accounts::MAX_PASSWORD_CHARS {
            return Ok(Some(Trouble::WrongCurrent));
        }
        let member = Who::Member(asking.user.profile.id);
        let reserved = self.reserve(Way::Confirm, member, visit)?;
        match self.parts.accounts.is_password_of(&reserved, &asking.user, current.clone()).await {
            Err(Busy) => {
                reserved.undone();
                Ok(Some(Trouble::New(PasswordTrouble::Busy)))
            }
            Ok(false) => {
                audit::record(Event::PasswordNotChanged, Some(asking.user.profile.id), visit);
                Ok(Some(Trouble::WrongCurrent))
            }
            Ok(true) => {
                reserved.undone();
                // It may be the forum's, too, and is not known here much longer.
                self.try_at_forum(asking.member.session, current, headers, visit).await;
                Ok(None)
            }
        }
    }

    /// What has to come first, if anything.
    fn before_new_password<'a>(
        &self,
        member: Member<'a>,
        return_to: &str,
        visit: &Visit<'_>,
    ) -> Result<Result<Asking<'a>, Response<Bytes>>, Problem> {
        if self.passwords_are_off() {
            return Err(Problem::PasswordsOff);
        }
        let here = ReturnTo::parse(&self.ours("/account/password"), &self.parts.prefix);
        if let Some(first) = self.awaited_first(&member, &here) {
            return Ok(Err(first));
        }
        let failed = |error| self.store_failed(&error, visit);
        let passkeys = self.parts.passkeys.as_deref();
        let first = passkeys.map(|passkeys| passkeys.first(member.session)).transpose().map_err(failed)?;
        if first.flatten() == Some(SignInReason::Passkey) {
            return Ok(Err(self.to_login(&here, SignInReason::Passkey)));
        }
        let user = self.parts.accounts.account(member.session.user()).map_err(failed)?;
        let Some(user) = user else { return Ok(Err(self.to_sign_in())) };
        let own = passkeys.map(|passkeys| passkeys.of(user.profile.id)).transpose().map_err(failed)?;
        let has_passkeys = own.is_some_and(|own| !own.is_empty());
        let is_proven = |passkeys: &Passkeys| {
            member.session.proof() == Proof::Passkey && passkeys.is_fresh(member.session)
        };
        let proof = match passkeys.is_some_and(is_proven) {
            true => Shown::Passkey,
            false => Shown::CurrentPassword,
        };
        match (proof, &user.password, has_passkeys) {
            (Shown::CurrentPassword, None, true) => Ok(Err(self.to_login(&here, SignInReason::Passkey))),
            (Shown::CurrentPassword, None, false) => Err(Problem::NewLinkNeeded),
            _ => {
                let (least, is_short) =
                    (self.least_chars(&user.profile, visit)?, self.is_short_now(&user.profile));
                let return_to = self.optional_return(return_to);
                Ok(Ok(Asking { member, user, proof, has_passkeys, least, is_short, return_to }))
            }
        }
    }

    fn to_password(&self) -> Response<Bytes> {
        self.outbound.redirect(StatusCode::SEE_OTHER, &self.ours("/account/password"))
    }

    fn show_password(
        &self,
        asking: &Asking<'_>,
        others: OtherSessions,
        trouble: Option<Trouble>,
        visit: &Visit<'_>,
    ) -> Response<Bytes> {
        let Asking { member, user, proof, has_passkeys, least, is_short, return_to } = asking;
        let page = PasswordPage {
            csrf: member.proof().to_text(),
            username: user.profile.name.to_string(),
            min_chars: *least,
            is_short: *is_short,
            return_to: return_to.clone(),
            max_chars: Accounts::MAX_PASSWORD_CHARS,
            asks_current: *proof == Shown::CurrentPassword,
            has_password: user.password.is_some(),
            has_passkeys: *has_passkeys,
            has_other_sessions: self.parts.sessions.of(user.profile.id).len() > 1,
            has_app_passwords: self.app_passwords_of(member, visit).is_ok_and(|all| !all.is_empty()),
            forum: self.parts.forum.as_ref().is_some_and(|forum| forum.takes_passwords()),
            ends_others: others == OtherSessions::End,
            trouble,
        };
        self.page(trouble.map_or(StatusCode::OK, Trouble::status), &page, visit)
    }
}
