//! A member: [`User`], the names and groups they go by, and the [`Profile`] the application gets to know.

use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use super::secret::random;
use super::{EmailKey, ImportMark, Timestamp, TokenHash, hex_digits};

/// A member's lasting identity; names may change, this does not.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct UserId(pub [u8; 16]);

impl UserId {
    /// A fresh random id.
    pub fn generate() -> Self {
        Self(random())
    }

    /// A fresh one that lies near this one where accounts are ordered by their ids: many that are made together cost the store
    /// far less if they lie together. Ten of its bytes are random.
    pub fn generate_near(self) -> Self {
        let mut id = Self::generate();
        id.0[..6].copy_from_slice(&self.0[..6]);
        id
    }

    /// As it is written.
    pub fn digits(self) -> [u8; 32] {
        hex_digits(&self.0)
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.digits()).unwrap_or_default())
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A member's name: the spelling they chose and the key under which any spelling of it is the same name.
///
/// SECURITY: AUTH-15. The key is NFKC, lower case, NFKC again, with runs of blanks as one. It is the only form that is
/// compared, stored as an index, counted or logged. Look-alikes of different scripts stay different names, and so do the two
/// small sigmas of Greek: Σ becomes σ, and ς stays what it is. Stores hold keys, so another rule would have to make them anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserName {
    display: String,
    key: String,
}

/// Why a text is no name or group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// Nothing there, or only blanks.
    #[error("is empty")]
    Empty,
    /// Control, invisible or direction-changing characters.
    #[error("holds a control or invisible character")]
    Unprintable,
    /// Over [`UserName::MAX_CHARS`] characters.
    #[error("is longer than 100 characters")]
    TooLong,
    /// A group name with a comma: groups travel as a comma-separated list.
    #[error("holds a comma")]
    Comma,
}

impl UserName {
    /// Forums allow up to 255 bytes; 100 characters is more than any of them shows.
    pub const MAX_CHARS: usize = 100;

    /// Reads a name as typed: surrounding blanks are dropped, the spelling is kept in NFC.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let display = printable(text)?;
        let folded: String = display.nfkc().flat_map(char::to_lowercase).nfkc().collect();
        let key = folded.split_whitespace().collect::<Vec<_>>().join(" ");
        Ok(Self { display, key })
    }

    /// A name as a store kept it: the spelling, and its key where that is another text.
    pub(crate) fn kept(display: String, key: Option<String>) -> Self {
        let key = key.unwrap_or_else(|| display.clone());
        Self { display, key }
    }

    /// The spelling the member chose.
    pub fn as_str(&self) -> &str {
        &self.display
    }

    /// The form for comparison.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.display)
    }
}

/// A group's name, compared as spelled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Group(String);

impl Group {
    /// The group of those who run the forum, whatever it is called there. `passkeys.rollout = "admins"` and access rules know it.
    pub const ADMINS: &'static str = "admins";

    /// Reads a group name.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let name = printable(text)?;
        if name.contains(',') { Err(InvalidName::Comma) } else { Ok(Self(name)) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Group {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Self, InvalidName> {
        Self::parse(&text)
    }
}

impl From<Group> for String {
    fn from(group: Group) -> Self {
        group.0
    }
}

/// Whether a member may sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserState {
    /// May sign in.
    Active,
    /// May not, by the member's own choice: whoever signs in is asked whether they come back.
    Deactivated,
    /// May not, by an operator's choice; sessions were ended when this was set.
    Disabled,
    /// As [`UserState::Deactivated`], and the member asks the operator to delete the account.
    Leaving,
}

impl UserState {
    /// Whether the member switched the account off, and may switch it on again.
    pub const fn is_switched_off(self) -> bool {
        matches!(self, Self::Deactivated | Self::Leaving)
    }
}

/// What the application is told of a signed-in member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Who it is.
    pub id: UserId,
    /// The name they sign in with.
    pub name: UserName,
    /// A name to show, if it differs.
    pub full_name: Option<String>,
    /// An e-mail address. Whether its member has confirmed it is kept apart.
    pub email: Option<String>,
    /// Sorted, each once.
    pub groups: Vec<Group>,
}

impl Profile {
    /// The e-mail address for comparison; none if there is none, or something else in its place.
    pub fn email_key(&self) -> Option<EmailKey> {
        self.email.as_deref().and_then(EmailKey::parse)
    }

    /// Whether they are one of those who run the forum.
    pub fn runs_the_forum(&self) -> bool {
        self.groups.iter().any(|group| group.as_str() == Group::ADMINS)
    }
}

/// A member's account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// What the application is told.
    pub profile: Profile,
    /// Whether they may sign in.
    pub state: UserState,
    /// The password's PHC string; none until one is set. Empty strings never verify (SECURITY: L6).
    pub password: Option<String>,
    /// When the account was made.
    pub created: Timestamp,
    /// When the member last signed in.
    pub last_sign_in: Option<Timestamp>,
    /// The one-time link that is open for this account, if any. A new one replaces it; a changed credential removes it.
    pub setup: Option<SetupLink>,
    /// What takes a passkey by the member's own choice. Nothing while they have none: the store sees to that.
    pub passkey_for: PasskeyFor,
    /// Left by an import; none for an account that was made here.
    pub imported: Option<ImportMark>,
}

/// For what a passkey is asked, and no password is enough (MX-11).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasskeyFor {
    /// Signing in: after the password the passkey is asked.
    pub signing_in: bool,
    /// Changing what one signs in with, and pages that ask for a fresh sign-in.
    pub sensitive_actions: bool,
}

/// A one-time link that an operator hands to a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetupLink {
    /// The hash of its token; of a [`LinkKind::Grant`], the id of the session.
    pub hash: TokenHash,
    /// When it stops working.
    pub expires: Timestamp,
    /// What it does.
    pub kind: LinkKind,
}

/// What a [`SetupLink`] does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkKind {
    /// No link: what is left of a [`LinkKind::Reset`] that was used to sign in. The session of this id may add one passkey.
    Grant,
    /// Signs in, or sets a password. Whoever signs in with it may add one passkey.
    Reset,
    /// Sets a password. Signs nobody in.
    #[default]
    SetUp,
    /// Signs in, and changes nothing.
    SignIn,
}

impl LinkKind {
    /// Whether a password can be set with it.
    pub const fn sets_password(self) -> bool {
        matches!(self, Self::Reset | Self::SetUp)
    }

    /// Whether it can be signed in with.
    pub const fn signs_in(self) -> bool {
        matches!(self, Self::Reset | Self::SignIn)
    }

    /// What it does where nobody signs in with a password: what would set the first lets its member add a passkey.
    pub const fn without_passwords(self) -> Self {
        match self {
            Self::SetUp => Self::Reset,
            other => other,
        }
    }

    /// The word for the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Grant | Self::Reset => "reset",
            Self::SetUp => "set-up",
            Self::SignIn => "sign-in",
        }
    }
}

/// Trims, composes (NFC) and refuses what can't be seen: it would make two names look alike or break a log line.
pub(super) fn printable(text: &str) -> Result<String, InvalidName> {
    let text: String = text.trim().nfc().collect();
    if text.is_empty() {
        return Err(InvalidName::Empty);
    }
    if text.chars().count() > UserName::MAX_CHARS {
        return Err(InvalidName::TooLong);
    }
    if text.chars().any(|c| c.is_control() || is_invisible(c)) {
        return Err(InvalidName::Unprintable);
    }
    Ok(text)
}

/// Format characters (Unicode general category Cf), line separators, fillers, and private or unassigned marks that
/// render as nothing.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{115f}' | '\u{1160}'
        | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests;
