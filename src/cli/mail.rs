//! `passgate mail test ADDRESS`: sends one mail as the gateway would, and tells how that went. Needs no running gateway.

use clap::Subcommand;

use super::{Exit, Streams, Trouble};
use crate::auth::mail::options::{MailOptions, MailTls};
use crate::auth::mail::{Fault, Message, Smtp, Undelivered};
use crate::config::Config;
use crate::domain::{Clock, MailAddress, SystemClock, UserId};
use crate::web::Letters;

#[derive(Debug, Subcommand)]
pub(super) enum Mail {
    /// Send a mail that says nothing but that mails arrive
    Test {
        /// Where to
        address: String,
    },
}

impl Mail {
    pub(super) fn run(self, config: &Config, streams: &mut Streams<'_>) -> Result<(), Trouble> {
        let Self::Test { address } = self;
        let Some(to) = MailAddress::parse(&address) else {
            return Err(Trouble::data(format!("{address:?} is no e-mail address; write it as name@host")));
        };
        let Some(options) = &config.mail else {
            return Err(Trouble::new(Exit::Configuration, "no mail is sent: name a mail server in [mail]"));
        };
        let letters =
            Letters::new(&config.pages).map_err(|error| Trouble::new(Exit::Configuration, error))?;
        let written = letters.test().map_err(|error| Trouble::new(Exit::Configuration, error))?;
        let (id, date) = (UserId::generate().to_string(), SystemClock.now());
        let smtp = Smtp::new(options.clone()).map_err(Trouble::unavailable)?;
        streams.say(&format!("handing a mail for {to} to {}", server(options)));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime =
            runtime.map_err(|error| Trouble::unavailable(format!("no thread could be started: {error}")))?;
        match runtime.block_on(smtp.hand_over(&Message { id, date, to, written })) {
            Ok(()) => streams.data("fine: the mail server has taken it; see whether it arrives"),
            Err(undelivered) => Err(Trouble::unavailable(told(&undelivered, options))),
        }
    }
}

/// The mail server and the way there, for people.
pub(super) fn server(options: &MailOptions) -> String {
    let MailOptions { host, port, tls, credentials, from, .. } = options;
    let way = match tls {
        MailTls::Off => "without TLS",
        MailTls::StartTls => "with STARTTLS",
        MailTls::Implicit => "with TLS",
    };
    let user = credentials.as_ref().map(|(user, _)| format!(" as {user}")).unwrap_or_default();
    format!("{host}, port {port}, {way}{user}, from {from}")
}

/// What it means, and what to do about it.
fn told(undelivered: &Undelivered, options: &MailOptions) -> String {
    let Undelivered { fault, reason, said } = undelivered;
    let said = if said.is_empty() { String::new() } else { format!("\nit said: {said:?}") };
    let help = match (fault, reason.split(':').next()) {
        (Fault::Server, _) if reason.contains("certificate") => {
            format!("its certificate has to be one that this system trusts, for the name {}", options.host)
        }
        (Fault::Server, Some("signing in")) => "see mail.user and mail.password_file".to_owned(),
        (Fault::Server, Some("STARTTLS")) => "mail.tls = \"tls\", usual on port 465, may be meant".to_owned(),
        (Fault::Server, _) => "see mail.host, mail.port and mail.tls".to_owned(),
        (Fault::Moment, _) => "it may take it later".to_owned(),
        (Fault::Mail, _) => "see mail.from, and whether this server takes mail for such addresses".to_owned(),
    };
    format!("the mail server did not take it: {reason}; {help}{said}")
}
