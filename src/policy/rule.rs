//! One access rule: what it is for and what it asks.

use std::sync::Arc;
use std::time::Duration;

use http::Method;

use super::{ClientAuthorization, Decision, Permit, Presence, Refusal, RequestFacts, SignInReason};
use crate::domain::{BridgeKind, Group, HostPattern, PathPattern, Proof, Timestamp, Wildcards};

/// What a rule, or the default, asks of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// Nobody passes.
    Deny,
    /// Everybody passes, members with their identity.
    Guest,
    /// Members pass.
    Login,
    /// Everybody passes, nobody with an identity.
    Public,
}

/// With what a member confirms who they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StepUpWith {
    /// However they sign in.
    #[default]
    Any,
    /// With a passkey alone (MF-08).
    Passkey,
}

/// What a rule says of how members become known to the application.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RuleBridge {
    /// This way.
    By(BridgeKind),
    /// Not at all: they pass, and nobody is named.
    Nobody,
    /// As everywhere on the site.
    #[default]
    Sites,
}

impl RuleBridge {
    pub(super) const fn or(self, sites: Option<BridgeKind>) -> Option<BridgeKind> {
        match self {
            Self::By(kind) => Some(kind),
            Self::Nobody => None,
            Self::Sites => sites,
        }
    }
}

/// An access rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// For these hosts; none means all.
    pub host: Option<HostPattern>,
    /// For these paths.
    pub path: PathPattern,
    /// For these methods; none means all. `GET` stands for `HEAD` too (SECURITY: PATH-08).
    pub methods: Vec<Method>,
    /// What it asks.
    pub require: Requirement,
    /// With [`Requirement::Login`]: the member has to be in one of these; none means any member.
    pub groups: Vec<Group>,
    /// With [`Requirement::Login`]: the sign-in must not be older than this.
    pub step_up: Option<Duration>,
    /// With what it is made fresh.
    pub step_up_with: StepUpWith,
    /// Whether the client's `Authorization` field goes through.
    pub authorization: ClientAuthorization,
    /// How members become known to the application.
    pub bridge: RuleBridge,
}

impl Requirement {
    pub(super) fn apply(self, member: Option<Presence<'_>>, bridge: Option<BridgeKind>) -> Decision {
        self.with(member, bridge, ClientAuthorization::Drop)
    }

    fn with(
        self,
        member: Option<Presence<'_>>,
        bridge: Option<BridgeKind>,
        authorization: ClientAuthorization,
    ) -> Decision {
        let identity = member.map(|member| Arc::clone(member.profile));
        match (self, identity) {
            (Self::Deny, _) => Decision::Refuse(Refusal::Denied),
            (Self::Login, None) => Decision::SignIn(SignInReason::NoSession),
            (Self::Public, _) => Decision::Forward(Permit::for_all(authorization)),
            (Self::Guest | Self::Login, identity) => {
                Decision::Forward(Permit::personal(identity, bridge, authorization))
            }
        }
    }

    /// The word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Guest => "guest",
            Self::Login => "login",
            Self::Public => "public",
        }
    }
}

impl Rule {
    /// How closely the rule names a request: host, then path, then method. The greater decides.
    pub(super) fn specificity(&self) -> (u8, usize, (usize, isize), bool) {
        let host = self.host.as_ref().map_or((0, 0), HostPattern::specificity);
        (host.0, host.1, self.path.specificity(), !self.methods.is_empty())
    }

    pub(super) fn matches(&self, facts: &RequestFacts<'_>) -> bool {
        self.matches_host(facts) && self.matches_path(facts) && self.matches_method(facts)
    }

    pub(super) fn matches_host(&self, facts: &RequestFacts<'_>) -> bool {
        self.host.as_ref().is_none_or(|host| host.matches(facts.host))
    }

    pub(super) fn matches_path(&self, facts: &RequestFacts<'_>) -> bool {
        self.path.matches(facts.path.decoded(), self.wildcards())
    }

    pub(super) fn matches_method(&self, facts: &RequestFacts<'_>) -> bool {
        let method = if facts.method == Method::HEAD { &Method::GET } else { facts.method };
        self.methods.is_empty() || self.methods.contains(method) || self.methods.contains(facts.method)
    }

    /// SECURITY: P7, PATH-06. A rule that opens must not open a script by a name written behind it.
    fn wildcards(&self) -> Wildcards {
        match self.require {
            Requirement::Guest | Requirement::Public => Wildcards::SkipScripts,
            Requirement::Deny | Requirement::Login => Wildcards::MatchScripts,
        }
    }

    /// `sites` is how members become known to the application where no rule says otherwise.
    pub(super) fn apply(
        &self,
        member: Option<Presence<'_>>,
        now: Timestamp,
        sites: Option<BridgeKind>,
    ) -> Decision {
        if let (Requirement::Login, Some(member)) = (self.require, member) {
            if !self.admits(member) {
                return Decision::Refuse(Refusal::NotInGroup);
            }
            if let Some(reason) = self.step_up.and_then(|limit| self.step_up(limit, member, now)) {
                return Decision::SignIn(reason);
            }
        }
        self.require.with(member, self.bridge.or(sites), self.authorization)
    }

    /// Who wants a passkey to be asked for sensitive actions has it asked for here, too (MX-11).
    fn step_up(&self, limit: Duration, member: Presence<'_>, now: Timestamp) -> Option<SignInReason> {
        let is_old = member.proved_at.is_none_or(|at| now.since(at) > limit);
        if self.step_up_with == StepUpWith::Passkey || member.passkey_for.sensitive_actions {
            (is_old || member.proof != Proof::Passkey).then_some(SignInReason::Passkey)
        } else {
            is_old.then_some(SignInReason::StepUp)
        }
    }

    fn admits(&self, member: Presence<'_>) -> bool {
        self.groups.is_empty() || self.groups.iter().any(|group| member.profile.groups.contains(group))
    }
}
