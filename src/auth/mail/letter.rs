//! What a mail is about. The words are made of it when it is sent, by [`Words`](super::Words).

use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::mailbox::Mailbox;
use crate::auth::second_factors::SecondFactors;
use crate::auth::{addresses, recovery};

/// What a mail is about, as it waits.
///
/// SECURITY: AUTH-09. There is no link, no token and no code in it, since it lies in the store: a link is made when the mail
/// that carries it is handed to the mail server, and the store gets its hash alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Letter {
    /// The member wants to have the address that it goes to.
    Address,
    /// An operator says that the account, which waited for that, may be used.
    Approved,
    /// The member is signing in, and needs a code.
    Code,
    /// Somebody wants to join with this address.
    Join,
    /// Something happened to the account.
    Notice(Notice),
    /// The account of this name, which waited for an operator, is not to be.
    Refused(String),
    /// Somebody has forgotten the password of an account with this address.
    Reset,
    /// An account of this name waits for an operator, who has the address that it goes to.
    Applicant(String),
}

/// What happened to an account, for its member to judge whether it was them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// What.
    pub what: Happened,
    /// In which browser, in words; empty if it was in none of the member's.
    pub browser: String,
    /// From which address.
    pub client: Option<IpAddr>,
}

/// What can happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Happened {
    /// An operator disabled the account.
    AccountDisabled,
    /// The account got another address; told to the one before.
    AddressChanged,
    /// An app password was made …
    AppPasswordMade,
    /// … or removed.
    AppPasswordRemoved,
    /// A sign-in in a browser in which the member had not signed in before.
    NewBrowser,
    /// The account got a passkey …
    PasskeyAdded,
    /// … or lost one.
    PasskeyRemoved,
    /// A new password was set.
    PasswordChanged,
    /// The same, with a link that was mailed.
    PasswordReset,
    /// Two-step sign-in was turned off …
    TwoStepOff,
    /// … or on.
    TwoStepOn,
}

impl Happened {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::AccountDisabled,
        Self::AddressChanged,
        Self::AppPasswordMade,
        Self::AppPasswordRemoved,
        Self::NewBrowser,
        Self::PasskeyAdded,
        Self::PasskeyRemoved,
        Self::PasswordChanged,
        Self::PasswordReset,
        Self::TwoStepOff,
        Self::TwoStepOn,
    ];

    /// The word for log and templates.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccountDisabled => "account-disabled",
            Self::AddressChanged => "address-changed",
            Self::AppPasswordMade => "app-password-made",
            Self::AppPasswordRemoved => "app-password-removed",
            Self::NewBrowser => "new-browser",
            Self::PasskeyAdded => "passkey-added",
            Self::PasskeyRemoved => "passkey-removed",
            Self::PasswordChanged => "password-changed",
            Self::PasswordReset => "password-reset",
            Self::TwoStepOff => "two-step-off",
            Self::TwoStepOn => "two-step-on",
        }
    }
}

impl Letter {
    /// How long after what it tells of a mail is still worth sending.
    pub(super) const fn worth_sending_for(&self) -> Duration {
        match self {
            Self::Address => addresses::LIFETIME,
            Self::Applicant(_) | Self::Approved | Self::Notice(_) | Self::Refused(_) => {
                Duration::from_secs(2 * 24 * 3_600)
            }
            Self::Code => SecondFactors::MAILED_LIFETIME,
            Self::Join => Duration::from_secs(3_600),
            // Nobody sits there for longer. The link itself is made when the mail goes, and works for as long after that.
            Self::Reset => recovery::LIFETIME,
        }
    }

    /// So many of its kind are taken within an hour. Codes are asked for with the password alone, and by whoever signs in.
    pub(super) const fn most_within_an_hour(&self) -> usize {
        match self {
            Self::Code => 10,
            _ => Mailbox::MOST_OF_A_KIND,
        }
    }

    /// Whether its member sits there and waits for it.
    pub(super) const fn is_awaited(&self) -> bool {
        match self {
            Self::Applicant(_) | Self::Approved | Self::Notice(_) | Self::Refused(_) => false,
            Self::Address | Self::Code | Self::Join | Self::Reset => true,
        }
    }

    /// The word for log and templates, by which mails are counted, too.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Applicant(_) => "applicant",
            Self::Approved => "approved",
            Self::Code => "code",
            Self::Join => "join",
            Self::Refused(_) => "refused",
            Self::Notice(notice) => notice.what.as_str(),
            Self::Reset => "reset",
        }
    }
}
