//! What the bridge can be told. Composed by `config`.

use std::path::PathBuf;

use http::HeaderMap;

use super::{Kind, Origin, Preset, Recipe};
use crate::database::DatabaseAccess;
use crate::domain::Secret;

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
    /// How sessions are made from its database, where members become known that way.
    pub session: Option<SessionOptions>,
    /// Whose passwords it has.
    pub passwords: Passwords,
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

/// How sessions are made from the forum's database.
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// The way of this kind of forum.
    pub recipe: Recipe,
    /// The database.
    pub database: DatabaseAccess,
    /// What its tables' names begin with.
    pub table_prefix: String,
    /// The cookie, where only the forum's own files say how it is called.
    pub cookie_name: Option<String>,
    /// What the forum vouches for cookies with, where it has something beside the database.
    pub secret: Option<Secret<String>>,
    /// Host and path of the forum's address.
    pub board: (String, String),
}

/// Whether it is the same forum by the same means; of secrets what they are, not that they are.
impl PartialEq for SessionOptions {
    fn eq(&self, other: &Self) -> bool {
        let of = |options: &Self| {
            let Self { recipe, database, table_prefix, cookie_name, board, .. } = options.clone();
            (recipe, database.url, table_prefix, cookie_name, board)
        };
        let same = |one: &Option<Secret<String>>, other: &Option<Secret<String>>| {
            one.as_ref().map(Secret::expose) == other.as_ref().map(Secret::expose)
        };
        of(self) == of(other)
            && same(&self.secret, &other.secret)
            && same(&self.database.password, &other.database.password)
    }
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

/// Whose passwords members have at the forum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passwords {
    /// The gateway's, made after a member's first sign-in there. It takes a preset with a form for that.
    Generated,
    /// The members' own.
    Members,
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
