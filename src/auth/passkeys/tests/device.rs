//! An authenticator and a browser in one, that do what a test tells them, right or wrong: every byte of an answer can be
//! set, and the signature over it is real.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use passkey::crypto::coset::CborSerializable;
use passkey::crypto::rust_crypto::{RustCryptoBackend, RustCryptoSecretKey};
use passkey::crypto::{CryptoBackend, PublicKeyT, SecretKeyT, iana};
use serde_cbor_2::Value as Cbor;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Challenge, ORIGIN, RP_ID};
use crate::domain::random;

pub(super) const UP: u8 = 1;
pub(super) const UV: u8 = 1 << 2;
pub(super) const BE: u8 = 1 << 3;
pub(super) const BS: u8 = 1 << 4;
const AT: u8 = 1 << 6;

pub(crate) struct Device {
    key: RustCryptoSecretKey,
    pub(crate) id: Vec<u8>,
    pub(crate) user_handle: Option<Vec<u8>>,
    pub(super) aaguid: [u8; 16],
    pub(crate) flags: u8,
    /// The next value of the counter; 0 for one that does not count.
    pub(super) counter: u32,
    pub(crate) transports: Vec<&'static str>,
    pub(crate) origin: String,
    pub(crate) rp_id: String,
    /// What the browser says beside the usual, or in its place.
    pub(super) client_data: Value,
    /// What is there in place of the public key.
    pub(super) public_key: Option<Vec<u8>>,
}

impl Device {
    /// A synced passkey manager.
    pub(crate) fn new() -> Self {
        Self {
            key: RustCryptoBackend.generate_key(iana::Algorithm::ES256).unwrap(),
            id: random::<32>().to_vec(),
            user_handle: None,
            aaguid: [0; 16],
            flags: UP | UV | BE | BS,
            counter: 0,
            transports: vec!["internal"],
            origin: ORIGIN.to_owned(),
            rp_id: RP_ID.to_owned(),
            client_data: json!({}),
            public_key: None,
        }
    }

    /// A security key: bound to itself, counting.
    pub(crate) fn security_key() -> Self {
        Self { flags: UP | UV, counter: 1, transports: vec!["usb"], ..Self::new() }
    }

    /// What `create()` and `toJSON()` give.
    pub(crate) fn create(&mut self, challenge: &Challenge) -> Value {
        let user = challenge.options["user"]["id"].as_str().unwrap();
        self.user_handle = Some(BASE64.decode(user).unwrap());
        let public_key =
            self.public_key.clone().unwrap_or_else(|| self.key.public_key().to_cose_key().to_vec().unwrap());
        let id_length = u16::try_from(self.id.len()).unwrap().to_be_bytes();
        let credential = [&self.aaguid[..], &id_length, &self.id, &public_key].concat();
        let data = self.authenticator_data(AT, &credential);
        let object = BTreeMap::from([
            (Cbor::Text("fmt".to_owned()), Cbor::Text("none".to_owned())),
            (Cbor::Text("attStmt".to_owned()), Cbor::Map(BTreeMap::new())),
            (Cbor::Text("authData".to_owned()), Cbor::Bytes(data)),
        ]);
        let object = serde_cbor_2::to_vec(&Cbor::Map(object)).unwrap();
        let client_data = self.client_data("webauthn.create", challenge);
        json!({
            "id": BASE64.encode(&self.id),
            "rawId": BASE64.encode(&self.id),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": { "credProps": { "rk": true } },
            "response": {
                "attestationObject": BASE64.encode(object),
                "clientDataJSON": BASE64.encode(client_data),
                "transports": self.transports,
            },
        })
    }

    /// What `get()` and `toJSON()` give.
    pub(crate) fn get(&mut self, challenge: &Challenge) -> Value {
        let client_data = self.client_data("webauthn.get", challenge);
        let data = self.authenticator_data(0, &[]);
        let signed = [&data[..], &Sha256::digest(&client_data)].concat();
        json!({
            "id": BASE64.encode(&self.id),
            "rawId": BASE64.encode(&self.id),
            "type": "public-key",
            "authenticatorAttachment": "platform",
            "clientExtensionResults": {},
            "response": {
                "authenticatorData": BASE64.encode(data),
                "clientDataJSON": BASE64.encode(client_data),
                "signature": BASE64.encode(self.key.sign(&signed)),
                "userHandle": self.user_handle.as_ref().map(|handle| BASE64.encode(handle)),
            },
        })
    }

    fn authenticator_data(&mut self, more_flags: u8, credential: &[u8]) -> Vec<u8> {
        let counter = self.counter.to_be_bytes();
        self.counter += u32::from(self.counter > 0);
        let rp_id_hash = Sha256::digest(self.rp_id.as_bytes());
        [&rp_id_hash[..], &[self.flags | more_flags], &counter, credential].concat()
    }

    fn client_data(&self, kind: &str, challenge: &Challenge) -> Vec<u8> {
        let mut data = json!({
            "type": kind,
            "challenge": challenge.options["challenge"],
            "origin": self.origin,
            "crossOrigin": false,
            "other_keys_can_be_added_here": "do not compare clientDataJSON against a template",
        });
        for (key, value) in self.client_data.as_object().unwrap() {
            data[key] = value.clone();
        }
        data.to_string().into_bytes()
    }
}

/// Changes one byte of a field of the response.
pub(super) fn flip(answer: &mut Value, field: &str, at: usize) {
    let mut bytes = BASE64.decode(answer["response"][field].as_str().unwrap()).unwrap();
    let at = at % bytes.len();
    bytes[at] ^= 1;
    answer["response"][field] = Value::String(BASE64.encode(bytes));
}
