//! The page that adds a passkey: what to know first, and where it is to live. The rest is the script's and `api`'s.

use bytes::Bytes;
use http::{Request, StatusCode};
use serde::Serialize;

use super::super::pages::Page;
use super::super::request::in_query;
use super::super::response::Reply;
use super::super::{Visit, Web};
use crate::auth::passkeys::Passkeys;
use crate::domain::ReturnTo;
use crate::policy::SignInReason;

/// What the page shows.
#[derive(Default, Serialize)]
pub(in crate::web) struct AddPasskeyPage {
    csrf: String,
    /// Where to go afterwards; empty for the account page.
    return_to: String,
    /// Where to confirm who one is, and come back here.
    confirm_first: String,
    is_first: bool,
    /// One is asked for at each sign-in, so the password is no way in by itself.
    is_required: bool,
    /// Why there is no going on without one.
    needed_by: Option<NeededBy>,
    full_at: Option<usize>,
}

/// What asks for a passkey that the member does not have yet.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
enum NeededBy {
    /// The site, of this member.
    Account,
    /// The page they were going to.
    Page,
}

impl Page for AddPasskeyPage {
    const TEMPLATE: &'static str = "passkey-add.html";

    fn samples() -> Vec<Self> {
        vec![
            Self { is_first: true, return_to: "/".to_owned(), ..Self::default() },
            Self::default(),
            Self { is_required: true, needed_by: Some(NeededBy::Account), ..Self::default() },
            Self { needed_by: Some(NeededBy::Page), ..Self::default() },
            Self { full_at: Some(10), ..Self::default() },
        ]
    }
}

impl Web {
    pub(super) fn add_passkey_page(
        &self,
        passkeys: &Passkeys,
        request: &Request<Bytes>,
        visit: &Visit<'_>,
    ) -> Reply {
        let here = self.return_here(request);
        let Some(member) = visit.member else {
            return Ok(self.to_login(&here, SignInReason::NoSession));
        };
        let profile = member.session.profile();
        if !passkeys.are_offered_to(&profile) {
            return Ok(self.outbound.redirect(StatusCode::SEE_OTHER, &self.ours("/account")));
        }
        let first =
            passkeys.before_adding(member.session).map_err(|error| self.store_failed(&error, visit))?;
        if let Some(reason) = first {
            return Ok(self.to_login(&here, reason));
        }
        let count = self.passkeys_of(passkeys, profile.id, visit)?.len();
        let limit = passkeys.options().max_per_user;
        let page = AddPasskeyPage {
            csrf: member.proof().to_text(),
            return_to: self.optional_return(&in_query(request, "return_to")),
            confirm_first: self.login_address(&here, SignInReason::StepUp),
            is_first: count == 0,
            is_required: passkeys.are_required_of(&profile) || member.session.passkey_for().signing_in,
            needed_by: if passkeys.are_awaited(member.session) {
                Some(NeededBy::Account)
            } else {
                (in_query(request, "needed") == "1").then_some(NeededBy::Page)
            },
            full_at: (count >= limit).then_some(limit),
        };
        Ok(self.page(StatusCode::OK, &page, visit))
    }

    /// This very page, as a return target.
    pub(in crate::web) fn return_here(&self, request: &Request<Bytes>) -> ReturnTo {
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        ReturnTo::parse(target, &self.parts.prefix)
    }

    /// To the sign-in page, and back.
    pub(in crate::web) fn to_login(
        &self,
        return_to: &ReturnTo,
        reason: SignInReason,
    ) -> http::Response<Bytes> {
        self.outbound.redirect(StatusCode::SEE_OTHER, &self.login_address(return_to, reason))
    }
}
