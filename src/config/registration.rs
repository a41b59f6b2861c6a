//! The `[registration]` section: how people who have no account may get one.

use super::raw;
use super::reader::{Reader, quoted};
use crate::auth::joining::options::{JoinMode, JoinOptions};
use crate::domain::UserName;

pub(super) fn read(reader: &mut Reader<'_>, raw: &raw::Registration) -> Option<JoinOptions> {
    let modes = [("closed", JoinMode::Closed), ("invitation", JoinMode::Invitation)];
    let mode = reader.word("registration.mode", &raw.mode, &modes);
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
    Some(JoinOptions { mode: mode?, reserved_names })
}
