//! Members into the store: a batch at a time, wholly or not at all, and as often as one likes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::member::ImportedMember;
use crate::domain::{Clock, ImportMark, PasskeyFor, Profile, User, UserId, UserState};
use crate::store::{Batch, Change, Store, StoreError, Verdict};

/// Whether something is to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Members are written.
    Write,
    /// It is only told what would happen.
    Rehearse,
}

/// What came of a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// They are new here.
    Added,
    /// They came with an earlier import, and have signed in or set a password since: what they have here counts.
    AtHome,
    /// Somebody of that name was made here by hand, or came from another application; they were left as they are.
    Stranger,
    /// They are here already, just so.
    Unchanged,
    /// They came with an earlier import; the forum has other things to tell now.
    Updated,
}

/// Takes members in.
pub struct Admission {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

impl Admission {
    /// At most so many members in one batch: readers wait for the write of one.
    pub const BATCH: usize = 1_000;
    /// An account may change between being read and being written; then all is read again, this often.
    const TRIES: usize = 4;

    /// Wires the use case.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    /// Takes a batch in, from the application that is named: all of it is durable when this returns `Ok`, none of it happened otherwise. No two members of a
    /// batch may have the same name.
    pub async fn admit(
        &self,
        from: &str,
        members: &[ImportedMember],
        mode: Mode,
    ) -> Result<Vec<Outcome>, StoreError> {
        let mut tries = 1;
        loop {
            let (outcomes, batch) = self.plan(from, members)?;
            if mode == Mode::Rehearse || batch.is_empty() {
                return Ok(outcomes);
            }
            match self.store.apply(batch).await {
                Ok(()) => return Ok(outcomes),
                Err(StoreError::Abandoned | StoreError::NameTaken | StoreError::NoSuchUser)
                    if tries < Self::TRIES =>
                {
                    tries += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn plan(&self, from: &str, members: &[ImportedMember]) -> Result<(Vec<Outcome>, Batch), StoreError> {
        let mut outcomes = Vec::with_capacity(members.len());
        let mut batch = Batch::new();
        let first = UserId::generate();
        for member in members {
            let existing = self.store.user_by_name(member.name.key())?;
            let outcome = outcome(existing.as_ref(), from, member);
            match (outcome, existing) {
                (Outcome::Added, _) => {
                    batch.push(Change::AddUser(self.account(first.generate_near(), from, member.clone())));
                }

                (Outcome::Updated, Some(user)) => {
                    batch.push(update(user.profile.id, from.to_owned(), member.clone()))
                }
                _ => {}
            }
            outcomes.push(outcome);
        }
        Ok((outcomes, batch))
    }

    fn account(&self, id: UserId, from: &str, member: ImportedMember) -> User {
        let ImportedMember { name, full_name, email, groups, state, password } = member;
        User {
            profile: Profile { id, name, full_name, email, groups },
            state,
            imported: Some(ImportMark::new(from, password.as_deref())),
            password,
            created: self.clock.now(),
            last_sign_in: None,
            setup: None,
            passkey_for: PasskeyFor::default(),
        }
    }
}

fn outcome(existing: Option<&User>, from: &str, member: &ImportedMember) -> Outcome {
    let Some(user) = existing else { return Outcome::Added };
    let Some(mark) = user.imported.as_ref().filter(|mark| mark.is_from(from)) else {
        return Outcome::Stranger;
    };
    if user.last_sign_in.is_some() || !mark.fits(user.password.as_deref()) {
        return Outcome::AtHome;
    }
    if updated(user, from, member) == *user { Outcome::Unchanged } else { Outcome::Updated }
}

/// The account as another import leaves it: password and e-mail address as the forum has them now, and whoever is kept
/// out there is kept out here. Never the other way round: an operator may have had a reason of their own. Groups are
/// left as well, since rights are given out by them.
fn updated(user: &User, from: &str, member: &ImportedMember) -> User {
    let mut next = user.clone();
    next.password.clone_from(&member.password);
    next.imported = Some(ImportMark::new(from, member.password.as_deref()));
    next.profile.email.clone_from(&member.email);
    if member.state == UserState::Disabled {
        next.state = UserState::Disabled;
        next.setup = None;
    }
    next
}

fn update(id: UserId, from: String, member: ImportedMember) -> Change {
    let revise = move |user: &mut User| {
        if outcome(Some(user), &from, &member) != Outcome::Updated {
            return Verdict::Abandon;
        }
        *user = updated(user, &from, &member);
        Verdict::Keep
    };
    Change::ReviseUser(id, Box::new(revise))
}
