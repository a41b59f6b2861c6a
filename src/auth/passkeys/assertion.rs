//! What signing in and confirming have in common: an assertion is judged against a stored passkey, and its use is
//! written down in the same breath as the session it opens.
//!
//! SECURITY: W3, WAN-02, WAN-05, WAN-07, BP-45 … BP-49, D11.

use std::sync::{Arc, OnceLock};

use webauthn_rs::prelude::{
    AuthenticationResult, COSEKey, Credential, DiscoverableAuthentication, Passkey as Library,
    PublicKeyCredential, WebauthnError, WebauthnResult,
};

use super::checks::{Refused, raise_backup};
use super::{Failed, PasskeySignIn, Passkeys, Rollout};
use crate::domain::{Backup, CredentialId, Passkey, Persistence, Timestamp, UserId, UserState};
use crate::store::{Batch, Change, StoreError, Verdict};

const UNKNOWN: Refused = Refused::new(Failed::Unknown, "this account has no such passkey");

/// A proven use of a passkey.
pub(super) struct Use {
    id: CredentialId,
    user: UserId,
    key: COSEKey,
    counter: u32,
    backup_eligible: bool,
    backed_up: bool,
    at: Timestamp,
}

/// The browser a session is opened for.
pub(super) struct Opening<'a> {
    pub(super) persistence: Persistence,
    pub(super) user_agent: &'a str,
    /// What happens with it.
    pub(super) with: Batch,
}

impl Passkeys {
    /// Judges an assertion for `owner`, and proves the use of one of their passkeys. Any pair of account and credential
    /// that is not in the store is refused alike (BP-33).
    pub(super) fn prove(
        &self,
        owner: UserId,
        answer: &PublicKeyCredential,
        state: DiscoverableAuthentication,
    ) -> Result<Result<Use, Refused>, StoreError> {
        let Some(id) = CredentialId::new(answer.get_credential_id()) else { return Ok(Err(UNKNOWN)) };
        let stored = self.store.passkey(&id)?.filter(|passkey| passkey.user == owner);
        let Some(passkey) = stored.filter(|_| self.options.rollout != Rollout::Off) else {
            return Ok(Err(UNKNOWN));
        };
        let Some(mut credential) = credential_of(&passkey) else {
            return Ok(Err(Refused::new(Failed::NotProven, "the stored public key can't be read")));
        };
        raise_backup(&mut credential, &answer.response.authenticator_data);
        let verified = self.verify(answer, state, &credential);
        Ok(verified.map(|result| Use {
            id,
            user: owner,
            key: credential.cred,
            counter: result.counter(),
            backup_eligible: result.backup_eligible(),
            backed_up: result.backup_state(),
            at: self.clock.now(),
        }))
    }

    /// Signature, challenge, relying party, presence, verification, counter.
    fn verify(
        &self,
        answer: &PublicKeyCredential,
        state: DiscoverableAuthentication,
        credential: &Credential,
    ) -> Result<AuthenticationResult, Refused> {
        let verified: WebauthnResult<_> =
            self.relying_party.finish_discoverable_authentication_v2(answer, state, credential);
        let result = verified.map_err(|error| match error {
            WebauthnError::CredentialBackupEligibilityInconsistent
            | WebauthnError::CredentialMayNotBeHardwareBound => {
                Refused { failed: Failed::Changed, ..error.into() }
            }
            error => error.into(),
        })?;
        if !result.user_verified() {
            return Err(Refused::new(Failed::NotVerified, "the authenticator did not verify its user"));
        }
        Ok(result)
    }

