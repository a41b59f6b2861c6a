//! The admin listener: `/health`, `/ready`, `/metrics`, for the machine's operator alone. Never on the public port
//! (SECURITY: OPS-08, P4). Exact paths, no state changes, nothing about members.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

use super::{Acme, Stopping, Tls};
use crate::auth::Sessions;
use crate::auth::mail::MailQueue;
use crate::auth::throttle::Throttle;
use crate::proxy::{Gateway, Metrics};
use crate::store::Store;
use crate::web::PasskeyCounts;

/// What the admin listener looks at.
pub struct Admin {
    /// For the upstreams in force.
    pub gateway: Arc<Gateway>,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// And those of passkeys.
    pub passkey_counts: Arc<PasskeyCounts>,
    /// And those of what it refused.
    pub throttle: Arc<Throttle>,
    /// And those of mails.
    pub mail: Arc<MailQueue>,
    /// And when certificates run out; none without TLS of our own.
    pub tls: Option<Arc<Tls>>,
    /// And how often they did not come.
    pub acme: Option<Arc<Acme>>,
    /// For their number.
    pub sessions: Arc<Sessions>,
    /// For its health.
    pub store: Arc<dyn Store>,
}

impl Admin {
    async fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return text(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
        }
        match request.uri().path() {
            "/health" => text(StatusCode::OK, "alive\n"),
            "/ready" => self.ready().await,
            "/metrics" => match self.metrics.render(self.sessions.count()) {
                Ok(metrics) => text(
                    StatusCode::OK,
                    [
                        metrics,
                        self.gateway.rules().upstreams.exposition(),
                        self.passkey_counts.exposition(),
                        self.throttle.exposition(),
                        self.mail.exposition(),
                        self.tls.as_ref().map(|tls| tls.exposition()).unwrap_or_default(),
                        self.acme.as_ref().map(|acme| acme.exposition()).unwrap_or_default(),
                        self.store_exposition(),
                    ]
                    .concat(),
                ),
                Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
            },
            _ => text(StatusCode::NOT_FOUND, "there are /health, /ready and /metrics\n"),
        }
    }

    fn store_exposition(&self) -> String {
        let (name, writes) = ("passgate_store_writes", u8::from(self.store.health().is_ok()));
        format!(
            "# HELP {name} Whether the store takes writes: 1, or 0.\n# TYPE {name} gauge\n{name} {writes}\n"
        )
    }

    async fn ready(&self) -> Response<Full<Bytes>> {
        if let Err(error) = self.store.health() {
            return text(StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n"));
        }
        if self.tls.as_ref().is_some_and(|tls| tls.has_no_certificate()) {
            return text(StatusCode::SERVICE_UNAVAILABLE, "no certificate has come yet\n");
        }
        // Whoever has a password or a passkey gets in without a mail, and an application that a part of the site needs is not the site.
        let (is_ready, mut lacking) = self.gateway.rules().upstreams.readiness().await;
        if !is_ready {
            return text(StatusCode::SERVICE_UNAVAILABLE, "the upstream can't be reached\n");
        }
        lacking.extend(self.mail.is_stuck());
        match lacking.is_empty() {
            true => text(StatusCode::OK, "ready\n"),
            false => text(StatusCode::OK, format!("ready, but {}\n", lacking.join("; "))),
        }
    }
}

/// Serves until stopping begins.
pub async fn serve_admin(listener: TcpListener, admin: Arc<Admin>, stopping: Stopping) {
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => {
                    // Out of descriptors or memory: accepting again at once would only spin.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = stopping.begins() => return,
        };
        let admin = Arc::clone(&admin);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let admin = Arc::clone(&admin);
                async move { Ok::<_, Infallible>(admin.answer(&request).await) }
            });
            // A scraper that goes away is no event.
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let plain = http::HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(http::header::CONTENT_TYPE, plain);
    response
}
