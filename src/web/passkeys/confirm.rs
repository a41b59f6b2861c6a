//! How a signed-in member confirms who they are where a password is not enough, and where a session goes that waits for a
//! passkey.
//!
//! SECURITY: BP-49, BP-64, BP-65. What is asked here depends on the member, who has proven a password or more by now; the
//! page for strangers stays the same for every name (D3, BP-51). Each way ends in a page that answers, so nobody is sent
//! round in circles: a passkey is asked of those who have one, the others are sent to add one, or told why they can't.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Serialize;

use super::super::audit::Event;
use super::super::pages::Page;
use super::super::response::Reply;
use super::super::{Member, Problem, Visit, Web};
use crate::auth::LiveSession;
use crate::auth::passkeys::{Passkeys, Suggest};
use crate::domain::{Persistence, ReturnTo};
use crate::policy::SignInReason;

/// The page that asks for a passkey, and nothing else.
#[derive(Default, Serialize)]
pub(in crate::web) struct ConfirmPasskeyPage {
    csrf: String,
    return_to: String,
    /// Without it there is no going on at all; otherwise it is this one page that asks.
    is_awaited: bool,
}

impl Page for ConfirmPasskeyPage {
    const TEMPLATE: &'static str = "passkey-confirm.html";

    fn samples() -> Vec<Self> {
        vec![Self { is_awaited: true, ..Self::default() }, Self::default()]
    }
}

impl Web {
    /// Whether nobody signs in with a password here.
    pub(in crate::web) fn passwords_are_off(&self) -> bool {
        self.parts.passkeys.as_deref().is_some_and(Passkeys::are_the_only_way)
    }

    /// Whether this session reaches our own pages alone before a passkey proves it.
    pub(in crate::web) fn awaits_passkey(&self, session: &LiveSession) -> bool {
        self.parts.passkeys.as_deref().is_some_and(|passkeys| passkeys.are_awaited(session))
    }

    /// What this session waits for before it reaches more than our own pages, if it waits.
    pub(in crate::web) fn awaited(&self, session: &LiveSession) -> Option<SignInReason> {
        if self.awaits_passkey(session) {
            return Some(SignInReason::Passkey);
        }
        self.parts.second_factors.are_awaited(session).then_some(SignInReason::SecondFactor)
    }

    /// Where a session that waits for a passkey or a second factor is sent before it may do anything at `return_to`.
    pub(in crate::web) fn awaited_first(
        &self,
        member: &Member<'_>,
        return_to: &ReturnTo,
    ) -> Option<Response<Bytes>> {
        self.awaited(member.session).map(|reason| self.to_login(return_to, reason))
    }

    /// The answer to a member who is to confirm; none where the form with the password is as good.
    pub(in crate::web) fn confirm_by_passkey(
        &self,
        member: &Member<'_>,
        return_to: &ReturnTo,
        reason: SignInReason,
        visit: &Visit<'_>,
    ) -> Result<Option<Response<Bytes>>, Problem> {
        let Some(passkeys) = self.parts.passkeys.as_deref() else { return Ok(None) };
        let has_one = !self.passkeys_of(passkeys, member.session.user(), visit)?.is_empty();
        let alone = passkeys.alone_confirm(member.session);
        let alone = alone.map_err(|error| self.store_failed(&error, visit))?;
        match (reason, has_one) {
            (SignInReason::Passkey, false) => self.to_adding(passkeys, member, return_to).map(Some),
            (reason, true) if alone || reason == SignInReason::Passkey => {
                let page = ConfirmPasskeyPage {
                    csrf: member.proof().to_text(),
                    return_to: return_to.to_string(),
                    is_awaited: passkeys.are_awaited(member.session),
                };
                Ok(Some(self.page(StatusCode::OK, &page, visit)))
            }
            _ if passkeys.are_the_only_way() => Err(Problem::NewLinkNeeded),
            _ => Ok(None),
        }
    }

    /// To the page that adds a passkey, which says that one is needed.
    fn to_adding(&self, passkeys: &Passkeys, member: &Member<'_>, return_to: &ReturnTo) -> Reply {
        if !passkeys.are_offered_to(&member.session.profile()) {
            return Err(Problem::PasskeyNotOffered);
        }
        let address = format!("{}&needed=1", self.add_address(return_to));
        Ok(self.outbound.redirect(StatusCode::SEE_OTHER, &address))
    }

    /// The page that adds a passkey, and goes on to `return_to`.
    pub(in crate::web) fn add_address(&self, return_to: &ReturnTo) -> String {
        let target: String = form_urlencoded::byte_serialize(return_to.as_str().as_bytes()).collect();
        format!("{}?return_to={target}", self.ours("/account/passkeys/add"))
    }

    /// Whether whoever confirms with the password is offered to add a passkey after that (MX-14). Not on a shared computer
    /// (BP-27).
    pub(in crate::web) fn offers_adding_after(&self, session: &LiveSession) -> bool {
        self.parts.passkeys.as_deref().is_some_and(|passkeys| {
            passkeys.options().suggest != Suggest::Never
                && session.persistence() != Persistence::Shared
                && passkeys.are_offered_to(&session.profile())
                && passkeys.of(session.user()).is_ok_and(|all| all.is_empty())
        })
    }

    /// What has to come before going on with a password that was right, and how that is written down; none if nothing has to.
    ///
    /// Our own pages look after themselves; so whoever has neither passkey nor second factor yet gets from the password to the
    /// page that adds one.
    pub(in crate::web) fn before_going_on(
        &self,
        session: &LiveSession,
        return_to: &ReturnTo,
    ) -> Option<(String, Event)> {
        let reason = self.awaited(session)?;
        let event = match reason {
            SignInReason::Passkey => Event::PasskeyAwaited,
            _ => Event::SecondFactorAwaited,
        };
        let is_ours = return_to.as_str().starts_with(&self.ours("/"));
        let passkeys = self.parts.passkeys.as_deref();
        let has_none =
            passkeys.is_none_or(|passkeys| passkeys.of(session.user()).is_ok_and(|all| all.is_empty()));
        let next = || self.login_address(return_to, reason);
        Some((if is_ours && has_none { return_to.to_string() } else { next() }, event))
    }
}
