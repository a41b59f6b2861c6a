//! A session in memory, in two parts: what tells whether it holds, kept of every session and small, and what is known of its
//! member, kept of those that are in use ([`LiveSession`]).

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};

use crate::auth::throttle::DeviceId;
use crate::domain::{
    CredentialId, Lifetimes, PasskeyFor, Persistence, Profile, Proof, Session, SessionId, Timestamp, User,
    UserId,
};
use crate::policy::Presence;

/// What never changes of a session, without what only a listing shows.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) id: SessionId,
    pub(super) user: UserId,
    pub(super) created: Timestamp,
    /// Boxed, as most sessions have none.
    passkey: Option<Box<CredentialId>>,
    pub(super) persistence: Persistence,
    proof: Proof,
}

impl Facts {
    fn of(session: &Session) -> Self {
        let (proof, passkey) = (session.proof(), session.passkey.clone().map(Box::new));
        let Session { id, user, created, persistence, .. } = *session;
        Self { id, user, created, passkey, persistence, proof }
    }
}

/// A session that is in use.
#[derive(Debug)]
pub struct LiveSession {
    facts: Facts,
    pub(super) profile: ArcSwap<Profile>,
    pub(super) passkey_for: ArcSwap<PasskeyFor>,
}

impl LiveSession {
    fn new(facts: Facts, user: User) -> Arc<Self> {
        let (profile, passkey_for) =
            (ArcSwap::from_pointee(user.profile), ArcSwap::from_pointee(user.passkey_for));
        Arc::new(Self { facts, profile, passkey_for })
    }

    /// What an app password opens to a program (see [`crate::auth::app_passwords`]). SECURITY: it has begun at no time that
    /// could ever be fresh.
    pub(in crate::auth) fn of_program(id: SessionId, user: User, proof: Proof) -> Arc<Self> {
        let (created, persistence) = (Timestamp::default(), Persistence::Browser);
        let facts = Facts { id, user: user.profile.id, created, passkey: None, persistence, proof };
        Self::new(facts, user)
    }

    /// Its id.
    pub fn id(&self) -> SessionId {
        self.facts.id
    }

    /// Whose it is.
    pub fn user(&self) -> UserId {
        self.facts.user
    }

    /// What names the browser that has it to the throttle: the member has signed in there.
    pub fn device(&self) -> DeviceId {
        std::array::from_fn(|at| self.facts.id.0[at])
    }

    /// When the member signed in.
    pub fn signed_in_at(&self) -> Timestamp {
        self.facts.created
    }

    /// When the member last proved who they are; see [`Session::proved_at`].
    pub fn proved_at(&self) -> Option<Timestamp> {
        self.facts.proof.at(self.facts.created)
    }

    /// The passkey it was opened with, if it was one.
    pub fn passkey(&self) -> Option<&CredentialId> {
        self.facts.passkey.as_deref()
    }

    /// How the member proved who they are.
    pub fn proof(&self) -> Proof {
        self.facts.proof
    }

    /// How long the browser keeps it.
    pub fn persistence(&self) -> Persistence {
        self.facts.persistence
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
}

/// What is in memory of every session: about 150 bytes with its place in the map.
#[derive(Debug)]
pub(super) struct Resting {
    pub(super) facts: Facts,
    last_seen: AtomicU64,
    /// The session in use. Set and taken away only by who holds [`super::Sessions`]' lock for it.
    pub(super) awake: ArcSwapOption<LiveSession>,
}

impl Resting {
    pub(super) fn new(session: &Session) -> Self {
        let (facts, awake) = (Facts::of(session), ArcSwapOption::empty());
        Self { facts, last_seen: AtomicU64::new(session.last_seen.as_millis()), awake }
    }

    /// What is handed out, now that the member is known.
    pub(super) fn wake(&self, user: User) -> Arc<LiveSession> {
        let live = LiveSession::new(self.facts.clone(), user);
        self.awake.store(Some(Arc::clone(&live)));
        live
    }

    pub(super) fn passkey(&self) -> Option<&CredentialId> {
        self.facts.passkey.as_deref()
    }

    pub(super) fn last_seen(&self) -> Timestamp {
        Timestamp::from_millis(self.last_seen.load(Ordering::Relaxed))
    }

    pub(super) fn see(&self, now: Timestamp) {
        self.last_seen.store(now.as_millis(), Ordering::Relaxed);
    }

    pub(super) fn ends(&self, lifetimes: &Lifetimes) -> Timestamp {
        self.facts.persistence.ends(self.facts.created, self.last_seen(), lifetimes)
    }
}

/// A place in the map, found by the session's id. A pointer, so that a map that has just grown wastes little.
#[derive(Debug)]
pub(super) struct Place(pub(super) Box<Resting>);

impl Borrow<SessionId> for Place {
    fn borrow(&self) -> &SessionId {
        &self.0.facts.id
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.0.facts.id == other.0.facts.id
    }
}

impl Eq for Place {}

impl Hash for Place {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.facts.id.hash(state);
    }
}
