//! The `[app_passwords]` section: what programs may read that can't show a page to sign in on.

use super::raw;
use super::reader::{Reader, quoted};
use crate::auth::app_passwords::options::AppPasswordOptions;
use crate::domain::PathPattern;

const PATHS: &str = "app_passwords.paths";
/// More than a member can look through.
const MOST_PATHS: usize = 20;

/// The inner `None` is none of them.
pub(super) fn read(
    reader: &mut Reader<'_>,
    raw: &raw::AppPasswords,
    prefix: Option<&str>,
) -> Option<Option<AppPasswordOptions>> {
    let paths: Vec<_> = raw.paths.iter().map(|text| path(reader, text, prefix)).collect();
    let help = "10 is enough for a member's phone, tablet and feed readers";
    let most = reader.number("app_passwords.max_per_member", raw.max_per_member, 1..=50, help);
    let paths = paths.into_iter().collect::<Option<Vec<_>>>()?;
    if raw.enabled && paths.is_empty() {
        let help = "name what programs read, such as paths = [\"/feed/**\"]; nothing else opens with an app password";
        return reader.refuse(PATHS, "an empty list with enabled = true", "at least one path", help);
    }
    if paths.len() > MOST_PATHS {
        let found = format!("{} paths", paths.len());
        let help = "members choose among them: put them together with `**`";
        return reader.refuse(PATHS, found, format!("at most {MOST_PATHS}"), help);
    }
    let max_per_member = most?;
    Some(raw.enabled.then_some(AppPasswordOptions { paths, max_per_member }))
}

fn path(reader: &mut Reader<'_>, text: &str, prefix: Option<&str>) -> Option<PathPattern> {
    let below =
        |prefix: &str| text.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if let Some(prefix) = prefix.filter(|prefix| below(prefix)) {
        let help = "remove it: app passwords are for the application, and never for passgate's own pages";
        return reader.refuse(PATHS, quoted(text), format!("a path outside {prefix}"), help);
    }
    PathPattern::parse(text).map_or_else(
        |error| {
            let expected = "path patterns, such as \"/feed/**\" or \"/app/*.xml\"";
            reader.refuse(PATHS, quoted(text), expected, format!("this one {error}"))
        },
        Some,
    )
}
