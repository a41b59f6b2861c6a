//! WordPress, with bbPress or without. Roles are PHP's serialised arrays in the table of odds and ends.

use super::{Aside, BANNED, Draft, Fact, Rank, Reading, Shape, Table, kept, no_stock};
use crate::auth::import::record::Row;
use crate::auth::passwords::Source;

pub(super) static SHAPE: Shape = Shape {
    hashes: Some(Source::WordPress),
    users: Table {
        names: &["users"],
        columns: &["ID", "user_login", "user_pass", "user_email", "display_name", "spam", "deleted"],
        required: &["ID", "user_login", "user_pass"],
    },
    sides: &[Table {
        names: &["usermeta"],
        columns: &["user_id", "meta_key", "meta_value"],
        required: &["user_id", "meta_key", "meta_value"],
    }],
    member,
    aside,
    stock: no_stock,
};

/// A table of odds and ends is long; this is the condition for what [`aside`] looks at.
pub(in crate::auth::import) const WORTH_READING: (&str, &str) = ("usermeta", "meta_key LIKE '%capabilities'");

fn member(row: &Row<'_>) -> Reading {
    let off = row.flag("spam") == Some(true) || row.flag("deleted") == Some(true);
    Reading::Member(Draft {
        id: row.number("ID"),
        name: row.text("user_login").unwrap_or_default(),
        full_name: row.text("display_name"),
        email: row.text("user_email"),
        off: off.then_some(BANNED),
        hash: kept(row, "user_pass"),
        ..Draft::default()
    })
}

fn aside(_: &str, row: &Row<'_>, _: i64) -> Aside {
    if !row.text("meta_key").is_some_and(|key| key.ends_with("capabilities")) {
        return Aside::Nothing;
    }
    let value = row.text("meta_value").unwrap_or_default();
    let rank = roles(&value).find_map(|role| match role {
        "administrator" => Some(Rank::Admins),
        "bbp_blocked" => Some(Rank::Off(BANNED)),
        "bbp_keymaster" => Some(Rank::Admins),
        "bbp_moderator" => Some(Rank::Moderators),
        "bbp_participant" | "bbp_spectator" | "customer" | "subscriber" => None,
        other => Some(Rank::Named(other.to_owned())),
    });
    rank.map_or(Aside::Nothing, |rank| Aside::Of(row.number("user_id"), Fact::Rank(rank)))
}

/// The keys of `a:1:{s:13:"administrator";b:1;}` that are true.
fn roles(serialised: &str) -> impl Iterator<Item = &str> {
    let parts: Vec<_> = serialised.split('"').collect();
    (1..parts.len().saturating_sub(1)).step_by(2).filter_map(move |at| {
        let is = parts.get(at + 1)?.starts_with(";b:1;");
        is.then(|| parts[at])
    })
}
