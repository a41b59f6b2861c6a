//! How people who have no account may get one.

use crate::domain::MailAddress;

/// How people who have no account may get one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinOptions {
    /// Who may.
    pub mode: JoinMode,
    /// Whether an operator looks at those who come by themselves.
    pub approval: Approval,
    /// Who is told by mail that somebody waits for that.
    pub approver: Option<MailAddress>,
    /// So many addresses get a mail with a link to a new account within an hour.
    pub per_hour: usize,
    /// Keys of names that nobody may choose ([`crate::domain::UserName::key`]).
    pub reserved_names: Vec<String>,
}

/// Who may make an account by themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinMode {
    /// Nobody: operators add members.
    Closed,
    /// Who has a link that an operator has made.
    Invitation,
    /// Anybody who can read mail.
    Open,
}

/// Whether an account that somebody made by themselves waits for an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approval {
    /// It does, disabled.
    Needed,
    /// It can be used at once.
    NotNeeded,
}
