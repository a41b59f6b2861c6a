//! Our cookies: their names, attributes, reading and removal. The only file that writes or reads one.

use std::iter;
use std::time::Duration;

use cookie::{Cookie, SameSite};
use http::HeaderValue;
use memchr::memchr;

use super::second_factors::{TrustPurpose, TrustToken};
use super::throttle::Marks;
use super::{BrowserToken, SendToken, SessionToken};
use crate::domain::{Persistence, Purpose, Timestamp, Token};

/// How browsers reach the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// Over TLS, ours or a front proxy's: `__Host-` cookies, `Secure`.
    Tls,
    /// Plain HTTP on a loopback name, for trying things out: browsers refuse `__Host-` cookies there.
    PlainLoopback,
}

/// Makes and reads cookies for one way of being reached.
#[derive(Clone, Debug)]
pub struct Cookies {
    transport: Transport,
    remember: Duration,
}

/// What a request presented under a cookie name.
#[derive(Debug)]
pub enum Presented<P> {
    /// No such cookie.
    Nothing,
    /// Something that is no token, or more than one of the name (SECURITY: SES-09, H6): treated as nobody.
    Unusable,
    /// One well-formed token, not yet looked up.
    Token(Token<P>),
}

impl<P> Presented<P> {
    /// The token, if there is exactly one.
    pub fn token(self) -> Option<Token<P>> {
        match self {
            Self::Token(token) => Some(token),
            Self::Nothing | Self::Unusable => None,
        }
    }
}

impl Cookies {
    /// Browsers keep no cookie for longer (RFC 6265bis §5.5).
    const DEVICE_DAYS: i64 = 400;

    /// `remember` is how long a "stay signed in" cookie is kept by the browser.
    pub const fn new(transport: Transport, remember: Duration) -> Self {
        Self { transport, remember }
    }

