//! Passwords that members choose: changing one, and the words for one that will not do, at the end and while it is typed.

mod change;
mod strength;
mod trouble;

pub(super) use change::PasswordPage;
pub(super) use trouble::PasswordTrouble;

use super::{Problem, Visit, Web};
use crate::auth::{About, NewPassword};
use crate::domain::{Profile, ReturnTo, Secret};

impl Web {
    /// What a member chooses, with what it has to be.
    pub(super) fn new_password(
        &self,
        text: Secret<String>,
        member: &Profile,
        visit: &Visit<'_>,
    ) -> Result<NewPassword, Problem> {
        Ok(NewPassword { text, about: self.about(member), min_chars: self.least_chars(member, visit)? })
    }

    /// The fewest characters of a new password of this member (SECURITY: AUTH-01).
    pub(super) fn least_chars(&self, member: &Profile, visit: &Visit<'_>) -> Result<usize, Problem> {
        let always = self.parts.second_factors.are_always_asked_of(member);
        Ok(match always.map_err(|error| self.store_failed(&error, visit))? {
            true => self.parts.accounts.min_password_chars_with_second_factor(),
            false => self.parts.accounts.min_password_chars(),
        })
    }

    /// Whether a member's password was chosen to stand beside another factor, and is enough alone now.
    pub(super) fn is_short_now(&self, member: &Profile) -> bool {
        let accounts = &self.parts.accounts;
        accounts.has_short_password(member.id).is_ok_and(|is_short| is_short)
            && self.parts.second_factors.are_always_asked_of(member).is_ok_and(|always| !always)
    }

    /// Where a member chooses a longer password, or goes on to `return_to` without.
    pub(super) fn longer_address(&self, return_to: &ReturnTo) -> String {
        let target: String = form_urlencoded::byte_serialize(return_to.as_str().as_bytes()).collect();
        format!("{}?return_to={target}", self.ours("/account/password"))
    }

    /// What whoever guesses this member's password knows.
    pub(super) fn about(&self, member: &Profile) -> About {
        About::of(member, &self.parts.options.site_name)
    }
}
