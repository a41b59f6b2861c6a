//! MyBB 1.8.

use super::{Aside, BANNED, Draft, Fact, Rank, Reading, Shape, Table, UNVERIFIED, group, kept};
use crate::auth::import::record::Row;
use crate::auth::passwords::Source;

pub(super) static SHAPE: Shape = Shape {
    hashes: Some(Source::MyBb),
    users: Table {
        names: &["users"],
        columns: &["uid", "username", "password", "salt", "email", "usergroup", "additionalgroups"],
        required: &["uid", "username", "password", "salt", "usergroup"],
    },
    sides: &[
        Table { names: &["usergroups"], columns: &["gid", "title"], required: &["gid", "title"] },
        Table { names: &["banned"], columns: &["uid", "lifted"], required: &["uid", "lifted"] },
    ],
    member,
    aside,
    stock,
};

fn member(row: &Row<'_>) -> Reading {
    let mut groups = row.numbers("additionalgroups");
    groups.extend(row.number("usergroup"));
    Reading::Member(Draft {
        id: row.number("uid"),
        name: row.text("username").unwrap_or_default(),
        email: row.text("email"),
        groups,
        hash: kept(row, "password"),
        salt: kept(row, "salt"),
        ..Draft::default()
    })
}

fn aside(table: &str, row: &Row<'_>, now: i64) -> Aside {
    if table == "usergroups" {
        return group(row.number("gid"), row.text("title"), stock);
    }
    // 0 is for ever.
    let holds = row.number("lifted").is_none_or(|end| end == 0 || end > now);
    if holds { Aside::Of(row.number("uid"), Fact::Off(BANNED)) } else { Aside::Nothing }
}

fn stock(id: i64) -> Option<Rank> {
    match id {
        1 | 2 => Some(Rank::Nobody),
        3 | 6 => Some(Rank::Moderators),
        4 => Some(Rank::Admins),
        5 => Some(Rank::Off(UNVERIFIED)),
        7 => Some(Rank::Off(BANNED)),
        _ => None,
    }
}
