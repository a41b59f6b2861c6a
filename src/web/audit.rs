//! One log event for each thing that matters to security. No name that was typed, no token, no password: people type
//! their password into the name field. What strangers can repeat without an end is in [`incidents`](super::incidents).

use crate::auth::RefusedBecause;
use crate::domain::{LinkKind, PasskeyFor, UserId};

use super::Visit;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// Somebody of the forum got an account here when they first signed in.
    AccountMade,
    /// A member has another e-mail address now.
    AddressChanged,
    /// A member named an e-mail address that they want.
    AddressChangeAsked,
    /// A member wants it no longer.
    AddressChangeCancelled,
    /// A member confirmed the e-mail address that they had.
    AddressConfirmed,
    /// A member made an app password.
    AppPasswordMade,
    /// A member removed one.
    AppPasswordRemoved,
    /// A member came back to an account that they had switched off.
    CameBack,
    /// A member confirmed with a passkey who they are.
    Confirmed,
    /// A member took along all that is held about them.
    DataExported,
    /// A member switched their account off.
    Deactivated,
    /// A member deleted their account.
    Deleted,
    /// A member asked for their account to be deleted.
    DeletionAsked,
    /// A member's account at the forum was connected.
    ForumConnected,
    /// A member took that back.
    ForumDisconnected,
    /// A member chose a password for the forum, which has it now.
    ForumPasswordChosen,
    /// That came to nothing, or it is not known yet.
    ForumPasswordNotChosen(&'static str),
    /// The forum did not take a member's password, or something came in between.
    ForumRefused(&'static str),
    /// A member's form of so many bytes came too late and waits for them.
    FormKept(usize),
    /// A form that came too late is not kept.
    FormNotKept(&'static str),
    /// A kept form of so many bytes goes to the application.
    FormSent(usize),
    /// A member threw a kept form of so many bytes away.
    FormDiscarded(usize),
    /// Somebody made an account with an invitation.
    Joined,
    /// Somebody made one that waits for an operator.
    JoinedToWait,
    /// Somebody asked for a link to make an account with.
    JoiningAskedFor,
    /// Somebody did, and more have within the hour than may.
    JoiningCrowded,
    /// A member ended all their other sessions; so many were live.
    OtherSessionsEnded(usize),
    /// A member ended one of their other sessions.
    SessionEnded,
    /// A member added a passkey.
    PasskeyAdded,
    /// A member chose for what a passkey is asked.
    PasskeyUseChosen(PasskeyFor),
    /// A member changed their password; so many other sessions have ended with it.
    PasswordChanged(usize),
    /// Whoever wanted to did not know the current one.
    PasswordNotChanged,
    /// A member's password was right, and a passkey has to come before they are in.
    PasskeyAwaited,
    /// A member removed a passkey; so many sessions it had opened were live.
    PasskeyRemoved(usize),
    /// A member gave a passkey another name.
    PasskeyRenamed,
    /// A member has new recovery codes.
    RecoveryCodesMade,
    /// A recovery code was used; so many are left.
    RecoveryCodeUsed(usize),
    /// A member's password was right, and a second factor has to come before they are in.
    SecondFactorAwaited,
    /// The code that comes after it was handed to the mails.
    CodeMailed,
    /// The code after it was not right.
    SecondFactorRefused,
    /// A member took their second factor away.
    SecondFactorRemoved,
    /// A member set a second factor up.
    SecondFactorSetUp,
    /// A member has codes mailed from now on.
    SecondFactorSetUpByMail,
    /// A password was set through a mailed link.
    PasswordReset,
    /// A password was set through a one-time link.
    SetUp(LinkKind),
    /// A member signed in.
    SignedIn,
    /// A member signed in with this beside the password.
    SignedInWith(&'static str),
    /// A member signed in through an operator's one-time link.
    SignedInByLink(LinkKind),
    /// A member signed in with a passkey.
    SignedInByPasskey,
    /// A member signed out.
    SignedOut,
    /// An attempt to sign in was refused.
    SignInRefused(RefusedBecause),
    /// A member trusts a browser to be theirs.
    DeviceTrusted,
    /// A member trusts one no longer.
    DeviceTrustEnded,
    /// A member said of an event that it was not them; so many of their other sessions were live.
    WasNotMe(usize),
}

impl Event {
    const fn name(self) -> &'static str {
        match self {
            Self::AddressChanged => "address-changed",
            Self::AddressChangeAsked => "address-change-asked",
            Self::AddressChangeCancelled => "address-change-cancelled",
            Self::AddressConfirmed => "address-confirmed",
            Self::AccountMade => "account-made",
            Self::AppPasswordMade => "app-password-made",
            Self::AppPasswordRemoved => "app-password-removed",
            Self::CameBack => "came-back",
            Self::Confirmed => "confirmed",
            Self::DataExported => "data-exported",
            Self::Deactivated => "deactivated",
            Self::Deleted => "deleted",
            Self::DeletionAsked => "deletion-asked",
            Self::ForumConnected => "forum-connected",
            Self::ForumDisconnected => "forum-disconnected",
            Self::ForumPasswordChosen => "forum-password-chosen",
            Self::ForumPasswordNotChosen(_) => "forum-password-not-chosen",
            Self::ForumRefused(_) => "forum-refused",
            Self::FormDiscarded(_) => "form-discarded",
            Self::FormKept(_) => "form-kept",
            Self::FormNotKept(_) => "form-not-kept",
            Self::FormSent(_) => "form-sent",
            Self::Joined => "joined",
            Self::JoinedToWait => "joined-to-wait",
            Self::JoiningAskedFor => "joining-asked-for",
            Self::JoiningCrowded => "joining-crowded",
            Self::OtherSessionsEnded(_) => "other-sessions-ended",
            Self::SessionEnded => "session-ended",
            Self::PasskeyAdded => "passkey-added",
            Self::PasswordChanged(_) => "password-changed",
            Self::PasswordNotChanged => "password-not-changed",
            Self::PasskeyAwaited => "passkey-awaited",
            Self::PasskeyUseChosen(_) => "passkey-use-chosen",
            Self::PasskeyRemoved(_) => "passkey-removed",
            Self::PasskeyRenamed => "passkey-renamed",
            Self::DeviceTrustEnded => "device-trust-ended",
            Self::DeviceTrusted => "device-trusted",
            Self::RecoveryCodeUsed(_) => "recovery-code-used",
            Self::RecoveryCodesMade => "recovery-codes-made",
            Self::SecondFactorAwaited => "second-factor-awaited",
            Self::SecondFactorRefused => "second-factor-refused",
            Self::SecondFactorRemoved => "second-factor-removed",
            Self::CodeMailed => "code-mailed",
            Self::SecondFactorSetUp | Self::SecondFactorSetUpByMail => "second-factor-set-up",
            Self::PasswordReset => "password-reset",
            Self::SetUp(_) => "set-up",
            Self::SignedIn | Self::SignedInWith(_) | Self::SignedInByLink(_) | Self::SignedInByPasskey => {
                "signed-in"
            }
            Self::SignedOut => "signed-out",
            Self::SignInRefused(_) => "sign-in-refused",
            Self::WasNotMe(_) => "was-not-me",
        }
    }

    const fn reason(self) -> Option<&'static str> {
        match self {
            Self::SignInRefused(RefusedBecause::Applicant) => Some("waits-for-an-operator"),
            Self::SignInRefused(RefusedBecause::Disabled) => Some("disabled"),
            Self::SignInRefused(RefusedBecause::SharedEmail) => Some("shared-e-mail"),
            Self::SignInRefused(RefusedBecause::SwitchedOff(_)) => Some("switched-off"),
            Self::SignInRefused(RefusedBecause::UnknownName) => Some("unknown-name"),
            Self::SignInRefused(RefusedBecause::WrongPassword) => Some("wrong-password"),
            Self::FormNotKept(code) | Self::ForumPasswordNotChosen(code) | Self::ForumRefused(code) => {
                Some(code)
            }
            Self::PasskeyUseChosen(PasskeyFor { signing_in, sensitive_actions }) => {
                Some(match (signing_in, sensitive_actions) {
                    (false, false) => "nothing",
                    (true, false) => "signing-in",
                    (false, true) => "sensitive-actions",
                    (true, true) => "signing-in, sensitive-actions",
                })
            }
            _ => None,
        }
    }

    /// What the link was for that it was done with.
    const fn link(self) -> Option<&'static str> {
        match self {
            Self::SetUp(kind) | Self::SignedInByLink(kind) => Some(kind.as_str()),
            _ => None,
        }
    }

    /// What was shown beside the password.
    const fn second_factor(self) -> Option<&'static str> {
        match self {
            Self::SignedInWith(factor) => Some(factor),
            Self::SecondFactorSetUpByMail => Some("mailed-code"),
            _ => None,
        }
    }

    /// What a passkey was used for.
    const fn passkey(self) -> Option<&'static str> {
        match self {
            Self::Confirmed => Some("step-up"),
            Self::SignedInByPasskey => Some("sign-in"),
            _ => None,
        }
    }
}

/// Writes the event down. `member` is none where no account is concerned.
pub(super) fn record(event: Event, member: Option<UserId>, visit: &Visit<'_>) {
    let sessions = match event {
        Event::OtherSessionsEnded(count)
        | Event::PasskeyRemoved(count)
        | Event::PasswordChanged(count)
        | Event::WasNotMe(count) => Some(count),
        _ => None,
    };
    let recovery_codes = match event {
        Event::RecoveryCodeUsed(left) => Some(left),
        _ => None,
    };
    let bytes = match event {
        Event::FormDiscarded(bytes) | Event::FormKept(bytes) | Event::FormSent(bytes) => Some(bytes),
        _ => None,
    };
    tracing::info!(
        target: "passgate::audit",
        event = event.name(),
        reason = event.reason(),
        passkey = event.passkey(),
        link = event.link(),
        second_factor = event.second_factor(),
        recovery_codes,
        sessions,
        bytes,
        member = member.map(tracing::field::display),
        request_id = visit.request_id,
        client = %visit.client,
    );
}
