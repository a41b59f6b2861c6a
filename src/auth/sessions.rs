//! Live sessions: all of them in memory, each change durable before it is acknowledged.
//!
//! SECURITY: S2, S6, SES-02 … SES-04. The check on the way of every request is one read of a sharded map; no disk, and
//! no lock that outlives the read. What ends a session takes it out of the map only after the store has made that
//! durable, and out of the map before it answers.

mod over;

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use dashmap::DashMap;

use self::over::Over;
use super::SessionToken;
use super::second_factors::FactorsMet;
use super::throttle::DeviceId;
use crate::domain::{
    Beside, Clock, CredentialId, Lifetimes, PasskeyFor, Persistence, Profile, Proof, Session, SessionId,
    Timestamp, User, UserId, UserState,
};
use crate::policy::Presence;
use crate::store::{Batch, Change, Store, StoreError, Verdict};

/// A session in memory.
#[derive(Debug)]
pub struct LiveSession {
    session: Session,
    profile: ArcSwap<Profile>,
    passkey_for: ArcSwap<PasskeyFor>,
    last_seen: AtomicU64,
}

impl LiveSession {
    fn new(session: Session, profile: Arc<Profile>, passkey_for: PasskeyFor) -> Arc<Self> {
        let last_seen = AtomicU64::new(session.last_seen.as_millis());
        let (profile, passkey_for) = (ArcSwap::new(profile), ArcSwap::from_pointee(passkey_for));
        Arc::new(Self { session, profile, passkey_for, last_seen })
    }

    /// Its id.
    pub fn id(&self) -> SessionId {
        self.session.id
    }

    /// Whose it is.
    pub fn user(&self) -> UserId {
        self.session.user
    }

    /// What names the browser that has it to the throttle: the member has signed in there.
    pub fn device(&self) -> DeviceId {
        std::array::from_fn(|at| self.session.id.0[at])
    }

    /// When the member signed in.
    pub fn signed_in_at(&self) -> Timestamp {
        self.session.created
    }

    /// When the member last proved who they are; see [`Session::proved_at`].
    pub fn proved_at(&self) -> Option<Timestamp> {
        self.session.proved_at()
    }

    /// The passkey it was opened with, if it was one.
    pub fn passkey(&self) -> Option<&CredentialId> {
        self.session.passkey.as_ref()
    }

    /// How the member proved who they are.
    pub fn proof(&self) -> Proof {
        self.session.proof()
    }

    /// How long the browser keeps it.
    pub fn persistence(&self) -> Persistence {
        self.session.persistence
    }

    /// For what the member wants a passkey to be asked.
    pub fn passkey_for(&self) -> PasskeyFor {
        **self.passkey_for.load()
    }

    /// The session as far as deciding goes. `profile` is what [`LiveSession::profile`] gave.
    pub fn presence<'p>(&self, profile: &'p Arc<Profile>) -> Presence<'p> {
        Presence {
            profile,
            proved_at: self.proved_at(),
            proof: self.proof(),
            passkey_for: self.passkey_for(),
        }
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
    /// Those that lately came to their end by time alone.
    over: Over,
    lifetimes: ArcSwap<Lifetimes>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    /// Held while what a member chose is read and made known.
    learning: Mutex<()>,
    /// Who wants to know of each session that is over.
    listener: OnceLock<Box<Listener>>,
}

type Listener = dyn Fn(SessionId) + Send + Sync;

