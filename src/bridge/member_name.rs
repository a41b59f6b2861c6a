//! A [`MemberName`]: how the name is known that somebody has at the forum who was signed in by what they typed.
//!
//! SECURITY: AUTH-15. Databases of forums take more spellings for one name than passgate does: *René* signs in as *Rene* in
//! many. An account made here must be that of the forum's member, and there must be one: whoever is kept out under their
//! name must not come in under another spelling of it. So the forum has to say whom it has signed in, or compare names as
//! passgate does.

use serde::{Deserialize, Serialize};

use super::form::plain;

/// Where the name stands that the member signs in with. A name to show that members choose themselves is no use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "form.name is \"typed\", or a list of the texts before and behind the name")]
pub enum MemberName {
    /// On the page of `form.check`: behind these texts in their order, up to the last of them.
    Between(Vec<String>),
    /// As it was typed: the forum takes two spellings for one name where passgate does, and nowhere else.
    As(Typed),
}

/// The one word for [`MemberName::As`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Typed {
    /// `"typed"`
    Typed,
}

impl MemberName {
    /// Whether it says nothing.
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Between(texts) if texts.len() < 2 || texts.iter().any(String::is_empty))
    }

    /// The name of whoever was signed in with `typed` and is shown `page`; none if it is not where it should be.
    pub(super) fn read(&self, typed: &str, page: &str) -> Option<String> {
        let Self::Between(texts) = self else { return Some(typed.to_owned()) };
        between(texts, page).map(plain)
    }
}

/// What stands on a page behind these texts in their order, up to the last of them.
pub(super) fn between<'p>(texts: &[String], page: &'p str) -> Option<&'p str> {
    let (last, before) = texts.split_last()?;
    let rest = before.iter().try_fold(page, |rest, text| Some(rest.split_once(text.as_str())?.1))?;
    rest.split_once(last.as_str()).map(|(found, _)| found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_from_where_the_preset_says() {
        let name = |texts: &[&str], page| {
            MemberName::Between(texts.iter().map(|text| (*text).to_owned()).collect()).read("typed", page)
        };
        let page = "<b>x</b><p id=me>You are <b class=n>Zo&euml; &amp; <i>R&#x27;n</i></b></p><b>y</b>";
        assert_eq!(name(&["id=me", "<b", ">", "</b>"], page).as_deref(), Some("Zoë & R'n"));
        for texts in [&["id=you", ">", "<"][..], &["id=me", "<b>", "<u>"], &["y", "</b>", ">"]] {
            assert_eq!(name(texts, page), None, "{texts:?}");
        }
        assert_eq!(MemberName::As(Typed::Typed).read("typed", page).as_deref(), Some("typed"));
    }
}
