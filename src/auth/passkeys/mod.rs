//! Passkeys: signing in with one, adding, renaming and removing one, confirming who is there. The only place that names
//! webauthn-rs.
//!
//! SECURITY: BP-40 … BP-49, W1 … W5, WAN-01 … WAN-10. A ceremony's state stays here, in memory: it is used once, belongs to
//! one browser, one purpose and, but for signing in, one account, expires, and is bounded in number. User verification is
//! demanded on the server, so a passkey counts as both factors.

mod add;
mod assertion;
mod ceremonies;
mod checks;
mod options;
mod provider;
mod relying_party;
mod required;
mod sign_in;
mod step_up;

pub use options::{PasskeyOptions, Place, ResidentKey, Rollout, Suggest};
pub use provider::provider;

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use webauthn_rs::Webauthn;
use webauthn_rs::prelude::{DiscoverableAuthentication, PasskeyRegistration};

use self::ceremonies::Ceremonies;
use self::checks::Refused;
use super::{LiveSession, SessionToken, Sessions, links};
use crate::domain::{Clock, CredentialId, Passkey, PasskeyName, Profile, UserId};
use crate::store::{Batch, Change, Store, StoreError, Verdict};

/// The first half of a ceremony, for the browser's script.
#[derive(Clone, Debug)]
pub struct Challenge {
    /// Names the ceremony in its second half; 128 random bits.
    pub ceremony: String,
    /// What `parseRequestOptionsFromJSON` or `parseCreationOptionsFromJSON` takes.
    pub options: Value,
    /// How long the second half may take.
    pub lifetime: Duration,
}

/// Why a ceremony came to nothing. What the member is told is `web`'s business; all of these are logged with their reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failed {
    /// No ceremony of that name waits for this browser: too late, used already, another browser's.
    Ceremony,
    /// It is no longer of the kind that was added: what could be synced can't be any more.
    Changed,
    /// The counter went back: it may have been copied (D11).
    Counter,
    /// The answer proves nothing: signature, challenge, origin, relying party, flags.
    NotProven,
    /// The account is disabled.
    Disabled,
    /// The member switched the account off; said after the proof alone.
    SwitchedOff,
    /// Nobody here has this passkey, or it is another account's than it says.
    Unknown,
    /// The authenticator did not verify its user.
    NotVerified,
    /// From an origin or frame that is not ours.
    Origin,
    /// For another relying party.
    RelyingParty,
}

/// How signing in with a passkey ended.
#[derive(Debug)]
pub enum PasskeySignIn {
    /// It did not work.
    Failed(Failed),
    /// Signed in; the passkey as it is after its use.
    SignedIn(SessionToken, Arc<Profile>, Box<Passkey>),
}

/// How adding one ended or why it can't begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddRefused {
    /// This authenticator's credential is registered already.
    AlreadyThere,
    /// The ceremony came to nothing.
    Failed(Failed),
    /// The account has as many as it may.
    LimitReached(usize),
    /// Not in the roll-out.
    NotOffered,
    /// One that the account has is asked for first.
    PasskeyFirst,
    /// The sign-in is older than [`Passkeys::FRESH`].
    StepUpFirst,
}

/// What waits for the second half of a ceremony. A reload makes new [`Passkeys`] over the same, so nobody has to begin again;
/// the second half is judged by the options that are in force then.
pub struct Pending {
    adding: Ceremonies<PasskeyRegistration>,
    confirming: Ceremonies<DiscoverableAuthentication>,
    signing_in: Ceremonies<DiscoverableAuthentication>,
}

impl Pending {
    /// Nothing waits yet.
    pub fn new(clock: &Arc<dyn Clock>) -> Self {
        Self {
            adding: Ceremonies::new(Arc::clone(clock)),
            confirming: Ceremonies::new(Arc::clone(clock)),
            signing_in: Ceremonies::new(Arc::clone(clock)),
        }
    }
}

/// The use cases.
pub struct Passkeys {
    options: PasskeyOptions,
    relying_party: Webauthn,
    store: Arc<dyn Store>,
    sessions: Arc<Sessions>,
    clock: Arc<dyn Clock>,
    pending: Arc<Pending>,
}

impl Passkeys {
    /// Adding and removing need a sign-in not older than this (BP-63). Renaming does not: it changes nothing about who gets in.
    pub const FRESH: Duration = Duration::from_secs(300);