    /// The name of the session cookie.
    pub const fn session_name(&self) -> &'static str {
        match self.transport {
            Transport::Tls => "__Host-passgate",
            Transport::PlainLoopback => "passgate",
        }
    }

    /// The name of the cookie that ties a form to its browser.
    pub const fn browser_name(&self) -> &'static str {
        match self.transport {
            Transport::Tls => "__Host-passgate-form",
            Transport::PlainLoopback => "passgate-form",
        }
    }

    /// The name of the cookie that says until when the offer of a passkey is not wanted. No secret, and nobody's name.
    pub const fn quiet_name(&self) -> &'static str {
        match self.transport {
            Transport::Tls => "__Host-passgate-quiet",
            Transport::PlainLoopback => "passgate-quiet",
        }
    }

    /// The name of the cookie that marks the request with which a kept form is sent.
    pub const fn send_name(&self) -> &'static str {
        match self.transport {
            Transport::Tls => "__Host-passgate-send",
            Transport::PlainLoopback => "passgate-send",
        }
    }

    /// A `Set-Cookie` value that hands out a session (SECURITY: SES-01).
    pub fn set_session(&self, token: &SessionToken, persistence: Persistence) -> HeaderValue {
        let mut cookie = self.cookie(self.session_name(), token.to_text().to_string());
        if persistence == Persistence::Remembered {
            cookie.set_max_age(cookie::time::Duration::try_from(self.remember).ok());
        }
        value(&cookie)
    }

    /// A `Set-Cookie` value that takes the session cookie back.
    pub fn clear_session(&self) -> HeaderValue {
        let mut cookie = self.cookie(self.session_name(), String::new());
        cookie.set_max_age(cookie::time::Duration::ZERO);
        value(&cookie)
    }

    /// A `Set-Cookie` value that hands out a browser token.
    pub fn set_browser(&self, token: &BrowserToken) -> HeaderValue {
        value(&self.cookie(self.browser_name(), token.to_text().to_string()))
    }

    /// A `Set-Cookie` value that keeps the offer of a passkey away until then, which is `time` from now.
    pub fn set_quiet(&self, until: Timestamp, time: Duration) -> HeaderValue {
        let mut cookie = self.cookie(self.quiet_name(), until.as_millis().to_string());
        cookie.set_max_age(cookie::time::Duration::try_from(time).ok());
        value(&cookie)
    }

    /// A `Set-Cookie` value that marks the next requests, for `time`. Other sites' requests never carry it.
    pub fn set_send(&self, token: &SendToken, time: Duration) -> HeaderValue {
        let mut cookie = self.cookie(self.send_name(), token.to_text().to_string());
        cookie.set_same_site(SameSite::Strict);
        cookie.set_max_age(cookie::time::Duration::try_from(time).ok());
        value(&cookie)
    }

    /// A `Set-Cookie` value that takes the mark back.
    pub fn clear_send(&self) -> HeaderValue {
        let mut cookie = self.cookie(self.send_name(), String::new());
        cookie.set_same_site(SameSite::Strict);
        cookie.set_max_age(cookie::time::Duration::ZERO);
        value(&cookie)
    }

    /// Until when the offer of a passkey is not wanted, as the browser says.
    pub fn quiet_until<'h>(&self, fields: impl Iterator<Item = &'h [u8]>) -> Option<Timestamp> {
        let value = fields.flat_map(pairs).find_map(|pair| value_of(pair, self.quiet_name()))?;
        let millis = std::str::from_utf8(value).ok()?.parse().ok()?;
        Some(Timestamp::from_millis(millis))
    }

    /// The name of the cookie that says who has signed in with this browser. Names nobody, and signs nobody in.
    pub const fn device_name(&self) -> &'static str {
        match self.transport {
            Transport::Tls => "__Host-passgate-device",
            Transport::PlainLoopback => "passgate-device",
        }
    }

    /// A `Set-Cookie` value that marks a browser as known.
    pub fn set_device(&self, marks: &Marks) -> HeaderValue {
        let mut cookie = self.cookie(self.device_name(), marks.to_text());
        cookie.set_max_age(cookie::time::Duration::days(Self::DEVICE_DAYS));
        value(&cookie)
    }

    /// Who has signed in with this browser, as it says. Of two such cookies neither counts.
    pub fn device<'h>(&self, fields: impl Iterator<Item = &'h [u8]>) -> Marks {
        let mut own = fields.flat_map(pairs).filter_map(|pair| value_of(pair, self.device_name()));
        let (Some(value), None) = (own.next(), own.next()) else { return Marks::default() };
        std::str::from_utf8(value).map(Marks::parse).unwrap_or_default()
    }

    /// The name of the cookie by which a browser is known that a member trusts.
    pub const fn trusted_name(&self) -> &'static str {
        match self.transport {
            Transport::Tls => "__Host-passgate-trusted",
            Transport::PlainLoopback => "passgate-trusted",
        }
    }

    /// A `Set-Cookie` value that marks a browser as trusted for `time`. Other sites' requests never carry it.
    pub fn set_trusted(&self, token: &TrustToken, time: Duration) -> HeaderValue {
        let mut cookie = self.cookie(self.trusted_name(), token.to_text().to_string());
        cookie.set_same_site(SameSite::Strict);
        cookie.set_max_age(cookie::time::Duration::try_from(time).ok());
        value(&cookie)
    }

    /// A `Set-Cookie` value that takes that mark back.
    pub fn clear_trusted(&self) -> HeaderValue {
        let mut cookie = self.cookie(self.trusted_name(), String::new());
        cookie.set_same_site(SameSite::Strict);
        cookie.set_max_age(cookie::time::Duration::ZERO);
        value(&cookie)
    }

    /// The mark of a browser that a member trusts.
    pub fn trusted<'h>(&self, fields: impl Iterator<Item = &'h [u8]>) -> Presented<TrustPurpose> {
        read(self.trusted_name(), fields)
    }

    /// The session token among the request's `Cookie` fields.
    pub fn session<'h>(&self, fields: impl Iterator<Item = &'h [u8]>) -> Presented<super::SessionPurpose> {
        read(self.session_name(), fields)
    }

    /// The browser token among the request's `Cookie` fields.
    pub fn browser<'h>(&self, fields: impl Iterator<Item = &'h [u8]>) -> Presented<super::BrowserPurpose> {
        read(self.browser_name(), fields)
    }

    /// The mark of a request that sends a kept form.
    pub fn send<'h>(&self, fields: impl Iterator<Item = &'h [u8]>) -> Presented<super::SendPurpose> {
        read(self.send_name(), fields)
    }

    /// A `Cookie` field without our cookies, the rest byte for byte (SECURITY: SES-10, S8); `None` if it holds none of
    /// ours and can go on untouched, an empty value if nothing else is left.
    pub fn without_ours(&self, field: &[u8]) -> Option<Vec<u8>> {
        let mut has_ours = false;
        let is_others = |pair: &&[u8]| {
            let is_ours = self.is_ours(name_of(pair));
            has_ours |= is_ours;
            !is_ours
        };
        let kept: Vec<&[u8]> = pairs(field).filter(is_others).collect();
        has_ours.then(|| kept.join(&b';').trim_ascii_start().to_vec())
    }

    /// Whether a `Set-Cookie` field of the application would set one of our cookies (SECURITY: SES-10).
    pub fn sets_ours(&self, field: &[u8]) -> bool {
        let pair = pairs(field).next().unwrap_or_default();
        // `=name=value` is a cookie without a name whose value browsers send as `name=value`.
        let is_blank = |byte: &u8| *byte == b'=' || byte.is_ascii_whitespace();
        let start = pair.iter().position(|byte| !is_blank(byte)).unwrap_or(pair.len());
        self.is_ours(name_of(&pair[start..]))
    }

    fn is_ours(&self, name: &[u8]) -> bool {
        let is = |ours: &str| name.eq_ignore_ascii_case(ours.as_bytes());
        // The others begin with the session's name.
        let session = self.session_name().as_bytes();
        let is_alike = name.get(..session.len()).is_some_and(|start| start.eq_ignore_ascii_case(session));
        is_alike
            && (name.len() == session.len()
                || is(self.browser_name())
                || is(self.quiet_name())
                || is(self.send_name())
                || is(self.device_name())
                || is(self.trusted_name()))
    }

    fn cookie(&self, name: &'static str, value: String) -> Cookie<'static> {
        Cookie::build((name, value))
            .path("/")
            .http_only(true)
            .secure(self.transport == Transport::Tls)
            .same_site(SameSite::Lax)
            .build()
    }
}

