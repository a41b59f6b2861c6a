//! Confirming who is there: own passkeys alone, and a fresh session for the old one.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::*;

async fn confirm(bench: &Bench, session: &LiveSession, device: &mut Device) -> PasskeySignIn {
    let challenge = bench.passkeys.begin_step_up(session).unwrap();
    let answer = device.get(&challenge);
    bench.passkeys.finish_step_up(reserved(), session, &challenge.ceremony, &answer, FIREFOX).await.unwrap()
}

#[tokio::test]
async fn bp_49_a_fresh_session_takes_the_old_ones_place() {
    let bench = bench().await;
    let mut device = bench.enrolled(&bench.alice).await;
    let token = bench
        .sessions
        .start(FactorsMet::unasked(bench.alice.clone()), Persistence::Remembered, FIREFOX, vec![])
        .await
        .unwrap();
    let old = bench.sessions.check(&token).unwrap();
    bench.clock.advance(Duration::from_secs(3_600));
    assert!(!bench.passkeys.is_fresh(&old));
    let (fresh, profile, passkey) = confirm(&bench, &old, &mut device).await.success();
    assert_eq!(profile.id, old.user());
    assert!(bench.sessions.check(&token).is_none(), "the old one is over");
    assert_eq!(bench.store.session(old.user(), old.id()).unwrap(), None, "durably");
    let session = bench.sessions.check(&fresh).unwrap();
    assert!(bench.passkeys.is_fresh(&session));
    assert_eq!(session.persistence(), Persistence::Remembered);
    assert_eq!(bench.sessions.opened_with(&session), Ok(Some(passkey.id)));
    assert_eq!(bench.stored(&bench.alice)[0].last_used, Some(bench.clock.now()));
}

#[tokio::test]
async fn bp_64_the_options_name_the_members_own_passkeys_with_their_transports() {
    let bench = bench().await;
    let mut key = Device::security_key();
    bench.enrol(&bench.alice, &mut key).await;
    bench.enrolled(&bench.bob).await;
    let session = bench.session(&bench.alice).await;
    let options = bench.passkeys.begin_step_up(&session).unwrap().options;
    let own = json!([{ "type": "public-key", "id": URL_SAFE_NO_PAD.encode(&key.id), "transports": ["usb"] }]);
    assert_eq!(options["allowCredentials"], own);
    assert_eq!(options["userVerification"], "required");
}

#[tokio::test]
async fn who_has_no_passkey_is_asked_for_none() {
    let bench = bench().await;
    let session = bench.session(&bench.alice).await;
    assert_eq!(bench.passkeys.begin_step_up(&session).unwrap_err(), StoreError::NoSuchPasskey);
}

#[tokio::test]
async fn g8_another_accounts_passkey_confirms_nothing() {
    let bench = bench().await;
    let mut alices = bench.enrolled(&bench.alice).await;
    let mut bobs = bench.enrolled(&bench.bob).await;
    let session = bench.session(&bench.alice).await;
    assert_eq!(confirm(&bench, &session, &mut bobs).await.failure(), Failed::Unknown);
    bobs.user_handle = None;
    assert_eq!(confirm(&bench, &session, &mut bobs).await.failure(), Failed::Unknown);
    bobs.user_handle = alices.user_handle.clone();
    assert_eq!(confirm(&bench, &session, &mut bobs).await.failure(), Failed::Unknown);
    let handle = alices.user_handle.replace(bench.bob.profile.id.0.to_vec());
    assert_eq!(confirm(&bench, &session, &mut alices).await.failure(), Failed::Unknown);
    assert!(
        bench.sessions.of(bench.alice.profile.id).iter().any(|live| live.id == session.id()),
        "untouched"
    );
    alices.user_handle = None;
    confirm(&bench, &session, &mut alices).await.success();
    alices.user_handle = handle;
}

#[tokio::test]
async fn w2_a_confirmation_ends_in_the_session_it_began_in() {
    let bench = bench().await;
    let mut device = bench.enrolled(&bench.alice).await;
    let (session, other) = (bench.session(&bench.alice).await, bench.session(&bench.alice).await);
    let challenge = bench.passkeys.begin_step_up(&session).unwrap();
    let answer = device.get(&challenge);
    let ended =
        bench.passkeys.finish_step_up(reserved(), &other, &challenge.ceremony, &answer, "").await.unwrap();
    assert_eq!(ended.failure(), Failed::Ceremony);
}
