//! The records that there are most of, accounts and sessions, in as few bytes as they need: a version byte, 2, and the fields of
//! a struct below one after another, as [postcard](https://postcard.jamesmunns.com) writes them.
//!
//! Names of fields are not in them, so **the order of the fields is the format**, and what domain enums are is written as numbers
//! chosen here. Another field needs another version.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::values::decode_user_of_json;
use crate::domain::{
    Beside, CredentialId, Group, ImportMark, LinkKind, PasskeyFor, Persistence, Profile, Session, SessionId,
    SetupLink, Timestamp, TokenHash, User, UserId, UserName, UserState,
};

/// The version of the records written.
const VERSION: u8 = 2;

#[derive(Serialize, Deserialize)]
struct PackedUser {
    name: String,
    /// Left out where it is the name itself.
    name_key: Option<String>,
    full_name: Option<String>,
    email: Option<String>,
    groups: Vec<Group>,
    state: u8,
    password: Option<String>,
    created: u64,
    last_sign_in: Option<u64>,
    setup: Option<PackedLink>,
    /// One bit each.
    passkey_for: u8,
    imported: Option<ImportMark>,
}

#[derive(Serialize, Deserialize)]
struct PackedLink {
    hash: [u8; 32],
    expires: u64,
    kind: u8,
}

#[derive(Serialize, Deserialize)]
struct PackedSession {
    created: u64,
    /// After that; the wall clock may have been set back.
    seen_after: i64,
    persistence: u8,
    passkey: Option<Vec<u8>>,
    by_link: bool,
    beside: u8,
    user_agent: String,
}

/// The record of an account; its id is in the key.
pub(super) fn encode_user(user: &User) -> Vec<u8> {
    let User { profile, state, password, created, last_sign_in, setup, passkey_for, imported } = user.clone();
    let (name, key) = (profile.name.as_str(), profile.name.key());
    pack(&PackedUser {
        name: name.to_owned(),
        name_key: (key != name).then(|| key.to_owned()),
        full_name: profile.full_name,
        email: profile.email,
        groups: profile.groups,
        state: state.code(),
        password,
        created: created.as_millis(),
        last_sign_in: last_sign_in.map(Timestamp::as_millis),
        setup: setup.map(|SetupLink { hash, expires, kind }| PackedLink {
            hash: hash.0,
            expires: expires.as_millis(),
            kind: kind.code(),
        }),
        passkey_for: passkey_for.code(),
        imported,
    })
}

/// The account in a record of either version, or what is wrong with it.
pub(super) fn decode_user(id: UserId, bytes: &[u8]) -> Result<User, String> {
    if bytes.first() != Some(&VERSION) {
        return decode_user_of_json(id, bytes);
    }
    let record: PackedUser = unpack(bytes)?;
    let setup = record.setup.map(|PackedLink { hash, expires, kind }| {
        let kind = Coded::meant(kind)?;
        Ok::<_, String>(SetupLink { hash: TokenHash(hash), expires: Timestamp::from_millis(expires), kind })
    });
    Ok(User {
        profile: Profile {
            id,
            name: UserName::kept(record.name, record.name_key),
            full_name: record.full_name,
            email: record.email,
            groups: record.groups,
        },
        state: Coded::meant(record.state)?,
        password: record.password,
        created: Timestamp::from_millis(record.created),
        last_sign_in: record.last_sign_in.map(Timestamp::from_millis),
        setup: setup.transpose()?,
        passkey_for: Coded::meant(record.passkey_for)?,
        imported: record.imported,
    })
}

/// Whether the record of an account is written as this version writes them.
pub(super) fn is_packed(bytes: &[u8]) -> bool {
    bytes.first() == Some(&VERSION)
}

/// The record of a session; its account's id and its own are in the key.
pub(super) fn encode_session(session: &Session) -> Vec<u8> {
    let Session { id: _, user: _, created, last_seen, persistence, passkey, by_link, beside, user_agent } =
        session.clone();
    pack(&PackedSession {
        created: created.as_millis(),
        seen_after: last_seen.as_millis().wrapping_sub(created.as_millis()).cast_signed(),
        persistence: persistence.code(),
        passkey: passkey.map(|passkey| passkey.as_bytes().to_vec()),
        by_link,
        beside: beside.code(),
        user_agent,
    })
}

