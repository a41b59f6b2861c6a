//! A session that is in use: what is known of it and of its member. What tells whether it holds is in the `table`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use arc_swap::ArcSwap;

use super::table::Row;
use crate::auth::throttle::DeviceId;
use crate::domain::{PasskeyFor, Persistence, Profile, Proof, SessionId, Timestamp, UserId};
use crate::policy::Presence;
use crate::store::Member;

/// For what a member wants a passkey to be asked, one bit each.
#[derive(Debug, Default)]
pub(super) struct Choice(AtomicU8);

impl Choice {
    pub(super) fn set(&self, choice: PasskeyFor) {
        let PasskeyFor { signing_in, sensitive_actions } = choice;
        self.0.store(u8::from(signing_in) | u8::from(sensitive_actions) << 1, Ordering::Release);
    }

    fn get(&self) -> PasskeyFor {
        let bits = self.0.load(Ordering::Acquire);
        PasskeyFor { signing_in: bits & 1 != 0, sensitive_actions: bits & 2 != 0 }
    }
}

/// A session that is in use.
#[derive(Debug)]
pub struct LiveSession {
    id: SessionId,
    user: UserId,
    created: Timestamp,
    persistence: Persistence,
    proof: Proof,
    pub(super) profile: ArcSwap<Profile>,
    pub(super) choice: Choice,
}

impl LiveSession {
    pub(super) fn of_session(row: &Row, member: Member) -> Arc<Self> {
        Self::new(row.id, row.created(), row.persistence, row.proof, member)
    }

    fn new(
        id: SessionId,
        created: Timestamp,
        persistence: Persistence,
        proof: Proof,
        member: Member,
    ) -> Arc<Self> {
        let Member { profile, state: _, passkey_for } = member;
        let user = profile.id;
        let (profile, choice) = (ArcSwap::from_pointee(profile), Choice::default());
        choice.set(passkey_for);
        Arc::new(Self { id, user, created, persistence, proof, profile, choice })
    }

    /// What an app password opens to a program (see [`crate::auth::app_passwords`]). SECURITY: it has begun at no time that
    /// could ever be fresh.
    pub(in crate::auth) fn of_program(id: SessionId, member: Member, proof: Proof) -> Arc<Self> {
        Self::new(id, Timestamp::default(), Persistence::Browser, proof, member)
    }

    /// Its id.
    pub fn id(&self) -> SessionId {
        self.id
    }

    /// Whose it is.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// What names the browser that has it to the throttle: the member has signed in there.
    pub fn device(&self) -> DeviceId {
        std::array::from_fn(|at| self.id.0[at])
    }

    /// When the member signed in.
    pub fn signed_in_at(&self) -> Timestamp {
        self.created
    }

    /// When the member last proved who they are; see [`Session::proved_at`].
    pub fn proved_at(&self) -> Option<Timestamp> {
        self.proof.at(self.created)
    }

    /// How the member proved who they are.
    pub fn proof(&self) -> Proof {
        self.proof
    }

    /// How long the browser keeps it.
    pub fn persistence(&self) -> Persistence {
        self.persistence
    }

    /// For what the member wants a passkey to be asked.
    pub fn passkey_for(&self) -> PasskeyFor {
        self.choice.get()
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
