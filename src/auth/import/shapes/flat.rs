//! Lists that are of no forum: CSV, JSON, htpasswd, and our own.

use super::{Draft, Rank, Reading, Shape, Table, kept, no_stock, nothing};
use crate::auth::import::record::Row;
use crate::auth::passwords::Source;

const COLUMNS: &[&str] = &[
    "name",
    "username",
    "user",
    "login",
    "email",
    "e-mail",
    "mail",
    "password",
    "password_hash",
    "hash",
    "passwd",
    "salt",
    "full_name",
    "display_name",
    "real_name",
    "groups",
    "group",
    "state",
    "active",
    "is_active",
    "disabled",
    "banned",
];

const ROWS: Table = Table { names: &[], columns: COLUMNS, required: &[] };

pub(super) static LIST: Shape = flat(Some(Source::Plain));
pub(super) static HTPASSWD: Shape = flat(Some(Source::Htpasswd));
/// Hashes as this program writes them, which it takes back as they are.
pub(super) static PASSGATE: Shape = flat(None);

const fn flat(hashes: Option<Source>) -> Shape {
    Shape { hashes, users: ROWS, sides: &[], member, aside: nothing, stock: no_stock }
}

fn member(row: &Row<'_>) -> Reading {
    let groups = row.first(&["groups", "group"]).unwrap_or_default();
    let groups = groups.split([',', ';']).map(str::trim).filter(|name| !name.is_empty());
    let state = row.text("state").map(|state| state.to_ascii_lowercase());
    let off = matches!(state.as_deref(), Some("disabled" | "inactive" | "banned" | "0"))
        || ["active", "is_active"].iter().any(|column| row.flag(column) == Some(false))
        || ["disabled", "banned"].iter().any(|column| row.flag(column) == Some(true));
    let hash = ["password_hash", "password", "hash", "passwd"].iter().find_map(|column| kept(row, column));
    Reading::Member(Draft {
        name: row.first(&["username", "login", "user", "name"]).unwrap_or_default(),
        full_name: row.first(&["full_name", "display_name", "real_name"]),
        email: row.first(&["email", "e-mail", "mail"]),
        ranks: groups.map(|name| Rank::Named(name.to_owned())).collect(),
        off: off.then_some("disabled in the list"),
        hash,
        salt: kept(row, "salt"),
        ..Draft::default()
    })
}
