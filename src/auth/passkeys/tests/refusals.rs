//! Answers that prove nothing. Each is signed with the right key unless its signature is what is wrong.

use serde_json::json;

use super::*;
use device::{BE, BS, UP, UV, flip};

/// Signs in as alice with a device that `spoil` has changed, and an answer that `forge` has.
async fn refused(spoil: impl FnOnce(&mut Device), forge: impl FnOnce(&mut Value)) -> Failed {
    let bench = bench().await;
    let mut device = bench.enrolled(&bench.alice).await;
    let before = (bench.stored(&bench.alice), bench.sessions.count());
    spoil(&mut device);
    let challenge = bench.passkeys.begin_sign_in(BROWSER);
    let mut answer = device.get(&challenge);
    forge(&mut answer);
    let failed = bench.finish(&challenge, &answer).await.failure();
    assert_eq!((bench.stored(&bench.alice), bench.sessions.count()), before, "w1: nothing is written");
    failed
}

async fn spoiled(spoil: impl FnOnce(&mut Device)) -> Failed {
    refused(spoil, |_| ()).await
}

async fn forged(forge: impl FnOnce(&mut Value)) -> Failed {
    refused(|_| (), forge).await
}

#[tokio::test]
async fn w1_a_signature_has_to_fit_every_byte() {
    for at in [0, 5, 40, 69] {
        assert_eq!(forged(|answer| flip(answer, "signature", at)).await, Failed::NotProven, "{at}");
    }
    for signature in ["", "AA"] {
        let failed = forged(|answer| answer["response"]["signature"] = json!(signature)).await;
        assert_eq!(failed, Failed::NotProven);
    }
    for at in [33, 34, 35, 36] {
        assert_eq!(
            forged(|answer| flip(answer, "authenticatorData", at)).await,
            Failed::NotProven,
            "counter {at}"
        );
    }
    let mut key = Device::new();
    let failed = spoiled(|device| {
        key.id = device.id.clone();
        key.user_handle = device.user_handle.clone();
        std::mem::swap(device, &mut key);
    });
    assert_eq!(failed.await, Failed::NotProven, "another key under the same id");
}

#[tokio::test]
async fn w2_the_challenge_and_the_kind_of_ceremony_have_to_be_those() {
    for data in [
        json!({ "challenge": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" }),
        json!({ "challenge": "" }),
        json!({ "challenge": null }),
        json!({ "type": "webauthn.create" }),
        json!({ "type": "payment.get" }),
    ] {
        assert_eq!(spoiled(|device| device.client_data = data.clone()).await, Failed::NotProven, "{data}");
    }
}

#[tokio::test]
async fn wan_04_another_origin_is_refused_to_the_letter() {
    for origin in [
        "https://evil.example.org",
        "https://sub.forum.example.org",
        "https://example.org",
        "https://forum.example.org:8443",
        "http://forum.example.org",
        "https://forum.example.org//",
        "https://forum.example.org/login",
        "https://FORUM.example.org",
        "https://forum.example.org.",
        "https://user@forum.example.org",
        "https://forum.example.org.evil.test",
        "android:apk-key-hash:AAAA",
        "null",
        "",
    ] {
        assert_eq!(spoiled(|device| device.origin = origin.to_owned()).await, Failed::Origin, "{origin}");
    }
}

#[tokio::test]
async fn g7_a_ceremony_in_another_pages_frame_is_refused() {
    for data in [
        json!({ "crossOrigin": true }),
        json!({ "topOrigin": "https://evil.test" }),
        json!({ "topOrigin": ORIGIN }),
        json!({ "crossOrigin": true, "topOrigin": ORIGIN }),
    ] {
        assert_eq!(spoiled(|device| device.client_data = data.clone()).await, Failed::Origin, "{data}");
    }
}

#[tokio::test]
async fn wan_04_another_relying_party_is_refused() {
    for rp_id in ["example.org", "evil.test", "FORUM.example.org", ""] {
        assert_eq!(spoiled(|device| device.rp_id = rp_id.to_owned()).await, Failed::RelyingParty, "{rp_id}");
    }
}

#[tokio::test]
async fn wan_02_without_presence_or_verification_nothing_is_proven() {
    assert_eq!(spoiled(|device| device.flags = UP | BE | BS).await, Failed::NotVerified);
    assert_eq!(spoiled(|device| device.flags = UV | BE | BS).await, Failed::NotProven);
    assert_eq!(spoiled(|device| device.flags = BE | BS).await, Failed::NotProven);
}

#[tokio::test]
async fn bp_33_every_pair_that_is_not_there_is_refused_alike() {
    let strangers = vec![9; 16];
    assert_eq!(spoiled(|device| device.user_handle = Some(strangers)).await, Failed::Unknown, "wan_05");
    assert_eq!(spoiled(|device| device.id = vec![9; 32]).await, Failed::Unknown);
    assert_eq!(spoiled(|device| device.id = vec![9; 1_024]).await, Failed::Unknown);
    for handle in [None, Some(vec![]), Some(vec![0; 15]), Some(vec![0; 64])] {
        assert_eq!(spoiled(|device| device.user_handle = handle).await, Failed::Unknown, "g13");
    }
}

#[tokio::test]
async fn wan_05_a_members_own_proof_does_not_sign_in_another() {
    let bench = bench().await;
    let mut alices = bench.enrolled(&bench.alice).await;
    let bobs = bench.enrolled(&bench.bob).await;
    alices.user_handle = bobs.user_handle.clone();
    assert_eq!(bench.sign_in(&mut alices).await.failure(), Failed::Unknown);
    alices.id = bobs.id.clone();
    assert_eq!(bench.sign_in(&mut alices).await.failure(), Failed::NotProven);
}

#[tokio::test]
async fn w1_an_answer_that_is_not_of_one_piece_is_refused() {
    let forgeries: [fn(&mut Value); 9] = [
        |answer| answer["id"] = json!("AAAA"),
        |answer| answer["id"] = json!(format!("{}=", answer["id"].as_str().unwrap())),
        |answer| answer["type"] = json!("password"),
        |answer| answer["rawId"] = json!(17),
        |answer| answer["response"] = json!(null),
        |answer| answer["response"]["clientDataJSON"] = json!("e30"),
        |answer| answer["response"]["clientDataJSON"] = json!("%%%"),
        |answer| answer["response"]["authenticatorData"] = json!("AAAA"),
        |answer| *answer = json!([]),
    ];
    for (number, forge) in forgeries.into_iter().enumerate() {
        assert_eq!(forged(forge).await, Failed::NotProven, "number {number}");
    }
}

#[tokio::test]
async fn a_refused_answer_uses_its_ceremony_up() {
    let bench = bench().await;
    let mut device = bench.enrolled(&bench.alice).await;
    let challenge = bench.passkeys.begin_sign_in(BROWSER);
    let answer = device.get(&challenge);
    assert_eq!(bench.finish(&challenge, &Value::Null).await.failure(), Failed::NotProven);
    assert_eq!(bench.finish(&challenge, &answer).await.failure(), Failed::Ceremony);
}
