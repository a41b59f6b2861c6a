//! PunBB 1.4: the cookie holds the member's number, the password's hash and the time of its end, vouched for by a hash of these with
//! the member's salt. There is no secret beside the member's row.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use super::pun::{BansOf, Member, expiry, member};
use super::{Minted, Tables, Unminted, hex, put};
use crate::bridge::Jar;
use crate::domain::Timestamp;

pub(super) async fn mint(tables: &mut Tables<'_>, name: &str, now: Timestamp) -> Result<Minted, Unminted> {
    let Member { id, row } = member(tables, name, ", salt", BansOf::NamesAndEmails, now).await?;
    let (password, salt) = (row.bytes(4).unwrap_or_default(), row.bytes(5).unwrap_or_default());
    let sha1 = |parts: &[&[u8]]| hex(Sha1::digest(parts.concat()));
    let ends = expiry(now).to_string();
    let end = sha1(&[salt, sha1(&[ends.as_bytes()]).as_bytes()]);
    let vouched = sha1(&[salt, password, end.as_bytes()]);
    let value = [id.to_string().as_bytes(), password, ends.as_bytes(), vouched.as_bytes()].join(&b'|');
    let mut jar = Jar::default();
    put(&mut jar, tables.cookie_name(), &STANDARD.encode(value), "/", now);
    Ok(Minted { jar, member: id, key: None })
}
