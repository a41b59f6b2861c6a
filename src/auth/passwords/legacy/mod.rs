//! Passwords as old forums kept them. Each is verified once, at the member's first sign-in, and is an Argon2id hash from
//! then on.
//!
//! [`read`] is the only reader: a hash is checked by it when it is imported, and by it again when it is verified, since
//! what is stored are the columns of the old table ([`StoredPassword`]). What it gives is a chain of [`Step`]s over the
//! [`Preparation`] of a password, and the bytes that must come out.
//!
//! SECURITY: L6, L7, AUTH-07. What is empty, malformed or would cost too much is refused in [`read`], so that it never
//! gets as far as being computed. Bytes are compared, never texts.

mod crypt64;
mod forums;
mod md5_rounds;
mod spelling;
mod step;
#[cfg(test)]
mod tests;
mod texts;

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;

use self::spelling::Preparation;
use self::step::Step;
use super::argon::Memory;

/// The software whose table of members a hash comes from. It says how the password was prepared, and which kinds are
/// possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// phpBB 3, also one that was once phpBB 2.
    PhpBb,
    /// FluxBB.
    FluxBb,
    /// PunBB.
    PunBb,
    /// MyBB.
    MyBb,
    /// Simple Machines Forum.
    Smf,
    /// vBulletin 3 to 6.
    VBulletin,
    /// Invision Power Board, Invision Community.
    Ipb,
    /// XenForo: the column `data` of `xf_user_authenticate`, or hash and salt out of it.
    XenForo,
    /// Burning Board, WoltLab Suite.
    Wbb,
    /// FlaskBB: Werkzeug.
    FlaskBb,
    /// Django, django-spirit.
    Django,
    /// WordPress, bbPress.
    WordPress,
    /// MediaWiki.
    MediaWiki,
    /// A file of `htpasswd`, or of an LDAP directory's passwords.
    Htpasswd,
    /// Anything else: hashes that say themselves what they are.
    Plain,
}

impl Source {
    /// Under which name it is stored.
    const NAMES: [(Self, &'static str); 15] = [
        (Self::PhpBb, "phpbb"),
        (Self::FluxBb, "fluxbb"),
        (Self::PunBb, "punbb"),
        (Self::MyBb, "mybb"),
        (Self::Smf, "smf"),
        (Self::VBulletin, "vbulletin"),
        (Self::Ipb, "ipb"),
        (Self::XenForo, "xenforo"),
        (Self::Wbb, "wbb"),
        (Self::FlaskBb, "flaskbb"),
        (Self::Django, "django"),
        (Self::WordPress, "wordpress"),
        (Self::MediaWiki, "mediawiki"),
        (Self::Htpasswd, "htpasswd"),
        (Self::Plain, "plain"),
    ];

    fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(source, _)| *source == self).map_or("plain", |(_, name)| name)
    }

    fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(source, _)| *source)
    }
}

/// What a table keeps about one password. Bytes, since old tables are not UTF-8.
#[derive(Clone, Copy)]
pub struct Columns<'a> {
    /// The hash.
    pub hash: &'a [u8],
    /// The salt, where it has a column of its own.
    pub salt: Option<&'a [u8]>,
    /// The member's name: SMF hashes it with the password.
    pub name: &'a str,
}

/// A hash that can be verified, as the text for [`User::password`](crate::domain::User).
#[derive(Clone, PartialEq, Eq)]
pub struct StoredPassword {
    text: String,
    kind: &'static str,
}

/// The kind alone.
impl fmt::Debug for StoredPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredPassword").field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl StoredPassword {
    /// The text. [`Passwords::verify`](super::Passwords::verify) reads it, and nothing else does.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What it is, for reports.
    pub fn kind(&self) -> &'static str {
        self.kind
    }
}

