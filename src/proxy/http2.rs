//! HTTP/2 from members: its limits, and each request brought into the form in which one of HTTP/1.1 comes, before anything
//! is read in it. From there on there is one way for both.
//!
//! What frames and streams may be is the `h2` crate's; what it lets through of a request, the engine looks at once more. Over
//! TLS alone: in the clear neither a preface nor `Upgrade: h2c` begins it (SECURITY: H2-09).

mod bodies;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use http::header::{COOKIE, HOST};
use http::{HeaderValue, Uri, Version};
use pingora::apps::{HttpServerApp, HttpServerOptions, ReusedHttpStream, ServerApp};
use pingora::http::RequestHeader;
use pingora::protocols::Stream;
use pingora::protocols::http::ServerSession;
use pingora::protocols::http::v2::server::{H2Options, default_h2_options};
use pingora::server::ShutdownWatch;
use tokio::time::Instant;

use self::bodies::Bodies;
pub(super) use self::bodies::{came as body_came, is_waited_for as body_is_waited_for};
use super::leash::Leashed;
use super::options::ConnectionLimits;
use super::wire::Refusal;
use super::{Connection, Secured, conversation};

/// How many fields a request may have; cookies may come in one each (SECURITY: H2-05).
const MOST_FIELDS: usize = 100;
/// How many bytes they may have, with 32 for each (RFC 9113 §6.5.2).
const MOST_HEAD: u32 = 32 * 1024;
/// How many requests of one connection are open at once.
const MOST_STREAMS: u32 = 100;
/// How many may be worked on. More than are open: those that a client has given up take a moment to end.
const MOST_AT_WORK: usize = 2 * MOST_STREAMS as usize;
/// How much of a request's body may be on its way to us, and of all of a connection.
const WINDOW: u32 = 256 * 1024;
/// As [`WINDOW`].
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// How many streams a client may spoil before the connection is closed (SECURITY: H2-03).
const MOST_SPOILT: usize = 100;

/// The options of each connection.
pub(super) fn options() -> H2Options {
    let mut options = default_h2_options();
    options.max_header_list_size(MOST_HEAD);
    options.max_concurrent_streams(MOST_STREAMS);
    options.initial_window_size(WINDOW);
    options.initial_connection_window_size(CONNECTION_WINDOW);
    options.max_local_error_reset_streams(Some(MOST_SPOILT));
    options
}

/// The options of the engine.
pub(super) fn server_options(limits: &ConnectionLimits) -> HttpServerOptions {
    let mut options = HttpServerOptions::default();
    options.h2_idle_timeout = Some(limits.idle_timeout);
    // It is refused by us, like every method that is not served; the engine's own answer would be in no log.
    options.allow_connect_method_proxying = true;
    options
}

/// Whether a request has more fields than it may; such a one is refused as it is.
pub(super) fn is_excessive(request: &RequestHeader) -> bool {
    request.version == Version::HTTP_2 && request.headers.len() > MOST_FIELDS
}

/// Gives a request the form of HTTP/1.1: the authority in `Host`, cookies in one field (RFC 9113 §8.2.3, §8.3.1), and
/// a target without scheme and host.
pub(super) fn take_in(request: &mut RequestHeader) -> pingora::Result<()> {
    if request.version != Version::HTTP_2 || is_excessive(request) {
        return Ok(());
    }
    // The engine has compared it with `Host`, if both came.
    if let Some(authority) = request.uri.authority() {
        let host = authority.as_str().to_owned();
        // CONNECT has no target; it is refused for its method.
        let target = request.uri.path_and_query().map_or_else(Uri::default, |target| target.clone().into());
        request.insert_header(HOST, host)?;
        request.set_uri(target);
    }
    let crumbs: Vec<&[u8]> = request.headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if crumbs.len() > 1 {
        let cookies = crumbs.join(&b"; "[..]);
        request.insert_header(COOKIE, cookies)?;
    }
    Ok(())
}

/// The engine as the accept loop gets it: told of each connection what was agreed on before its requests come.
pub(super) struct Front {
    leashed: Arc<Leashed>,
    limits: ConnectionLimits,
}

impl Front {
    pub(super) fn new(leashed: Leashed, limits: ConnectionLimits) -> Self {
        Self { leashed: Arc::new(leashed), limits }
    }
}

