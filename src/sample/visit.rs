//! One request as the pages see it: what was asked, by whom, with which cookies.

use http::HeaderMap;
use http::request::Parts;

use super::Forum;
use super::fields::Fields;
use super::members;

/// Who the forum believes is there.
#[derive(Debug, Default)]
pub(super) struct Visitor {
    /// The member's name; empty for a guest.
    pub(super) name: String,
    /// What `Remote-Name` says, if it is there and another than the name.
    pub(super) full_name: String,
    /// How the forum knows: `header`, `login`, or empty for a guest.
    pub(super) known_by: &'static str,
}

impl Visitor {
    /// Who a request's headers and cookies speak for. SECURITY: the headers are believed as they come; that they are true
    /// is the gateway's promise.
    fn of(headers: &HeaderMap, cookies: &Fields, forum: &Forum) -> Self {
        let name = cgi_header(headers, "REMOTE_USER");
        if !name.is_empty() {
            let full_name = Some(cgi_header(headers, "REMOTE_NAME")).filter(|full| *full != name);
            return Self { name, full_name: full_name.unwrap_or_default(), known_by: "header" };
        }
        match forum.members.of_login_cookie(cookies.last(LOGIN_COOKIE)) {
            Some(member) => Self { name: member.name.to_owned(), known_by: "login", ..Self::default() },
            None => Self::default(),
        }
    }

    pub(super) fn is_guest(&self) -> bool {
        self.name.is_empty()
    }

    /// The name to sign posts with.
    pub(super) fn signature(&self) -> String {
        if self.full_name.is_empty() {
            return self.name.clone();
        }
        format!("{} ({})", self.name, self.full_name)
    }
}

/// The cookie of the forum's own login.
pub(super) const LOGIN_COOKIE: &str = "sample_user";
/// The cookie every visitor has, guests included.
pub(super) const SESSION_COOKIE: &str = "sample_sid";

/// A request on its way through the pages.
pub(super) struct Visit<'r> {
    pub(super) forum: &'r Forum,
    pub(super) parts: &'r Parts,
    pub(super) query: Fields,
    pub(super) visitor: Visitor,
    /// The visitor's session number, from the cookie or new.
    pub(super) session: String,
    /// Whether the session is new, so that cookies are to be set.
    pub(super) is_new: bool,
}

impl<'r> Visit<'r> {
    pub(super) fn new(forum: &'r Forum, parts: &'r Parts) -> Self {
        let cookies = Fields::of_cookies(&parts.headers);
        let known = cookies.last(SESSION_COOKIE);
        Self {
            forum,
            parts,
            query: Fields::of_query(parts.uri.query().unwrap_or_default()),
            visitor: Visitor::of(&parts.headers, &cookies, forum),
            is_new: known.is_empty(),
            session: if known.is_empty() { members::new_session() } else { known.to_owned() },
        }
    }

    /// The token this visitor's forms carry.
    pub(super) fn token(&self) -> String {
        self.forum.members.form_token(&self.session)
    }

    /// Whether a form that came in is this visitor's own.
    pub(super) fn owns(&self, form: &Fields) -> bool {
        !self.is_new && form.last("form_token") == self.token()
    }
}

/// All values of the header with this CGI name, joined; empty if there is none.
fn cgi_header(headers: &HeaderMap, cgi_name: &str) -> String {
    let spelled_alike = |name: &str| {
        name.len() == cgi_name.len()
            && name.bytes().zip(cgi_name.bytes()).all(|(given, wanted)| {
                let folded = if given.is_ascii_alphanumeric() { given.to_ascii_uppercase() } else { b'_' };
                folded == wanted
            })
    };
    let values: Vec<_> = headers
        .iter()
        .filter(|(name, _)| spelled_alike(name.as_str()))
        .map(|(_, value)| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    values.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_header_is_found_in_every_cgi_spelling_and_forgeries_are_seen() {
        let mut headers = HeaderMap::new();
        assert_eq!(cgi_header(&headers, "REMOTE_USER"), "");
        headers.append("remote-user", "alice".parse().unwrap());
        headers.append("x-remote-user", "not this one".parse().unwrap());
        assert_eq!(cgi_header(&headers, "REMOTE_USER"), "alice");
        headers.append("remote_user", "mallory".parse().unwrap());
        assert_eq!(cgi_header(&headers, "REMOTE_USER"), "alice, mallory");
    }
}
