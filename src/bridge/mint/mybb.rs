//! MyBB 1.8: the cookie is the member's number and login key, which is in their row for as long as they have the same password.

use super::{Minted, Tables, Unminted, exactly, number, put, seconds};
use crate::bridge::Jar;
use crate::database::Parameter::{Number, Text};
use crate::domain::Timestamp;

/// The group of those who were not activated yet.
const AWAITING_ACTIVATION: i64 = 5;

pub(super) async fn mint(tables: &mut Tables<'_>, name: &str, now: Timestamp) -> Result<Minted, Unminted> {
    let columns = "uid, usergroup, loginkey, username";
    let rows = tables.rows(columns, "users", "WHERE username = ?", &[Text(name)]).await?;
    let row = exactly(rows, 3, name)?;
    let (member, group) = (number(&row, 0, "uid")?, number(&row, 1, "usergroup")?);
    if group == AWAITING_ACTIVATION {
        return Err(Unminted::Inactive);
    }
    if is_banned(tables, member, group, now).await? {
        return Err(Unminted::Banned);
    }
    let key = row.text(2).filter(|key| !key.is_empty()).ok_or_else(|| {
        let said =
            "the member has no login key yet; they get one when they sign in at the forum by themselves";
        Unminted::Misconfigured(said.to_owned())
    })?;
    let settings = tables.settings(("settings", "name", "value"), ["cookieprefix", "cookiepath"]).await?;
    let prefix = settings.get("cookieprefix").map(|prefix| prefix.replace(' ', "")).unwrap_or_default();
    let path = settings.get("cookiepath").filter(|path| !path.is_empty()).map_or("/", String::as_str);
    let mut jar = Jar::default();
    put(&mut jar, &format!("{prefix}mybbuser"), &format!("{member}_{key}"), path, now);
    Ok(Minted { jar, member, key: None })
}

/// A ban that is over is lifted by MyBB when it sees the member.
async fn is_banned(
    tables: &mut Tables<'_>,
    member: i64,
    group: i64,
    now: Timestamp,
) -> Result<bool, Unminted> {
    let rest = "WHERE gid = ? AND isbannedgroup = 1";
    if tables.rows("gid", "usergroups", rest, &[Number(group)]).await?.is_empty() {
        return Ok(false);
    }
    let rest = "WHERE uid = ? AND lifted <> 0 AND lifted < ?";
    let over = tables.rows("uid", "banned", rest, &[Number(member), Number(seconds(now))]).await?;
    Ok(over.is_empty())
}
