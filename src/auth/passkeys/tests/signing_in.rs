//! Signing in: what it gives, what it writes down, and that each ceremony serves once.

use super::*;
use crate::domain::Backup;
use device::{BE, BS, UP, UV};

#[tokio::test]
async fn wan_01_who_added_a_passkey_signs_in_with_it_and_all_of_it_is_written_down_together() {
    let bench = bench().await;
    let mut device = bench.enrolled(&bench.alice).await;
    bench.clock.advance(Duration::from_secs(3_600));
    let now = bench.clock.now();
    let (token, profile, passkey) = bench.sign_in(&mut device).await.success();
    assert_eq!(profile.name.as_str(), "alice");
    let session = bench.sessions.check(&token).unwrap();
    assert_eq!(session.user(), bench.alice.profile.id);
    assert_eq!(bench.sessions.opened_with(&session), Ok(Some(passkey.id.clone())));
    assert_eq!(passkey.last_used, Some(now));
    assert_eq!(bench.stored(&bench.alice), [passkey]);
    assert_eq!(bench.store.user(session.user()).unwrap().unwrap().last_sign_in, Some(now));
    bench.clock.advance(Duration::from_secs(5));
    bench.sign_in(&mut device).await.success();
    let used = bench.stored(&bench.alice)[0].last_used;
    assert_eq!(
        used,
        Some(bench.clock.now()),
        "bp_48: each use counts, though a synced passkey has no counter"
    );
}