    /// Wires the use cases. Fails with a sentence for the operator if the relying party is no host or does not fit the
    /// origins, or if passkeys of another relying party are in the store (W5, D5): it names how many members that locks out.
    pub fn new(
        options: PasskeyOptions,
        pending: Arc<Pending>,
        store: Arc<dyn Store>,
        sessions: Arc<Sessions>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, String> {
        let relying_party = relying_party::build(&options)?;
        relying_party::fits_the_store(&options.rp_id, store.as_ref())?;
        Ok(Self { options, relying_party, store, sessions, clock, pending })
    }

    /// The options.
    pub fn options(&self) -> &PasskeyOptions {
        &self.options
    }

    /// Whether this member may add passkeys.
    pub fn are_offered_to(&self, profile: &Profile) -> bool {
        self.options.rollout.reaches(profile)
    }

    /// Whether the member proved who they are within [`Passkeys::FRESH`]. A sign-in that lies ahead of the clock is not
    /// fresh: the clock was set back, and how long ago it was can't be said. A link proves nothing (SECURITY: L9).
    pub fn is_fresh(&self, session: &LiveSession) -> bool {
        let now = self.clock.now();
        session.proved_at().is_some_and(|at| at <= now && now.since(at) <= Self::FRESH)
    }

    /// A member's own passkeys, oldest first; complete, or an error (BP-31).
    pub fn of(&self, user: UserId) -> Result<Vec<Passkey>, StoreError> {
        self.store.passkeys_of(user)
    }

    /// Renames one of the member's own, and applies `with` in the same breath.
    pub async fn rename(
        &self,
        user: UserId,
        id: &CredentialId,
        name: PasskeyName,
        with: Batch,
    ) -> Result<(), StoreError> {
        let revision = Change::RevisePasskey(
            user,
            id.clone(),
            Box::new(move |passkey| {
                passkey.name = name;
                Verdict::Keep
            }),
        );
        let mut batch = with;
        batch.push(revision);
        self.store.apply(batch).await
    }

    /// Removes one of the member's own and ends the sessions it opened. Returns how many of them were live; none, and
    /// nothing is removed, if it is the member's only way in. Applies `also` in the same breath.
    pub async fn remove(
        &self,
        user: UserId,
        id: &CredentialId,
        also: Batch,
    ) -> Result<Option<usize>, StoreError> {
        let Some(mut with) = self.leaving_a_way_in(id, &self.store.passkeys_of(user)?) else {
            return Ok(None);
        };
        with.extend(also);
        with.extend(links::forgotten(user));
        self.sessions.end_opened_with(user, id, with).await.map(Some)
    }

    /// The first half of a ceremony that waits now.
    #[expect(clippy::expect_used, reason = "options are texts, numbers and lists of these")]
    fn challenge(&self, ceremony: String, options: &impl Serialize) -> Challenge {
        let options = serde_json::to_value(options).expect("options are JSON");
        Challenge { ceremony, options, lifetime: ceremonies::LIFETIME }
    }

    /// Writes down that a second half came without its first.
    fn no_ceremony(&self, purpose: &'static str) -> Failed {
        let refused = Refused::new(Failed::Ceremony, "no ceremony of that name waits for this browser");
        self.record(purpose, &refused, &Value::Null, None)
    }

    /// Writes a refusal down, each with its own reason, and gives back what the caller learns. Who asked, and from where,
    /// the caller knows; a passkey that may have been copied (WAN-07) stands in the audit log by itself.
    fn record(
        &self,
        purpose: &'static str,
        refused: &Refused,
        answer: &Value,
        member: Option<UserId>,
    ) -> Failed {
        let credential = checks::credential_in(answer);
        let credential = credential.as_ref().map(tracing::field::debug);
        let member = member.map(tracing::field::display);
        let reason = refused.reason.as_ref();
        if refused.failed == Failed::Counter {
            tracing::warn!(
                target: "passgate::audit", event = "passkey-suspect", purpose, reason, credential, member,
            );
        } else {
            tracing::info!(
                target: "passgate::passkeys", event = "passkey-refused", purpose, reason, credential, member,
            );
        }
        refused.failed
    }
}

/// A software authenticator, for tests of other floors too.
#[cfg(test)]
pub(crate) use tests::device::Device;

#[cfg(test)]
mod tests;
