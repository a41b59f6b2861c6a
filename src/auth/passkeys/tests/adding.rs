//! Adding: the options browsers get, what is kept, and what is refused before and after.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::*;
use crate::domain::{Backup, CredentialId};
use device::{BE, BS, UP, UV, flip};

const BITWARDEN: [u8; 16] =
    [0xd5, 0x48, 0x82, 0x6e, 0x79, 0xb4, 0xdb, 0x40, 0xa3, 0xd8, 0x11, 0x11, 0x6f, 0x7e, 0x83, 0x49];

#[tokio::test]
async fn g1_the_options_ask_for_a_discoverable_verified_passkey_of_this_member() {
    let bench = bench().await;
    let session = bench.session(&bench.alice).await;
    let options = bench.passkeys.begin_add(&session, Place::Any).unwrap().unwrap().options;
    let handle = URL_SAFE_NO_PAD.encode(bench.alice.profile.id.0);
    assert_eq!(options["user"], json!({ "id": handle, "name": "alice", "displayName": "alice" }));
    assert_eq!(options["rp"], json!({ "id": RP_ID, "name": "The Forum" }));
    let wanted =
        json!({ "residentKey": "required", "requireResidentKey": true, "userVerification": "required" });
    assert_eq!(options["authenticatorSelection"], wanted);
    assert_eq!(options["attestation"], "none");
    assert_eq!(options["extensions"]["credProps"], true);
    assert_eq!(options["timeout"], 300_000);
    assert_eq!(options["excludeCredentials"], json!([]));
    assert_eq!(options.get("hints"), None);
    let algorithms: Vec<_> = options["pubKeyCredParams"]
        .as_array()
        .unwrap()
        .iter()
        .map(|kind| kind["alg"].as_i64().unwrap())
        .collect();
    assert_eq!(algorithms, [-7, -35, -257]);

    let preferred =
        bench.reopened(PasskeyOptions { resident_key: ResidentKey::Preferred, ..super::options() }).unwrap();
    let options = preferred.begin_add(&session, Place::Any).unwrap().unwrap().options;
    let wanted =
        json!({ "residentKey": "preferred", "requireResidentKey": false, "userVerification": "required" });
    assert_eq!(options["authenticatorSelection"], wanted);
}

#[tokio::test]
async fn bp_14_the_place_is_told_as_a_hint_and_to_older_browsers() {
    let bench = bench().await;
    let session = bench.session(&bench.alice).await;
    for (place, hint, attachment) in [
        (Place::Phone, "hybrid", "cross-platform"),
        (Place::SecurityKey, "security-key", "cross-platform"),
        (Place::ThisDevice, "client-device", "platform"),
    ] {
        let options = bench.passkeys.begin_add(&session, place).unwrap().unwrap().options;
        assert_eq!(options["hints"], json!([hint]));
        assert_eq!(options["authenticatorSelection"]["authenticatorAttachment"], attachment);
    }
}

#[tokio::test]
async fn bp_15_what_is_kept_of_a_passkey() {
    let bench = bench().await;
    let session = bench.session(&bench.alice).await;
    let mut device = Device::new();
    device.aaguid = BITWARDEN;
    device.transports = vec!["internal", "hybrid", "internal", "teleport"];
    let passkey = bench.enrol(&bench.alice, &mut device).await;
    assert_eq!(passkey.id, CredentialId::new(&device.id).unwrap());
    assert_eq!((passkey.user, passkey.rp_id.as_str()), (bench.alice.profile.id, RP_ID));
    assert_eq!((passkey.name.as_str(), passkey.aaguid), ("Bitwarden", Some(BITWARDEN)), "g4");
    assert_eq!(passkey.transports, ["hybrid", "internal"], "g3");
    assert_eq!((passkey.backup, passkey.last_used), (Backup::Done, None));
    assert_eq!(passkey.created, bench.clock.now());
    assert_eq!(bench.stored(&bench.alice), [passkey]);

    let challenge = bench.passkeys.begin_add(&session, Place::Any).unwrap().unwrap();
    let answer = Device::new().create(&challenge);
    let name = PasskeyName::parse("Office Laptop").unwrap();
    let chosen = bench.passkeys.finish_add(&session, &challenge.ceremony, &answer, Some(name), "").await;
    assert_eq!(chosen.unwrap().unwrap().name.as_str(), "Office Laptop");
    let unnamed = [
        bench.enrol(&bench.alice, &mut Device::new()).await,
        bench.enrol(&bench.alice, &mut Device::new()).await,
    ];
    assert_eq!(
        unnamed.map(|passkey| String::from(passkey.name)),
        ["Passkey on Firefox", "Passkey on Firefox 2"]
    );
}

