//! What the gateway knows of a forum's kind, as data: `config/presets/*.toml`, which the binary carries, or a file of the
//! operator's in the same shape.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use self::change::ChangePreset;
use super::{AddressPattern, CookieNames, Kind, MemberName, Recipe, Sign};

mod change;

/// The presets in the binary, by name.
const SHIPPED: [(&str, &str); 11] = [
    ("phpbb", include_str!("../../config/presets/phpbb.toml")),
    ("fluxbb", include_str!("../../config/presets/fluxbb.toml")),
    ("punbb", include_str!("../../config/presets/punbb.toml")),
    ("mybb", include_str!("../../config/presets/mybb.toml")),
    ("smf", include_str!("../../config/presets/smf.toml")),
    ("flaskbb", include_str!("../../config/presets/flaskbb.toml")),
    ("spirit", include_str!("../../config/presets/spirit.toml")),
    ("dokuwiki", include_str!("../../config/presets/dokuwiki.toml")),
    ("mediawiki", include_str!("../../config/presets/mediawiki.toml")),
    ("wordpress", include_str!("../../config/presets/wordpress.toml")),
    ("generic-form", include_str!("../../config/presets/generic-form.toml")),
];

/// A kind of forum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preset {
    /// What it is called in `gateway.toml`.
    pub name: String,
    /// What people call it, with the version it was tried with.
    pub title: String,
    /// Raised with each change that operators of a copy should know of.
    pub version: u32,
    /// The ways by which a member can become known to it, the one that needs least of the operator first.
    pub kinds: Vec<Kind>,
    /// Its sign-in form; needed for [`Kind::Form`], and its page to check with for [`Kind::Session`].
    pub form: Option<FormPreset>,
    /// How sessions are made from its database; needed for [`Kind::Session`].
    pub session: Option<SessionPreset>,
    /// The form in which members change their password; needed where the gateway is to set one.
    pub change: Option<ChangePreset>,
    /// How its answers are read.
    #[serde(default)]
    pub signs: Signs,
    /// Its cookies.
    #[serde(default)]
    pub cookies: CookiePreset,
    /// Its addresses.
    #[serde(default)]
    pub addresses: Addresses,
}

/// Its sessions, as its database has them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionPreset {
    /// How they are made.
    pub recipe: Recipe,
    /// What its tables' names begin with, where `gateway.toml` does not say.
    #[serde(default)]
    pub table_prefix: String,
}

/// The sign-in form. Addresses are given below the forum's path: `/ucp.php?mode=login`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormPreset {
    /// The page with the form.
    pub page: String,
    /// Where it is posted to, if not to where it says itself.
    pub action: Option<String>,
    /// The field of the name.
    pub user_field: String,
    /// The field of the password. Of several forms, the one that has it is meant.
    pub password_field: String,
    /// Fields that are sent with these values, whatever the page says.
    #[serde(default)]
    pub fixed: BTreeMap<String, String>,
    /// How long the forum wants to pass between the page and the post.
    #[serde(default, deserialize_with = "duration", serialize_with = "written")]
    pub wait: Duration,
    /// How long it wants to pass between two sign-ins.
    #[serde(default, deserialize_with = "duration", serialize_with = "written")]
    pub pace: Duration,
    /// Between whose.
    #[serde(default)]
    pub pace_of: PaceOf,
    /// How long to keep away after "too many", where the forum doesn't say.
    #[serde(default = "five_minutes", deserialize_with = "duration", serialize_with = "written")]
    pub throttled: Duration,
    /// A page that shows who is signed in, fetched to make sure. None: success shows by itself.
    pub check: Option<String>,
    /// How the member's name is known then. Nobody's account is made at a first sign-in without it.
    pub name: Option<MemberName>,
}

/// Whose sign-ins a forum wants apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PaceOf {
    /// Those of one visitor's address: it understands `X-Forwarded-For`.
    #[default]
    Address,
    /// All: they come from one address, as it sees them.
    Forum,
}

/// How an answer of the forum is read. Each is a list of which one sign is enough.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Signs {
    /// The member is signed in.
    pub success: Vec<Sign>,
    /// The password is wrong; or the name too, where the forum doesn't tell which.
    pub wrong_password: Vec<Sign>,
    /// There is no such member.
    pub unknown_user: Vec<Sign>,
    /// Too many sign-ins: later.
    pub throttled: Vec<Sign>,
    /// A question that only the member can answer.
    pub captcha: Vec<Sign>,
    /// A second factor of the forum's.
    pub second_factor: Vec<Sign>,
    /// The page of [`FormPreset::check`] shows a member.
    pub signed_in: Vec<Sign>,
    /// A later answer shows that the forum's session is over.
    pub signed_out: Vec<Sign>,
}

/// The forum's cookies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CookiePreset {
    /// Those by which it knows a member; they stay on our side.
    pub session: CookieNames,
}

