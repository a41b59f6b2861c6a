//! What lies in the database: keys, and the records below them. All reading and writing of bytes is here.
//!
//! One tree holds everything, so that a batch is atomic. The first byte of a key says what it is for:
//!
//! | key | value |
//! | --- | --- |
//! | `c` | how many groups of changes have been written |
//! | `u` id | a [`User`] |
//! | `n` name key | the id of the account of that name |
//! | `e` e-mail key, 0, user id | nothing; lists the accounts with that address |
//! | `e` | nothing; says that the list of addresses is complete |
//! | `d` hash of a name key | nothing; says that an account of that name was deleted |
//! | `l` link hash | the id of the account with that set-up link |
//! | `s` session id | a [`Session`] |
//! | `i` user id, session id | nothing; lists the sessions of an account |
//! | `p` credential id | a [`Passkey`] |
//! | `k` user id, credential id | nothing; lists the passkeys of an account |
//! | `f` user id | a [`SealedPassword`] |
//! | `t` user id | the account's [`Failures`] |
//! | `w` drawer, user id or zeros, key | what lies in a drawer: a record of its owner's making |
//! | `y` | the key by which devices are known |
//!
//! A record is a version byte and JSON. Its shape is declared here, apart from the domain, so that a new name there
//! changes nothing on the disk. There is no checksum: sled keeps one for each message of its log, and verifies it whenever it reads one.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::domain::{
    Backup, Beside, CredentialId, EmailKey, Failures, Group, ImportMark, LinkKind, Passkey, PasskeyFor,
    PasskeyName, Persistence, Place, Profile, SealedPassword, Session, SessionId, SetupLink, Streak,
    Timestamp, TokenHash, User, UserId, UserName, UserState,
};
use crate::store::drawer::{Drawer, Owner};
use crate::store::record::{decode, encode};

/// What an entry is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Count = b'c',
    Deleted = b'd',
    DeviceKey = b'y',
    Drawer = b'w',
    Email = b'e',
    Failures = b't',
    ForumPassword = b'f',
    Link = b'l',
    Name = b'n',
    Passkey = b'p',
    PasskeyOf = b'k',
    Session = b's',
    SessionOf = b'i',
    User = b'u',
}

impl Kind {
    /// The key of this kind for `id`.
    pub(super) fn key(self, id: &[u8]) -> Vec<u8> {
        let mut key = Vec::with_capacity(1 + id.len());
        key.push(self as u8);
        key.extend_from_slice(id);
        key
    }

    /// Whether `key` is of this kind.
    pub(super) fn is_of(self, key: &[u8]) -> bool {
        key.first() == Some(&(self as u8))
    }
}

/// What the keys that list the accounts with an e-mail address begin with. No key holds a 0 (control characters are
/// refused), so no address is the beginning of another's.
pub(super) fn email_key(email: &EmailKey) -> Vec<u8> {
    let mut key = Kind::Email.key(email.as_str().as_bytes());
    key.push(0);
    key
}

/// The key that lists an account below its e-mail address, if it has one.
pub(super) fn email_of_key(profile: &Profile) -> Option<Vec<u8>> {
    let mut key = email_key(&profile.email_key()?);
    key.extend_from_slice(&profile.id.0);
    Some(key)
}

/// The key that remembers that an account whose name had this key was deleted. The name itself is gone with the account.
pub(super) fn deleted_key(name: &str) -> Vec<u8> {
    Kind::Deleted.key(&Sha256::digest(name))
}

/// The key that lists `session` below `user`.
pub(super) fn session_of_key(user: UserId, session: SessionId) -> Vec<u8> {
    let mut key = Kind::SessionOf.key(&user.0);
    key.extend_from_slice(&session.0);
    key
}

/// The key that lists `passkey` below `user`.
pub(super) fn passkey_of_key(user: UserId, passkey: &CredentialId) -> Vec<u8> {
    let mut key = Kind::PasskeyOf.key(&user.0);
    key.extend_from_slice(passkey.as_bytes());
    key
}

