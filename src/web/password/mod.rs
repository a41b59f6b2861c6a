//! Passwords that members choose: changing one, and the words for one that will not do, at the end and while it is typed.

mod change;
mod strength;
mod trouble;

pub(super) use change::PasswordPage;
pub(super) use trouble::PasswordTrouble;

use super::Web;
use crate::auth::About;
use crate::domain::Profile;

impl Web {
    /// What whoever guesses this member's password knows.
    pub(super) fn about(&self, member: &Profile) -> About {
        About::of(member, &self.parts.options.site_name)
    }
}
