//! The cookies of one host (RFC 6265bis, as far as one host needs it).

use std::collections::BTreeMap;
use std::time::SystemTime;

use url::{Host, Url};

/// What a browser keeps for one host.
#[derive(Clone, Debug)]
pub(crate) struct Jar {
    host: String,
    is_https: bool,
    is_loopback: bool,
    /// By name and path, in the order they were first set.
    cookies: Vec<Cookie>,
}

/// One cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cookie {
    /// Its name.
    pub(crate) name: String,
    /// Its value, byte for byte as it was set.
    pub(crate) value: String,
    /// Below which path it is sent.
    pub(crate) path: String,
    /// Whether scripts are kept from it.
    pub(crate) is_http_only: bool,
    /// Whether it is for secure connections only.
    pub(crate) is_secure: bool,
    /// Whether it outlives the browser window.
    pub(crate) is_kept: bool,
}

impl Jar {
    pub(super) fn new(base: &Url) -> Self {
        let is_loopback = match base.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        let host = base.host_str().unwrap_or_default().to_owned();
        Self { host, is_https: base.scheme() == "https", is_loopback, cookies: Vec::new() }
    }

    /// The cookie of this name; the one with the longest path if there are several.
    pub(crate) fn find(&self, name: &str) -> Option<&Cookie> {
        self.cookies.iter().filter(|cookie| cookie.name == name).max_by_key(|cookie| cookie.path.len())
    }

    /// All cookies.
    pub(crate) fn all(&self) -> &[Cookie] {
        &self.cookies
    }

    /// Puts a cookie in by hand, for all paths.
    pub(crate) fn put(&mut self, name: &str, value: &str) {
        let (name, value, path) = (name.to_owned(), value.to_owned(), "/".to_owned());
        let cookie = Cookie { name, value, path, is_http_only: true, is_secure: false, is_kept: false };
        self.replace(cookie);
    }

    /// Throws all cookies away.
    pub(crate) fn clear(&mut self) {
        self.cookies.clear();
    }

    /// Closes the window and opens it again: only kept cookies are left.
    pub(crate) fn restart(&mut self) {
        self.cookies.retain(|cookie| cookie.is_kept);
    }

    /// The `Cookie` line for a URL; empty if there is nothing to send.
    pub(super) fn header(&self, url: &Url) -> String {
        let mut sent: Vec<&Cookie> =
            self.cookies.iter().filter(|cookie| covers(&cookie.path, url.path())).collect();
        sent.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let pairs: Vec<String> =
            sent.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        pairs.join("; ")
    }

    /// Takes in one `Set-Cookie` line; a later one of the same name and path replaces it.
    pub(super) fn keep(&mut self, line: &str, url: &Url) {
        let mut parts = line.split(';');
        let pair = parts.next().unwrap_or_default();
        let (name, value) = pair.split_once('=').unwrap_or(("", pair));
        let attributes: BTreeMap<String, &str> = parts
            .map(|part| part.split_once('=').unwrap_or((part, "")))
            .map(|(key, value)| (key.trim().to_ascii_lowercase(), value.trim()))
            .collect();
        let path = attributes.get("path").filter(|path| path.starts_with('/'));
        let cookie = Cookie {
            name: name.trim().to_owned(),
            value: value.trim().to_owned(),
            path: path.map_or_else(|| default_path(url.path()), |path| (*path).to_owned()),
            is_http_only: attributes.contains_key("httponly"),
            is_secure: attributes.contains_key("secure"),
            is_kept: attributes.contains_key("max-age") || attributes.contains_key("expires"),
        };
        if !self.accepts(&cookie, attributes.get("domain").copied()) {
            return;
        }
        if is_over(&attributes) {
            self.cookies.retain(|kept| (&kept.name, &kept.path) != (&cookie.name, &cookie.path));
        } else {
            self.replace(cookie);
        }
    }

    fn replace(&mut self, cookie: Cookie) {
        match self.cookies.iter_mut().find(|kept| (&kept.name, &kept.path) == (&cookie.name, &cookie.path)) {
            Some(kept) => *kept = cookie,
            None => self.cookies.push(cookie),
        }
    }

