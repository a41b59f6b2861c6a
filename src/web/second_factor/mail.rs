//! Having codes mailed: the page that says what that is worth, and turning it on.
//!
//! SECURITY: BP-63, AUTH-05. Only after a fresh proof of who asks.

use bytes::Bytes;
use http::{Request, StatusCode};
use serde::Serialize;

use super::super::audit::{self, Event};
use super::super::pages::Page;
use super::super::response::Reply;
use super::super::wording::masked;
use super::super::{Problem, Visit, Web};
use crate::auth::events::What;
use crate::auth::mail::Happened;
use crate::auth::second_factors::MailedSetUp;
use crate::domain::MailAddress;
use crate::policy::SignInReason;

/// What the page shows.
#[derive(Default, Serialize)]
pub(in crate::web) struct TwoStepMailPage {
    csrf: String,
    /// Where codes would go, in part.
    mailed_to: String,
}

impl Page for TwoStepMailPage {
    const TEMPLATE: &'static str = "two-step-mail.html";

    fn samples() -> Vec<Self> {
        vec![Self::default()]
    }
}

impl Web {
    pub(super) fn two_step_mail_page(&self, visit: &Visit<'_>) -> Reply {
        let Some(member) = visit.member else { return Ok(self.to_sign_in()) };
        if let Some(first) = self.before_changing(&member, &self.two_step("/mail"), visit)? {
            return Ok(first);
        }
        let failed = |error| self.store_failed(&error, visit);
        let user = self.parts.accounts.by_id(member.session.user()).map_err(failed)?;
        let user = user.ok_or(Problem::SignInRequired)?;
        let address = user.profile.email.as_deref().and_then(MailAddress::parse);
        match address.filter(|_| self.parts.mail.is_some()) {
            Some(address) if self.parts.second_factors.can_be_mailed_to(&user).map_err(failed)? => {
                let page = TwoStepMailPage { csrf: member.proof().to_text(), mailed_to: masked(&address) };
                Ok(self.page(StatusCode::OK, &page, visit))
            }
            _ => Err(Problem::NotFound),
        }
    }

    pub(super) async fn turn_mailed_codes_on(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let Some(member) = visit.member else { return Ok(self.to_sign_in()) };
        self.member_form(request, &member)?;
        let here = self.two_step("/mail");
        if let Some(first) = self.before_changing(&member, &here, visit)? {
            return Ok(first);
        }
        let (user, headers) = (member.session.user(), request.headers());
        let outcome = self.parts.second_factors.mail_codes(member.session).await;
        match outcome.map_err(|error| self.store_failed(&error, visit))? {
            MailedSetUp::AlreadyThere => Ok(self.back_to_account("two-step-there")),
            MailedSetUp::NotOffered => Err(Problem::NotFound),
            MailedSetUp::StepUpFirst => Ok(self.to_login(&here, SignInReason::StepUp)),
            MailedSetUp::Done(codes) => {
                self.note(What::SecondFactorSetUp, user, headers, visit);
                audit::record(Event::SecondFactorSetUpByMail, Some(user), visit);
                self.notify(Happened::TwoStepOn, user, headers, visit).await;
                Ok(self.show_codes(&codes, "", &member, visit))
            }
        }
    }
}
