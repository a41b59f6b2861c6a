//! SECURITY: WAN-08. Thousands of answers with bytes changed, lost and added, in the JSON and in what it carries: none
//! signs anybody in, and none breaks anything.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::Runtime;

use super::*;

const CASES: u32 = 3_000;

/// One change to some bytes.
#[derive(Clone, Debug)]
enum Mutation {
    Cut(usize),
    Drop(usize),
    Insert(usize, Vec<u8>),
    Set(usize, u8),
    Xor(usize, u8),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        1 => any::<usize>().prop_map(Mutation::Cut),
        2 => any::<usize>().prop_map(Mutation::Drop),
        2 => (any::<usize>(), vec(any::<u8>(), 1..9)).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        3 => (any::<usize>(), prop_oneof![Just(0), Just(0x7f), Just(0xff), Just(0x9f), Just(0x5b)])
            .prop_map(|(at, byte)| Mutation::Set(at, byte)),
        3 => (any::<usize>(), 1..=255_u8).prop_map(|(at, bits)| Mutation::Xor(at, bits)),
    ]
}

fn apply(bytes: &mut Vec<u8>, mutation: &Mutation) {
    let place = |at: usize| at % bytes.len().max(1);
    match mutation {
        _ if bytes.is_empty() => (),
        Mutation::Cut(at) => bytes.truncate(place(*at)),
        Mutation::Drop(at) => drop(bytes.remove(place(*at))),
        Mutation::Insert(at, more) => {
            let at = place(*at);
            bytes.splice(at..at, more.iter().copied());
        }
        Mutation::Set(at, byte) => {
            let at = place(*at);
            bytes[at] = *byte;
        }
        Mutation::Xor(at, bits) => {
            let at = place(*at);
            bytes[at] ^= bits;
        }
    }
}

/// `answer` with one field changed, or, where there is no field of that number, its text; none if it is no JSON then.
fn mutated(answer: &Value, fields: &[&str], field: usize, mutations: &[Mutation]) -> Option<Value> {
    let Some(field) = fields.get(field) else {
        let mut text = answer.to_string().into_bytes();
        mutations.iter().for_each(|mutation| apply(&mut text, mutation));
        return serde_json::from_slice(&text).ok();
    };
    let mut answer = answer.clone();
    let mut bytes = URL_SAFE_NO_PAD.decode(answer["response"][field].as_str()?).ok()?;
    mutations.iter().for_each(|mutation| apply(&mut bytes, mutation));
    answer["response"][field] = Value::String(URL_SAFE_NO_PAD.encode(bytes));
    Some(answer)
}

fn for_many(fields: &[&str], answer: &Value, check: impl Fn(&Value)) {
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let strategy = (0..=fields.len(), vec(mutation(), 1..4));
    let tried = TestRunner::new(config).run(&strategy, |(field, mutations)| {
        if let Some(mutated) = mutated(answer, fields, field, &mutations) {
            check(&mutated);
        }
        Ok(())
    });
    tried.unwrap();
}

#[test]
fn wan_08_no_mutated_assertion_signs_in() {
    let bench = Runtime::new().unwrap().block_on(bench());
    let mut device = Runtime::new().unwrap().block_on(bench.enrolled(&bench.alice));
    let (challenge, state) = bench.passkeys.assertion_challenge();
    let challenge = bench.passkeys.challenge(String::new(), &challenge.public_key);
    let answer = device.get(&challenge);
    let proves = |answer: &Value| {
        let named = bench.passkeys.signing_in_as(answer);
        named
            .is_ok_and(|(owner, answer)| bench.passkeys.prove(owner, &answer, state.clone()).unwrap().is_ok())
    };
    assert!(proves(&answer));
    let signed = |answer: &Value| {
        let response = &answer["response"];
        ["authenticatorData", "clientDataJSON", "signature", "userHandle"]
            .map(|field| response[field].clone())
    };
    for_many(&["authenticatorData", "clientDataJSON", "signature", "userHandle"], &answer, |mutated| {
        assert!(signed(mutated) == signed(&answer) || !proves(mutated), "{mutated}");
    });
}

#[test]
fn wan_08_no_mutated_attestation_breaks_anything() {
    let bench = Runtime::new().unwrap().block_on(bench());
    let session = Runtime::new().unwrap().block_on(bench.session(&bench.alice));
    let challenge = bench.passkeys.begin_add(&session, Place::Any).unwrap().unwrap();
    let state = bench.passkeys.adding.take(session.id(), &challenge.ceremony).unwrap();
    let answer = Device::new().create(&challenge);
    assert!(bench.passkeys.register(&answer, &state).is_ok());
    // Nothing signs what a new passkey says of itself, so some changes are for it to make.
    for_many(&["attestationObject", "clientDataJSON"], &answer, |mutated| {
        drop(bench.passkeys.register(mutated, &state));
    });
}
