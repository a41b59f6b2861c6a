//! Mail to members.
//!
//! | file | what |
//! | --- | --- |
//! | `asking` | what somebody gets who has forgotten their password, or names another address |
//! | `joining` | mails to people who have no account yet |
//! | `letter` | what a mail is about |
//! | `mailbox` | what a member is to be sent |
//! | `whose` | a member's mails, or those to an address of nobody's |
//! | `queue` | the mails that wait, and when each is tried |
//! | `enclosed` | what is made when a mail goes, since nothing of it may lie in the store |
//! | `delivery` | the task that sends them |
//! | `standing` | how the queue is, for operators |
//! | `options` | the mail server |
//! | `smtp` | how one mail gets there; alone knows lettre |

mod asking;
mod delivery;
mod enclosed;
mod joining;
mod letter;
mod mailbox;
pub mod options;
mod queue;
mod smtp;
mod standing;
mod whose;

#[cfg(test)]
mod tests;

pub use asking::AskedReset;
pub use delivery::{Carrier, Courier, Words};
pub use enclosed::{Enclosed, ResetLink};
pub use letter::{Happened, Letter, Notice};
pub(super) use mailbox::{AddressChange, Mailbox, OpenCode};
pub use queue::MailQueue;
pub use smtp::{Fault, Smtp, Undelivered};

use crate::domain::{MailAddress, Timestamp};

/// A mail in words. It may hold a code, so it can't be printed.
pub struct Message {
    /// Tells it from all others: the part before the `@` of its `Message-ID`. The same for each try, so that a mail which
    /// arrives twice is known to be one.
    pub id: String,
    /// When what it tells of happened.
    pub date: Timestamp,
    /// Who gets it.
    pub to: MailAddress,
    /// What it says.
    pub written: Written,
}

/// What a mail says.
pub struct Written {
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// The same in HTML.
    pub html: String,
}
