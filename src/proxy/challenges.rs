//! What an authority asks for in the clear before it gives a certificate: `http-01` of ACME (RFC 8555 §8.3). Which answers there
//! are says whoever orders certificates; here they are handed out, each at its one address and nowhere else.
//!
//! SECURITY: WEB-09. Only a `GET` of exactly that address, under exactly the name in question, without TLS, is answered; anything
//! near it is a request like others.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Response};

use super::Gateway;
use crate::domain::Host;

const FOLDER: &str = "/.well-known/acme-challenge/";

/// The answers that authorities may ask for now.
#[derive(Debug, Default)]
pub struct HttpChallenges(ArcSwap<HashMap<String, Answer>>);

#[derive(Clone, Debug)]
struct Answer {
    host: Host,
    text: String,
}

impl Gateway {
    /// The answers that it hands out, for whoever orders certificates.
    pub fn challenges(&self) -> Arc<HttpChallenges> {
        Arc::clone(&self.challenges)
    }
}

impl HttpChallenges {
    /// From now on `text` is answered to whoever asks `host` for `token`.
    pub fn offer(&self, host: Host, token: &str, text: &str) {
        let answer = Answer { host, text: text.to_owned() };
        self.0.rcu(|all| {
            let mut all = HashMap::clone(all);
            all.insert(token.to_owned(), answer.clone());
            all
        });
    }

    /// From now on nothing is answered.
    pub fn clear(&self) {
        self.0.store(Arc::default());
    }

    /// The answer to a request, if it is one of these. `target` is what stands in its first line.
    pub(super) fn answer(&self, method: &Method, host: &Host, target: &[u8]) -> Option<Response<Bytes>> {
        let token = std::str::from_utf8(target).ok()?.strip_prefix(FOLDER)?;
        let all = self.0.load();
        let answer = all.get(token).filter(|answer| *method == Method::GET && answer.host == *host)?;
        let mut response = Response::new(Bytes::from(answer.text.clone()));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        Some(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn web_09_only_the_exact_token_of_the_exact_name_is_answered() {
        let challenges = HttpChallenges::default();
        let host = Host::parse("forum.example").unwrap();
        let asked = |method: &Method, host: &str, target: &str| {
            let answer = challenges.answer(method, &Host::parse(host).unwrap(), target.as_bytes());
            answer.map(|answer| answer.into_body())
        };
        let address = "/.well-known/acme-challenge/Ab_-9";
        assert_eq!(asked(&Method::GET, "forum.example", address), None);
        challenges.offer(host, "Ab_-9", "Ab_-9.thumbprint");
        assert_eq!(asked(&Method::GET, "forum.example:80", address).unwrap(), "Ab_-9.thumbprint");
        for (method, host, target) in [
            (Method::HEAD, "forum.example", address),
            (Method::POST, "forum.example", address),
            (Method::GET, "www.forum.example", address),
            (Method::GET, "forum.example", "/.well-known/acme-challenge/"),
            (Method::GET, "forum.example", "/.well-known/acme-challenge/ab_-9"),
            (Method::GET, "forum.example", "/.well-known/acme-challenge/Ab_-9/"),
            (Method::GET, "forum.example", "/.well-known/acme-challenge/Ab_-9?x"),
            (Method::GET, "forum.example", "/.well-known/acme-challenge//Ab_-9"),
            (Method::GET, "forum.example", "/.well-known/acme-challenge/../acme-challenge/Ab_-9"),
            (Method::GET, "forum.example", "/.well-known/acme-challenge/%41b_-9"),
            (Method::GET, "forum.example", "/.well-known/acme-challenge/Ab_-"),
            (Method::GET, "forum.example", "//.well-known/acme-challenge/Ab_-9"),
            (Method::GET, "forum.example", "http://forum.example/.well-known/acme-challenge/Ab_-9"),
        ] {
            assert_eq!(asked(&method, host, target), None, "{method} {host} {target}");
        }
        challenges.clear();
        assert_eq!(asked(&Method::GET, "forum.example", address), None);
    }
}
