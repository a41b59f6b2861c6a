//! App passwords in memory: those of active members, from the start on. Each is a session of its own kind, which is never fresh.
//!
//! SECURITY: S6. What ends one takes it out of here once the store has made that durable, and before it answers.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dashmap::DashMap;

use super::Credentials;
use super::options::AppPasswordOptions;
use super::record::{self, AppPasswords, KeptAppPassword};
use crate::auth::{LiveSession, Sessions};
use crate::domain::{SessionId, Timestamp, TokenHash, UserId, UserState};
use crate::store::{Batch, Member, Owner, Store, StoreError};

/// The use of one is written down this often at most.
const ONE_DAY: Duration = Duration::from_secs(86_400);

/// All that count.
#[derive(Default)]
pub(in crate::auth) struct AppPasswordsInUse(DashMap<TokenHash, Live>);

struct Live {
    session: Arc<LiveSession>,
    chosen: Option<Vec<String>>,
    /// 0 for never.
    last_used: AtomicU64,
    /// What the store has of that.
    written: AtomicU64,
}

/// Why an app password does not count, for the log alone; programs are told nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedAppPassword {
    /// Its member did not choose this path for it.
    Elsewhere(UserId),
    /// It is not one, or not any more.
    Unknown,
    /// It is another member's than the one who is named.
    WrongName(UserId),
}

impl RefusedAppPassword {
    /// The word for the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Elsewhere(_) => "elsewhere",
            Self::Unknown => "unknown",
            Self::WrongName(_) => "wrong-name",
        }
    }

    /// Whose it is.
    pub const fn member(self) -> Option<UserId> {
        match self {
            Self::Elsewhere(user) | Self::WrongName(user) => Some(user),
            Self::Unknown => None,
        }
    }
}

impl AppPasswordsInUse {
    /// Reads all from the store.
    pub(in crate::auth) fn open(store: &Arc<dyn Store>) -> Result<Self, StoreError> {
        let (all, mut kept) = (Self::default(), Vec::new());
        store.each_kept(|owner, _, AppPasswords(list)| {
            if let Owner::Member(user) = owner {
                kept.push((user, list));
            }
            ControlFlow::Continue(())
        })?;
        for (user, list) in kept {
            if let Some(member) = store.member(user)?.filter(|member| member.state == UserState::Active) {
                list.iter().for_each(|one| all.put(one, member.clone()));
            }
        }
        Ok(all)
    }

    pub(super) fn put(&self, kept: &KeptAppPassword, member: Member) {
        let at = kept.last_used.map_or(0, Timestamp::as_millis);
        let live = Live {
            session: LiveSession::of_program(kept.hash, member, kept.proof),
            chosen: kept.chosen.clone(),
            last_used: AtomicU64::new(at),
            written: AtomicU64::new(at),
        };
        self.0.insert(kept.hash, live);
    }

    /// Takes one out; whether it was there.
    pub(super) fn take(&self, hash: TokenHash) -> bool {
        self.0.remove(&hash).is_some()
    }

    /// Takes a member's out, and says which these were.
    pub(super) fn take_all(&self, user: UserId) -> Vec<SessionId> {
        let mut taken = Vec::new();
        self.0.retain(|hash, live| {
            let is_over = live.session.user() == user;
            taken.extend(is_over.then_some(*hash));
            !is_over
        });
        taken
    }

    /// Whether this one counts still.
    pub(in crate::auth) fn holds(&self, hash: TokenHash) -> bool {
        self.0.contains_key(&hash)
    }

    /// A member's, to be told what changes.
    pub(in crate::auth) fn of(&self, user: UserId) -> Vec<Arc<LiveSession>> {
        let own = self.0.iter().filter(|live| live.session.user() == user);
        own.map(|live| Arc::clone(&live.session)).collect()
    }

    /// All of them, as sessions.
    pub(in crate::auth) fn ids(&self) -> Vec<SessionId> {
        self.0.iter().map(|live| *live.key()).collect()
    }

    pub(super) fn last_used(&self, hash: TokenHash) -> Option<Timestamp> {
        let at = self.0.get(&hash)?.last_used.load(Ordering::Relaxed);
        (at > 0).then(|| Timestamp::from_millis(at))
    }

    /// Writes down which were used, of each once a day.
    pub(in crate::auth) async fn write_down(&self, store: &dyn Store) -> Result<(), StoreError> {
        let (mut batch, mut written) = (Batch::new(), Vec::new());
        for live in &self.0 {
            let at = Timestamp::from_millis(live.last_used.load(Ordering::Relaxed));
            let before = Timestamp::from_millis(live.written.load(Ordering::Relaxed));
            if at > before && (before == Timestamp::default() || at.since(before) >= ONE_DAY) {
                batch.push(record::used(live.session.user(), *live.key(), at));
                written.push((*live.key(), at));
            }
        }
        if batch.is_empty() {
            return Ok(());
        }
        store.apply(batch).await?;
        for (hash, at) in written {
            if let Some(live) = self.0.get(&hash) {
                live.written.store(at.as_millis(), Ordering::Relaxed);
            }
        }
        Ok(())
    }
}

impl Sessions {
    /// The session of a program that presents an app password for a path (canonical, decoded), marked as used. Cost: one block
    /// of SHA-256 and one read of a map.
    ///
    /// # Errors
    /// Why it does not count. Its caller counts that with the throttle, and answers the same whatever it is.
    pub fn check_app_password(
        &self,
        presented: &Credentials,
        options: &AppPasswordOptions,
        path: &str,
    ) -> Result<Arc<LiveSession>, RefusedAppPassword> {
        let hash = presented.password.hash();
        let Some(live) = self.app_passwords.0.get(&hash) else { return Err(RefusedAppPassword::Unknown) };
        let member = live.session.user();
        if !presented.are_for(&live.session.profile()) {
            return Err(RefusedAppPassword::WrongName(member));
        }
        if !options.admits(path, live.chosen.as_deref()) {
            return Err(RefusedAppPassword::Elsewhere(member));
        }
        live.last_used.store(self.clock.now().as_millis(), Ordering::Relaxed);
        Ok(Arc::clone(&live.session))
    }

    /// The ids of all app passwords that count; forums know members by them as by those of sessions.
    pub fn app_password_ids(&self) -> Vec<SessionId> {
        self.app_passwords.ids()
    }
}
