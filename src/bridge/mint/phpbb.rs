//! phpBB 3.3: a key of "remember me" in `sessions_keys`, of which the cookie `_k` is the secret half.
//!
//! The first request with it makes phpBB begin a session of the visitor's browser and address, and draw a new key in the row's
//! place. From then on the session's own cookie is enough, so the key is taken out again at once ([`tidy`]): nothing is left
//! behind, and nobody can begin another session with it.

use md5::{Digest, Md5};

use super::{Minted, Tables, Unminted, exactly, hex, number, put, seconds};
use crate::bridge::Jar;
use crate::database::Parameter::{Number, Text};
use crate::domain::{Secret, Timestamp, random};

/// Kinds of accounts.
const NORMAL: i64 = 0;
const FOUNDER: i64 = 3;

pub(super) async fn mint(tables: &mut Tables<'_>, name: &str, now: Timestamp) -> Result<Minted, Unminted> {
    let wanted = ["cookie_name", "cookie_path", "allow_autologin"];
    let config = tables.settings(("config", "config_name", "config_value"), wanted).await?;
    let setting = |name: &str| config.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let cookie = setting("cookie_name").ok_or_else(|| {
        Unminted::Misconfigured("phpBB's table of settings does not say cookie_name".to_owned())
    })?;
    if setting("allow_autologin") != Some("1") {
        let said =
            "phpBB takes no keys: allow \"remember me\" logins in its security settings (allow_autologin)";
        return Err(Unminted::Misconfigured(said.to_owned()));
    }
    // As phpBB writes it: `htmlspecialchars` with double quotes.
    let name = name.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let columns = "user_id, user_type, username";
    let rows = tables.rows(columns, "users", "WHERE username = ?", &[Text(&name)]).await?;
    let row = exactly(rows, 2, &name)?;
    let (member, kind) = (number(&row, 0, "user_id")?, number(&row, 1, "user_type")?);
    match kind {
        FOUNDER => {}
        NORMAL if is_banned(tables, member, now).await? => return Err(Unminted::Banned),
        NORMAL => {}
        _ => return Err(Unminted::Inactive),
    }
    let key = Secret::new(hex(random::<16>()));
    let insert = format!(
        "INSERT INTO {} (key_id, user_id, last_ip, last_login) VALUES (?, ?, '', ?)",
        tables.table("sessions_keys")
    );
    let key_id = hex(Md5::digest(key.expose()));
    tables.connection.execute(&insert, &[Text(&key_id), Number(member), Number(seconds(now))]).await?;
    let (mut jar, path) = (Jar::default(), setting("cookie_path").unwrap_or("/"));
    put(&mut jar, &format!("{cookie}_u"), &member.to_string(), path, now);
    put(&mut jar, &format!("{cookie}_k"), key.expose(), path, now);
    // Without one it looks for a session in the address instead. There is none of this number.
    put(&mut jar, &format!("{cookie}_sid"), &hex(random::<16>()), path, now);
    Ok(Minted { jar, member, key: Some(key) })
}

/// By name. Bans of addresses and of patterns of e-mail addresses are phpBB's to see, with each request.
async fn is_banned(tables: &mut Tables<'_>, member: i64, now: Timestamp) -> Result<bool, Unminted> {
    let rest = "WHERE ban_userid = ? AND (ban_end = 0 OR ban_end >= ?)";
    let rows = tables.rows("ban_exclude", "banlist", rest, &[Number(member), Number(seconds(now))]).await?;
    let excluded = |row: &crate::database::Row| row.number(0) == Some(1);
    Ok(!rows.is_empty() && !rows.iter().any(excluded))
}

/// Takes the key out of the database, in the shape it was written in and in that of phpBB's answer, and its cookie out of the jar.
pub(super) async fn tidy(
    tables: &mut Tables<'_>,
    member: i64,
    key: &Secret<String>,
    jar: &mut Jar,
) -> Result<(), Unminted> {
    let renewed: Vec<String> =
        jar.take_where(|name| name.ends_with(b"_k")).iter().map(|value| hex(Md5::digest(value))).collect();
    let delete = format!("DELETE FROM {} WHERE user_id = ? AND key_id = ?", tables.table("sessions_keys"));
    for key_id in [vec![hex(Md5::digest(key.expose()))], renewed].concat() {
        tables.connection.execute(&delete, &[Number(member), Text(&key_id)]).await?;
    }
    Ok(())
}
