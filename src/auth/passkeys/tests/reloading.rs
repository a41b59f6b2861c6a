//! Options that change between the halves of a ceremony, as a reload of the configuration does.

use super::*;

#[tokio::test]
async fn bp_41_what_waits_outlives_a_change_of_the_options() {
    let bench = bench().await;
    let (mut device, mut another) = (bench.enrolled(&bench.alice).await, Device::new());
    let session = bench.session(&bench.alice).await;
    let adding = bench.passkeys.begin_add(&session, Place::Any).unwrap().unwrap();
    let confirming = bench.passkeys.begin_step_up(&session).unwrap();
    let signing_in = bench.passkeys.begin_sign_in(BROWSER);

    let after =
        bench.reopened(PasskeyOptions { suggest: Suggest::Never, max_per_user: 5, ..options() }).unwrap();
    let answer = another.create(&adding);
    after.finish_add(&session, &adding.ceremony, &answer, None, FIREFOX).await.unwrap().unwrap();
    let answer = device.get(&signing_in);
    let finished = after.finish_sign_in(
        reserved(),
        BROWSER,
        &signing_in.ceremony,
        &answer,
        Persistence::Browser,
        FIREFOX,
    );
    finished.await.unwrap().success();
    let again = after.finish_sign_in(
        reserved(),
        BROWSER,
        &signing_in.ceremony,
        &answer,
        Persistence::Browser,
        FIREFOX,
    );
    assert_eq!(again.await.unwrap().failure(), Failed::Ceremony, "and is used once all the same");
    let answer = device.get(&confirming);
    after
        .finish_step_up(reserved(), &session, &confirming.ceremony, &answer, FIREFOX)
        .await
        .unwrap()
        .success();
}

#[tokio::test]
async fn bp_44_what_waited_is_judged_by_the_options_in_force_when_it_ends() {
    let elsewhere = || vec!["https://forum.example.org:8443".to_owned()];
    for (changed, failed) in [
        (PasskeyOptions { rollout: Rollout::Off, ..options() }, Failed::Unknown),
        (PasskeyOptions { origins: elsewhere(), ..options() }, Failed::Origin),
    ] {
        let bench = bench().await;
        let mut device = bench.enrolled(&bench.alice).await;
        let challenge = bench.passkeys.begin_sign_in(BROWSER);
        let after = bench.reopened(changed).unwrap();
        let answer = device.get(&challenge);
        let ended = after.finish_sign_in(
            reserved(),
            BROWSER,
            &challenge.ceremony,
            &answer,
            Persistence::Browser,
            FIREFOX,
        );
        assert_eq!(ended.await.unwrap().failure(), failed);
    }
}

#[tokio::test]
async fn bp_82_what_is_added_fits_the_options_in_force_when_it_is_added() {
    let staff = Rollout::Groups(vec![Group::parse("staff").unwrap()]);
    for (changed, refused) in [
        (PasskeyOptions { rollout: Rollout::Off, ..options() }, AddRefused::NotOffered),
        (PasskeyOptions { rollout: staff, ..options() }, AddRefused::NotOffered),
        (PasskeyOptions { max_per_user: 0, ..options() }, AddRefused::LimitReached(0)),
        (
            PasskeyOptions { rp_id: "example.org".to_owned(), ..options() },
            AddRefused::Failed(Failed::RelyingParty),
        ),
    ] {
        let bench = bench().await;
        let session = bench.session(&bench.bob).await;
        let challenge = bench.passkeys.begin_add(&session, Place::Any).unwrap().unwrap();
        let after = bench.reopened(changed).unwrap();
        let answer = Device::new().create(&challenge);
        let ended = after.finish_add(&session, &challenge.ceremony, &answer, None, FIREFOX).await.unwrap();
        assert_eq!(ended, Err(refused));
        assert!(bench.stored(&bench.bob).is_empty());
    }
}
