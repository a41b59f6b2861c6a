//! What an answer has to be beyond what the library checks: of one piece, from our own pages at the top level, of the
//! account it names. And the words in which a refusal is written down.
//!
//! SECURITY: W1, WAN-04, BP-44, BP-46.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use webauthn_rs::prelude::{Credential, PublicKeyCredential, RegisterPublicKeyCredential, WebauthnError};

use super::Failed;
use crate::domain::CredentialId;

/// Why an answer was refused: what the caller learns, and what the log says. The reason holds nothing of the answer.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) failed: Failed,
    pub(super) reason: Cow<'static, str>,
}

impl Refused {
    pub(super) const fn new(failed: Failed, reason: &'static str) -> Self {
        Self { failed, reason: Cow::Borrowed(reason) }
    }
}

impl From<WebauthnError> for Refused {
    fn from(error: WebauthnError) -> Self {
        let failed = match error {
            WebauthnError::CredentialPossibleCompromise => Failed::Counter,
            WebauthnError::CredentialCrossOrigin | WebauthnError::InvalidRPOrigin => Failed::Origin,
            WebauthnError::InvalidRPIDHash => Failed::RelyingParty,
            WebauthnError::UserNotVerified => Failed::NotVerified,
            _ => Failed::NotProven,
        };
        Self { failed, reason: Cow::Owned(error.to_string()) }
    }
}

/// An answer of either kind: what the two have in common.
pub(super) trait Answer: DeserializeOwned {
    fn id(&self) -> &str;
    fn raw_id(&self) -> &[u8];
    fn kind(&self) -> &str;
    fn client_data(&self) -> &[u8];
}

impl Answer for PublicKeyCredential {
    fn id(&self) -> &str {
        &self.id
    }
    fn raw_id(&self) -> &[u8] {
        &self.raw_id
    }
    fn kind(&self) -> &str {
        &self.type_
    }
    fn client_data(&self) -> &[u8] {
        &self.response.client_data_json
    }
}

impl Answer for RegisterPublicKeyCredential {
    fn id(&self) -> &str {
        &self.id
    }
    fn raw_id(&self) -> &[u8] {
        &self.raw_id
    }
    fn kind(&self) -> &str {
        &self.type_
    }
    fn client_data(&self) -> &[u8] {
        &self.response.client_data_json
    }
}

/// The part of the browser's account of the ceremony that the library looks at too loosely.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ClientData {
    origin: String,
    cross_origin: Option<bool>,
    top_origin: Option<IgnoredAny>,
}

/// Reads an answer: of one piece, and given on one of our own pages that no other page framed. The library compares
/// origins as URLs and, for signing in, does not look at frames; here the text has to be one of ours.
pub(super) fn read<A: Answer>(answer: &Value, origins: &[String]) -> Result<A, Refused> {
    let malformed = |reason| Refused::new(Failed::NotProven, reason);
    let answer = A::deserialize(answer).map_err(|_| malformed("the answer can't be read"))?;
    if answer.kind() != "public-key" || answer.id() != URL_SAFE_NO_PAD.encode(answer.raw_id()) {
        return Err(malformed("the answer names two credentials or another kind of one"));
    }
    let data: ClientData = serde_json::from_slice(answer.client_data())
        .map_err(|_| malformed("the browser's account of the ceremony can't be read"))?;
    let elsewhere = |reason| Err(Refused::new(Failed::Origin, reason));
    if data.cross_origin == Some(true) || data.top_origin.is_some() {
        return elsewhere("the ceremony took place in another page's frame");
    }
    // Browsers write an origin without a path; software authenticators that keep it as a URL end it with a slash.
    let origin = data.origin.strip_suffix('/').unwrap_or(&data.origin);
    if origins.iter().all(|ours| ours != origin) {
        return elsewhere("the ceremony took place on another origin");
    }
    Ok(answer)
}

/// The credential an answer names, if it does; for the log, which shows the first bytes of it.
pub(super) fn credential_in(answer: &Value) -> Option<CredentialId> {
    let text = answer.get("rawId")?.as_str()?;
    CredentialId::new(&URL_SAFE_NO_PAD.decode(text).ok()?)
}

/// A passkey that was bound to its device may become one that can be synced; phones do that to existing ones. The
/// library refuses it, or would refuse it if it is synced already, so the credential is raised first. The way back stays
/// refused, and the signature is checked in any case.
pub(super) fn raise_backup(credential: &mut Credential, authenticator_data: &[u8]) {
    const FLAGS: usize = 32;
    const BACKUP_ELIGIBLE: u8 = 0b1000;
    if authenticator_data.get(FLAGS).is_some_and(|flags| flags & BACKUP_ELIGIBLE != 0) {
        credential.backup_eligible = true;
    }
}

/// The kind of authenticator, from the attestation object of an answer that was accepted; none if it does not say.
pub(super) fn aaguid(attestation_object: &[u8]) -> Option<[u8; 16]> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct AttestationObject<'a> {
        auth_data: &'a [u8],
    }
    let object: AttestationObject<'_> = serde_cbor_2::from_slice(attestation_object).ok()?;
    let aaguid: [u8; 16] = object.auth_data.get(37..53)?.try_into().ok()?;
    (aaguid != [0; 16]).then_some(aaguid)
}