fn value(cookie: &Cookie<'_>) -> HeaderValue {
    // Names are constants and values base64url: always a valid field.
    HeaderValue::try_from(cookie.to_string()).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// The pairs of a `Cookie` field, blanks and all.
fn pairs(field: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(field);
    iter::from_fn(move || {
        let field = rest?;
        let (pair, after) = cut(field, b';');
        rest = after;
        Some(pair)
    })
}

/// What comes before the first `byte`, and what after it if there is one.
fn cut(text: &[u8], byte: u8) -> (&[u8], Option<&[u8]>) {
    match memchr(byte, text) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}

fn name_of(pair: &[u8]) -> &[u8] {
    cut(pair, b'=').0.trim_ascii()
}

/// The value of a pair of this name; a pair without `=` is one with an empty value.
fn value_of<'p>(pair: &'p [u8], name: &str) -> Option<&'p [u8]> {
    let (known, value) = cut(pair, b'=');
    (known.trim_ascii() == name.as_bytes()).then(|| value.unwrap_or_default().trim_ascii())
}

fn read<'h, P: Purpose>(name: &str, fields: impl Iterator<Item = &'h [u8]>) -> Presented<P> {
    let mut found = Presented::Nothing;
    for value in fields.flat_map(pairs).filter_map(|pair| value_of(pair, name)) {
        let token = std::str::from_utf8(value).ok().and_then(Token::parse);
        found = match (found, token) {
            (Presented::Nothing, Some(token)) => Presented::Token(token),
            _ => Presented::Unusable,
        };
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn cookies() -> Cookies {
        Cookies::new(Transport::Tls, DAY)
    }

    fn token() -> (SessionToken, String) {
        let token = SessionToken::generate();
        let text = token.to_text().to_string();
        (token, text)
    }

    /// SECURITY: S9. There is no `Domain`, and no setting for one.
    #[test]
    fn ses_01_the_session_cookie_has_exactly_these_attributes() {
        let (token, text) = token();
        assert_eq!(
            cookies().set_session(&token, Persistence::Browser).to_str().unwrap(),
            format!("__Host-passgate={text}; HttpOnly; SameSite=Lax; Secure; Path=/")
        );
        assert_eq!(
            cookies().set_session(&token, Persistence::Remembered).to_str().unwrap(),
            format!("__Host-passgate={text}; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=86400")
        );
        assert_eq!(
            Cookies::new(Transport::PlainLoopback, DAY).clear_session().to_str().unwrap(),
            "passgate=; HttpOnly; SameSite=Lax; Path=/; Max-Age=0"
        );
    }

    #[test]
    fn ses_09_two_session_cookies_or_a_broken_one_are_nobodys() {
        let (_, a) = token();
        let (_, b) = token();
        let read = |fields: &[&str]| cookies().session(fields.iter().map(|field| field.as_bytes()));
        assert!(matches!(read(&[&format!("x=1; __Host-passgate={a}; y=2")]), Presented::Token(_)));
        assert!(matches!(read(&["x=1"]), Presented::Nothing));
        assert!(matches!(read(&[&format!("x__Host-passgate={a}")]), Presented::Nothing));
        assert!(matches!(read(&[&format!("__HOST-passgate={a}")]), Presented::Nothing));
        for unusable in [
            vec![format!("__Host-passgate={a}; __Host-passgate={b}")],
            vec![format!("__Host-passgate={a}; __Host-passgate={a}")],
            vec![format!("__Host-passgate={a}"), format!("__Host-passgate={b}")],
            vec![format!("__Host-passgate=\"{a}\"")],
            vec![format!("__Host-passgate={a}x")],
            vec!["__Host-passgate".to_owned()],
            vec![format!("__Host-passgate=; __Host-passgate={a}")],
        ] {
            let fields: Vec<&str> = unusable.iter().map(String::as_str).collect();
            assert!(matches!(read(&fields), Presented::Unusable), "{unusable:?}");
        }
    }

    #[test]
    fn ses_10_our_cookies_are_taken_out_and_the_others_kept_byte_for_byte() {
        let without = |field: &str| cookies().without_ours(field.as_bytes());
        assert_eq!(without("mybb[lastvisit]=1; a=\"x y\"; b=%7C|; d=1=2"), None);
        for (field, left) in [
            ("__Host-passgate=t", ""),
            ("a=1;  __Host-passgate=t;b=\"x;y\"", "a=1;b=\"x;y\""),
            ("__Host-passgate=t; mybb[x]=1; c", "mybb[x]=1; c"),
            ("__Host-passgate-form=t; a=1; __Host-Passgate=u", "a=1"),
            ("__Host-passgate-quiet=1; a=1", "a=1"),
            ("a=1; __Host-passgate-send=t", "a=1"),
            ("a=1; __Host-passgate-device=t", "a=1"),
            ("a=1; __Host-passgate-trusted=t", "a=1"),
        ] {
            assert_eq!(without(field).unwrap(), left.as_bytes(), "{field}");
        }
        assert_eq!(cookies().without_ours(b"__Host-passgate=t; b=\xe9").unwrap(), b"b=\xe9");
        assert!(cookies().sets_ours(b" __Host-passgate=evil; Path=/"));
        assert!(
            cookies().sets_ours(b"=__Host-passgate=evil") && cookies().sets_ours(b" = __Host-passgate-form")
        );
        assert!(!cookies().sets_ours(b"sid=1; x=__Host-passgate"));
    }

    #[test]
    fn ses_10_each_cookie_of_ours_is_known_by_its_name_however_we_are_reached() {
        for transport in [Transport::Tls, Transport::PlainLoopback] {
            let ours = Cookies::new(transport, DAY);
            let names = [ours.session_name(), ours.browser_name(), ours.quiet_name(), ours.send_name()];
            for name in names.into_iter().chain([ours.device_name(), ours.trusted_name()]) {
                let field = format!("{name}=t; a=1");
                assert_eq!(ours.without_ours(field.as_bytes()).as_deref(), Some(&b"a=1"[..]), "{name}");
                let longer = format!("{name}s=t");
                assert_eq!(ours.without_ours(longer.as_bytes()), None, "{longer} is the application's");
            }
        }
    }
}
