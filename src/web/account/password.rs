//! Whether a member has a password, for the section that leads to changing it.

use serde::Serialize;

use super::super::{Member, Problem, Visit, Web};

/// How a member stands to their password.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum OwnPassword {
    None,
    Set,
}

impl OwnPassword {
    /// All of them, for the samples of the page.
    pub(super) const ALL: [Self; 2] = [Self::None, Self::Set];
}

impl Web {
    /// Nothing where nobody signs in with a password, and for who has neither that nor a passkey to set one with.
    pub(super) fn own_password(
        &self,
        member: &Member<'_>,
        visit: &Visit<'_>,
    ) -> Result<Option<OwnPassword>, Problem> {
        if self.passwords_are_off() {
            return Ok(None);
        }
        let failed = |error| self.store_failed(&error, visit);
        let user = self.parts.accounts.account(member.session.user()).map_err(failed)?;
        let Some(user) = user else { return Ok(None) };
        if user.password.is_some() {
            return Ok(Some(OwnPassword::Set));
        }
        let passkeys = self.parts.passkeys.as_deref();
        let own = passkeys.map(|passkeys| passkeys.of(user.profile.id)).transpose().map_err(failed)?;
        Ok(own.is_some_and(|own| !own.is_empty()).then_some(OwnPassword::None))
    }
}
