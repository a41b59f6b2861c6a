//! The account page's section on app passwords.

use serde::Serialize;

use super::super::account::Moment;
use super::super::wording::ago;
use super::super::{Member, Problem, Visit, Web};
use super::in_words;
use crate::auth::app_passwords::AppPasswordLine;

/// What the section shows.
#[derive(Default, Serialize)]
pub(in crate::web) struct AppPasswordList {
    lines: Vec<Line>,
    /// As many as a member may have, where they have that many.
    full_at: Option<usize>,
}

#[derive(Default, Serialize)]
struct Line {
    id: String,
    name: String,
    since: Moment,
    last_used: Option<String>,
    /// The paths it is for; none for all.
    paths: Vec<String>,
}

impl AppPasswordList {
    /// Examples that go through all branches of the embedded template.
    pub(in crate::web) fn samples() -> Vec<Self> {
        let used = Line {
            last_used: Some("1".to_owned()),
            paths: vec!["/a/…".to_owned(), "/b".to_owned()],
            ..Line::default()
        };
        vec![Self::default(), Self { lines: vec![used, Line::default()], full_at: Some(2) }]
    }
}

impl Web {
    /// None where there are no app passwords.
    pub(in crate::web) fn app_password_list(
        &self,
        member: &Member<'_>,
        visit: &Visit<'_>,
    ) -> Result<Option<AppPasswordList>, Problem> {
        let Some(options) = &self.parts.app_passwords else { return Ok(None) };
        let all = self.app_passwords_of(member, visit)?;
        let now = self.parts.clock.now();
        let line = |one: AppPasswordLine| Line {
            id: one.id,
            name: one.name,
            since: Moment::from(one.since),
            last_used: one.last_used.map(|at| ago(now.since(at))),
            paths: one.chosen.unwrap_or_default().iter().map(|path| in_words(path)).collect(),
        };
        let limit = options.max_per_member;
        let full_at = (all.len() >= limit).then_some(limit);
        Ok(Some(AppPasswordList { lines: all.into_iter().map(line).collect(), full_at }))
    }

    /// A member's, oldest first.
    pub(in crate::web) fn app_passwords_of(
        &self,
        member: &Member<'_>,
        visit: &Visit<'_>,
    ) -> Result<Vec<AppPasswordLine>, Problem> {
        let all = self.parts.accounts.app_passwords(member.session.user());
        all.map_err(|error| self.store_failed(&error, visit))
    }
}
