//! Django's own accounts, with the profiles of Spirit if they are there.

use super::{Aside, Draft, Fact, Rank, Reading, Shape, Table, UNVERIFIED, kept, no_stock};
use crate::auth::import::record::Row;
use crate::auth::passwords::Source;

pub(super) static SHAPE: Shape = Shape {
    hashes: Some(Source::Django),
    users: Table {
        names: &["auth_user"],
        // The last four are Spirit's, in a list that has been put together from both tables.
        columns: &[
            "id",
            "username",
            "email",
            "password",
            "first_name",
            "last_name",
            "is_active",
            "is_staff",
            "is_superuser",
            "nickname",
            "is_verified",
            "is_moderator",
            "is_administrator",
        ],
        required: &["id", "username", "password", "is_active"],
    },
    sides: &[
        Table { names: &["auth_group"], columns: &["id", "name"], required: &["id", "name"] },
        Table {
            names: &["auth_user_groups"],
            columns: &["user_id", "group_id"],
            required: &["user_id", "group_id"],
        },
        Table {
            names: &["spirit_user_userprofile"],
            columns: &["user_id", "is_verified", "is_moderator", "is_administrator"],
            required: &["user_id", "is_verified"],
        },
    ],
    member,
    aside,
    stock: no_stock,
};

fn member(row: &Row<'_>) -> Reading {
    let is = |column| row.flag(column) == Some(true);
    let mut ranks = Vec::new();
    if is("is_superuser") || is("is_staff") || is("is_administrator") {
        ranks.push(Rank::Admins);
    }
    if is("is_moderator") {
        ranks.push(Rank::Moderators);
    }
    let names = [row.text("first_name"), row.text("last_name")];
    let full_name = names.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let kept_out = row.flag("is_active") == Some(false) || row.flag("is_verified") == Some(false);
    Reading::Member(Draft {
        id: row.number("id"),
        name: row.text("username").unwrap_or_default(),
        full_name: row.text("nickname").or(Some(full_name)),
        email: row.text("email"),
        ranks,
        off: kept_out.then_some(UNVERIFIED),
        hash: kept(row, "password"),
        ..Draft::default()
    })
}

fn aside(table: &str, row: &Row<'_>, _: i64) -> Aside {
    let user = row.number("user_id");
    match table {
        "auth_group" => match (row.number("id"), row.text("name")) {
            (Some(id), Some(name)) => Aside::Group(id, Rank::Named(name)),
            _ => Aside::Nothing,
        },
        "auth_user_groups" => {
            row.number("group_id").map_or(Aside::Nothing, |group| Aside::Of(user, Fact::Group(group)))
        }
        _ if row.flag("is_verified") == Some(false) => Aside::Of(user, Fact::Off(UNVERIFIED)),
        _ if row.flag("is_administrator") == Some(true) => Aside::Of(user, Fact::Rank(Rank::Admins)),
        _ if row.flag("is_moderator") == Some(true) => Aside::Of(user, Fact::Rank(Rank::Moderators)),
        _ => Aside::Nothing,
    }
}
