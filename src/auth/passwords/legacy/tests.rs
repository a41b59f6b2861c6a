use std::sync::LazyLock;

use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::auth::HashingCost;

/// A hash that the software itself made, or one after its formula, and the password.
#[derive(Deserialize)]
struct Made {
    app: String,
    format: String,
    source: String,
    name: String,
    password: String,
    salt: String,
    hash: String,
}

static MADE: LazyLock<Vec<Made>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../../tests/fixtures/legacy-hashes.json")).unwrap()
});

impl Made {
    fn read(&self) -> Result<StoredPassword, Unreadable> {
        let salt = (!self.salt.is_empty()).then_some(self.salt.as_bytes());
        read_from(Source::named(&self.source).unwrap(), self.hash.as_bytes(), salt, &self.name)
    }
}

fn read_from(
    source: Source,
    hash: &[u8],
    salt: Option<&[u8]>,
    name: &str,
) -> Result<StoredPassword, Unreadable> {
    read(source, Columns { hash, salt, name })
}

fn memory() -> Memory {
    Memory::new(HashingCost { memory_kib: 8, iterations: 1, parallelism: 1 })
}

fn matches(stored: &StoredPassword, password: &str) -> bool {
    Legacy::parse(stored.as_str()).unwrap().verify(password, &mut memory()).0
}