/// What the keys of all that an owner has in a drawer begin with. Ids are random, so no member's is all zeros.
pub(super) fn drawer_key(drawer: Drawer, owner: Owner) -> Vec<u8> {
    let mut key = Kind::Drawer.key(&[drawer.letter()]);
    match owner {
        Owner::Member(user) => key.extend_from_slice(&user.0),
        Owner::Site => key.extend_from_slice(&[0; 16]),
    }
    key
}

/// Whose a record is and what its key is, of the key in the database.
pub(super) fn in_drawer(key: &[u8]) -> Result<(Owner, &[u8]), String> {
    let rest = key.get(2..).and_then(<[u8]>::split_first_chunk);
    let (owner, key) = rest.ok_or_else(|| format!("a key of {} bytes names no owner", key.len()))?;
    Ok((if *owner == [0; 16] { Owner::Site } else { Owner::Member(UserId(*owner)) }, key))
}

/// The credential id in a key, after what goes `before` it.
pub(super) fn credential_after(before: &[u8], key: &[u8]) -> Result<CredentialId, String> {
    let id = key.strip_prefix(before).and_then(CredentialId::new);
    id.ok_or_else(|| format!("a key of {} bytes holds no credential id", key.len()))
}

/// The id at the end of a key or in an index entry.
pub(super) fn trailing<const N: usize>(bytes: &[u8]) -> Result<[u8; N], String> {
    bytes.last_chunk().copied().ok_or_else(|| format!("an id of {} bytes is too short", bytes.len()))
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct UserRecord {
    name: UserName,
    full_name: Option<String>,
    email: Option<String>,
    groups: Vec<Group>,
    state: UserState,
    password: Option<String>,
    created: Timestamp,
    last_sign_in: Option<Timestamp>,
    setup: Option<LinkRecord>,
    /// Left out where it is nothing, as in records from before there was a choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    passkey_for: Option<PasskeyForRecord>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    imported: Option<ImportMark>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PasskeyForRecord {
    signing_in: bool,
    sensitive_actions: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkRecord {
    hash: Text<[u8; 32]>,
    expires: Timestamp,
    #[serde(default, skip_serializing_if = "is_default")]
    kind: LinkKind,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SessionRecord {
    user: Text<[u8; 16]>,
    created: Timestamp,
    last_seen: Timestamp,
    persistence: Persistence,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    passkey: Option<Text<Vec<u8>>>,
    #[serde(default, skip_serializing_if = "is_default")]
    by_link: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    beside: Beside,
    user_agent: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PasskeyRecord {
    user: Text<[u8; 16]>,
    rp_id: String,
    name: PasskeyName,
    credential: String,
    aaguid: Option<Text<[u8; 16]>>,
    transports: Vec<String>,
    backup: Backup,
    created: Timestamp,
    last_used: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ForumPasswordRecord {
    forum: String,
    sealed: Text<Vec<u8>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FailuresRecord {
    strangers: StreakRecord,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    devices: Vec<(Text<[u8; 16]>, StreakRecord)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    networks: Vec<(Text<[u8; 16]>, StreakRecord)>,
}

/// How many, and when the last one was.
type StreakRecord = (u32, Timestamp);

/// The record of an account; its id is in the key.
pub(super) fn encode_user(user: &User) -> Vec<u8> {
    let User { profile, state, password, created, last_sign_in, setup, passkey_for, imported } = user.clone();
    let PasskeyFor { signing_in, sensitive_actions } = passkey_for;
    encode(&UserRecord {
        name: profile.name,
        full_name: profile.full_name,
        email: profile.email,
        groups: profile.groups,
        state,
        password,
        created,
        last_sign_in,
        setup: setup.map(|SetupLink { hash, expires, kind }| LinkRecord {
            hash: Text(hash.0),
            expires,
            kind,
        }),
        passkey_for: (passkey_for != PasskeyFor::default())
            .then_some(PasskeyForRecord { signing_in, sensitive_actions }),
        imported,
    })
}

/// The account in a record, or what is wrong with it.
pub(super) fn decode_user(id: UserId, bytes: &[u8]) -> Result<User, String> {
    let record: UserRecord = decode(bytes)?;
    let UserRecord { name, full_name, email, groups, state, password, created, last_sign_in, .. } = record;
    let passkey_for = record.passkey_for.map_or_else(PasskeyFor::default, |choice| PasskeyFor {
        signing_in: choice.signing_in,
        sensitive_actions: choice.sensitive_actions,
    });
    let setup = record.setup.map(|LinkRecord { hash, expires, kind }| SetupLink {
        hash: TokenHash(hash.0),
        expires,
        kind,
    });
    let profile = Profile { id, name, full_name, email, groups };
    let imported = record.imported;
    Ok(User { profile, state, password, created, last_sign_in, setup, passkey_for, imported })
}

/// The record of a session; its id is in the key.
pub(super) fn encode_session(session: &Session) -> Vec<u8> {
    let Session { id: _, user, created, last_seen, persistence, passkey, by_link, beside, user_agent } =
        session.clone();
    let (user, passkey) = (Text(user.0), passkey.map(|passkey| Text(passkey.as_bytes().to_vec())));
    encode(&SessionRecord { user, created, last_seen, persistence, passkey, by_link, beside, user_agent })
}

/// The session in a record, or what is wrong with it.
pub(super) fn decode_session(id: SessionId, bytes: &[u8]) -> Result<Session, String> {
    let SessionRecord { user, created, last_seen, persistence, passkey, by_link, beside, user_agent } =
        decode(bytes)?;
    let passkey = passkey.map(|Text(passkey)| credential_after(&[], &passkey)).transpose()?;
    let user = UserId(user.0);
    Ok(Session { id, user, created, last_seen, persistence, passkey, by_link, beside, user_agent })
}

/// The record of a passkey; its id is in the key.
pub(super) fn encode_passkey(passkey: &Passkey) -> Vec<u8> {
    let Passkey { id: _, user, rp_id, name, credential, aaguid, transports, backup, created, last_used } =
        passkey.clone();
    let (user, aaguid) = (Text(user.0), aaguid.map(Text));
    encode(&PasskeyRecord { user, rp_id, name, credential, aaguid, transports, backup, created, last_used })
}

/// The passkey in a record, or what is wrong with it.
pub(super) fn decode_passkey(id: CredentialId, bytes: &[u8]) -> Result<Passkey, String> {
    let PasskeyRecord { user, rp_id, name, credential, aaguid, transports, backup, created, last_used } =
        decode(bytes)?;
    let (user, aaguid) = (UserId(user.0), aaguid.map(|aaguid| aaguid.0));
    Ok(Passkey { id, user, rp_id, name, credential, aaguid, transports, backup, created, last_used })
}

/// The record of a sealed password; its account is in the key.
pub(super) fn encode_forum_password(password: &SealedPassword) -> Vec<u8> {
    let SealedPassword { user: _, forum, sealed } = password.clone();
    encode(&ForumPasswordRecord { forum, sealed: Text(sealed) })
}

/// The sealed password in a record, or what is wrong with it.
pub(super) fn decode_forum_password(user: UserId, bytes: &[u8]) -> Result<SealedPassword, String> {
    let ForumPasswordRecord { forum, sealed: Text(sealed) } = decode(bytes)?;
    Ok(SealedPassword { user, forum, sealed })
}

/// The record of an account's wrong tries; the account is in the key.
pub(super) fn encode_failures(failures: &Failures) -> Vec<u8> {
    let Failures { strangers, places } = failures;
    let streak = |streak: &Streak| (streak.count, streak.last);
    let (mut devices, mut networks) = (Vec::new(), Vec::new());
    for (place, tries) in places {
        match place {
            Place::Device(id) => devices.push((Text(*id), streak(tries))),
            Place::Network(id) => networks.push((Text(*id), streak(tries))),
        }
    }
    encode(&FailuresRecord { strangers: streak(strangers), devices, networks })
}

/// The wrong tries in a record, or what is wrong with it.
pub(super) fn decode_failures(bytes: &[u8]) -> Result<Failures, String> {
    let FailuresRecord { strangers, devices, networks } = decode(bytes)?;
    let streak = |(count, last)| Streak { count, last };
    let devices = devices.into_iter().map(|(id, tries)| (Place::Device(id.0), streak(tries)));
    let networks = networks.into_iter().map(|(id, tries)| (Place::Network(id.0), streak(tries)));
    Ok(Failures { strangers: streak(strangers), places: devices.chain(networks).collect() })
}

/// What was meant before there was a choice is left out.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Bytes as base64url, a third of the room that JSON's list of numbers takes.
struct Text<B>(B);

impl<B: AsRef<[u8]>> Serialize for Text<B> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&URL_SAFE_NO_PAD.encode(&self.0))
    }
}

impl<'de, B: TryFrom<Vec<u8>>> Deserialize<'de> for Text<B> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let bytes = URL_SAFE_NO_PAD.decode(String::deserialize(from)?).map_err(D::Error::custom)?;
        B::try_from(bytes).map(Self).map_err(|_| D::Error::custom("wrong number of bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::contract::{credential, hash, id, link, opened, passkey, sealed, session, user};

    const USER: &str = concat!(
        "\u{1}",
        r#"{"name":{"display":"Zoë","key":"zoë"},"full_name":"Zoë «1»","email":"z@example.org","#,
        r#""groups":["Mods"],"state":"active","password":"$argon2id$","created":1,"last_sign_in":5,"#,
        r#""setup":{"hash":"AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI","expires":9}}"#,
    );
    const SESSION: &str = concat!(
        "\u{1}",
        r#"{"user":"AwMDAwMDAwMDAwMDAwMDAw","created":1,"last_seen":2,"persistence":"Remembered","#,
        r#""user_agent":"Mozilla/5.0 «x»"}"#,
    );

    const OPENED: &str = concat!(
        "\u{1}",
        r#"{"user":"AwMDAwMDAwMDAwMDAwMDAw","created":1,"last_seen":2,"persistence":"Remembered","#,
        r#""passkey":"BwcHBw","user_agent":"Mozilla/5.0 «x»"}"#,
    );
    const PASSKEY: &str = concat!(
        "\u{1}",
        r#"{"user":"AwMDAwMDAwMDAwMDAwMDAw","rp_id":"example.org","name":"Zoë's «phone»","#,
        r#""credential":"{\"counter\":2}","aaguid":"AgICAgICAgICAgICAgICAg","#,
        r#""transports":["internal","hybrid"],"backup":"Possible","created":2,"last_used":null}"#,
    );

    const FAILURES: &str = concat!(
        "\u{1}",
        r#"{"strangers":[3,9],"devices":[["BAQEBAQEBAQEBAQEBAQEBA",[1,8]]],"#,
        r#""networks":[["BQUFBQUFBQUFBQUFBQUFBQ",[3,9]]]}"#,
    );
    const SEALED: &str = concat!("\u{1}", r#"{"forum":"phpbb","sealed":"AgIC"}"#);

    /// [`USER`] is from before members could choose what takes a passkey; this one has chosen.
    const CHOOSING: &str = r#","passkey_for":{"signing_in":true,"sensitive_actions":false}}"#;

    fn zoe() -> User {
        let mut zoe = user(1, "Zoë");
        zoe.profile.email = Some("z@example.org".to_owned());
        zoe.profile.groups = vec![Group::parse("Mods").unwrap()];
        zoe.last_sign_in = Some(Timestamp::from_millis(5));
        zoe.setup = Some(link(2));
        zoe
    }

    #[test]
    fn sto_10_records_of_version_1_read_and_are_written_as_ever() {
        assert_eq!(decode_user(id(1), USER.as_bytes()), Ok(zoe()));
        assert_eq!(encode_user(&zoe()), USER.as_bytes());
        let passkey_for = PasskeyFor { signing_in: true, sensitive_actions: false };
        let (choosing, record) =
            (User { passkey_for, ..zoe() }, format!("{}{CHOOSING}", USER.strip_suffix('}').unwrap()));
        assert_eq!(decode_user(id(1), record.as_bytes()), Ok(choosing.clone()));
        assert_eq!(encode_user(&choosing), record.as_bytes());
        assert_eq!(decode_session(hash(2), SESSION.as_bytes()), Ok(session(2, 3)));
        assert_eq!(encode_session(&session(2, 3)), SESSION.as_bytes());
        assert_eq!(decode_session(hash(2), OPENED.as_bytes()), Ok(opened(2, 3, 4)));
        assert_eq!(encode_session(&opened(2, 3, 4)), OPENED.as_bytes());
        assert_eq!(decode_passkey(credential(2), PASSKEY.as_bytes()), Ok(passkey(2, 3)));
        assert_eq!(encode_passkey(&passkey(2, 3)), PASSKEY.as_bytes());
        let short = SealedPassword { sealed: vec![2; 3], ..sealed(2, 2) };
        assert_eq!(decode_forum_password(id(2), SEALED.as_bytes()), Ok(short.clone()));
        assert_eq!(encode_forum_password(&short), SEALED.as_bytes());
        let three = Streak { count: 3, last: Timestamp::from_millis(9) };
        let one = Streak { count: 1, last: Timestamp::from_millis(8) };
        let places = vec![(Place::Device([4; 16]), one), (Place::Network([5; 16]), three)];
        let failures = Failures { strangers: three, places };
        assert_eq!(decode_failures(FAILURES.as_bytes()), Ok(failures.clone()));
        assert_eq!(encode_failures(&failures), FAILURES.as_bytes());
    }

    #[test]
    fn sto_10_an_imported_account_keeps_its_mark_and_others_are_written_without_one() {
        let imported = User { imported: Some(ImportMark::new("phpbb", Some("hash"))), ..zoe() };
        let written = encode_user(&imported);
        assert_eq!(decode_user(id(1), &written), Ok(imported));
        assert!(
            String::from_utf8(written)
                .unwrap()
                .ends_with(",\"imported\":{\"from\":\"phpbb\",\"password\":3494615284}}")
        );
    }

    #[test]
    fn l9_what_a_link_is_for_and_that_it_opened_a_session_is_kept() {
        let by_link = Session { by_link: true, ..session(2, 3) };
        let shared = Session { persistence: Persistence::Shared, ..session(2, 3) };
        let trusted = Session { beside: Beside::TrustedDevice, ..session(2, 3) };
        for session in [by_link, shared, trusted] {
            assert_eq!(decode_session(hash(2), &encode_session(&session)), Ok(session));
        }
        let mut zoe = zoe();
        for kind in [LinkKind::Grant, LinkKind::Reset, LinkKind::SignIn] {
            zoe.setup = Some(SetupLink { kind, ..link(2) });
            assert_eq!(decode_user(id(1), &encode_user(&zoe)), Ok(zoe.clone()));
        }
    }

    #[test]
    fn a_record_from_another_version_is_refused() {
        let mut newer = SESSION.as_bytes().to_vec();
        newer[0] = 2;
        let error = decode_session(hash(2), &newer).unwrap_err();
        assert_eq!(error, "a record is of version 2, only 1 is known");
        let unknown = SESSION.replace("{\"user\"", "{\"pinned\":true,\"user\"");
        assert!(decode_session(hash(2), unknown.as_bytes()).unwrap_err().contains("pinned"));
    }

    #[test]
    fn sto_07_a_cut_or_empty_record_is_refused() {
        for end in 0..USER.len() {
            assert!(decode_user(id(1), &USER.as_bytes()[..end]).is_err(), "{end}");
        }
        for end in 0..PASSKEY.len() {
            assert!(decode_passkey(credential(2), &PASSKEY.as_bytes()[..end]).is_err(), "{end}");
        }
        let nameless = OPENED.replace("BwcHBw", "");
        assert!(decode_session(hash(2), nameless.as_bytes()).is_err(), "an id has at least one byte");
        assert!(trailing::<16>(&[1; 15]).is_err());
        let list = Kind::PasskeyOf.key(&[1; 16]);
        assert_eq!(credential_after(&list, &passkey_of_key(id(1), &credential(9))), Ok(credential(9)));
        for wrong in [passkey_of_key(id(2), &credential(9)), list.clone()] {
            assert!(credential_after(&list, &wrong).is_err());
        }
    }
}
