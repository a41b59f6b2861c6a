//! For what a member wants a passkey to be asked, beside what the site asks of them (MX-11, MX-12, OKX-12).

use bytes::Bytes;
use http::Request;
use serde::Serialize;

use super::super::audit::{self, Event};
use super::super::response::Reply;
use super::super::{Member, Visit, Web};
use crate::auth::events::What;
use crate::auth::passkeys::Passkeys;
use crate::domain::{PasskeyFor, ReturnTo};

/// The two boxes on the account page.
#[derive(Clone, Copy, Default, Serialize)]
pub(super) struct Choice {
    signing_in: bool,
    sensitive_actions: bool,
    /// The site asks for it at each sign-in anyway.
    is_required: bool,
    /// There is no other to fall back on.
    has_one_only: bool,
}

impl Choice {
    /// Of a member who has so many.
    pub(super) fn of(passkeys: &Passkeys, member: &Member<'_>, count: usize) -> Option<Self> {
        let PasskeyFor { signing_in, sensitive_actions } = member.session.passkey_for();
        (count > 0).then(|| Self {
            signing_in,
            sensitive_actions,
            is_required: passkeys.are_required_of(&member.session.profile()),
            has_one_only: count == 1,
        })
    }

    /// Examples that go through all branches of the embedded template.
    pub(super) fn samples() -> [Self; 2] {
        let all = Self { signing_in: true, sensitive_actions: true, is_required: true, has_one_only: true };
        [all, Self::default()]
    }
}

impl Web {
    /// SECURITY: MX-12, BP-63. Only after a fresh proof of who asks.
    pub(super) async fn choose_passkey_use(
        &self,
        passkeys: &Passkeys,
        request: &Request<Bytes>,
        visit: &Visit<'_>,
    ) -> Reply {
        let Some(member) = visit.member else { return Ok(self.to_sign_in()) };
        let form = self.member_form(request, &member)?;
        let first = passkeys.first(member.session).map_err(|error| self.store_failed(&error, visit))?;
        if let Some(reason) = first {
            let account = format!("{}?notice=passkey-use-again", self.ours("/account"));
            return Ok(self.to_login(&ReturnTo::parse(&account, &self.parts.prefix), reason));
        }
        let before = member.session.passkey_for();
        let is_required = passkeys.are_required_of(&member.session.profile());
        let choice = PasskeyFor {
            // Where the site asks anyway, the page has no box for it.
            signing_in: if is_required { before.signing_in } else { form.is_ticked("signing_in") },
            sensitive_actions: form.is_ticked("sensitive_actions"),
        };
        let user = member.session.user();
        self.note(What::PasskeyUseChosen, user, request.headers(), visit);
        passkeys.choose(user, choice).await.map_err(|error| self.gone_or_failed(&error, visit))?;
        audit::record(Event::PasskeyUseChosen(choice), Some(user), visit);
        Ok(self.back_to_passkeys("passkey-use-saved"))
    }
}
