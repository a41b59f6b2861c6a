//! A member's e-mail address: seeing it, asking for another one, confirming it with the link that was mailed there.
//!
//! SECURITY: AUTH-05, AUTH-14. Asking takes a fresh proof of who asks; the answer is the same whosever the address is. Looking at
//! the link changes nothing: pressing the button does, in a session of the very account.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde::Serialize;

use super::super::audit::{self, Event};
use super::super::pages::Page;
use super::super::request::in_query;
use super::super::response::Reply;
use super::super::{Member, Problem, Visit, Web};
use super::{Moment, seen};
use crate::auth::events::What;
use crate::auth::mail::{Happened, MailQueue};
use crate::auth::throttle::{Way, Who};
use crate::auth::{AddressOutcome, AddressStanding, AddressToken};
use crate::domain::{MailAddress, ReturnTo};
use crate::policy::SignInReason;

/// How a member stands to their address.
#[derive(Default, Serialize)]
pub(super) struct OwnEmail {
    /// Empty for none.
    address: String,
    is_confirmed: bool,
    waiting: Option<Wanted>,
}

/// The address that they want to have.
#[derive(Default, Serialize)]
struct Wanted {
    address: String,
    until: Moment,
}

impl OwnEmail {
    /// Examples that go through all branches of the embedded templates.
    pub(super) fn samples() -> Vec<Self> {
        let own = || Self { address: "n@forum.example".to_owned(), ..Self::default() };
        let waiting = || Self { waiting: Some(Wanted::default()), ..Self::default() };
        vec![Self::default(), own(), Self { is_confirmed: true, ..own() }, waiting()]
    }
}

/// The page with the form.
#[derive(Default, Serialize)]
pub(in crate::web) struct EmailPage {
    csrf: String,
    own: OwnEmail,
    /// What was typed.
    typed: String,
    trouble: Option<Trouble>,
}

/// Why the form is shown once more.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Trouble {
    /// Enough mails were sent within the hour.
    Enough,
    /// No mail can go there.
    Invalid,
    /// It is their address, and confirmed.
    Same,
}

impl Page for EmailPage {
    const TEMPLATE: &'static str = "email.html";

    fn samples() -> Vec<Self> {
        let own = OwnEmail::samples().into_iter().map(|own| Self { own, ..Self::default() });
        let trouble = [Trouble::Enough, Trouble::Invalid, Trouble::Same].into_iter();
        own.chain(trouble.map(|trouble| Self { trouble: Some(trouble), ..Self::default() })).collect()
    }
}

/// The page of the link.
#[derive(Default, Serialize)]
pub(in crate::web) struct ConfirmEmailPage {
    csrf: String,
    token: String,
    username: String,
    /// What is to be confirmed; none if the link is good for nothing here.
    address: Option<String>,
    /// Whether another account has it.
    is_taken: bool,
}

impl Page for ConfirmEmailPage {
    const TEMPLATE: &'static str = "email-confirm.html";

    fn samples() -> Vec<Self> {
        let open = || Self { address: Some("n@forum.example".to_owned()), ..Self::default() };
        vec![Self::default(), open(), Self { is_taken: true, ..open() }]
    }
}

impl Web {
    /// None where no mail is sent.
    pub(super) fn own_email(
        &self,
        member: &Member<'_>,
        visit: &Visit<'_>,
    ) -> Result<Option<OwnEmail>, Problem> {
        if self.parts.mail.is_none() {
            return Ok(None);
        }
        let profile = member.session.profile();
        let standing = self.parts.accounts.address_of(&profile);
        let AddressStanding { confirmed, waiting } =
            standing.map_err(|error| self.store_failed(&error, visit))?;
        Ok(Some(OwnEmail {
            address: profile.email.clone().unwrap_or_default(),
            is_confirmed: confirmed.is_some(),
            waiting: waiting
                .map(|(address, until)| Wanted { address: address.to_string(), until: Moment::from(until) }),
        }))
    }

    pub(in crate::web) fn email_page(&self, visit: &Visit<'_>) -> Reply {
        let (Some(member), _) = (visit.member, self.postal()?) else { return Ok(self.to_sign_in()) };
        if let Some(reason) = self.proof_first(&member, visit)? {
            return Ok(self.to_login(&self.at_email(""), reason));
        }
        let own = self.own_email(&member, visit)?.unwrap_or_default();
        let typed = if own.is_confirmed { String::new() } else { own.address.clone() };
        self.show_email(&member, EmailPage { own, typed, ..EmailPage::default() }, visit)
    }

    pub(in crate::web) async fn ask_email(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let (Some(member), mail) = (visit.member, self.postal()?) else { return Ok(self.to_sign_in()) };
        let form = self.member_form(request, &member)?;
        if let Some(reason) = self.proof_first(&member, visit)? {
            return Ok(self.to_login(&self.at_email(""), reason));
        }
        let own = self.own_email(&member, visit)?.unwrap_or_default();
        let typed = form.text("email").to_owned();
        let trouble = match MailAddress::parse(&typed) {
            None => Trouble::Invalid,
            Some(to) if own.is_confirmed && to.as_str() == own.address => Trouble::Same,
            Some(to) => {
                let user = member.session.user();
                let event = self.seen_happening(What::AddressChangeAsked, request.headers(), visit);
                let asked = mail.ask_address(user, to, event.kept(user)).await;
                if asked.map_err(|error| self.store_failed(&error, visit))? {
                    audit::record(Event::AddressChangeAsked, Some(user), visit);
                    return Ok(self.back_to_account("email-sent"));
                }
                Trouble::Enough
            }
        };
        self.show_email(
            &member,
            EmailPage { own, typed, trouble: Some(trouble), ..EmailPage::default() },
            visit,
        )
    }

