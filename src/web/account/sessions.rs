//! Where a member is signed in, and how to end that.

use bytes::Bytes;
use http::Request;
use serde::Serialize;

use super::super::audit::{self, Event};
use super::super::response::Reply;
use super::super::wording::{ago, browser};
use super::super::{Member, Visit, Web};
use crate::domain::Session;

/// One of a member's sessions.
#[derive(Default, Serialize)]
pub(super) struct SessionLine {
    id: String,
    browser: String,
    last_seen: String,
    is_current: bool,
}

impl SessionLine {
    /// Examples that go through all branches of the embedded template.
    pub(super) fn samples() -> Vec<Self> {
        vec![Self { is_current: true, ..Self::default() }, Self::default()]
    }
}

impl Web {
    /// The member's sessions, this one first.
    pub(super) fn session_lines(&self, member: &Member<'_>) -> Vec<SessionLine> {
        let (now, current) = (self.parts.clock.now(), member.session.id());
        let line = |session: &Session| SessionLine {
            id: session.id.short(),
            browser: browser(&session.user_agent),
            last_seen: ago(now.since(session.last_seen)),
            is_current: session.id == current,
        };
        let mut sessions: Vec<_> = self.parts.sessions.of(member.session.user()).iter().map(line).collect();
        sessions.sort_by_key(|session| !session.is_current);
        sessions
    }

    /// Ends one of the member's other sessions, named by what the page calls it.
    pub(in crate::web) async fn end_session(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let Some(member) = visit.member else { return Ok(self.to_sign_in()) };
        let form = self.member_form(request, &member)?;
        if let Some(first) = self.passkey_first(&member, &self.account()) {
            return Ok(first);
        }
        let own = self.parts.sessions.of(member.session.user());
        let is_meant = |session: &&Session| {
            session.id != member.session.id() && session.id.short() == form.text("session")
        };
        if let Some(session) = own.iter().find(is_meant) {
            let ended = self.parts.sessions.end(session.id).await;
            ended.map_err(|error| self.store_failed(&error, visit))?;
            audit::record(Event::SessionEnded, Some(session.user), visit);
        }
        Ok(self.back_to_account("session-ended"))
    }

    pub(in crate::web) async fn end_other_sessions(
        &self,
        request: &Request<Bytes>,
        visit: &Visit<'_>,
    ) -> Reply {
        let Some(member) = visit.member else { return Ok(self.to_sign_in()) };
        self.member_form(request, &member)?;
        if let Some(first) = self.passkey_first(&member, &self.account()) {
            return Ok(first);
        }
        let Member { session, .. } = member;
        let ended = self.parts.sessions.end_all(session.user(), Some(session.id()), Vec::new()).await;
        let count = ended.map_err(|error| self.store_failed(&error, visit))?;
        audit::record(Event::OtherSessionsEnded(count), Some(session.user()), visit);
        Ok(self.back_to_account("other-sessions-ended"))
    }
}
