//! Taking one's second factor away.

use bytes::Bytes;
use http::header::SET_COOKIE;
use http::{Request, StatusCode};
use serde::Serialize;

use super::super::audit::{self, Event};
use super::super::pages::Page;
use super::super::response::Reply;
use super::super::{Visit, Web};
use crate::auth::events::What;
use crate::auth::mail::Happened;

/// The page that asks whether to.
#[derive(Default, Serialize)]
pub(in crate::web) struct TwoStepOffPage {
    csrf: String,
    /// The site asks this member for one.
    is_required: bool,
}

impl Page for TwoStepOffPage {
    const TEMPLATE: &'static str = "two-step-off.html";

    fn samples() -> Vec<Self> {
        vec![Self::default(), Self { is_required: true, ..Self::default() }]
    }
}

impl Web {
    pub(super) fn two_step_off_page(&self, visit: &Visit<'_>) -> Reply {
        let Some(member) = visit.member else { return Ok(self.to_sign_in()) };
        if let Some(first) = self.before_changing(&member, &self.two_step("/off"), visit)? {
            return Ok(first);
        }
        let page = TwoStepOffPage {
            csrf: member.proof().to_text(),
            is_required: self.parts.second_factors.are_required_of(&member.session.profile()),
        };
        Ok(self.page(StatusCode::OK, &page, visit))
    }

    pub(super) async fn turn_two_step_off(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let Some(member) = visit.member else { return Ok(self.to_sign_in()) };
        self.member_form(request, &member)?;
        if let Some(first) = self.before_changing(&member, &self.two_step("/off"), visit)? {
            return Ok(first);
        }
        let user = member.session.user();
        let removed = self.parts.second_factors.remove(user).await;
        if removed.map_err(|error| self.store_failed(&error, visit))? {
            self.note(What::SecondFactorRemoved, user, request.headers(), visit);
            audit::record(Event::SecondFactorRemoved, Some(user), visit);
            self.notify(Happened::TwoStepOff, user, request.headers(), visit).await;
        }
        let mut response = self.back_to_account("two-step-off");
        response.headers_mut().append(SET_COOKIE, self.parts.cookies.clear_trusted());
        Ok(response)
    }
}
