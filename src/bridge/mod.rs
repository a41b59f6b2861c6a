//! Floor 2: how a member who is known to the gateway becomes known to the forum behind it, which is as it came.
//!
//! The gateway signs in at the forum's own form when a member's first request is on its way, or makes a session out of its
//! database, and keeps the forum's cookies on its own side. [`Preset`] says how a kind of forum wants that, [`Forum::sign_in`]
//! and [`Forum::mint`] do it once, and [`Bridge`] sees to it that it is done once: two requests make one sign-in, a member has one at a time, and one refusal is the last until the member
//! has done something about it. No pingora, no HTML of ours; passwords come from [`Accounts`], which is the [`Vault`].

mod accounts;
mod address;
mod basic;
mod browsers;
mod changing;
mod client;
mod form;
mod jar;
mod leaving;
mod login;
mod member;
mod member_name;
mod mint;
mod names;
mod newcomers;
pub mod options;
mod pace;
mod preset;
mod session;
mod sign;
mod vault;
mod visitor;

pub use accounts::{ForumAccounts, Means};
pub use address::{AddressPattern, Asked, InvalidAddress};
pub use basic::basic_authorization;
pub use browsers::InBrowser;
pub use changing::Setting as PasswordSetting;
pub use client::{Dial, Line};
pub use jar::{Jar, Setting, setting};
pub use login::{
    ChangeReport, Changed, Credentials, Forum, Login, Pause, Question, RealPause, Report, Step, Taken,
};
pub use member::{Account, Accounts, Ask, Left};
pub use member_name::{MemberName, Typed};
pub use mint::{ByName, Minter, Recipe, Unminted};
pub use names::CookieNames;
pub use newcomers::{Newcomer, NotKnown, Turn, Unclaimed};
pub use preset::{
    Addresses, ChangePreset, CookiePreset, FormPreset, Gap, InvalidPreset, PaceOf, Preset, Signs,
};
pub use session::{AsWhom, ForumSession, Whose};
pub use sign::{Seen, Sign, any_seen};
pub use vault::{Rotated, Vault, VaultError};
pub use visitor::{InvalidOrigin, Origin, Visitor};

pub use crate::domain::BridgeKind as Kind;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use self::leaving::Leaving;
use self::member::{Gate, LONGEST_OF_MINTS, PAUSE, Standing};
use crate::domain::{SessionId, Timestamp, UserId};

/// How long a request waits for a sign-in before it goes on as a guest's. The sign-in goes on, too.
const PATIENCE: Duration = Duration::from_secs(15);
/// A session that ends within this time was not ended by its age.
const SHORT: Duration = Duration::from_secs(60);
/// How many short sessions in a row are enough.
const SHORT_ONES: u32 = 3;

/// Members' sessions at one forum. Cheap to clone.
#[derive(Clone)]
pub struct Bridge(Arc<Inner>);

struct Inner {
    forum: Arc<Forum>,
    leaving: Leaving,
    accounts: Arc<dyn Accounts>,
    sessions: Mutex<HashMap<SessionId, Entry>>,
    members: Mutex<HashMap<UserId, Arc<Gate>>>,
}

/// What a gateway session has of the forum.
struct Entry {
    member: UserId,
    state: watch::Receiver<State>,
    short_ones: u32,
}

#[derive(Clone, Debug)]
enum State {
    SigningIn,
    Ready(Arc<ForumSession>),
    Asks(Ask),
    Until(Timestamp),
}

/// How the forum is to see a request.
#[derive(Clone, Debug)]
pub enum Known {
    /// As the member's, by these cookies.
    Cookies(Arc<ForumSession>),
    /// As a guest's, for now: the forum is busy or away.
    Anonymous,
    /// As a guest's, until the member has done something.
    AsksMember(Ask),
}

impl Bridge {
    /// A bridge to a forum, with members' passwords from `accounts`.
    pub fn new(forum: Forum, accounts: Arc<dyn Accounts>) -> Self {
        let (sessions, members) = (Mutex::default(), Mutex::default());
        let forum = Arc::new(forum);
        let leaving = Leaving::new(Arc::clone(&forum));
        Self(Arc::new(Inner { forum, leaving, accounts, sessions, members }))
    }

    /// The forum it leads to.
    pub fn forum(&self) -> &Arc<Forum> {
        &self.0.forum
    }

    /// By what the forum knows the member, signing in first if need be. Many requests at once make one sign-in.
    pub async fn cookies_for(&self, session: SessionId, member: UserId, visitor: &Visitor) -> Known {
        let mut state = self.state(session, member, visitor);
        let settled = state.wait_for(|state| !matches!(state, State::SigningIn));
        match tokio::time::timeout(PATIENCE, settled).await {
            Ok(Ok(state)) => state.known(),
            // Late, or its task fell over and a later request tries again.
            Ok(Err(_)) | Err(_) => Known::Anonymous,
        }
    }

