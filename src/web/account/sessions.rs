//! Where a member is signed in, and how to end that (SIB-09).

use bytes::Bytes;
use http::Request;
use serde::Serialize;

use super::super::audit::{self, Event};
use super::super::response::Reply;
use super::super::wording::ago;
use super::super::{Member, Problem, Visit, Web};
use super::Moment;
use crate::auth::browser_name;
use crate::auth::events::{Happened, What};
use crate::domain::{Network, Passkey, Persistence, Session};

/// One of a member's sessions.
#[derive(Default, Serialize)]
pub(super) struct SessionLine {
    id: String,
    browser: String,
    /// When the member signed in there, or last confirmed who they are.
    since: Moment,
    last_seen: String,
    /// How they did.
    how: How,
    network: Option<Whence>,
    is_shared: bool,
    is_current: bool,
}

/// How a member signed in.
#[derive(Default, Serialize)]
#[serde(rename_all = "kebab-case", tag = "by", content = "name")]
enum How {
    Link,
    Passkey(String),
    #[default]
    Password,
}

/// Where something was done, beside where the member is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Whence {
    AnotherNetwork,
    SameNetwork,
}

impl Whence {
    pub(super) fn of(network: Option<Network>, visit: &Visit<'_>) -> Option<Self> {
        let is_same = network? == Network::of(visit.client);
        Some(if is_same { Self::SameNetwork } else { Self::AnotherNetwork })
    }
}

impl SessionLine {
    /// Examples that go through all branches of the embedded template.
    pub(super) fn samples() -> Vec<Self> {
        let here = Self { is_current: true, network: Some(Whence::SameNetwork), ..Self::default() };
        let by = |how| Self { how, network: Some(Whence::AnotherNetwork), ..Self::default() };
        let link = Self { is_shared: true, ..by(How::Link) };
        vec![here, by(How::Passkey("P".to_owned())), link, Self::default()]
    }
}

impl Web {
    /// The member's sessions, this one first. `events` say from which network each was begun.
    pub(super) fn session_lines(
        &self,
        member: &Member<'_>,
        events: &[Happened],
        visit: &Visit<'_>,
    ) -> Result<Vec<SessionLine>, Problem> {
        let user = member.session.user();
        let passkeys = match &self.parts.passkeys {
            Some(passkeys) => passkeys.of(user).map_err(|error| self.store_failed(&error, visit))?,
            None => Vec::new(),
        };
        let (now, current) = (self.parts.clock.now(), member.session.id());
        let line = |session: &Session| {
            let id = session.id.short();
            let begun = events.iter().find(|event| event.session.as_deref() == Some(&id));
            SessionLine {
                browser: browser_name(&session.user_agent),
                since: Moment::from(session.created),
                last_seen: ago(now.since(session.last_seen)),
                how: how(session, &passkeys),
                network: Whence::of(begun.and_then(|event| event.network), visit),
                is_shared: session.persistence == Persistence::Shared,
                is_current: session.id == current,
                id,
            }
        };
        let mut sessions: Vec<_> = self.parts.sessions.of(user).iter().map(line).collect();
        sessions.sort_by_key(|session| !session.is_current);
        Ok(sessions)
    }

    /// Ends one of the member's other sessions, named by what the page calls it.
    pub(in crate::web) async fn end_session(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let Some(member) = visit.member else { return Ok(self.to_sign_in()) };
        let form = self.member_form(request, &member)?;
        if let Some(first) = self.awaited_first(&member, &self.account()) {
            return Ok(first);
        }
        let own = self.parts.sessions.of(member.session.user());
        let is_meant = |session: &&Session| {
            session.id != member.session.id() && session.id.short() == form.text("session")
        };
        if let Some(session) = own.iter().find(is_meant) {
            self.note(What::SessionEnded, session.user, request.headers(), visit);
            let ended = self.parts.sessions.end(session.id).await;
            ended.map_err(|error| self.store_failed(&error, visit))?;
            audit::record(Event::SessionEnded, Some(session.user), visit);
        }
        Ok(self.back_to_security("session-ended"))
    }

    pub(in crate::web) async fn end_other_sessions(
        &self,
        request: &Request<Bytes>,
        visit: &Visit<'_>,
    ) -> Reply {
        let Some(member) = visit.member else { return Ok(self.to_sign_in()) };
        self.member_form(request, &member)?;
        if let Some(first) = self.awaited_first(&member, &self.account()) {
            return Ok(first);
        }
        let Member { session, .. } = member;
        let event = self.seen_happening(What::OtherSessionsEnded, request.headers(), visit);
        let with = vec![event.kept(session.user())];
        let ended = self.parts.sessions.end_all(session.user(), Some(session.id()), with).await;
        let count = ended.map_err(|error| self.store_failed(&error, visit))?;
        audit::record(Event::OtherSessionsEnded(count), Some(session.user()), visit);
        Ok(self.back_to_security("other-sessions-ended"))
    }
}

fn how(session: &Session, passkeys: &[Passkey]) -> How {
    match &session.passkey {
        Some(id) => {
            let passkey = passkeys.iter().find(|passkey| passkey.id == *id);
            How::Passkey(passkey.map(|passkey| passkey.name.as_str().to_owned()).unwrap_or_default())
        }
        None if session.by_link => How::Link,
        None => How::Password,
    }
}
