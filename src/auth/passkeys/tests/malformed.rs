//! SECURITY: WAN-08. Answers with their bytes, their JSON or their CBOR spoiled: none signs anybody in, none adds a passkey
//! that does not hold what the ceremony demands, and none breaks anything.
//!
//! `PASSGATE_MUTATIONS` sets how many are tried of each kind of answer, `PASSGATE_MUTATIONS_SEED` which; the seed is printed
//! when one fails.

mod mutation;

use std::cell::Cell;
use std::env;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde::Deserialize;
use serde_cbor_2::Value as Cbor;
use sha2::{Digest, Sha256};
use tokio::runtime::Runtime;
use webauthn_rs::prelude::{PublicKeyCredential, RegisterPublicKeyCredential};
use webauthn_rs_proto::CollectedClientData;

use self::mutation::{Bytes, InCbor, InJson};
use super::device::{UP, UV};
use super::*;
use crate::domain::random;

const CASES: u32 = 6_000;
/// No answer that reaches us is longer.
const LONGEST: usize = 64 << 10;

/// One way to spoil an answer.
#[derive(Clone, Debug)]
enum Mutation {
    /// The text of the answer.
    Text(Vec<Bytes>),
    /// The answer as JSON.
    Answer(usize, InJson),
    /// The bytes that a field of the response stands for.
    Field(&'static str, Vec<Bytes>),
    /// The browser's account of the ceremony as JSON.
    ClientData(usize, InJson),
    /// The attestation object as CBOR.
    Attestation(usize, InCbor),
    /// What the authenticator says, within the attestation object.
    AuthData(Vec<Bytes>),
    /// The public key as CBOR.
    Key(usize, InCbor),
    /// Extensions that nobody asked for, announced and behind the key.
    Extensions(Vec<u8>),
}

fn mutation(fields: &'static [&'static str]) -> BoxedStrategy<Mutation> {
    let bytes = || vec(mutation::bytes(), 1..4);
    let common = prop_oneof![
        1 => bytes().prop_map(Mutation::Text),
        2 => mutation::json().prop_map(|(at, change)| Mutation::Answer(at, change)),
        2 => (select(fields), bytes()).prop_map(|(field, changes)| Mutation::Field(field, changes)),
        2 => mutation::json().prop_map(|(at, change)| Mutation::ClientData(at, change)),
    ];
    if !fields.contains(&ATTESTATION) {
        return common.boxed();
    }
    let extensions = (vec(any::<u8>(), 0..40), select(vec![0xa1, 0xbf, 0xbb, 0x81, 0xff]));
    let cbor = prop_oneof![
        3 => mutation::cbor().prop_map(|(at, change)| Mutation::Attestation(at, change)),
        1 => bytes().prop_map(Mutation::AuthData),
        3 => mutation::cbor().prop_map(|(at, change)| Mutation::Key(at, change)),
        1 => extensions.prop_map(|(bytes, first)| Mutation::Extensions([vec![first], bytes].concat())),
    ];
    prop_oneof![common, cbor].boxed()
}

const ATTESTATION: &str = "attestationObject";
const CLIENT_DATA: &str = "clientDataJSON";

fn field(answer: &Value, name: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(answer["response"][name].as_str().unwrap()).unwrap()
}

fn with_field(answer: &Value, name: &str, bytes: &[u8]) -> String {
    let mut answer = answer.clone();
    answer["response"][name] = Value::String(URL_SAFE_NO_PAD.encode(bytes));
    answer.to_string()
}

/// An answer to registration with other authenticator data.
fn with_auth_data(answer: &Value, change: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut object: Cbor = serde_cbor_2::from_slice(&field(answer, ATTESTATION)).unwrap();
    let Cbor::Map(members) = &mut object else { panic!("an attestation object is a map") };
    let Some(Cbor::Bytes(data)) = members.get_mut(&Cbor::Text("authData".to_owned())) else {
        panic!("no data")
    };
    change(data);
    with_field(answer, ATTESTATION, &serde_cbor_2::to_vec(&object).unwrap())
}

/// Where the public key begins in the data of [`Device`], whose ids have 32 bytes.
const KEY: usize = 37 + 16 + 2 + 32;

impl Mutation {
    /// The text of the spoiled answer.
    fn apply(&self, answer: &Value) -> Vec<u8> {
        let spoiled = |mut bytes: Vec<u8>, changes: &[Bytes]| {
            changes.iter().for_each(|change| change.apply(&mut bytes));
            bytes
        };
        let text = match self {
            Self::Text(changes) => return spoiled(answer.to_string().into_bytes(), changes),
            Self::Answer(at, change) => change.text(*at, answer),
            Self::Field(name, changes) => with_field(answer, name, &spoiled(field(answer, name), changes)),
            Self::ClientData(at, change) => {
                let data = serde_json::from_slice(&field(answer, CLIENT_DATA)).unwrap();
                with_field(answer, CLIENT_DATA, change.text(*at, &data).as_bytes())
            }
            Self::Attestation(at, change) => {
                let object = serde_cbor_2::from_slice(&field(answer, ATTESTATION)).unwrap();
                with_field(answer, ATTESTATION, &change.bytes(*at, &object))
            }
            Self::AuthData(changes) => with_auth_data(answer, |data| *data = spoiled(data.clone(), changes)),
            Self::Key(at, change) => with_auth_data(answer, |data| {
                let key = serde_cbor_2::from_slice(&data[KEY..]).unwrap();
                data.splice(KEY.., change.bytes(*at, &key));
            }),
            Self::Extensions(bytes) => with_auth_data(answer, |data| {
                data[32] |= 1 << 7;
                data.extend(bytes);
            }),
        };
        text.into_bytes()
    }
}

fn set(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|text| text.parse().unwrap())
}

