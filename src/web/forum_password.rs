//! The page on which a member chooses a password for the forum, in the place of one that nobody knows, or of any other.
//!
//! SECURITY: O4. A password goes in here; the one that the forum has is shown to nobody. BP-63: only after a fresh proof of who asks.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde::Serialize;

use super::audit::{self, Event};
use super::forum::vault_failed;
use super::pages::Page;
use super::password::PasswordTrouble;
use super::response::Reply;
use super::{Member, Problem, Visit, Web};
use crate::auth::passkeys::Passkeys;
use crate::auth::{Accounts, Busy, NewPassword};
use crate::bridge::{ForumAccounts, PasswordSetting};
use crate::domain::{ReturnTo, Secret};
use crate::policy::SignInReason;

/// How long the member waits for the forum, which is signed in to twice and may want pauses. It goes on without them.
const PATIENCE: Duration = Duration::from_secs(25);

/// What the page shows.
#[derive(Default, Serialize)]
pub(super) struct ForumPasswordPage {
    csrf: String,
    min_chars: usize,
    max_chars: usize,
    /// Whether nobody knows the one that the forum has.
    is_generated: bool,
    trouble: Option<Trouble>,
}

/// Why the form is shown once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Trouble {
    Later,
    Refused,
    Unclear,
    Unusable,
    #[serde(untagged)]
    Weak(PasswordTrouble),
}

impl Trouble {
    const OF_ITS_OWN: [Self; 4] = [Self::Later, Self::Refused, Self::Unclear, Self::Unusable];

    const fn code(self) -> &'static str {
        match self {
            Self::Later => "later",
            Self::Refused => "refused",
            Self::Unclear => "unclear",
            Self::Unusable => "unusable",
            Self::Weak(why) => why.code(),
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::Later | Self::Unclear => StatusCode::SERVICE_UNAVAILABLE,
            Self::Refused | Self::Unusable => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Weak(why) => why.status(),
        }
    }
}

impl Page for ForumPasswordPage {
    const TEMPLATE: &'static str = "forum-password.html";

    fn samples() -> Vec<Self> {
        let trouble = |trouble| Self { trouble: Some(trouble), ..Self::default() };
        let plain = [true, false].map(|is_generated| Self { is_generated, ..Self::default() });
        let weak = PasswordTrouble::ALL.map(|why| trouble(Trouble::Weak(why)));
        plain.into_iter().chain(Trouble::OF_ITS_OWN.map(trouble)).chain(weak).collect()
    }
}

impl Web {
    /// Sends a member here whom the forum's own page would ask for a password that nobody knows.
    pub fn to_forum_password(&self) -> Response<Bytes> {
        self.outbound.redirect(StatusCode::SEE_OTHER, &self.ours("/account/forum/password"))
    }

    pub(super) fn forum_password_page(&self, visit: &Visit<'_>) -> Reply {
        let forum = self.forum_with_passwords()?;
        let Some(member) = visit.member else { return Ok(self.to_sign_in()) };
        match self.before_choosing(forum, &member, visit)? {
            Some(first) => Ok(first),
            None => self.show_forum_password(forum, None, &member, visit),
        }
    }

    pub(super) async fn choose_forum_password(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let forum = self.forum_with_passwords()?;
        let Some(member) = visit.member else { return Ok(self.to_sign_in()) };
        let form = self.member_form(request, &member)?;
        if let Some(first) = self.before_choosing(forum, &member, visit)? {
            return Ok(first);
        }
        let password = form.secret("password");
        if let Some(weak) = self.weakness(&password, &member).await {
            return self.show_forum_password(forum, Some(Trouble::Weak(weak)), &member, visit);
        }
        if !is_usable(password.expose()) {
            return self.show_forum_password(forum, Some(Trouble::Unusable), &member, visit);
        }
        let trouble = match self.set_at_forum(forum, &member, password, request, visit).await? {
            PasswordSetting::Done => None,
            PasswordSetting::Refused => Some(Trouble::Refused),
            PasswordSetting::NotSet => Some(Trouble::Later),
            PasswordSetting::Unclear => Some(Trouble::Unclear),
            PasswordSetting::Asks(ask) => return Ok(self.ask_for_forum(ask, &self.account())),
        };
        let event =
            trouble.map_or(Event::ForumPasswordChosen, |why| Event::ForumPasswordNotChosen(why.code()));
        audit::record(event, Some(member.session.user()), visit);
        match trouble {
            None => Ok(self.back_to_account("forum-password-set")),
            Some(_) => self.show_forum_password(forum, trouble, &member, visit),
        }
    }

