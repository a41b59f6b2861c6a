//! Sessions that came to their end by time alone, remembered for a while: a form that was being written then is its
//! member's. Only the token's hash and the member are kept, and a token in here signs nobody in.

use std::time::Duration;

use dashmap::DashMap;

use crate::domain::{SessionId, Timestamp, UserId};

/// Recently expired sessions.
#[derive(Default)]
pub(super) struct Over(DashMap<SessionId, (UserId, Timestamp)>);

impl Over {
    /// For how long a session is remembered after its end.
    pub(super) const REMEMBERED: Duration = Duration::from_secs(12 * 3_600);
    /// How many are; one takes about a hundred bytes. When it is reached, later ones are not.
    const MOST: usize = 50_000;

    pub(super) fn remember(&self, id: SessionId, user: UserId, ended: Timestamp, now: Timestamp) {
        if self.0.len() < Self::MOST && ended <= now && now.since(ended) < Self::REMEMBERED {
            self.0.insert(id, (user, ended));
        }
    }

    /// Whose it was.
    pub(super) fn user(&self, id: SessionId, now: Timestamp) -> Option<UserId> {
        let (user, ended) = *self.0.get(&id)?;
        (now.since(ended) < Self::REMEMBERED).then_some(user)
    }

    /// Forgets one that was ended on purpose after all.
    pub(super) fn forget(&self, id: SessionId) {
        self.0.remove(&id);
    }

    /// Forgets all of a member whose sessions were ended on purpose.
    pub(super) fn forget_all(&self, user: UserId) {
        self.0.retain(|_, (of, _)| *of != user);
    }

    /// Forgets those that ended long ago.
    pub(super) fn sweep(&self, now: Timestamp) {
        self.0.retain(|_, (_, ended)| now.since(*ended) < Self::REMEMBERED);
    }
}
