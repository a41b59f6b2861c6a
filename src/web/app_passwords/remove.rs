//! Removing an app password, by a plain form. A member's own ones only: another's can't be named here.

use bytes::Bytes;
use http::{Request, StatusCode};
use serde::Serialize;

use super::super::audit::{self, Event};
use super::super::pages::Page;
use super::super::request::in_query;
use super::super::response::Reply;
use super::super::{Problem, Visit, Web};
use crate::auth::events::What;
use crate::auth::mail::Happened as Told;
use crate::domain::ReturnTo;

/// The page that asks whether to.
#[derive(Default, Serialize)]
pub(in crate::web) struct RemoveAppPasswordPage {
    csrf: String,
    id: String,
    name: String,
}

impl Page for RemoveAppPasswordPage {
    const TEMPLATE: &'static str = "app-password-remove.html";

    fn samples() -> Vec<Self> {
        vec![Self::default()]
    }
}

impl Web {
    pub(super) fn remove_app_password_page(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let Some(member) = visit.member else { return Ok(self.to_sign_in()) };
        let id = in_query(request, "id");
        if let Some(first) = self.before_app_passwords(&member, &self.removing(&id), visit)? {
            return Ok(first);
        }
        let all = self.app_passwords_of(&member, visit)?;
        let one = all.into_iter().find(|one| one.id == id).ok_or(Problem::NotFound)?;
        let page = RemoveAppPasswordPage { csrf: member.proof().to_text(), id: one.id, name: one.name };
        Ok(self.page(StatusCode::OK, &page, visit))
    }

    pub(super) async fn remove_app_password(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let Some(member) = visit.member else { return Ok(self.to_sign_in()) };
        let form = self.member_form(request, &member)?;
        let id = form.text("id");
        if let Some(first) = self.before_app_passwords(&member, &self.removing(id), visit)? {
            return Ok(first);
        }
        let all = self.app_passwords_of(&member, visit)?;
        let one = all.into_iter().find(|one| one.id == id).ok_or(Problem::NotFound)?;
        let user = member.session.user();
        let event = self.seen_happening(What::AppPasswordRemoved, request.headers(), visit).about(&one.name);
        let mut with = vec![event.kept(user)];
        let profile = member.session.profile();
        with.extend(self.notice(Told::AppPasswordRemoved, &profile, request.headers(), visit));
        let removed = self.parts.accounts.remove_app_password(user, id, with).await;
        // Two tabs may remove the same one.
        if removed.map_err(|error| self.store_failed(&error, visit))? {
            audit::record(Event::AppPasswordRemoved, Some(user), visit);
        }
        Ok(self.back_to_account("app-password-removed"))
    }

    fn removing(&self, id: &str) -> ReturnTo {
        let id: String = form_urlencoded::byte_serialize(id.as_bytes()).collect();
        self.app_passwords(&format!("/remove?id={id}"))
    }
}