    fn show_email(&self, member: &Member<'_>, page: EmailPage, visit: &Visit<'_>) -> Reply {
        let status = match page.trouble {
            None => StatusCode::OK,
            Some(Trouble::Enough) => StatusCode::TOO_MANY_REQUESTS,
            Some(Trouble::Invalid | Trouble::Same) => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Ok(self.page(status, &EmailPage { csrf: member.proof().to_text(), ..page }, visit))
    }

    /// No fresh sign-in is asked for: everything stays as it is.
    pub(in crate::web) async fn cancel_email(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let Some(member) = visit.member else { return Ok(self.to_sign_in()) };
        self.member_form(request, &member)?;
        if let Some(first) = self.awaited_first(&member, &self.account()) {
            return Ok(first);
        }
        let user = member.session.user();
        let cancelled = self.parts.accounts.cancel_address(user).await;
        if cancelled.map_err(|error| self.store_failed(&error, visit))? {
            audit::record(Event::AddressChangeCancelled, Some(user), visit);
        }
        Ok(self.back_to_account("email-cancelled"))
    }

    pub(in crate::web) fn confirm_email_page(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        self.postal()?;
        let text = in_query(request, "token");
        let here = || self.at_email(&format!("/confirm?token={text}"));
        let Some(member) = visit.member else { return Ok(self.to_login(&here(), SignInReason::NoSession)) };
        if let Some(first) = self.awaited_first(&member, &here()) {
            return Ok(first);
        }
        let Some((token, address)) = self.open_email(&text, &member, visit)? else {
            return Ok(self.dead_email_link(&member, visit));
        };
        let page = ConfirmEmailPage {
            csrf: member.proof().to_text(),
            token: token.to_text().to_string(),
            username: member.session.profile().name.to_string(),
            address: Some(address.to_string()),
            is_taken: false,
        };
        Ok(self.page(StatusCode::OK, &page, visit))
    }

    pub(in crate::web) async fn confirm_email(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let (Some(member), _) = (visit.member, self.postal()?) else { return Ok(self.to_sign_in()) };
        let form = self.member_form(request, &member)?;
        if let Some(first) = self.awaited_first(&member, &self.account()) {
            return Ok(first);
        }
        let Some((token, address)) = self.open_email(form.text("token"), &member, visit)? else {
            return Ok(self.dead_email_link(&member, visit));
        };
        let (headers, profile) = (request.headers(), member.session.profile());
        let is_new = profile.email.as_deref() != Some(address.as_str());
        let notice = self.notice(Happened::AddressChanged, &profile, headers, visit).filter(|_| is_new);
        let with = notice.into_iter().collect();
        let taken =
            self.parts.accounts.take_address(member.session, &token, seen(headers, visit), with).await;
        match taken.map_err(|error| self.store_failed(&error, visit))? {
            AddressOutcome::Done(_) => {
                let event = if is_new { Event::AddressChanged } else { Event::AddressConfirmed };
                audit::record(event, Some(profile.id), visit);
                Ok(self.back_to_account("email-confirmed"))
            }
            AddressOutcome::Expired => Ok(self.dead_email_link(&member, visit)),
            AddressOutcome::Taken => {
                let address = Some(address.to_string());
                let page = ConfirmEmailPage { address, is_taken: true, ..ConfirmEmailPage::default() };
                Ok(self.page(StatusCode::CONFLICT, &page, visit))
            }
        }
    }

    /// What a link is good for in this member's session.
    fn open_email(
        &self,
        text: &str,
        member: &Member<'_>,
        visit: &Visit<'_>,
    ) -> Result<Option<(AddressToken, MailAddress)>, Problem> {
        let Some(token) = AddressToken::parse(text) else { return Ok(None) };
        let reserved = self.reserve(Way::Link, Who::Unknown, visit)?;
        let open = self.parts.accounts.open_address(member.session.user(), &token);
        let open = open.map_err(|error| self.store_failed(&error, visit))?;
        if open.is_some() {
            reserved.undone();
        }
        Ok(open.map(|address| (token, address)))
    }

    fn dead_email_link(&self, member: &Member<'_>, visit: &Visit<'_>) -> Response<Bytes> {
        let username = member.session.profile().name.to_string();
        self.page(StatusCode::GONE, &ConfirmEmailPage { username, ..ConfirmEmailPage::default() }, visit)
    }

    /// Where mail is sent at all.
    fn postal(&self) -> Result<&MailQueue, Problem> {
        self.parts.mail.as_deref().ok_or(Problem::NotFound)
    }

    fn at_email(&self, rest: &str) -> ReturnTo {
        ReturnTo::parse(&self.ours(&format!("/account/email{rest}")), &self.parts.prefix)
    }
}
