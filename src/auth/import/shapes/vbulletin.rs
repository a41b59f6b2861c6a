//! vBulletin 3, 4 and 5. Names are kept as HTML.

use super::{Aside, BANNED, Draft, Fact, Rank, Reading, Shape, Table, UNVERIFIED, group, kept, unescaped};
use crate::auth::import::record::Row;
use crate::auth::passwords::Source;

pub(super) static SHAPE: Shape = Shape {
    hashes: Some(Source::VBulletin),
    users: Table {
        names: &["user"],
        columns: &[
            "userid",
            "username",
            "password",
            "salt",
            "token",
            "email",
            "usergroupid",
            "membergroupids",
        ],
        required: &["userid", "username", "usergroupid", "email"],
    },
    sides: &[
        Table {
            names: &["usergroup"],
            columns: &["usergroupid", "title"],
            required: &["usergroupid", "title"],
        },
        Table { names: &["userban"], columns: &["userid", "liftdate"], required: &["userid", "liftdate"] },
    ],
    member,
    aside,
    stock,
};

fn member(row: &Row<'_>) -> Reading {
    let mut groups = row.numbers("membergroupids");
    groups.extend(row.number("usergroupid"));
    Reading::Member(Draft {
        id: row.number("userid"),
        name: unescaped(&row.text("username").unwrap_or_default()),
        email: row.text("email"),
        groups,
        hash: kept(row, "token").or_else(|| kept(row, "password")),
        salt: kept(row, "salt"),
        ..Draft::default()
    })
}

fn aside(table: &str, row: &Row<'_>, now: i64) -> Aside {
    if table == "usergroup" {
        return group(row.number("usergroupid"), row.text("title"), stock);
    }
    // 0 is for ever.
    let holds = row.number("liftdate").is_none_or(|end| end == 0 || end > now);
    if holds { Aside::Of(row.number("userid"), Fact::Off(BANNED)) } else { Aside::Nothing }
}

fn stock(id: i64) -> Option<Rank> {
    match id {
        1 | 2 => Some(Rank::Nobody),
        3 | 4 => Some(Rank::Off(UNVERIFIED)),
        5 | 7 => Some(Rank::Moderators),
        6 => Some(Rank::Admins),
        8 => Some(Rank::Off(BANNED)),
        _ => None,
    }
}
