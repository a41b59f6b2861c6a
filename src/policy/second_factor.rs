//! Whose sessions a second factor must have proven: everyone's, or those of members of some groups, where a password alone opened them.
//!
//! SECURITY: as with passkeys that are required, until then nothing that tells who is there reaches the application. A passkey
//! counts as both factors; a link counts as none, and a code that was mailed is not enough.

use super::{Demand, Presence};
use crate::domain::{Group, Profile, Proof};

/// Who needs a second factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecondFactorFor {
    /// Every member.
    Everyone,
    /// Those of these groups.
    Groups(Vec<Group>),
}

impl Default for SecondFactorFor {
    fn default() -> Self {
        Self::Groups(Vec::new())
    }
}

impl SecondFactorFor {
    /// Whether nobody needs one.
    pub fn is_nobody(&self) -> bool {
        matches!(self, Self::Groups(groups) if groups.is_empty())
    }

    /// Whether whoever is in these groups needs one.
    pub fn names_any(&self, groups: &[String]) -> bool {
        match self {
            Self::Everyone => true,
            Self::Groups(named) => named.iter().any(|group| groups.iter().any(|own| own == group.as_str())),
        }
    }

    /// Why this session reaches nothing before a second factor proves it; none if it may go on.
    pub fn demand(&self, member: &Presence<'_>) -> Option<Demand<'_>> {
        match member.proof {
            Proof::Link | Proof::Password | Proof::PasswordAndMailedCode | Proof::TrustedByMail => {
                self.demand_of(member.profile)
            }
            Proof::LinkAndCode | Proof::Passkey | Proof::PasswordAndCode | Proof::TrustedDevice => None,
        }
    }

    /// Why the site asks this member for a second factor, if it does.
    pub fn demand_of(&self, profile: &Profile) -> Option<Demand<'_>> {
        match self {
            Self::Everyone => Some(Demand::Everyone),
            Self::Groups(groups) => {
                groups.iter().find(|group| profile.groups.contains(group)).map(Demand::Group)
            }
        }
    }
}