/// Tries many spoiled answers, and says what they came to.
fn for_many(fields: &'static [&'static str], answer: &Value, check: impl Fn(&Value) -> bool) {
    let cases = set("PASSGATE_MUTATIONS").map_or(CASES, |cases| u32::try_from(cases).unwrap());
    let seed = set("PASSGATE_MUTATIONS_SEED").unwrap_or_else(|| u64::from_be_bytes(random()) >> 1);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let (read, accepted, slowest) = (Cell::new(0), Cell::new(0), Cell::new(Duration::ZERO));
    let tried = runner.run(&mutation(fields), |mutation| {
        let text = mutation.apply(answer);
        let begun = Instant::now();
        if text.len() <= LONGEST
            && let Ok(spoiled) = serde_json::from_slice(&text)
        {
            read.set(read.get() + 1);
            accepted.set(accepted.get() + u32::from(check(&spoiled)));
        }
        slowest.set(slowest.get().max(begun.elapsed()));
        Ok(())
    });
    if let Err(error) = tried {
        panic!("with PASSGATE_MUTATIONS_SEED={seed}: {error}");
    }
    let (read, accepted, slowest) = (read.get(), accepted.get(), slowest.get());
    println!(
        "seed {seed}: {cases} tried, {read} are JSON, {accepted} say the same as before; the slowest took {slowest:?}"
    );
}

#[test]
fn wan_08_no_spoiled_assertion_signs_in() {
    let runtime = Runtime::new().unwrap();
    let bench = runtime.block_on(bench());
    let mut device = runtime.block_on(bench.enrolled(&bench.alice));
    let (challenge, state) = bench.passkeys.assertion_challenge();
    let answer = device.get(&bench.passkeys.challenge(String::new(), &challenge.public_key));
    let signs_in = |answer: &Value| {
        let ceremony = bench.passkeys.pending.signing_in.begin(BROWSER, state.clone());
        let before = bench.sessions.count();
        let ended = bench.passkeys.finish_sign_in(
            reserved(),
            BROWSER,
            &ceremony,
            answer,
            Persistence::Browser,
            FIREFOX,
        );
        match runtime.block_on(ended).unwrap() {
            PasskeySignIn::Failed(_) => {
                assert_eq!(bench.sessions.count(), before);
                false
            }
            PasskeySignIn::SignedIn(token, ..) => {
                let session = bench.sessions.check(&token).unwrap();
                runtime.block_on(bench.sessions.end(session.id())).unwrap();
                true
            }
        }
    };
    assert!(signs_in(&answer));
    let signed = |answer: &Value| {
        let PublicKeyCredential { raw_id, response, .. } = Deserialize::deserialize(answer).unwrap();
        let handle = response.user_handle;
        let data = [response.authenticator_data, response.client_data_json, response.signature];
        (raw_id, data, handle)
    };
    const FIELDS: &[&str] = &["authenticatorData", CLIENT_DATA, "signature", "userHandle"];
    for_many(FIELDS, &answer, |spoiled| {
        let signs_in = signs_in(spoiled);
        assert!(!signs_in || signed(spoiled) == signed(&answer), "{spoiled}");
        signs_in
    });
}

/// Read as the library reads it, which takes the bytes of a key, or its number, for its text.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AttestationObject {
    #[serde(rename = "fmt")]
    _fmt: Cbor,
    #[serde(rename = "attStmt")]
    _att_stmt: Cbor,
    auth_data: Cbor,
}

/// Nothing signs what a new passkey says of itself, so some changes are for it to make; what the ceremony demands is not.
fn holds_what_is_demanded(answer: &Value, challenge: &Challenge) -> bool {
    let RegisterPublicKeyCredential { raw_id, response, .. } = Deserialize::deserialize(answer).unwrap();
    let data: CollectedClientData = serde_json::from_slice(&response.client_data_json).unwrap();
    let object: AttestationObject = serde_cbor_2::from_slice(&response.attestation_object).unwrap();
    let Cbor::Bytes(said) = object.auth_data else { return false };
    data.type_ == "webauthn.create"
        && URL_SAFE_NO_PAD.encode(&data.challenge) == challenge.options["challenge"]
        && data.origin.origin().ascii_serialization() == ORIGIN
        && data.cross_origin != Some(true)
        && said[..32] == Sha256::digest(RP_ID)[..]
        && said[32] & (UP | UV) == UP | UV
        && said[55..].starts_with(&raw_id)
}

#[test]
fn wan_08_no_spoiled_attestation_adds_what_was_not_asked_for() {
    let runtime = Runtime::new().unwrap();
    let bench = runtime.block_on(bench());
    let session = runtime.block_on(bench.session(&bench.alice));
    let challenge = bench.passkeys.begin_add(&session, Place::Any).unwrap().unwrap();
    let state = bench.passkeys.pending.adding.take(session.id(), &challenge.ceremony).unwrap();
    let answer = Device::new().create(&challenge);
    let adds = |answer: &Value| {
        let ceremony = bench.passkeys.pending.adding.begin(session.id(), state.clone());
        let ended = bench.passkeys.finish_add(&session, &ceremony, answer, None, FIREFOX);
        let added = runtime.block_on(ended).unwrap();
        let kept = bench.stored(&bench.alice);
        for passkey in &kept {
            runtime.block_on(bench.passkeys.remove(passkey.user, &passkey.id, vec![])).unwrap();
        }
        assert_eq!(kept.len(), usize::from(added.is_ok()));
        assert!(added.is_err() || holds_what_is_demanded(answer, &challenge), "{answer}");
        added.is_ok()
    };
    assert!(adds(&answer));
    for_many(&[ATTESTATION, CLIENT_DATA], &answer, adds);
    assert_eq!(bench.sessions.count(), 1, "none but the one that added");
}