/// The session in a record, or what is wrong with it.
pub(super) fn decode_session(user: UserId, id: SessionId, bytes: &[u8]) -> Result<Session, String> {
    let record: PackedSession = unpack(bytes)?;
    let passkey = record.passkey.map(|id| CredentialId::new(&id).ok_or("its passkey has no id"));
    Ok(Session {
        id,
        user,
        created: Timestamp::from_millis(record.created),
        last_seen: Timestamp::from_millis(record.created.wrapping_add_signed(record.seen_after)),
        persistence: Coded::meant(record.persistence)?,
        passkey: passkey.transpose()?,
        by_link: record.by_link,
        beside: Coded::meant(record.beside)?,
        user_agent: record.user_agent,
    })
}

/// What is written as a number below 16.
pub(super) trait Coded: Sized {
    /// Which.
    fn code(self) -> u8;
    /// What the number means, if anything.
    fn meant(code: u8) -> Result<Self, String>;
}

/// The numbers of a domain enum. They are never changed, nor used again.
macro_rules! coded {
    ($kind:ident { $($name:ident = $code:literal),* }) => {
        impl Coded for $kind {
            fn code(self) -> u8 {
                match self { $(Self::$name => $code),* }
            }

            fn meant(code: u8) -> Result<Self, String> {
                match code {
                    $($code => Ok(Self::$name),)*
                    _ => Err(format!("a record holds a {code} that means nothing")),
                }
            }
        }
    };
}

coded!(UserState { Active = 0, Deactivated = 1, Disabled = 2, Leaving = 3 });
coded!(LinkKind { Grant = 0, Reset = 1, SetUp = 2, SignIn = 3 });
coded!(Persistence { Browser = 0, Remembered = 1, Shared = 2 });
coded!(Beside { Nothing = 0, Code = 1, MailedCode = 2, TrustedByMail = 3, TrustedDevice = 4 });

impl Coded for PasskeyFor {
    fn code(self) -> u8 {
        u8::from(self.signing_in) | u8::from(self.sensitive_actions) << 1
    }

    fn meant(code: u8) -> Result<Self, String> {
        match code {
            0..4 => Ok(Self { signing_in: code & 1 != 0, sensitive_actions: code & 2 != 0 }),
            _ => Err(format!("a record holds a {code} that means nothing")),
        }
    }
}

fn pack(record: &impl Serialize) -> Vec<u8> {
    #[expect(clippy::expect_used, reason = "strings, numbers and lists of them, into memory")]
    postcard::to_extend(record, vec![VERSION]).expect("a record is packed")
}

