//! What anybody knows of a member, and so does who guesses their password.

use std::cmp::Reverse;

use super::folded;
use crate::domain::{Profile, UserName};

/// Of what a password is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// The e-mail address.
    Email,
    /// The name that is shown.
    FullName,
    /// What the site calls itself.
    SiteName,
    /// The name to sign in with.
    UserName,
}

/// The words that are known of a member and of their site, longest first.
#[derive(Clone, Debug, Default)]
pub struct About(Vec<(Known, String)>);

impl About {
    /// Shorter words are in other words by chance.
    const LEAST_WORD: usize = 4;
    /// If no more than this is left beside them, they are all there is to guess.
    const LEAST_REST: usize = 8;

    /// What is known of this member of the site of this name.
    pub fn of(member: &Profile, site_name: &str) -> Self {
        let Profile { name, full_name, email, .. } = member;
        Self::new(Some(name), full_name.as_deref(), email.as_deref(), Some(site_name))
    }

    /// What is known of somebody who chooses a name at the site of this name.
    pub fn of_newcomer(name: Option<&UserName>, email: Option<&str>, site_name: &str) -> Self {
        Self::new(name, None, email, Some(site_name))
    }

    /// What is known of whoever has these names, wherever that is.
    pub fn from_names(name: &UserName, full_name: Option<&str>, email: Option<&str>) -> Self {
        Self::new(Some(name), full_name, email, None)
    }

    fn new(
        name: Option<&UserName>,
        full_name: Option<&str>,
        email: Option<&str>,
        site: Option<&str>,
    ) -> Self {
        let (local, host) = email.and_then(|email| email.split_once('@')).unzip();
        let texts = [
            (Known::UserName, name.map(UserName::as_str)),
            (Known::FullName, full_name),
            (Known::Email, local),
            (Known::Email, host),
            (Known::SiteName, site),
        ];
        let mut words: Vec<(Known, String)> = Vec::new();
        for (known, text) in texts.into_iter().filter_map(|(known, text)| Some((known, text?))) {
            let parts = text.split(|sign: char| !sign.is_alphanumeric());
            for word in std::iter::once(text).chain(parts).map(|word| folded(word).to_string()) {
                let is_known = words.iter().any(|(_, other)| *other == word);
                if word.chars().count() >= Self::LEAST_WORD && !is_known {
                    words.push((known, word));
                }
            }
        }
        words.sort_by_key(|(_, word)| Reverse(word.len()));
        Self(words)
    }

    /// What most of a folded password is made of, if little is left without it; forwards or backwards.
    pub(super) fn makes_up(&self, password: &str) -> Option<Known> {
        if password.chars().count() < Self::LEAST_REST {
            return None;
        }
        let (mut rest, mut found) = (password.to_owned(), None);
        for (known, word) in &self.0 {
            let before = rest.len();
            let backwards: String = word.chars().rev().collect();
            rest = rest.replace(word, "").replace(&backwards, "");
            let taken = before - rest.len();
            if taken > found.map_or(0, |(most, _)| most) {
                found = Some((taken, *known));
            }
        }
        let (_, known) = found?;
        (rest.chars().count() < Self::LEAST_REST).then_some(known)
    }

    pub(super) fn words(&self) -> Vec<&str> {
        self.0.iter().map(|(_, word)| word.as_str()).collect()
    }
}
