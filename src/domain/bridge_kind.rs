//! A [`BridgeKind`]: how a member who is known here becomes known to the application.

use serde::{Deserialize, Serialize};

/// How a member becomes known to the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BridgeKind {
    /// By the identity headers.
    Headers,
    /// By `Authorization: Basic` with the member's name and no real password; the forum must be told to believe it.
    Basic,
    /// By signing in at its form with the member's forum password.
    Form,
    /// By a session made out of the forum's own database, without a password.
    Session,
}

impl BridgeKind {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Headers, Self::Basic, Self::Form, Self::Session];

    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Headers => "headers",
            Self::Basic => "basic",
            Self::Form => "form",
            Self::Session => "session",
        }
    }

    /// Whether the gateway keeps a session at the forum for each member's session here.
    pub const fn keeps_session(self) -> bool {
        matches!(self, Self::Form | Self::Session)
    }

    /// Whether the forum takes the member's word here for its own sign-in.
    pub const fn replaces_password(self) -> bool {
        matches!(self, Self::Basic | Self::Session)
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}
