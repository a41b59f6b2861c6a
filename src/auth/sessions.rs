//! Live sessions: all of them in memory, each change durable before it is acknowledged.
//!
//! SECURITY: S2, S6, SES-02 … SES-04. The check on the way of every request is one read of a sharded map; no disk, and
//! no lock that outlives the read. What ends a session takes it out of the map only after the store has made that
//! durable, and out of the map before it answers.
//!
//! With very many sessions, those that nobody uses rest: of them only what tells whether they hold is in memory, and the next
//! use reads the member from the store.

mod holding;
mod listing;
mod live;
mod over;

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use dashmap::DashSet;

pub use self::live::LiveSession;
use self::live::{Place, Resting};
use self::over::Over;
use super::SessionToken;
use super::app_passwords::AppPasswordsInUse;
use super::second_factors::FactorsMet;
use crate::domain::{
    Beside, Clock, CredentialId, Lifetimes, PasskeyFor, Persistence, Profile, Session, SessionId, User,
    UserId, UserState,
};
use crate::store::{Batch, Change, Store, StoreError, Verdict};

/// All sessions of this gateway.
pub struct Sessions {
    live: DashSet<Place>,
    /// Those that lately came to their end by time alone.
    over: Over,
    /// What lets programs in, beside sessions.
    pub(super) app_passwords: AppPasswordsInUse,
    lifetimes: ArcSwap<Lifetimes>,
    /// How many a member may have.
    most: AtomicUsize,
    store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    /// Held while what a member chose is read and made known, and while sessions wake and go to rest.
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

    /// No session rests as long as there are no more than this.
    const AWAKE: usize = 50_000;
    /// Else those do that were not used for this long.
    const REST_AFTER: Duration = Duration::from_secs(600);

    /// Reads all sessions from the store into memory, and ends those there that are over: no later clock or longer
    /// lifetime may bring them back.
    pub fn open(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        lifetimes: Lifetimes,
    ) -> Result<Self, StoreError> {
        Self::open_with(store, clock, lifetimes, &mut |_| {})
    }

    /// As [`Sessions::open`]; shows each account to `visit` on the way, since reading them all takes its time.
    pub fn open_with(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        lifetimes: Lifetimes,
        visit: &mut dyn FnMut(&User),
    ) -> Result<Self, StoreError> {
        let mut kept_out = HashSet::new();
        store.each_user_unordered(&mut |user| {
            visit(&user);
            if user.state != UserState::Active {
                kept_out.insert(user.profile.id);
            }
            ControlFlow::Continue(())
        })?;
        let (live, over, now) = (DashSet::new(), Over::default(), clock.now());
        let mut ended = Batch::new();
        store.each_session(&mut |session| {
            let may_enter = !kept_out.contains(&session.user);
            if may_enter && session.is_live(session.last_seen, now, &lifetimes) {
                live.insert(Place(Box::new(Resting::new(&session))));
                return ControlFlow::Continue(());
            }
            ended.push(Change::EndSession(session.id));
            if may_enter {
                over.remember(session.id, session.user, session.ends(session.last_seen, &lifetimes), now);
            }
            ControlFlow::Continue(())
        })?;
        if !ended.is_empty() {
            // Nobody waits for it: what fails now is tried at the next start.
            drop(store.apply(ended));
        }
        let lifetimes = ArcSwap::from_pointee(lifetimes);
        let (learning, listener, most) = (Mutex::new(()), OnceLock::new(), AtomicUsize::new(usize::MAX));
        let app_passwords = AppPasswordsInUse::open(&store)?;
        let sessions = Self { live, over, app_passwords, lifetimes, most, store, clock, learning, listener };
        if sessions.count() <= Self::AWAKE {
            sessions.ids().into_iter().try_for_each(|id| sessions.wake(id).map(drop))?;
        }
        Ok(sessions)
    }

    /// Has `listener` told of each session that is over from now on, however it came to its end. It is called once for all,
    /// on the way of whoever ended the session, and must be quick. The first one stays.
    pub fn tell(&self, listener: impl Fn(SessionId) + Send + Sync + 'static) {
        let _ = self.listener.set(Box::new(listener));
    }

    /// The live session of a token, marked as used. Cost: one SHA-256 block and one map read; for a session that rested
    /// one read of the store more.
    pub fn check(&self, token: &SessionToken) -> Option<Arc<LiveSession>> {
        let (id, now) = (token.hash(), self.clock.now());
        let awake = {
            let session = &self.live.get(&id)?.0;
            if session.ends(&self.lifetimes.load()) <= now {
                return None;
            }
            if now.since(session.last_seen()) >= Duration::from_secs(1) {
                session.see(now);
            }
            session.awake.load_full()
        };
        awake.or_else(|| {
            self.wake(id).unwrap_or_else(|error| {
                tracing::error!(target: "passgate::store", %error, "can't read whose session it is");
                None
            })
        })
    }

    /// Reads the member of a session that rests; none if the session is over, or the member is gone or kept out. One at a
    /// time, and not while a choice is made known, so that what is read is not older than what others were told.
    fn wake(&self, id: SessionId) -> Result<Option<Arc<LiveSession>>, StoreError> {
        let _alone = self.learning.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(user) = self.live.get(&id).map(|session| session.0.facts.user) else { return Ok(None) };
        let user = self.store.user(user)?.filter(|user| user.state == UserState::Active);
        Ok(self.live.get(&id).and_then(|session| {
            let awake = session.0.awake.load_full();
            awake.or_else(|| user.map(|user| session.0.wake(user)))
        }))
    }

