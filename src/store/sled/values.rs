//! Records as JSON: a version byte, 1, and an object. Passkeys and the like lie in the database so; accounts do in copies, and both
//! accounts and sessions did up to format 2 (now they are packed, see `packed`).
//!
//! A record's shape is declared here, apart from the domain, so that a new name there changes nothing on the disk. There is no
//! checksum: sled keeps one for each message of its log, and verifies it whenever it reads one.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::records::credential_after;
use crate::domain::{
    Backup, Beside, CredentialId, Failures, Group, ImportMark, LinkKind, Passkey, PasskeyFor, PasskeyName,
    Persistence, Place, Profile, SealedPassword, Session, SessionId, SetupLink, Streak, Timestamp, TokenHash,
    User, UserId, UserName, UserState,
};
use crate::store::record::{decode, encode};

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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SessionRecord {
    user: Text<[u8; 16]>,
    created: Timestamp,
    last_seen: Timestamp,
    persistence: Persistence,
    #[serde(default)]
    passkey: Option<Text<Vec<u8>>>,
    #[serde(default)]
    by_link: bool,
    #[serde(default)]
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

/// The record of an account as copies have it; its id is in the key.
pub(super) fn encode_user_as_json(user: &User) -> Vec<u8> {
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

/// The account in such a record, or what is wrong with it.
pub(super) fn decode_user_of_json(id: UserId, bytes: &[u8]) -> Result<User, String> {
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

/// The session in a record of format 2, or what is wrong with it.
pub(super) fn decode_old_session(id: SessionId, bytes: &[u8]) -> Result<Session, String> {
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
pub(super) mod tests {
    use super::super::records::{Kind, passkey_of_key, trailing};
    use super::*;
    use crate::store::contract::{credential, hash, id, link, opened, passkey, sealed, session, user};

    pub(in crate::store::sled) const USER: &str = concat!(
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

    pub(in crate::store::sled) fn zoe() -> User {
        let mut zoe = user(1, "Zoë");
        zoe.profile.email = Some("z@example.org".to_owned());
        zoe.profile.groups = vec![Group::parse("Mods").unwrap()];
        zoe.last_sign_in = Some(Timestamp::from_millis(5));
        zoe.setup = Some(link(2));
        zoe
    }

    #[test]
    fn sto_10_records_of_version_1_read_and_are_written_as_ever() {
        assert_eq!(decode_user_of_json(id(1), USER.as_bytes()), Ok(zoe()));
        assert_eq!(encode_user_as_json(&zoe()), USER.as_bytes());
        let passkey_for = PasskeyFor { signing_in: true, sensitive_actions: false };
        let (choosing, record) =
            (User { passkey_for, ..zoe() }, format!("{}{CHOOSING}", USER.strip_suffix('}').unwrap()));
        assert_eq!(decode_user_of_json(id(1), record.as_bytes()), Ok(choosing.clone()));
        assert_eq!(encode_user_as_json(&choosing), record.as_bytes());
        assert_eq!(decode_old_session(hash(2), SESSION.as_bytes()), Ok(session(2, 3)));
        assert_eq!(decode_old_session(hash(2), OPENED.as_bytes()), Ok(opened(2, 3, 4)));
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
        let written = encode_user_as_json(&imported);
        assert_eq!(decode_user_of_json(id(1), &written), Ok(imported));
        assert!(
            String::from_utf8(written)
                .unwrap()
                .ends_with(",\"imported\":{\"from\":\"phpbb\",\"password\":3494615284}}")
        );
    }

    #[test]
    fn a_record_from_another_version_is_refused() {
        let mut newer = SESSION.as_bytes().to_vec();
        newer[0] = 2;
        let error = decode_old_session(hash(2), &newer).unwrap_err();
        assert_eq!(error, "a record is of version 2, only 1 is known");
        let unknown = SESSION.replace("{\"user\"", "{\"pinned\":true,\"user\"");
        assert!(decode_old_session(hash(2), unknown.as_bytes()).unwrap_err().contains("pinned"));
    }

    #[test]
    fn sto_07_a_cut_or_empty_record_is_refused() {
        for end in 0..USER.len() {
            assert!(decode_user_of_json(id(1), &USER.as_bytes()[..end]).is_err(), "{end}");
        }
        for end in 0..PASSKEY.len() {
            assert!(decode_passkey(credential(2), &PASSKEY.as_bytes()[..end]).is_err(), "{end}");
        }
        let nameless = OPENED.replace("BwcHBw", "");
        assert!(decode_old_session(hash(2), nameless.as_bytes()).is_err(), "an id has at least one byte");
        assert!(trailing::<16>(&[1; 15]).is_err());
        let list = Kind::PasskeyOf.key(&[1; 16]);
        assert_eq!(credential_after(&list, &passkey_of_key(id(1), &credential(9))), Ok(credential(9)));
        for wrong in [passkey_of_key(id(2), &credential(9)), list.clone()] {
            assert!(credential_after(&list, &wrong).is_err());
        }
    }
}