    /// Opens a session with a proven use. What was proven must still hold when it is written: the account active, the
    /// passkey there, the counter ahead of what another tab may have left. The account is said to be disabled only here,
    /// after the proof.
    pub(super) async fn open_session(
        &self,
        proven: Use,
        opening: Opening<'_>,
    ) -> Result<Result<PasskeySignIn, Refused>, StoreError> {
        let Some(user) = self.store.user(proven.user)? else { return Ok(Err(UNKNOWN)) };
        let (id, owner, now) = (proven.id.clone(), proven.user, proven.at);
        let outcome = Arc::new(OnceLock::new());
        let mut batch = opening.with;
        batch.push(sign_in(owner, now, Arc::clone(&outcome)));
        batch.push(note(proven, Arc::clone(&outcome)));
        let started =
            self.sessions.start_by_passkey(&user, opening.persistence, id, opening.user_agent, batch).await;
        match (started, outcome.get()) {
            (Ok(token), Some(Ok(passkey))) => {
                let profile = Arc::new(user.profile);
                Ok(Ok(PasskeySignIn::SignedIn(token, profile, Box::new(passkey.clone()))))
            }
            (Err(StoreError::Abandoned), Some(Err(failed))) => Ok(Err(Refused::new(*failed, why(*failed)))),
            (Err(StoreError::NoSuchPasskey | StoreError::NoSuchUser), _) => Ok(Err(UNKNOWN)),
            (Err(error), _) => Err(error),
            (Ok(_), _) => Err(StoreError::Abandoned),
        }
    }
}

/// What the changes of a batch leave for whoever sent it.
type Outcome = Arc<OnceLock<Result<Passkey, Failed>>>;

fn why(failed: Failed) -> &'static str {
    match failed {
        Failed::Counter => "the counter went back",
        Failed::Disabled => "the account is disabled",
        Failed::SwitchedOff => "the member switched the account off",
        _ => "the passkey has changed meanwhile",
    }
}

fn sign_in(user: UserId, now: Timestamp, outcome: Outcome) -> Change {
    Change::ReviseUser(
        user,
        Box::new(move |user| {
            if user.state != UserState::Active {
                let is_own = user.state.is_switched_off();
                let _ = outcome.set(Err(if is_own { Failed::SwitchedOff } else { Failed::Disabled }));
                return Verdict::Abandon;
            }
            user.last_sign_in = Some(now);
            Verdict::Keep
        }),
    )
}

fn note(proven: Use, outcome: Outcome) -> Change {
    Change::RevisePasskey(
        proven.user,
        proven.id.clone(),
        Box::new(move |passkey| {
            let noted = proven.note(passkey);
            let verdict = if noted.is_ok() { Verdict::Keep } else { Verdict::Abandon };
            let _ = outcome.set(noted.map(|()| passkey.clone()));
            verdict
        }),
    )
}

impl Use {
    /// Writes the use into the passkey as it is now. The counter is compared once more: of two tabs that were judged
    /// against the same one, the later must not set it back (BP-47).
    fn note(&self, passkey: &mut Passkey) -> Result<(), Failed> {
        let mut credential = credential_of(passkey)
            .filter(|credential| credential.cred == self.key)
            .ok_or(Failed::NotProven)?;
        let counts = self.counter > 0 || credential.counter > 0;
        if counts && self.counter <= credential.counter {
            return Err(Failed::Counter);
        }
        credential.counter = self.counter;
        credential.backup_eligible = self.backup_eligible;
        credential.backup_state = self.backed_up;
        let is_lost = matches!(passkey.backup, Backup::Done | Backup::Lost);
        passkey.backup = match backup(&credential) {
            Backup::Possible if is_lost => Backup::Lost,
            other => other,
        };
        passkey.credential = to_text(credential).ok_or(Failed::NotProven)?;
        passkey.last_used = Some(self.at);
        Ok(())
    }
}

/// Whether a credential is synced.
pub(super) const fn backup(credential: &Credential) -> Backup {
    match (credential.backup_eligible, credential.backup_state) {
        (false, _) => Backup::DeviceBound,
        (true, false) => Backup::Possible,
        (true, true) => Backup::Done,
    }
}

/// The form in which a credential is stored.
pub(super) fn to_text(credential: Credential) -> Option<String> {
    serde_json::to_string(&Library::from(credential)).ok()
}

fn credential_of(passkey: &Passkey) -> Option<Credential> {
    serde_json::from_str::<Library>(&passkey.credential).ok().map(Credential::from)
}
