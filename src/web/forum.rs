//! Linking a member's account at the forum: its page, what that posts, and the one try with the password of a sign-in.
//!
//! SECURITY: O4. A password goes in here and never comes out again. One try for each time a member presses the button.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use serde::Serialize;

use super::account::ForumPassword;
use super::audit::{self, Event};
use super::pages::Page;
use super::request::in_query;
use super::response::Reply;
use super::{Member, Problem, Visit, Web};
use crate::auth::throttle::{Way, Who};
use crate::auth::{Accounts, LiveSession};
use crate::bridge::{Ask, ForumAccounts, Known, VaultError};
use crate::domain::{ReturnTo, Secret, UserId};

/// How long signing in here waits for signing in there.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the page shows.
#[derive(Clone, Default, Serialize)]
pub(super) struct ForumPage {
    csrf: String,
    return_to: String,
    username: String,
    /// Whether a password that is given is replaced by one that nobody knows.
    generates: bool,
    /// Whether the forum has such a one of this member.
    is_generated: bool,
    trouble: Option<Trouble>,
}

/// What came in between. A fixed list, so that a link can't put words on our page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Trouble {
    Captcha,
    Empty,
    Later,
    SecondFactor,
    UnknownUser,
    Unrecognised,
    WrongPassword,
}

impl Trouble {
    const ALL: [Self; 7] = [
        Self::Captcha,
        Self::Empty,
        Self::Later,
        Self::SecondFactor,
        Self::UnknownUser,
        Self::Unrecognised,
        Self::WrongPassword,
    ];

    const fn code(self) -> &'static str {
        match self {
            Self::Captcha => "captcha",
            Self::Empty => "empty",
            Self::Later => "later",
            Self::SecondFactor => "second-factor",
            Self::UnknownUser => "unknown-user",
            Self::Unrecognised => "unrecognised",
            Self::WrongPassword => "wrong-password",
        }
    }

    /// None where the member has given nothing yet.
    const fn of(ask: Ask) -> Option<Self> {
        Some(match ask {
            Ask::Link => return None,
            Ask::WrongPassword => Self::WrongPassword,
            Ask::UnknownUser => Self::UnknownUser,
            Ask::Captcha => Self::Captcha,
            Ask::SecondFactor => Self::SecondFactor,
            Ask::Unrecognised | Ask::Forgotten => Self::Unrecognised,
        })
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::Later => StatusCode::SERVICE_UNAVAILABLE,
            // Not 200, so that password managers do not save what was wrong.
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }
}

impl Page for ForumPage {
    const TEMPLATE: &'static str = "forum.html";

    fn samples() -> Vec<Self> {
        let trouble = |trouble| Self { trouble: Some(trouble), ..Self::default() };
        let plain = [(false, false), (true, false), (true, true)];
        let plain =
            plain.map(|(generates, is_generated)| Self { generates, is_generated, ..Self::default() });
        plain.into_iter().chain(Trouble::ALL.map(trouble)).collect()
    }
}

impl Web {
    /// Sends a member to the page that asks for what the forum needs.
    pub fn ask_for_forum(&self, ask: Ask, return_to: &ReturnTo) -> Response<Bytes> {
        let target: String = form_urlencoded::byte_serialize(return_to.as_str().as_bytes()).collect();
        let why = Trouble::of(ask).map(|trouble| format!("&why={}", trouble.code())).unwrap_or_default();
        let address = format!("{}?return_to={target}{why}", self.ours("/account/forum"));
        self.outbound.redirect(StatusCode::SEE_OTHER, &address)
    }

    /// Sends a member back to where they came from, signed in as they are.
    pub fn go_back(&self, to: &ReturnTo) -> Response<Bytes> {
        self.outbound.redirect(StatusCode::SEE_OTHER, to.as_str())
    }

    pub(super) fn forum_page(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        self.forum()?;
        let Some(member) = visit.member else { return Ok(self.to_sign_in()) };
        let return_to = ReturnTo::parse(&in_query(request, "return_to"), &self.parts.prefix);
        if let Some(first) = self.awaited_first(&member, &return_to) {
            return Ok(first);
        }
        let why = in_query(request, "why");
        let trouble = Trouble::ALL.into_iter().find(|trouble| trouble.code() == why);
        self.show_forum(StatusCode::OK, trouble, &member, &return_to, visit)
    }

    pub(super) async fn connect_forum(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let forum = self.forum()?;
        let Some(member) = visit.member else { return Ok(self.to_sign_in()) };
        let form = self.member_form(request, &member)?;
        let return_to = ReturnTo::parse(form.text("return_to"), &self.parts.prefix);
        if let Some(first) = self.awaited_first(&member, &return_to) {
            return Ok(first);
        }
        if form.text("choice") == "without" {
            forum.go_without(member.session.id());
            return Ok(self.outbound.redirect(StatusCode::SEE_OTHER, return_to.as_str()));
        }
        if form.text("choice") == "again" {
            forum.try_again(member.session.id(), member.session.user());
            return Ok(self.outbound.redirect(StatusCode::SEE_OTHER, return_to.as_str()));
        }
        let password = form.secret("password");
        let chars = password.expose().chars().count();
        if chars > Accounts::MAX_PASSWORD_CHARS {
            return Err(Problem::PayloadTooLarge);
        }
        let trouble = match chars {
            0 => Some(Trouble::Empty),
            _ => {
                let reserved = self.reserve(Way::ForumPassword, Who::Member(member.session.user()), visit)?;
                let trouble = self.try_password(member.session, password, request.headers(), visit).await?;
                if trouble != Some(Trouble::WrongPassword) {
                    reserved.undone();
                }
                trouble
            }
        };
        match trouble {
            None => Ok(self.outbound.redirect(StatusCode::SEE_OTHER, return_to.as_str())),
            Some(trouble) => self.show_forum(trouble.status(), Some(trouble), &member, &return_to, visit),
        }
    }

