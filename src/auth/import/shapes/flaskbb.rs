//! FlaskBB 2 and 3. Its groups say themselves what they are.

use super::{Aside, BANNED, Draft, Fact, Rank, Reading, Shape, Table, UNVERIFIED, kept};
use crate::auth::import::record::Row;
use crate::auth::passwords::Source;

pub(super) static SHAPE: Shape = Shape {
    hashes: Some(Source::FlaskBb),
    users: Table {
        names: &["users"],
        columns: &["id", "username", "email", "password", "activated", "primary_group_id"],
        required: &["id", "username", "password", "primary_group_id"],
    },
    sides: &[
        Table {
            names: &["groups"],
            columns: &["id", "name", "admin", "super_mod", "mod", "guest", "banned"],
            required: &["id", "name", "admin", "banned"],
        },
        Table {
            names: &["groups_users"],
            columns: &["user_id", "group_id"],
            required: &["user_id", "group_id"],
        },
    ],
    member,
    aside,
    stock,
};

fn member(row: &Row<'_>) -> Reading {
    Reading::Member(Draft {
        id: row.number("id"),
        name: row.text("username").unwrap_or_default(),
        email: row.text("email"),
        groups: row.number("primary_group_id").into_iter().collect(),
        off: (row.flag("activated") == Some(false)).then_some(UNVERIFIED),
        hash: kept(row, "password"),
        ..Draft::default()
    })
}

fn aside(table: &str, row: &Row<'_>, _: i64) -> Aside {
    if table == "groups_users" {
        let group = row.number("group_id");
        return group.map_or(Aside::Nothing, |group| Aside::Of(row.number("user_id"), Fact::Group(group)));
    }
    let (Some(id), Some(name)) = (row.number("id"), row.text("name")) else { return Aside::Nothing };
    let is = |column| row.flag(column) == Some(true);
    let rank = match name.as_str() {
        _ if is("banned") => Rank::Off(BANNED),
        _ if is("admin") => Rank::Admins,
        _ if is("super_mod") || is("mod") => Rank::Moderators,
        "Member" => Rank::Nobody,
        _ if is("guest") => Rank::Nobody,
        _ => Rank::Named(name),
    };
    Aside::Group(id, rank)
}

fn stock(id: i64) -> Option<Rank> {
    match id {
        1 => Some(Rank::Admins),
        2 | 3 => Some(Rank::Moderators),
        4 | 6 => Some(Rank::Nobody),
        5 => Some(Rank::Off(BANNED)),
        _ => None,
    }
}
