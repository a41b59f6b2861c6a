//! What must be true of any bytes that lie in the database: `fuzz/` reaches what is private through here.
//!
//! A record is read, or refused with the reason; it never breaks anything. And what is read is written so that it reads the same again.

use std::fmt::Debug;

use super::bundles;
use super::packed::{decode_session, decode_user, encode_session, encode_user};
use super::values::{
    decode_failures, decode_forum_password, decode_old_session, decode_passkey, decode_user_of_json,
    encode_failures, encode_forum_password, encode_passkey, encode_user_as_json,
};
use crate::domain::{CredentialId, TokenHash, UserId};

const USER: UserId = UserId([1; 16]);
const SESSION: TokenHash = TokenHash([2; 32]);

/// The first byte says of which kind the rest is.
///
/// # Panics
/// If what is read is not what is written then.
pub fn record(data: &[u8]) {
    let [kind, bytes @ ..] = data else { return };
    let Some(credential) = CredentialId::new(&[3; 16]) else { return };
    match kind % 8 {
        0 => reads_the_same(bytes, |bytes| decode_user(USER, bytes), encode_user),
        1 => reads_the_same(bytes, |bytes| decode_session(USER, SESSION, bytes), encode_session),
        2 => reads_the_same(bytes, |bytes| decode_user_of_json(USER, bytes), encode_user_as_json),
        3 => reads_the_same(bytes, |bytes| decode_passkey(credential.clone(), bytes), encode_passkey),
        4 => reads_the_same(bytes, |bytes| decode_forum_password(USER, bytes), encode_forum_password),
        5 => reads_the_same(bytes, decode_failures, encode_failures),
        6 => drop(decode_old_session(SESSION, bytes).map(|session| {
            let packed = encode_session(&session);
            assert_eq!(decode_session(session.user, SESSION, &packed), Ok(session));
        })),
        _ => reads_the_same(bytes, bundles::all_of, |entries| bundles::packed(entries).unwrap_or_default()),
    }
}

fn reads_the_same<T: Debug + PartialEq>(
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, String>,
    encode: impl Fn(&T) -> Vec<u8>,
) {
    match decode(bytes) {
        Ok(value) => assert_eq!(decode(&encode(&value)), Ok(value)),
        Err(reason) => assert!(!reason.is_empty()),
    }
}
