//! Choosing a password: how long it has to be, and whether it will do.
//!
//! SECURITY: AUTH-01. Where the password alone lets in it has [`PasswordPolicy::ALONE`] characters at least. Fewer do for a member of
//! whom another factor is asked in any case (see [`SecondFactors::are_always_asked_of`](super::second_factors::SecondFactors)); that is
//! noted, so that they are asked for a longer one at the next sign-in with it when that is no longer so.

use serde::{Deserialize, Serialize};

use super::Accounts;
use super::passwords::{About, Busy, Strength, WeakPassword};
use crate::domain::{Secret, UserId};
use crate::store::{Change, Drawer, Kept, Owner, StoreError};

/// A password that somebody chooses.
#[derive(Debug)]
pub struct NewPassword {
    /// What they typed.
    pub text: Secret<String>,
    /// What is known of them.
    pub about: About,
    /// It needs so many characters.
    pub min_chars: usize,
}

/// One that will do.
pub(super) struct Accepted {
    pub(super) phc: String,
    /// Whether it is shorter than one that is enough alone.
    is_short: bool,
}

impl Accepted {
    /// Part of each change of a password: whether it is a short one.
    pub(super) fn noted(&self, user: UserId) -> Change {
        match self.is_short {
            true => Change::keep(Owner::Member(user), KEY.to_vec(), &ShortPassword {}),
            false => Change::drop_kept::<ShortPassword>(Owner::Member(user), KEY.to_vec()),
        }
    }
}

const KEY: &[u8] = b"";

/// That a member's password is shorter than one that is enough alone.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ShortPassword {}

impl Kept for ShortPassword {
    const DRAWER: Drawer = Drawer::ShortPassword;
}

impl Accounts {
    /// A new password that is enough alone has at least this many characters.
    pub fn min_password_chars(&self) -> usize {
        self.policy.min_chars.max(Self::MIN_PASSWORD_CHARS)
    }

    /// One with which another factor is always shown has at least this many.
    pub fn min_password_chars_with_second_factor(&self) -> usize {
        self.policy.with_second_factor.clamp(Self::MIN_PASSWORD_CHARS, self.min_password_chars())
    }

    /// Whether a member's password is shorter than one that is enough alone.
    pub fn has_short_password(&self, user: UserId) -> Result<bool, StoreError> {
        Ok(self.store.kept::<ShortPassword>(Owner::Member(user), KEY)?.is_some())
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

    /// A member's new password as it is kept, or why it will not do.
    pub(super) async fn accept(&self, new: NewPassword) -> Result<Result<Accepted, WeakPassword>, Busy> {
        let NewPassword { text, about, min_chars } = new;
        if let Err(weak) = Self::check_length(&text, min_chars) {
            return Ok(Err(weak));
        }
        let is_short = text.expose().chars().count() < self.min_password_chars();
        Ok(self.passwords.accept(text, about).await?.map(|phc| Accepted { phc, is_short }))
    }

    /// Whether a password would do, and how well.
    pub async fn judge(&self, new: NewPassword) -> Result<Result<Strength, WeakPassword>, Busy> {
        match Self::check_length(&new.text, new.min_chars) {
            Ok(()) => self.passwords.judge(new.text, new.about).await,
            Err(weak) => Ok(Err(weak)),
        }
    }
}
