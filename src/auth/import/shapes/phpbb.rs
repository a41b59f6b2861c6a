//! phpBB 3, and what is left of phpBB 2. Names are kept as HTML.

use super::{Aside, BANNED, Draft, Fact, GUEST, Rank, Reading, Shape, Table, UNVERIFIED, kept, unescaped};
use crate::auth::import::record::Row;
use crate::auth::passwords::Source;

pub(super) static SHAPE: Shape = Shape {
    hashes: Some(Source::PhpBb),
    users: Table {
        names: &["users"],
        columns: &[
            "user_id",
            "user_type",
            "group_id",
            "username",
            "user_password",
            "user_email",
            "user_active",
            "user_level",
        ],
        required: &["user_id", "username", "user_password"],
    },
    sides: &[
        Table {
            names: &["groups"],
            columns: &["group_id", "group_name"],
            required: &["group_id", "group_name"],
        },
        Table {
            names: &["user_group"],
            columns: &["user_id", "group_id", "user_pending"],
            required: &["user_id", "group_id", "user_pending"],
        },
        Table {
            names: &["banlist"],
            columns: &["ban_userid", "ban_end", "ban_exclude"],
            required: &["ban_userid"],
        },
    ],
    member,
    aside,
    stock,
};

fn member(row: &Row<'_>) -> Reading {
    let (id, kind) = (row.number("user_id"), row.number("user_type"));
    // Anonymous is 1 in phpBB 3 and -1 in phpBB 2.
    if kind == Some(2) || id.is_some_and(|id| id <= 0) || (id == Some(1) && kind.is_some()) {
        return Reading::Skip(GUEST);
    }
    let ranks = match (kind, row.number("user_level")) {
        (Some(3), _) | (_, Some(1)) => vec![Rank::Admins],
        (_, Some(2)) => vec![Rank::Moderators],
        _ => Vec::new(),
    };
    let inactive = kind == Some(1) || row.flag("user_active") == Some(false);
    Reading::Member(Draft {
        id,
        name: unescaped(&row.text("username").unwrap_or_default()),
        email: row.text("user_email"),
        groups: row.number("group_id").into_iter().collect(),
        ranks,
        off: inactive.then_some(UNVERIFIED),
        hash: kept(row, "user_password"),
        ..Draft::default()
    })
}

fn aside(table: &str, row: &Row<'_>, now: i64) -> Aside {
    match table {
        "groups" => match (row.number("group_id"), row.text("group_name")) {
            (Some(id), Some(name)) => Aside::Group(id, named(&name)),
            _ => Aside::Nothing,
        },
        "user_group" if row.flag("user_pending") != Some(true) => row
            .number("group_id")
            .map_or(Aside::Nothing, |group| Aside::Of(row.number("user_id"), Fact::Group(group))),
        "banlist" => {
            let end = row.number("ban_end").unwrap_or(0);
            let holds = row.flag("ban_exclude") != Some(true) && (end == 0 || end > now);
            let user = row.number("ban_userid").filter(|user| holds && *user > 0);
            user.map_or(Aside::Nothing, |user| Aside::Of(Some(user), Fact::Off(BANNED)))
        }
        _ => Aside::Nothing,
    }
}

/// The numbers of groups differ from board to board, these names do not.
fn named(name: &str) -> Rank {
    match name {
        "ADMINISTRATORS" => Rank::Admins,
        "GLOBAL_MODERATORS" => Rank::Moderators,
        "BOTS" | "GUESTS" | "NEWLY_REGISTERED" | "REGISTERED" | "REGISTERED_COPPA" => Rank::Nobody,
        other => Rank::Named(unescaped(other)),
    }
}

fn stock(id: i64) -> Option<Rank> {
    match id {
        1..=3 | 6 | 7 => Some(Rank::Nobody),
        4 => Some(Rank::Moderators),
        5 => Some(Rank::Admins),
        _ => None,
    }
}