#[tokio::test]
async fn bp_12_what_the_member_has_is_excluded_and_a_synced_one_may_be_on_a_phone() {
    let bench = bench().await;
    let mut key = Device::security_key();
    let mut silent = Device::new();
    silent.transports = vec![];
    let mut bound = Device::new();
    bound.flags = UP | UV;
    let mut synced = Device::new();
    for device in [&mut key, &mut silent, &mut bound, &mut synced] {
        bench.enrol(&bench.alice, device).await;
    }
    bench.enrolled(&bench.bob).await;
    let session = bench.session(&bench.alice).await;
    let options = bench.passkeys.begin_add(&session, Place::Any).unwrap().unwrap().options;
    let id = |device: &Device| URL_SAFE_NO_PAD.encode(&device.id);
    let mut excluded = options["excludeCredentials"].as_array().unwrap().clone();
    let mut expected = vec![
        json!({ "type": "public-key", "id": id(&key), "transports": ["usb"] }),
        json!({ "type": "public-key", "id": id(&silent) }),
        json!({ "type": "public-key", "id": id(&bound), "transports": ["internal"] }),
        json!({ "type": "public-key", "id": id(&synced), "transports": ["internal", "hybrid"] }),
    ];
    for list in [&mut excluded, &mut expected] {
        list.sort_by_key(|one| one["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(excluded, expected);
}

#[tokio::test]
async fn mf_12_who_is_not_in_the_roll_out_adds_none() {
    let bench = bench().await;
    let staff = Rollout::Groups(vec![Group::parse("staff").unwrap()]);
    for (rollout, alice, bob) in
        [(Rollout::Off, false, false), (staff, true, false), (Rollout::Everyone, true, true)]
    {
        let passkeys = bench.reopened(PasskeyOptions { rollout, ..options() }).unwrap();
        for (user, may) in [(&bench.alice, alice), (&bench.bob, bob)] {
            let begun = passkeys.begin_add(&*bench.session(user).await, Place::Any).unwrap();
            assert_eq!(begun.err(), (!may).then_some(AddRefused::NotOffered));
            assert_eq!(passkeys.are_offered_to(&user.profile), may);
        }
    }
}

#[tokio::test]
async fn bp_63_adding_needs_a_fresh_sign_in() {
    let bench = bench().await;
    let session = bench.session(&bench.alice).await;
    bench.clock.advance(Passkeys::FRESH);
    assert!(bench.passkeys.begin_add(&session, Place::Any).unwrap().is_ok());
    bench.clock.advance(Duration::from_millis(1));
    assert_eq!(bench.passkeys.begin_add(&session, Place::Any).unwrap().unwrap_err(), AddRefused::StepUpFirst);
    bench.clock.set(Timestamp::from_millis(session.signed_in_at().as_millis() - 1));
    assert!(!bench.passkeys.is_fresh(&session), "the clock was set back; nothing is known");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn bp_69_the_limit_holds_when_many_are_added_at_once() {
    let bench = bench_with(PasskeyOptions { max_per_user: 3, ..options() }).await;
    let mut adding = Vec::new();
    for _ in 0..8 {
        let session = bench.session(&bench.alice).await;
        let challenge = bench.passkeys.begin_add(&session, Place::Any).unwrap().unwrap();
        let answer = Device::new().create(&challenge);
        let passkeys = Arc::clone(&bench.passkeys);
        adding.push(async move {
            passkeys.finish_add(&session, &challenge.ceremony, &answer, None, FIREFOX).await.unwrap()
        });
    }
    let adding: Vec<_> = adding.into_iter().map(tokio::spawn).collect();
    let mut added = 0;
    for one in adding {
        match one.await.unwrap() {
            Ok(_) => added += 1,
            Err(refused) => assert_eq!(refused, AddRefused::LimitReached(3)),
        }
    }
    assert_eq!((added, bench.stored(&bench.alice).len()), (3, 3));
    let session = bench.session(&bench.alice).await;
    let begun = bench.passkeys.begin_add(&session, Place::Any).unwrap();
    assert_eq!(begun.unwrap_err(), AddRefused::LimitReached(3), "before any prompt");
    bench.enrolled(&bench.bob).await;
}

#[tokio::test]
async fn wan_09_a_credential_belongs_to_one_account_once() {
    let bench = bench().await;
    let mut device = bench.enrolled(&bench.alice).await;
    for user in [&bench.alice, &bench.bob] {
        let session = bench.session(user).await;
        let challenge = bench.passkeys.begin_add(&session, Place::Any).unwrap().unwrap();
        let answer = device.create(&challenge);
        let ended =
            bench.passkeys.finish_add(&session, &challenge.ceremony, &answer, None, "").await.unwrap();
        assert_eq!(ended, Err(AddRefused::AlreadyThere));
    }
    assert_eq!((bench.stored(&bench.alice).len(), bench.stored(&bench.bob).len()), (1, 0));
}

#[tokio::test]
async fn w2_adding_ends_in_the_session_it_began_in_and_in_time() {
    let bench = bench().await;
    let session = bench.session(&bench.alice).await;
    let gone = Err(AddRefused::Failed(Failed::Ceremony));
    for other in [bench.session(&bench.alice).await, bench.session(&bench.bob).await] {
        let challenge = bench.passkeys.begin_add(&session, Place::Any).unwrap().unwrap();
        let answer = Device::new().create(&challenge);
        let ended = bench.passkeys.finish_add(&other, &challenge.ceremony, &answer, None, "").await.unwrap();
        assert_eq!(ended, gone);
        let ended =
            bench.passkeys.finish_add(&session, &challenge.ceremony, &answer, None, "").await.unwrap();
        assert_eq!(ended, gone, "used up");
    }
    let challenge = bench.passkeys.begin_add(&session, Place::Any).unwrap().unwrap();
    let answer = Device::new().create(&challenge);
    bench.clock.advance(challenge.lifetime);
    let ended = bench.passkeys.finish_add(&session, &challenge.ceremony, &answer, None, "").await.unwrap();
    assert_eq!(ended, gone);
}

/// Adds with a device that `spoil` has changed and an answer that `forge` has.
async fn refused(spoil: impl FnOnce(&mut Device), forge: impl FnOnce(&mut Value)) -> Option<Failed> {
    let bench = bench().await;
    let session = bench.session(&bench.alice).await;
    let challenge = bench.passkeys.begin_add(&session, Place::Any).unwrap().unwrap();
    let mut device = Device::new();
    spoil(&mut device);
    let mut answer = device.create(&challenge);
    forge(&mut answer);
    match bench.passkeys.finish_add(&session, &challenge.ceremony, &answer, None, "").await.unwrap() {
        Ok(_) => None,
        Err(AddRefused::Failed(failed)) => {
            assert_eq!(bench.stored(&bench.alice), []);
            Some(failed)
        }
        Err(refused) => panic!("{refused:?}"),
    }
}

#[tokio::test]
async fn w4_what_is_wrong_with_a_new_passkey_is_seen_on_the_server() {
    type Spoil = fn(&mut Device);
    let cases: [(&str, Spoil, Failed); 14] = [
        ("origin", |device| device.origin = "https://evil.test".to_owned(), Failed::Origin),
        ("port", |device| device.origin = format!("{ORIGIN}:8443"), Failed::Origin),
        ("frame", |device| device.client_data = json!({ "crossOrigin": true }), Failed::Origin),
        ("top", |device| device.client_data = json!({ "topOrigin": ORIGIN }), Failed::Origin),
        ("relying party", |device| device.rp_id = "evil.test".to_owned(), Failed::RelyingParty),
        ("challenge", |device| device.client_data = json!({ "challenge": "AAAA" }), Failed::NotProven),
        ("kind", |device| device.client_data = json!({ "type": "webauthn.get" }), Failed::NotProven),
        ("no verification", |device| device.flags = UP | BE, Failed::NotVerified),
        ("g6: no presence", |device| device.flags = UV | BE, Failed::NotProven),
        ("synced but not syncable", |device| device.flags = UP | UV | BS, Failed::NotProven),
        ("g11: long id", |device| device.id = vec![1; 1_024], Failed::NotProven),
        ("no id", |device| device.id = vec![], Failed::NotProven),
        ("no key", |device| device.public_key = Some(vec![0xa0]), Failed::NotProven),
        ("key cut short", |device| device.public_key = Some(vec![0xa5, 1, 2]), Failed::NotProven),
    ];
    for (name, spoil, failed) in cases {
        assert_eq!(refused(spoil, |_| ()).await, Some(failed), "{name}");
    }
    assert_eq!(refused(|device| device.id = vec![1; 1_023], |_| ()).await, None, "the longest id");
    let two_names = |answer: &mut Value| {
        answer["id"] = json!("AAAA");
        answer["rawId"] = json!("AAAA");
    };
    assert_eq!(refused(|_| (), two_names).await, Some(Failed::NotProven));
    assert_eq!(refused(|_| (), |answer| flip(answer, "attestationObject", 0)).await, Some(Failed::NotProven));
    assert_eq!(refused(|_| (), |answer| *answer = json!("create")).await, Some(Failed::NotProven));
}

/// A COSE key of RSA, with this number in place of the modulus.
fn rsa(modulus: &[u8; 256]) -> Vec<u8> {
    let head = [0xa4, 1, 3, 3, 0x39, 1, 0, 0x20, 0x59, 1, 0];
    [&head[..], modulus, &[0x21, 0x43, 1, 0, 1]].concat()
}

#[tokio::test]
async fn wan_08_a_key_that_is_no_key_proves_nothing_and_breaks_nothing() {
    let bench = bench().await;
    let even = {
        let mut even = [0xff; 256];
        even[255] = 2;
        even
    };
    for modulus in [[0; 256], [1; 256], [0xff; 256], even] {
        let session = bench.session(&bench.alice).await;
        let challenge = bench.passkeys.begin_add(&session, Place::Any).unwrap().unwrap();
        let mut device = Device::new();
        device.public_key = Some(rsa(&modulus));
        let answer = device.create(&challenge);
        let added =
            bench.passkeys.finish_add(&session, &challenge.ceremony, &answer, None, "").await.unwrap();
        if added.is_err() {
            continue;
        }
        for length in [0, 1, 255, 256, 257] {
            let challenge = bench.passkeys.begin_sign_in(BROWSER);
            let mut answer = device.get(&challenge);
            answer["response"]["signature"] = json!(URL_SAFE_NO_PAD.encode(vec![0xff; length]));
            assert_eq!(bench.finish(&challenge, &answer).await.failure(), Failed::NotProven);
        }
    }
}
