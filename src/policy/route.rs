//! Which application a request is for: the closest of the routes, by the facts that decide everything else. A route opens nothing
//! and closes nothing; what may pass is the rules'.

use super::{ApplicationId, RequestFacts};
use crate::domain::{HostPattern, PathPattern, Wildcards};

/// The requests that one application gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// For these hosts; none means all.
    pub host: Option<HostPattern>,
    /// For these paths.
    pub path: PathPattern,
    /// Whose they are.
    pub application: ApplicationId,
}

impl Route {
    /// How closely it names a request: host, then path. The greater decides.
    fn specificity(&self) -> (u8, usize, (usize, isize)) {
        let (kind, length) = self.host.as_ref().map_or((0, 0), HostPattern::specificity);
        (kind, length, self.path.specificity())
    }

    fn matches(&self, facts: &RequestFacts<'_>) -> bool {
        self.host.as_ref().is_none_or(|host| host.matches(facts.host))
            && self.path.matches(facts.path.decoded(), Wildcards::MatchScripts)
    }
}

/// All routes, the closest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Routes(Vec<Route>);

impl Routes {
    pub(super) fn new(mut routes: Vec<Route>) -> Self {
        routes.sort_by_key(|route| std::cmp::Reverse(route.specificity()));
        Self(routes)
    }

    /// Cost: one pass over the routes, no allocation.
    pub(super) fn application(&self, facts: &RequestFacts<'_>) -> ApplicationId {
        self.0
            .iter()
            .find(|route| route.matches(facts))
            .map_or(ApplicationId::SITES, |route| route.application)
    }
}
