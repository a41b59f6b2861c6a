//! Why a try came to nothing, in words for the log, and what is not to be gone on with.

use std::fmt;
use std::io;

use instant_acme::Error;

/// What is forgotten, so that the next try begins with a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Undo {
    /// Nothing: the next try goes on from here.
    Nothing,
    /// The order.
    Order,
    /// The account, and the order with it.
    Account,
}

/// Why a try came to nothing.
#[derive(Debug)]
pub(super) struct Failure {
    why: String,
    pub(super) undo: Undo,
}

/// The longest that a stranger's words may be.
const MOST: usize = 500;

impl Failure {
    pub(super) fn new(why: impl Into<String>, undo: Undo) -> Self {
        Self { why: why.into(), undo }
    }

    /// The authority's answer to `asked`, or that there was none.
    ///
    /// SECURITY: OPS-01. Its words are bounded and without controls.
    pub(super) fn of(asked: &str, error: Error) -> Self {
        let why = match &error {
            // The text that could not be read might be quoted.
            Error::Json(_) => "its answer is not what RFC 8555 says".to_owned(),
            other => other.to_string(),
        };
        let why: String = why.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MOST).collect();
        let undo = if kind(&error) == Some("accountDoesNotExist") { Undo::Account } else { Undo::Nothing };
        Self { why: format!("{asked}: {why}"), undo }
    }

    /// … to a question for which nothing but a good account is needed: who is refused has none any longer (RFC 8555 §7.3.6).
    pub(super) fn of_account(asked: &str, error: Error) -> Self {
        let is_refused = kind(&error) == Some("unauthorized");
        let failure = Self::of(asked, error);
        if is_refused { Self { undo: Undo::Account, ..failure } } else { failure }
    }

    pub(super) fn of_files(error: io::Error) -> Self {
        Self::new(error.to_string(), Undo::Nothing)
    }

    /// … to a question about an order. What the authority refuses once, but for being too busy, it refuses again.
    pub(super) fn of_order(asked: &str, error: Error) -> Self {
        let undo = match kind(&error) {
            None | Some("rateLimited" | "serverInternal" | "badNonce") => Undo::Nothing,
            Some(_) => Undo::Order,
        };
        let failure = Self::of(asked, error);
        if failure.undo == Undo::Account { failure } else { Self { undo, ..failure } }
    }
}

/// The kind of an error that the authority has told (RFC 8555 §6.7).
fn kind(error: &Error) -> Option<&str> {
    let Error::Api(problem) = error else { return None };
    Some(problem.r#type.as_deref().unwrap_or_default().trim_start_matches("urn:ietf:params:acme:error:"))
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}
