//! Speaking with an authority: one request, one answer, over HTTPS.
//!
//! SECURITY: TLS-09. What an authority says is a stranger's word. Nothing is asked anywhere but at the host and port of the directory
//! that the operator named, no redirect is followed, and each answer is bounded in size and time.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{HOST, RETRY_AFTER, USER_AGENT};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Request, Uri};
use http_body_util::{BodyExt, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::ServerName;
use url::Url;

use super::AcmeOptions;
use crate::domain::Clock;

/// The longest answer that is read. A chain of certificates for a hundred names is a tenth of it.
const MOST_BYTES: usize = 256 * 1024;
/// The longest head of one.
const MOST_HEAD_BYTES: usize = 32 * 1024;
/// How long one request may take, from looking up the host to the last byte.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long one address of the host may take to answer, of how many.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const MOST_ADDRESSES: usize = 4;

/// What we call ourselves (RFC 8555 §6.1).
const NAME: &str = concat!("passgate/", env!("CARGO_PKG_VERSION"));

/// An authority, as it is spoken with. Clones speak with the same one.
#[derive(Clone)]
pub(super) struct Authority(Arc<Way>);

struct Way {
    host: String,
    port: u16,
    name: ServerName<'static>,
    field: HeaderValue,
    connector: TlsConnector,
    clock: Arc<dyn Clock>,
    asked_to_wait: Mutex<Option<Duration>>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum NoAnswer {
    #[error("it names an address that is not at its own host and port, which is not asked")]
    Elsewhere,
    #[error("it redirects, which is not followed")]
    Redirected,
    #[error("it does not answer within {} seconds", REQUEST_TIMEOUT.as_secs())]
    TimedOut,
    #[error("can't be reached: {0}")]
    Unreachable(io::Error),
    #[error("it can't be spoken with: {0}")]
    Http(#[from] hyper::Error),
    #[error("its answer can't be read, or is too long: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
    #[error("it can't be asked: {0}")]
    Request(#[from] http::Error),
}

impl Authority {
    /// The one whose directory the options name. The error is in words.
    pub(super) fn new(options: &AcmeOptions, clock: Arc<dyn Clock>) -> Result<Self, String> {
        let (host, port) = origin(&options.directory).ok_or("the directory's address names no host")?;
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(bare.clone()).map_err(|error| error.to_string())?;
        let field = if port == 443 { host.to_owned() } else { format!("{host}:{port}") };
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
        let config = builder.with_root_certificates(options.authorities.roots()?).with_no_client_auth();
        Ok(Self(Arc::new(Way {
            host: bare,
            port,
            name,
            field: HeaderValue::from_str(&field).map_err(|error| error.to_string())?,
            connector: TlsConnector::from(Arc::new(config)),
            clock,
            asked_to_wait: Mutex::default(),
        })))
    }

    /// For how long the last answer that was an error asked to wait.
    pub(super) fn asked_to_wait(&self) -> Option<Duration> {
        *self.0.asked_to_wait.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HttpClient for Authority {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let way = Arc::clone(&self.0);
        Box::pin(async move { way.ask(request).await.map_err(|error| Error::Other(error.into())) })
    }
}

impl Way {
    async fn ask(&self, mut request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, NoAnswer> {
        if !self.is_here(request.uri()) {
            return Err(NoAnswer::Elsewhere);
        }
        let target = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
        *request.uri_mut() = Uri::try_from(target).map_err(http::Error::from)?;
        request.headers_mut().insert(HOST, self.field.clone());
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(NAME));
        timeout(REQUEST_TIMEOUT, self.exchange(request)).await.map_err(|_| NoAnswer::TimedOut)?
    }

    fn is_here(&self, uri: &Uri) -> bool {
        let url = Url::parse(&uri.to_string()).ok();
        let origin = url.as_ref().and_then(origin);
        origin.is_some_and(|(host, port)| {
            port == self.port && host.trim_start_matches('[').trim_end_matches(']') == self.host
        })
    }

    async fn exchange(&self, request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, NoAnswer> {
        let stream = self.connect().await.map_err(NoAnswer::Unreachable)?;
        let mut builder = http1::Builder::new();
        let (mut sender, connection) =
            builder.max_buf_size(MOST_HEAD_BYTES).handshake(TokioIo::new(stream)).await?;
        // Ends with this exchange.
        let mut driving = JoinSet::new();
        driving.spawn(connection);
        let (parts, body) = sender.send_request(request).await?.into_parts();
        if parts.status.is_redirection() {
            return Err(NoAnswer::Redirected);
        }
        let asked_to_wait = parts.status.as_u16() >= 400;
        *self.asked_to_wait.lock().unwrap_or_else(PoisonError::into_inner) =
            asked_to_wait.then(|| self.retry_after(&parts.headers)).flatten();
        let body = Limited::new(body, MOST_BYTES).collect().await.map_err(NoAnswer::Body)?.to_bytes();
        Ok(BytesResponse { parts, body: Box::new(body) })
    }

    /// One address after the other: many machines have IPv6 that leads nowhere.
    async fn connect(&self) -> io::Result<TlsStream<TcpStream>> {
        let addresses = tokio::net::lookup_host((self.host.as_str(), self.port)).await?;
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in addresses.take(MOST_ADDRESSES) {
            match timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return self.connector.connect(self.name.clone(), stream).await,
                Ok(Err(error)) => last = error,
                Err(_) => last = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(last)
    }

    /// RFC 9110 §10.2.3: seconds, or a moment.
    fn retry_after(&self, headers: &HeaderMap) -> Option<Duration> {
        let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let moment = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(moment.saturating_sub(Duration::from_millis(self.clock.now().as_millis())))
    }
}

/// Host and port of an address that is one of HTTPS and names no user.
fn origin(url: &Url) -> Option<(&str, u16)> {
    let is_plain = url.scheme() == "https" && url.username().is_empty() && url.password().is_none();
    let host = url.host_str().filter(|_| is_plain)?;
    Some((host, url.port_or_known_default()?))
}