    pub(super) async fn disconnect_forum(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let forum = self.forum()?;
        let Some(member) = visit.member else { return Ok(self.to_sign_in()) };
        self.member_form(request, &member)?;
        if let Some(first) = self.awaited_first(&member, &self.account()) {
            return Ok(first);
        }
        // Nobody could get in there any more but by the forum's mail for lost passwords.
        if forum.is_generated(member.session.user()).map_err(|error| vault_failed(&error, visit))? {
            return Ok(self.to_forum_password());
        }
        let done = forum.disconnect(member.session.id(), member.session.user()).await;
        done.map_err(|error| vault_failed(&error, visit))?;
        audit::record(Event::ForumDisconnected, Some(member.session.user()), visit);
        Ok(self.back_to_account("forum-disconnected"))
    }

    /// After an import the password is the same here and there: so the one that was just right here is tried there, once,
    /// unless something was tried before.
    pub(super) async fn try_at_forum(
        &self,
        session: &LiveSession,
        typed: Secret<String>,
        headers: &HeaderMap,
        visit: &Visit<'_>,
    ) {
        if self.would_try_at_forum(session.user()) {
            // Said in the log; the member is asked for the password when they come to the forum.
            let _ = self.try_password(session, typed, headers, visit).await;
        }
    }

    /// Whether a password that was right here would be tried there.
    pub(super) fn would_try_at_forum(&self, member: UserId) -> bool {
        let is_untried = |forum: &Arc<ForumAccounts>| forum.is_untried(member).is_ok_and(|is| is);
        self.parts.forum.as_ref().is_some_and(is_untried)
    }

    /// One try at the forum; what came in between. It goes on, and is not tried again, if the browser goes away.
    async fn try_password(
        &self,
        session: &LiveSession,
        password: Secret<String>,
        headers: &HeaderMap,
        visit: &Visit<'_>,
    ) -> Result<Option<Trouble>, Problem> {
        let forum = Arc::clone(self.forum()?);
        let (id, profile) = (session.id(), session.profile());
        let visitor = forum.visitor(visit.client, headers);
        let trying = tokio::spawn(async move { forum.connect(id, &profile, password, &visitor).await });
        let known = match tokio::time::timeout(PATIENCE, trying).await {
            Ok(Ok(known)) => known.map_err(|error| vault_failed(&error, visit))?,
            Ok(Err(_)) | Err(_) => Known::Anonymous,
        };
        let trouble = match known {
            Known::Cookies(_) => None,
            Known::AsksMember(ask) => Some(Trouble::of(ask).unwrap_or(Trouble::Unrecognised)),
            Known::Anonymous => Some(Trouble::Later),
        };
        let event = trouble.map_or(Event::ForumConnected, |trouble| Event::ForumRefused(trouble.code()));
        audit::record(event, Some(session.user()), visit);
        Ok(trouble)
    }

    /// Whether the member's account is connected; none where there is no forum to connect to.
    pub(super) fn is_forum_connected(
        &self,
        member: &Member<'_>,
        visit: &Visit<'_>,
    ) -> Result<Option<bool>, Problem> {
        let Some(forum) = &self.parts.forum else { return Ok(None) };
        forum.is_connected(member.session.user()).map_err(|error| vault_failed(&error, visit))
    }

    /// Whose password the forum has, where the member can choose another.
    pub(super) fn forum_password(
        &self,
        member: &Member<'_>,
        visit: &Visit<'_>,
    ) -> Result<Option<ForumPassword>, Problem> {
        let Some(forum) = self.parts.forum.as_ref().filter(|forum| forum.can_set_passwords()) else {
            return Ok(None);
        };
        let is_generated = forum.is_generated(member.session.user());
        Ok(match is_generated.map_err(|error| vault_failed(&error, visit))? {
            true => Some(ForumPassword::Generated),
            false => forum.replaces_password_of(&member.session.profile()).then_some(ForumPassword::Own),
        })
    }

    fn forum(&self) -> Result<&Arc<ForumAccounts>, Problem> {
        self.parts.forum.as_ref().filter(|forum| forum.takes_passwords()).ok_or(Problem::NotFound)
    }

    fn show_forum(
        &self,
        status: StatusCode,
        trouble: Option<Trouble>,
        member: &Member<'_>,
        return_to: &ReturnTo,
        visit: &Visit<'_>,
    ) -> Reply {
        let forum = self.forum()?;
        let is_generated = forum.is_generated(member.session.user());
        let page = ForumPage {
            csrf: member.proof().to_text(),
            return_to: return_to.to_string(),
            username: member.session.profile().name.to_string(),
            generates: forum.replaces_password_of(&member.session.profile()),
            is_generated: is_generated.map_err(|error| vault_failed(&error, visit))?,
            trouble,
        };
        Ok(self.page(status, &page, visit))
    }
}

pub(super) fn vault_failed(error: &VaultError, visit: &Visit<'_>) -> Problem {
    tracing::error!(request_id = visit.request_id, %error, "a password for the forum can't be kept or read");
    Problem::StoreFailed
}
