//! Renaming and removing a passkey, by plain forms. A member's own ones only: another's can't be named here.

use bytes::Bytes;
use http::header::SET_COOKIE;
use http::{Request, Response, StatusCode};
use serde::Serialize;

use super::super::audit::{self, Event};
use super::super::pages::Page;
use super::super::request::in_query;
use super::super::response::Reply;
use super::super::{Member, Problem, Visit, Web};
use super::signal;
use crate::auth::events::What;
use crate::auth::mail::Happened as Told;
use crate::auth::passkeys::Passkeys;
use crate::domain::{Passkey, PasskeyFor, PasskeyName, ReturnTo};
use crate::policy::SignInReason;
use crate::store::StoreError;

/// The page that gives a passkey another name; also the last step of adding one.
#[derive(Default, Serialize)]
pub(in crate::web) struct RenamePasskeyPage {
    csrf: String,
    handle: String,
    name: String,
    max_chars: usize,
    /// Where to go afterwards; empty for the account page.
    return_to: String,
    is_new: bool,
    is_refused: bool,
    /// Whether the member is signed in elsewhere, too.
    has_other_sessions: bool,
    signal: Option<String>,
}

impl Page for RenamePasskeyPage {
    const TEMPLATE: &'static str = "passkey-rename.html";

    fn samples() -> Vec<Self> {
        let new = Self {
            is_new: true,
            return_to: "/".to_owned(),
            has_other_sessions: true,
            signal: Some("{}".to_owned()),
            ..Self::default()
        };
        let refused = Self { is_refused: true, ..Self::default() };
        vec![new, Self { is_new: true, is_refused: true, ..Self::default() }, refused]
    }
}

/// The page that asks whether to remove one.
#[derive(Default, Serialize)]
pub(in crate::web) struct RemovePasskeyPage {
    csrf: String,
    handle: String,
    name: String,
    is_last: bool,
    /// Nobody signs in with a password here, so the last one can't go.
    passkeys_only: bool,
    /// A passkey is asked for by the member's choice, which ends with the last one.
    is_asked_for: bool,
    is_current: bool,
}

impl Page for RemovePasskeyPage {
    const TEMPLATE: &'static str = "passkey-remove.html";

    fn samples() -> Vec<Self> {
        let last = || Self { is_last: true, is_current: true, ..Self::default() };
        let asked = Self { is_asked_for: true, ..last() };
        let only = Self { passkeys_only: true, ..Self::default() };
        vec![last(), asked, Self { passkeys_only: true, ..last() }, only, Self::default()]
    }
}

/// A member's passkeys, and the one that is meant.
struct Meant {
    all: Vec<Passkey>,
    one: Passkey,
}

impl Web {
    pub(super) fn rename_passkey_page(
        &self,
        passkeys: &Passkeys,
        request: &Request<Bytes>,
        visit: &Visit<'_>,
    ) -> Reply {
        let Some(member) = visit.member else {
            return Ok(self.to_login(&self.return_here(request), SignInReason::NoSession));
        };
        if let Some(first) = self.awaited_first(&member, &self.return_here(request)) {
            return Ok(first);
        }
        let Meant { all, one } = self.meant(passkeys, &in_query(request, "passkey"), &member, visit)?;
        let page = RenamePasskeyPage {
            csrf: member.proof().to_text(),
            handle: one.id.handle(),
            name: one.name.as_str().to_owned(),
            max_chars: PasskeyName::MAX_CHARS,
            return_to: self.optional_return(&in_query(request, "return_to")),
            is_new: in_query(request, "new") == "1",
            is_refused: false,
            has_other_sessions: self.parts.sessions.of(member.session.user()).len() > 1,
            signal: signal::to_text(passkeys, &member.session.profile(), &all),
        };
        Ok(self.page(StatusCode::OK, &page, visit))
    }

    pub(super) async fn rename_passkey(
        &self,
        passkeys: &Passkeys,
        request: &Request<Bytes>,
        visit: &Visit<'_>,
    ) -> Reply {
        let Some(member) = visit.member else { return Ok(self.to_sign_in()) };
        let form = self.member_form(request, &member)?;
        if let Some(first) = self.awaited_first(&member, &self.account()) {
            return Ok(first);
        }
        let Meant { one, .. } = self.meant(passkeys, form.text("passkey"), &member, visit)?;
        let return_to = self.optional_return(form.text("return_to"));
        let Ok(name) = PasskeyName::parse(form.text("name")) else {
            let page = RenamePasskeyPage {
                csrf: member.proof().to_text(),
                handle: one.id.handle(),
                name: form.text("name").to_owned(),
                max_chars: PasskeyName::MAX_CHARS,
                return_to,
                is_new: form.is_ticked("new"),
                is_refused: true,
                has_other_sessions: false,
                signal: None,
            };
            return Ok(self.page(StatusCode::UNPROCESSABLE_ENTITY, &page, visit));
        };
        let event = self.seen_happening(What::PasskeyRenamed, request.headers(), visit).about(name.as_str());
        let with = if form.is_ticked("new") { Vec::new() } else { vec![event.kept(one.user)] };
        let renamed = passkeys.rename(one.user, &one.id, name, with).await;
        renamed.map_err(|error| self.gone_or_failed(&error, visit))?;
        audit::record(Event::PasskeyRenamed, Some(one.user), visit);
        let notice = if form.is_ticked("new") { "passkey-added" } else { "passkey-renamed" };
        Ok(match return_to.as_str() {
            "" => self.back_to_passkeys(notice),
            elsewhere => self.outbound.redirect(StatusCode::SEE_OTHER, elsewhere),
        })
    }

