//! A browser without a window: cookies, redirects and forms as people's browsers do them, over plain HTTP/1.1, or over TLS and
//! then HTTP/2 where the other side speaks it.
//!
//! It connects to one address and calls it by the base URL it is given, so any host name works. With an `https` base
//! URL it behaves as behind a proxy that ends TLS: still plain HTTP on the wire, but secure for cookies and `Origin`.

mod form;
mod html;
mod jar;
mod page;
mod request;

pub(crate) use form::File;
pub(crate) use jar::Jar;
pub(crate) use page::Page;
pub(crate) use request::Fetch;

use std::net::{Ipv4Addr, SocketAddr};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpSocket;
use url::Url;

use super::http2::Http2;
use super::soon;
use super::tls::Client;
use request::Asked;

/// Redirects that are followed before the browser gives up.
const REDIRECTS: usize = 10;

/// One browser with one cookie jar and at most one open connection.
pub(crate) struct Browser {
    address: SocketAddr,
    base: Url,
    /// The cookies, to look at or to change.
    pub(crate) jar: Jar,
    connection: Option<Open>,
    /// How it shakes hands; none in the clear.
    tls: Option<Client>,
    /// Where it is, if that matters: one of the many addresses of this machine.
    pub(crate) place: Option<Ipv4Addr>,
}

impl Browser {
    /// A new browser. `base` is scheme, host and port as the person would type them.
    pub(crate) fn new(address: SocketAddr, base: &str) -> Self {
        let base = Url::parse(base).expect("the base is a URL");
        Self { address, jar: Jar::new(&base), base, connection: None, tls: None, place: None }
    }

    /// A new browser that speaks TLS.
    pub(crate) fn secure(address: SocketAddr, base: &str, tls: Client) -> Self {
        Self { tls: Some(tls), ..Self::new(address, base) }
    }

    /// A new browser that calls the address by its number.
    pub(crate) fn at(address: SocketAddr) -> Self {
        Self::new(address, &format!("http://{address}"))
    }

    /// Types an address, and follows redirects.
    pub(crate) async fn get(&mut self, path: &str) -> Page {
        let asked = Asked::new(Fetch::Navigate, Method::GET, self.url(path));
        self.follow(asked).await
    }

    /// Fetches as a page's script or image tag does; redirects are not followed, so that they can be seen.
    pub(crate) async fn fetch(&mut self, fetch: Fetch, path: &str) -> Page {
        let asked = Asked::new(fetch, Method::GET, self.url(path)).started_by(&self.base);
        self.send(asked).await
    }

    /// Fetches as a script does.
    pub(crate) async fn xhr(&mut self, path: &str) -> Page {
        self.fetch(Fetch::Xhr, path).await
    }

    /// Posts a form that came from this site, urlencoded, and follows redirects.
    pub(crate) async fn post_form(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.post(path, "application/x-www-form-urlencoded", body).await
    }

    /// Posts a form that came from this site, written in any way, and follows redirects.
    pub(crate) async fn post(&mut self, path: &str, content_type: &str, body: impl Into<Bytes>) -> Page {
        let asked = Asked::new(Fetch::Navigate, Method::POST, self.url(path))
            .started_by(&self.base)
            .with_body(content_type, body);
        self.follow(asked).await
    }

    /// Follows a link of a page.
    pub(crate) async fn click(&mut self, page: &Page, href: &str) -> Page {
        let url = page.url.join(href).expect("a link is a URL");
        let asked = Asked::new(Fetch::Navigate, Method::GET, url).started_by(&page.url);
        self.follow(asked).await
    }

    /// Fills in and sends a form of a page; see [`Page::form`] for `which`. `filled` replaces fields of the same
    /// name; the name of a button presses that button instead of the first.
    pub(crate) async fn submit(&mut self, page: &Page, which: &str, filled: &[(&str, &str)]) -> Page {
        self.upload(page, which, filled, &[]).await
    }

