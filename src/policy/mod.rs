//! Floor 1: who may pass. [`Policy::decide`] is a pure function of the request's facts, the member's presence and the
//! time; it allocates nothing, logs nothing and knows no status codes.
//!
//! A decision to forward is a [`Permit`]. Nobody else can make one, and without one no identity header is written and no
//! upstream is named.

mod decision;
mod explain;
mod required;
mod route;
mod rule;
mod second_factor;

pub use decision::{ApplicationId, ClientAuthorization, Decision, Permit, Refusal, SignInReason};
pub use explain::Explanation;
pub use required::{Demand, RequiredFor};
pub use route::Route;
pub use rule::{Requirement, Rule, RuleBridge, StepUpWith};
pub use second_factor::SecondFactorFor;

use std::sync::Arc;

use http::Method;

use self::route::Routes;
use crate::domain::{BridgeKind, Host, HostPattern, PasskeyFor, Profile, Proof, RequestPath, Timestamp};

/// What is known of a request before anything is decided. Borrowed from it.
#[derive(Clone, Copy, Debug)]
pub struct RequestFacts<'r> {
    /// From the `Host` field.
    pub host: &'r Host,
    /// The canonical path; the same that is forwarded.
    pub path: &'r RequestPath<'r>,
    /// As sent.
    pub method: &'r Method,
}

/// A signed-in member, as far as deciding goes.
#[derive(Clone, Copy, Debug)]
pub struct Presence<'s> {
    /// Who it is.
    pub profile: &'s Arc<Profile>,
    /// When they last proved it; none if they were let in without a proof.
    pub proved_at: Option<Timestamp>,
    /// How.
    pub proof: Proof,
    /// For what they want a passkey to be asked.
    pub passkey_for: PasskeyFor,
}

/// The access rules, ready to decide.
#[derive(Clone, Debug)]
pub struct Policy {
    hosts: Vec<HostPattern>,
    methods: Vec<Method>,
    our_prefix: String,
    default: Requirement,
    rules: Vec<Rule>,
    passkeys: RequiredFor,
    second_factors: SecondFactorFor,
    bridge: Option<BridgeKind>,
    routes: Routes,
}

impl Policy {
    /// Builds the rules. `hosts` are the names we answer to, `our_prefix` the path below which our own pages live.
    ///
    /// The order of `rules` counts only between equals: the best match decides, whatever its place.
    pub fn new(
        hosts: Vec<HostPattern>,
        methods: Vec<Method>,
        our_prefix: String,
        default: Requirement,
        mut rules: Vec<Rule>,
    ) -> Self {
        rules.sort_by_key(|rule| std::cmp::Reverse(rule.specificity()));
        let (passkeys, second_factors) = (RequiredFor::default(), SecondFactorFor::default());
        let (bridge, routes) = (Some(BridgeKind::Headers), Routes::default());
        Self { hosts, methods, our_prefix, default, rules, passkeys, second_factors, bridge, routes }
    }

    /// The same rules for a site that demands passkeys of these members.
    pub fn demanding(self, passkeys: RequiredFor) -> Self {
        Self { passkeys, ..self }
    }

    /// The same rules for a site that demands second factors of these members.
    pub fn demanding_second_factors(self, second_factors: SecondFactorFor) -> Self {
        Self { second_factors, ..self }
    }

    /// The same rules for a site whose members become known to the application this way where no rule says otherwise, or
    /// not at all.
    pub fn bridged(self, bridge: Option<BridgeKind>) -> Self {
        Self { bridge, ..self }
    }

    /// The same rules for several applications; without routes all requests are for one.
    pub fn routed(self, routes: Vec<Route>) -> Self {
        Self { routes: Routes::new(routes), ..self }
    }

    /// The application that a request is for, if it passes.
    pub fn application_of(&self, facts: &RequestFacts<'_>) -> ApplicationId {
        self.routes.application(facts)
    }

    /// How members become known to the application where no rule says otherwise.
    pub fn bridge(&self) -> Option<BridgeKind> {
        self.bridge
    }

    /// Of whom some rule asks a passkey alone.
    pub fn passkey_rules(&self) -> RequiredFor {
        let mut groups = Vec::new();
        for rule in self.rules.iter().filter(|rule| rule.step_up_with == StepUpWith::Passkey) {
            if rule.groups.is_empty() {
                return RequiredFor::Everyone;
            }
            groups.extend_from_slice(&rule.groups);
        }
        RequiredFor::Groups(groups)
    }

    /// The path below which our own pages live, without a slash at its end.
    pub fn our_prefix(&self) -> &str {
        &self.our_prefix
    }

    /// Whether this gateway is meant by `host`.
    pub fn answers_to(&self, host: &Host) -> bool {
        self.hosts.iter().any(|pattern| pattern.matches(host))
    }

    /// The names we answer to.
    pub fn hosts(&self) -> &[HostPattern] {
        &self.hosts
    }

    /// The methods that are let through.
    pub fn methods(&self) -> &[Method] {
        &self.methods
    }

    /// What to do with a request. Cost: one pass over the rules and one over the routes, best match first, no allocation.
    pub fn decide<'m>(
        &self,
        facts: &RequestFacts<'_>,
        member: Option<Presence<'m>>,
        now: Timestamp,
    ) -> Decision {
        use Requirement::{Guest, Login};
        if !self.answers_to(facts.host) {
            return Decision::Refuse(Refusal::UnknownHost);
        }
        if !self.methods.contains(facts.method) {
            return Decision::Refuse(Refusal::MethodNotAllowed);
        }
        if facts.path.below(&self.our_prefix).is_some() {
            return Decision::ServeOwn;
        }
        let rule = self.rule_for(facts);
        let asks_who = matches!(rule.map_or(self.default, |rule| rule.require), Guest | Login);
        if asks_who && member.is_some_and(|member| self.passkeys.demand(&member).is_some()) {
            return Decision::SignIn(SignInReason::Passkey);
        }
        if asks_who && member.is_some_and(|member| self.second_factors.demand(&member).is_some()) {
            return Decision::SignIn(SignInReason::SecondFactor);
        }
        let counted = |member: Presence<'m>| Presence {
            passkey_for: self.passkeys.counted(member.passkey_for),
            ..member
        };
        let decision = match rule {
            Some(rule) => rule.apply(member.map(counted), now, self.bridge),
            None => self.default.apply(member, self.bridge),
        };
        match decision {
            Decision::Forward(permit) => Decision::Forward(permit.to(self.application_of(facts))),
            decision => decision,
        }
    }

    fn rule_for(&self, facts: &RequestFacts<'_>) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.matches(facts))
    }
}

#[cfg(test)]
mod tests;
