//! A web server on a port of its own that answers as a forum of ours says, and keeps what it was asked.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::domain::{Clock, ManualClock, Timestamp};

/// A request, as a forum in PHP or Python sees it.
#[derive(Clone, Debug, Default)]
pub(super) struct Call {
    pub(super) method: String,
    /// Path and query.
    pub(super) target: String,
    pub(super) headers: HashMap<String, String>,
    pub(super) cookies: HashMap<String, String>,
    pub(super) form: Vec<(String, String)>,
    /// The body as it came.
    pub(super) raw: String,
    pub(super) now: Timestamp,
}

impl Call {
    pub(super) fn is_post(&self) -> bool {
        self.method == "POST"
    }

    pub(super) fn path(&self) -> &str {
        self.target.split('?').next().unwrap()
    }

    pub(super) fn asks(&self, part: &str) -> bool {
        self.target.contains(part)
    }

    /// A field of the form; of a name sent twice the last, as in PHP.
    pub(super) fn field(&self, name: &str) -> &str {
        self.form.iter().rfind(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(super) fn cookie(&self, name: &str) -> &str {
        self.cookies.get(name).map_or("", String::as_str)
    }

    /// Where the visitor is, for a forum that was told of its proxy.
    pub(super) fn address(&self) -> &str {
        self.header("x-forwarded-for")
    }

    pub(super) fn seconds(&self) -> u64 {
        self.now.as_millis() / 1000
    }
}

/// What it answers.
#[derive(Debug)]
pub(super) struct Reply(http::Response<Full<Bytes>>, String);

impl Reply {
    pub(super) fn page(body: impl Into<String>) -> Self {
        let body = body.into();
        Self(http::Response::new(Full::new(body.clone().into())), body)
            .with("content-type", "text/html; charset=utf-8")
    }

    pub(super) fn text(&self) -> &str {
        &self.1
    }

    pub(super) fn to(location: &str) -> Self {
        Self::page("").status(302).with("location", location)
    }

    pub(super) fn status(mut self, status: u16) -> Self {
        *self.0.status_mut() = status.try_into().unwrap();
        self
    }

    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.0.headers_mut().insert(name, value.parse().unwrap());
        self
    }

    pub(super) fn cookie(mut self, field: impl AsRef<str>) -> Self {
        self.0.headers_mut().append("set-cookie", field.as_ref().parse().unwrap());
        self
    }
}

/// A forum.
pub(super) type Fake = Box<dyn FnMut(&Call) -> Reply + Send>;

/// A forum on its port.
#[derive(Clone)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) clock: Arc<ManualClock>,
    calls: watch::Sender<Vec<Call>>,
    fake: Arc<Mutex<Fake>>,
}

impl Server {
    pub(super) async fn start(fake: Fake) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_795_327_200_000)));
        let address = listener.local_addr().unwrap();
        let calls = watch::Sender::new(Vec::new());
        let server = Self { address, clock, calls, fake: Arc::new(Mutex::new(fake)) };
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let server = serving.clone();
                let service = service_fn(move |request| server.clone().answer(request));
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        server
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        self.calls.borrow().clone()
    }

    /// Waits until what it was asked is as it should be.
    pub(super) async fn wait_for(&self, are_right: impl Fn(&[Call]) -> bool) {
        let mut calls = self.calls.subscribe();
        let waiting = calls.wait_for(|calls| are_right(calls));
        let come = tokio::time::timeout(Duration::from_secs(20), waiting).await.is_ok();
        assert!(come, "waited in vain: {:#?}", self.calls());
    }

    pub(super) fn posts(&self) -> usize {
        self.calls().iter().filter(|call| call.is_post()).count()
    }

    async fn answer(
        self,
        request: http::Request<Incoming>,
    ) -> Result<http::Response<Full<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers: HashMap<String, String> =
            head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        let cookies = headers.get("cookie").map(String::as_str).unwrap_or_default().split("; ");
        let call = Call {
            method: head.method.to_string(),
            target: head.uri.to_string(),
            cookies: cookies
                .filter_map(|pair| pair.split_once('='))
                .map(|(n, v)| (n.into(), v.into()))
                .collect(),
            form: form_urlencoded::parse(&body).into_owned().collect(),
            raw: String::from_utf8_lossy(&body).into_owned(),
            now: self.clock.now(),
            headers,
        };
        let reply = (self.fake.lock().unwrap())(&call);
        self.calls.send_modify(|calls| calls.push(call));
        Ok(reply.0)
    }
}
