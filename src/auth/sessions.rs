//! Live sessions: all of them in memory, each change durable before it is acknowledged.
//!
//! SECURITY: S2, S6, SES-02 … SES-04. The check on the way of every request is one read of a sharded map; no disk, and
//! no lock that outlives the read. What ends a session takes it out of the map only after the store has made that
//! durable, and out of the map before it answers.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use dashmap::DashMap;

use super::SessionToken;
use crate::domain::{
    Clock, CredentialId, Lifetimes, Persistence, Profile, Session, SessionId, Timestamp, User, UserId,
    UserState,
};
use crate::store::{Batch, Change, Store, StoreError};

/// A session in memory.
#[derive(Debug)]
pub struct LiveSession {
    session: Session,
    profile: ArcSwap<Profile>,
    last_seen: AtomicU64,
}

impl LiveSession {
    fn new(session: Session, profile: Arc<Profile>) -> Arc<Self> {
        let last_seen = AtomicU64::new(session.last_seen.as_millis());
        Arc::new(Self { session, profile: ArcSwap::new(profile), last_seen })
    }

    /// Its id.
    pub fn id(&self) -> SessionId {
        self.session.id
    }

    /// Whose it is.
    pub fn user(&self) -> UserId {
        self.session.user
    }

    /// When the member signed in.
    pub fn signed_in_at(&self) -> Timestamp {
        self.session.created
    }

    /// The passkey it was opened with, if it was one.
    pub fn passkey(&self) -> Option<&CredentialId> {
        self.session.passkey.as_ref()
    }

    /// What is known of the member now.
    pub fn profile(&self) -> Arc<Profile> {
        self.profile.load_full()
    }

    /// The session with its latest use.
    pub fn snapshot(&self) -> Session {
        Session { last_seen: self.last_seen(), ..self.session.clone() }
    }

    fn last_seen(&self) -> Timestamp {
        Timestamp::from_millis(self.last_seen.load(Ordering::Relaxed))
    }
}

/// All sessions of this gateway.
pub struct Sessions {
    live: DashMap<SessionId, Arc<LiveSession>>,
    lifetimes: ArcSwap<Lifetimes>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

impl Sessions {
    /// What a browser calls itself is kept up to this many bytes.
    const USER_AGENT_BYTES: usize = 256;
    /// Uses are written down in steps of this length; an idle limit is exact to it after a restart.
    const SEEN_STEP: Duration = Duration::from_secs(60);

    /// Reads all sessions from the store into memory, and ends those there that are over: no later clock or longer
    /// lifetime may bring them back.
    pub fn open(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        lifetimes: Lifetimes,
    ) -> Result<Self, StoreError> {
        let live = DashMap::new();
        let profiles: DashMap<UserId, Arc<Profile>> = DashMap::new();
        store.each_user(&mut |user| {
            if user.state == UserState::Active {
                profiles.insert(user.profile.id, Arc::new(user.profile));
            }
            ControlFlow::Continue(())
        })?;
        let now = clock.now();
        let mut over = Batch::new();
        store.each_session(&mut |session| {
            match profiles.get(&session.user) {
                Some(profile) if session.is_live(session.last_seen, now, &lifetimes) => {
                    live.insert(session.id, LiveSession::new(session, Arc::clone(&profile)));
                }
                _ => over.push(Change::EndSession(session.id)),
            }
            ControlFlow::Continue(())
        })?;
        if !over.is_empty() {
            // Nobody waits for it: what fails now is tried at the next start.
            drop(store.apply(over));
        }
        Ok(Self { live, lifetimes: ArcSwap::from_pointee(lifetimes), store, clock })
    }

    /// The live session of a token, marked as used. Cost: one SHA-256 block and one map read.
    pub fn check(&self, token: &SessionToken) -> Option<Arc<LiveSession>> {
        let session = self.live.get(&token.hash()).map(|entry| Arc::clone(entry.value()))?;
        let now = self.clock.now();
        let last_seen = session.last_seen();
        if !session.session.is_live(last_seen, now, &self.lifetimes.load()) {
            return None;
        }
        if now.since(last_seen) >= Duration::from_secs(1) {
            session.last_seen.store(now.as_millis(), Ordering::Relaxed);
        }
        Some(session)
    }

