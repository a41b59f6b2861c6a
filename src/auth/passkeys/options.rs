//! What can be chosen about passkeys, and how a choice shows in the options that a browser gets.

use webauthn_rs::prelude::{AuthenticatorAttachment, CreationChallengeResponse};
use webauthn_rs_proto::{
    AllowCredentials, AuthenticatorTransport, PublicKeyCredentialDescriptor, PublicKeyCredentialHints,
    ResidentKeyRequirement,
};

use crate::domain::{Backup, Group, Passkey, Profile};
use crate::policy::RequiredFor;

/// Passkeys, as far as they can be configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasskeyOptions {
    /// Who may have them.
    pub rollout: Rollout,
    /// Whose sessions a passkey must have proven.
    pub required_for: RequiredFor,
    /// Of whom some access rule asks a passkey alone.
    pub asked_by_rules: RequiredFor,
    /// When a member is offered one.
    pub suggest: Suggest,
    /// How many an account may have.
    pub max_per_user: usize,
    /// The relying party: the host of the public URL, or a domain above it. Fixed once the first passkey is stored.
    pub rp_id: String,
    /// What authenticators show as the site's name.
    pub rp_name: String,
    /// The origins that ceremonies may come from, as browsers write them. Each is on `rp_id` or a host below it.
    pub origins: Vec<String>,
    /// Whether a passkey has to be discoverable.
    pub resident_key: ResidentKey,
}

impl PasskeyOptions {
    /// Whether nobody signs in with a password.
    pub fn are_the_only_way(&self) -> bool {
        self.required_for == RequiredFor::Everyone
    }
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

impl Rollout {
    /// Whether this member may add passkeys.
    pub(super) fn reaches(&self, profile: &Profile) -> bool {
        match self {
            Self::Off => false,
            Self::Groups(groups) => groups.iter().any(|group| profile.groups.contains(group)),
            Self::Everyone => true,
        }
    }
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
    /// If the authenticator can. One that can't is good for confirming who is there, not for signing in.
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

impl Place {
    /// The hint, and the attachment that says about the same to browsers without hints.
    const fn wish(self) -> Option<(PublicKeyCredentialHints, AuthenticatorAttachment)> {
        match self {
            Self::Any => None,
            Self::Phone => Some((PublicKeyCredentialHints::Hybrid, AuthenticatorAttachment::CrossPlatform)),
            Self::SecurityKey => {
                Some((PublicKeyCredentialHints::SecurityKey, AuthenticatorAttachment::CrossPlatform))
            }
            Self::ThisDevice => {
                Some((PublicKeyCredentialHints::ClientDevice, AuthenticatorAttachment::Platform))
            }
        }
    }
}

/// Puts our wishes into the options for a new passkey. The library asks for a key that is not discoverable and leaves
/// the place open; its check of the answer looks at neither.
pub(super) fn refine(
    challenge: &mut CreationChallengeResponse,
    place: Place,
    resident_key: ResidentKey,
    existing: &[Passkey],
) {
    let options = &mut challenge.public_key;
    let wish = place.wish();
    let selection = options.authenticator_selection.get_or_insert_default();
    selection.require_resident_key = resident_key == ResidentKey::Required;
    selection.resident_key = Some(match resident_key {
        ResidentKey::Preferred => ResidentKeyRequirement::Preferred,
        ResidentKey::Required => ResidentKeyRequirement::Required,
    });
    selection.authenticator_attachment = wish.as_ref().map(|(_, attachment)| *attachment);
    options.hints = wish.map(|(hint, _)| vec![hint]);
    options.exclude_credentials = Some(existing.iter().map(excluded).collect());
}

fn excluded(passkey: &Passkey) -> PublicKeyCredentialDescriptor {
    PublicKeyCredentialDescriptor {
        type_: "public-key".to_owned(),
        id: passkey.id.as_bytes().to_vec(),
        transports: transports(passkey),
    }
}

/// A passkey of a member who is known, for the options of a confirmation.
pub(super) fn allowed(passkey: &Passkey) -> AllowCredentials {
    AllowCredentials {
        type_: "public-key".to_owned(),
        id: passkey.id.as_bytes().to_vec(),
        transports: transports(passkey),
    }
}

/// How the passkey can be reached, as it was reported. Some managers report a synced passkey as `internal` alone, which
/// would hide the way over a phone on other computers.
fn transports(passkey: &Passkey) -> Option<Vec<AuthenticatorTransport>> {
    let mut transports: Vec<_> = passkey.transports.iter().filter_map(|name| name.parse().ok()).collect();
    if transports == [AuthenticatorTransport::Internal] && passkey.backup != Backup::DeviceBound {
        transports.push(AuthenticatorTransport::Hybrid);
    }
    (!transports.is_empty()).then_some(transports)
}
