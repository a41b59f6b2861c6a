//! What is written down of refusals: why, and nothing that was sent.

use super::*;
use crate::auth::captured_log::Log;
use device::{BE, BS, UP};

/// Our own events: target, reason, member.
fn events(log: &Log) -> Vec<(String, String, String)> {
    let lines = log.lines().into_iter();
    lines
        .filter(|line| line["target"].as_str().unwrap().starts_with("passgate::"))
        .map(|line| {
            let field = |name: &str| line["fields"][name].as_str().unwrap_or_default().to_owned();
            (line["target"].as_str().unwrap().to_owned(), field("reason"), field("member"))
        })
        .collect()
}

#[tokio::test]
async fn wan_07_a_counter_that_went_back_is_in_the_audit_log_and_every_refusal_has_its_reason() {
    let bench = bench().await;
    let mut key = Device::security_key();
    key.counter = 9;
    bench.enrol(&bench.alice, &mut key).await;
    let alice = bench.alice.profile.id.to_string();
    let log = Log::start();
    key.counter = 4;
    bench.sign_in(&mut key).await.failure();
    let mut synced = bench.enrolled(&bench.alice).await;
    let usual = synced.flags;
    synced.flags = UP | BE | BS;
    bench.sign_in(&mut synced).await.failure();
    synced.flags = usual;
    synced.origin = "https://evil.test/secret".to_owned();
    bench.sign_in(&mut synced).await.failure();
    synced.origin = ORIGIN.to_owned();
    synced.rp_id = "evil.test".to_owned();
    bench.sign_in(&mut synced).await.failure();
    synced.user_handle = Some(b"hunter2 hunter2.".to_vec());
    bench.sign_in(&mut synced).await.failure();
    let challenge = bench.passkeys.begin_sign_in(BROWSER);
    let answer = synced.get(&challenge);
    bench.finish(&challenge, &answer).await.failure();
    bench.finish(&challenge, &answer).await.failure();

    let events = events(&log);
    let reasons: std::collections::BTreeSet<_> =
        events.iter().map(|(_, reason, _)| reason.as_str()).collect();
    assert_eq!((events.len(), reasons.len()), (7, 6), "unknown twice: {events:?}");
    assert_eq!((events[0].0.as_str(), events[0].2.as_str()), ("passgate::audit", alice.as_str()));
    assert!(events[1..].iter().all(|(target, ..)| target == "passgate::passkeys"));
    // What the library traces is its own.
    let ours =
        log.lines().into_iter().filter(|line| line["target"].as_str().unwrap().starts_with("passgate"));
    let text: String = ours.map(|line| line.to_string()).collect();
    for said in ["hunter2", "evil.test", &challenge.ceremony, answer["rawId"].as_str().unwrap()] {
        assert!(!text.contains(said), "{said}");
    }
}
