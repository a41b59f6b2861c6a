//! Adding a passkey to the account of a session.
//!
//! SECURITY: W4, WAN-09, BP-11 … BP-16, BP-63. Refused before any device prompt if it can't work; the limit and the
//! uniqueness of the credential are decided once more in the store, in the batch that adds it.

use serde_json::Value;
use webauthn_rs::prelude::{
    Credential, CredentialID, PasskeyRegistration, RegisterPublicKeyCredential, Uuid, WebauthnResult,
};
use webauthn_rs_proto::AuthenticatorTransport;

use super::assertion::{backup, to_text};
use super::checks::{self, Refused};
use super::options::refine;
use super::provider::suggested_name;
use super::{AddRefused, Challenge, Failed, Passkeys, Place};
use crate::auth::events::{Happened, Seen, What};
use crate::auth::{LiveSession, links};
use crate::domain::{CredentialId, Passkey, PasskeyName, Proof};
use crate::policy::SignInReason;
use crate::store::{Batch, Change, StoreError};

impl Passkeys {
    /// Begins adding a passkey for the member of this session; refused before any device prompt if it can't work.
    pub fn begin_add(
        &self,
        session: &LiveSession,
        place: Place,
    ) -> Result<Result<Challenge, AddRefused>, StoreError> {
        let profile = session.profile();
        if !self.are_offered_to(&profile) {
            return Ok(Err(AddRefused::NotOffered));
        }
        match self.before_adding(session)? {
            Some(SignInReason::Passkey) => return Ok(Err(AddRefused::PasskeyFirst)),
            Some(_) => return Ok(Err(AddRefused::StepUpFirst)),
            None => {}
        }
        let existing = self.store.passkeys_of(session.user())?;
        if existing.len() >= self.options.max_per_user {
            return Ok(Err(AddRefused::LimitReached(self.options.max_per_user)));
        }
        let (name, handle) = (profile.name.as_str(), Uuid::from_bytes(session.user().0));
        // What is there already is named in the options alone; the store decides about it at the end.
        let begun: WebauthnResult<_> =
            self.relying_party.start_passkey_registration(handle, name, name, None::<Vec<CredentialID>>);
        let (mut challenge, state) = match begun {
            Ok(begun) => begun,
            Err(error) => {
                let failed = self.record("add", &error.into(), &Value::Null, Some(session.user()));
                return Ok(Err(AddRefused::Failed(failed)));
            }
        };
        refine(&mut challenge, place, self.options.resident_key, &existing);
        Ok(Ok(self.challenge(self.pending.adding.begin(session.id(), state), &challenge.public_key)))
    }

    /// Ends adding. `name` is what the member chose; none for the provider's name, or "Passkey on Firefox".
    pub async fn finish_add(
        &self,
        session: &LiveSession,
        ceremony: &str,
        answer: &Value,
        name: Option<PasskeyName>,
        seen: impl Into<Seen<'_>>,
    ) -> Result<Result<Passkey, AddRefused>, StoreError> {
        let Some(state) = self.pending.adding.take(session.id(), ceremony) else {
            return Ok(Err(AddRefused::Failed(self.no_ceremony("add"))));
        };
        if !self.are_offered_to(&session.profile()) {
            return Ok(Err(AddRefused::NotOffered));
        }
        let added = match self.register(answer, &state) {
            Ok(added) => added,
            Err(refused) => {
                let failed = self.record("add", &refused, answer, Some(session.user()));
                return Ok(Err(AddRefused::Failed(failed)));
            }
        };
        let (others, seen) = (self.store.passkeys_of(session.user())?, seen.into());
        let passkey = Passkey {
            name: name.unwrap_or_else(|| suggested_name(added.aaguid, seen.user_agent, &others)),
            id: added.id,
            user: session.user(),
            rp_id: self.options.rp_id.clone(),
            backup: backup(&added.credential),
            credential: to_text(added.credential).ok_or(StoreError::Abandoned)?,
            aaguid: added.aaguid,
            transports: added.transports,
            created: self.clock.now(),
            last_used: None,
        };
        // Begun while there was none, perhaps in two browsers: the second does not get in beside the first.
        let is_to_be_the_first = self.is_asked_of(session) && session.proof() == Proof::Password;
        let limit = if is_to_be_the_first { 1 } else { self.options.max_per_user };
        let spend = links::spent(session, self.clock.now());
        let event =
            Happened::new(What::PasskeyAdded, passkey.created).seen(seen).about(passkey.name.as_str());
        let mut batch = Batch::from(spend);
        batch.push(Change::AddPasskey { passkey: passkey.clone(), limit });
        batch.push(event.kept(passkey.user));
        match self.store.apply(batch).await {
            Ok(()) => Ok(Ok(passkey)),
            Err(StoreError::Abandoned) => Ok(Err(AddRefused::StepUpFirst)),
            Err(StoreError::CredentialTaken) => Ok(Err(AddRefused::AlreadyThere)),
            Err(StoreError::LimitReached) if is_to_be_the_first => Ok(Err(AddRefused::PasskeyFirst)),
            Err(StoreError::LimitReached) => Ok(Err(AddRefused::LimitReached(limit))),
            Err(error) => Err(error),
        }
    }

    /// Challenge, origin, relying party, presence, verification and algorithm are the library's; the id's length and
    /// unity are ours.
    pub(super) fn register(&self, answer: &Value, state: &PasskeyRegistration) -> Result<Added, Refused> {
        let answer: RegisterPublicKeyCredential = checks::read(answer, &self.options.origins)?;
        let library = self.relying_party.finish_passkey_registration(&answer, state)?;
        let credential = Credential::from(library);
        if credential.cred_id != answer.raw_id {
            return Err(Refused::new(Failed::NotProven, "the answer names two credentials"));
        }
        if !credential.user_verified {
            return Err(Refused::new(Failed::NotVerified, "the authenticator did not verify its user"));
        }
        let id = CredentialId::new(&credential.cred_id)
            .ok_or(Refused::new(Failed::NotProven, "the credential's id is empty or too long"))?;
        let transports = answer.response.transports.as_deref().unwrap_or_default();
        Ok(Added {
            id,
            aaguid: checks::aaguid(&answer.response.attestation_object),
            transports: known(transports),
            credential,
        })
    }
}

/// What an accepted answer brought.
pub(super) struct Added {
    id: CredentialId,
    aaguid: Option<[u8; 16]>,
    transports: Vec<String>,
    credential: Credential,
}

/// Each transport we know, once.
fn known(transports: &[AuthenticatorTransport]) -> Vec<String> {
    let mut names: Vec<String> = transports
        .iter()
        .filter(|transport| {
            !matches!(transport, AuthenticatorTransport::Unknown | AuthenticatorTransport::Test)
        })
        .map(ToString::to_string)
        .collect();
    names.sort();
    names.dedup();
    names
}
