//! The small HTTP/1.1 client for a forum's own pages. One connection a request; nothing compressed is asked for or read; pages,
//! time and fields are limited. It connects where it is told and nowhere else: a redirect is an answer, not followed here.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// How large a page may be.
const PAGE_BYTES: usize = 1024 * 1024;
/// How long one request may take, all in all.
const TIME: Duration = Duration::from_secs(10);
/// How long the header of an answer may be.
const HEADER_BYTES: usize = 64 * 1024;

/// A connection to the forum.
pub trait Line: AsyncRead + AsyncWrite + Send + Unpin {}
impl<L: AsyncRead + AsyncWrite + Send + Unpin> Line for L {}

/// How the forum is reached.
#[async_trait]
pub trait Dial: Send + Sync {
    /// A fresh connection, over TLS if the forum is spoken to over TLS; where several servers are the forum, to one that gets the
    /// requests from this address.
    async fn dial(&self, client: IpAddr) -> io::Result<Box<dyn Line>>;
}

/// A forum in the clear, at the first of these addresses that answers.
#[async_trait]
impl Dial for Vec<SocketAddr> {
    async fn dial(&self, _client: IpAddr) -> io::Result<Box<dyn Line>> {
        TcpStream::connect(self.as_slice()).await.map(|line| Box::new(line) as Box<dyn Line>)
    }
}

/// The client.
#[derive(Clone)]
pub(super) struct Client(Arc<dyn Dial>);

/// What the forum answered.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Why there is no answer. What is not the forum's fault is not told apart from what is; both mean "later".
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    #[error("the forum can't be connected to: {0}")]
    Unreachable(io::Error),
    #[error("the forum broke the connection off: {0}")]
    Broken(#[from] hyper::Error),
    #[error("the forum did not answer within ten seconds")]
    Late,
    #[error("the forum sent a page of more than a mebibyte, or broke off within it")]
    TooLong,
    #[error("the forum compressed its answer, which was not asked for")]
    Compressed,
    #[error("the request can't be written: {0}")]
    Unwritable(#[from] http::Error),
}

impl Client {
    pub(super) fn new(dial: Arc<dyn Dial>) -> Self {
        Self(dial)
    }

    /// Sends one request with these fields, on behalf of `client`. `form` is the body of a post.
    pub(super) async fn ask(
        &self,
        client: IpAddr,
        target: &str,
        fields: HeaderMap,
        form: Option<String>,
    ) -> Result<Answer, NoAnswer> {
        let request = request(target, fields, form)?;
        tokio::time::timeout(TIME, self.exchange(client, request)).await.unwrap_or(Err(NoAnswer::Late))
    }

    async fn exchange(&self, client: IpAddr, request: Request<Full<Bytes>>) -> Result<Answer, NoAnswer> {
        let line = self.0.dial(client).await.map_err(NoAnswer::Unreachable)?;
        let handshake = hyper::client::conn::http1::Builder::new()
            .max_buf_size(HEADER_BYTES)
            .handshake(TokioIo::new(line))
            .await;
        let (mut sender, connection) = handshake?;
        // Ends with the sender, at the latest when this future is dropped.
        let running = Running(tokio::spawn(connection));
        let (head, body) = sender.send_request(request).await?.into_parts();
        let coding = head.headers.get(CONTENT_ENCODING).map(HeaderValue::as_bytes);
        if coding.is_some_and(|coding| !coding.eq_ignore_ascii_case(b"identity")) {
            return Err(NoAnswer::Compressed);
        }
        let body = Limited::new(body, PAGE_BYTES).collect().await.map_err(|_| NoAnswer::TooLong)?;
        drop(running);
        Ok(Answer { status: head.status, headers: head.headers, body: body.to_bytes() })
    }
}

/// A connection at work, broken off when this is dropped.
struct Running(tokio::task::JoinHandle<hyper::Result<()>>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn request(
    target: &str,
    fields: HeaderMap,
    form: Option<String>,
) -> Result<Request<Full<Bytes>>, http::Error> {
    let method = if form.is_some() { Method::POST } else { Method::GET };
    let body = Bytes::from(form.unwrap_or_default());
    let mut request = Request::builder().method(&method).uri(target).body(Full::new(body.clone()))?;
    *request.headers_mut() = fields;
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    headers.insert(http::header::CONNECTION, HeaderValue::from_static("close"));
    if method == Method::POST {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(CONTENT_LENGTH, HeaderValue::from(body.len()));
    }
    Ok(request)
}
