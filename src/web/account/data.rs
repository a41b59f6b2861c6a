//! What is held about a member, on a page of its own: all of it to take along (SIB-14).

use bytes::Bytes;
use http::header::CONTENT_DISPOSITION;
use http::{HeaderValue, Request, StatusCode};
use serde::Serialize;

use super::super::audit::{self, Event};
use super::super::pages::Page;
use super::super::response::Reply;
use super::super::{Visit, Web};
use crate::auth::SelfDelete;
use crate::auth::events::What;
use crate::domain::ReturnTo;

/// What the page shows.
#[derive(Default, Serialize)]
pub(in crate::web) struct DataPage {
    csrf: String,
    /// Whether members delete their accounts themselves, or ask for it.
    deletes: bool,
}

impl Page for DataPage {
    const TEMPLATE: &'static str = "account-data.html";

    fn samples() -> Vec<Self> {
        vec![Self::default(), Self { deletes: true, ..Self::default() }]
    }
}

impl Web {
    pub(in crate::web) fn data_page(&self, visit: &Visit<'_>) -> Reply {
        let Some(member) = visit.member else { return Ok(self.to_sign_in()) };
        if let Some(first) = self.awaited_first(&member, &self.account()) {
            return Ok(first);
        }
        let deletes = self.parts.self_delete != SelfDelete::Off;
        Ok(self.page(StatusCode::OK, &DataPage { csrf: member.proof().to_text(), deletes }, visit))
    }

    /// SECURITY: only after a fresh proof of who asks, since it is all in one place; by a form, so that no link can fetch it.
    pub(in crate::web) fn export(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let Some(member) = visit.member else { return Ok(self.to_sign_in()) };
        self.member_form(request, &member)?;
        if let Some(reason) = self.proof_first(&member, visit)? {
            return Ok(self.to_login(&self.data(), reason));
        }
        let all = self.all_about(&member, visit)?;
        let user = member.session.user();
        self.note(What::DataExported, user, request.headers(), visit);
        audit::record(Event::DataExported, Some(user), visit);
        let mut response = self.outbound.json(StatusCode::OK, &all);
        let name = HeaderValue::from_static("attachment; filename=\"my-account.json\"");
        response.headers_mut().insert(CONTENT_DISPOSITION, name);
        Ok(response)
    }

    /// The page, as a return target.
    pub(super) fn data(&self) -> ReturnTo {
        ReturnTo::parse(&self.ours("/account/data"), &self.parts.prefix)
    }
}
