//! Making, listing and removing app passwords.

use super::AppPassword;
use super::record::{self, AppPasswords, KeptAppPassword};
use crate::auth::{Accounts, LiveSession};
use crate::domain::{PasskeyName, Timestamp, TokenHash, UserId, UserState};
use crate::store::{Batch, Change, Owner, StoreError, Verdict};

/// One to be made.
#[derive(Clone, Debug)]
pub struct NewAppPassword {
    /// What the member calls it.
    pub name: PasskeyName,
    /// The operator's paths the member chose; none for all of them.
    pub chosen: Option<Vec<String>>,
}

/// Why none is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The member has as many as they may.
    Full,
    /// They have one of this name.
    NameTaken,
    /// Their account, or the session they ask in, has changed or ended meanwhile.
    Over,
}

/// How that ended.
#[derive(Debug)]
pub enum MadeAppPassword {
    /// Made; to be shown once.
    Made(AppPassword),
    /// Not made.
    Not(Obstacle),
}

/// One of a member's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppPasswordLine {
    /// What names it in a listing: enough to tell it from others, too little to be it.
    pub id: String,
    /// What the member calls it.
    pub name: String,
    /// When it was made.
    pub since: Timestamp,
    /// When it was last used.
    pub last_used: Option<Timestamp>,
    /// The paths the member chose; none for all that the operator names.
    pub chosen: Option<Vec<String>>,
}

impl Accounts {
    /// Makes one for the member of this session, and applies `with` in the same breath. The caller has seen that the session
    /// is fresh.
    pub async fn make_app_password(
        &self,
        session: &LiveSession,
        new: NewAppPassword,
        limit: usize,
        with: Batch,
    ) -> Result<MadeAppPassword, StoreError> {
        let user = session.user();
        if let Some(obstacle) = obstacle(&self.kept_app_passwords(user)?, &new.name, limit) {
            return Ok(MadeAppPassword::Not(obstacle));
        }
        let password = AppPassword::generate();
        let hash = password.hash();
        let NewAppPassword { name, chosen } = new;
        let (since, proof) = (self.clock.now(), session.proof());
        let kept = KeptAppPassword { hash, name, since, proof, chosen, last_used: None };
        match self.store.apply(added(user, kept.clone(), limit, with)).await {
            Ok(()) => {}
            Err(StoreError::Abandoned | StoreError::NoSuchUser) => {
                return Ok(MadeAppPassword::Not(Obstacle::Over));
            }
            Err(error) => return Err(error),
        }
        // SECURITY: S6. Whoever ended this session, or all that lets anybody in, did so before or after that was written: it is
        // seen here, or they have seen it.
        if self.store.session(user, session.id())?.is_none() {
            self.take_app_password(user, hash, Batch::new()).await?;
            return Ok(MadeAppPassword::Not(Obstacle::Over));
        }
        if let Some(member) = self.store.member(user)?.filter(|member| member.state == UserState::Active) {
            self.sessions.app_passwords.put(&kept, member);
            self.sessions.learn_choice(user)?;
        }
        if !self.kept_app_passwords(user)?.iter().any(|one| one.hash == hash) {
            self.sessions.app_passwords.take(hash);
            return Ok(MadeAppPassword::Not(Obstacle::Over));
        }
        Ok(MadeAppPassword::Made(password))
    }

    /// A member's, oldest first.
    pub fn app_passwords(&self, user: UserId) -> Result<Vec<AppPasswordLine>, StoreError> {
        let line = |one: KeptAppPassword| AppPasswordLine {
            id: one.hash.short(),
            name: one.name.as_str().to_owned(),
            since: one.since,
            last_used: one.last_used.max(self.sessions.app_passwords.last_used(one.hash)),
            chosen: one.chosen,
        };
        Ok(self.kept_app_passwords(user)?.into_iter().map(line).collect())
    }

    /// Removes the one that a listing names so, and applies `with` in the same breath; whether it was there.
    pub async fn remove_app_password(&self, user: UserId, id: &str, with: Batch) -> Result<bool, StoreError> {
        let all = self.kept_app_passwords(user)?;
        let Some(one) = all.iter().find(|one| one.hash.short() == id) else { return Ok(false) };
        match self.take_app_password(user, one.hash, with).await {
            Err(StoreError::Abandoned) => Ok(false),
            done => done.map(|()| true),
        }
    }

    /// [`StoreError::Abandoned`] if it is gone already.
    async fn take_app_password(&self, user: UserId, hash: TokenHash, with: Batch) -> Result<(), StoreError> {
        let mut batch = with;
        batch.push(record::revise(user, move |all| {
            let before = all.len();
            all.retain(|one| one.hash != hash);
            if all.len() < before { Verdict::Keep } else { Verdict::Abandon }
        }));
        let taken = self.store.apply(batch).await;
        if matches!(taken, Ok(()) | Err(StoreError::Abandoned)) {
            self.sessions.forget_app_password(hash);
        }
        taken
    }

    fn kept_app_passwords(&self, user: UserId) -> Result<Vec<KeptAppPassword>, StoreError> {
        let kept = self.store.kept::<AppPasswords>(Owner::Member(user), record::KEY)?;
        Ok(kept.map(|AppPasswords(all)| all).unwrap_or_default())
    }
}

/// What has to be so when it is written, and what is written.
fn added(user: UserId, kept: KeptAppPassword, limit: usize, with: Batch) -> Batch {
    let is_active = Change::ReviseUser(
        user,
        Box::new(|user| if user.state == UserState::Active { Verdict::Keep } else { Verdict::Abandon }),
    );
    let add = record::revise(user, move |all| {
        if obstacle(all, &kept.name, limit).is_some() {
            return Verdict::Abandon;
        }
        all.push(kept);
        Verdict::Keep
    });
    let mut batch = vec![is_active, add];
    batch.extend(with);
    batch
}

fn obstacle(all: &[KeptAppPassword], name: &PasskeyName, limit: usize) -> Option<Obstacle> {
    let is_taken = all.iter().any(|one| one.name == *name);
    is_taken.then_some(Obstacle::NameTaken).or_else(|| (all.len() >= limit).then_some(Obstacle::Full))
}
