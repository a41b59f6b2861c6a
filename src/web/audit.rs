//! One log event for each thing that matters to security. No name that was typed, no token, no password: people type
//! their password into the name field.

use crate::auth::RefusedBecause;
use crate::domain::UserId;

use super::Visit;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A member ended all their other sessions; so many were live.
    OtherSessionsEnded(usize),
    /// A member ended one of their other sessions.
    SessionEnded,
    /// A password was set through a one-time link.
    SetUp,
    /// A member signed in.
    SignedIn,
    /// A member signed out.
    SignedOut,
    /// An attempt to sign in was refused.
    SignInRefused(RefusedBecause),
}

impl Event {
    const fn name(self) -> &'static str {
        match self {
            Self::OtherSessionsEnded(_) => "other-sessions-ended",
            Self::SessionEnded => "session-ended",
            Self::SetUp => "set-up",
            Self::SignedIn => "signed-in",
            Self::SignedOut => "signed-out",
            Self::SignInRefused(_) => "sign-in-refused",
        }
    }

    const fn reason(self) -> Option<&'static str> {
        match self {
            Self::SignInRefused(RefusedBecause::Disabled) => Some("disabled"),
            Self::SignInRefused(RefusedBecause::UnknownName) => Some("unknown-name"),
            Self::SignInRefused(RefusedBecause::WrongPassword) => Some("wrong-password"),
            _ => None,
        }
    }
}

/// Writes the event down. `member` is none where no account is concerned.
pub(super) fn record(event: Event, member: Option<UserId>, visit: &Visit<'_>) {
    let sessions = match event {
        Event::OtherSessionsEnded(count) => Some(count),
        _ => None,
    };
    tracing::info!(
        target: "passgate::audit",
        event = event.name(),
        reason = event.reason(),
        sessions,
        member = member.map(tracing::field::display),
        request_id = visit.request_id,
        client = %visit.client,
    );
}
