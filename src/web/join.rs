//! The page on which somebody with a link makes their account: an operator's invitation, or one that was mailed on asking.
//!
//! The invitation's token is the proof that the form asks for, as on the set-up page; looking at the page takes nothing.
//!
//! SECURITY: AUTH-14. Who holds an invitation can learn which names are taken, as at every place where names are chosen; each
//! such answer counts as a wrong try.

use bytes::Bytes;
use http::header::RETRY_AFTER;
use http::{HeaderValue, Request, StatusCode};
use serde::Serialize;

use super::audit::{self, Event};
use super::pages::Page;
use super::password::PasswordTrouble;
use super::request::{Form, in_query};
use super::response::Reply;
use super::{Problem, Visit, Web, WebParts};
use crate::auth::Accounts;
use crate::auth::joining::options::JoinMode;
use crate::auth::joining::{Invitation, InvitationToken, Joined, JoiningSite, MadeBy};
use crate::auth::throttle::{Reserved, Way, Who};
use crate::domain::{LinkKind, User, UserState};

/// What the page shows.
#[derive(Default, Serialize)]
pub(super) struct JoinPage {
    token: String,
    username: String,
    /// The address that the account will have; empty for none.
    email: String,
    /// Whether an operator has invited them.
    is_invited: bool,
    /// Whether a password is chosen, too.
    sets_password: bool,
    min_chars: usize,
    max_chars: usize,
    name_trouble: Option<NameTrouble>,
    trouble: Option<PasswordTrouble>,
}

/// Why a name can't be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum NameTrouble {
    /// Nothing is wrong with it, but too many wait for an operator.
    Full,
    Invalid,
    Taken,
}

/// Why the form is shown once more.
#[derive(Clone, Copy)]
enum Trouble {
    Name(NameTrouble),
    Password(PasswordTrouble),
}

impl Page for JoinPage {
    const TEMPLATE: &'static str = "join.html";

    fn samples() -> Vec<Self> {
        let password = PasswordTrouble::ALL.map(|trouble| Self { trouble: Some(trouble), ..Self::default() });
        let name = [NameTrouble::Full, NameTrouble::Invalid, NameTrouble::Taken]
            .map(|trouble| Self { name_trouble: Some(trouble), ..Self::default() });
        let all = password.into_iter().chain(name).chain([Self::default()]);
        let mut all: Vec<_> = all.map(|page| Self { sets_password: true, ..page }).collect();
        all.push(Self { email: "ann@forum.example".to_owned(), ..Self::default() });
        all.push(Self { is_invited: true, ..Self::default() });
        all
    }
}

/// A good invitation.
pub(super) struct Open {
    pub(super) token: InvitationToken,
    pub(super) invitation: Invitation,
    pub(super) reserved: Reserved,
}

impl Web {
    pub(super) fn join_page(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let token = in_query(request, "token");
        if token.is_empty() && self.is_open() {
            return self.join_ask_page(request.headers(), visit);
        }
        match self.invitation(&token, visit)? {
            Some(open) => {
                open.reserved.undone();
                self.show_join(&open.token, &open.invitation, String::new(), None, visit)
            }
            None => self.link_expired(visit),
        }
    }

    pub(super) async fn join(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let form = Form::read(request, &self.parts.origins)?;
        if form.text("token").is_empty() {
            return self.ask_to_join(&form, request.headers(), visit).await;
        }
        let Some(Open { token, invitation, reserved }) = self.invitation(form.text("token"), visit)? else {
            return self.link_expired(visit);
        };
        let name = form.text("username");
        let password = (!self.passwords_are_off()).then(|| form.secret("password"));
        let WebParts { accounts, invitations, joining, options, .. } = &self.parts;
        let (name_of_site, reserved_names) = (&options.site_name, &joining.reserved_names);
        let site = JoiningSite { name: name_of_site, reserved_names, approval: joining.approval };
        let joined = invitations.join(accounts, &token, name, password, site).await;
        let trouble = match joined.map_err(|error| self.store_failed(&error, visit))? {
            Joined::Done(user) => {
                reserved.undone();
                return self.welcome_in(&user, visit).await;
            }
            Joined::Expired => return self.link_expired(visit),
            // This try counts.
            Joined::NameTaken => {
                let trouble = Trouble::Name(NameTrouble::Taken);
                return self.show_join(&token, &invitation, name.to_owned(), Some(trouble), visit);
            }
            Joined::Busy => Trouble::Password(PasswordTrouble::Busy),
            Joined::Full => Trouble::Name(NameTrouble::Full),
            Joined::InvalidName(_) => Trouble::Name(NameTrouble::Invalid),
            Joined::Weak(weak) => Trouble::Password(weak.into()),
        };
        reserved.undone();
        self.show_join(&token, &invitation, name.to_owned(), Some(trouble), visit)
    }