    /// As [`Self::submit`], with files chosen.
    pub(crate) async fn upload(
        &mut self,
        page: &Page,
        which: &str,
        filled: &[(&str, &str)],
        files: &[File<'_>],
    ) -> Page {
        let mut form = page.form(which);
        form.fill(filled);
        let asked = form.into_request(&page.url, files);
        self.follow(asked).await
    }

    /// A request that is none of the above: sent as a page of this site would, but for the changed header lines (an
    /// empty value takes one out), and redirects are not followed.
    pub(crate) async fn ask(
        &mut self,
        method: Method,
        path: &str,
        changed: &[(&str, &str)],
        body: &str,
    ) -> Page {
        let mut asked = Asked::new(Fetch::Navigate, method, self.url(path)).started_by(&self.base);
        if !body.is_empty() {
            asked = asked.with_body("application/x-www-form-urlencoded", body.to_owned());
        }
        for (name, value) in changed {
            asked.change(name, value);
        }
        self.send(asked).await
    }

    fn url(&self, path: &str) -> Url {
        self.base.join(path).expect("a path makes a URL")
    }

    /// Sends, and goes where redirects lead on this origin.
    async fn follow(&mut self, asked: Asked) -> Page {
        let mut asked = asked;
        let mut chain = Vec::new();
        loop {
            let mut page = self.send(asked.clone()).await;
            let next = page.redirect().filter(|url| url.origin() == self.base.origin());
            let Some(url) = next else {
                page.chain = chain;
                return page;
            };
            chain.push(page.url.clone());
            assert!(chain.len() <= REDIRECTS, "redirected in a circle: {chain:?}");
            let keeps_method =
                matches!(page.status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
            asked = asked.redirected(url, keeps_method);
        }
    }

    /// One request and its answer; cookies are sent and kept.
    async fn send(&mut self, asked: Asked) -> Page {
        let is_repeatable = asked.method == Method::GET;
        let url = asked.url.clone();
        let request = asked.into_request(self.jar.header(&url));
        let answer = match self.exchange(request.clone()).await {
            // A kept connection may be closed under the request; browsers ask again if it does no harm.
            Err(_) if is_repeatable => self.exchange(request).await,
            first => first,
        };
        let (parts, body) = answer.expect("the server answers").into_parts();
        for line in parts.headers.get_all(header::SET_COOKIE) {
            self.jar.keep(&String::from_utf8_lossy(line.as_bytes()), &url);
        }
        Page {
            status: parts.status,
            url,
            chain: Vec::new(),
            body: unpacked(&parts.headers, body),
            headers: parts.headers,
        }
    }

    async fn exchange(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, Broken> {
        let mut connection = self.connection().await?;
        let answer = match &mut connection {
            Open::Http1(connection) => {
                let answer: Response<Incoming> = soon("an answer", connection.send_request(request)).await?;
                let (parts, body) = answer.into_parts();
                let body = soon("the end of a body", body.collect()).await?.to_bytes();
                Response::from_parts(parts, body)
            }
            Open::Http2(connection) => {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.expect("it is there").to_bytes();
                connection.exchange(Request::from_parts(parts, body)).await?
            }
        };
        self.connection = Some(connection);
        Ok(answer)
    }

    async fn connection(&mut self) -> Result<Open, Broken> {
        if let Some(mut kept) = self.connection.take()
            && kept.is_usable().await
        {
            return Ok(kept);
        }
        if let Some(tls) = &self.tls {
            let stream = tls.connect(self.address, self.base.host_str()).await?;
            if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                return Ok(Open::Http2(Http2::over(stream).await));
            }
            let (sender, connection) = handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            return Ok(Open::Http1(sender));
        }
        let socket = TcpSocket::new_v4().expect("a socket");
        if let Some(place) = self.place {
            socket.bind(SocketAddr::from((place, 0))).expect("an address of this machine");
        }
        let stream =
            soon("a connection", socket.connect(self.address)).await.expect("somebody listens there");
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Open::Http1(sender))
    }
}

/// An open connection.
enum Open {
    Http1(SendRequest<Full<Bytes>>),
    Http2(Http2),
}

impl Open {
    /// Whether another request may be made.
    async fn is_usable(&mut self) -> bool {
        match self {
            Self::Http1(kept) => soon("a kept connection", kept.ready()).await.is_ok(),
            Self::Http2(kept) => kept.is_usable().await,
        }
    }
}

type Broken = Box<dyn std::error::Error + Send + Sync>;

fn unpacked(headers: &HeaderMap, body: Bytes) -> Bytes {
    if headers.get(header::CONTENT_ENCODING).is_none_or(|coding| coding != "gzip") || body.is_empty() {
        return body;
    }
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&body[..]), &mut plain)
        .expect("the body is gzip");
    plain.into()
}