#[async_trait]
impl ServerApp for Front {
    async fn process_new(self: &Arc<Self>, stream: Stream, shutdown: &ShutdownWatch) -> Option<Stream> {
        if !matches!(stream.selected_alpn_proto(), Some(pingora::protocols::ALPN::H2)) {
            conversation::hold(&self.leashed, stream, shutdown).await;
            return None;
        }
        let secured = (*stream).as_any().downcast_ref::<Connection>().and_then(Connection::security).cloned();
        let connection = OnConnection {
            leashed: Arc::clone(&self.leashed),
            limits: self.limits,
            bodies: Arc::new(Bodies::new(self.limits)),
            secured,
            has_begun: AtomicBool::new(false),
            at_work: AtomicUsize::new(0),
        };
        let connection = Arc::new(connection);
        let serving = connection.process_new(stream, shutdown);
        tokio::select! {
            next = serving => next,
            () = connection.does_not_begin() => None,
        }
    }

    async fn cleanup(&self) {
        self.leashed.http_cleanup().await;
    }
}

/// The engine on one connection of HTTP/2.
///
/// SECURITY: H2-07. No longer than `idle_timeout` without a request; no longer than `stall_timeout` for a client that takes no more of a
/// response; and bodies that are too slow end their requests, see [`bodies`].
struct OnConnection {
    leashed: Arc<Leashed>,
    limits: ConnectionLimits,
    bodies: Arc<Bodies>,
    secured: Option<Arc<Secured>>,
    has_begun: AtomicBool,
    at_work: AtomicUsize,
}

impl OnConnection {
    /// Completes when no request has come in time: until the first, the engine waits for ever.
    async fn does_not_begin(&self) {
        pingora::time::sleep(self.limits.idle_timeout).await;
        if self.has_begun.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }
}

/// Counts a request for as long as it is worked on.
struct AtWork<'c>(&'c AtomicUsize);

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl HttpServerApp for OnConnection {
    async fn process_new_http(
        self: &Arc<Self>,
        mut session: ServerSession,
        shutdown: &ShutdownWatch,
    ) -> Option<ReusedHttpStream> {
        self.has_begun.store(true, Ordering::Relaxed);
        let others = self.at_work.fetch_add(1, Ordering::Relaxed);
        let _at_work = AtWork(&self.at_work);
        // SECURITY: H2-02. Dropped, it is reset.
        if others >= MOST_AT_WORK {
            return None;
        }
        session.set_write_timeout(Some(self.limits.stall_timeout));
        if let Some(secured) = &self.secured {
            session.req_header_mut().extensions_mut().insert(Arc::clone(secured));
        }
        let has_body = session.as_http2().is_some_and(|stream| !stream.is_body_done());
        let client = session.client_addr().and_then(|address| address.as_inet()).map(SocketAddr::ip);
        let serving = self.leashed.process_new_http(session, shutdown);
        if !has_body {
            return serving.await;
        }
        match self.bodies.begin(Instant::now()).carry(serving).await {
            Some(next) => next,
            None => {
                self.leashed.refused(client, Refusal::BodyTimeout);
                None
            }
        }
    }

    fn h2_options(&self) -> Option<H2Options> {
        self.leashed.h2_options()
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        self.leashed.server_options()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(fields: &[(&'static str, &'static str)]) -> RequestHeader {
        let mut request = RequestHeader::build("GET", b"/", None).unwrap();
        request.set_version(Version::HTTP_2);
        request.set_uri("https://Forum.example:8443/a?b=/c".parse().unwrap());
        for (name, value) in fields {
            request.append_header(*name, *value).unwrap();
        }
        request
    }

    #[test]
    fn a_request_gets_the_form_of_http_1() {
        let mut request = request(&[("cookie", "a=1"), ("x", "y"), ("cookie", "b=2; c=3"), ("cookie", "d")]);
        take_in(&mut request).unwrap();
        assert_eq!((&*request.uri.to_string(), request.raw_path()), ("/a?b=/c", &b"/a?b=/c"[..]));
        let values = |name| {
            request.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!((values(HOST), values(COOKIE)), (vec!["Forum.example:8443"], vec!["a=1; b=2; c=3; d"]));
    }

    #[test]
    fn h2_05_more_fields_than_a_hundred_are_too_many_cookies_counted() {
        let is_too_many = |count| is_excessive(&request(&vec![("cookie", "a=1"); count]));
        assert!(!is_too_many(100) && is_too_many(101));
        let mut of_1 = request(&vec![("x", "y"); 200]);
        of_1.set_version(Version::HTTP_11);
        assert!(!is_excessive(&of_1), "that is judged where it is read");
    }
}
