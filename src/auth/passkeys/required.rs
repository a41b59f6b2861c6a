//! What takes a passkey and no less: which sessions wait for one, and how a member confirms before credentials change.
//!
//! SECURITY: BP-63, BP-65, BP-68. Who has a passkey that is asked for changes nothing with a password alone, and adds no
//! other passkey with it: that would be a way around the first. Who has none yet adds the first after a fresh sign-in of
//! whichever kind.

use super::Passkeys;
use crate::auth::{LiveSession, links};
use crate::domain::{CredentialId, Passkey, PasskeyFor, Profile, Proof, User, UserId};
use crate::policy::SignInReason;
use crate::store::{Change, StoreError};

impl Passkeys {
    /// Whether this session reaches our own pages alone before a passkey proves it.
    pub fn are_awaited(&self, session: &LiveSession) -> bool {
        let profile = session.profile();
        self.options.required_for.demand(&session.presence(&profile)).is_some()
    }

    /// Whether the site asks this member for a passkey, whatever they choose.
    pub fn are_required_of(&self, profile: &Profile) -> bool {
        self.options.required_for.demand_of_the_site(profile).is_some()
    }

    /// Whether nobody signs in with a password.
    pub fn are_the_only_way(&self) -> bool {
        self.options.are_the_only_way()
    }

    /// Whether this member confirms with a passkey alone: it is required of them, or their choice, and they have one.
    pub fn alone_confirm(&self, session: &LiveSession) -> Result<bool, StoreError> {
        let is_asked =
            self.are_required_of(&session.profile()) || session.passkey_for() != PasskeyFor::default();
        Ok(is_asked && !self.store.passkeys_of(session.user())?.is_empty())
    }

    /// Whether a passkey is asked of this member for anything: so a password must not be the way to another passkey.
    pub(super) fn is_asked_of(&self, session: &LiveSession) -> bool {
        let profile = session.profile();
        let by_rules = self.options.asked_by_rules.demand_of_the_site(&profile).is_some();
        by_rules || self.are_required_of(&profile) || session.passkey_for() != PasskeyFor::default()
    }

    /// What has to come before what this member signs in with is changed; nothing if they have just proven who they are.
    pub fn first(&self, session: &LiveSession) -> Result<Option<SignInReason>, StoreError> {
        let alone = self.is_asked_of(session) && !self.store.passkeys_of(session.user())?.is_empty();
        let is_proven = self.is_fresh(session) && !(alone && session.proof() != Proof::Passkey);
        Ok((!is_proven).then_some(if alone { SignInReason::Passkey } else { SignInReason::StepUp }))
    }

    /// [`Passkeys::first`], but for adding one: where an operator vouches for the member, nothing has to come before it.
    pub fn before_adding(&self, session: &LiveSession) -> Result<Option<SignInReason>, StoreError> {
        let is_granted = |user: User| links::is_granted(&user, session.id(), self.clock.now());
        let is_vouched_for = self.store.user(session.user())?.is_some_and(is_granted);
        if is_vouched_for { Ok(None) } else { self.first(session) }
    }

    /// Sets for what a member wants a passkey to be asked. [`StoreError::NoSuchPasskey`] if they have none.
    pub async fn choose(&self, user: UserId, choice: PasskeyFor) -> Result<(), StoreError> {
        let one = self.store.passkeys_of(user)?.into_iter().next().ok_or(StoreError::NoSuchPasskey)?;
        self.sessions.choose(user, one.id, choice).await
    }

    /// What has to hold for one of these to be removed: where there is no other way in, another one stays (BP-68). None if
    /// there is no other.
    pub(super) fn leaving_a_way_in(&self, id: &CredentialId, all: &[Passkey]) -> Option<Vec<Change>> {
        if !self.are_the_only_way() {
            return Some(Vec::new());
        }
        let other = all.iter().find(|passkey| passkey.id != *id)?;
        Some(vec![Change::still_there(other.user, other.id.clone())])
    }
}
