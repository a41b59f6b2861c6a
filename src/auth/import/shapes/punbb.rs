//! FluxBB and PunBB, which are of one family. They number their first groups differently.

use super::{Aside, Draft, GUEST, Rank, Reading, Shape, Table, UNVERIFIED, kept};
use crate::auth::import::record::Row;
use crate::auth::passwords::Source;

const USERS: Table = Table {
    names: &["users"],
    columns: &["id", "group_id", "username", "password", "salt", "email", "realname"],
    required: &["id", "group_id", "username", "password", "email"],
};

const SIDES: &[Table] = &[
    Table {
        names: &["groups"],
        columns: &["g_id", "g_title", "g_moderator"],
        required: &["g_id", "g_title"],
    },
    Table { names: &["bans"], columns: &["username", "expire"], required: &["username", "expire"] },
];

pub(super) static FLUXBB: Shape =
    Shape { hashes: Some(Source::FluxBb), users: USERS, sides: SIDES, member, aside, stock: stock_fluxbb };

pub(super) static PUNBB: Shape =
    Shape { hashes: Some(Source::PunBb), users: USERS, sides: SIDES, member, aside, stock: stock_punbb };

fn member(row: &Row<'_>) -> Reading {
    let id = row.number("id");
    if id == Some(1) {
        return Reading::Skip(GUEST);
    }
    Reading::Member(Draft {
        id,
        name: row.text("username").unwrap_or_default(),
        full_name: row.text("realname"),
        email: row.text("email"),
        groups: row.number("group_id").into_iter().collect(),
        hash: kept(row, "password"),
        salt: kept(row, "salt"),
        ..Draft::default()
    })
}

fn aside(table: &str, row: &Row<'_>, now: i64) -> Aside {
    if table == "bans" {
        let holds = row.number("expire").is_none_or(|end| end > now);
        let name = row.text("username").filter(|_| holds);
        return name.map_or(Aside::Nothing, Aside::Banned);
    }
    let (Some(id), Some(title)) = (row.number("g_id"), row.text("g_title")) else { return Aside::Nothing };
    let rank = match title.as_str() {
        _ if id == 1 => Rank::Admins,
        _ if row.flag("g_moderator") == Some(true) => Rank::Moderators,
        "Moderators" => Rank::Moderators,
        "Guest" | "Guests" | "Member" | "Members" => Rank::Nobody,
        _ => Rank::Named(title),
    };
    Aside::Group(id, rank)
}

fn stock_fluxbb(id: i64) -> Option<Rank> {
    match id {
        0 => Some(Rank::Off(UNVERIFIED)),
        1 => Some(Rank::Admins),
        2 => Some(Rank::Moderators),
        3 | 4 => Some(Rank::Nobody),
        _ => None,
    }
}

fn stock_punbb(id: i64) -> Option<Rank> {
    match id {
        0 => Some(Rank::Off(UNVERIFIED)),
        1 => Some(Rank::Admins),
        2 | 3 => Some(Rank::Nobody),
        4 => Some(Rank::Moderators),
        _ => None,
    }
}
