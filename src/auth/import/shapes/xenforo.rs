//! XenForo 1 and 2. Hashes are in a table of their own.

use super::{Aside, BANNED, Draft, Fact, Rank, Reading, Shape, Table, UNVERIFIED, group};
use crate::auth::import::record::Row;
use crate::auth::passwords::Source;

pub(super) static SHAPE: Shape = Shape {
    hashes: Some(Source::XenForo),
    users: Table {
        names: &["user"],
        columns: &[
            "user_id",
            "username",
            "email",
            "user_group_id",
            "secondary_group_ids",
            "user_state",
            "is_banned",
            "is_admin",
            "is_moderator",
        ],
        required: &["user_id", "username", "user_state", "is_banned"],
    },
    sides: &[
        Table {
            names: &["user_authenticate"],
            columns: &["user_id", "data"],
            required: &["user_id", "data"],
        },
        Table {
            names: &["user_group"],
            columns: &["user_group_id", "title"],
            required: &["user_group_id", "title"],
        },
    ],
    member,
    aside,
    stock,
};

fn member(row: &Row<'_>) -> Reading {
    let mut groups = row.numbers("secondary_group_ids");
    groups.extend(row.number("user_group_id"));
    let ranks = [("is_admin", Rank::Admins), ("is_moderator", Rank::Moderators)];
    let ranks = ranks.into_iter().filter(|(column, _)| row.flag(column) == Some(true)).map(|(_, rank)| rank);
    let off = match row.text("user_state").as_deref() {
        _ if row.flag("is_banned") == Some(true) => Some(BANNED),
        Some("disabled" | "rejected") => Some(BANNED),
        Some("email_confirm" | "moderated") => Some(UNVERIFIED),
        _ => None,
    };
    Reading::Member(Draft {
        id: row.number("user_id"),
        name: row.text("username").unwrap_or_default(),
        email: row.text("email"),
        groups,
        ranks: ranks.collect(),
        off,
        ..Draft::default()
    })
}

fn aside(table: &str, row: &Row<'_>, _: i64) -> Aside {
    if table == "user_group" {
        return group(row.number("user_group_id"), row.text("title"), stock);
    }
    let data = row.bytes("data");
    data.map_or(Aside::Nothing, |data| Aside::Of(row.number("user_id"), Fact::Hash(data.into())))
}

fn stock(id: i64) -> Option<Rank> {
    match id {
        1 | 2 => Some(Rank::Nobody),
        3 => Some(Rank::Admins),
        4 => Some(Rank::Moderators),
        _ => None,
    }
}
