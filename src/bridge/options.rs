//! What the bridge can be told. Composed by `config`.

use std::path::PathBuf;

use http::HeaderMap;

use super::{Kind, Origin, Preset};

/// The forum behind the gateway.
#[derive(Clone, Debug, PartialEq)]
pub struct ForumOptions {
    /// What kind of forum it is.
    pub preset: Preset,
    /// How members become known to it, where no rule says otherwise; none if they don't.
    pub way: Option<Kind>,
    /// How else, where rules say so; each once.
    pub ways_of_rules: Vec<Kind>,
    /// The path below which it lies: `/`, or such as `/phpbb`.
    pub base: String,
    /// The file with the key of the vault.
    pub vault_key: PathBuf,
    /// What becomes of requests for its registration.
    pub register: Register,
    /// Where its session cookies are.
    pub cookies: CookiesAt,
    /// What becomes of its members whom nobody knows here.
    pub first_sign_in: FirstSignIn,
    /// Where browsers find it.
    pub origin: Origin,
    /// What it gets with each sign-in of ours, beside what it is told of the visitor.
    pub fields: HeaderMap,
}

impl ForumOptions {
    /// Whether members become known to it this way anywhere.
    pub fn uses(&self, kind: Kind) -> bool {
        self.ways().any(|way| way == kind)
    }

    /// All the ways in which members become known to it.
    pub fn ways(&self) -> impl Iterator<Item = Kind> {
        self.way.into_iter().chain(self.ways_of_rules.iter().copied())
    }
}

/// Where the cookies are by which the forum knows a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CookiesAt {
    /// In the member's browser too.
    Browser,
    /// In the gateway alone.
    Gateway,
}

/// What becomes of somebody whom nobody knows here, but the forum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstSignIn {
    /// They get an account here.
    Create,
    /// Nothing; the forum is not asked.
    Off,
}

/// What becomes of requests for the forum's own registration and forgotten passwords.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Register {
    /// They are refused.
    Block,
    /// They pass like any other.
    Pass,
}