    /// Goes on, and is kept, if the browser goes away.
    async fn set_at_forum(
        &self,
        forum: &Arc<ForumAccounts>,
        member: &Member<'_>,
        password: Secret<String>,
        request: &Request<Bytes>,
        visit: &Visit<'_>,
    ) -> Result<PasswordSetting, Problem> {
        let visitor = forum.visitor(visit.client, request.headers());
        let (forum, session, user) = (Arc::clone(forum), member.session.id(), member.session.user());
        let setting =
            tokio::spawn(async move { forum.set_password(session, user, &password, &visitor).await });
        match tokio::time::timeout(PATIENCE, setting).await {
            Ok(Ok(setting)) => setting.map_err(|error| vault_failed(&error, visit)),
            Ok(Err(_)) | Err(_) => Ok(PasswordSetting::Unclear),
        }
    }

    /// What comes first: connecting the account, or a proof of who asks.
    fn before_choosing(
        &self,
        forum: &ForumAccounts,
        member: &Member<'_>,
        visit: &Visit<'_>,
    ) -> Result<Option<Response<Bytes>>, Problem> {
        let here = ReturnTo::parse(&self.ours("/account/forum/password"), &self.parts.prefix);
        if let Some(reason) = self.proof_first(member, visit)? {
            return Ok(Some(self.to_login(&here, reason)));
        }
        let is_connected = forum.is_connected(member.session.user());
        let is_connected = is_connected.map_err(|error| vault_failed(&error, visit))?;
        let connect = || self.outbound.redirect(StatusCode::SEE_OTHER, &self.ours("/account/forum"));
        Ok((is_connected != Some(true)).then(connect))
    }

    pub(super) fn proof_first(
        &self,
        member: &Member<'_>,
        visit: &Visit<'_>,
    ) -> Result<Option<SignInReason>, Problem> {
        if self.awaits_passkey(member.session) {
            return Ok(Some(SignInReason::Passkey));
        }
        if let Some(passkeys) = &self.parts.passkeys {
            return passkeys.first(member.session).map_err(|error| self.store_failed(&error, visit));
        }
        let now = self.parts.clock.now();
        let is_fresh =
            member.session.proved_at().is_some_and(|at| at <= now && now.since(at) <= Passkeys::FRESH);
        Ok((!is_fresh).then_some(SignInReason::StepUp))
    }

    fn forum_with_passwords(&self) -> Result<&Arc<ForumAccounts>, Problem> {
        self.parts.forum.as_ref().filter(|forum| forum.can_set_passwords()).ok_or(Problem::NotFound)
    }

    /// It has to be as good as one for this site.
    async fn weakness(&self, password: &Secret<String>, member: &Member<'_>) -> Option<PasswordTrouble> {
        let (accounts, about) = (&self.parts.accounts, self.about(&member.session.profile()));
        let min_chars = accounts.min_password_chars();
        match accounts.judge(NewPassword { text: password.clone(), about, min_chars }).await {
            Ok(Ok(_)) => None,
            Ok(Err(weak)) => Some(weak.into()),
            Err(Busy) => Some(PasswordTrouble::Busy),
        }
    }

    fn show_forum_password(
        &self,
        forum: &ForumAccounts,
        trouble: Option<Trouble>,
        member: &Member<'_>,
        visit: &Visit<'_>,
    ) -> Reply {
        let is_generated = forum.is_generated(member.session.user());
        let page = ForumPasswordPage {
            csrf: member.proof().to_text(),
            min_chars: self.parts.accounts.min_password_chars(),
            max_chars: Accounts::MAX_PASSWORD_CHARS,
            is_generated: is_generated.map_err(|error| vault_failed(&error, visit))?,
            trouble,
        };
        Ok(self.page(trouble.map_or(StatusCode::OK, Trouble::status), &page, visit))
    }
}

/// Forums trim passwords, here and not there, and take no line for one.
fn is_usable(password: &str) -> bool {
    password.trim() == password && !password.chars().any(char::is_control)
}
