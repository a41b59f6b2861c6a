//! Switching one's account off, or leaving for good (SIB-15).
//!
//! SECURITY: BP-63. Only after a fresh proof of who asks; and asked once more, since it can't always be taken back.

use bytes::Bytes;
use http::header::SET_COOKIE;
use http::{Request, StatusCode};
use serde::Serialize;

use super::super::audit::{self, Event};
use super::super::pages::Page;
use super::super::request::in_query;
use super::super::response::Reply;
use super::super::{Problem, Visit, Web};
use crate::auth::SelfDelete;
use crate::auth::events::What;
use crate::domain::{ReturnTo, UserState};

/// What the page shows.
#[derive(Default, Serialize)]
pub(in crate::web) struct LeavePage {
    csrf: String,
    for_good: bool,
    /// Whether the account is deleted at once.
    at_once: bool,
}

impl Page for LeavePage {
    const TEMPLATE: &'static str = "account-leave.html";

    fn samples() -> Vec<Self> {
        let good = || Self { for_good: true, ..Self::default() };
        vec![Self::default(), good(), Self { at_once: true, ..good() }]
    }
}

impl Web {
    pub(in crate::web) fn leave_page(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let for_good = in_query(request, "for") == "good";
        let Some(member) = visit.member else { return Ok(self.to_sign_in()) };
        if let Some(reason) = self.proof_first(&member, visit)? {
            return Ok(self.to_login(&self.leaving(for_good), reason));
        }
        if for_good && self.parts.self_delete == SelfDelete::Off {
            return Err(Problem::NotFound);
        }
        let at_once = self.parts.self_delete == SelfDelete::Now;
        let page = LeavePage { csrf: member.proof().to_text(), for_good, at_once };
        Ok(self.page(StatusCode::OK, &page, visit))
    }

    pub(in crate::web) async fn leave(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let Some(member) = visit.member else { return Ok(self.to_sign_in()) };
        let form = self.member_form(request, &member)?;
        let for_good = form.text("for") == "good";
        if let Some(reason) = self.proof_first(&member, visit)? {
            return Ok(self.to_login(&self.leaving(for_good), reason));
        }
        let (user, accounts) = (member.session.user(), &self.parts.accounts);
        let seen = |what| self.seen_happening(what, request.headers(), visit);
        let (done, event, notice) = match (for_good, self.parts.self_delete) {
            (false, _) => {
                let off = accounts.switch_off(user, UserState::Deactivated, seen(What::Deactivated)).await;
                (off, Event::Deactivated, "deactivated")
            }
            (true, SelfDelete::Request) => {
                let off = accounts.switch_off(user, UserState::Leaving, seen(What::DeletionAsked)).await;
                (off, Event::DeletionAsked, "deletion-asked")
            }
            (true, SelfDelete::Now) => (accounts.delete(user).await, Event::Deleted, "deleted"),
            (true, SelfDelete::Off) => return Err(Problem::NotFound),
        };
        done.map_err(|error| self.store_failed(&error, visit))?;
        audit::record(event, Some(user), visit);
        let address = format!("{}?notice={notice}", self.ours("/login"));
        let mut response = self.outbound.redirect(StatusCode::SEE_OTHER, &address);
        response.headers_mut().append(SET_COOKIE, self.parts.cookies.clear_session());
        Ok(response)
    }

    fn leaving(&self, for_good: bool) -> ReturnTo {
        let page = self.ours(if for_good { "/account/leave?for=good" } else { "/account/leave" });
        ReturnTo::parse(&page, &self.parts.prefix)
    }
}
