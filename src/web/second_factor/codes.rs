//! Recovery codes, shown once: after a second factor is set up, and when a member has new ones made.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde::Serialize;

use super::super::audit::{self, Event};
use super::super::pages::Page;
use super::super::response::Reply;
use super::super::wording::date;
use super::super::{Member, Visit, Web};
use crate::auth::events::What;
use crate::auth::second_factors::RecoveryCodes;

/// What the page shows.
#[derive(Clone, Default, Serialize)]
pub(in crate::web) struct RecoveryCodesPage {
    csrf: String,
    /// Where to go afterwards; empty for the account page.
    return_to: String,
    username: String,
    /// The new codes; none before they are made.
    codes: Vec<String>,
    made: String,
    /// How many of the old ones are left.
    left: usize,
}

impl Page for RecoveryCodesPage {
    const TEMPLATE: &'static str = "two-step-codes.html";

    fn samples() -> Vec<Self> {
        let codes = vec!["0123-4567-89ab-cdef".to_owned(); 2];
        vec![
            Self::default(),
            Self { left: 3, ..Self::default() },
            Self { codes: codes.clone(), ..Self::default() },
            Self { codes, return_to: "/".to_owned(), ..Self::default() },
        ]
    }
}

impl Web {
    pub(super) fn codes_page(&self, visit: &Visit<'_>) -> Reply {
        let Some(member) = visit.member else { return Ok(self.to_sign_in()) };
        if let Some(first) = self.before_changing(&member, &self.two_step("/codes"), visit)? {
            return Ok(first);
        }
        let standing = self.parts.second_factors.of(member.session.user());
        let Some(standing) = standing.map_err(|error| self.store_failed(&error, visit))? else {
            return Ok(self.back_to_account("two-step-off"));
        };
        let page = RecoveryCodesPage {
            csrf: member.proof().to_text(),
            username: member.session.profile().name.to_string(),
            left: standing.recovery_codes,
            ..RecoveryCodesPage::default()
        };
        Ok(self.page(StatusCode::OK, &page, visit))
    }

    pub(super) async fn make_codes(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let Some(member) = visit.member else { return Ok(self.to_sign_in()) };
        self.member_form(request, &member)?;
        if let Some(first) = self.before_changing(&member, &self.two_step("/codes"), visit)? {
            return Ok(first);
        }
        let user = member.session.user();
        let codes = self.parts.second_factors.renew_recovery(user).await;
        let Some(codes) = codes.map_err(|error| self.store_failed(&error, visit))? else {
            return Ok(self.back_to_account("two-step-off"));
        };
        self.note(What::RecoveryCodesMade, user, request.headers(), visit);
        audit::record(Event::RecoveryCodesMade, Some(user), visit);
        Ok(self.show_codes(&codes, "", &member, visit))
    }

    pub(super) fn show_codes(
        &self,
        codes: &RecoveryCodes,
        return_to: &str,
        member: &Member<'_>,
        visit: &Visit<'_>,
    ) -> Response<Bytes> {
        let page = RecoveryCodesPage {
            return_to: return_to.to_owned(),
            username: member.session.profile().name.to_string(),
            codes: codes.shown().collect(),
            made: date(self.parts.clock.now()),
            ..RecoveryCodesPage::default()
        };
        // Its forms would carry the proof of a session that may be over: the page has none but the one to sign out.
        self.page(StatusCode::OK, &page, &Visit { member: None, ..*visit })
    }
}
