//! How people who have no account may get one.

/// How people who have no account may get one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinOptions {
    /// Who may.
    pub mode: JoinMode,
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
}
