//! A member as read, in types that can't be wrong, with what had to be left out.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::shapes::{Draft, Rank};
use crate::auth::passwords::{Columns, Source, read};
use crate::domain::{EmailKey, Group, UserName, UserState};

const MODERATORS: &str = "moderators";

/// A member to be made an account of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImportedMember {
    /// The name, in the forum's spelling.
    pub name: UserName,
    /// A name to show, if it differs.
    pub full_name: Option<String>,
    /// An e-mail address.
    pub email: Option<String>,
    /// Sorted, each once.
    pub groups: Vec<Group>,
    /// Whether they may sign in.
    pub state: UserState,
    /// The hash in the form in which it is stored.
    pub password: Option<String>,
}

/// A member read from a file. Whoever writes one down writes down a hash.
#[derive(Serialize, Deserialize)]
pub struct Candidate {
    /// Where they stand in it.
    pub line: u64,
    /// Who they are.
    pub member: ImportedMember,
    /// What kind of hash they have; none without a usable one.
    pub kind: Option<Cow<'static, str>>,
    /// Why they may not sign in, if so.
    pub off: Option<Cow<'static, str>>,
    /// What the operator should know.
    pub notes: Vec<String>,
}

/// Reads a draft; the error says why it is nobody.
pub(super) fn prepared(line: u64, draft: Draft, hashes: Option<Source>) -> Result<Candidate, String> {
    let name = match UserName::parse(&draft.name) {
        Ok(name) => name,
        Err(error) if draft.name.is_empty() => return Err(format!("the name {error}")),
        Err(error) => return Err(format!("the name {:?} {error}", shortened(&draft.name))),
    };
    let mut notes = Vec::new();
    if name.as_str() != draft.name {
        notes.push(format!("the name {:?} is kept as {:?}", draft.name, name.as_str()));
    }
    let (password, kind) = password(&draft, hashes, &mut notes);
    let email = draft.email.filter(|email| {
        let fits = EmailKey::parse(email).is_some();
        if !fits {
            notes.push("what stands for an e-mail address is none, and was left out".to_owned());
        }
        fits
    });
    let full_name = draft.full_name.filter(|full| *full != draft.name).and_then(|full| {
        UserName::parse(&full).ok().map(|full| full.as_str().to_owned()).filter(|full| full != name.as_str())
    });
    let (groups, group_off) = groups(draft.ranks, &mut notes);
    let off = draft.off.or(group_off);
    let state = if off.is_some() { UserState::Disabled } else { UserState::Active };
    let member = ImportedMember { name, full_name, email, groups, state, password };
    let (kind, off) = (kind.map(Cow::Borrowed), off.map(Cow::Borrowed));
    Ok(Candidate { line, member, kind, off, notes })
}

/// A member whose hash can't be used comes without one; a link lets them in.
fn password(
    draft: &Draft,
    hashes: Option<Source>,
    notes: &mut Vec<String>,
) -> (Option<String>, Option<&'static str>) {
    let Some(hash) = &draft.hash else { return (None, None) };
    let Some(source) = hashes else {
        let own = String::from_utf8(hash.clone()).ok();
        return (own, Some("passgate"));
    };
    match read(source, Columns { hash, salt: draft.salt.as_deref(), name: &draft.name }) {
        Ok(stored) => (Some(stored.as_str().to_owned()), Some(stored.kind())),
        Err(why) => {
            notes.push(format!(
                "the password's hash can't be used ({why}); `passgate user link` lets them in"
            ));
            (None, None)
        }
    }
}

fn groups(ranks: Vec<Rank>, notes: &mut Vec<String>) -> (Vec<Group>, Option<&'static str>) {
    let mut off = None;
    let mut groups = Vec::new();
    for rank in ranks {
        let name = match rank {
            Rank::Admins => Group::ADMINS.to_owned(),
            Rank::Moderators => MODERATORS.to_owned(),
            Rank::Named(name) => name,
            Rank::Nobody => continue,
            Rank::Off(why) => {
                off = Some(why);
                continue;
            }
        };
        match Group::parse(&name) {
            Ok(group) => groups.push(group),
            Err(error) => notes.push(format!("the group {:?} {error}, and was left out", shortened(&name))),
        }
    }
    groups.sort();
    groups.dedup();
    (groups, off)
}

fn shortened(text: &str) -> String {
    text.chars().take(UserName::MAX_CHARS).collect()
}
