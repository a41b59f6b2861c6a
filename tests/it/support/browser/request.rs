//! What a browser sends along with each kind of request.

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, CONTENT_TYPE, COOKIE, HOST, ORIGIN, REFERER, USER_AGENT,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body_util::Full;
use url::Url;

const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";

/// What in the browser makes a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fetch {
    /// The person: an address, a link, a form.
    Navigate,
    /// A script of the page.
    Xhr,
    /// An image tag of the page.
    Image,
}

/// A request before cookies are put to it.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) url: Url,
    headers: HeaderMap,
    body: Bytes,
}

impl Asked {
    /// A request that comes from no page, as for a typed address.
    pub(super) fn new(fetch: Fetch, method: Method, url: Url) -> Self {
        let (accept, mode, dest) = match fetch {
            Fetch::Navigate => {
                ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "navigate", "document")
            }
            Fetch::Xhr => ("application/json, text/javascript, */*; q=0.01", "cors", "empty"),
            Fetch::Image => ("image/avif,image/webp,*/*", "no-cors", "image"),
        };
        let mut asked = Self { method, url, headers: HeaderMap::new(), body: Bytes::new() };
        for (name, value) in [
            (USER_AGENT.as_str(), AGENT),
            (ACCEPT.as_str(), accept),
            (ACCEPT_LANGUAGE.as_str(), "en-GB,en;q=0.7,de;q=0.3"),
            (ACCEPT_ENCODING.as_str(), "gzip"),
            ("sec-fetch-dest", dest),
            ("sec-fetch-mode", mode),
            ("sec-fetch-site", "none"),
        ] {
            asked.change(name, value);
        }
        match fetch {
            Fetch::Navigate => {
                asked.change("upgrade-insecure-requests", "1");
                asked.change("sec-fetch-user", "?1");
            }
            Fetch::Xhr => asked.change("x-requested-with", "XMLHttpRequest"),
            Fetch::Image => {}
        }
        asked
    }

    /// The same, started by a page.
    pub(super) fn started_by(mut self, page: &Url) -> Self {
        let is_same = page.origin() == self.url.origin();
        self.change("sec-fetch-site", if is_same { "same-origin" } else { "cross-site" });
        self.change(REFERER.as_str(), page.as_str());
        if self.method != Method::GET && self.method != Method::HEAD {
            self.change(ORIGIN.as_str(), &page.origin().ascii_serialization());
        }
        self
    }

    /// The same with a body.
    pub(super) fn with_body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.change(CONTENT_TYPE.as_str(), content_type);
        self
    }

    /// Sets a header line; an empty value takes it out.
    pub(super) fn change(&mut self, name: &str, value: &str) {
        let name: HeaderName = name.parse().expect("a header name");
        if value.is_empty() {
            self.headers.remove(name);
        } else {
            self.headers.insert(name, HeaderValue::from_bytes(value.as_bytes()).expect("a header value"));
        }
    }

    /// The request that a redirect leads to.
    pub(super) fn redirected(mut self, url: Url, keeps_method: bool) -> Self {
        self.url = url;
        if !keeps_method && self.method != Method::HEAD {
            self.method = Method::GET;
            self.body = Bytes::new();
            self.headers.remove(CONTENT_TYPE);
            self.headers.remove(ORIGIN);
        }
        self
    }

    /// The request for the wire.
    pub(super) fn into_request(mut self, cookies: String) -> Request<Full<Bytes>> {
        let host = self.url[url::Position::BeforeHost..url::Position::AfterPort].to_owned();
        self.change(HOST.as_str(), &host);
        if !self.headers.contains_key(COOKIE) {
            self.change(COOKIE.as_str(), &cookies);
        }
        let target = &self.url[url::Position::BeforePath..url::Position::AfterQuery];
        let mut request = Request::new(Full::new(self.body));
        *request.method_mut() = self.method;
        *request.uri_mut() = target.parse().expect("a URL's path and query are a target");
        *request.headers_mut() = self.headers;
        request
    }
}
