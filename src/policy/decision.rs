//! What can come of a request: the closed set of decisions, and the permit that forwarding demands.

use std::sync::Arc;

use crate::domain::{BridgeKind, Profile};

/// One of four acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// To the application, as the permit says.
    Forward(Permit),
    /// Neither.
    Refuse(Refusal),
    /// One of our own pages.
    ServeOwn,
    /// To the sign-in page first.
    SignIn(SignInReason),
}

/// The permission to forward one request, and as whom.
///
/// SECURITY: HDR-01, H4. Only `policy` makes one; `proxy` needs one to name the upstream and to write identity headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit {
    identity: Option<Arc<Profile>>,
    bridge: Option<BridgeKind>,
    authorization: ClientAuthorization,
    is_for_all: bool,
    application: ApplicationId,
}

/// One of the applications behind the gateway: that of `[upstream]` itself, or of one of its routes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ApplicationId(u16);

impl ApplicationId {
    /// That of `[upstream]` itself.
    pub const SITES: Self = Self(0);

    /// That of the route at this place in the file, counted from 0; none beyond the 65 535 that can be told apart.
    pub fn of_route(at: usize) -> Option<Self> {
        u16::try_from(at).ok()?.checked_add(1).map(Self)
    }

    /// The place of its route in the file, counted from 0; none if it is that of `[upstream]` itself.
    pub fn route(self) -> Option<usize> {
        self.0.checked_sub(1).map(usize::from)
    }
}

impl Permit {
    /// To go as this member, or as nobody in particular. Without a bridge the member is let through, but not named.
    pub(super) fn personal(
        identity: Option<Arc<Profile>>,
        bridge: Option<BridgeKind>,
        authorization: ClientAuthorization,
    ) -> Self {
        let identity = identity.filter(|_| bridge.is_some());
        let application = ApplicationId::SITES;
        Self { identity, bridge, authorization, is_for_all: false, application }
    }

    /// To go without an identity, whoever it is.
    pub(super) fn for_all(authorization: ClientAuthorization) -> Self {
        let application = ApplicationId::SITES;
        Self { identity: None, bridge: None, authorization, is_for_all: true, application }
    }

    /// The same, to this application.
    pub(super) fn to(self, application: ApplicationId) -> Self {
        Self { application, ..self }
    }

    /// The application it is for, and no other.
    pub fn application(&self) -> ApplicationId {
        self.application
    }

    /// The member to name to the application; none for visitors, on public routes and where there is no bridge.
    pub fn identity(&self) -> Option<&Profile> {
        self.identity.as_deref()
    }

    /// Whether the application may answer a member otherwise than a visitor.
    pub fn depends_on_member(&self) -> bool {
        !self.is_for_all
    }

    /// How the member becomes known to the application; none on public routes and where nobody does.
    pub fn bridge(&self) -> Option<BridgeKind> {
        self.bridge
    }

    /// What becomes of an `Authorization` field the client sent.
    pub fn authorization(&self) -> ClientAuthorization {
        self.authorization
    }
}

/// What becomes of the client's own `Authorization` field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientAuthorization {
    /// Dropped: some forums would sign in whoever it names (SECURITY: H3, HDR-08).
    #[default]
    Drop,
    /// Forwarded, because a rule says so.
    Forward,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A rule denies it to everyone.
    Denied,
    /// Not one of the methods the gateway lets through.
    MethodNotAllowed,
    /// Signed in, but in none of the groups the rule asks for.
    NotInGroup,
    /// A host this gateway does not answer for.
    UnknownHost,
}

/// Why signing in comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInReason {
    /// Nobody is signed in.
    NoSession,
    /// Signed in, but a passkey has to say so: always, or not longer ago than this page allows.
    Passkey,
    /// Signed in with a password alone, and this member needs more.
    SecondFactor,
    /// Signed in, but too long ago for this page.
    StepUp,
}
