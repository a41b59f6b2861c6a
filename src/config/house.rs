//! The `[store]`, `[pages]` and `[log]` sections: where things are kept, how our pages look, what is written down.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tracing_subscriber::filter::{LevelFilter, Targets};
use url::Url;

use super::raw;
use super::reader::{Reader, quoted, quoted_url};
use super::server::placed;
use crate::domain::{Host, RequestPath};
use crate::server::options::{BackupOptions, LogFormat, LogOptions, StoreOptions};
use crate::web::options::PageOptions;

#[derive(Clone, Copy)]
enum Backend {
    Memory,
    Sled,
}

pub(super) fn store(
    reader: &mut Reader<'_>,
    raw: &raw::Store,
    data_dir: Option<&Path>,
) -> Option<StoreOptions> {
    let backends = [("sled", Backend::Sled), ("memory", Backend::Memory)];
    let backend = reader.word("store.backend", &raw.backend, &backends);
    let help = "16 is enough for some ten thousand members";
    let cache_mib: Option<u64> = reader.number("store.cache_mib", raw.cache_mib, 1..=65_536, help);
    let path = match raw.path.as_str() {
        "" => data_dir.map(|folder| folder.join("store")),
        text => Some(placed(reader, "store.path", text)),
    };
    let backups = backups(reader, raw, data_dir);
    let (backend, cache_mib, backups) = (backend?, cache_mib?, backups?);
    match backend {
        Backend::Memory => Some(StoreOptions::Memory),
        Backend::Sled => {
            Some(StoreOptions::Sled { path: path?, cache_bytes: cache_mib * 1024 * 1024, backups })
        }
    }
}

fn backups(
    reader: &mut Reader<'_>,
    raw: &raw::Store,
    data_dir: Option<&Path>,
) -> Option<Option<BackupOptions>> {
    let minute = Duration::from_secs(60);
    let every = reader.duration("store.backup_every", &raw.backup_every, minute..=365 * 24 * 60 * minute);
    let help = "0 makes none";
    let keep = reader.number("store.backups_kept", raw.backups_kept, 0..=10_000, help);
    let (every, keep, folder) = (every?, keep?, data_dir?.join("backups"));
    Some((keep > 0).then_some(BackupOptions { folder, every, keep }))
}

pub(super) fn pages(reader: &mut Reader<'_>, raw: &raw::Pages, host: Option<&Host>) -> Option<PageOptions> {
    let site_name = match raw.site_name.trim() {
        "" => host.map(ToString::to_string),
        name if name.chars().count() <= 100 && !name.chars().any(char::is_control) => Some(name.to_owned()),
        name => reader.refuse(
            "pages.site_name",
            quoted(name),
            "one line of up to 100 characters",
            "write the name visitors know the site by",
        ),
    };
    let logo = logo(reader, &raw.logo);
    let accent = accent(reader, &raw.accent);
    let recovery_url = recovery_url(reader, &raw.recovery_url);
    let templates = templates(reader, &raw.templates);
    Some(PageOptions {
        site_name: site_name?,
        logo: logo?,
        accent: accent?,
        recovery_url: recovery_url?,
        templates: templates?,
    })
}

/// The inner `None` is no such page.
fn recovery_url(reader: &mut Reader<'_>, text: &str) -> Option<Option<String>> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\\"'<>".contains(&byte));
    let is_path = RequestPath::parse(text).is_ok() && text.starts_with('/') && !text.starts_with("//");
    let is_url = Url::parse(text).is_ok_and(|url| {
        url.scheme() == "https" && url.has_host() && url.username().is_empty() && url.password().is_none()
    });
    match text {
        "" => Some(None),
        text if is_plain && (is_path || is_url) => Some(Some(text.to_owned())),
        _ => reader.refuse(
            "pages.recovery_url",
            quoted_url(text),
            "a path on this site such as \"/ucp.php?mode=sendpassword\", or a URL that begins with https://",
            "name the application's page for forgotten passwords, or leave it empty",
        ),
    }
}

/// The content policy of our pages loads pictures from this origin only. The inner `None` is no logo.
fn logo(reader: &mut Reader<'_>, text: &str) -> Option<Option<String>> {
    let on_this_origin = text.starts_with('/') && !text.starts_with("//");
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\\"'<>".contains(&byte));
    match text {
        "" => Some(None),
        path if on_this_origin && plain => Some(Some(path.to_owned())),
        _ => reader.refuse(
            "pages.logo",
            quoted(text),
            "a path on this site, such as \"/styles/logo.png\"",
            "our pages load nothing from elsewhere: name a picture the application serves to everybody",
        ),
    }
}

fn accent(reader: &mut Reader<'_>, text: &str) -> Option<String> {
    let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6);
    if digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        return Some(text.to_ascii_lowercase());
    }
    let help = "write `#` and six hexadecimal digits, in quotes";
    reader.refuse("pages.accent", quoted(text), "a colour such as \"#2457d6\"", help)
}

/// The inner `None` is the embedded templates alone.
fn templates(reader: &mut Reader<'_>, text: &str) -> Option<Option<PathBuf>> {
    if text.is_empty() {
        return Some(None);
    }
    let folder = placed(reader, "pages.templates", text);
    if folder.is_dir() {
        return Some(Some(folder));
    }
    let help = "make the folder, correct the path, or leave it empty for the pages that come with passgate";
    reader.refuse("pages.templates", quoted(&folder.to_string_lossy()), "a folder that exists", help)
}

pub(super) fn log(reader: &mut Reader<'_>, raw: &raw::Log) -> Option<LogOptions> {
    let formats = [("auto", LogFormat::Auto), ("human", LogFormat::Human), ("json", LogFormat::Json)];
    let format = reader.word("log.format", &raw.format, &formats);
    let level = match raw.level.parse::<Targets>() {
        Ok(_) if raw.level.split(',').all(says_a_level) => Some(raw.level.clone()),
        _ => reader.refuse(
            "log.level",
            quoted(&raw.level),
            "\"error\", \"warn\", \"info\", \"debug\" or \"trace\", or a list such as \"info,passgate=debug\"",
            "\"info\" writes one line a request",
        ),
    };
    Some(LogOptions { format: format?, level: level?, audit: raw.audit })
}

/// A bare word would be read as the name of a part, with everything of it written down; a misspelt level too.
fn says_a_level(directive: &str) -> bool {
    let (_, level) = directive.rsplit_once('=').unwrap_or(("", directive));
    level.trim().parse::<LevelFilter>().is_ok()
}
