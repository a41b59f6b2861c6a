//! A device with one passkey, and the browser that asks it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use passkey::crypto::coset::CborSerializable;
use passkey::crypto::rust_crypto::{RustCryptoBackend, RustCryptoSecretKey};
use passkey::crypto::{CryptoBackend, PublicKeyT, SecretKeyT, iana};
use serde_cbor_2::Value as Cbor;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Present, verified, and synced.
const FLAGS: u8 = 0b0001_1101;
const HAS_CREDENTIAL: u8 = 0b0100_0000;

/// A synced passkey manager for one origin.
pub(crate) struct Device {
    pub(crate) key: RustCryptoSecretKey,
    origin: String,
    rp_id: String,
    /// What it calls its passkey.
    pub(crate) id: [u8; 32],
    user_handle: Value,
}

impl Device {
    /// For an origin whose host is the relying party.
    pub(crate) fn new(origin: &str) -> Self {
        let url = url::Url::parse(origin).expect("an origin is a URL");
        let mut id = [0; 32];
        getrandom::fill(&mut id).expect("chance");
        Self {
            key: RustCryptoBackend.generate_key(iana::Algorithm::ES256).expect("a key"),
            origin: origin.to_owned(),
            rp_id: url.host_str().unwrap_or_default().to_owned(),
            id,
            user_handle: Value::Null,
        }
    }

    /// What `create()` and `toJSON()` give.
    pub(crate) fn create(&mut self, options: &Value) -> Value {
        self.user_handle = options["user"]["id"].clone();
        let key = self.key.public_key().to_cose_key().to_vec().expect("CBOR");
        let data = [&self.data(FLAGS | HAS_CREDENTIAL)[..], &[0; 16], &[0, 32], &self.id, &key].concat();
        let object = Cbor::Map(
            [
                ("fmt", Cbor::Text("none".to_owned())),
                ("attStmt", Cbor::Map(Default::default())),
                ("authData", Cbor::Bytes(data)),
            ]
            .map(|(name, value)| (Cbor::Text(name.to_owned()), value))
            .into(),
        );
        self.answer(json!({
            "attestationObject": BASE64.encode(serde_cbor_2::to_vec(&object).expect("CBOR")),
            "clientDataJSON": BASE64.encode(self.client_data("webauthn.create", options)),
            "transports": ["internal"],
        }))
    }

    /// What `get()` and `toJSON()` give.
    pub(crate) fn get(&mut self, options: &Value) -> Value {
        let (data, client_data) = (self.data(FLAGS), self.client_data("webauthn.get", options));
        let signature = self.key.sign(&[&data[..], &Sha256::digest(&client_data)].concat());
        self.answer(json!({
            "authenticatorData": BASE64.encode(data),
            "clientDataJSON": BASE64.encode(client_data),
            "signature": BASE64.encode(signature),
            "userHandle": self.user_handle,
        }))
    }

    fn data(&self, flags: u8) -> Vec<u8> {
        [&Sha256::digest(&self.rp_id)[..], &[flags, 0, 0, 0, 0]].concat()
    }

    fn client_data(&self, kind: &str, options: &Value) -> String {
        json!({ "type": kind, "challenge": options["challenge"], "origin": self.origin }).to_string()
    }

    fn answer(&self, response: Value) -> Value {
        let id = BASE64.encode(self.id);
        json!({ "id": id, "rawId": id, "type": "public-key", "clientExtensionResults": {}, "response": response })
    }
}
