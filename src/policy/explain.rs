//! The same decision told to an operator: which rule, and why not the others.

use std::fmt;

use super::{
    Decision, Demand, Policy, Presence, Refusal, RequestFacts, Requirement, Rule, RuleBridge, SignInReason,
    StepUpWith,
};
use crate::domain::{BridgeKind, Timestamp};

/// Why a request is decided as it is. `Display` gives the operator's text, several lines.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// What was decided.
    pub decision: Decision,
    /// The rule that decided; none when the default did, or when it never came to rules.
    pub rule: Option<String>,
    /// Each rule in the order of precedence, with what kept it from matching, if anything did.
    pub considered: Vec<(String, &'static str)>,
    default: &'static str,
    /// What demands a passkey, or a second factor, of this member before any rule is looked at.
    demand: Option<String>,
    /// How members become known to the application, where that is not by the headers as everywhere.
    told: Option<String>,
}

impl Policy {
    /// [`Policy::decide`], with its reasons. The decision is the same value from the same code.
    pub fn explain(
        &self,
        facts: &RequestFacts<'_>,
        member: Option<Presence<'_>>,
        now: Timestamp,
    ) -> Explanation {
        let decision = self.decide(facts, member, now);
        let reached_rules = !matches!(
            decision,
            Decision::ServeOwn | Decision::Refuse(Refusal::UnknownHost | Refusal::MethodNotAllowed)
        );
        let deciding = self.rule_for(facts).filter(|_| reached_rules);
        let demand = member.and_then(|member| match decision {
            Decision::SignIn(SignInReason::Passkey) => self.demand(&member),
            Decision::SignIn(SignInReason::SecondFactor) => self.second_factor_demand(&member),
            _ => None,
        });
        let considered = self
            .rules
            .iter()
            .filter(|_| reached_rules)
            .map(|rule| (describe(rule), verdict(rule, facts, deciding)))
            .collect();
        Explanation {
            decision,
            rule: deciding.map(describe),
            considered,
            default: self.default.as_str(),
            demand,
            told: Some(deciding).filter(|_| reached_rules).and_then(|deciding| self.told(deciding)),
        }
    }

    fn told(&self, rule: Option<&Rule>) -> Option<String> {
        let (require, bridge) = match rule {
            Some(rule) => (rule.require, rule.bridge),
            None => (self.default, RuleBridge::Sites),
        };
        if matches!(require, Requirement::Deny | Requirement::Public) {
            return None;
        }
        let says = if bridge == RuleBridge::Sites { "forum.bridge" } else { "this rule" };
        match bridge.or(self.bridge) {
            Some(BridgeKind::Headers) if bridge == RuleBridge::Sites => None,
            Some(kind) => Some(format!("by \"{}\", says {says}", kind.as_str())),
            None => Some(format!("not at all, says {says}")),
        }
    }

    fn demand(&self, member: &Presence<'_>) -> Option<String> {
        Some(match self.passkeys.demand(member)? {
            Demand::Everyone => "password.enabled = false: a passkey proves each session".to_owned(),
            Demand::Group(group) => format!("passkeys.required_for = [\"{}\"]", group.as_str()),
            Demand::Own => "the member's own choice to be asked for a passkey when signing in".to_owned(),
        })
    }
}

impl Policy {
    fn second_factor_demand(&self, member: &Presence<'_>) -> Option<String> {
        Some(match self.second_factors.demand(member)? {
            Demand::Group(group) => format!("second_factor.required_groups = [\"{}\"]", group.as_str()),
            Demand::Everyone | Demand::Own => "second_factor.required_for_all = true".to_owned(),
        })
    }
}

impl Explanation {
    /// The decision in a few words.
    pub fn outcome(&self) -> &'static str {
        match &self.decision {
            Decision::Forward(permit) if permit.identity().is_some() => {
                "forwarded, with the member's identity"
            }
            Decision::Forward(_) => "forwarded, without an identity",
            Decision::Refuse(Refusal::Denied) => "refused: a rule denies it",
            Decision::Refuse(Refusal::MethodNotAllowed) => {
                "refused: `server.methods` does not list this method"
            }
            Decision::Refuse(Refusal::NotInGroup) => "refused: the member is in none of the rule's groups",
            Decision::Refuse(Refusal::UnknownHost) => {
                "refused: neither `server.public_url` nor `server.hosts` names this host"
            }
            Decision::ServeOwn => "answered by passgate itself",
            Decision::SignIn(SignInReason::NoSession) => "sent to the sign-in page",
            Decision::SignIn(SignInReason::Passkey) => {
                "asked for a passkey first: a password is not enough here, or the passkey's use is too old"
            }
            Decision::SignIn(SignInReason::SecondFactor) => {
                "asked for a second factor first: a password alone is not enough for this member"
            }
            Decision::SignIn(SignInReason::StepUp) => {
                "asked to sign in again: the sign-in is too old for this rule"
            }
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.outcome())?;
        if let Some(demand) = &self.demand {
            writeln!(f, "asked because of: {demand}")?;
        }
        match (&self.rule, self.considered.is_empty()) {
            (Some(rule), _) => writeln!(f, "decided by: {rule}")?,
            (None, _) if matches!(self.decision, Decision::ServeOwn) => {}
            (None, _) => writeln!(f, "decided by: access.default = \"{}\"", self.default)?,
        }
        if let Some(told) = &self.told {
            writeln!(f, "members become known to the application: {told}")?;
        }
        self.considered.iter().try_for_each(|(rule, verdict)| writeln!(f, "  {verdict:<20} {rule}"))
    }
}

fn verdict(rule: &Rule, facts: &RequestFacts<'_>, deciding: Option<&Rule>) -> &'static str {
    match deciding {
        _ if !rule.matches_host(facts) => "another host",
        _ if !rule.matches_path(facts) => "another path",
        _ if !rule.matches_method(facts) => "another method",
        Some(chosen) if std::ptr::eq(chosen, rule) => "decides",
        _ => "a better match won",
    }
}

fn describe(rule: &Rule) -> String {
    let mut text = format!("path = \"{}\", require = \"{}\"", rule.path.as_str(), rule.require.as_str());
    if let Some(host) = &rule.host {
        let host = match host {
            crate::domain::HostPattern::Exact(host) => host.to_string(),
            crate::domain::HostPattern::Below(suffix) => format!("*.{suffix}"),
        };
        text.insert_str(0, &format!("host = \"{host}\", "));
    }
    if !rule.methods.is_empty() {
        let methods: Vec<_> = rule.methods.iter().map(http::Method::as_str).collect();
        text.push_str(&format!(", methods = {methods:?}"));
    }
    if !rule.groups.is_empty() {
        let groups: Vec<_> = rule.groups.iter().map(crate::domain::Group::as_str).collect();
        text.push_str(&format!(", groups = {groups:?}"));
    }
    if let Some(limit) = rule.step_up {
        text.push_str(&format!(", step_up = \"{}s\"", limit.as_secs()));
    }
    if rule.step_up_with == StepUpWith::Passkey {
        text.push_str(", step_up_with = \"passkey\"");
    }
    match rule.bridge {
        RuleBridge::By(kind) => text.push_str(&format!(", bridge = \"{}\"", kind.as_str())),
        RuleBridge::Nobody => text.push_str(", bridge = \"none\""),
        RuleBridge::Sites => {}
    }
    text
}
