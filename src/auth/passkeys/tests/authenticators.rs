//! Two authenticators that other people wrote, and what a check costs.

use std::fs;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use passkey::authenticator::{Authenticator, UiHint, UserCheck, UserValidationMethod};
use passkey::client::{Client, DefaultClientData};
use passkey::crypto::rust_crypto::RustCryptoBackend;
use passkey::types::ctap2::{Aaguid, Ctap2Error};
use serde_json::json;
use webauthn_authenticator_rs::WebauthnAuthenticator;
use webauthn_authenticator_rs::softpasskey::SoftPasskey;
use webauthn_rs::prelude::Url;

use super::*;
use crate::domain::Backup;

/// Somebody who touches and unlocks whatever they are asked to.
struct Willing;

#[async_trait::async_trait]
impl UserValidationMethod for Willing {
    type PasskeyItem = passkey::types::Passkey;

    async fn check_user<'a>(
        &self,
        hint: UiHint<'a, Self::PasskeyItem>,
        _presence: bool,
        _verification: bool,
    ) -> Result<UserCheck, Ctap2Error> {
        if matches!(hint, UiHint::InformExcludedCredentialFound(_)) {
            return Err(Ctap2Error::CredentialExcluded);
        }
        Ok(UserCheck { presence: true, verification: true })
    }

    fn is_presence_enabled(&self) -> bool {
        true
    }

    fn is_verification_enabled(&self) -> Option<bool> {
        Some(true)
    }
}

fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[tokio::test]
async fn wan_01_a_synced_manager_adds_signs_in_confirms_and_knows_what_it_has() {
    let bench = bench().await;
    let origin = Url::parse(ORIGIN).unwrap();
    let held: Option<passkey::types::Passkey> = None;
    let manager = Authenticator::new(Aaguid::from([3; 16]), held, Willing, RustCryptoBackend);
    let mut client = Client::new(manager);
    let session = bench.session(&bench.alice).await;
    let challenge = bench.passkeys.begin_add(&session, Place::Any).unwrap().unwrap();
    let request = serde_json::from_value(json!({ "publicKey": challenge.options })).unwrap();
    let made = client.register(&origin, request, DefaultClientData).await.unwrap();
    let answer = json!({
        "id": made.id,
        "rawId": text(&made.raw_id),
        "type": "public-key",
        "clientExtensionResults": made.client_extension_results,
        "response": {
            "attestationObject": text(&made.response.attestation_object),
            "clientDataJSON": text(&made.response.client_data_json),
            "transports": made.response.transports,
        },
    });
    let added = bench.passkeys.finish_add(&session, &challenge.ceremony, &answer, None, FIREFOX).await;
    let added = added.unwrap().unwrap();
    assert_eq!((added.backup, added.aaguid), (Backup::Done, Some([3; 16])), "g4");

    let again = bench.passkeys.begin_add(&session, Place::Any).unwrap().unwrap();
    let request = serde_json::from_value(json!({ "publicKey": again.options })).unwrap();
    assert!(client.register(&origin, request, DefaultClientData).await.is_err(), "it is excluded");

    let signing_in = bench.passkeys.begin_sign_in(BROWSER);
    let confirming = bench.passkeys.begin_step_up(&session).unwrap();
    for challenge in [&signing_in, &confirming] {
        let request = serde_json::from_value(json!({ "publicKey": challenge.options })).unwrap();
        let made = client.authenticate(&origin, request, DefaultClientData).await.unwrap();
        let answer = json!({
            "id": made.id,
            "rawId": text(&made.raw_id),
            "type": "public-key",
            "clientExtensionResults": {},
            "response": {
                "authenticatorData": text(&made.response.authenticator_data),
                "clientDataJSON": text(&made.response.client_data_json),
                "signature": text(&made.response.signature),
                "userHandle": made.response.user_handle.map(|handle| text(&handle)),
            },
        });
        let ended = match challenge.options["allowCredentials"].as_array().unwrap().as_slice() {
            [] => bench.finish(challenge, &answer).await,
            _ => bench
                .passkeys
                .finish_step_up(reserved(), &session, &challenge.ceremony, &answer, "")
                .await
                .unwrap(),
        };
        assert_eq!(ended.success().2.id, added.id);
    }
}

#[tokio::test]
async fn wan_01_a_counting_key_that_is_not_discoverable_confirms_and_does_not_sign_in() {
    let bench = bench_with(PasskeyOptions { resident_key: ResidentKey::Preferred, ..options() }).await;
    let origin = Url::parse(ORIGIN).unwrap();
    let mut key = SoftPasskey::new(true);
    let session = bench.session(&bench.alice).await;
    let challenge = bench.passkeys.begin_add(&session, Place::Any).unwrap().unwrap();
    let request = serde_json::from_value(json!({ "publicKey": challenge.options })).unwrap();
    let answer = serde_json::to_value(key.do_registration(origin.clone(), request).unwrap()).unwrap();
    let added = bench.passkeys.finish_add(&session, &challenge.ceremony, &answer, None, "").await;
    assert_eq!(added.unwrap().unwrap().backup, Backup::DeviceBound);

    let mut session = session;
    for _ in 0..3 {
        let challenge = bench.passkeys.begin_step_up(&session).unwrap();
        let request = serde_json::from_value(json!({ "publicKey": challenge.options })).unwrap();
        let answer = serde_json::to_value(key.do_authentication(origin.clone(), request).unwrap()).unwrap();
        let ended = bench
            .passkeys
            .finish_step_up(reserved(), &session, &challenge.ceremony, &answer, "")
            .await
            .unwrap();
        session = bench.sessions.check(&ended.success().0).unwrap();
    }
    let confirming = bench.passkeys.begin_step_up(&session).unwrap();
    let signing_in = bench.passkeys.begin_sign_in(BROWSER);
    let mut wanted = signing_in.options.clone();
    wanted["allowCredentials"] = confirming.options["allowCredentials"].clone();
    let request = serde_json::from_value(json!({ "publicKey": wanted })).unwrap();
    let answer = serde_json::to_value(key.do_authentication(origin, request).unwrap()).unwrap();
    assert_eq!(bench.finish(&signing_in, &answer).await.failure(), Failed::Unknown, "it names no account");
}

/// What this thread has spent on the processor, in nanoseconds; the wall clock where that is not told.
fn spent(since: Instant) -> u128 {
    let told = fs::read_to_string("/proc/thread-self/schedstat").ok();
    let first = told.as_deref().and_then(|text| text.split_whitespace().next()?.parse().ok());
    first.unwrap_or_else(|| since.elapsed().as_nanos())
}

#[tokio::test]
async fn what_a_check_costs_is_printed() {
    const ROUNDS: u32 = 50;
    let bench = bench().await;
    let mut device = bench.enrolled(&bench.alice).await;
    let (challenge, state) = bench.passkeys.assertion_challenge();
    let challenge = bench.passkeys.challenge(String::new(), &challenge.public_key);
    let answer = device.get(&challenge);
    let begun = Instant::now();
    let before = spent(begun);
    for _ in 0..ROUNDS {
        let (owner, answer) = bench.passkeys.signing_in_as(&answer).unwrap();
        assert!(bench.passkeys.prove(owner, &answer, state.clone()).unwrap().is_ok());
    }
    let each = (spent(begun) - before) / u128::from(ROUNDS) / 1_000;
    println!("checking an assertion: {each} µs of processor time");
}
