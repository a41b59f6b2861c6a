//! Floor 2: the use cases. Signing in, sessions, passwords, accounts. Sees the store's trait only; knows no pingora, no
//! HTML, no status codes.
//!
//! Wrong credentials, a busy gateway, an expired link are values of an outcome, not errors. An error here means that
//! something broke.

mod accounts;
mod addresses;
mod advising;
pub mod app_passwords;
mod browser_name;
#[cfg(test)]
pub(crate) mod captured_log;
mod changing;
mod choosing;
mod cookie;
pub mod events;
mod identifier;
pub mod import;
pub mod joining;
mod kept;
mod leaving;
mod letters;
mod links;
pub mod mail;
pub mod passkeys;
pub mod passwords;
mod recovery;
pub mod second_factors;
mod sessions;
mod shut_out;
mod sign_in;
mod tally;
pub mod throttle;

pub use accounts::{Accounts, NewUser};
pub use addresses::{AddressOutcome, AddressStanding, AddressToken};
pub use advising::{Advice, Asker};
pub use browser_name::browser_name;
pub use changing::{OtherSessions, PasswordChange};
pub use choosing::NewPassword;
pub use cookie::{Cookies, Presented, Transport};
pub use kept::{KeptForm, KeptForms, KeptHeaders, NotKept, Owner, Progress, Room, Taken};
pub use leaving::SelfDelete;
pub use links::SetupOutcome;
pub use passwords::{
    About, Busy, HashingCost, Known, PasswordPolicy, Passwords, Strength, Verified, WeakPassword,
};
pub use recovery::MailedToken;
pub use sessions::{LiveSession, Sessions};
pub use sign_in::{
    Answered, Attempt, CodeAttempt, CodeOutcome, LinkFactors, PasswordRight, RefusedBecause, SignIn,
    SignInOutcome, SignedInByCode,
};
pub use tally::{Incident, Kind, Source, Tally};

use crate::domain::{Purpose, Token};

/// The label of [`SessionToken`].
#[derive(Debug)]
pub enum SessionPurpose {}
impl Purpose for SessionPurpose {
    const LABEL: &'static [u8] = b"passgate session";
}
/// What a signed-in browser presents.
pub type SessionToken = Token<SessionPurpose>;

/// The label of [`SetupToken`].
#[derive(Debug)]
pub enum SetupPurpose {}
impl Purpose for SetupPurpose {
    const LABEL: &'static [u8] = b"passgate set-up link";
}
/// What a one-time set-up link carries.
pub type SetupToken = Token<SetupPurpose>;

/// The label of a [`MailedToken`].
#[derive(Debug)]
pub enum MailedPurpose {}
impl Purpose for MailedPurpose {
    const LABEL: &'static [u8] = b"passgate mailed link";
}

/// The label of [`BrowserToken`].
#[derive(Debug)]
pub enum BrowserPurpose {}
impl Purpose for BrowserPurpose {
    const LABEL: &'static [u8] = b"passgate browser";
}
/// What a browser that has not signed in is known by, so that its forms can't be forged. Authenticates nobody.
pub type BrowserToken = Token<BrowserPurpose>;

/// The label of [`SendToken`].
#[derive(Debug)]
pub enum SendPurpose {}
impl Purpose for SendPurpose {
    const LABEL: &'static [u8] = b"passgate kept form";
}
/// What marks the one request with which a kept form is sent. Worth nothing without its member's session.
pub type SendToken = Token<SendPurpose>;
