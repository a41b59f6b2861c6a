//! SMF 2, and 1.1 with its other spelling of columns. Names to show are kept as HTML.

use super::{Aside, BANNED, Draft, Rank, Reading, Shape, Table, UNVERIFIED, group, kept, unescaped};
use crate::auth::import::record::Row;
use crate::auth::passwords::Source;

pub(super) static SHAPE: Shape = Shape {
    hashes: Some(Source::Smf),
    users: Table {
        names: &["members"],
        columns: &[
            "id_member",
            "member_name",
            "memberName",
            "real_name",
            "realName",
            "passwd",
            "email_address",
            "emailAddress",
            "id_group",
            "additional_groups",
            "additionalGroups",
            "is_activated",
        ],
        required: &["id_member", "passwd"],
    },
    sides: &[Table {
        names: &["membergroups"],
        columns: &["id_group", "group_name", "groupName"],
        required: &["id_group"],
    }],
    member,
    aside,
    stock,
};

fn member(row: &Row<'_>) -> Reading {
    let name = unescaped(&row.first(&["member_name", "memberName"]).unwrap_or_default());
    let full_name = row.first(&["real_name", "realName"]).map(|name| unescaped(&name));
    let mut groups = row.numbers("additional_groups");
    groups.extend(row.numbers("additionalGroups"));
    groups.extend(row.number("id_group"));
    let off = match row.number("is_activated") {
        None | Some(1) => None,
        Some(10..) => Some(BANNED),
        Some(_) => Some(UNVERIFIED),
    };
    Reading::Member(Draft {
        id: row.number("id_member"),
        name,
        full_name,
        email: row.first(&["email_address", "emailAddress"]),
        groups,
        off,
        hash: kept(row, "passwd"),
        ..Draft::default()
    })
}

fn aside(_: &str, row: &Row<'_>, _: i64) -> Aside {
    group(row.number("id_group"), row.first(&["group_name", "groupName"]), stock)
}

fn stock(id: i64) -> Option<Rank> {
    match id {
        1 => Some(Rank::Admins),
        2 | 3 => Some(Rank::Moderators),
        // Regular members; the next ones come with the number of posts.
        0 | 4..=8 => Some(Rank::Nobody),
        _ => None,
    }
}
