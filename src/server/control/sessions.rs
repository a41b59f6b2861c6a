//! The commands that are about sessions.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::task::JoinSet;

use super::Control;
use super::protocol::{Failure, Reply, SessionView, SessionsOf};
use crate::domain::UserId;

impl Control {
    pub(super) fn list_sessions(&self, user: Option<&str>) -> Result<Reply, Failure> {
        let sessions = match user {
            Some(name) => {
                let profile = self.named(name)?.profile;
                let sessions = self.sessions.of(profile.id);
                sessions.iter().map(|session| SessionView::of(session, &profile)).collect()
            }
            None => self
                .sessions
                .all()?
                .iter()
                .map(|(session, profile)| SessionView::of(session, profile))
                .collect(),
        };
        Ok(Reply::Sessions(sessions))
    }

    pub(super) async fn revoke(&self, which: SessionsOf) -> Result<Reply, Failure> {
        match which {
            SessionsOf::Everyone => self.revoke_everyones().await,
            SessionsOf::Id(id) => self.revoke_one(&id).await,
            SessionsOf::User(name) => {
                let user = self.named(&name)?;
                let ended = self.sessions.end_all(user.profile.id, None, Vec::new()).await?;
                Ok(Reply::Done(ended_sessions(ended)))
            }
        }
    }

    async fn revoke_one(&self, id: &str) -> Result<Reply, Failure> {
        let id = id.trim().to_ascii_lowercase();
        let found = self.sessions.members().into_iter().find(|(session, _)| session.short() == id);
        let Some((session, user)) = found else {
            return Err(Failure::Data(format!(
                "there is no session {id:?}; `passgate session list` shows all"
            )));
        };
        let member =
            self.store.user(user)?.map_or_else(|| user.to_string(), |user| user.profile.name.to_string());
        self.sessions.end(session).await?;
        Ok(Reply::Done(format!("a session of {member} has ended")))
    }

    /// All at once, so that the store can write them down together.
    async fn revoke_everyones(&self) -> Result<Reply, Failure> {
        let members: HashSet<UserId> = self.sessions.members().into_iter().map(|(_, user)| user).collect();
        let mut endings = JoinSet::new();
        for user in members {
            let sessions = Arc::clone(&self.sessions);
            endings.spawn(async move { sessions.end_all(user, None, Vec::new()).await });
        }
        let mut ended = 0;
        while let Some(result) = endings.join_next().await {
            ended += result.map_err(|error| Failure::Unavailable(error.to_string()))??;
        }
        Ok(Reply::Done(ended_sessions(ended)))
    }
}

/// So many sessions have ended, in words.
pub(super) fn ended_sessions(count: usize) -> String {
    match count {
        1 => "1 session has ended".to_owned(),
        count => format!("{count} sessions have ended"),
    }
}
