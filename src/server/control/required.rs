//! Who is asked for a passkey, or for more than a password, and has none: operators are told by name, since these members come no
//! further than the page that adds one (MF-28).

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::protocol::{UserLine, UserView};
use crate::auth::Accounts;
use crate::auth::second_factors::SecondFactors;
use crate::domain::{Group, UserState};
use crate::policy::{RequiredFor, SecondFactorFor};
use crate::store::{Store, StoreError};

/// So many are named; the others are counted.
const NAMED: usize = 10;

/// All accounts by name, with how many passkeys each has, and whether there is a second factor.
pub fn all_users(
    accounts: &Accounts,
    second_factors: &SecondFactors,
    store: &dyn Store,
) -> Result<Vec<UserLine>, StoreError> {
    let mut passkeys = HashMap::new();
    store.each_passkey(&mut |passkey| {
        *passkeys.entry(passkey.user).or_insert(0) += 1;
        ControlFlow::Continue(())
    })?;
    let members = second_factors.members()?;
    let waiting: HashMap<_, _> = accounts.applicants()?.into_iter().collect();
    let line = |user: &crate::domain::User| UserLine {
        user: UserView::of(user),
        passkeys: passkeys.get(&user.profile.id).copied().unwrap_or(0),
        second_factor: members.contains(&user.profile.id),
        waits_since: waiting.get(&user.profile.id).map(|applicant| applicant.since.to_string()),
    };
    Ok(accounts.all()?.iter().map(line).collect())
}

/// A sentence that names the members who need a passkey and have none; none if there are no such.
pub fn without_passkey(required_for: &RequiredFor, users: &[UserLine]) -> Option<String> {
    let is_asked = |user: &UserView| match required_for {
        RequiredFor::Everyone => true,
        RequiredFor::Groups(groups) => {
            groups.iter().map(Group::as_str).any(|group| user.groups.iter().any(|own| own == group))
        }
        RequiredFor::Nobody => false,
    };
    let (members, named) = named(users, |line| line.passkeys == 0 && is_asked(&line.user))?;
    let (setting, help) = match required_for {
        RequiredFor::Everyone => {
            ("password.enabled = false", "`passgate user link NAME` makes the link that lets one in")
        }
        _ => ("passkeys.required_for", "each is asked to add one after the next sign-in"),
    };
    Some(format!("{members} no passkey and can't go on without one ({setting}): {named}; {help}"))
}

/// A sentence that names the members who need more than a password and have nothing else; none if there are no such.
pub fn without_second_factor(required_for: &SecondFactorFor, users: &[UserLine]) -> Option<String> {
    let has_none = |line: &UserLine| line.passkeys == 0 && !line.second_factor;
    let (members, named) = named(users, |line| has_none(line) && required_for.names_any(&line.user.groups))?;
    let setting = match required_for {
        SecondFactorFor::Everyone => "required_for_all",
        SecondFactorFor::Groups(_) => "required_groups",
    };
    Some(format!(
        "{members} neither a second factor nor a passkey and can't go on without one (second_factor.{setting}): \
         {named}; each is asked to set one up after the next sign-in"
    ))
}

/// "2 members have" and who; none for nobody. Who is kept out anyway is not among them.
fn named(users: &[UserLine], lacks: impl Fn(&UserLine) -> bool) -> Option<(String, String)> {
    let lacking: Vec<_> = users
        .iter()
        .filter(|line| line.user.state == UserState::Active && lacks(line))
        .map(|line| line.user.name.as_str())
        .collect();
    let (count, named) = (lacking.len(), lacking.get(..NAMED).unwrap_or(&lacking).join(", "));
    Some(match count {
        0 => return None,
        1 => ("1 member has".to_owned(), named),
        2..=NAMED => (format!("{count} members have"), named),
        _ => (format!("{count} members have"), format!("{named} and {} more", count - NAMED)),
    })
}
