//! Renaming and removing; and the relying party that the stored passkeys hold the operator to.

use super::*;
use crate::domain::CredentialId;

#[tokio::test]
async fn mf_22_a_member_renames_their_own() {
    let bench = bench().await;
    let device = bench.enrolled(&bench.alice).await;
    let id = CredentialId::new(&device.id).unwrap();
    let name = PasskeyName::parse("Admin iPhone").unwrap();
    bench.passkeys.rename(bench.alice.profile.id, &id, name.clone(), vec![]).await.unwrap();
    assert_eq!(bench.stored(&bench.alice)[0].name, name);
    let other = PasskeyName::parse("mine now").unwrap();
    let renamed = bench.passkeys.rename(bench.bob.profile.id, &id, other, vec![]).await;
    assert_eq!(renamed, Err(StoreError::NoSuchPasskey));
    assert_eq!(bench.stored(&bench.alice)[0].name, name);
}

#[tokio::test]
async fn mf_45_a_removed_passkey_takes_its_sessions_with_it_and_no_others() {
    let bench = bench().await;
    let mut lost = bench.enrolled(&bench.alice).await;
    let mut kept = bench.enrolled(&bench.alice).await;
    let id = CredentialId::new(&lost.id).unwrap();
    let (first, ..) = bench.sign_in(&mut lost).await.success();
    let (second, ..) = bench.sign_in(&mut lost).await.success();
    let (other, ..) = bench.sign_in(&mut kept).await.success();
    assert_eq!(
        bench.passkeys.remove(bench.bob.profile.id, &id, vec![]).await,
        Ok(Some(0)),
        "not bob's to remove"
    );
    assert!(bench.sessions.check(&first).is_some());
    assert_eq!(bench.passkeys.remove(bench.alice.profile.id, &id, vec![]).await, Ok(Some(2)));
    assert!(bench.sessions.check(&first).is_none() && bench.sessions.check(&second).is_none());
    assert!(bench.sessions.check(&other).is_some());
    assert_eq!(bench.sign_in(&mut lost).await.failure(), Failed::Unknown);
    assert_eq!(bench.stored(&bench.alice).len(), 1);
}

#[tokio::test]
async fn a_passkey_that_is_removed_during_its_use_opens_no_session() {
    let bench = bench().await;
    let mut device = bench.enrolled(&bench.alice).await;
    let (challenge, state) = bench.passkeys.assertion_challenge();
    let challenge = bench.passkeys.challenge(String::new(), &challenge.public_key);
    let answer = serde_json::from_value(device.get(&challenge)).unwrap();
    let proven = bench.passkeys.prove(bench.alice.profile.id, &answer, state).unwrap().unwrap();
    let id = CredentialId::new(&device.id).unwrap();
    bench.passkeys.remove(bench.alice.profile.id, &id, vec![]).await.unwrap();
    let before = bench.sessions.count();
    let opening = assertion::Opening { persistence: Persistence::Browser, user_agent: "", with: Vec::new() };
    let ended = bench.passkeys.open_session(proven, opening).await.unwrap();
    assert_eq!(ended.unwrap_err().failed, Failed::Unknown);
    assert_eq!(bench.sessions.count(), before);
}

#[tokio::test]
async fn w5_a_changed_relying_party_is_refused_with_the_number_of_members_it_locks_out() {
    let bench = bench().await;
    bench.enrolled(&bench.alice).await;
    bench.enrolled(&bench.alice).await;
    let moved = || PasskeyOptions { rp_id: "example.org".to_owned(), ..options() };
    let sentence = bench.reopened(moved()).err().unwrap();
    assert!(sentence.contains("1 member has passkeys made for \"forum.example.org\""), "{sentence}");
    bench.enrolled(&bench.bob).await;
    let sentence = bench.reopened(moved()).err().unwrap();
    assert!(sentence.contains("2 members have passkeys made for"), "{sentence}");
    assert!(bench.reopened(options()).is_ok());
    let address = PasskeyOptions {
        rp_id: "127.0.0.1".to_owned(),
        origins: vec!["http://127.0.0.1:8080".to_owned()],
        ..options()
    };
    assert!(bench.reopened(address).err().unwrap().contains("no host name"), "bp_83");
}