    /// That it can't be told changes nothing for who waits: the operator's list has them.
    async fn tell_approver(&self, user: &User) {
        let (Some(mail), Some(to)) = (&self.parts.mail, &self.parts.joining.approver) else { return };
        if let Err(error) = mail.apply(mail.tell_of_applicant(to, &user.profile.name)).await {
            tracing::error!(target: "passgate::store", %error, "no mail says that somebody waits for approval");
        }
    }

    /// Where people sign in with passwords the new member does that now; else a link lets them add their first passkey.
    async fn welcome_in(&self, user: &User, visit: &Visit<'_>) -> Reply {
        let waits = user.state != UserState::Active;
        audit::record(if waits { Event::JoinedToWait } else { Event::Joined }, Some(user.profile.id), visit);
        if waits {
            self.tell_approver(user).await;
            return Ok(self
                .outbound
                .redirect(StatusCode::SEE_OTHER, &self.ours("/login?notice=joined-to-wait")));
        }
        if !self.passwords_are_off() {
            return Ok(self.outbound.redirect(StatusCode::SEE_OTHER, &self.ours("/login?notice=joined")));
        }
        let link = self.parts.accounts.link(user.profile.id, LinkKind::SetUp).await;
        let token = link.map_err(|error| self.store_failed(&error, visit))?;
        let next = format!("/setup?token={}", *token.to_text());
        Ok(self.outbound.redirect(StatusCode::SEE_OTHER, &self.ours(&next)))
    }

    /// What this token opens. The try is counted, and for the caller to take back.
    pub(super) fn invitation(&self, token: &str, visit: &Visit<'_>) -> Result<Option<Open>, Problem> {
        let mode = self.parts.joining.mode;
        if mode == JoinMode::Closed {
            return Err(Problem::NotFound);
        }
        let Some(token) = InvitationToken::parse(token) else { return Ok(None) };
        let reserved = self.reserve(Way::Link, Who::Unknown, visit)?;
        let open = self.parts.invitations.open(&token).map_err(|error| self.store_failed(&error, visit))?;
        // What was asked for ends with an operator who closes the door again.
        let open = open.filter(|open| open.made_by == MadeBy::Operator || mode == JoinMode::Open);
        Ok(open.map(|invitation| Open { token, invitation, reserved }))
    }

    fn show_join(
        &self,
        token: &InvitationToken,
        invitation: &Invitation,
        username: String,
        trouble: Option<Trouble>,
        visit: &Visit<'_>,
    ) -> Reply {
        let (name_trouble, trouble) = match trouble {
            None => (None, None),
            Some(Trouble::Name(trouble)) => (Some(trouble), None),
            Some(Trouble::Password(trouble)) => (None, Some(trouble)),
        };
        let status = match (name_trouble, trouble) {
            (None, None) => StatusCode::OK,
            (None, Some(trouble)) => trouble.status(),
            (Some(NameTrouble::Full), _) => StatusCode::SERVICE_UNAVAILABLE,
            (Some(_), _) => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let page = JoinPage {
            token: token.to_text().to_string(),
            username,
            email: invitation.email.clone().unwrap_or_default(),
            is_invited: invitation.made_by == MadeBy::Operator,
            sets_password: !self.passwords_are_off(),
            min_chars: self.parts.accounts.min_password_chars(),
            max_chars: Accounts::MAX_PASSWORD_CHARS,
            name_trouble,
            trouble,
        };
        let mut response = self.page(status, &page, visit);
        if status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(Problem::RETRY_AFTER));
        }
        Ok(response)
    }
}
