//! Of `src/auth/passkeys` what reads an authenticator's answer (WAN-08), through the two halves of a ceremony.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use passgate::auth::passkeys::{
    AddRefused, Challenge, PasskeyOptions, PasskeySignIn, Passkeys, Pending, Place, ResidentKey, Rollout, Suggest,
};
use passgate::auth::throttle::{Throttle, ThrottleOptions, Try, Way, Who};
use passgate::auth::{LiveSession, Sessions};
use passgate::policy::RequiredFor;
use passgate::store::{Change, MemoryStore, Store};
use serde_cbor_2::Value as Cbor;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::runtime::{Builder, Runtime};

use crate::domain::{
    Clock, CredentialId, Lifetimes, ManualClock, Passkey, PasskeyFor, Persistence, Profile, Timestamp, TokenHash, User,
    UserId, UserName, UserState,
};

const RP_ID: &str = "forum.example";
const ORIGIN: &str = "https://forum.example";
const BROWSER: TokenHash = TokenHash([7; 32]);
const ALICE: UserId = UserId([1; 16]);
/// The id of the passkey that she has.
const KNOWN: [u8; 16] = [9; 16];
/// User present, user verified, and a credential follows.
const NEW: u8 = 0b0100_0101;

/// A member with a passkey; made anew when she has another.
struct Site {
    runtime: Runtime,
    passkeys: Passkeys,
    throttle: Arc<Throttle>,
    session: Arc<LiveSession>,
}

thread_local! {
    static SITE: std::cell::RefCell<Site> = std::cell::RefCell::new(Site::new());
}

/// The first byte says what the rest is: a whole answer, the attestation of a new passkey, or the assertion of a known one. None
/// signs anybody in, and a new one holds what the ceremony demands.
pub fn passkey(data: &[u8]) {
    let [way, rest @ ..] = data else { return };
    let added = SITE.with_borrow(|site| match way % 3 {
        0 => site.answer(rest),
        1 => site.attestation(rest),
        _ => site.assertion(rest),
    });
    if added {
        SITE.set(Site::new());
    }
}

fn text(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn account(kind: &str, challenge: &Challenge) -> String {
    let challenge = &challenge.options["challenge"];
    text(json!({ "type": kind, "challenge": challenge, "origin": ORIGIN, "crossOrigin": false }).to_string())
}

/// The id in an attestation object, if there is one.
fn new_id(object: &[u8]) -> Option<Vec<u8>> {
    let auth_data = auth_data(object)?;
    let length = usize::from(u16::from_be_bytes([*auth_data.get(53)?, *auth_data.get(54)?]));
    auth_data.get(55..55 + length).map(<[u8]>::to_vec)
}

fn auth_data(object: &[u8]) -> Option<Vec<u8>> {
    let Ok(Cbor::Map(members)) = serde_cbor_2::from_slice(object) else { return None };
    match members.get(&Cbor::Text("authData".to_owned())) {
        Some(Cbor::Bytes(bytes)) => Some(bytes.clone()),
        _ => None,
    }
}

/// Without attestation, of the key whose private half is 1: its public half is the generator of P-256.
fn attestation() -> Vec<u8> {
    let number = |text: &str| Cbor::Bytes((0..32).map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).expect("hexadecimal")).collect());
    let x = number("6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296");
    let y = number("4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5");
    let int = |number: i128| Cbor::Integer(number);
    let key: BTreeMap<_, _> = [(int(1), int(2)), (int(3), int(-7)), (int(-1), int(1)), (int(-2), x), (int(-3), y)].into();
    let key = serde_cbor_2::to_vec(&Cbor::Map(key)).expect("CBOR");
    let (hash, length) = (Sha256::digest(RP_ID), (KNOWN.len() as u16).to_be_bytes());
    let data = [&hash[..], &[NEW], &[0; 4], &[0; 16], &length, &KNOWN, &key].concat();
    let name = |text: &str| Cbor::Text(text.to_owned());
    let object: BTreeMap<_, _> = [
        (name("fmt"), name("none")),
        (name("attStmt"), Cbor::Map(BTreeMap::new())),
        (name("authData"), Cbor::Bytes(data)),
    ]
    .into();
    serde_cbor_2::to_vec(&Cbor::Map(object)).expect("CBOR")
}

