//! SMF 2.1: the cookie is a JSON object of the member's number, a keyed hash of the password's hash, an end, and the domain and path
//! it is for. The key is `$auth_secret` and the member's salt, which SMF draws anew when they sign out there.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha512;

use super::{Minted, Tables, Unminted, exactly, hex, number, put, seconds};
use crate::bridge::Jar;
use crate::database::Parameter::Text;
use crate::domain::Timestamp;

/// "For ever", of the choices that SMF gives its members: six years.
const FOR_EVER: i64 = 3_153_600 * 60;
/// What is added to the state of whoever is banned.
const BANNED: i64 = 10;
const ACTIVATED: i64 = 1;

pub(super) async fn mint(tables: &mut Tables<'_>, name: &str, now: Timestamp) -> Result<Minted, Unminted> {
    let columns = "id_member, is_activated, passwd, password_salt, tfa_secret, member_name";
    let rows = tables.rows(columns, "members", "WHERE member_name = ?", &[Text(name)]).await?;
    let row = exactly(rows, 5, name)?;
    let member = number(&row, 0, "id_member")?;
    match number(&row, 1, "is_activated")? {
        ACTIVATED => {}
        BANNED.. => return Err(Unminted::Banned),
        _ => return Err(Unminted::Inactive),
    }
    let wanted = ["localCookies", "globalCookies", "globalCookiesDomain", "tfa_mode"];
    let settings = tables.settings(("settings", "variable", "value"), wanted).await?;
    // What PHP's `empty` takes for nothing.
    let setting =
        |name: &str| settings.get(name).map(String::as_str).filter(|value| !matches!(*value, "" | "0"));
    if setting("tfa_mode").is_some() && row.bytes(4).is_some_and(|secret| !secret.is_empty()) {
        return Err(Unminted::SecondFactor);
    }
    let key = [tables.secret().as_bytes(), row.bytes(3).unwrap_or_default()].concat();
    // A key of any length is one.
    let vouched = Hmac::<Sha512>::new_from_slice(&key)
        .map(|mac| hex(mac.chain_update(row.bytes(2).unwrap_or_default()).finalize().into_bytes()))
        .unwrap_or_default();
    let flags = (setting("localCookies").is_some(), setting("globalCookies").is_some());
    let (domain, path) = place(&tables.options.board, flags, setting("globalCookiesDomain"));
    let ends = seconds(now) + FOR_EVER;
    let value = format!(
        r#"{{"0":{member},"1":"{vouched}","2":{ends},"3":"{}","4":"{}"}}"#,
        domain.replace('/', "\\/"),
        path.replace('/', "\\/")
    );
    let mut jar = Jar::default();
    put(&mut jar, tables.cookie_name(), &value, &path, now);
    Ok(Minted { jar, member, key: None })
}

/// The domain and path of SMF's cookies (its `url_parts`): host and path of the board's address, and settings of the same names. SMF
/// takes no cookie that says others.
fn place(
    (host, base): &(String, String),
    (local, global): (bool, bool),
    named: Option<&str>,
) -> (String, String) {
    let path = if local { format!("{}/", base.trim_end_matches('/')) } else { "/".to_owned() };
    let is_ipv4 = host.parse::<std::net::Ipv4Addr>().is_ok();
    let below = if global && !is_ipv4 { above(host) } else { None };
    let domain = match (named, below) {
        (Some(named), _) if format!("{host}{base}").contains(named) => named.to_owned(),
        (_, Some(above)) => format!(".{above}"),
        _ if !local && !global || !host.contains('.') => String::new(),
        _ => host.clone(),
    };
    (domain, path)
}

/// The host without its first label, or with it, if two labels at least are left, of which the first has two letters.
fn above(host: &str) -> Option<&str> {
    let starts = std::iter::once(0).chain(host.match_indices('.').map(|(at, _)| at + 1));
    let fits =
        |rest: &&str| rest.split_once('.').is_some_and(|(label, more)| label.len() >= 2 && !more.is_empty());
    starts.map(|at| &host[at..]).find_map(|rest| {
        let without = rest.split_once('.').filter(|(label, _)| !label.is_empty()).map(|(_, rest)| rest);
        without.filter(fits).or_else(|| Some(rest).filter(fits))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domain_and_path_are_those_that_smf_makes_of_the_boards_address() {
        let place = |host: &str, base: &str, local, global, named| {
            place(&(host.to_owned(), base.to_owned()), (local, global), named)
        };
        for (host, base, local, global, named, domain, path) in [
            ("forum.example.org", "/smf", false, false, None, "", "/"),
            ("forum.example.org", "/smf", true, false, None, "forum.example.org", "/smf/"),
            ("forum.example.org", "/smf", false, true, None, ".example.org", "/"),
            ("forum.example.org", "/", true, true, None, ".example.org", "/"),
            ("www.forum.example.org", "/", false, true, None, ".forum.example.org", "/"),
            ("example.org", "/", false, true, None, ".example.org", "/"),
            ("ab.c.de", "/", false, true, None, ".ab.c.de", "/"),
            ("a.b.c", "/", false, true, None, "a.b.c", "/"),
            ("localhost", "/smf", true, true, None, "", "/smf/"),
            ("192.0.2.7", "/", false, true, None, "192.0.2.7", "/"),
            ("forum.example.org", "/", false, false, Some("example.org"), "example.org", "/"),
            ("forum.example.org", "/", false, false, Some("example.com"), "", "/"),
        ] {
            let expected = (domain.to_owned(), path.to_owned());
            assert_eq!(place(host, base, local, global, named), expected, "{host}{base} {local} {global}");
        }
    }
}
