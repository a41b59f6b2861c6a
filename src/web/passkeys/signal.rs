//! What the browser may tell a member's password manager: which passkeys are still good here, and under which name
//! (WebAuthn Level 3, §5.1.10).
//!
//! SECURITY: BP-30, BP-31. Only for the signed-in member, and only from a complete list: a password manager may delete
//! for good what the list leaves out. Whoever can't read the list sends nothing.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;

use crate::auth::passkeys::Passkeys;
use crate::domain::{Passkey, Profile};

/// The arguments of `signalAllAcceptedCredentials` and `signalCurrentUserDetails`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Signal {
    rp_id: String,
    user_id: String,
    all_accepted_credential_ids: Vec<String>,
    name: String,
    display_name: String,
}

impl Signal {
    /// From all passkeys of a member.
    pub(super) fn new(passkeys: &Passkeys, profile: &Profile, all: &[Passkey]) -> Self {
        let name = profile.name.to_string();
        Self {
            rp_id: passkeys.options().rp_id.clone(),
            user_id: URL_SAFE_NO_PAD.encode(profile.id.0),
            all_accepted_credential_ids: all
                .iter()
                .map(|passkey| URL_SAFE_NO_PAD.encode(passkey.id.as_bytes()))
                .collect(),
            display_name: profile.full_name.clone().unwrap_or_else(|| name.clone()),
            name,
        }
    }

    /// For the member who has just signed in or added one; none if the list can't be read.
    pub(super) fn of(passkeys: &Passkeys, profile: &Profile) -> Option<Self> {
        Some(Self::new(passkeys, profile, &passkeys.of(profile.id).ok()?))
    }
}

/// As JSON, for an attribute of a page.
pub(super) fn to_text(passkeys: &Passkeys, profile: &Profile, all: &[Passkey]) -> Option<String> {
    serde_json::to_string(&Signal::new(passkeys, profile, all)).ok()
}
