//! Sessions as lists show them: as the store has them, which alone knows what a browser called itself, with the latest use.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::{LiveSession, Sessions};
use crate::domain::{CredentialId, Profile, Proof, Session, SessionId, Timestamp, UserId};
use crate::store::StoreError;

impl Sessions {
    /// The live sessions of a member, latest use first. One that can't be read is left out.
    pub fn of(&self, user: UserId) -> Vec<Session> {
        let failed = |error| tracing::error!(target: "passgate::store", %error, "can't read a session");
        let own = self.store.sessions_of(user).map_err(failed).unwrap_or_default();
        let live = own.into_iter().filter_map(|id| Some((id, self.last_seen(id)?)));
        let kept = live.filter_map(|(id, last_seen)| {
            let kept = self.store.session(user, id).map_err(failed).ok()??;
            Some(Session { last_seen, ..kept })
        });
        let mut sessions: Vec<_> = kept.collect();
        sessions.sort_by_key(|session| Reverse(session.last_seen));
        sessions
    }

    /// The passkey that a session was opened with, if it was one. Reads the store.
    pub fn opened_with(&self, session: &LiveSession) -> Result<Option<CredentialId>, StoreError> {
        if session.proof() != Proof::Passkey {
            return Ok(None);
        }
        Ok(self.store.session(session.user(), session.id())?.and_then(|session| session.passkey))
    }

    pub(super) fn last_seen(&self, id: SessionId) -> Option<Timestamp> {
        self.live.look(id, |session, _| session.last_seen())
    }

    /// All live sessions with their members, latest use first.
    pub fn all(&self) -> Result<Vec<(Session, Arc<Profile>)>, StoreError> {
        let mut members: HashMap<UserId, Option<Arc<Profile>>> = HashMap::new();
        let (mut all, mut failed) = (Vec::new(), None);
        self.store.each_session(&mut |kept| {
            let Some(last_seen) = self.last_seen(kept.id) else { return ControlFlow::Continue(()) };
            let member = match members.get(&kept.user) {
                Some(known) => known.clone(),
                None => match self.store.member(kept.user) {
                    Ok(member) => {
                        let profile = member.map(|member| Arc::new(member.profile));
                        members.insert(kept.user, profile.clone());
                        profile
                    }
                    Err(error) => {
                        failed = Some(error);
                        return ControlFlow::Break(());
                    }
                },
            };
            all.extend(member.map(|member| (Session { last_seen, ..kept }, member)));
            ControlFlow::Continue(())
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        all.sort_by_key(|(session, _)| Reverse(session.last_seen));
        Ok(all)
    }

    /// The live sessions with their members' ids.
    pub fn members(&self) -> Vec<(SessionId, UserId)> {
        let mut all = Vec::with_capacity(self.count());
        self.live.each(|session| all.push((session.id, session.user)));
        all
    }
}
