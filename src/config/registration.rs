//! The `[registration]` section: how people who have no account may get one.

use super::raw;
use super::reader::{Reader, quoted};
use crate::auth::joining::options::{Approval, JoinMode, JoinOptions};
use crate::domain::{MailAddress, UserName};

/// Who may read mail may join, so it takes a mail server.
pub(super) fn read(
    reader: &mut Reader<'_>,
    raw: &raw::Registration,
    mail: &raw::Mail,
) -> Option<JoinOptions> {
    let modes =
        [("closed", JoinMode::Closed), ("invitation", JoinMode::Invitation), ("open", JoinMode::Open)];
    let mode = reader.word("registration.mode", &raw.mode, &modes);
    if mode == Some(JoinMode::Open) && mail.host.is_empty() {
        let help = "name one in [mail]: whoever joins confirms their address by mail";
        reader.note("registration.mode", "\"open\" without a mail server", "a mail server", help);
    }
    let help = "100 suits most forums";
    let per_hour = reader.number("registration.per_hour", raw.per_hour, 1..=10_000, help);
    let mut reserved_names = Vec::new();
    for name in &raw.reserved_names {
        match UserName::parse(name) {
            Ok(name) => reserved_names.push(name.key().to_owned()),
            Err(error) => {
                let found = format!("{}, which {error}", quoted(name));
                let help = "write each as somebody would choose it; capital letters don't matter";
                reader.note("registration.reserved_names", found, "names", help);
            }
        }
    }
    let approver = MailAddress::parse(&raw.approver);
    if approver.is_none() && !raw.approver.is_empty() {
        let help = "write it as name@host, or \"\" if nobody is to be told";
        reader.note("registration.approver", quoted(&raw.approver), "an e-mail address", help);
    }
    let approval = if raw.approval { Approval::Needed } else { Approval::NotNeeded };
    Some(JoinOptions { mode: mode?, approval, approver, per_hour: per_hour?, reserved_names })
}
