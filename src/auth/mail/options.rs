//! How mail leaves. Composed by `config`.

use std::time::Duration;

use crate::domain::{MailAddress, Secret};

/// The mail server, and who we are to it.
#[derive(Clone, Debug)]
pub struct MailOptions {
    /// Its name, or an IP address without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the way there is protected.
    pub tls: MailTls,
    /// Name and password; none for a server that asks for none.
    pub credentials: Option<(String, Secret<String>)>,
    /// The sender's address …
    pub from: MailAddress,
    /// … and name.
    pub from_name: String,
    /// What we call ourselves in the greeting.
    pub hello: String,
    /// How long one mail may take.
    pub timeout: Duration,
}

/// TLS between us and the mail server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailTls {
    /// None; for this machine alone.
    Off,
    /// Begun by the command STARTTLS, and nothing is sent before (RFC 3207).
    StartTls,
    /// From the first byte on (RFC 8314).
    Implicit,
}
