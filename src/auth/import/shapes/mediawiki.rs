//! MediaWiki 1.27 to 1.43. Who is blocked may sign in there and write nothing; here they may not sign in.

use super::{Aside, BANNED, Draft, Fact, GUEST, Rank, Reading, Shape, Table, kept, no_stock};
use crate::auth::import::record::Row;
use crate::auth::passwords::Source;
use crate::domain::Timestamp;

pub(super) static SHAPE: Shape = Shape {
    hashes: Some(Source::MediaWiki),
    users: Table {
        // PostgreSQL keeps the first name for itself.
        names: &["mwuser", "user"],
        columns: &["user_id", "user_name", "user_real_name", "user_password", "user_email", "user_token"],
        required: &["user_id", "user_name", "user_password"],
    },
    sides: &[
        Table {
            names: &["user_groups"],
            columns: &["ug_user", "ug_group", "ug_expiry"],
            required: &["ug_user", "ug_group"],
        },
        // Until 1.41 …
        Table {
            names: &["ipblocks"],
            columns: &["ipb_user", "ipb_expiry", "ipb_sitewide"],
            required: &["ipb_user", "ipb_expiry"],
        },
        // … and from 1.42 on, which counts blocks of single pages with the others.
        Table {
            names: &["block_target"],
            columns: &["bt_user", "bt_count"],
            required: &["bt_user", "bt_count"],
        },
    ],
    member,
    aside,
    stock: no_stock,
};

fn member(row: &Row<'_>) -> Reading {
    // So it marks those in whose name it writes by itself.
    if row.text("user_token").is_some_and(|token| token.starts_with("*** INVALID ***")) {
        return Reading::Skip(GUEST);
    }
    Reading::Member(Draft {
        id: row.number("user_id"),
        name: row.text("user_name").unwrap_or_default(),
        full_name: row.text("user_real_name"),
        email: row.text("user_email"),
        hash: kept(row, "user_password"),
        ..Draft::default()
    })
}

fn aside(table: &str, row: &Row<'_>, now: i64) -> Aside {
    match table {
        "user_groups" if holds(row, "ug_expiry", now) => {
            let rank = match row.text("ug_group").unwrap_or_default().as_str() {
                "bureaucrat" | "sysop" => Rank::Admins,
                "" => return Aside::Nothing,
                other => Rank::Named(other.to_owned()),
            };
            Aside::Of(row.number("ug_user"), Fact::Rank(rank))
        }
        "ipblocks" if row.flag("ipb_sitewide") != Some(false) && holds(row, "ipb_expiry", now) => {
            Aside::Of(row.number("ipb_user"), Fact::Off(BANNED))
        }
        "block_target" if row.number("bt_count").is_some_and(|count| count > 0) => {
            Aside::Of(row.number("bt_user"), Fact::Off(BANNED))
        }
        _ => Aside::Nothing,
    }
}

/// Whether this moment is still to come: `20261127174432` or, in PostgreSQL, `2026-11-27 17:44:32+00`; `infinity` and NULL
/// never come.
fn holds(row: &Row<'_>, column: &str, now: i64) -> bool {
    let digits = |text: String| text.chars().filter(char::is_ascii_digit).take(14).collect::<String>();
    let now = u64::try_from(now).unwrap_or_default().saturating_mul(1_000);
    let end = digits(row.text(column).unwrap_or_default());
    end.is_empty() || end > digits(Timestamp::from_millis(now).to_string())
}
