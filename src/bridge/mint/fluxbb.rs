//! FluxBB 1.5: the cookie is the member's number and the time of its end, vouched for by keyed hashes of these and of the password's
//! hash. The key is `$cookie_seed`.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use super::pun::{BansOf, Member, expiry, member};
use super::{Minted, Tables, Unminted, hex, put};
use crate::bridge::Jar;
use crate::domain::Timestamp;

pub(super) async fn mint(tables: &mut Tables<'_>, name: &str, now: Timestamp) -> Result<Minted, Unminted> {
    let Member { id, row } = member(tables, name, "", BansOf::Names, now).await?;
    let vouched = |what: &[u8], key: &str| vouched(what, tables.secret(), key);
    let ends = expiry(now);
    let password = vouched(row.bytes(4).unwrap_or_default(), "_password_hash");
    let cookie = vouched(format!("{id}|{ends}").as_bytes(), "_cookie_hash");
    let mut jar = Jar::default();
    put(&mut jar, tables.cookie_name(), &format!("{id}|{password}|{ends}|{cookie}"), "/", now);
    Ok(Minted { jar, member: id, key: None })
}

fn vouched(what: &[u8], seed: &str, purpose: &str) -> String {
    let key = [seed, purpose].concat();
    // A key of any length is one.
    Hmac::<Sha1>::new_from_slice(key.as_bytes())
        .map(|mac| hex(mac.chain_update(what).finalize().into_bytes()))
        .unwrap_or_default()
}
