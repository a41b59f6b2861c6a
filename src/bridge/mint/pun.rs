//! What PunBB and FluxBB, its offspring, have in common: members, bans, how long a cookie lives.

use super::{Tables, Unminted, exactly, number, seconds};
use crate::database::Parameter::Text;
use crate::database::Row;
use crate::domain::Timestamp;

/// For how long they remember somebody: 14 days. They renew it with each page.
const REMEMBERED: i64 = 14 * 24 * 3600;
/// The number of the row that stands for guests.
const GUEST: i64 = 1;
const UNVERIFIED: i64 = 0;
const ADMINS: i64 = 1;

/// A member who could sign in there.
pub(super) struct Member {
    pub(super) id: i64,
    /// These columns: `id, group_id, username, email, password`, and those asked for.
    pub(super) row: Row,
}

/// Whom a ban is of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum BansOf {
    Names,
    NamesAndEmails,
}

/// The member of exactly this name, unless they are unverified or banned. Bans of addresses are the forum's to see, with each
/// request.
pub(super) async fn member(
    tables: &mut Tables<'_>,
    name: &str,
    columns: &str,
    bans: BansOf,
    now: Timestamp,
) -> Result<Member, Unminted> {
    let columns = format!("id, group_id, username, email, password{columns}");
    let rows = tables.rows(&columns, "users", "WHERE username = ?", &[Text(name)]).await?;
    let row = exactly(rows, 2, name)?;
    let (id, group) = (number(&row, 0, "id")?, number(&row, 1, "group_id")?);
    if id <= GUEST || group == UNVERIFIED {
        return Err(Unminted::Inactive);
    }
    if group != ADMINS {
        let held = tables.rows("username, email, expire", "bans", "", &[]).await?;
        let is_over = |ban: &Row| ban.number(2).is_some_and(|expire| expire <= seconds(now));
        let is_same = |ban: &Row, column, member: &str| ban.text(column).is_some_and(|of| of == member);
        let name = name.to_lowercase();
        let email = row.text(3).filter(|email| bans == BansOf::NamesAndEmails && !email.is_empty());
        let is_theirs = |ban: &Row| {
            ban.text(0).is_some_and(|of| of.to_lowercase() == name)
                || email.as_ref().is_some_and(|email| is_same(ban, 1, email))
        };
        if held.iter().any(|ban| !is_over(ban) && is_theirs(ban)) {
            return Err(Unminted::Banned);
        }
    }
    Ok(Member { id, row })
}

/// When a cookie that is made now ends.
pub(super) fn expiry(now: Timestamp) -> i64 {
    seconds(now) + REMEMBERED
}
