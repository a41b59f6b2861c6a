//! Who is asked for a passkey and has none: operators are told by name, since these members come no further than the page
//! that adds one (MF-28).

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::protocol::{UserLine, UserView};
use crate::auth::Accounts;
use crate::domain::{Group, UserState};
use crate::policy::RequiredFor;
use crate::store::{Store, StoreError};

/// So many are named; the others are counted.
const NAMED: usize = 10;

/// All accounts by name, with how many passkeys each has.
pub fn all_users(accounts: &Accounts, store: &dyn Store) -> Result<Vec<UserLine>, StoreError> {
    let mut passkeys = HashMap::new();
    store.each_passkey(&mut |passkey| {
        *passkeys.entry(passkey.user).or_insert(0) += 1;
        ControlFlow::Continue(())
    })?;
    let line = |user: &crate::domain::User| UserLine {
        user: UserView::of(user),
        passkeys: passkeys.get(&user.profile.id).copied().unwrap_or(0),
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
    let lacking: Vec<_> = users
        .iter()
        .filter(|line| line.passkeys == 0 && line.user.state == UserState::Active && is_asked(&line.user))
        .map(|line| line.user.name.as_str())
        .collect();
    let (count, named) = (lacking.len(), lacking.get(..NAMED).unwrap_or(&lacking).join(", "));
    let (members, others) = match count {
        0 => return None,
        1 => ("1 member has".to_owned(), String::new()),
        2..=NAMED => (format!("{count} members have"), String::new()),
        _ => (format!("{count} members have"), format!(" and {} more", count - NAMED)),
    };
    let (setting, help) = match required_for {
        RequiredFor::Everyone => {
            ("password.enabled = false", "`passgate user link NAME` makes the link that lets one in")
        }
        _ => ("passkeys.required_for", "each is asked to add one after the next sign-in"),
    };
    Some(format!("{members} no passkey and can't go on without one ({setting}): {named}{others}; {help}"))
}