    /// Tries credentials that the member has just given, once, whatever became of others before. What works is kept, and the
    /// session's from now on.
    ///
    /// # Errors
    /// The password can't be kept; the session goes on all the same.
    pub async fn link(
        &self,
        session: SessionId,
        member: UserId,
        credentials: &Credentials,
        visitor: &Visitor,
    ) -> Result<Known, VaultError> {
        let gate = self.gate(member);
        gate.open();
        let turn = gate.turn.lock().await;
        let (_, change) = gate.standing();
        let state = self.sign_in(&gate, change, credentials, visitor).await;
        let (state, kept) = match state {
            State::Ready(forum) => {
                let kept = self.0.accounts.keep(member, &credentials.password).await;
                let forum = match &kept {
                    Ok(()) => self.renewed(&gate, member, forum, credentials).await,
                    Err(_) => forum,
                };
                (State::Ready(forum), kept)
            }
            state => (state, Ok(())),
        };
        drop(turn);
        let known = state.known();
        self.put(session, member, state);
        kept.map(|()| known)
    }

    /// A sign-in that was made before the session is the session's from now on.
    pub fn adopt(&self, session: SessionId, member: UserId, forum: Unclaimed) {
        if let Some(forum) = forum.claim() {
            self.put(session, member, State::Ready(forum));
        }
    }

    fn put(&self, session: SessionId, member: UserId, state: State) {
        let (_, state) = watch::channel(state);
        let before = self.sessions().insert(session, Entry { member, state, short_ones: 0 });
        self.leave(before);
    }

    /// A member's credentials have changed, or the member asks to try again: earlier refusals no longer count.
    pub fn account_changed(&self, member: UserId) {
        self.gate(member).open();
        self.sessions()
            .retain(|_, entry| entry.member != member || matches!(&*entry.state.borrow(), State::Ready(_)));
    }

    /// Looks at an answer to a request that went out with the session's cookies. One that shows the session to be over has the
    /// next request sign in again.
    pub fn notice(&self, session: &ForumSession, seen: &Seen<'_>) {
        if any_seen(&self.0.forum.preset().signs.signed_out, seen) {
            session.end();
        }
    }

    /// The gateway's session is over: nothing of the one at the forum stays here, and it is ended there soon.
    pub fn forget(&self, session: &SessionId) {
        let entry = self.sessions().remove(session);
        self.leave(entry);
    }

    /// By what the forum knows the member of a session at the moment.
    pub fn current(&self, session: &SessionId) -> Option<Arc<ForumSession>> {
        self.sessions().get(session).and_then(Entry::forum)
    }

    /// A member's account is no longer connected: the same for all their sessions at the forum.
    pub fn forget_member(&self, member: UserId) {
        self.gate(member).open();
        self.forget_where(|_, entry| entry.member == member);
    }

    /// The same for all but these sessions; to be called now and then.
    pub fn keep(&self, is_live: impl Fn(&SessionId) -> bool) {
        self.forget_where(|session, _| !is_live(session));
    }

    fn forget_where(&self, is_over: impl Fn(&SessionId, &Entry) -> bool) {
        let entries: Vec<_> = self.sessions().extract_if(|session, entry| is_over(session, entry)).collect();
        self.leave(entries.into_iter().map(|(_, entry)| entry));
    }

    fn leave(&self, entries: impl IntoIterator<Item = Entry>) {
        entries.into_iter().for_each(|entry| {
            if let State::Ready(session) = &*entry.state.borrow() {
                self.0.leaving.leave(session);
            }
        });
    }

    /// How it stands with a session, or how it will: a sign-in is begun where none is under way and it makes sense.
    fn state(&self, session: SessionId, member: UserId, visitor: &Visitor) -> watch::Receiver<State> {
        let now = self.0.forum.clock().now();
        let mut sessions = self.sessions();
        let mut short_ones = 0;
        if let Some(entry) = sessions.get_mut(&session).filter(|entry| entry.member == member) {
            let lost = match &*entry.state.borrow() {
                State::SigningIn => entry.state.has_changed().is_err().then_some(false),
                State::Ready(forum) => forum.is_over().then(|| now.since(forum.since()) < SHORT),
                State::Asks(_) => None,
                State::Until(then) => (now >= *then).then_some(false),
            };
            let Some(was_short) = lost else { return entry.state.clone() };
            short_ones = if was_short { entry.short_ones + 1 } else { 0 };
        }
        let (sender, state) = watch::channel(State::SigningIn);
        sessions.insert(session, Entry { member, state: state.clone(), short_ones });
        drop(sessions);
        if short_ones >= SHORT_ONES {
            tracing::warn!(
                "the forum forgets a member right after each sign-in; compare the preset with its pages"
            );
            let asks = self.0.accounts.can_ask();
            let later = State::Until(now.after(LONGEST_OF_MINTS));
            sender.send_replace(if asks { State::Asks(Ask::Forgotten) } else { later });
            return state;
        }
        let (bridge, visitor) = (self.clone(), visitor.clone());
        // A task of its own: whoever waits may go away, and a post must not be broken off half-way.
        tokio::spawn(async move {
            let state = bridge.attempt(member, &visitor).await;
            sender.send_replace(state.clone());
            let is_wanted = |entry: &Entry| sender.subscribe().same_channel(&entry.state);
            // The gateway's session may have ended meanwhile.
            if !bridge.sessions().get(&session).is_some_and(is_wanted)
                && let State::Ready(forum) = &state
            {
                bridge.0.leaving.leave(forum);
            }
        });
        state
    }

