//! The authority's answers.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, KeyPair, SanType, date_time_ymd};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::book::{Account, Order, Proof};
use super::jws::{Key, Signed};
use super::{Desk, Fault, proof};
use crate::support::tls::Holds;

/// An answer: status, further fields, body.
type Answer = (u16, Vec<(&'static str, String)>, Vec<u8>);

pub(super) async fn serve(listener: TcpListener, desk: Arc<Desk>) {
    let acceptor = desk.authority.acceptor("localhost", Holds::ForLong, None);
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, desk) = (acceptor.clone(), Arc::clone(&desk));
        tokio::spawn(async move {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let service = service_fn(move |request| {
                let desk = Arc::clone(&desk);
                async move { Ok::<_, Infallible>(desk.answer(request).await) }
            });
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

fn problem(status: u16, kind: &str, detail: &str) -> Answer {
    let body =
        json!({ "type": format!("urn:ietf:params:acme:error:{kind}"), "detail": detail, "status": status });
    (status, Vec::new(), body.to_string().into_bytes())
}

fn document(status: u16, body: &Value) -> Answer {
    (status, Vec::new(), body.to_string().into_bytes())
}

impl Desk {
    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }

    fn fault(&self) -> Option<Fault> {
        self.habits.lock().unwrap().fault.clone()
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        self.book.lock().unwrap().requests.push(format!("{method} {path}"));
        self.changed.send_replace(());
        let (status, fields, body) = match self.fault() {
            Some(Fault::Silent) => std::future::pending().await,
            Some(Fault::Endless) => (200, Vec::new(), vec![b' '; 4 * 1024 * 1024]),
            Some(Fault::Redirect(to)) => (307, vec![("Location", to)], Vec::new()),
            _ => {
                let body = request.into_body().collect().await.unwrap().to_bytes();
                self.route(&method, &path, &body).await
            }
        };
        let mut response = Response::builder().status(StatusCode::from_u16(status).unwrap());
        for (name, value) in fields {
            response = response.header(name, value);
        }
        let nonce = self.book.lock().unwrap().nonce();
        self.changed.send_replace(());
        response.header("Replay-Nonce", nonce).body(Full::from(body)).unwrap()
    }

    async fn route(&self, method: &Method, path: &str, body: &[u8]) -> Answer {
        if *method != Method::POST {
            return match path.strip_prefix("/ari/") {
                Some(_) => self.renewal_info(),
                None if path == "/directory" => document(200, &self.directory()),
                None => (200, Vec::new(), Vec::new()),
            };
        }
        let signed = Signed::read(body);
        assert_eq!(signed.url, self.url(path), "what is signed is for another address");
        let is_known = self.book.lock().unwrap().nonces.remove(&signed.nonce);
        let is_refused = {
            let mut habits = self.habits.lock().unwrap();
            let is_refused = habits.bad_nonces > 0;
            habits.bad_nonces = habits.bad_nonces.saturating_sub(1);
            is_refused
        };
        if !is_known || is_refused {
            return problem(400, "badNonce", "that nonce is not one of mine");
        }
        let parts: Vec<_> = path.split('/').skip(1).collect();
        if parts == ["new-account"] {
            let answer = self.new_account(&signed);
            if self.fault() == Some(Fault::Unheard) {
                self.changed.send_replace(());
                std::future::pending::<()>().await;
            }
            return answer;
        }
        let account = match self.account(&signed) {
            Ok(account) => account,
            Err(answer) => return answer,
        };
        let number = |at: usize| parts[at].parse::<usize>().unwrap();
        match parts[..] {
            ["account", _] => self.change_contact(account, &signed),
            ["new-order"] => self.new_order(&signed),
            ["order", _] => self.order(number(1)),
            ["proof", _, _] => self.proof(number(1), number(2)),
            ["challenge", _, _, kind] => self.challenge(account, number(1), number(2), kind).await,
            ["finalize", _] => self.finalize(number(1), &signed),
            ["certificate", _] => {
                let chain = self.book.lock().unwrap().orders[number(1)].chain.clone().unwrap();
                (200, Vec::new(), chain.into_bytes())
            }
            _ => problem(404, "malformed", "there is no such thing"),
        }
    }

    fn directory(&self) -> Value {
        let at = |path: &str| match self.fault() {
            Some(Fault::Elsewhere(url)) => url,
            _ => self.url(path),
        };
        let mut directory = json!({
            "newNonce": at("/new-nonce"), "newAccount": at("/new-account"), "newOrder": at("/new-order"),
            "revokeCert": at("/revoke"), "keyChange": at("/key-change"),
        });
        if self.habits.lock().unwrap().window.is_some() {
            directory["renewalInfo"] = at("/ari").into();
        }
        directory
    }

    fn renewal_info(&self) -> Answer {
        let (start, end) = self.habits.lock().unwrap().window.unwrap();
        let window = json!({ "suggestedWindow": { "start": start.to_string(), "end": end.to_string() } });
        (200, vec![("Retry-After", "21600".to_owned())], window.to_string().into_bytes())
    }

    fn new_account(&self, signed: &Signed) -> Answer {
        let key = signed.key.clone().unwrap();
        assert!(signed.is_by(&key), "the signature does not fit");
        let payload = signed.payload.as_ref().unwrap();
        assert_eq!(payload["termsOfServiceAgreed"], true);
        let mut book = self.book.lock().unwrap();
        let known = book.accounts.iter().position(|account| account.key == key);
        if known.is_none() {
            let external = self.habits.lock().unwrap().external;
            if let Some((id, secret)) = external {
                let binding = &payload["externalAccountBinding"];
                if book.is_bound || !signed.binds(binding, id, secret) {
                    return problem(403, "unauthorized", "that account of ours is not yours to use");
                }
                book.is_bound = true;
            }
            book.accounts.push(Account { key, contact: contact(payload), is_good: true });
        }
        let location = self.url(&format!("/account/{}", known.unwrap_or(book.accounts.len() - 1)));
        let status = if known.is_some() { 200 } else { 201 };
        (status, vec![("Location", location)], json!({ "status": "valid" }).to_string().into_bytes())
    }

    /// Whose request it is.
    fn account(&self, signed: &Signed) -> Result<usize, Answer> {
        let book = self.book.lock().unwrap();
        let url = signed.account.clone().unwrap();
        let number = url.rsplit('/').next().unwrap().parse::<usize>().unwrap();
        let Some(account) = book.accounts.get(number) else {
            return Err(problem(400, "accountDoesNotExist", "who is that?"));
        };
        assert!(signed.is_by(&account.key), "the signature does not fit");
        if account.is_good {
            Ok(number)
        } else {
            Err(problem(403, "unauthorized", "the account is deactivated"))
        }
    }

    fn change_contact(&self, account: usize, signed: &Signed) -> Answer {
        let contact = contact(signed.payload.as_ref().unwrap());
        self.book.lock().unwrap().accounts[account].contact = contact;
        document(200, &json!({ "status": "valid" }))
    }

    fn new_order(&self, signed: &Signed) -> Answer {
        match self.fault() {
            Some(Fault::TooMany(seconds)) => {
                let (status, _, body) = problem(429, "rateLimited", "too many certificates already");
                return (status, vec![("Retry-After", seconds.to_string())], body);
            }
            Some(Fault::Words(words)) => return problem(500, "serverInternal", &words),
            _ => {}
        }
        let payload = signed.payload.as_ref().unwrap();
        let mut book = self.book.lock().unwrap();
        let number = book.orders.len();
        let token = match self.fault() {
            Some(Fault::Token(token)) => token,
            _ => format!("token_{number}"),
        };
        let names = payload["identifiers"].as_array().unwrap().iter();
        let proofs = names.enumerate().map(|(at, identifier)| Proof {
            name: identifier["value"].as_str().unwrap().to_owned(),
            token: if at == 0 { token.clone() } else { format!("{token}-{at}") },
            kind: None,
            error: None,
            status: "pending",
        });
        let replaces = payload["replaces"].as_str().map(str::to_owned);
        let proofs = proofs.collect();
        book.orders.push(Order { proofs, status: "pending", replaces, chain: None, certificate: None });
        drop(book);
        let (_, _, body) = self.order(number);
        (201, vec![("Location", self.url(&format!("/order/{number}")))], body)
    }

    fn order(&self, number: usize) -> Answer {
        let mut book = self.book.lock().unwrap();
        let Some(order) = book.orders.get_mut(number) else {
            return problem(404, "malformed", "there is no such order");
        };
        if order.status == "processing" && self.fault() != Some(Fault::Slow) {
            order.status = "valid";
        }
        let proofs: Vec<_> =
            (0..order.proofs.len()).map(|at| self.url(&format!("/proof/{number}/{at}"))).collect();
        let mut document_ = json!({
            "status": order.status, "authorizations": proofs, "replaces": order.replaces,
            "finalize": self.url(&format!("/finalize/{number}")),
        });
        if order.status == "valid" {
            document_["certificate"] = self.url(&format!("/certificate/{number}")).into();
        }
        document(200, &document_)
    }

    fn proof(&self, number: usize, at: usize) -> Answer {
        let book = self.book.lock().unwrap();
        let proof = &book.orders[number].proofs[at];
        let kinds = self.habits.lock().unwrap().kinds.clone();
        let challenges: Vec<_> =
            kinds.iter().map(|kind| self.challenge_of(proof, number, at, kind)).collect();
        document(
            200,
            &json!({
                "status": proof.status, "challenges": challenges,
                "identifier": { "type": "dns", "value": proof.name },
            }),
        )
    }

    fn challenge_of(&self, proof: &Proof, number: usize, at: usize, kind: &str) -> Value {
        let is_it = proof.kind == Some(kind);
        let mut challenge = json!({
            "type": kind, "token": proof.token, "status": if is_it { proof.status } else { "pending" },
            "url": self.url(&format!("/challenge/{number}/{at}/{kind}")),
        });
        if let Some(error) = proof.error.as_ref().filter(|_| is_it) {
            challenge["error"] = json!({ "type": "urn:ietf:params:acme:error:connection", "detail": error });
        }
        challenge
    }

    async fn challenge(&self, account: usize, number: usize, at: usize, kind: &str) -> Answer {
        let (Proof { name, token, .. }, key) = {
            let book = self.book.lock().unwrap();
            (book.orders[number].proofs[at].clone(), book.accounts[account].key.clone())
        };
        let kind = *["http-01", "tls-alpn-01"].iter().find(|known| **known == kind).unwrap();
        let outcome = self.look(kind, &name, &token, &key).await;
        let mut book = self.book.lock().unwrap();
        let order = &mut book.orders[number];
        let proof = &mut order.proofs[at];
        (proof.kind, proof.error) = (Some(kind), outcome.err());
        proof.status = if proof.error.is_none() { "valid" } else { "invalid" };
        // RFC 8555 §7.5.1: the answer tells of the challenge as it was taken; what came of it is for whoever asks again.
        let taken = Proof { status: "processing", error: None, ..proof.clone() };
        let challenge = self.challenge_of(&taken, number, at, kind);
        order.judge();
        document(200, &challenge)
    }

    async fn look(&self, kind: &str, name: &str, token: &str, key: &Key) -> Result<(), String> {
        let wanted = format!("{token}.{}", key.thumbprint());
        let [in_the_clear, over_tls] = *self.names_at.lock().unwrap();
        let nowhere = || "the name leads nowhere".to_owned();
        match kind {
            "http-01" => proof::in_the_clear(in_the_clear.ok_or_else(nowhere)?, name, token, &wanted).await,
            _ => proof::in_the_handshake(over_tls.ok_or_else(nowhere)?, name, &wanted).await,
        }
    }

    fn finalize(&self, number: usize, signed: &Signed) -> Answer {
        let request = signed.bytes("csr");
        let mut book = self.book.lock().unwrap();
        let order = &mut book.orders[number];
        if order.status != "ready" {
            return problem(403, "orderNotReady", "not yet");
        }
        let habits = self.habits.lock().unwrap().clone();
        let request = match habits.fault {
            Some(Fault::OfAnotherKey) => {
                let names: Vec<_> = order.proofs.iter().map(|proof| proof.name.clone()).collect();
                let params = CertificateParams::new(names).unwrap();
                params.serialize_request(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
            }
            _ => request,
        };
        let (chain, certificate) = self.authority.sign(&request, |params| {
            params.not_before = date_time_ymd(1970, 1, 1) + Duration::from_millis(habits.begin.as_millis());
            params.not_after = params.not_before + habits.lifetime;
            if habits.fault == Some(Fault::ForSomebodyElse) {
                params.subject_alt_names = vec![SanType::DnsName("other.example".try_into().unwrap())];
            }
        });
        (order.chain, order.certificate) = (Some(chain), Some(certificate));
        order.status = "processing";
        drop(book);
        self.order(number)
    }
}

fn contact(payload: &Value) -> Vec<String> {
    let all = payload["contact"].as_array().into_iter().flatten();
    all.map(|address| address.as_str().unwrap().to_owned()).collect()
}
