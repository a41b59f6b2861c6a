//! The `[mail]` section: the mail server, and who we are to it.

use std::net::IpAddr;
use std::time::Duration;

use super::raw;
use super::reader::{Reader, quoted};
use super::secret;
use crate::auth::mail::options::{MailOptions, MailTls};
use crate::domain::{Host, MailAddress, Secret};

/// The inner `None` is no mail. `own` and `site_name` are what members know the site by.
pub(super) fn read(
    reader: &mut Reader<'_>,
    raw: &raw::Mail,
    own: &Host,
    site_name: &str,
) -> Option<Option<MailOptions>> {
    let tls = [("starttls", MailTls::StartTls), ("tls", MailTls::Implicit), ("none", MailTls::Off)];
    let tls = reader.word("mail.tls", &raw.tls, &tls);
    let port = reader.number("mail.port", raw.port, 1..=65_535, "587 with starttls, 465 with tls");
    let bounds = Duration::from_secs(1)..=Duration::from_secs(600);
    let timeout = reader.duration("mail.timeout", &raw.timeout, bounds);
    let hello = hello(reader, &raw.hello, own);
    if raw.host.is_empty() {
        return match raw.from.as_str() {
            "" => Some(None),
            from => {
                let help = "name it, or leave mail.from empty to send no mail";
                reader.refuse(
                    "mail.host",
                    format!("no mail server for mails from {}", quoted(from)),
                    "a mail server",
                    help,
                )
            }
        };
    }
    let host = host(reader, &raw.host, tls);
    let credentials = credentials(reader, raw);
    let from = from(reader, &raw.from);
    Some(Some(MailOptions {
        host: host?,
        port: port?,
        tls: tls?,
        credentials: credentials?,
        from: from?,
        from_name: site_name.to_owned(),
        hello: hello?,
        timeout: timeout?,
    }))
}

/// SECURITY: OPS-09. Codes and the server's password must not travel in the clear.
fn host(reader: &mut Reader<'_>, text: &str, tls: Option<MailTls>) -> Option<String> {
    const KEY: &str = "mail.host";
    let literal = text.trim_start_matches('[').trim_end_matches(']');
    let host = match literal.parse::<IpAddr>() {
        Ok(address) if address.is_ipv6() => Host::parse(&format!("[{literal}]")),
        _ if text.contains(':') => Err(crate::domain::InvalidHost),
        _ => Host::parse(text),
    };
    let Ok(host) = host else {
        let help = "write no scheme and no port; the port is mail.port";
        return reader.refuse(
            KEY,
            quoted(text),
            "a host name such as \"smtp.example.org\", or an address in digits",
            help,
        );
    };
    if tls == Some(MailTls::Off) && !host.is_loopback() {
        let help = "take \"starttls\" or \"tls\": codes for members must not travel in the clear";
        let found = format!("\"none\" on the way to {host}");
        return reader.refuse("mail.tls", found, "\"none\" for a mail server on this machine alone", help);
    }
    Some(host.as_str().trim_start_matches('[').trim_end_matches(']').to_owned())
}

/// The inner `None` is a server that asks for none.
fn credentials(reader: &mut Reader<'_>, raw: &raw::Mail) -> Option<Option<(String, Secret<String>)>> {
    match (raw.user.as_str(), raw.password_file.as_str()) {
        ("", "") => Some(None),
        (user, "") => {
            let found = format!("no password for {}", quoted(user));
            reader.refuse(
                "mail.password_file",
                found,
                "a file with the password",
                "name it, or leave mail.user empty",
            )
        }
        ("", _) => {
            let help = "write the name that the mail server knows you by, or leave mail.password_file empty";
            reader.refuse("mail.user", "a password without a name", "a name", help)
        }
        (user, file) => {
            let password = secret::password(reader, "mail.password_file", file)?;
            Some(Some((user.to_owned(), password)))
        }
    }
}

fn from(reader: &mut Reader<'_>, text: &str) -> Option<MailAddress> {
    let address = MailAddress::parse(text);
    address.or_else(|| {
        let help = "take one that answers to mails can be read at";
        reader.refuse("mail.from", quoted(text), "an address such as \"forum@example.org\"", help)
    })
}

fn hello(reader: &mut Reader<'_>, text: &str, own: &Host) -> Option<String> {
    match (text, Host::parse(text)) {
        ("", _) => Some(own.to_string()),
        (text, Ok(host)) if !text.contains(':') => Some(host.to_string()),
        _ => reader.refuse(
            "mail.hello",
            quoted(text),
            "a host name such as \"forum.example.org\"",
            "leave it empty for the host of public_url",
        ),
    }
}
