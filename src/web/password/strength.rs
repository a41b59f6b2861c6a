//! How good a new password is, told to the script of the page on which it is typed: the same judgement that the form will get.
//!
//! SECURITY: AUTH-04, WEB-01. Nobody asks but who could send the form: a member from their own page, or whoever holds a link with which
//! a password is chosen. What is told hangs on the text, and on what the page shows of the asker anyway; a name that is typed beside it
//! is looked up nowhere. The password stands in the body alone, and nothing of it goes into the log.

use bytes::Bytes;
use http::{Request, StatusCode};
use serde::{Deserialize, Serialize};

use super::super::request::{proves, small_json};
use super::super::response::Reply;
use super::super::throttled::seconds;
use super::super::{Problem, Visit, Web};
use super::PasswordTrouble;
use crate::auth::{About, Advice, Asker, MailedToken, NewPassword, Strength};
use crate::domain::{Profile, Secret, UserName};

/// What the script sends.
#[derive(Deserialize)]
struct Typed {
    password: String,
    /// The token of an invitation …
    #[serde(default)]
    invitation: String,
    /// … or of another link; neither on a member's own pages.
    #[serde(default)]
    link: String,
    /// The name that is typed beside it, with an invitation.
    #[serde(default)]
    username: String,
}

/// What it is told.
#[derive(Serialize)]
struct Verdict {
    verdict: &'static str,
}

impl Web {
    pub(in crate::web) async fn judge_password(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let typed: Typed = small_json(request, &self.parts.origins)?;
        let (asker, about, min_chars) = self.asker(&typed, request, visit)?;
        let new = NewPassword { text: Secret::new(typed.password), about, min_chars };
        let verdict = match self.parts.accounts.advise(asker, new).await {
            Advice::Busy => return Err(Problem::Busy),
            Advice::TooOften(wait) => return Err(Problem::Throttled(seconds(wait))),
            Advice::Judged(Ok(Strength::Good)) => "good",
            Advice::Judged(Ok(Strength::VeryGood)) => "very-good",
            Advice::Judged(Err(weak)) => PasswordTrouble::from(weak).code(),
        };
        Ok(self.outbound.json(StatusCode::OK, &Verdict { verdict }))
    }

    /// Who asks, what whoever guesses knows of them, and how long their password has to be.
    fn asker(
        &self,
        typed: &Typed,
        request: &Request<Bytes>,
        visit: &Visit<'_>,
    ) -> Result<(Asker, About, usize), Problem> {
        let is_own_page = typed.invitation.is_empty() && typed.link.is_empty();
        if !is_own_page && self.passwords_are_off() {
            return Err(Problem::PasswordsOff);
        }
        let of = |profile: &Profile| {
            Ok((Asker::Member(profile.id), self.about(profile), self.least_chars(profile, visit)?))
        };
        if is_own_page {
            let member = visit.member.ok_or(Problem::SignInRequired)?;
            let is_theirs = proves(request.headers(), &member.proof());
            return if is_theirs { of(&member.session.profile()) } else { Err(Problem::CsrfFailed) };
        }
        if typed.link.is_empty() {
            return self.invited(typed, visit)?.ok_or(Problem::NotFound);
        }
        let user = match MailedToken::parse(&typed.link) {
            Some(mailed) => self.open_mailed(&mailed, visit)?.map(|shown| shown.user),
            None => {
                let open = self.open_link(&typed.link, visit)?;
                open.filter(|(_, _, kind)| kind.sets_password()).map(|(_, user, _)| user)
            }
        };
        of(&user.ok_or(Problem::NotFound)?.profile)
    }

    fn invited(&self, typed: &Typed, visit: &Visit<'_>) -> Result<Option<(Asker, About, usize)>, Problem> {
        let Some(open) = self.invitation(&typed.invitation, visit)? else { return Ok(None) };
        open.reserved.undone();
        let name = UserName::parse(&typed.username).ok();
        let site_name = &self.parts.options.site_name;
        let about = About::of_newcomer(name.as_ref(), open.invitation.email.as_deref(), site_name);
        Ok(Some((Asker::Invited(open.token.hash()), about, self.parts.accounts.min_password_chars())))
    }
}
