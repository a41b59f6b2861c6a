//! Signed requests (RFC 8555 §6.2), checked.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::hmac;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::{Value, json};

/// A request whose signature fits the key.
pub(super) struct Signed {
    pub(super) nonce: String,
    pub(super) url: String,
    /// The account by its address, if it is not by its key.
    pub(super) account: Option<String>,
    /// The key it is signed with, if it has it.
    pub(super) key: Option<Key>,
    /// None for a `POST-as-GET`.
    pub(super) payload: Option<Value>,
    signed: String,
    signature: Vec<u8>,
}

/// A public key of P-256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    x: String,
    y: String,
}

fn decoded(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

pub(super) fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Signed {
    pub(super) fn read(body: &[u8]) -> Self {
        let body: Value = serde_json::from_slice(body).unwrap();
        let text = |key: &str| body[key].as_str().unwrap().to_owned();
        let header: Value = serde_json::from_slice(&decoded(&text("protected"))).unwrap();
        assert_eq!(header["alg"], "ES256");
        let payload = decoded(&text("payload"));
        let part = |key: &str| header["jwk"][key].as_str().map(str::to_owned);
        Self {
            nonce: header["nonce"].as_str().unwrap().to_owned(),
            url: header["url"].as_str().unwrap().to_owned(),
            account: header["kid"].as_str().map(str::to_owned),
            key: part("x").zip(part("y")).map(|(x, y)| Key { x, y }),
            payload: (!payload.is_empty()).then(|| serde_json::from_slice(&payload).unwrap()),
            signed: format!("{}.{}", text("protected"), text("payload")),
            signature: decoded(&text("signature")),
        }
    }

    pub(super) fn is_by(&self, key: &Key) -> bool {
        let point = [&[4], &decoded(&key.x)[..], &decoded(&key.y)[..]].concat();
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
        key.verify(self.signed.as_bytes(), &self.signature).is_ok()
    }

    /// Whether this binds its key to the account `id`, whose secret is known (RFC 8555 §7.3.4).
    pub(super) fn binds(&self, binding: &Value, id: &str, secret: &[u8]) -> bool {
        let text = |key: &str| binding[key].as_str().unwrap_or_default();
        let part = |key: &str| serde_json::from_slice::<Value>(&decoded(text(key))).unwrap_or_default();
        let (header, jwk, key) = (part("protected"), part("payload"), self.key.as_ref().unwrap());
        let signed = format!("{}.{}", text("protected"), text("payload"));
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
        (header["alg"].as_str(), header["kid"].as_str()) == (Some("HS256"), Some(id))
            && header["url"] == self.url
            && (jwk["x"].as_str(), jwk["y"].as_str()) == (Some(&*key.x), Some(&*key.y))
            && hmac::verify(&secret, signed.as_bytes(), &decoded(text("signature"))).is_ok()
    }

    pub(super) fn bytes(&self, key: &str) -> Vec<u8> {
        decoded(self.payload.as_ref().unwrap()[key].as_str().unwrap())
    }
}

impl Key {
    /// RFC 7638.
    pub(super) fn thumbprint(&self) -> String {
        let canonical = json!({ "crv": "P-256", "kty": "EC", "x": self.x, "y": self.y }).to_string();
        encoded(digest(&SHA256, canonical.as_bytes()).as_ref())
    }
}