/// Addresses that mean something to the gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Addresses {
    /// Its own sign-in.
    pub login: Vec<AddressPattern>,
    /// Its own sign-out.
    pub logout: Vec<AddressPattern>,
    /// Registration.
    pub register: Vec<AddressPattern>,
    /// Forgotten passwords.
    pub lost_password: Vec<AddressPattern>,
    /// Changing the password or the e-mail address.
    pub change_password: Vec<AddressPattern>,
    /// Where the forum is administered.
    pub admin: Vec<AddressPattern>,
    /// What guests fetch without a browser: feeds, cron.
    pub guest: Vec<AddressPattern>,
}

/// A preset that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidPreset {
    /// Not TOML, a key that is not known, a value of another type. The parser says where.
    #[error("{0}")]
    Unreadable(#[from] toml::de::Error),
    /// Something is missing or says nothing.
    #[error(transparent)]
    Incomplete(#[from] Gap),
}

/// What is missing in a preset, or says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {said}")]
pub struct Gap {
    /// Its key, with dots.
    pub key: &'static str,
    /// What belongs there, or why it can't stay.
    pub said: &'static str,
}

impl Preset {
    /// The names of the presets in the binary.
    pub fn names() -> impl Iterator<Item = &'static str> {
        SHIPPED.iter().map(|(name, _)| *name)
    }

    /// The text of a preset in the binary, to be printed and changed.
    pub fn text(name: &str) -> Option<&'static str> {
        SHIPPED.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
    }

    /// A preset in the binary.
    pub fn shipped(name: &str) -> Option<Self> {
        Self::text(name).and_then(|text| Self::parse(text).ok())
    }

    /// Reads a preset.
    ///
    /// # Errors
    /// What is wrong with it, for the operator who wrote it.
    pub fn parse(text: &str) -> Result<Self, InvalidPreset> {
        let preset: Self = toml::from_str(text)?;
        Ok(preset.gap().map_or(Ok(preset), Err)?)
    }

    /// The preset as a text that reads as the same one.
    pub fn to_text(&self) -> String {
        // Texts, numbers, lists and tables of them: nothing in there that TOML can't say.
        toml::to_string(self).unwrap_or_default()
    }

    /// The first thing that is missing in it or says nothing.
    pub fn gap(&self) -> Option<Gap> {
        let gap = |key, said| Some(Gap { key, said });
        if self.kinds.is_empty() {
            return gap("kinds", "name at least one of \"form\", \"session\", \"basic\", \"headers\"");
        }
        if let Some((key, _)) =
            self.signs.by_key().into_iter().find(|(_, signs)| signs.iter().any(Sign::is_empty))
        {
            return gap(key, "a sign without a condition would hold for every answer");
        }
        if !self.kinds.iter().any(|kind| kind.keeps_session()) {
            return None;
        }
        let Some(form) = &self.form else {
            return gap("form", "needed for the kinds \"form\" and \"session\"");
        };
        if self.kinds.contains(&Kind::Session) {
            if self.session.is_none() {
                return gap("session", "needed for the kind \"session\"");
            }
            if form.check.is_none() {
                return gap(
                    "form.check",
                    "needed for the kind \"session\": a page that shows who is signed in",
                );
            }
        }
        let addresses = [
            ("form.page", Some(&form.page)),
            ("form.action", form.action.as_ref()),
            ("form.check", form.check.as_ref()),
        ];
        let is_other =
            |(_, address): &(_, Option<&String>)| address.is_some_and(|address| !is_address(address));
        if let Some((key, _)) = addresses.into_iter().find(is_other) {
            return gap(key, "an address on the forum's own host begins with one slash");
        }
        if self.kinds.contains(&Kind::Form) && self.signs.success.is_empty() {
            return gap("signs.success", "without a sign of success nobody could be signed in");
        }
        if form.name.as_ref().is_some_and(|name| form.check.is_none() || name.is_empty()) {
            return gap(
                "form.name",
                "it needs form.check, and at least a text before the name and one behind it",
            );
        }
        if form.check.is_some() && self.signs.signed_in.is_empty() {
            return gap("signs.signed_in", "say how the page of form.check shows a member");
        }
        if self.cookies.session == CookieNames::default() {
            return gap("cookies.session", "name the cookies by which the forum knows a member");
        }
        self.change.as_ref().and_then(|change| change.gap(form.check.is_some()))
    }
}

/// Whether it is an address on the forum's own host.
fn is_address(address: &str) -> bool {
    address.starts_with('/') && !address.starts_with("//")
}

impl Signs {
    fn by_key(&self) -> [(&'static str, &[Sign]); 8] {
        [
            ("signs.success", &self.success),
            ("signs.wrong_password", &self.wrong_password),
            ("signs.unknown_user", &self.unknown_user),
            ("signs.throttled", &self.throttled),
            ("signs.captcha", &self.captcha),
            ("signs.second_factor", &self.second_factor),
            ("signs.signed_in", &self.signed_in),
            ("signs.signed_out", &self.signed_out),
        ]
    }
}

fn five_minutes() -> Duration {
    Duration::from_secs(300)
}

fn duration<'d, D: Deserializer<'d>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    humantime::parse_duration(&text)
        .map_err(|_| serde::de::Error::custom(format!("{text:?} is no time such as \"2s\" or \"5m\"")))
}

fn written<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&humantime::format_duration(*time))
}

#[cfg(test)]
mod tests;
