//! A [`Sign`]: what of an answer says how a sign-in went. Signs are taken from status, `Location`, cookies and field names
//! where they can be, since the words on a page are in the forum's language.

use serde::{Deserialize, Serialize};

use super::names::fits;

/// Conditions that all hold of one answer. Names and values of cookies and fields may have stars.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sign {
    /// The status.
    status: Option<u16>,
    /// Stands somewhere in `Location`.
    location: Option<String>,
    /// A cookie of this name is set …
    cookie: Option<String>,
    /// … to such a value …
    value: Option<String>,
    /// … but not to such a one.
    not_value: Option<String>,
    /// A cookie of this name is taken away, or set to nothing.
    removed: Option<String>,
    /// A field of this name is on the page.
    field: Option<String>,
    /// No field of this name is on the page, which is HTML.
    no_field: Option<String>,
    /// Stands somewhere in the page's source.
    text: Option<String>,
    /// Stands nowhere in the page's source, which is HTML.
    no_text: Option<String>,
}

/// An answer, as signs look at it. Holds cookies: not to be printed.
#[derive(Clone, Default)]
pub struct Seen<'a> {
    /// Its status.
    pub status: u16,
    /// Its `Location`.
    pub location: Option<&'a str>,
    /// The cookies it sets or, without a value, takes away; of a name set twice the last.
    pub cookies: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    /// The page, if it is HTML and at hand. Without it no condition on the page holds.
    pub page: Option<&'a str>,
    /// The names of the fields in the page's forms.
    pub fields: Vec<String>,
}

impl Sign {
    /// Whether it has no condition.
    pub(super) fn is_empty(&self) -> bool {
        let value = self.value.is_some() || self.not_value.is_some();
        *self == Self::default() || value && self.cookie.is_none()
    }

    /// Whether it looks at the page, so that the page must be at hand to tell.
    pub fn needs_page(&self) -> bool {
        [&self.field, &self.no_field, &self.text, &self.no_text].into_iter().any(Option::is_some)
    }

    /// Whether each of its conditions holds.
    pub fn is_seen_in(&self, seen: &Seen<'_>) -> bool {
        let has_field =
            |name: &String| seen.fields.iter().any(|field| fits(name.as_bytes(), field.as_bytes()));
        let has_text = |text: &String| seen.page.is_some_and(|page| page.contains(text.as_str()));
        self.status.is_none_or(|status| status == seen.status)
            && self
                .location
                .as_ref()
                .is_none_or(|part| seen.location.is_some_and(|to| to.contains(part.as_str())))
            && self
                .cookie
                .as_ref()
                .is_none_or(|name| seen.cookies.iter().any(|cookie| self.is_set(name, cookie)))
            && self
                .removed
                .as_ref()
                .is_none_or(|name| seen.cookies.iter().any(|cookie| is_removed(name, cookie)))
            && self.field.as_ref().is_none_or(has_field)
            && self.no_field.as_ref().is_none_or(|name| seen.page.is_some() && !has_field(name))
            && self.text.as_ref().is_none_or(has_text)
            && self.no_text.as_ref().is_none_or(|text| seen.page.is_some() && !has_text(text))
    }

    fn is_set(&self, name: &str, (key, value): &(Vec<u8>, Option<Vec<u8>>)) -> bool {
        let Some(value) = value.as_ref().filter(|value| !value.is_empty()) else { return false };
        fits(name.as_bytes(), key)
            && self.value.as_ref().is_none_or(|wanted| fits(wanted.as_bytes(), value))
            && self.not_value.as_ref().is_none_or(|unwanted| !fits(unwanted.as_bytes(), value))
    }
}

fn is_removed(name: &str, (key, value): &(Vec<u8>, Option<Vec<u8>>)) -> bool {
    fits(name.as_bytes(), key) && value.as_ref().is_none_or(Vec::is_empty)
}

/// Whether one of `signs` is seen.
pub fn any_seen(signs: &[Sign], seen: &Seen<'_>) -> bool {
    signs.iter().any(|sign| sign.is_seen_in(seen))
}
