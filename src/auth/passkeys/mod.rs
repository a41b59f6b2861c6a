//! Passkeys: signing in with one, adding, renaming and removing one, confirming who is there. The only place that names
//! webauthn-rs.
//!
//! SECURITY: BP-40 … BP-49, W1 … W5, WAN-01 … WAN-10. A ceremony's state stays here, in memory: it is used once, belongs to
//! one browser, one purpose and, but for signing in, one account, expires, and is bounded in number. User verification is
//! demanded on the server, so a passkey counts as both factors.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::{LiveSession, SessionToken, Sessions};
use crate::domain::{
    Clock, CredentialId, Group, Passkey, PasskeyName, Persistence, Profile, TokenHash, UserId,
};
use crate::store::{Store, StoreError};

/// Passkeys, as far as they can be configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasskeyOptions {
    /// Who may have them.
    pub rollout: Rollout,
    /// When a member is offered one.
    pub suggest: Suggest,
    /// How many an account may have.
    pub max_per_user: usize,
    /// The relying party: the host of the public URL, or a domain above it. Fixed once the first passkey is stored.
    pub rp_id: String,
    /// What authenticators show as the site's name.
    pub rp_name: String,
    /// The origins that ceremonies may come from, as browsers write them.
    pub origins: Vec<String>,
    /// Whether a passkey has to be discoverable.
    pub resident_key: ResidentKey,
}

/// Who may add passkeys. Signing in with one that exists works in every stage but `Off`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rollout {
    /// Nobody; no page speaks of passkeys.
    Off,
    /// Members in one of these groups.
    Groups(Vec<Group>),
    /// Everyone.
    Everyone,
}

/// When a member without a passkey is offered one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suggest {
    /// Never; the account page does not speak of it either before the first one.
    Never,
    /// On the account page.
    SettingsOnly,
    /// After signing in with a password, too.
    AfterLogin,
}

/// Whether a passkey has to be discoverable, so that no name is needed to sign in with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResidentKey {
    /// If the authenticator can.
    Preferred,
    /// It has to.
    Required,
}

/// Where a new passkey is to live; what the member chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Wherever the browser offers.
    Any,
    /// On a phone or tablet near by.
    Phone,
    /// On a security key.
    SecurityKey,
    /// On this device.
    ThisDevice,
}

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
    /// The counter went back: it may have been copied (D11).
    Counter,
    /// The answer proves nothing: signature, challenge, origin, relying party, flags.
    NotProven,
    /// The account is disabled.
    Disabled,
    /// Nobody here has this passkey, or it is another account's than it says.
    Unknown,
    /// The authenticator did not verify its user.
    NotVerified,
    /// From an origin or frame that is not ours.
    Origin,
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
    /// The sign-in is older than [`Passkeys::FRESH`].
    StepUpFirst,
}

/// The use cases.
pub struct Passkeys {
    _options: PasskeyOptions,
    _store: Arc<dyn Store>,
    _sessions: Arc<Sessions>,
    _clock: Arc<dyn Clock>,
}

impl Passkeys {
    /// Adding, renaming and removing need a sign-in not older than this (BP-63).
    pub const FRESH: Duration = Duration::from_secs(300);

    /// Wires the use cases. Fails with a sentence for the operator if the relying party is no host or does not fit the
    /// origins, or if passkeys of another relying party are in the store (W5, D5): it names how many members that locks out.
    pub fn new(
        _options: PasskeyOptions,
        _store: Arc<dyn Store>,
        _sessions: Arc<Sessions>,
        _clock: Arc<dyn Clock>,
    ) -> Result<Self, String> {
        todo!()
    }

    /// The options.
    pub fn options(&self) -> &PasskeyOptions {
        todo!()
    }

    /// Whether this member may add passkeys.
    pub fn are_offered_to(&self, _profile: &Profile) -> bool {
        todo!()
    }

    /// Begins signing in, for autofill and button alike: no account is named, so nothing can be learnt (D2, BP-50 … 54).
    /// `browser` is what ties the ceremony to a browser: the hash of its browser token.
    pub fn begin_sign_in(&self, _browser: TokenHash) -> Challenge {
        todo!()
    }

    /// Ends signing in with what the browser's `toJSON()` gave.
    pub async fn finish_sign_in(
        &self,
        _browser: TokenHash,
        _ceremony: &str,
        _answer: &Value,
        _persistence: Persistence,
        _user_agent: &str,
    ) -> Result<PasskeySignIn, StoreError> {
        todo!()
    }

    /// Begins adding a passkey for the member of this session; refused before any device prompt if it can't work.
    pub fn begin_add(
        &self,
        _session: &LiveSession,
        _place: Place,
    ) -> Result<Result<Challenge, AddRefused>, StoreError> {
        todo!()
    }

    /// Ends adding. `name` is what the member chose, or none for [`Passkeys::suggested_name`].
    pub async fn finish_add(
        &self,
        _session: &LiveSession,
        _ceremony: &str,
        _answer: &Value,
        _name: Option<PasskeyName>,
        _user_agent: &str,
    ) -> Result<Result<Passkey, AddRefused>, StoreError> {
        todo!()
    }

    /// Begins confirming who is there, with the member's own passkeys alone.
    pub fn begin_step_up(&self, _session: &LiveSession) -> Result<Challenge, StoreError> {
        todo!()
    }

    /// Ends confirming: a fresh session takes the old one's place (BP-49); another account's passkey is refused.
    pub async fn finish_step_up(
        &self,
        _session: &LiveSession,
        _ceremony: &str,
        _answer: &Value,
        _user_agent: &str,
    ) -> Result<PasskeySignIn, StoreError> {
        todo!()
    }

    /// A member's own passkeys, oldest first; complete, or an error (BP-31).
    pub fn of(&self, _user: UserId) -> Result<Vec<Passkey>, StoreError> {
        todo!()
    }

    /// Renames one of the member's own.
    pub async fn rename(
        &self,
        _user: UserId,
        _id: &CredentialId,
        _name: PasskeyName,
    ) -> Result<(), StoreError> {
        todo!()
    }

    /// Removes one of the member's own and ends the sessions it opened. Returns how many of them were live.
    pub async fn remove(&self, _user: UserId, _id: &CredentialId) -> Result<usize, StoreError> {
        todo!()
    }
}

/// A provider's name from its AAGUID by a small table of our own, for display only (D10); none if it is not known.
pub fn provider(_aaguid: Option<[u8; 16]>) -> Option<&'static str> {
    todo!()
}
