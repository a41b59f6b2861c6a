//! Live sessions: all of them in memory, each change durable before it is acknowledged.
//!
//! SECURITY: S2, S6, SES-02 … SES-04. The check on the way of every request is one read of a sharded map; no disk, and
//! no lock that outlives the read. What ends a session takes it out of the map only after the store has made that
//! durable, and out of the map before it answers.
//!
//! Sessions that nobody uses rest: of them only what tells whether they hold is in memory. The next use asks the store for the
//! member, which has that in memory, too.

mod holding;
mod listing;
mod live;
mod over;
mod rows;
mod table;

use std::ops::ControlFlow;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;

pub use self::live::LiveSession;
use self::over::Over;
use self::table::{Row, Table};
use super::SessionToken;
use super::app_passwords::AppPasswordsInUse;
use super::second_factors::FactorsMet;
use crate::domain::{
    Beside, Clock, CredentialId, Lifetimes, PasskeyFor, Persistence, Profile, Proof, Session, SessionId,
    User, UserId, UserState,
};
use crate::store::{Batch, Change, Store, StoreError, Verdict};

/// All sessions of this gateway.
pub struct Sessions {
    live: Table,
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
        let (live, over, now) = (Table::new(), Over::default(), clock.now());
        let (mut ended, mut unread) = (Batch::new(), None);
        store.each_session(&mut |session| {
            let may_enter = match store.member(session.user) {
                Ok(member) => member.is_some_and(|member| member.state == UserState::Active),
                Err(error) => {
                    unread = Some(error);
                    return ControlFlow::Break(());
                }
            };
            if may_enter && session.is_live(session.last_seen, now, &lifetimes) {
                live.insert(Row::new(&session));
                return ControlFlow::Continue(());
            }
            ended.push(Change::EndSession(session.user, session.id));
            if may_enter {
                over.remember(session.id, session.user, session.ends(session.last_seen, &lifetimes), now);
            }
            ControlFlow::Continue(())
        })?;
        unread.map_or(Ok(()), Err)?;
        if !ended.is_empty() {
            // Nobody waits for it: what fails now is tried at the next start.
            drop(store.apply(ended));
        }
        let lifetimes = ArcSwap::from_pointee(lifetimes);
        let (learning, listener, most) = (Mutex::new(()), OnceLock::new(), AtomicUsize::new(usize::MAX));
        let app_passwords = AppPasswordsInUse::open(&store)?;
        Ok(Self { live, over, app_passwords, lifetimes, most, store, clock, learning, listener })
    }

    /// Has `listener` told of each session that is over from now on, however it came to its end. It is called once for all,
    /// on the way of whoever ended the session, and must be quick. The first one stays.
    pub fn tell(&self, listener: impl Fn(SessionId) + Send + Sync + 'static) {
        let _ = self.listener.set(Box::new(listener));
    }

    /// The live session of a token, marked as used. Cost: one SHA-256 block and one look into a map; for a session that rested
    /// one more, for its member.
    pub fn check(&self, token: &SessionToken) -> Option<Arc<LiveSession>> {
        let (id, now) = (token.hash(), self.clock.now());
        let awake = self.live.look(id, |session, awake| {
            if session.ends(&self.lifetimes.load()) <= now {
                return None;
            }
            if now.since(session.last_seen()) >= Duration::from_secs(1) {
                session.see(now);
            }
            Some(awake.cloned())
        })??;
        awake.or_else(|| {
            self.wake(id).unwrap_or_else(|error| {
                tracing::error!(target: "passgate::store", %error, "can't tell whose session it is");
                None
            })
        })
    }

    /// Puts a session in use; none if it is over, or its member is gone or kept out. One at a time, and not while a choice is
    /// made known, so that what is known of the member is not older than what others were told.
    fn wake(&self, id: SessionId) -> Result<Option<Arc<LiveSession>>, StoreError> {
        let _alone = self.learning.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(user) = self.live.look(id, |session, _| session.user) else { return Ok(None) };
        let member = self.store.member(user)?.filter(|member| member.state == UserState::Active);
        Ok(member.and_then(|member| self.live.wake(id, |session| LiveSession::of_session(session, member))))
    }

    /// Whose session a token was that lately came to its end by time alone. It signs nobody in. Sessions that were ended
    /// are nobody's: those signed out, revoked, or of an account that was disabled.
    pub fn expired(&self, token: &SessionToken) -> Option<UserId> {
        let (id, now) = (token.hash(), self.clock.now());
        let known = self.live.look(id, |session, _| {
            let ends = session.ends(&self.lifetimes.load());
            (ends <= now && now.since(ends) < Over::REMEMBERED).then_some(session.user)
        });
        known.unwrap_or_else(|| self.over.user(id, now))
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
        self.open_now(token, session, batch).await
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
        self.open_now(token, session, with).await
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
        self.open_now(token, session, batch).await
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
        with: Batch,
    ) -> Result<SessionToken, StoreError> {
        let (row, user, mut batch) = (Row::new(&session), session.user, with);
        batch.push(Change::PutSession(session));
        self.store.apply(batch).await?;
        self.live.insert(row);
        self.forget_if_ended(user, token.hash())?;
        self.wake(token.hash())?;
        self.make_room(user, token.hash()).await?;
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
        self.learn_choice(user)
    }

    /// Makes what the store says now known to the member's sessions. One at a time, so that of two who read after
    /// their write the later leaves what is on the disk.
    pub(super) fn learn_choice(&self, user: UserId) -> Result<(), StoreError> {
        let _alone = self.learning.lock().unwrap_or_else(PoisonError::into_inner);
        let choice = self.store.member(user)?.map(|member| member.passkey_for).unwrap_or_default();
        self.awake_of(user).into_iter().for_each(|session| session.choice.set(choice));
        Ok(())
    }

    /// Those of a member that are in use, with what lets programs in.
    fn awake_of(&self, user: UserId) -> Vec<Arc<LiveSession>> {
        let mut awake = self.live.awake_where(|session| session.user() == user);
        awake.extend(self.app_passwords.of(user));
        awake
    }

    /// Ends one session; no error if it has ended already.
    pub async fn end(&self, id: SessionId) -> Result<(), StoreError> {
        match self.live.look(id, |session, _| session.user) {
            Some(user) => self.end_of(user, id).await,
            // It has ended in the store, too.
            None => {
                self.over.forget(id);
                Ok(())
            }
        }
    }

    /// The same of a session that may be on its way in still.
    async fn end_of(&self, user: UserId, id: SessionId) -> Result<(), StoreError> {
        self.store.apply(vec![Change::EndSession(user, id)]).await?;
        let was_live = self.live.remove(id).is_some();
        self.over.forget(id);
        self.announce(was_live.then_some(id));
        Ok(())
    }

    /// Ends all sessions of a member but one, and applies `with` in the same breath. Returns how many were live.
    /// Cost: a look at each session that there is, 64 bytes in a row.
    pub async fn end_all(
        &self,
        user: UserId,
        but: Option<SessionId>,
        with: Batch,
    ) -> Result<usize, StoreError> {
        let mut batch = with;
        batch.push(Change::EndSessions(user, but));
        self.store.apply(batch).await?;
        let ended = self.live.ids_where(|session| session.user == user && Some(session.id) != but);
        Ok(self.drop_ended(user, ended))
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
        let mut ended =
            self.live.ids_where(|session| session.user == user && session.proof == Proof::Passkey);
        // The store knows which passkey opened which. What can't be read counts as ended.
        ended.retain(|id| !matches!(self.store.session(user, *id), Ok(Some(_))));
        let ended = self.drop_ended(user, ended);
        // The last one takes the member's choice along.
        self.learn_choice(user)?;
        Ok(ended)
    }

    /// Takes sessions of a member out of the map that have ended in the store; how many were live.
    fn drop_ended(&self, user: UserId, mut ended: Vec<SessionId>) -> usize {
        ended.retain(|id| self.live.remove(*id).is_some());
        self.over.forget_all(user);
        let count = ended.len();
        self.announce(ended);
        count
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
        self.live.each(|session| {
            let (id, user, last_seen) = (session.id, session.user, session.last_seen());
            if session.ends(&lifetimes) <= now {
                expired.push(id);
                batch.push(Change::EndSession(user, id));
            } else if last_seen.since(session.created()) >= Self::SEEN_STEP
                && now.since(last_seen) < Self::SEEN_STEP * 2
            {
                batch.push(Change::TouchSession(user, id, last_seen));
            }
        });
        if !batch.is_empty() {
            self.store.apply(batch).await?;
        }
        for id in expired {
            // At once, so that whoever revokes it meanwhile finds it in one of the two places.
            if let Some(session) = self.live.remove(id) {
                self.over.remember(id, session.user, session.ends(&lifetimes), now);
                self.announce([id]);
            }
        }
        self.rest(Self::AWAKE);
        self.app_passwords.write_down(self.store.as_ref()).await
    }

    /// If more than `most` sessions are awake, puts those to rest that nobody has used for a while.
    fn rest(&self, most: usize) {
        let _alone = self.learning.lock().unwrap_or_else(PoisonError::into_inner);
        if self.live.awake() <= most {
            return;
        }
        let now = self.clock.now();
        self.live.rest_where(|session, live| {
            // Whoever holds it, as a long download does, is told what changes.
            let is_held = Arc::strong_count(live) > 1;
            !is_held && now.since(session.last_seen()) >= Self::REST_AFTER
        });
    }

    /// Not while the map is held: whoever listens may look into it.
    pub(super) fn announce(&self, over: impl IntoIterator<Item = SessionId>) {
        if let Some(listener) = self.listener.get() {
            over.into_iter().for_each(listener);
        }
    }

    /// The session may have been ended while it was on its way to the disk; whoever did that has not seen it in the map.
    fn forget_if_ended(&self, user: UserId, id: SessionId) -> Result<(), StoreError> {
        if self.store.session(user, id)?.is_none() {
            self.live.remove(id);
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
