//! How servers are asked whether they work.

use std::time::Duration;

use http::StatusCode;

use crate::config::raw;
use crate::config::reader::{Reader, quoted};
use crate::domain::{Host, RequestPath};
use crate::proxy::options::{CheckOptions, IdentityOptions};

/// The inner `None` is that they are not asked.
pub(super) fn read(
    reader: &mut Reader<'_>,
    key: &str,
    raw: &raw::Check,
    identity: Option<&IdentityOptions>,
) -> Option<Option<CheckOptions>> {
    let key = &format!("{key}.check");
    let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3_600));
    let interval = reader.duration(&format!("{key}.interval"), &raw.interval, second..=hour);
    let timeout = reader.duration(&format!("{key}.timeout"), &raw.timeout, Duration::from_millis(10)..=hour);
    let help = "200 is what a page has that works";
    let status = reader.number::<u16>(&format!("{key}.status"), raw.status, 200..=599, help);
    let host = host(reader, key, &raw.host);
    if raw.path.is_empty() {
        return Some(None);
    }
    let Ok(path) = RequestPath::parse(&raw.path) else {
        let help = "begin with a slash, and write it as browsers send it";
        return reader.refuse(&format!("{key}.path"), quoted(&raw.path), "a path such as \"/health\"", help);
    };
    let interval = interval?;
    Some(Some(CheckOptions {
        target: path.target().into_owned(),
        interval,
        // An answer has to be there before the next question.
        timeout: timeout?.min(interval),
        status: StatusCode::from_u16(status?).ok()?,
        host: host?,
        proof: identity.and_then(|identity| Some((identity.secret.clone(), identity.proof.clone()?))),
    }))
}

fn host(reader: &mut Reader<'_>, key: &str, text: &str) -> Option<Option<String>> {
    match Host::parse(text) {
        _ if text.is_empty() => Some(None),
        Ok(_) => Some(Some(text.to_owned())),
        Err(_) => {
            let help = "\"\" asks under the name in the server's URL";
            reader.refuse(
                &format!("{key}.host"),
                quoted(text),
                "a host name, with a port if it needs one",
                help,
            )
        }
    }
}
