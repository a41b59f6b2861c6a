//! Whose sessions a second factor must have proven: those of members of some groups, where a password alone opened them.
//!
//! SECURITY: as with passkeys that are required, until then nothing that tells who is there reaches the application. A passkey
//! counts as both factors; a link counts as none, and a code that was mailed is not enough.

use super::Presence;
use crate::domain::{Group, Profile, Proof};

/// The groups whose members need a second factor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecondFactorFor(Vec<Group>);

impl SecondFactorFor {
    /// Those of these groups.
    pub const fn groups(groups: Vec<Group>) -> Self {
        Self(groups)
    }

    /// Whether nobody needs one.
    pub fn is_nobody(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether whoever is in these groups needs one.
    pub fn names_any(&self, groups: &[String]) -> bool {
        self.0.iter().any(|group| groups.iter().any(|own| own == group.as_str()))
    }

    /// Because of which group this session reaches nothing before a second factor proves it; none if it may go on.
    pub fn demand(&self, member: &Presence<'_>) -> Option<&Group> {
        match member.proof {
            Proof::Link | Proof::Password | Proof::PasswordAndMailedCode | Proof::TrustedByMail => {
                self.demand_of(member.profile)
            }
            Proof::LinkAndCode | Proof::Passkey | Proof::PasswordAndCode | Proof::TrustedDevice => None,
        }
    }

    /// Because of which group the site asks this member for a second factor, if it does.
    pub fn demand_of(&self, profile: &Profile) -> Option<&Group> {
        self.0.iter().find(|group| profile.groups.contains(group))
    }
}
