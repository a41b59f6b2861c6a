//! How one mail gets to the mail server. The only place that knows lettre.
//!
//! SECURITY: addresses and header values go through lettre's types, which can't hold a line break. What the server says may
//! quote the mail, its codes included, so the log gets the numbers of its answers alone ([`Undelivered::reason`]).

use std::time::{Duration, UNIX_EPOCH};

use lettre::address::{Address, Envelope};
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use tokio::time::timeout;

use super::options::{MailOptions, MailTls};
use super::{Message, Written};

/// Why a mail did not go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// Whether and when to try again.
    pub fault: Fault,
    /// How far it came and what was wrong there, for the log.
    pub reason: String,
    /// What the server said, for an operator who tries the configuration out; empty if it said nothing.
    pub said: String,
}

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The server can't be reached, or does not take mail from us at all. Others would fare no better now.
    Server,
    /// It does not take this mail now.
    Moment,
    /// It will never take this mail.
    Mail,
}

/// A way to one mail server.
pub struct Smtp {
    options: MailOptions,
    tls: Option<TlsParameters>,
}

impl Smtp {
    /// How long saying good-bye may take; the mail is away by then.
    const GOOD_BYE: Duration = Duration::from_secs(2);

    /// Reads the certificates that the system trusts. Fails with a sentence for the operator.
    pub fn new(options: MailOptions) -> Result<Self, String> {
        let tls = match options.tls {
            MailTls::Off => None,
            MailTls::StartTls | MailTls::Implicit => {
                let parameters = TlsParameters::new(options.host.clone());
                Some(parameters.map_err(|error| format!("TLS for mail can't be set up: {error}"))?)
            }
        };
        Ok(Self { options, tls })
    }

    /// Hands a mail over. With `Ok` it is the server's.
    pub async fn hand_over(&self, message: &Message) -> Result<(), Undelivered> {
        let (envelope, bytes) = self.written(message)?;
        let most = self.options.timeout;
        let late = |fault, step: &str| Undelivered {
            fault,
            reason: format!("{step}: no answer within {most:?}"),
            said: String::new(),
        };
        let connected = timeout(most, self.connected()).await;
        let mut connection = connected.map_err(|_| late(Fault::Server, "connecting"))??;
        let sent = timeout(most, connection.send(&envelope, &bytes)).await;
        let outcome = match sent {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(failed(fault_of(&error), "sending", &error)),
            Err(_) => Err(late(Fault::Moment, "sending")),
        };
        let _ = timeout(Self::GOOD_BYE, connection.abort()).await;
        outcome
    }

    async fn connected(&self) -> Result<AsyncSmtpConnection, Undelivered> {
        let MailOptions { host, port, tls, credentials, hello, timeout, .. } = &self.options;
        let hello = ClientId::Domain(hello.clone());
        let at_once = self.tls.clone().filter(|_| *tls == MailTls::Implicit);
        let server = |step| move |error: Error| failed(Fault::Server, step, &error);
        let address = (host.as_str(), *port);
        let connected =
            AsyncSmtpConnection::connect_tokio1(address, Some(*timeout), &hello, at_once, None).await;
        let mut connection = connected.map_err(server("connecting"))?;
        if let (MailTls::StartTls, Some(parameters)) = (tls, &self.tls) {
            connection.starttls(parameters.clone(), &hello).await.map_err(server("STARTTLS"))?;
        }
        if let Some((user, password)) = credentials {
            let credentials = Credentials::new(user.clone(), password.expose().clone());
            let signed_in = connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await;
            // What is said here may quote the password.
            signed_in
                .map_err(server("signing in"))
                .map_err(|failed| Undelivered { said: String::new(), ..failed })?;
        }
        Ok(connection)
    }

    fn written(&self, message: &Message) -> Result<(Envelope, Vec<u8>), Undelivered> {
        let wrong = |what: &dyn std::fmt::Display| Undelivered {
            fault: Fault::Mail,
            reason: format!("writing: {what}"),
            said: String::new(),
        };
        let MailOptions { from, from_name, .. } = &self.options;
        let Written { subject, text, html } = &message.written;
        let address = |text: &str| text.parse::<Address>().map_err(|error| wrong(&error));
        let sender = address(from.as_str())?;
        let id = format!("<{}@{}>", message.id, sender.domain());
        let no_answers = HeaderName::new_from_ascii_str("Auto-Submitted");
        let written = lettre::Message::builder()
            .from(Mailbox::new(Some(from_name.clone()), sender))
            .to(Mailbox::new(None, address(message.to.as_str())?))
            .date(UNIX_EPOCH + Duration::from_millis(message.date.as_millis()))
            .message_id(Some(id))
            // No machine is to answer it (RFC 3834 §5).
            .raw_header(HeaderValue::new(no_answers, "auto-generated".to_owned()))
            .subject(subject.clone())
            .multipart(MultiPart::alternative_plain_html(text.clone(), html.clone()));
        let written = written.map_err(|error| wrong(&error))?;
        Ok((written.envelope().clone(), written.formatted()))
    }
}

fn fault_of(error: &Error) -> Fault {
    if error.is_permanent() || error.is_client() { Fault::Mail } else { Fault::Moment }
}

fn failed(fault: Fault, step: &str, error: &Error) -> Undelivered {
    let innermost = std::iter::successors(std::error::Error::source(error), |error| error.source()).last();
    let said = innermost.map_or_else(|| error.to_string(), ToString::to_string);
    let Some(status) = error.status() else {
        return Undelivered { fault, reason: format!("{step}: {said}"), said: String::new() };
    };
    let is_status = |word: &&str| {
        word.split('.').count() == 3 && word.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    };
    // The enhanced status code of RFC 3463, where there is one.
    let reason = match said.split_whitespace().next().filter(is_status) {
        Some(enhanced) => format!("{step}: {status} {enhanced}"),
        None => format!("{step}: {status}"),
    };
    Undelivered { fault, reason, said }
}
