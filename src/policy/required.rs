//! Whose sessions a passkey must have proven: by the site's settings, or by the member's own choice.
//!
//! SECURITY: BP-65, MX-11. Until then nothing that tells who is there, and nothing that asks who is there, reaches the
//! application; pages that are open to strangers by `public` stay as open as they are to them.

use super::Presence;
use crate::domain::{Group, PasskeyFor, Profile, Proof};

/// Of whom a passkey is asked: above all, whose sessions one must have proven before they count.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RequiredFor {
    /// Everyone's: passwords are switched off.
    Everyone,
    /// Those of members of these groups, and of members who chose it.
    Groups(Vec<Group>),
    /// Nobody's: passkeys are switched off, and what members chose rests.
    #[default]
    Nobody,
}

/// Why a passkey, or a second factor, is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand<'a> {
    /// Nobody goes on without one here.
    Everyone,
    /// The member is in this group.
    Group(&'a Group),
    /// The member chose it.
    Own,
}

impl RequiredFor {
    /// Why this session reaches nothing before a passkey proves it; none if it may go on.
    pub fn demand(&self, member: &Presence<'_>) -> Option<Demand<'_>> {
        match member.proof {
            Proof::Passkey => None,
            _ => {
                let own = self.counted(member.passkey_for).signing_in.then_some(Demand::Own);
                self.demand_of_the_site(member.profile).or(own)
            }
        }
    }

    /// Why the site asks this member for a passkey, if it does.
    pub fn demand_of_the_site(&self, profile: &Profile) -> Option<Demand<'_>> {
        match self {
            Self::Everyone => Some(Demand::Everyone),
            Self::Groups(groups) => {
                groups.iter().find(|group| profile.groups.contains(group)).map(Demand::Group)
            }
            Self::Nobody => None,
        }
    }

    /// A member's own choice, as far as it counts here.
    pub fn counted(&self, choice: PasskeyFor) -> PasskeyFor {
        if *self == Self::Nobody { PasskeyFor::default() } else { choice }
    }
}
