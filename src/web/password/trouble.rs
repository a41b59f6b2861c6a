//! Why a form with a new password is shown once more; `password-trouble.html` has the words.

use http::StatusCode;
use serde::{Serialize, Serializer};

use crate::auth::{Known, WeakPassword};

/// Why a new password was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::web) enum PasswordTrouble {
    Busy,
    Common,
    Guessable,
    MadeOfEmail,
    MadeOfFullName,
    MadeOfSiteName,
    MadeOfUserName,
    TooLong,
    TooShort,
}

impl PasswordTrouble {
    /// All of them, for the samples of a page.
    pub(in crate::web) const ALL: [Self; 9] = [
        Self::Busy,
        Self::Common,
        Self::Guessable,
        Self::MadeOfEmail,
        Self::MadeOfFullName,
        Self::MadeOfSiteName,
        Self::MadeOfUserName,
        Self::TooLong,
        Self::TooShort,
    ];

    /// The word for templates and scripts.
    pub(in crate::web) const fn code(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Common => "common",
            Self::Guessable => "guessable",
            Self::MadeOfEmail => "made-of-email",
            Self::MadeOfFullName => "made-of-full-name",
            Self::MadeOfSiteName => "made-of-site-name",
            Self::MadeOfUserName => "made-of-user-name",
            Self::TooLong => "too-long",
            Self::TooShort => "too-short",
        }
    }

    pub(in crate::web) const fn status(self) -> StatusCode {
        match self {
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            // Not 200, so that password managers do not save what was not taken.
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }
}

impl From<WeakPassword> for PasswordTrouble {
    fn from(weak: WeakPassword) -> Self {
        match weak {
            WeakPassword::Common => Self::Common,
            WeakPassword::Guessable => Self::Guessable,
            WeakPassword::MadeOf(Known::Email) => Self::MadeOfEmail,
            WeakPassword::MadeOf(Known::FullName) => Self::MadeOfFullName,
            WeakPassword::MadeOf(Known::SiteName) => Self::MadeOfSiteName,
            WeakPassword::MadeOf(Known::UserName) => Self::MadeOfUserName,
            WeakPassword::TooLong(_) => Self::TooLong,
            WeakPassword::TooShort(_) => Self::TooShort,
        }
    }
}

impl Serialize for PasswordTrouble {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}
