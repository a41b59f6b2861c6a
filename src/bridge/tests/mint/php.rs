//! What the forums make of a cookie, written after their own source: FluxBB's `check_cookie`, PunBB's `cookie_login`, MyBB's
//! `load_user`, SMF's `loadUserSettings`, phpBB's `session_begin` and `session_create`. Nothing of what makes the cookies is used.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use percent_encoding::{percent_decode_str, utf8_percent_encode};
use rusqlite::OptionalExtension;
use sha1::Sha1;
use sha2::Sha512;

use super::tables::{Tables, open};
use super::{Kind, SEED};
use crate::bridge::tests::server::{Call, Fake, Reply};

pub(super) fn fake(kind: &Kind, tables: &Tables) -> Fake {
    let path = tables.path();
    match kind.preset {
        "phpbb" => phpbb(path),
        "smf" => Box::new(move |call| smf(call, &path)),
        "mybb" => Box::new(move |call| mybb(call, &path)),
        "fluxbb" => Box::new(move |call| fluxbb(call, &path)),
        _ => Box::new(move |call| punbb(call, &path)),
    }
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// RFC 2104.
fn hmac<H: Digest>(block: usize, key: &[u8], data: &[u8]) -> String {
    let mut key = if key.len() > block { H::digest(key).to_vec() } else { key.to_vec() };
    key.resize(block, 0);
    let pad = |with: u8| key.iter().map(|byte| byte ^ with).collect::<Vec<u8>>();
    let inner = H::digest([pad(0x36), data.to_vec()].concat());
    hex(H::digest([pad(0x5c), inner.to_vec()].concat()))
}

/// As PHP reads a cookie.
fn read(call: &Call, name: &str) -> String {
    percent_decode_str(&call.cookie(name).replace('+', " ")).decode_utf8().unwrap().into_owned()
}

fn written(value: &str) -> String {
    utf8_percent_encode(value, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// A few texts of the first row.
fn row<const N: usize>(path: &Path, statement: &str, id: i64) -> Option<[String; N]> {
    let read = |row: &rusqlite::Row<'_>| {
        let text = |at| -> rusqlite::Result<String> {
            Ok(match row.get_ref(at)? {
                rusqlite::types::ValueRef::Null => String::new(),
                rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                other => other.as_str()?.to_owned(),
            })
        };
        let mut all = [const { String::new() }; N];
        for (at, one) in all.iter_mut().enumerate() {
            *one = text(at)?;
        }
        Ok(all)
    };
    open(path).query_row(statement, [id], read).optional().unwrap()
}

fn fluxbb(call: &Call, path: &Path) -> Reply {
    const NAME: &str = "pun_cookie_b31e10";
    let now = call.seconds();
    let vouch =
        |what: &str, purpose: &str| hmac::<Sha1>(64, format!("{SEED}{purpose}").as_bytes(), what.as_bytes());
    let value = |id: i64, password: &str, ends: u64| {
        let (password, id_there) = (vouch(password, "_password_hash"), format!("{id}|{ends}"));
        written(&format!("{id}|{password}|{ends}|{}", vouch(&id_there, "_cookie_hash")))
    };
    let cookie = read(call, NAME);
    let parts: Vec<&str> = cookie.split('|').collect();
    let member = match parts[..] {
        [id, password, ends, whole] => {
            let number: i64 = id.parse().unwrap();
            let is_own = number > 1
                && ends.parse::<u64>().unwrap() > now
                && vouch(&format!("{id}|{ends}"), "_cookie_hash") == whole;
            let statement = "SELECT username, password FROM flux_users WHERE id = ?";
            let found = row::<2>(path, statement, number).filter(|_| is_own);
            found.filter(|[_, hash]| vouch(hash, "_password_hash") == password).map(|found| (number, found))
        }
        _ => None,
    };
    match member {
        Some((_, _)) if call.asks("action=out") => {
            Reply::page("").cookie(format!("{NAME}={}; path=/; HttpOnly", value(1, "guest", now)))
        }
        Some((id, [name, password])) => Reply::page(format!(
            "<div id=\"brdwelcome\">Logged in as <strong>{name}</strong></div>\
             <a href=\"login.php?action=out&amp;id={id}&amp;csrf_token=t\">Logout</a>"
        ))
        .cookie(format!("{NAME}={}; path=/; HttpOnly", value(id, &password, now + 1_209_600))),
        None => Reply::page("<a href=\"login.php\">Login</a>")
            .cookie(format!("{NAME}={}; path=/; HttpOnly", value(1, "guest", now + 31_536_000))),
    }
}

fn punbb(call: &Call, path: &Path) -> Reply {
    const NAME: &str = "forum_cookie_55ff";
    let now = call.seconds();
    let sha1 = |text: String| hex(Sha1::digest(text));
    let value = |id: i64, password: &str, salt: &str, ends: u64| {
        let end = sha1(format!("{salt}{}", sha1(ends.to_string())));
        let whole = sha1(format!("{salt}{password}{end}"));
        (whole.clone(), written(&STANDARD.encode(format!("{id}|{password}|{ends}|{whole}"))))
    };
    let cookie = String::from_utf8(STANDARD.decode(read(call, NAME)).unwrap()).unwrap();
    let parts: Vec<&str> = cookie.split('|').collect();
    let member = match parts[..] {
        [id, password, ends, whole] if id.parse::<i64>().unwrap() > 1 => {
            let (id, ends): (i64, u64) = (id.parse().unwrap(), ends.parse().unwrap());
            let found = row::<3>(path, "SELECT username, password, salt FROM users WHERE id = ?", id);
            let found = found.filter(|[_, hash, _]| ends > now && hash == password);
            found.filter(|[_, hash, salt]| value(id, hash, salt, ends).0 == whole).map(|found| (id, found))
        }
        _ => None,
    };
    let guest = format!("{NAME}={}; path=/; HttpOnly", written(&STANDARD.encode(format!("1|x|{now}|y"))));
    match member {
        Some(_) if call.asks("action=out") => Reply::to("/index.php").cookie(guest),
        Some((id, [name, password, salt])) => Reply::page(format!(
            "<p id=\"welcome\">Logged in as <strong>{name}</strong></p><a href=\"login.php?action=out&amp;id={id}\">Logout</a>"
        ))
        .cookie(format!("{NAME}={}; path=/; HttpOnly", value(id, &password, &salt, now + 1_209_600).1)),
        None => Reply::page("<a href=\"login.php\">Login</a>").cookie(guest),
    }
}

fn mybb(call: &Call, path: &Path) -> Reply {
    let cookie = read(call, "mybbuser");
    let (id, key) = cookie.split_once('_').unwrap_or_default();
    let statement = "SELECT username, loginkey FROM mybb_users WHERE uid = ?";
    let found = row::<2>(path, statement, id.parse().unwrap_or(0));
    match found.filter(|[_, known]| !key.is_empty() && known == key) {
        Some(_) if call.asks("action=logout") => {
            Reply::page("").cookie("mybbuser=; expires=Sun, 22-Nov-2026 05:00:00 GMT; path=/")
        }
        Some([name, _]) => Reply::page(format!(
            "<span class=\"welcome\"><a href=\"member.php\">{name}</a></span><a href=\"member.php?action=logout&amp;logoutkey=k\">"
        ))
        .cookie("sid=s1; path=/; HttpOnly"),
        None => Reply::page("<a href=\"member.php?action=login\">").cookie("sid=s0; path=/; HttpOnly"),
    }
}

fn smf(call: &Call, path: &Path) -> Reply {
    let cookie: serde_json::Value = serde_json::from_str(&read(call, "SMFCookie10")).unwrap_or_default();
    // It shows the member all the same, and puts in place of a cookie for another domain or path one that is nobody's.
    let is_placed = cookie["3"] == "" && cookie["4"] == "/";
    let id = cookie["0"].as_i64().unwrap_or(0);
    let hash = cookie["1"].as_str().unwrap_or_default().to_owned();
    let statement =
        "SELECT member_name, passwd, password_salt, is_activated FROM smf_members WHERE id_member = ?";
    let found = row::<4>(path, statement, id).filter(|[_, hashed, salt, activated]| {
        let known = hmac::<Sha512>(128, format!("{SEED}{salt}").as_bytes(), hashed.as_bytes());
        hash.len() == 128 && known == hash && (activated == "1" || activated == "11")
    });
    match found {
        Some(_) if call.asks("action=logout") => {
            open(path).execute("UPDATE smf_members SET password_salt = 'other' WHERE id_member = ?", [id]).unwrap();
            Reply::to("/index.php").cookie("SMFCookie10=%7B%220%22%3A0%7D; Max-Age=0; path=/")
        }
        Some([name, ..]) if !is_placed => Reply::page(format!(
            "<a href=\"/index.php?action=logout;f0a1=e2f3\">Log out</a>{name}"
        ))
        .cookie("SMFCookie10=%7B%220%22%3A2%2C%221%22%3A%22%22%7D; path=/"),
        Some([name, ..]) => Reply::page(format!(
            "<a href=\"/index.php?action=logout;f0a1=e2f3\">Log out</a><div id=\"detailedinfo\"><dl><dd>{name}</dd></dl></div>"
        ))
        .cookie("PHPSESSID=p1; path=/"),
        None => Reply::page("<a href=\"/index.php?action=login\">Log in</a>")
            .cookie("SMFCookie10=%7B%220%22%3A0%7D; Max-Age=0; path=/"),
    }
}

/// Sessions are of a member and a browser; the last key is drawn anew with each session that it begins.
fn phpbb(path: PathBuf) -> Fake {
    const NAME: &str = "phpbb3_ab1cd";
    let mut sessions: HashMap<String, (i64, String)> = HashMap::new();
    Box::new(move |call: &Call| {
        let (u, mut k) =
            (read(call, &format!("{NAME}_u")).parse().unwrap_or(0), read(call, &format!("{NAME}_k")));
        let (mut sid, agent) = (read(call, &format!("{NAME}_sid")), call.header("user-agent").to_owned());
        let mut reply_with = Vec::new();
        let known = sessions.get(&sid).filter(|(_, browser)| *browser == agent).map(|(id, _)| *id);
        let id = known.unwrap_or_else(|| {
            let (u, key) = if sid.is_empty() { (0, String::new()) } else { (u, k.clone()) };
            let statement =
                "SELECT u.user_id, k.key_id FROM phpbb_users u, phpbb_sessions_keys k WHERE u.user_id = ?
                 AND u.user_type IN (0, 3) AND k.user_id = u.user_id";
            let database = open(&path);
            let mut keys = database.prepare(statement).unwrap();
            let keys: Vec<String> =
                keys.query_map([u], |row| row.get(1)).unwrap().map(Result::unwrap).collect();
            let is_known = !key.is_empty() && keys.contains(&hex(Md5::digest(&key)));
            sid = format!("{:032x}", sessions.len() + 1);
            k = String::new();
            if is_known {
                k = format!("renewed{}", sessions.len());
                let renew =
                    "UPDATE phpbb_sessions_keys SET key_id = ?, last_ip = '192.0.2.1' WHERE key_id = ?";
                let [new, old] = [&k, &key].map(|key| hex(Md5::digest(key)));
                assert_eq!(database.execute(renew, [new, old]).unwrap(), 1);
            }
            let id = if is_known { u } else { 1 };
            sessions.insert(sid.clone(), (id, agent.clone()));
            reply_with = vec![("u", id.to_string()), ("k", k.clone()), ("sid", sid.clone())];
            id
        });
        let reply = match id {
            1 => Reply::page("<a href=\"./ucp.php?mode=login\">Login</a>"),
            _ if call.asks("mode=logout") && call.asks(&sid) => {
                sessions.remove(&sid);
                reply_with = vec![("u", "1".into()), ("k", String::new()), ("sid", "none".into())];
                Reply::to("/index.php")
            }
            id => {
                let [name] =
                    row::<1>(&path, "SELECT username FROM phpbb_users WHERE user_id = ?", id).unwrap();
                Reply::page(format!(
                    "<li id=\"username_logged_in\"><span class=\"username\">{name}</span></li>\
                     <a href=\"./ucp.php?mode=logout&amp;sid={sid}\">Logout</a>"
                ))
            }
        };
        reply_with.into_iter().fold(reply, |reply, (name, value)| {
            reply.cookie(format!("{NAME}_{name}={value}; path=/; HttpOnly"))
        })
    })
}