#[tokio::test]
async fn bp_50_the_options_name_nobody_and_demand_verification() {
    let bench = bench().await;
    let empty = bench.passkeys.begin_sign_in(BROWSER).options;
    bench.enrolled(&bench.alice).await;
    let mut options = bench.passkeys.begin_sign_in(TokenHash([8; 32])).options;
    assert_eq!(options["allowCredentials"], serde_json::json!([]));
    assert_eq!(options["userVerification"], "required");
    assert_eq!(options["rpId"], RP_ID);
    assert_eq!(options["timeout"], 300_000);
    assert_ne!(options["challenge"], empty["challenge"]);
    assert!(options["challenge"].as_str().unwrap().len() >= 22, "bp_41: sixteen bytes or more");
    options["challenge"] = empty["challenge"].clone();
    assert_eq!(options, empty, "wan_06: with passkeys in the store or without");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn wan_03_of_fifty_replays_at_once_one_signs_in() {
    let bench = bench().await;
    let mut device = bench.enrolled(&bench.alice).await;
    let challenge = bench.passkeys.begin_sign_in(BROWSER);
    let answer = device.get(&challenge);
    let attempts: Vec<_> = (0..50)
        .map(|_| {
            let (passkeys, id, answer) =
                (Arc::clone(&bench.passkeys), challenge.ceremony.clone(), answer.clone());
            tokio::spawn(async move {
                passkeys
                    .finish_sign_in(reserved(), BROWSER, &id, &answer, Persistence::Browser, FIREFOX)
                    .await
                    .unwrap()
            })
        })
        .collect();
    let mut signed_in = 0;
    for attempt in attempts {
        match attempt.await.unwrap() {
            PasskeySignIn::SignedIn(..) => signed_in += 1,
            PasskeySignIn::Failed(failed) => assert_eq!(failed, Failed::Ceremony),
        }
    }
    assert_eq!(signed_in, 1);
}

#[tokio::test]
async fn w2_a_ceremony_serves_its_browser_in_time_and_no_other_purpose() {
    let bench = bench().await;
    let mut device = bench.enrolled(&bench.alice).await;
    let session = bench.session(&bench.alice).await;
    let late = bench.passkeys.begin_sign_in(BROWSER);
    bench.clock.advance(late.lifetime);
    let answer = device.get(&late);
    assert_eq!(bench.finish(&late, &answer).await.failure(), Failed::Ceremony, "too late");

    let others = bench.passkeys.begin_sign_in(TokenHash([8; 32]));
    let answer = device.get(&others);
    assert_eq!(bench.finish(&others, &answer).await.failure(), Failed::Ceremony, "another browser's");

    let session = {
        drop(session);
        bench.session(&bench.alice).await
    };
    let adding = bench.passkeys.begin_add(&session, Place::Any).unwrap().unwrap();
    let confirming = bench.passkeys.begin_step_up(&session).unwrap();
    for challenge in [&adding, &confirming] {
        let answer = device.get(challenge);
        let ended = bench.passkeys.finish_sign_in(
            reserved(),
            session.id(),
            &challenge.ceremony,
            &answer,
            Persistence::Browser,
            "",
        );
        assert_eq!(ended.await.unwrap().failure(), Failed::Ceremony, "another purpose's");
    }
    let signing_in = bench.passkeys.begin_sign_in(session.id());
    let answer = device.get(&signing_in);
    let ended =
        bench.passkeys.finish_step_up(reserved(), &session, &signing_in.ceremony, &answer, "").await.unwrap();
    assert_eq!(ended.failure(), Failed::Ceremony);
    let answer = Device::new().create(&adding);
    let ended = bench.passkeys.finish_add(&session, &signing_in.ceremony, &answer, None, "").await.unwrap();
    assert_eq!(ended, Err(AddRefused::Failed(Failed::Ceremony)));
}

#[tokio::test]
async fn an_answer_to_an_earlier_challenge_of_the_same_browser_proves_nothing() {
    let bench = bench().await;
    let mut device = bench.enrolled(&bench.alice).await;
    let earlier = bench.passkeys.begin_sign_in(BROWSER);
    let answer = device.get(&earlier);
    let later = bench.passkeys.begin_sign_in(BROWSER);
    assert_eq!(bench.finish(&earlier, &answer).await.failure(), Failed::Ceremony);
    assert_eq!(bench.finish(&later, &answer).await.failure(), Failed::NotProven);
}

#[tokio::test]
async fn a_disabled_account_is_told_from_others_after_the_proof_alone() {
    let bench = bench().await;
    let mut device = bench.enrolled(&bench.alice).await;
    let disable = Change::ReviseUser(
        bench.alice.profile.id,
        Box::new(|user| {
            user.state = UserState::Disabled;
            Verdict::Keep
        }),
    );
    bench.store.apply(vec![disable]).await.unwrap();
    let challenge = bench.passkeys.begin_sign_in(BROWSER);
    let mut forged = device.get(&challenge);
    device::flip(&mut forged, "signature", 20);
    assert_eq!(bench.finish(&challenge, &forged).await.failure(), Failed::NotProven);
    let before = bench.stored(&bench.alice);
    assert_eq!(bench.sign_in(&mut device).await.failure(), Failed::Disabled);
    assert_eq!(bench.stored(&bench.alice), before);
}

#[tokio::test]
async fn wan_07_a_counter_that_goes_back_or_stands_still_is_refused_and_left_as_it_was() {
    let bench = bench().await;
    let mut device = Device::security_key();
    device.counter = 5;
    bench.enrol(&bench.alice, &mut device).await;
    bench.sign_in(&mut device).await.success();
    let before = bench.stored(&bench.alice);
    for counter in [6, 3, 0] {
        device.counter = counter;
        assert_eq!(bench.sign_in(&mut device).await.failure(), Failed::Counter, "{counter} after 6");
        assert_eq!(bench.stored(&bench.alice), before, "nothing is written");
    }
    device.counter = 7;
    bench.sign_in(&mut device).await.success();
}

#[tokio::test]
async fn g10_of_two_tabs_judged_against_one_counter_none_sets_it_back() {
    let bench = bench().await;
    let mut device = Device::security_key();
    bench.enrol(&bench.alice, &mut device).await;
    let state = || bench.passkeys.assertion_challenge();
    let mut uses = Vec::new();
    for _ in 0..2 {
        let (challenge, state) = state();
        let challenge = bench.passkeys.challenge(String::new(), &challenge.public_key);
        let answer = serde_json::from_value(device.get(&challenge)).unwrap();
        uses.push(bench.passkeys.prove(bench.alice.profile.id, &answer, state).unwrap().unwrap());
    }
    let open = |proven| {
        let opening =
            assertion::Opening { persistence: Persistence::Browser, user_agent: "", with: Vec::new() };
        bench.passkeys.open_session(proven, opening)
    };
    open(uses.pop().unwrap()).await.unwrap().unwrap().success();
    let before = bench.stored(&bench.alice);
    assert_eq!(open(uses.pop().unwrap()).await.unwrap().unwrap_err().failed, Failed::Counter);
    assert_eq!(bench.stored(&bench.alice), before);
    bench.sign_in(&mut device).await.success();
}

#[tokio::test]
async fn g5_a_passkey_may_become_synced_but_not_bound_again() {
    let bench = bench().await;
    let mut device = Device::new();
    device.flags = UP | UV;
    bench.enrol(&bench.alice, &mut device).await;
    assert_eq!(bench.stored(&bench.alice)[0].backup, Backup::DeviceBound);
    for (flags, backup) in [
        (BE, Backup::Possible),
        (BE | BS, Backup::Done),
        (BE, Backup::Lost),
        (BE, Backup::Lost),
        (BE | BS, Backup::Done),
        (BE, Backup::Lost),
    ] {
        device.flags = UP | UV | flags;
        assert_eq!(bench.sign_in(&mut device).await.success().2.backup, backup);
        assert_eq!(bench.stored(&bench.alice)[0].backup, backup);
    }
    for flags in [0, BS] {
        device.flags = UP | UV | flags;
        assert_eq!(bench.sign_in(&mut device).await.failure(), Failed::Changed, "{flags:b}");
        assert_eq!(bench.stored(&bench.alice)[0].backup, Backup::Lost);
    }
}

#[tokio::test]
async fn a_roll_out_that_is_off_lets_nobody_in_with_a_passkey() {
    let bench = bench().await;
    let mut device = bench.enrolled(&bench.alice).await;
    for (rollout, works) in [(Rollout::Groups(vec![]), true), (Rollout::Off, false)] {
        let passkeys = bench.reopened(PasskeyOptions { rollout, ..options() }).unwrap();
        let challenge = passkeys.begin_sign_in(BROWSER);
        let answer = device.get(&challenge);
        let ended = passkeys
            .finish_sign_in(reserved(), BROWSER, &challenge.ceremony, &answer, Persistence::Browser, "")
            .await;
        assert_eq!(matches!(ended.unwrap(), PasskeySignIn::SignedIn(..)), works);
    }
}
