//! Making an account with an authority, by a key that lies on the disk before anybody is asked (RFC 8555 §7.3).
//!
//! Whoever asks again with the same key gets the same account. `instant-acme` makes key and account in one step: a process that
//! ended in between had lost the account, and with it the way to another one at authorities that take an account of theirs
//! once only (§7.3.4). So this one request is signed here; all others are the library's.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, LOCATION};
use http::{Method, Request};
use instant_acme::{BodyWrapper, Error, HttpClient, Problem};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::authority::Authority;
use super::{AcmeOptions, ExternalAccount};

/// How many nonces may be refused (RFC 8555 §6.5).
const MOST_REFUSED: usize = 3;

/// Where an authority is asked for what (RFC 8555 §7.1.1).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Directory {
    new_nonce: String,
    new_account: String,
}

/// A new private key, in PKCS #8.
///
/// # Errors
/// If the system has no randomness.
pub(super) fn new_key() -> Result<Zeroizing<Vec<u8>>, Error> {
    let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
    made.map(|key| Zeroizing::new(key.as_ref().to_vec())).map_err(|_| Error::Crypto)
}

/// Where the account of this key is; it is made if there is none.
///
/// # Errors
/// The authority's, or that there is none to be spoken with.
pub(super) async fn register(
    options: &AcmeOptions,
    authority: &Authority,
    contact: &[String],
    key: &[u8],
) -> Result<String, Error> {
    let random = SystemRandom::new();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, key, &random);
    let pair = pair.map_err(|_| Error::KeyRejected)?;
    let (_, text) = ask(authority, Method::GET, options.directory.as_str(), Vec::new()).await?;
    let Directory { new_nonce, new_account: url } = serde_json::from_slice(&text)?;
    let jwk = public(&pair);
    let mut payload = json!({ "termsOfServiceAgreed": true, "contact": contact });
    if let Some(external) = &options.external_account {
        payload["externalAccountBinding"] = bound(external, &url, &jwk);
    }
    let mut refused = 0;
    loop {
        let (fields, _) = ask(authority, Method::HEAD, &new_nonce, Vec::new()).await?;
        let nonce = text_of(&fields, "replay-nonce").ok_or("there is no nonce")?;
        let header = json!({ "alg": "ES256", "jwk": jwk, "nonce": nonce, "url": url });
        let sign = |bytes: &[u8]| Some(pair.sign(&random, bytes).ok()?.as_ref().to_vec());
        let request = signed(&header, &payload, sign).ok_or(Error::Crypto)?;
        match ask(authority, Method::POST, &url, request.to_string().into_bytes()).await {
            Err(Error::Api(problem)) if is_nonce(&problem) && refused < MOST_REFUSED => refused += 1,
            Err(error) => return Err(error),
            Ok((fields, _)) => {
                return Ok(text_of(&fields, LOCATION.as_str()).ok_or("it does not say where the account is")?);
            }
        }
    }
}

/// Asks once; what is no success is the authority's error.
async fn ask(
    authority: &Authority,
    method: Method,
    url: &str,
    body: Vec<u8>,
) -> Result<(HeaderMap, Bytes), Error> {
    let request = Request::builder().method(method).uri(url).header(CONTENT_TYPE, "application/jose+json");
    let mut answer = authority.request(request.body(BodyWrapper::from(body))?).await?;
    let text = answer.body.into_bytes().await.map_err(Error::Other)?;
    if answer.parts.status.is_success() {
        return Ok((answer.parts.headers, text));
    }
    Err(serde_json::from_slice::<Problem>(&text)?.into())
}

fn text_of(fields: &HeaderMap, name: &str) -> Option<String> {
    fields.get(name)?.to_str().ok().map(str::to_owned)
}

fn is_nonce(problem: &Problem) -> bool {
    problem.r#type.as_deref() == Some("urn:ietf:params:acme:error:badNonce")
}

/// A signed text (RFC 7515 §7.2.2).
fn signed(header: &Value, payload: &Value, sign: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Option<Value> {
    let [header, payload] = [header, payload].map(|part| encoded(part.to_string()));
    let signature = encoded(sign(format!("{header}.{payload}").as_bytes())?);
    Some(json!({ "protected": header, "payload": payload, "signature": signature }))
}

/// The public half of a key (RFC 7518 §6.2.1).
fn public(pair: &EcdsaKeyPair) -> Value {
    // A point that is not compressed: 4, and its two numbers (SEC 1 §2.3.3).
    let point = pair.public_key().as_ref().split_first().map(|(_, point)| point).unwrap_or_default();
    let (x, y) = point.split_at(point.len() / 2);
    json!({ "kty": "EC", "crv": "P-256", "x": encoded(x), "y": encoded(y) })
}

/// That the account of this key is to be one with that of the authority's own (RFC 8555 §7.3.4).
fn bound(external: &ExternalAccount, url: &str, jwk: &Value) -> Value {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, external.key.expose());
    let header = json!({ "alg": "HS256", "kid": external.id, "url": url });
    signed(&header, jwk, |bytes| Some(ring::hmac::sign(&key, bytes).as_ref().to_vec())).unwrap_or_default()
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