    pub(super) fn remove_passkey_page(
        &self,
        passkeys: &Passkeys,
        request: &Request<Bytes>,
        visit: &Visit<'_>,
    ) -> Reply {
        let here = self.return_here(request);
        let Some(member) = visit.member else { return Ok(self.to_login(&here, SignInReason::NoSession)) };
        let meant = self.meant(passkeys, &in_query(request, "passkey"), &member, visit)?;
        let first = passkeys.first(member.session).map_err(|error| self.store_failed(&error, visit))?;
        Ok(match first {
            Some(reason) => self.to_login(&here, reason),
            None => self.ask_to_remove(passkeys, &meant, &member, visit),
        })
    }

    /// SECURITY: BP-63. Only after a fresh proof of who asks; a last one takes a tick more.
    pub(super) async fn remove_passkey(
        &self,
        passkeys: &Passkeys,
        request: &Request<Bytes>,
        visit: &Visit<'_>,
    ) -> Reply {
        let Some(member) = visit.member else { return Ok(self.to_sign_in()) };
        let form = self.member_form(request, &member)?;
        let meant = self.meant(passkeys, form.text("passkey"), &member, visit)?;
        let first = passkeys.first(member.session).map_err(|error| self.store_failed(&error, visit))?;
        if let Some(reason) = first {
            let page = format!("{}?passkey={}", self.ours("/account/passkeys/remove"), meant.one.id.handle());
            return Ok(self.to_login(&ReturnTo::parse(&page, &self.parts.prefix), reason));
        }
        if meant.all.len() == 1 && !form.is_ticked("sure") {
            return Ok(self.ask_to_remove(passkeys, &meant, &member, visit));
        }
        let was_current = self.opened(&meant.one, &member);
        let event = self.seen_happening(What::PasskeyRemoved, request.headers(), visit);
        let mut with = vec![event.about(meant.one.name.as_str()).kept(meant.one.user)];
        let profile = member.session.profile();
        with.extend(self.notice(Told::PasskeyRemoved, &profile, request.headers(), visit));
        let removed = passkeys.remove(meant.one.user, &meant.one.id, with).await;
        let Some(sessions) = removed.map_err(|error| self.gone_or_failed(&error, visit))? else {
            return Ok(self.ask_to_remove(passkeys, &meant, &member, visit));
        };
        audit::record(Event::PasskeyRemoved(sessions), Some(meant.one.user), visit);
        if !was_current {
            return Ok(self.back_to_passkeys("passkey-removed"));
        }
        let address = self.ours("/login?notice=passkey-removed");
        let mut response = self.outbound.redirect(StatusCode::SEE_OTHER, &address);
        response.headers_mut().append(SET_COOKIE, self.parts.cookies.clear_session());
        Ok(response)
    }

    /// Where a new passkey gets its name.
    pub(super) fn rename_address(&self, handle: &str, return_to: &str) -> String {
        let target: String = form_urlencoded::byte_serialize(return_to.as_bytes()).collect();
        let address = format!("{}?passkey={handle}&new=1", self.ours("/account/passkeys/rename"));
        if target.is_empty() { address } else { format!("{address}&return_to={target}") }
    }

    fn ask_to_remove(
        &self,
        passkeys: &Passkeys,
        meant: &Meant,
        member: &Member<'_>,
        visit: &Visit<'_>,
    ) -> Response<Bytes> {
        let is_last = meant.all.len() == 1;
        let page = RemovePasskeyPage {
            csrf: member.proof().to_text(),
            handle: meant.one.id.handle(),
            name: meant.one.name.as_str().to_owned(),
            is_last,
            passkeys_only: passkeys.are_the_only_way(),
            is_asked_for: is_last && member.session.passkey_for() != PasskeyFor::default(),
            is_current: self.opened(&meant.one, member),
        };
        let status = if is_last && page.passkeys_only { StatusCode::CONFLICT } else { StatusCode::OK };
        self.page(status, &page, visit)
    }

    pub(super) fn back_to_passkeys(&self, notice: &str) -> Response<Bytes> {
        let address = format!("{}?notice={notice}", self.ours("/account"));
        self.outbound.redirect(StatusCode::SEE_OTHER, &address)
    }

    fn meant(
        &self,
        passkeys: &Passkeys,
        named: &str,
        member: &Member<'_>,
        visit: &Visit<'_>,
    ) -> Result<Meant, Problem> {
        let all = self.passkeys_of(passkeys, member.session.user(), visit)?;
        let one = all.iter().find(|passkey| passkey.id.handle() == named).cloned();
        one.map(|one| Meant { one, all }).ok_or(Problem::NotFound)
    }

    /// Two tabs may remove the same one.
    pub(super) fn gone_or_failed(&self, error: &StoreError, visit: &Visit<'_>) -> Problem {
        match error {
            StoreError::NoSuchPasskey => Problem::NotFound,
            error => self.store_failed(error, visit),
        }
    }
}