    /// Whose session a token was that lately came to its end by time alone. It signs nobody in. Sessions that were ended
    /// are nobody's: those signed out, revoked, or of an account that was disabled.
    pub fn expired(&self, token: &SessionToken) -> Option<UserId> {
        let (id, now) = (token.hash(), self.clock.now());
        match self.live.get(&id) {
            Some(session) => {
                let ends = session.0.ends(&self.lifetimes.load());
                (ends <= now && now.since(ends) < Over::REMEMBERED).then_some(session.0.facts.user)
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
        let resting = Resting::new(&session);
        let live = resting.wake(user.clone());
        self.live.insert(Place(Box::new(resting)));
        self.forget_if_ended(token.hash())?;
        // The member may have chosen while this was on its way to the disk.
        self.learn_choice(user.profile.id, || vec![live])?;
        self.make_room(user.profile.id, token.hash()).await?;
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
        self.learn_choice(user, || self.awake_of(user))
    }

    /// Makes what the store says now known to `sessions` of the member. One at a time, so that of two who read after
    /// their write the later leaves what is on the disk.
    pub(super) fn learn_choice(
        &self,
        user: UserId,
        sessions: impl FnOnce() -> Vec<Arc<LiveSession>>,
    ) -> Result<(), StoreError> {
        let _alone = self.learning.lock().unwrap_or_else(PoisonError::into_inner);
        let choice = Arc::new(self.store.user(user)?.map(|user| user.passkey_for).unwrap_or_default());
        sessions().into_iter().for_each(|session| session.passkey_for.store(Arc::clone(&choice)));
        Ok(())
    }

    /// Those of a member that are in use, with what lets programs in.
    pub(super) fn awake_of(&self, user: UserId) -> Vec<Arc<LiveSession>> {
        let own = self.live.iter().filter(|session| session.0.facts.user == user);
        let awake = own.filter_map(|session| session.0.awake.load_full());
        awake.chain(self.app_passwords.of(user)).collect()
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
        let ended = self.drop_where(|session| session.facts.user == user && Some(session.facts.id) != but);
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
            self.drop_where(|session| session.facts.user == user && session.passkey() == Some(passkey));
        self.over.forget_all(user);
        // The last one takes the member's choice along.
        self.learn_choice(user, || self.awake_of(user))?;
        Ok(ended)
    }

    /// How many sessions are in memory.
    pub fn count(&self) -> usize {
        self.live.len()
    }

    /// Makes a member's changed profile known to all their sessions at once. Sessions that rest read it when they wake.
    pub fn refresh(&self, profile: &Arc<Profile>) {
        let _alone = self.learning.lock().unwrap_or_else(PoisonError::into_inner);
        self.awake_of(profile.id).iter().for_each(|session| session.profile.store(Arc::clone(profile)));
    }

    /// Replaces the lifetimes, for sessions that run too.
    pub fn set_lifetimes(&self, lifetimes: Lifetimes) {
        self.lifetimes.store(Arc::new(lifetimes));
    }

    /// Drops what has expired, writes down when the others were last used, and puts to rest what is not in use if there is
    /// much. To be called about once a minute.
    pub async fn sweep(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let lifetimes = **self.lifetimes.load();
        let mut batch = Batch::new();
        let mut expired = Vec::new();
        self.over.sweep(now);
        for place in self.live.iter() {
            let (session, last_seen) = (&place.0, place.0.last_seen());
            let id = session.facts.id;
            if session.ends(&lifetimes) <= now {
                expired.push(id);
                batch.push(Change::EndSession(id));
            } else if last_seen.since(session.facts.created) >= Self::SEEN_STEP
                && now.since(last_seen) < Self::SEEN_STEP * 2
            {
                batch.push(Change::TouchSession(id, last_seen));
            }
        }
        if !batch.is_empty() {
            self.store.apply(batch).await?;
        }
        for id in expired {
            // At once, so that whoever revokes it meanwhile finds it in one of the two places.
            if let Some(place) = self.live.remove(&id) {
                let session = place.0;
                self.over.remember(id, session.facts.user, session.ends(&lifetimes), now);
                self.announce([id]);
            }
        }
        self.rest(Self::AWAKE);
        self.app_passwords.write_down(self.store.as_ref()).await
    }

    /// If more than `most` sessions are awake, puts those to rest that nobody has used for a while.
    fn rest(&self, most: usize) {
        let _alone = self.learning.lock().unwrap_or_else(PoisonError::into_inner);
        let awake = || self.live.iter().filter(|session| session.0.awake.load().is_some());
        if awake().count() <= most {
            return;
        }
        let now = self.clock.now();
        for session in awake() {
            // Whoever holds it, as a long download does, is told what changes.
            let is_held = session.0.awake.load().as_ref().is_some_and(|live| Arc::strong_count(live) > 1);
            if !is_held && now.since(session.0.last_seen()) >= Self::REST_AFTER {
                session.0.awake.store(None);
            }
        }
    }

    /// Takes sessions out of the map; how many there were.
    fn drop_where(&self, is_over: impl Fn(&Resting) -> bool) -> usize {
        let mut dropped = Vec::new();
        self.live.retain(|session| {
            let is_over = is_over(&session.0);
            dropped.extend(is_over.then_some(session.0.facts.id));
            !is_over
        });
        let count = dropped.len();
        self.announce(dropped);
        count
    }

    /// Not while the map is held: whoever listens may look into it.
    pub(super) fn announce(&self, over: impl IntoIterator<Item = SessionId>) {
        if let Some(listener) = self.listener.get() {
            over.into_iter().for_each(listener);
        }
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
