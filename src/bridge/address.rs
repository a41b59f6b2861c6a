//! Addresses of a forum that mean something to the gateway: where it signs in, registers, changes passwords.
//!
//! Most forums tell what is asked by a parameter, not by the path, and read that parameter from places where a naive rule
//! does not look: escaped names, repeated keys, the form in the body, what follows the script's name. A pattern here matches
//! wherever one of them could. It may match too much, never too little of what is listed in its tests; parts of a
//! multipart body alone it does not see. So registration is best switched off in the forum too.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use crate::domain::RequestPath;

/// A path and the parameters it must come with: `/ucp.php?mode=login`.
///
/// The path is meant with all that lies below it, `*` is any path, and `index.php` may be left out, as web servers
/// allow. A condition without a value, `?email`, holds for any; one with `!=` holds where no such parameter is, and somebody who
/// adds one gets round it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AddressPattern {
    path: String,
    conditions: Vec<(String, Option<String>)>,
}

/// A text that is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no address of a forum: begin with a slash, as in /login.php?action=forget, or with *?")]
pub struct InvalidAddress;

/// What a request asks for, as far as a pattern looks at it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'r> {
    /// The path below which the forum lies is taken off before: `/ucp.php` of a forum in `/forum`.
    pub path: &'r str,
    /// The query, byte for byte.
    pub query: Option<&'r str>,
    /// The body of a request whose content type is `application/x-www-form-urlencoded`; empty for any other.
    pub form: &'r [u8],
}

impl<'r> Asked<'r> {
    /// What `path` asks of a forum below `base`; none if it lies elsewhere. `base` is `/` or has no slash at its end.
    pub fn of(path: &'r RequestPath<'_>, base: &str, form: &'r [u8]) -> Option<Self> {
        let below = if base == "/" { path.decoded() } else { path.below(base)? };
        Some(Self { path: if below.is_empty() { "/" } else { below }, query: path.query(), form })
    }
}

impl AddressPattern {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, InvalidAddress> {
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let whole = path == "*" && !query.is_empty() || path.starts_with('/');
        if !whole || path.contains("//") || text.contains(['#', ' ']) {
            return Err(InvalidAddress);
        }
        let conditions = query.split('&').filter(|condition| !condition.is_empty());
        let conditions = conditions.map(|condition| match condition.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (condition.to_owned(), None),
        });
        Ok(Self { path: path.to_owned(), conditions: conditions.collect() })
    }

    /// Whether this may be what is asked for.
    pub fn matches(&self, asked: Asked<'_>) -> bool {
        let Some(info) = self.below(asked.path) else { return false };
        self.conditions.iter().all(|(name, wanted)| {
            let is_there = |name| {
                parameters(asked, info).any(|(key, value)| is_met(name, wanted.as_deref(), &key, &value))
            };
            name.strip_suffix('!').map_or_else(|| is_there(name), |name| !is_there(name))
        })
    }

    /// What follows the script's name in `path`, if the path is meant.
    fn below<'p>(&self, path: &'p str) -> Option<&'p str> {
        if self.path == "*" {
            return Some("");
        }
        let own = self.path.trim_end_matches('/');
        let index = own.strip_suffix("/index.php").map(|folder| format!("{folder}/"));
        if index.is_some_and(|folder| path == folder || format!("{path}/") == folder) {
            return Some("");
        }
        let rest = path.strip_prefix(own)?;
        let ends = rest.is_empty() || rest.starts_with('/');
        ends.then_some(rest)
    }
}

impl TryFrom<String> for AddressPattern {
    type Error = InvalidAddress;

    fn try_from(text: String) -> Result<Self, InvalidAddress> {
        Self::parse(&text)
    }
}

impl From<AddressPattern> for String {
    fn from(AddressPattern { path, conditions }: AddressPattern) -> Self {
        let conditions = conditions.into_iter().map(|(name, value)| match value {
            Some(value) => format!("{name}={value}"),
            None => name,
        });
        let query = conditions.collect::<Vec<_>>().join("&");
        if query.is_empty() { path } else { format!("{path}?{query}") }
    }
}

