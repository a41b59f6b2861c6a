//! A [`Visitor`]: on whose behalf the gateway signs in, as the forum is to see it. Sessions of many forums are tied to the
//! browser's name and the address, so both are the member's own.

use std::net::IpAddr;

use http::header::{ACCEPT_LANGUAGE, HOST, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

/// The member's browser, as the forum gets to know it with the requests that are passed on.
#[derive(Clone, Debug)]
pub struct Visitor {
    origin: Origin,
    address: IpAddr,
    headers: HeaderMap,
}

/// Where browsers find the forum: scheme, host and port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(Url);

/// A text that is no origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no origin such as https://forum.example.org")]
pub struct InvalidOrigin;

impl Origin {
    /// Reads `https://forum.example.org`, with a port if it needs one.
    pub fn parse(text: &str) -> Result<Self, InvalidOrigin> {
        let url = Url::parse(text).map_err(|_| InvalidOrigin)?;
        let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
        let is_bare = url.path() == "/" && url.query().is_none() && url.username().is_empty();
        if is_web && is_bare { Ok(Self(url)) } else { Err(InvalidOrigin) }
    }

    /// As it stands in an `Origin` field.
    pub fn to_text(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// Whether browsers find it over TLS.
    pub(super) fn is_over_tls(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Host and port, as they stand in a `Host` field.
    fn authority(&self) -> String {
        self.to_text().split_once("://").map(|(_, authority)| authority.to_owned()).unwrap_or_default()
    }

    /// The address of a path of the forum.
    pub(super) fn join(&self, target: &str) -> Option<Url> {
        self.0.join(target).ok()
    }

    /// Whether `url` leads to the forum. Many forums write `http://` into addresses because nobody told them of TLS, so of
    /// the scheme it only counts that it has its usual port, or the one browsers use.
    pub(super) fn has(&self, url: &Url) -> bool {
        let port = url.port_or_known_default();
        let is_usual =
            url.port().is_none() && matches!(url.scheme(), "http" | "https") && self.0.port().is_none();
        url.host() == self.0.host() && (is_usual || port == self.0.port_or_known_default())
    }
}

impl Visitor {
    /// A visitor of whom the forum learns what the proxy tells it by default: host and address.
    pub fn new(origin: Origin, address: IpAddr) -> Self {
        let authority = origin.authority();
        let mut visitor = Self { origin, address, headers: HeaderMap::new() };
        let proto = visitor.origin.0.scheme().to_owned();
        let port = visitor.origin.0.port_or_known_default().unwrap_or(80).to_string();
        for (name, text) in [
            (HOST, authority.as_str()),
            (HeaderName::from_static("x-forwarded-for"), &address.to_string()),
            (HeaderName::from_static("x-forwarded-proto"), &proto),
            (HeaderName::from_static("x-forwarded-host"), &authority),
            (HeaderName::from_static("x-forwarded-port"), &port),
        ] {
            if let Ok(value) = HeaderValue::from_str(text) {
                visitor.headers.insert(name, value);
            }
        }
        visitor
    }

    /// Adds or replaces a field that the forum gets with every request: the browser's name and languages, another `Host`,
    /// identity headers, the gateway's proof.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// Takes `User-Agent` and `Accept-Language` over from the browser's request.
    #[must_use]
    pub fn as_browser(mut self, request: &HeaderMap) -> Self {
        for name in [USER_AGENT, ACCEPT_LANGUAGE] {
            if let Some(value) = request.get(&name) {
                self.headers.insert(name, value.clone());
            }
        }
        self
    }

    /// Whether an address the forum gave leads to itself: to where browsers find it, or to the `Host` it is asked under.
    pub(super) fn is_at_forum(&self, url: &Url) -> bool {
        let host = self.headers.get(HOST).and_then(|host| host.to_str().ok());
        let asked = host.and_then(|host| Origin::parse(&format!("{}://{host}", self.origin.0.scheme())).ok());
        self.origin.has(url) || asked.is_some_and(|asked| asked.has(url))
    }

    /// Where the browser found the forum.
    pub(super) const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Where the browser is.
    pub(super) const fn address(&self) -> IpAddr {
        self.address
    }

    /// What the forum gets with every request.
    pub(super) const fn headers(&self) -> &HeaderMap {
        &self.headers
    }
}
