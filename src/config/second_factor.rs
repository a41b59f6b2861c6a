//! The `[second_factor]` section: what is asked of whom after the password.

use std::path::Path;
use std::time::Duration;

use super::access::group;
use super::passkeys::Passwords;
use super::raw;
use super::reader::Reader;
use super::secret::{is_inside, key_file};
use super::server::placed;
use crate::auth::second_factors::{Availability, SecondFactorOptions};
use crate::policy::SecondFactorFor;
use crate::server::options::ServerOptions;

const GROUPS: &str = "second_factor.required_groups";
const FOR_ALL: &str = "second_factor.required_for_all";
const DAY: Duration = Duration::from_secs(86_400);

/// Where nobody signs in with a password there is nothing to ask after it.
pub(super) fn read(
    reader: &mut Reader<'_>,
    raw: &raw::Raw,
    passwords: Passwords,
    server: Option<&ServerOptions>,
) -> Option<SecondFactorOptions> {
    let (raw, mail) = (&raw.second_factor, &raw.mail);
    let data_dir = server.map(|server| server.data_dir.as_path());
    let groups: Option<Vec<_>> = raw.required_groups.iter().map(|text| group(reader, GROUPS, text)).collect();
    let trust = match raw.trust_devices.as_str() {
        "0" => Some(None),
        text => reader.duration("second_factor.trust_devices", text, DAY..=365 * DAY).map(Some),
    };
    let beside_data = beside(reader, data_dir);
    let key_file = key_file(reader, "second_factor.key", &raw.key, &beside_data, data_dir);
    let is_on = raw.enabled && passwords == Passwords::On;
    for (key, is_asked) in [(GROUPS, !raw.required_groups.is_empty()), (FOR_ALL, raw.required_for_all)] {
        if is_asked && !is_on {
            let where_off = if raw.enabled { "where passwords are off" } else { "with enabled = false" };
            let help = "ask nobody, or let members have what it asks for";
            let found = format!("a second factor {where_off}");
            reader.note(key, &found, "second factors that members can set up", help);
        }
    }
    if raw.mail && mail.host.is_empty() {
        let help = "name one in [mail], or leave codes to apps";
        reader.note("second_factor.mail", "codes by mail without a mail server", "a mail server", help);
    }
    let required_for = match raw.required_for_all {
        true => SecondFactorFor::Everyone,
        false => SecondFactorFor::Groups(groups?),
    };
    let available = |is_on| if is_on { Availability::On } else { Availability::Off };
    Some(SecondFactorOptions {
        availability: available(is_on),
        mail: available(is_on && raw.mail),
        required_for,
        trust: trust?,
        key_file: key_file?,
    })
}

/// The usual place is beside the configuration; where that lies in the data folder, beside the folder.
fn beside(reader: &Reader<'_>, data_dir: Option<&Path>) -> String {
    const USUAL: &str = "second-factor.key";
    let usual = placed(reader, "second_factor.key", USUAL);
    match data_dir.filter(|folder| is_inside(&usual, folder)) {
        Some(folder) => {
            let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
            folder.with_file_name(USUAL).to_string_lossy().into_owned()
        }
        None => USUAL.to_owned(),
    }
}
