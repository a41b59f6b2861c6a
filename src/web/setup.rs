//! The one-time link with which a member sets a password (SECURITY: AUTH-09).
//!
//! Where passwords are off, the same address shows the page to sign in by a link: there is no password to set.
//!
//! The link's token is the proof that the form asks for; no cookie is needed. It stands in the address once, and no
//! `Referer` carries it on.

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderValue, Request, StatusCode};
use serde::Serialize;
use zeroize::Zeroizing;

use super::account::seen;
use super::audit::{self, Event};
use super::pages::Page;
use super::password::PasswordTrouble;
use super::request::{Form, in_query};
use super::response::Reply;
use super::{Problem, Visit, Web};
use crate::auth::mail::Happened as Told;
use crate::auth::throttle::{Way, Who};
use crate::auth::{Accounts, MailedToken, SetupOutcome, SetupToken};
use crate::domain::{LinkKind, User};

/// What the set-up page shows.
#[derive(Default, Serialize)]
pub(super) struct SetupPage {
    token: String,
    username: String,
    min_chars: usize,
    max_chars: usize,
    /// Whether the link signs in, too, and what for.
    instead: Option<Instead>,
    trouble: Option<PasswordTrouble>,
}

/// What can be done with the link instead of setting a password.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Instead {
    AddPasskey,
    SignIn,
}

impl Page for SetupPage {
    const TEMPLATE: &'static str = "setup.html";

    fn samples() -> Vec<Self> {
        let instead = [None, Some(Instead::AddPasskey), Some(Instead::SignIn)];
        let plain = instead.map(|instead| Self { instead, ..Self::default() });
        let trouble = |trouble| Self { trouble: Some(trouble), ..Self::default() };
        plain.into_iter().chain(PasswordTrouble::ALL.map(trouble)).collect()
    }
}

/// The page for a link that no longer works.
#[derive(Serialize)]
pub(super) struct LinkExpiredPage {}

impl Page for LinkExpiredPage {
    const TEMPLATE: &'static str = "link-expired.html";

    fn samples() -> Vec<Self> {
        vec![Self {}]
    }
}

/// An open link.
pub(super) struct Shown {
    /// Its token as text.
    pub(super) token: Zeroizing<String>,
    /// Whose it is.
    pub(super) user: User,
    /// What it does here.
    pub(super) kind: LinkKind,
}

impl Web {
    pub(super) async fn setup_page(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        if self.passwords_are_off() {
            return self.link_page(request, visit).await;
        }
        let token = in_query(request, "token");
        if let Some(mailed) = MailedToken::parse(&token) {
            return self.mailed_page(&mailed, visit);
        }
        match self.open_link(&token, visit)? {
            Some((token, user, kind)) if kind.sets_password() => {
                self.show_setup(&Shown { token: token.to_text(), user, kind }, None, visit)
            }
            _ => self.link_expired(visit),
        }
    }

    pub(super) async fn set_up(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let form = Form::read(request, &self.parts.origins)?;
        if self.passwords_are_off() {
            return Err(Problem::PasswordsOff);
        }
        if let Some(mailed) = MailedToken::parse(form.text("token")) {
            return self.set_up_mailed(&mailed, &form, request.headers(), visit).await;
        }
        let Some((token, user, kind)) = self.open_link(form.text("token"), visit)? else {
            return self.link_expired(visit);
        };
        let password = self.new_password(form.secret("password"), &user.profile, visit)?;
        let outcome = self.parts.accounts.redeem(&token, password, seen(request.headers(), visit)).await;
        let member = user.profile.id;
        let shown = Shown { token: token.to_text(), user, kind };
        match outcome.map_err(|error| self.store_failed(&error, visit))? {
            SetupOutcome::Busy => self.show_setup(&shown, Some(PasswordTrouble::Busy), visit),
            SetupOutcome::Done(kind) => {
                audit::record(Event::SetUp(kind), Some(member), visit);
                self.notify(Told::PasswordChanged, member, request.headers(), visit).await;
                self.forgive(member, visit);
                let next = self.ours("/login?notice=password-set");
                Ok(self.outbound.redirect(StatusCode::SEE_OTHER, &next))
            }
            SetupOutcome::Expired => self.link_expired(visit),
            SetupOutcome::Weak(weak) => self.show_setup(&shown, Some(weak.into()), visit),
        }
    }

    /// The account for which a link is open, and what the link does here.
    pub(super) fn open_link(
        &self,
        token: &str,
        visit: &Visit<'_>,
    ) -> Result<Option<(SetupToken, User, LinkKind)>, Problem> {
        let Some(token) = SetupToken::parse(token) else { return Ok(None) };
        let reserved = self.reserve(Way::Link, Who::Unknown, visit)?;
        let open = self.parts.accounts.open_link(&token).map_err(|error| self.store_failed(&error, visit))?;
        if open.is_some() {
            reserved.undone();
        }
        let here = |kind: LinkKind| if self.passwords_are_off() { kind.without_passwords() } else { kind };
        Ok(open.map(|(user, kind)| (token, user, here(kind))))
    }

    pub(super) fn show_setup(
        &self,
        shown: &Shown,
        trouble: Option<PasswordTrouble>,
        visit: &Visit<'_>,
    ) -> Reply {
        let Shown { token, user, kind } = shown;
        let passkeys = self.parts.passkeys.as_ref();
        let may_add = passkeys.is_some_and(|passkeys| passkeys.are_offered_to(&user.profile));
        let instead = if may_add { Instead::AddPasskey } else { Instead::SignIn };
        let status = trouble.map_or(StatusCode::OK, PasswordTrouble::status);
        let page = SetupPage {
            token: token.to_string(),
            username: user.profile.name.to_string(),
            min_chars: self.least_chars(&user.profile, visit)?,
            max_chars: Accounts::MAX_PASSWORD_CHARS,
            instead: kind.signs_in().then_some(instead),
            trouble,
        };
        let mut response = self.page(status, &page, visit);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(Problem::RETRY_AFTER));
        }
        Ok(response)
    }

    pub(super) fn link_expired(&self, visit: &Visit<'_>) -> Reply {
        Ok(self.page(StatusCode::GONE, &LinkExpiredPage {}, visit))
    }
}
