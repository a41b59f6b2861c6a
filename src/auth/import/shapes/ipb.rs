//! Invision (IPB) 3 and 4. Version 3 keeps names as HTML.

use super::{Aside, BANNED, Draft, Rank, Reading, Shape, Table, UNVERIFIED, group, kept, unescaped};
use crate::auth::import::record::Row;
use crate::auth::passwords::Source;

pub(super) static SHAPE: Shape = Shape {
    hashes: Some(Source::Ipb),
    users: Table {
        names: &["core_members", "members"],
        columns: &[
            "member_id",
            "name",
            "email",
            "members_display_name",
            "members_pass_hash",
            "members_pass_salt",
            "member_group_id",
            "mgroup_others",
            "member_banned",
            "temp_ban",
        ],
        required: &["member_id", "name", "members_pass_hash"],
    },
    sides: &[Table { names: &["groups"], columns: &["g_id", "g_title"], required: &["g_id", "g_title"] }],
    member,
    aside,
    stock,
};

fn member(row: &Row<'_>) -> Reading {
    let mut groups = row.numbers("mgroup_others");
    groups.extend(row.number("member_group_id"));
    // -1 is for ever; version 3 writes a ban with an end as a text with colons.
    let banned = row.flag("member_banned") == Some(true) || row.number("temp_ban") == Some(-1);
    Reading::Member(Draft {
        id: row.number("member_id"),
        name: unescaped(&row.text("name").unwrap_or_default()),
        full_name: row.text("members_display_name").map(|name| unescaped(&name)),
        email: row.text("email"),
        groups,
        off: banned.then_some(BANNED),
        hash: kept(row, "members_pass_hash"),
        salt: kept(row, "members_pass_salt"),
        ..Draft::default()
    })
}

fn aside(_: &str, row: &Row<'_>, _: i64) -> Aside {
    group(row.number("g_id"), row.text("g_title"), stock)
}

fn stock(id: i64) -> Option<Rank> {
    match id {
        1 => Some(Rank::Off(UNVERIFIED)),
        2 | 3 => Some(Rank::Nobody),
        4 => Some(Rank::Admins),
        5 => Some(Rank::Off(BANNED)),
        6 => Some(Rank::Moderators),
        _ => None,
    }
}