/// Whether a parameter meets a condition. `do[login]=x` says both that `do` is `x` and, in DokuWiki, that it is `login`.
fn is_met(name: &str, wanted: Option<&str>, key: &str, value: &str) -> bool {
    let (base, part) = match key.split_once('[') {
        Some((base, rest)) => (base, rest.split_once(']').map_or(rest, |(part, _)| part)),
        None => (key, ""),
    };
    base == name && wanted.is_none_or(|wanted| value == wanted || part == wanted)
}

/// Every parameter the application might see: of the query and the form, split at `&` and `;`, and of the path after the
/// script, as SMF writes it: `/index.php/action,login`.
fn parameters<'r>(asked: Asked<'r>, info: &'r str) -> impl Iterator<Item = (String, String)> + 'r {
    let query = asked.query.unwrap_or_default().split(['&', ';']).map(Cow::Borrowed);
    // What is no UTF-8 is read all the same: PHP looks at a name only up to its first NUL.
    let form = asked.form.split(|byte| matches!(byte, b'&' | b';')).map(String::from_utf8_lossy);
    let info = info.split('/').filter(|part| part.contains(','));
    let info = info.map(|part| Cow::Owned(part.replacen(',', "=", 1)));
    query.chain(form).chain(info).map(|pair: Cow<'_, str>| {
        let (name, value) = pair.split_once('=').unwrap_or((&pair, ""));
        (key(name), decode(value))
    })
}

/// The name as PHP makes it: decoded, up to the first NUL, without leading blanks, `.` and blank as `_`.
fn key(name: &str) -> String {
    let decoded = decode(name);
    let until = decoded.split('\0').next().unwrap_or_default();
    until.trim_start_matches(' ').replace([' ', '.'], "_")
}

