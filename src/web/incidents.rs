//! What strangers can make happen at each request they send: in the audit log a few lines a minute, by [`Tally`](crate::auth::Tally).

use super::{Problem, Visit, Web};
use crate::auth::throttle::{Throttled, Way};
use crate::auth::{Incident, Kind, Source};
use crate::domain::UserId;

impl Web {
    /// A try came too early. `member` is whose account it was about, if that is known.
    pub fn note_throttled(&self, way: Way, throttled: &Throttled, member: Option<UserId>, visit: &Visit<'_>) {
        let kind = Kind { way: Some(way.as_str()), ..Kind::new("throttled", throttled.level.as_str()) };
        self.note_incident(kind, member, None, visit);
    }

    /// A request came to nothing: no rule lets it pass, or the application did not answer as it should. Other problems are the
    /// client's own and no event. `path` is what was asked for: short, without a query, and printable.
    pub fn note_problem(&self, problem: Problem, member: Option<UserId>, path: &str, visit: &Visit<'_>) {
        let code = problem.code();
        let kind = match problem {
            Problem::Denied | Problem::ForeignTunnel | Problem::NotInGroup | Problem::ServiceWorker => {
                Kind::new("denied", code)
            }
            Problem::UpstreamBroken | Problem::UpstreamTimeout | Problem::UpstreamUnreachable => {
                Kind { source: Source::Any, ..Kind::new("upstream-failed", code) }
            }
            _ => return,
        };
        self.note_incident(kind, member, Some(path), visit);
    }

    /// A passkey was of no use: it was refused, or did not work in a member's browser.
    pub(super) fn note_passkey(
        &self,
        event: &'static str,
        purpose: &'static str,
        reason: &'static str,
        visit: &Visit<'_>,
    ) {
        let kind = Kind { passkey: Some(purpose), ..Kind::new(event, reason) };
        self.note_incident(kind, visit.member.map(|member| member.session.user()), None, visit);
    }

    fn note_incident(&self, kind: Kind, member: Option<UserId>, path: Option<&str>, visit: &Visit<'_>) {
        let Visit { request_id, client, .. } = *visit;
        self.parts.tally.note(&Incident { kind, client, member, request_id, path });
    }
}