impl Site {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(Timestamp::from_millis(1_795_327_200_000)));
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        runtime.block_on(store.apply(vec![Change::AddUser(alice())])).expect("an account");
        let day = Duration::from_secs(86_400);
        let lifetimes = Lifetimes { idle: day, absolute: day, remember: day, shared: day };
        let sessions = Arc::new(Sessions::open(Arc::clone(&store), Arc::clone(&clock), lifetimes).expect("sessions"));
        let pending = Arc::new(Pending::new(&clock));
        let (store, clock_) = (Arc::clone(&store), Arc::clone(&clock));
        let throttle = Throttle::open(ThrottleOptions::default(), Arc::clone(&store), clock_).expect("a throttle");
        let passkeys = Passkeys::new(options(), pending, store, Arc::clone(&sessions), clock).expect("passkeys");
        let other = CredentialId::new(b"another").expect("an id");
        let started = async { sessions.start_by_passkey(&alice(), Persistence::Browser, other, "", vec![]).await };
        let session = sessions.check(&runtime.block_on(started).expect("a session")).expect("it lives");
        let site = Self { runtime, passkeys, throttle: Arc::new(throttle), session };
        let challenge = site.begin_add();
        site.add(&challenge, &attestation()).expect("what is right is taken");
        site
    }

    fn begin_add(&self) -> Challenge {
        self.passkeys.begin_add(&self.session, Place::Any).expect("a store").expect("it is fresh")
    }

    fn finish_add(&self, challenge: &Challenge, answer: &Value) -> Result<Passkey, AddRefused> {
        let ended = self.passkeys.finish_add(&self.session, &challenge.ceremony, answer, None, "");
        self.runtime.block_on(ended).expect("a store")
    }

    fn add(&self, challenge: &Challenge, object: &[u8]) -> Result<Passkey, AddRefused> {
        let id = text(new_id(object).unwrap_or_default());
        let response = json!({ "clientDataJSON": account("webauthn.create", challenge), "attestationObject": text(object) });
        self.finish_add(challenge, &json!({ "id": id, "rawId": id, "type": "public-key", "response": response, "extensions": {} }))
    }

    fn assert_nobody_gets_in(&self, challenge: &Challenge, answer: &Value) {
        let wanted = Try { way: Way::Passkey, who: Who::Unknown, from: IpAddr::from([127, 0, 0, 1]), device: None };
        let reserved = self.throttle.reserve(&wanted).expect("a store");
        let Ok(reserved) = reserved else { return };
        let (browser, ceremony) = (Persistence::Browser, &challenge.ceremony);
        let ended = self.passkeys.finish_sign_in(&reserved, BROWSER, ceremony, answer, browser, "");
        let ended = self.runtime.block_on(ended).expect("a store");
        assert!(matches!(ended, PasskeySignIn::Failed(_)), "{ended:?}");
        // So that the next one is looked at, too.
        reserved.succeeded(ALICE);
    }

    fn answer(&self, data: &[u8]) -> bool {
        let Ok(answer) = serde_json::from_slice(data) else { return false };
        self.assert_nobody_gets_in(&self.passkeys.begin_sign_in(BROWSER), &answer);
        assert!(self.finish_add(&self.begin_add(), &answer).is_err(), "it can't know the challenge");
        false
    }

    fn attestation(&self, object: &[u8]) -> bool {
        let Ok(passkey) = self.add(&self.begin_add(), object) else { return false };
        let data = auth_data(object).expect("it has some");
        assert_eq!(data[..32], Sha256::digest(RP_ID)[..]);
        assert_eq!(data[32] & NEW, NEW, "{:b}", data[32]);
        assert_eq!(Some(passkey.id.as_bytes()), new_id(object).as_deref());
        assert_ne!(passkey.id.as_bytes(), KNOWN, "it was there already");
        true
    }

    /// How long the authenticator's data is, that, and a signature.
    fn assertion(&self, data: &[u8]) -> bool {
        let [length, rest @ ..] = data else { return false };
        let (data, signature) = rest.split_at(usize::from(*length).min(rest.len()));
        let challenge = self.passkeys.begin_sign_in(BROWSER);
        let response = json!({
            "clientDataJSON": account("webauthn.get", &challenge), "authenticatorData": text(data),
            "signature": text(signature), "userHandle": text(ALICE.0),
        });
        let id = text(KNOWN);
        let answer = json!({ "id": id, "rawId": id, "type": "public-key", "response": response, "extensions": {} });
        self.assert_nobody_gets_in(&challenge, &answer);
        false
    }
}

fn options() -> PasskeyOptions {
    PasskeyOptions {
        rollout: Rollout::Everyone,
        suggest: Suggest::Never,
        max_per_user: 10,
        rp_id: RP_ID.to_owned(),
        rp_name: "The Forum".to_owned(),
        origins: vec![ORIGIN.to_owned()],
        resident_key: ResidentKey::Required,
        required_for: RequiredFor::Nobody,
        asked_by_rules: RequiredFor::Nobody,
    }
}

fn alice() -> User {
    User {
        profile: Profile {
            id: ALICE,
            name: UserName::parse("alice").expect("a name"),
            full_name: None,
            email: None,
            groups: vec![],
        },
        state: UserState::Active,
        password: None,
        created: Timestamp::from_millis(1),
        last_sign_in: None,
        setup: None,
        passkey_for: PasskeyFor::default(),
        imported: None,
    }
}