fn decode(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches_below(base: &str, pattern: &str, target: &str, form: &str) -> bool {
        let path = RequestPath::parse(target).unwrap();
        let asked = Asked::of(&path, base, form.as_bytes());
        asked.is_some_and(|asked| AddressPattern::parse(pattern).unwrap().matches(asked))
    }

    fn matches(pattern: &str, target: &str, form: &str) -> bool {
        matches_below("/", pattern, target, form)
    }

    #[test]
    fn a_pattern_matches_every_spelling_that_reached_the_page_in_a_real_forum() {
        for (pattern, target, form) in [
            ("/member.php?action=register", "/member.php?action=register", ""),
            ("/member.php?action=register", "/member.php?%61ction=register", ""),
            ("/member.php?action=register", "/member.php?action=x&action=register", ""),
            ("/member.php?action=register", "/member.php?action=register&action=x", ""),
            ("/member.php?action=register", "/member.php/foo?action=register", ""),
            ("/member.php?action=register", "/member.php", "action=register"),
            ("/member.php?action=do_register", "/member.php?action=login", "x=1&%61ction=do%5fregister"),
            ("/member.php?action=register", "/member.php?+action=register", ""),
            ("/member.php?action=register", "/member.php?action%00x=register", ""),
            ("/index.php?action=signup", "/index.php?action=forum;action=signup", ""),
            ("/index.php?action=signup", "/index.php/action,signup", ""),
            ("/index.php?action=signup", "/index.php/x/action,signup/y", ""),
            ("/index.php?action=signup", "/?action=signup", ""),
            ("/ucp.php?mode=register", "/ucp.php?m%6fde=register", ""),
            ("/ucp.php?mode=register", "/ucp.php/x?mode=register", ""),
            ("/login.php?action=forget", "/login.php/?action=forget", ""),
            ("/register.php", "//register.php", ""),
            ("/register.php", "/./register.php", ""),
            ("/register.php", "/x/../register.php", ""),
            ("/register.php", "/register%2ephp", ""),
            ("/misc.php?email", "/misc.php?email=3", ""),
            ("/wp-login.php?action!=postpass", "/wp-login.php", ""),
            ("/wp-login.php?action!=postpass", "/wp-login.php?action=login&x=postpass", ""),
            ("/user/register/", "/user/register", ""),
            ("/user/register/", "/user/register/", ""),
            ("/auth/reset-password", "/auth/reset-password/TOKEN", ""),
            ("*?do=login", "/doku.php?id=start&do=login", ""),
            ("*?do=login", "/any:page", "do[login]=Log+in"),
            ("/adm", "/adm/index.php?i=1", ""),
        ] {
            assert!(matches(pattern, target, form), "{pattern} {target} {form}");
        }
    }

    #[test]
    fn a_pattern_leaves_other_pages_alone() {
        for (pattern, target, form) in [
            ("/member.php?action=register", "/member.php?action=registered", ""),
            ("/member.php?action=register", "/member.php?xaction=register", ""),
            ("/member.php?action=register", "/members.php?action=register", ""),
            ("/member.php?action=register", "/x/member.php?action=register", ""),
            ("/register.php", "/Register.php", ""),
            ("/register.php", "/register.phpx", ""),
            ("/register.php", "/showthread.php?title=/register.php", ""),
            ("/index.php?action=signup", "/index.php?topic=2.0", "message=action%3Dsignup"),
            ("/index.php?action=signup", "/x/?action=signup", ""),
            ("/misc.php?email", "/misc.php?emails=1", ""),
            ("/wp-login.php?action!=postpass", "/wp-login.php?action=postpass", ""),
            ("/wp-login.php?action!=postpass", "/wp-login.php", "action=postpass"),
            ("/wp-login.php?action!=postpass&x=1", "/wp-login.php", ""),
        ] {
            assert!(!matches(pattern, target, form), "{pattern} {target} {form}");
        }
    }

    #[test]
    fn a_name_that_ends_at_a_nul_is_found_among_bytes_that_are_no_text() {
        let path = RequestPath::parse("/member.php").unwrap();
        let asked = Asked::of(&path, "/", b"x=\xff&action\0\xff=register").unwrap();
        assert!(AddressPattern::parse("/member.php?action=register").unwrap().matches(asked));
    }

    #[test]
    fn a_forum_below_a_path_is_matched_below_it() {
        assert!(matches_below("/phpbb", "/ucp.php?mode=login", "/phpbb/ucp.php?mode=login", ""));
        assert!(matches_below("/smf", "/index.php?action=login", "/smf?action=login", ""));
        assert!(!matches_below("/phpbb", "/ucp.php?mode=login", "/ucp.php?mode=login", ""));
        assert!(!matches_below("/phpbb", "/ucp.php?mode=login", "/phpbb2/ucp.php?mode=login", ""));
    }

    #[test]
    fn a_text_that_could_never_match_is_no_pattern() {
        for bad in ["", "register.php", "*", "//x", "http://x/", "/a b", "/x#y"] {
            assert_eq!(AddressPattern::parse(bad), Err(InvalidAddress), "{bad}");
        }
    }

    proptest! {
        /// Whatever stands around it and however its letters are escaped, the parameter is found.
        #[test]
        fn a_parameter_is_found_in_any_company(
            before in "([a-z%0-9=+\\[\\].]{0,12}[&;]){0,4}",
            after in "([&;][a-z%0-9=+\\[\\].]{0,12}){0,4}",
            escaped in proptest::collection::vec(any::<bool>(), 12),
            in_body in any::<bool>(),
        ) {
            let escape = |text: &str| -> String {
                let letters = text.chars().zip(&escaped);
                letters.map(|(c, escaped)| if *escaped { format!("%{:02x}", c as u32) } else { c.to_string() }).collect()
            };
            let pair = format!("{before}{}={}{after}", escape("action"), escape("register"));
            let (query, form) = if in_body { (String::new(), pair) } else { (format!("?{pair}"), String::new()) };
            let target = format!("/member.php{query}");
            prop_assert!(matches("/member.php?action=register", &target, &form));
        }

        #[test]
        fn no_request_makes_a_pattern_panic(target in "/\\PC{0,60}", form in proptest::collection::vec(any::<u8>(), 0..80)) {
            let Ok(path) = RequestPath::parse(&target) else { return Ok(()) };
            if let Some(asked) = Asked::of(&path, "/", &form) {
                AddressPattern::parse("*?a=b").unwrap().matches(asked);
            }
        }
    }
}