    /// Signs a member in with what the accounts have, if that makes sense; one at a time a member.
    async fn attempt(&self, member: UserId, visitor: &Visitor) -> State {
        let gate = self.gate(member);
        let _turn = gate.turn.lock().await;
        match self.signed_in(&gate, member, visitor).await {
            Ok((forum, Some(credentials))) => {
                State::Ready(self.renewed(&gate, member, forum, &credentials).await)
            }
            Ok((forum, None)) => State::Ready(forum),
            Err(state) => state,
        }
    }

    /// A session at the forum, and with what it was made, if it took a sign-in.
    async fn signed_in(
        &self,
        gate: &Gate,
        member: UserId,
        visitor: &Visitor,
    ) -> Result<(Arc<ForumSession>, Option<Credentials>), State> {
        loop {
            let (standing, change) = gate.standing();
            match standing {
                Standing::Asks(ask) => return Err(State::Asks(ask)),
                Standing::Until(then, _) if self.0.forum.clock().now() < then => {
                    return Err(State::Until(then));
                }
                Standing::Until(..) | Standing::Free => {}
            }
            let (credentials, stamp) = match self.0.accounts.account(member).await {
                Account::Linked(credentials, stamp) => (credentials, stamp),
                Account::Minted(minter, name) => {
                    let report = self.0.forum.mint(&minter, &name, visitor).await;
                    let state = self.settle(gate, change, report, visitor);
                    return state.ready().map(|forum| (forum, None));
                }
                Account::Unknown => return Err(State::Asks(Ask::Link)),
                Account::Refused(ask) => return Err(State::Asks(ask)),
                Account::Unreadable => return Err(State::Until(self.0.forum.clock().now().after(PAUSE))),
            };
            let state = self.sign_in(gate, change, &credentials, visitor).await;
            match state {
                // A password that was refused is given up, so this ends.
                State::Asks(ask)
                    if ask.is_of_the_account()
                        && self.0.accounts.refused(member, stamp, ask).await == Left::Another =>
                {
                    gate.open();
                }
                state => return state.ready().map(|forum| (forum, Some(credentials))),
            }
        }
    }

    async fn sign_in(&self, gate: &Gate, change: u64, credentials: &Credentials, visitor: &Visitor) -> State {
        let report = self.0.forum.sign_in(credentials, visitor).await;
        self.settle(gate, change, report, visitor)
    }

    /// What follows from an attempt, for the member and for the session it was made for.
    fn settle(&self, gate: &Gate, change: u64, report: Report, visitor: &Visitor) -> State {
        let now = self.0.forum.clock().now();
        let standing = gate.settle(gate.standing().0.after(&report.login, now), change);
        match &report.login {
            Login::Unrecognised { .. } => {
                tracing::warn!(steps = ?report.steps, "the forum answered a sign-in in a way the preset does not describe");
            }
            Login::Unavailable => {
                tracing::warn!(steps = ?report.steps, "the forum is away; members read there as guests until it is back");
            }
            Login::NotMinted(why) => {
                tracing::warn!(%why, steps = ?report.steps, "a member has no session at the forum and reads there as a guest");
            }
            _ => {}
        }
        match (report.login, standing) {
            (Login::SignedIn(jar), _) => State::Ready(self.session(jar, visitor)),
            (_, Standing::Asks(ask)) => State::Asks(ask),
            (_, Standing::Until(then, _)) => State::Until(then),
            // The account changed while this one was tried: the next request tries the new one.
            (_, Standing::Free) => State::Until(now),
        }
    }

    fn session(&self, jar: Jar, visitor: &Visitor) -> Arc<ForumSession> {
        let names = self.0.forum.preset().cookies.session.clone();
        Arc::new(ForumSession::new(jar, names, visitor.clone(), self.0.forum.clock().now()))
    }

    fn gate(&self, member: UserId) -> Arc<Gate> {
        let mut members = self.0.members.lock().unwrap_or_else(PoisonError::into_inner);
        members.entry(member).or_default().clone()
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<SessionId, Entry>> {
        self.0.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn forum(&self) -> Option<Arc<ForumSession>> {
        match &*self.state.borrow() {
            State::Ready(session) => Some(Arc::clone(session)),
            _ => None,
        }
    }
}

impl State {
    fn ready(self) -> Result<Arc<ForumSession>, Self> {
        if let Self::Ready(forum) = self { Ok(forum) } else { Err(self) }
    }

    fn known(&self) -> Known {
        match self {
            Self::Ready(session) => Known::Cookies(session.clone()),
            Self::Asks(ask) => Known::AsksMember(*ask),
            Self::Until(_) | Self::SigningIn => Known::Anonymous,
        }
    }
}

#[cfg(test)]
mod tests;
