//! Choosing a password: how long it has to be, and whether it will do.
//!
//! SECURITY: AUTH-01. Where the password alone lets in it has [`PasswordPolicy::ALONE`] characters at least; fewer are for sites
//! where something else is always asked, too. `config` sees to that, and so a policy holds for everybody.

use super::Accounts;
use super::passwords::{About, Busy, Strength, WeakPassword};
use crate::domain::Secret;

impl Accounts {
    /// A new password has at least this many characters.
    pub fn min_password_chars(&self) -> usize {
        self.policy.min_chars.max(Self::MIN_PASSWORD_CHARS)
    }

    /// Checks a new password against `min_chars` and the fixed bounds, before any other work.
    pub fn check_length(password: &Secret<String>, min_chars: usize) -> Result<(), WeakPassword> {
        let chars = password.expose().chars().count();
        let least = min_chars.max(Self::MIN_PASSWORD_CHARS);
        if chars < least {
            Err(WeakPassword::TooShort(least))
        } else if chars > Self::MAX_PASSWORD_CHARS {
            Err(WeakPassword::TooLong(Self::MAX_PASSWORD_CHARS))
        } else {
            Ok(())
        }
    }

    /// The PHC string of a member's new password, or why it will not do.
    pub async fn accept(
        &self,
        password: Secret<String>,
        about: About,
    ) -> Result<Result<String, WeakPassword>, Busy> {
        match Self::check_length(&password, self.min_password_chars()) {
            Ok(()) => self.passwords.accept(password, about).await,
            Err(weak) => Ok(Err(weak)),
        }
    }

    /// Whether a password of at least `min_chars` characters would do, and how well.
    pub async fn judge(
        &self,
        password: Secret<String>,
        about: About,
        min_chars: usize,
    ) -> Result<Result<Strength, WeakPassword>, Busy> {
        match Self::check_length(&password, min_chars) {
            Ok(()) => self.passwords.judge(password, about).await,
            Err(weak) => Ok(Err(weak)),
        }
    }
}
