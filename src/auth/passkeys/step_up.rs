//! Confirming who is there: the member of a session uses one of their own passkeys, and a fresh session takes the old
//! one's place.
//!
//! SECURITY: BP-45, BP-49, BP-64, WAN-05.

use serde_json::Value;
use webauthn_rs::prelude::PublicKeyCredential;

use super::assertion::Opening;
use super::checks::{self, Refused};
use super::options::allowed;
use super::{Challenge, Failed, PasskeySignIn, Passkeys};
use crate::auth::LiveSession;
use crate::auth::throttle::Reserved;
use crate::store::{Change, StoreError};

impl Passkeys {
    /// Begins confirming who is there, with the member's own passkeys alone. [`StoreError::NoSuchPasskey`] if there is
    /// none.
    pub fn begin_step_up(&self, session: &LiveSession) -> Result<Challenge, StoreError> {
        let own = self.store.passkeys_of(session.user())?;
        if own.is_empty() {
            return Err(StoreError::NoSuchPasskey);
        }
        let (mut challenge, state) = self.assertion_challenge();
        challenge.public_key.allow_credentials = own.iter().map(allowed).collect();
        Ok(self.challenge(self.pending.confirming.begin(session.id(), state), &challenge.public_key))
    }

    /// Ends confirming: a fresh session takes the old one's place (BP-49); another account's passkey is refused.
    /// The try is counted already (SECURITY: THR-08).
    pub async fn finish_step_up(
        &self,
        _reserved: &Reserved,
        session: &LiveSession,
        ceremony: &str,
        answer: &Value,
        user_agent: &str,
    ) -> Result<PasskeySignIn, StoreError> {
        let Some(state) = self.pending.confirming.take(session.id(), ceremony) else {
            return Ok(PasskeySignIn::Failed(self.no_ceremony("step-up")));
        };
        let opening = Opening {
            persistence: session.persistence(),
            user_agent,
            with: vec![Change::EndSession(session.user(), session.id())],
        };
        let outcome = match self.confirming_as(session, answer) {
            Ok(answer) => match self.prove(session.user(), &answer, state)? {
                Ok(proven) => self.open_session(proven, opening).await?,
                Err(refused) => Err(refused),
            },
            Err(refused) => Err(refused),
        };
        match outcome {
            Ok(signed_in) => {
                self.sessions.end(session.id()).await?;
                Ok(signed_in)
            }
            Err(refused) => {
                Ok(PasskeySignIn::Failed(self.record("step-up", &refused, answer, Some(session.user()))))
            }
        }
    }

    /// Authenticators may leave the account out where credentials were named; if it is there, it is the session's.
    fn confirming_as(&self, session: &LiveSession, answer: &Value) -> Result<PublicKeyCredential, Refused> {
        let answer: PublicKeyCredential = checks::read(answer, &self.options.origins)?;
        match answer.get_user_unique_id() {
            Some(owner) if owner != session.user().0 => {
                Err(Refused::new(Failed::Unknown, "the passkey is another account's"))
            }
            _ => Ok(answer),
        }
    }
}