    fn accepts(&self, cookie: &Cookie, domain: Option<&str>) -> bool {
        let domain = domain.map(|domain| domain.trim_start_matches('.').to_ascii_lowercase());
        let is_ours = domain.as_ref().is_none_or(|domain| {
            domain.is_empty() || *domain == self.host || self.host.ends_with(&format!(".{domain}"))
        });
        let name = cookie.name.to_ascii_lowercase();
        let is_host_prefixed = name.starts_with("__host-");
        let prefix_holds = if is_host_prefixed {
            cookie.is_secure && self.is_https && domain.is_none() && cookie.path == "/"
        } else {
            !name.starts_with("__secure-") || (cookie.is_secure && self.is_https)
        };
        let may_be_secure = !cookie.is_secure || self.is_https || self.is_loopback;
        !(cookie.name.is_empty() && cookie.value.is_empty()) && is_ours && prefix_holds && may_be_secure
    }
}

fn is_over(attributes: &BTreeMap<String, &str>) -> bool {
    if let Some(seconds) = attributes.get("max-age").and_then(|seconds| seconds.parse::<i64>().ok()) {
        return seconds <= 0;
    }
    let expires = attributes.get("expires").map(|date| date.replace('-', " "));
    #[expect(clippy::disallowed_methods, reason = "a browser goes by the wall clock")]
    let now = SystemTime::now();
    expires.and_then(|date| httpdate::parse_http_date(&date).ok()).is_some_and(|expires| expires <= now)
}

fn covers(cookie_path: &str, path: &str) -> bool {
    path.strip_prefix(cookie_path)
        .is_some_and(|rest| rest.is_empty() || cookie_path.ends_with('/') || rest.starts_with('/'))
}

/// The folder of a path.
fn default_path(path: &str) -> String {
    match path.rfind('/') {
        None | Some(0) => "/".to_owned(),
        Some(at) => path[..at].to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(base: &str, lines: &[&str], path: &str) -> String {
        let base = Url::parse(base).unwrap();
        let mut jar = Jar::new(&base);
        for line in lines {
            jar.keep(line, &base);
        }
        jar.header(&base.join(path).unwrap())
    }

    #[test]
    fn the_last_line_of_a_name_wins_and_a_past_date_deletes() {
        for (lines, sent) in [
            (&["a=1", "a=2; HttpOnly"][..], "a=2"),
            (&["a=1", "a=x; Expires=Thu, 01-Jan-1970 00:00:01 GMT"], ""),
            (&["a=x; Max-Age=0", "a=3; Max-Age=60"], "a=3"),
            (&["a=1; path=/", "a=x; expires=Thu, 01 Jan 1970 00:00:01 GMT; Max-Age=5"], "a=x"),
            (&["m[b]=1%7C|==", "b"], "m[b]=1%7C|==; =b"),
        ] {
            assert_eq!(after("http://forum.test/", lines, "/"), sent, "{lines:?}");
        }
    }

    #[test]
    fn a_cookie_is_sent_below_its_path_only() {
        let lines = ["a=1; path=/forum", "b=2; path=/", "c=3"];
        assert_eq!(after("http://forum.test/x/y", &lines, "/forum/index.php"), "a=1; b=2");
        assert_eq!(after("http://forum.test/x/y", &lines, "/forums"), "b=2");
        assert_eq!(after("http://forum.test/x/y", &lines, "/x/z"), "c=3; b=2");
    }

    #[test]
    fn prefixed_secure_and_foreign_cookies_are_kept_where_browsers_keep_them() {
        let host = "__Host-a=1; Path=/; Secure";
        assert_eq!(after("https://forum.test", &[host], "/"), "__Host-a=1");
        for refused in [
            "__Host-a=1; Path=/",
            "__Host-a=1; Secure; Path=/x",
            "__Host-a=1; Secure; Path=/; Domain=forum.test",
        ] {
            assert_eq!(after("https://forum.test", &[refused], "/"), "", "{refused}");
        }
        assert_eq!(after("http://forum.test", &[host], "/"), "");
        assert_eq!(after("http://forum.test", &["a=1; Secure"], "/"), "");
        assert_eq!(after("http://localhost:8080", &["a=1; Secure"], "/"), "a=1");
        assert_eq!(after("http://forum.test", &["a=1; Domain=evil.test"], "/"), "");
        assert_eq!(after("http://forum.test", &["a=1; Domain=.test"], "/"), "a=1");
    }
}
