//! Signing in with a passkey: nobody says who they are before the passkey does (D2).
//!
//! SECURITY: BP-33, BP-50 … BP-54, WAN-06. The options are the same for everyone, and whatever is not in the store is
//! refused in the same way.

use serde_json::Value;
use webauthn_rs::prelude::{DiscoverableAuthentication, PublicKeyCredential, RequestChallengeResponse};

use super::assertion::Opening;
use super::checks::{self, Refused};
use super::{Challenge, Failed, PasskeySignIn, Passkeys};
use crate::auth::events::{Happened, What};
use crate::auth::leaving;
use crate::auth::throttle::Reserved;
use crate::domain::{Persistence, TokenHash, UserId};
use crate::store::{Batch, StoreError};

impl Passkeys {
    /// Begins signing in, for autofill and button alike: no account is named, so nothing can be learnt (D2, BP-50 … 54).
    /// `browser` is what ties the ceremony to a browser: the hash of its browser token.
    pub fn begin_sign_in(&self, browser: TokenHash) -> Challenge {
        let (challenge, state) = self.assertion_challenge();
        self.challenge(self.pending.signing_in.begin(browser, state), &challenge.public_key)
    }

    /// Ends signing in with what the browser's `toJSON()` gave. The try is counted already (SECURITY: THR-08).
    pub async fn finish_sign_in(
        &self,
        _reserved: &Reserved,
        browser: TokenHash,
        ceremony: &str,
        answer: &Value,
        persistence: Persistence,
        user_agent: &str,
    ) -> Result<PasskeySignIn, StoreError> {
        let none = |_| Batch::new();
        self.finish_signing_in(
            browser,
            ceremony,
            answer,
            Opening { persistence, user_agent, with: Batch::new() },
            none,
        )
        .await
    }

    /// [`Passkeys::finish_sign_in`] for a member who comes back to an account that they had switched off.
    pub async fn finish_coming_back(
        &self,
        _reserved: &Reserved,
        browser: TokenHash,
        ceremony: &str,
        answer: &Value,
        persistence: Persistence,
        user_agent: &str,
    ) -> Result<PasskeySignIn, StoreError> {
        let now = self.clock.now();
        let back = |owner| vec![leaving::back(owner), Happened::new(What::CameBack, now).kept(owner)];
        self.finish_signing_in(
            browser,
            ceremony,
            answer,
            Opening { persistence, user_agent, with: Batch::new() },
            back,
        )
        .await
    }

    /// `first` is what happens to the account of the member before they are in, if they get in.
    async fn finish_signing_in(
        &self,
        browser: TokenHash,
        ceremony: &str,
        answer: &Value,
        opening: Opening<'_>,
        first: impl FnOnce(UserId) -> Batch,
    ) -> Result<PasskeySignIn, StoreError> {
        let Some(state) = self.pending.signing_in.take(browser, ceremony) else {
            return Ok(PasskeySignIn::Failed(self.no_ceremony("sign-in")));
        };
        let (owner, answered) = match self.signing_in_as(answer) {
            Ok(named) => named,
            Err(refused) => {
                return Ok(PasskeySignIn::Failed(self.record("sign-in", &refused, answer, None)));
            }
        };
        let opening = Opening { with: first(owner), ..opening };
        let outcome = match self.prove(owner, &answered, state)? {
            Ok(proven) => self.open_session(proven, opening).await?,
            Err(refused) => Err(refused),
        };
        Ok(outcome.unwrap_or_else(|refused| {
            let member = (refused.failed != Failed::Unknown).then_some(owner);
            PasskeySignIn::Failed(self.record("sign-in", &refused, answer, member))
        }))
    }

    /// Whose passkey the answer says it is. Only ours has sixteen bytes.
    pub(super) fn signing_in_as(&self, answer: &Value) -> Result<(UserId, PublicKeyCredential), Refused> {
        let answer: PublicKeyCredential = checks::read(answer, &self.options.origins)?;
        match self.relying_party.identify_discoverable_authentication(&answer) {
            Ok((owner, _)) => Ok((UserId(owner.into_bytes()), answer)),
            Err(_) => Err(Refused::new(Failed::Unknown, "the answer names no account")),
        }
    }

    /// A challenge that any passkey of ours may answer. The library asks for an extension that we have no use for.
    #[expect(
        clippy::expect_used,
        reason = "the library refuses only lists of credentials, and there is none"
    )]
    pub(super) fn assertion_challenge(&self) -> (RequestChallengeResponse, DiscoverableAuthentication) {
        let (mut challenge, state) =
            self.relying_party.start_discoverable_authentication().expect("a challenge for any passkey");
        challenge.public_key.extensions = None;
        (challenge, state)
    }
}