impl Sessions {
    /// For how long an expired session is remembered, so that what came too late is still its member's.
    pub const REMEMBERED: Duration = Over::REMEMBERED;
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
        let members: DashMap<UserId, (Arc<Profile>, PasskeyFor)> = DashMap::new();
        store.each_user(&mut |user| {
            if user.state == UserState::Active {
                members.insert(user.profile.id, (Arc::new(user.profile), user.passkey_for));
            }
            ControlFlow::Continue(())
        })?;
        let now = clock.now();
        let mut ended = Batch::new();
        let over = Over::default();
        store.each_session(&mut |session| {
            let member = members.get(&session.user);
            match &member {
                Some(member) if session.is_live(session.last_seen, now, &lifetimes) => {
                    let (profile, passkey_for) = member.value();
                    live.insert(session.id, LiveSession::new(session, Arc::clone(profile), *passkey_for));
                }
                _ => {
                    ended.push(Change::EndSession(session.id));
                    if member.is_some() {
                        over.remember(&session, session.last_seen, now, &lifetimes);
                    }
                }
            }
            ControlFlow::Continue(())
        })?;
        if !ended.is_empty() {
            // Nobody waits for it: what fails now is tried at the next start.
            drop(store.apply(ended));
        }
        let lifetimes = ArcSwap::from_pointee(lifetimes);
        let (learning, listener) = (Mutex::new(()), OnceLock::new());
        Ok(Self { live, over, lifetimes, store, clock, learning, listener })
    }

    /// Has `listener` told of each session that is over from now on, however it came to its end. It is called once for all,
    /// on the way of whoever ended the session, and must be quick. The first one stays.
    pub fn tell(&self, listener: impl Fn(SessionId) + Send + Sync + 'static) {
        let _ = self.listener.set(Box::new(listener));
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

    /// Whose session a token was that lately came to its end by time alone. It signs nobody in. Sessions that were ended
    /// are nobody's: those signed out, revoked, or of an account that was disabled.
    pub fn expired(&self, token: &SessionToken) -> Option<UserId> {
        let (id, now) = (token.hash(), self.clock.now());
        match self.live.get(&id) {
            Some(entry) => {
                let ends = entry.session.ends(entry.last_seen(), &self.lifetimes.load());
                (ends <= now && now.since(ends) < Over::REMEMBERED).then(|| entry.user())
            }
            None => self.over.user(id, now),
        }
    }

    /// Signs a member in whose password was right, with what was asked beside it: a fresh token, never one the browser brought
    /// (SECURITY: S1, SES-03).
    pub async fn start(
        &self,
        met: FactorsMet,
        persistence: Persistence,
        user_agent: &str,
        with: Batch,
    ) -> Result<SessionToken, StoreError> {
        let (token, (user, beside, mut batch)) = (SessionToken::generate(), met.into_parts());
        let session = Session { persistence, beside, ..self.fresh(&token, &user, user_agent) };
        batch.extend(with);
        self.open_now(token, session, &user, batch).await
    }

    /// Signs a member in whose passkey was right. `with` has [`Change::RevisePasskey`], so that no session is opened with one that
    /// was removed meanwhile.
    pub async fn start_by_passkey(
        &self,
        user: &User,
        persistence: Persistence,
        passkey: CredentialId,
        user_agent: &str,
        with: Batch,
    ) -> Result<SessionToken, StoreError> {
        let token = SessionToken::generate();
        let session = Session { persistence, passkey: Some(passkey), ..self.fresh(&token, user, user_agent) };
        self.open_now(token, session, user, with).await
    }

    /// Signs a member in who has shown a one-time link, with what was asked beside it; `redeem` uses the link up, given the
    /// session's id.
    pub async fn start_by_link(
        &self,
        met: FactorsMet,
        user_agent: &str,
        redeem: impl FnOnce(SessionId) -> Change,
    ) -> Result<SessionToken, StoreError> {
        let (token, (user, beside, mut batch)) = (SessionToken::generate(), met.into_parts());
        let session = Session { by_link: true, beside, ..self.fresh(&token, &user, user_agent) };
        batch.push(redeem(session.id));
        self.open_now(token, session, &user, batch).await
    }

    fn fresh(&self, token: &SessionToken, user: &User, user_agent: &str) -> Session {
        let now = self.clock.now();
        Session {
            id: token.hash(),
            user: user.profile.id,
            created: now,
            last_seen: now,
            persistence: Persistence::Browser,
            passkey: None,
            by_link: false,
            beside: Beside::Nothing,
            user_agent: shortened(user_agent, Self::USER_AGENT_BYTES),
        }
    }

    async fn open_now(
        &self,
        token: SessionToken,
        session: Session,
        user: &User,
        with: Batch,
    ) -> Result<SessionToken, StoreError> {
        let mut batch = with;
        batch.push(Change::PutSession(session.clone()));
        self.store.apply(batch).await?;
        let live = LiveSession::new(session, Arc::new(user.profile.clone()), user.passkey_for);
        self.live.insert(token.hash(), Arc::clone(&live));
        self.forget_if_ended(token.hash())?;
        // The member may have chosen while this was on its way to the disk.
        self.learn_choice(user.profile.id, std::iter::once(live))?;
        Ok(token)
    }

    /// Sets for what a member wants a passkey to be asked, for sessions that run too, if they still have this `passkey`
    /// then: nobody is to be asked for what they have not.
    pub async fn choose(
        &self,
        user: UserId,
        passkey: CredentialId,
        choice: PasskeyFor,
    ) -> Result<(), StoreError> {
        let revision = Change::ReviseUser(
            user,
            Box::new(move |user| {
                user.passkey_for = choice;
                Verdict::Keep
            }),
        );
        self.store.apply(vec![Change::still_there(user, passkey), revision]).await?;
        self.learn_choice(user, self.live_of(user))
    }

    /// Makes what the store says now known to `sessions` of the member. One at a time, so that of two who read after
    /// their write the later leaves what is on the disk.
    fn learn_choice(
        &self,
        user: UserId,
        sessions: impl IntoIterator<Item = Arc<LiveSession>>,
    ) -> Result<(), StoreError> {
        let _alone = self.learning.lock().unwrap_or_else(PoisonError::into_inner);
        let choice = Arc::new(self.store.user(user)?.map(|user| user.passkey_for).unwrap_or_default());
        sessions.into_iter().for_each(|session| session.passkey_for.store(Arc::clone(&choice)));
        Ok(())
    }

    fn live_of(&self, user: UserId) -> Vec<Arc<LiveSession>> {
        let own = self.live.iter().filter(|entry| entry.value().user() == user);
        own.map(|entry| Arc::clone(entry.value())).collect()
    }

    /// Ends one session; no error if it has ended already.
    pub async fn end(&self, id: SessionId) -> Result<(), StoreError> {
        self.store.apply(vec![Change::EndSession(id)]).await?;
        let was_live = self.live.remove(&id).is_some();
        self.over.forget(id);
        self.announce(was_live.then_some(id));
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
        let ended = self.drop_where(|id, session| session.user() == user && Some(*id) != but);
        self.over.forget_all(user);
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
        let ended =
            self.drop_where(|_, session| session.user() == user && session.passkey() == Some(passkey));
        self.over.forget_all(user);
        // The last one takes the member's choice along.
        self.learn_choice(user, self.live_of(user))?;
        Ok(ended)
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
        self.over.sweep(now);
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
        for id in expired {
            // At once, so that whoever revokes it meanwhile finds it in one of the two places.
            let dropped = self.live.remove_if(&id, |_, session| {
                self.over.remember(&session.session, session.last_seen(), now, &lifetimes);
                true
            });
            self.announce(dropped.map(|(id, _)| id));
        }
        Ok(())
    }

    /// Takes sessions out of the map; how many there were.
    fn drop_where(&self, is_over: impl Fn(&SessionId, &LiveSession) -> bool) -> usize {
        let mut dropped = Vec::new();
        self.live.retain(|id, session| {
            let is_over = is_over(id, session);
            dropped.extend(is_over.then_some(*id));
            !is_over
        });
        let count = dropped.len();
        self.announce(dropped);
        count
    }

    /// Not while the map is held: whoever listens may look into it.
    fn announce(&self, over: impl IntoIterator<Item = SessionId>) {
        if let Some(listener) = self.listener.get() {
            over.into_iter().for_each(listener);
        }
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
