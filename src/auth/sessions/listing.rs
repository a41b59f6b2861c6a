//! Sessions as lists show them: as the store has them, which alone knows what a browser called itself, with the latest use.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::Sessions;
use crate::domain::{Profile, Session, SessionId, UserId};
use crate::store::StoreError;

impl Sessions {
    /// The live sessions of a member, latest use first. One that can't be read is left out.
    pub fn of(&self, user: UserId) -> Vec<Session> {
        let own = self.live.iter().filter(|session| session.0.facts.user == user);
        let own: Vec<_> = own.map(|session| (session.0.facts.id, session.0.last_seen())).collect();
        let kept = own.into_iter().filter_map(|(id, last_seen)| match self.store.session(id) {
            Ok(session) => session.map(|session| Session { last_seen, ..session }),
            Err(error) => {
                tracing::error!(target: "passgate::store", %error, "can't read a session");
                None
            }
        });
        let mut sessions: Vec<_> = kept.collect();
        sessions.sort_by_key(|session| Reverse(session.last_seen));
        sessions
    }

    /// All live sessions with their members, latest use first.
    pub fn all(&self) -> Result<Vec<(Session, Arc<Profile>)>, StoreError> {
        let mut members: HashMap<UserId, Option<Arc<Profile>>> = HashMap::new();
        let (mut all, mut failed) = (Vec::new(), None);
        self.store.each_session(&mut |kept| {
            let Some(last_seen) = self.live.get(&kept.id).map(|session| session.0.last_seen()) else {
                return ControlFlow::Continue(());
            };
            let member = match members.get(&kept.user) {
                Some(known) => known.clone(),
                None => match self.store.user(kept.user) {
                    Ok(user) => {
                        let profile = user.map(|user| Arc::new(user.profile));
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

    /// The ids of all live sessions.
    pub fn ids(&self) -> Vec<SessionId> {
        self.live.iter().map(|session| session.0.facts.id).collect()
    }

    /// The live sessions with their members' ids.
    pub fn members(&self) -> Vec<(SessionId, UserId)> {
        self.live.iter().map(|session| (session.0.facts.id, session.0.facts.user)).collect()
    }
}