    /// Signs a member in: a fresh token, never one the browser brought (SECURITY: S1, SES-03). Who signs in with a passkey
    /// has [`Change::RevisePasskey`] in `with`, so that no session is opened with one that was removed meanwhile.
    pub async fn start(
        &self,
        user: &User,
        persistence: Persistence,
        passkey: Option<CredentialId>,
        user_agent: &str,
        with: Batch,
    ) -> Result<SessionToken, StoreError> {
        let token = SessionToken::generate();
        let now = self.clock.now();
        let session = Session {
            id: token.hash(),
            user: user.profile.id,
            created: now,
            last_seen: now,
            persistence,
            passkey,
            user_agent: shortened(user_agent, Self::USER_AGENT_BYTES),
        };
        let mut batch = with;
        batch.push(Change::PutSession(session.clone()));
        self.store.apply(batch).await?;
        self.live.insert(session.id, LiveSession::new(session, Arc::new(user.profile.clone())));
        self.forget_if_ended(token.hash())?;
        Ok(token)
    }

    /// Ends one session; no error if it has ended already.
    pub async fn end(&self, id: SessionId) -> Result<(), StoreError> {
        self.store.apply(vec![Change::EndSession(id)]).await?;
        self.live.remove(&id);
        Ok(())
    }

    /// Ends all sessions of a member but one, and applies `with` in the same breath. Returns how many were live.
    pub async fn end_all(
        &self,
        user: UserId,
        but: Option<SessionId>,
        with: Batch,
    ) -> Result<usize, StoreError> {
        let mut batch = with;
        batch.push(Change::EndSessions(user, but));
        self.store.apply(batch).await?;
        let mut ended = 0;
        self.live.retain(|id, session| {
            let stays = session.user() != user || Some(*id) == but;
            ended += usize::from(!stays);
            stays
        });
        Ok(ended)
    }

    /// Removes a member's passkey, ends the sessions that were opened with it, and applies `with` in the same breath.
    /// Returns how many were live.
    pub async fn end_opened_with(
        &self,
        user: UserId,
        passkey: &CredentialId,
        with: Batch,
    ) -> Result<usize, StoreError> {
        let mut batch = with;
        batch.push(Change::RemovePasskey(user, passkey.clone()));
        self.store.apply(batch).await?;
        let before = self.live.len();
        self.live.retain(|_, session| session.user() != user || session.passkey() != Some(passkey));
        Ok(before.saturating_sub(self.live.len()))
    }

    /// The live sessions of a member, latest use first.
    pub fn of(&self, user: UserId) -> Vec<Session> {
        let mut sessions: Vec<_> = self.snapshots(|session| session.user() == user);
        sessions.sort_by_key(|session| std::cmp::Reverse(session.last_seen));
        sessions
    }

    /// All live sessions with their members, latest use first.
    pub fn all(&self) -> Vec<(Session, Arc<Profile>)> {
        let mut all: Vec<_> =
            self.live.iter().map(|entry| (entry.value().snapshot(), entry.value().profile())).collect();
        all.sort_by_key(|(session, _)| std::cmp::Reverse(session.last_seen));
        all
    }

    /// How many sessions are in memory.
    pub fn count(&self) -> usize {
        self.live.len()
    }

    /// Makes a member's changed profile known to all their sessions at once.
    pub fn refresh(&self, profile: &Arc<Profile>) {
        for entry in &self.live {
            if entry.value().user() == profile.id {
                entry.value().profile.store(Arc::clone(profile));
            }
        }
    }

    /// Replaces the lifetimes, for sessions that run too.
    pub fn set_lifetimes(&self, lifetimes: Lifetimes) {
        self.lifetimes.store(Arc::new(lifetimes));
    }

    /// Drops what has expired and writes down when the others were last used. To be called about once a minute.
    pub async fn sweep(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let lifetimes = **self.lifetimes.load();
        let mut batch = Batch::new();
        let mut expired = Vec::new();
        for entry in &self.live {
            let session = entry.value();
            let last_seen = session.last_seen();
            if !session.session.is_live(last_seen, now, &lifetimes) {
                expired.push(session.id());
                batch.push(Change::EndSession(session.id()));
            } else if last_seen.since(session.session.last_seen) >= Self::SEEN_STEP
                && now.since(last_seen) < Self::SEEN_STEP * 2
            {
                batch.push(Change::TouchSession(session.id(), last_seen));
            }
        }
        if !batch.is_empty() {
            self.store.apply(batch).await?;
        }
        expired.iter().for_each(|id| drop(self.live.remove(id)));
        Ok(())
    }

    fn snapshots(&self, which: impl Fn(&LiveSession) -> bool) -> Vec<Session> {
        self.live.iter().filter(|entry| which(entry.value())).map(|entry| entry.value().snapshot()).collect()
    }

    /// The session may have been ended while it was on its way to the disk; whoever did that has not seen it in the map.
    fn forget_if_ended(&self, id: SessionId) -> Result<(), StoreError> {
        if self.store.session(id)?.is_none() {
            self.live.remove(&id);
            return Err(StoreError::NoSuchUser);
        }
        Ok(())
    }
}

fn shortened(text: &str, bytes: usize) -> String {
    let end = (0..=bytes.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text[..end].chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests;