fn unpack<R: DeserializeOwned>(bytes: &[u8]) -> Result<R, String> {
    match bytes.split_first() {
        Some((&VERSION, packed)) => match postcard::take_from_bytes(packed) {
            Ok((record, [])) => Ok(record),
            Ok((_, rest)) => Err(format!("a record has {} bytes too many", rest.len())),
            Err(error) => Err(format!("a record: {error}")),
        },
        Some((version, _)) => Err(format!("a record is of version {version}, only {VERSION} is known")),
        None => Err("a record is empty".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::values::tests::{USER, zoe};
    use super::*;
    use crate::store::contract::{hash, id, link, opened, session};

    /// The bytes that the format is, version first.
    fn bytes(parts: &[&[u8]]) -> Vec<u8> {
        parts.concat()
    }

    #[test]
    fn sto_10_records_of_version_2_read_and_are_written_as_ever() {
        let user = bytes(&[
            &[2, 4],
            "Zoë".as_bytes(),
            &[1, 4],
            "zoë".as_bytes(),
            &[1, 10],
            "Zoë «1»".as_bytes(),
            &[1, 13],
            b"z@example.org",
            &[1, 4],
            b"Mods",
            // Active, and a password.
            &[0, 1, 10],
            b"$argon2id$",
            // Made at 1, signed in at 5, and a link until 9 that sets a password.
            &[1, 1, 5, 1],
            &[2; 32],
            &[9, 2, 0, 0],
        ]);
        assert_eq!(encode_user(&zoe()), user);
        assert_eq!(decode_user(id(1), &user), Ok(zoe()));
        // Made at 1, used 1 later, remembered.
        let rest = bytes(&[&[0, 0, 17], "Mozilla/5.0 «x»".as_bytes()]);
        let plain = bytes(&[&[2, 1, 2, 1, 0], &rest]);
        assert_eq!(encode_session(&session(2, 3)), plain);
        assert_eq!(decode_session(id(3), hash(2), &plain), Ok(session(2, 3)));
        let by_passkey = bytes(&[&[2, 1, 2, 1, 1, 4, 7, 7, 7, 7], &rest]);
        assert_eq!(encode_session(&opened(2, 3, 4)), by_passkey);
        assert_eq!(decode_session(id(3), hash(2), &by_passkey), Ok(opened(2, 3, 4)));
    }

    #[test]
    fn sto_10_an_account_of_version_1_is_read_too() {
        assert_eq!(decode_user(id(1), USER.as_bytes()), Ok(zoe()));
        assert!(!is_packed(USER.as_bytes()) && is_packed(&encode_user(&zoe())));
    }

    #[test]
    fn l9_whatever_an_account_or_a_session_says_is_kept() {
        let plain = session(2, 3);
        let early = Timestamp::from_millis(0);
        let mut sessions = vec![
            Session { by_link: true, ..plain.clone() },
            Session { last_seen: early, created: Timestamp::from_millis(u64::MAX), ..plain.clone() },
        ];
        for persistence in [Persistence::Browser, Persistence::Remembered, Persistence::Shared] {
            sessions.push(Session { persistence, ..plain.clone() });
        }
        let code = [Beside::Nothing, Beside::Code, Beside::MailedCode];
        for beside in code.into_iter().chain([Beside::TrustedByMail, Beside::TrustedDevice]) {
            sessions.push(Session { beside, ..plain.clone() });
        }
        for session in sessions {
            assert_eq!(decode_session(id(3), hash(2), &encode_session(&session)), Ok(session));
        }
        let mut users = vec![
            User { imported: Some(ImportMark::new("phpbb", Some("hash"))), ..zoe() },
            User { password: None, last_sign_in: None, setup: None, ..zoe() },
        ];
        for kind in [LinkKind::Grant, LinkKind::Reset, LinkKind::SetUp, LinkKind::SignIn] {
            users.push(User { setup: Some(SetupLink { kind, ..link(2) }), ..zoe() });
        }
        let switched_off = [UserState::Deactivated, UserState::Leaving];
        for state in [UserState::Active, UserState::Disabled].into_iter().chain(switched_off) {
            users.push(User { state, ..zoe() });
        }
        for bits in 0..4 {
            let passkey_for = PasskeyFor { signing_in: bits & 1 != 0, sensitive_actions: bits & 2 != 0 };
            users.push(User { passkey_for, ..zoe() });
        }
        for user in users {
            assert_eq!(decode_user(id(1), &encode_user(&user)), Ok(user));
        }
    }

    #[test]
    fn sto_07_a_record_that_was_cut_lengthened_or_is_of_another_version_is_refused() {
        let (user, session) = (encode_user(&zoe()), encode_session(&opened(2, 3, 4)));
        for end in 0..user.len() {
            assert!(decode_user(id(1), &user[..end]).is_err(), "{end}");
        }
        for end in 0..session.len() {
            assert!(decode_session(id(3), hash(2), &session[..end]).is_err(), "{end}");
        }
        let longer = [&session[..], &[0]].concat();
        assert!(decode_session(id(3), hash(2), &longer).unwrap_err().contains("too many"));
        let nameless = [2, 1, 2, 1, 1, 0, 0, 0, 0];
        assert!(decode_session(id(3), hash(2), &nameless).unwrap_err().contains("no id"));
        let unknown = [2, 1, 2, 3, 0, 0, 0, 0];
        assert!(decode_session(id(3), hash(2), &unknown).unwrap_err().contains("means nothing"));
        for version in [0, 1, 3] {
            let mut other = session.clone();
            other[0] = version;
            assert!(decode_session(id(3), hash(2), &other).unwrap_err().contains("version"), "{version}");
        }
        let mut newer = user;
        newer[0] = 3;
        assert!(decode_user(id(1), &newer).unwrap_err().contains("version 3"));
    }
}