#[test]
fn auth_08_what_each_software_made_is_verified_and_another_password_is_not() {
    let mut wrong = Vec::new();
    for made in MADE.iter() {
        let stored = made.read();
        if !stored.as_ref().is_ok_and(|stored| matches(stored, &made.password)) {
            wrong.push(format!("{} {} {}: {:?}", made.app, made.format, made.name, stored.map(|s| s.kind())));
        } else if made.name == "bob" && matches(&stored.unwrap(), &format!("y{}", made.password)) {
            wrong.push(format!("{} {} {}: anything goes", made.app, made.format, made.name));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn auth_08_a_stored_password_holds_no_more_of_the_table_than_it_takes() {
    let text = |source, hash: &str, salt: &[u8]| {
        read_from(source, hash.as_bytes(), Some(salt), "Alice").unwrap().as_str().to_owned()
    };
    let md5 = "e4bc950f5c784f1d0aa22808af43d448";
    let encoded = |text: &str| URL_SAFE_NO_PAD.encode(text);
    assert_eq!(
        text(Source::MyBb, md5, b"salt"),
        format!("$legacy$mybb${}${}$", encoded(md5), encoded("salt"))
    );
    let sha1 = "dc4db371188be64a6d965d7691612604be4805f7";
    assert_eq!(
        text(Source::Smf, sha1, b"cookie"),
        format!("$legacy$smf${}$${}", encoded(sha1), encoded("Alice"))
    );
}

#[test]
fn l7_each_hash_that_can_not_be_used_says_why() {
    const BCRYPT: &str = "$2y$10$f9zNsrN9oZUjhp18jmHQz.McDSXrwWM4GqmUOn.m7hXEpr/c/FSyu";
    const ARGON2_REST: &str = "c29tZXNhbHRzb21lc2FsdA$c29tZWhhc2hzb21laGFzaHNvbWVoYXNoc29tZWhhc2g";
    const KEY: &str = "723da7ab5810ca432588d7f5475ea557941843fdbafea2572b7f2270eabc973d";
    let refused = |source, hash: &str| read_from(source, hash.as_bytes(), None, "alice").err();
    let malformed = |found: Option<Unreadable>| matches!(found, Some(Unreadable::Malformed(_)));
    for (source, _) in Source::NAMES {
        assert_eq!(refused(source, ""), Some(Unreadable::Empty));
        assert_eq!(refused(source, "!locked"), Some(Unreadable::NoPassword));
        assert!(refused(source, "Wonder-land.2049").is_some(), "{source:?} takes plain text");
        assert!(malformed(refused(source, "$2y$10$ä")), "{source:?}");
        assert!(malformed(refused(source, &"a".repeat(100_000))), "{source:?}");
    }
    assert_eq!(refused(Source::Plain, "095545f9aaf3ec5cd5bfc4b4210578d1"), Some(Unreadable::Unknown));
    assert!(matches!(refused(Source::Htpasswd, "rqXexS6ZhobKA"), Some(Unreadable::Unsupported(_))));
    assert!(matches!(refused(Source::Plain, &BCRYPT.replace("2y", "2x")), Some(Unreadable::Unsupported(_))));
    assert!(malformed(refused(Source::MyBb, "e4bc950f5c784f1d0aa22808af43d448")), "no salt");
    assert!(malformed(refused(Source::PhpBb, &BCRYPT[..59])));
    assert!(malformed(refused(Source::PhpBb, &format!("{BCRYPT}A"))));
    for dear in [
        BCRYPT.replace("$10$", "$15$"),
        BCRYPT.replace("$10$", "$31$"),
        format!("$argon2id$v=19$m=4194304,t=1,p=1${ARGON2_REST}"),
        "$P$JB12345678901234567890123456789012".to_owned(),
        format!("pbkdf2:sha256:4000001$salt${KEY}"),
        format!("pbkdf2:sha1:4000000$salt${KEY}"),
        format!("scrypt:1048576:8:1$salt${KEY}"),
        format!("scrypt:131072:8:5$salt${KEY}"),
        format!("$6$rounds=999999999$salt${}", "a".repeat(86)),
    ] {
        assert_eq!(refused(Source::Plain, &dear), Some(Unreadable::TooCostly), "{dear}");
    }
}

#[test]
fn l7_digests_that_look_like_the_same_number_are_different() {
    let zero = "0e462097431906509019562988736854";
    let stored = read_from(Source::FluxBb, zero.as_bytes(), None, "alice").unwrap();
    // md5("240610708") is 0e4620974…, md5("QNKCDZO") is 0e8304004….
    assert!(matches(&stored, "240610708"));
    assert!(!matches(&stored, "QNKCDZO"));
}

#[test]
fn auth_07_a_long_password_is_no_way_to_much_work() {
    let hash = format!("$6$rounds=1000000$salt${}", "a".repeat(86));
    let stored = read_from(Source::Plain, hash.as_bytes(), None, "alice").unwrap();
    let legacy = Legacy::parse(stored.as_str()).unwrap();
    assert!(legacy.steps[0].run(&[b'x'; 1_000], &mut memory()).is_none());
}

#[test]
fn a_nul_does_not_end_a_password() {
    let bcrypt = "$2y$10$XYfNKslf5xdPO4rWwUXa/uEeYIvMVuEkkA4xLw3PtPekYtJyiJaOS";
    let stored = read_from(Source::XenForo, bcrypt.as_bytes(), None, "alice").unwrap();
    assert!(!matches(&stored, "Wonder-land.2049\0x"));
    assert!(!matches(&stored, "Wonder-land.2049\0Wonder-land.2049"));
}

proptest! {
    #[test]
    fn l7_no_column_makes_reading_panic(hash: Vec<u8>, salt: Option<Vec<u8>>, name: String, at in 0..15_usize) {
        let _ = read_from(Source::NAMES[at].0, &hash, salt.as_deref(), &name);
    }

    #[test]
    fn l7_no_text_makes_reading_panic(text: String) {
        let _ = Legacy::parse(&text);
        let _ = Legacy::parse(&format!("{PREFIX}{text}"));
    }

    #[test]
    fn l7_a_damaged_hash_does_not_panic(which: usize, at: usize, byte: u8, cut: bool, source in 0..15_usize) {
        let made = &MADE[which % MADE.len()];
        let mut hash = made.hash.clone().into_bytes();
        let at = at % hash.len();
        hash[at] = byte;
        if cut {
            hash.truncate(at);
        }
        for source in [Source::named(&made.source).unwrap(), Source::NAMES[source].0] {
            if let Ok(stored) = read_from(source, &hash, Some(made.salt.as_bytes()), &made.name) {
                prop_assert!(Legacy::parse(stored.as_str()).is_some());
            }
        }
    }
}