/// Why a hash can't be used. The member then needs a set-up link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Nothing there.
    #[error("has no password; give the member a set-up link")]
    Empty,
    /// Locked on purpose, as Django's `!`.
    #[error("has a password that is locked; give the member a set-up link")]
    NoPassword,
    /// Nothing that this software writes.
    #[error(
        "has a password hash of no kind this software is known to write; check which software it comes from"
    )]
    Unknown,
    /// Like a known kind, but not right.
    #[error("has a damaged password hash, which {0}; check how the table was exported")]
    Malformed(&'static str),
    /// Right, but it would take seconds or gigabytes.
    #[error("has a password hash that costs too much to verify; give the member a set-up link")]
    TooCostly,
    /// A known kind that is not worth having.
    #[error("has a password that is {0}, which is not supported; give the member a set-up link")]
    Unsupported(&'static str),
}

/// Reads one password of an old table.
pub fn read(source: Source, columns: Columns<'_>) -> Result<StoredPassword, Unreadable> {
    let legacy = forums::recognise(source, columns)?;
    let is_bound = matches!(legacy.preparation, Preparation::Smf(_));
    let fields = [
        columns.hash,
        columns.salt.filter(|_| legacy.salted == Salted::ByColumn).unwrap_or_default(),
        if is_bound { columns.name.as_bytes() } else { &[] },
    ]
    .map(|field| URL_SAFE_NO_PAD.encode(field));
    let text = format!("{PREFIX}{}${}", source.name(), fields.join("$"));
    Ok(StoredPassword { text, kind: legacy.kind })
}

/// With what the text of every [`StoredPassword`] begins; no PHC string does.
const PREFIX: &str = "$legacy$";
/// Longer columns hold no hash. Serialised ones of XenForo are the longest.
const MAX_COLUMN_BYTES: usize = 1_024;
/// At most this many spellings of a password are tried where that takes long, …
const DEAR_SPELLINGS: usize = 2;
/// … and where it does not.
const CHEAP_SPELLINGS: usize = 12;

/// Where a salt was found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Salted {
    ByColumn,
    /// In the hash, or nowhere.
    Otherwise,
}

/// An old hash, read and found fit to be computed.
#[derive(Clone, PartialEq)]
pub(super) struct Legacy {
    kind: &'static str,
    salted: Salted,
    preparation: Preparation,
    steps: Vec<Step>,
    expected: Vec<u8>,
}

impl Legacy {
    /// Reads the text of a [`StoredPassword`].
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut fields = text.strip_prefix(PREFIX)?.split('$');
        let source = Source::named(fields.next()?)?;
        let mut field = || URL_SAFE_NO_PAD.decode(fields.next()?).ok();
        let (hash, salt, name) = (field()?, field()?, String::from_utf8(field()?).ok()?);
        if fields.next().is_some() {
            return None;
        }
        let columns = Columns { hash: &hash, salt: Some(&salt), name: &name };
        forums::recognise(source, columns).ok()
    }

    /// The first of the spellings of this password that is the right one, if any, and how many were tried.
    pub(super) fn verify(&self, password: &str, memory: &mut Memory) -> (bool, u64) {
        let is_dear = self.steps.iter().any(Step::is_dear);
        let limit = if is_dear { DEAR_SPELLINGS } else { CHEAP_SPELLINGS };
        let mut tried = 0;
        for spelling in self.preparation.spellings(password).into_iter().take(limit) {
            tried += 1;
            if self.is_hash_of(spelling, memory) {
                return (true, tried);
            }
        }
        (false, tried)
    }

    fn is_hash_of(&self, spelling: spelling::Spelling, memory: &mut Memory) -> bool {
        let Some((last, before)) = self.steps.split_last() else { return false };
        let mut input = spelling;
        for step in before {
            let Some(result) = step.run(&input, memory) else { return false };
            input = step.text(&result);
        }
        // SECURITY: L6. Nothing is equal to nothing.
        last.run(&input, memory)
            .is_some_and(|result| !result.is_empty() && result.ct_eq(&self.expected).into())
    }

    /// The same work for nobody, if it takes a time that shows. Equal for all hashes that take the same time, and
    /// never a match.
    pub(super) fn decoy(&self) -> Option<Self> {
        let preparation = match &self.preparation {
            Preparation::Smf(_) => Preparation::Smf(vec![String::new()]),
            other => other.clone(),
        };
        self.steps.iter().any(Step::is_slow).then(|| Self {
            kind: "decoy",
            salted: Salted::Otherwise,
            preparation,
            steps: self.steps.iter().filter(|step| step.is_slow()).map(Step::anonymous).collect(),
            expected: Vec::new(),
        })
    }
}
