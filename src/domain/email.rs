//! E-mail addresses: an [`EmailKey`] is the form in which they are compared, a [`MailAddress`] one that mail can be sent to.
//! The address itself is kept as it was written.

use std::fmt;

use serde::{Deserialize, Serialize};

use unicode_normalization::UnicodeNormalization;

/// Under which any spelling of an address is the same.
///
/// The host is compared as DNS does, case apart and in its ASCII form. Whether the part before the `@` has a case is its
/// host's own business (RFC 5321 §2.4), but nobody hands out `Ann@` and `ann@` to two people, and people type either.
/// Nothing else is folded: dots and `+` mean something to some hosts and not to others.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EmailKey(String);

impl EmailKey {
    /// As long as an address may be (RFC 5321 §4.5.3.1.3, without the brackets).
    const MAX_BYTES: usize = 254;

    /// Reads an address as typed; none if it is not one. Only the outline is checked: nobody but the mail's own host
    /// knows which addresses exist.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (local, host) = text.rsplit_once('@')?;
        let odd = |c: char| c.is_control() || c.is_whitespace() || matches!(c, ',' | '@' | '<' | '>');
        if local.is_empty() || text.len() > Self::MAX_BYTES || local.contains(odd) {
            return None;
        }
        let url::Host::Domain(host) = url::Host::parse(host.trim_end_matches('.')).ok()? else { return None };
        let local: String = local.nfc().flat_map(char::to_lowercase).nfc().collect();
        Some(Self(format!("{local}@{host}")))
    }

    /// The form for comparison.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// An address for an envelope: the part before the `@` as it was written, the host in its ASCII form.
///
/// SECURITY: nothing that means something to SMTP or in a header can be in one. Quoted local parts (RFC 5321 §4.1.2) are
/// refused with it; hardly anybody has one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MailAddress(String);

impl MailAddress {
    /// As long as the part before the `@` may be (RFC 5321 §4.5.3.1.1).
    const MAX_LOCAL_BYTES: usize = 64;

    /// Reads an address as typed; none if it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let key = EmailKey::parse(text)?;
        let ((_, host), (local, _)) = (key.0.rsplit_once('@')?, text.trim().rsplit_once('@')?);
        let is_atom = |atom: &str| !atom.is_empty() && atom.chars().all(is_atext);
        let is_host = host.contains(|c: char| c.is_ascii_alphabetic());
        (is_host && local.len() <= Self::MAX_LOCAL_BYTES && local.split('.').all(is_atom))
            .then(|| Self(format!("{local}@{host}")))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What an atom is made of (RFC 5322 §3.2.3, RFC 6532 §3.2).
fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || (!c.is_ascii() && c.is_alphanumeric())
}

impl fmt::Display for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for MailAddress {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("is no e-mail address")
    }
}

impl From<MailAddress> for String {
    fn from(address: MailAddress) -> Self {
        address.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SECURITY: L11. Exactly one `@`.
    #[test]
    fn mf_24_spellings_of_one_address_are_one_and_others_are_not() {
        let key = |text: &str| EmailKey::parse(text).map(|key| key.0);
        for same in ["ann@forum.example", " Ann@FORUM.example ", "ANN@forum.Example."] {
            assert_eq!(key(same).as_deref(), Some("ann@forum.example"), "{same}");
        }
        assert_eq!(key("ann@münchen.example"), key("ann@XN--mnchen-3ya.example"));
        assert_eq!(key("Zo\u{eb}@x.example"), key("zoe\u{308}@x.example"));
        for other in ["a.nn@forum.example", "ann+x@forum.example", "аnn@forum.example", "ａnn@forum.example"]
        {
            assert_ne!(key(other), key("ann@forum.example"), "{other}");
        }
        for none in
            ["", "ann", "@forum.example", "ann@", "a@b@c", "a b@c.example", "a,b@c.example", "ann@a b"]
        {
            assert_eq!(key(none), None, "{none}");
        }
        assert_eq!(key(&format!("{}@forum.example", "x".repeat(250))), None);
    }

    #[test]
    fn mail_goes_to_plain_addresses_alone() {
        let address = |text: &str| MailAddress::parse(text).map(|address| address.0);
        for (text, same) in [
            (" Ann.O'Neil+forum@FORUM.example. ", "Ann.O'Neil+forum@forum.example"),
            ("ann@münchen.example", "ann@xn--mnchen-3ya.example"),
            ("zoë@x.example", "zoë@x.example"),
            ("ann@localhost", "ann@localhost"),
        ] {
            assert_eq!(address(text).as_deref(), Some(same), "{text}");
        }
        for hostile in [
            "ann@x.example\r\nRCPT TO:<eve@x.example>",
            "ann\u{0}@x.example",
            "ann>@x.example",
            "<ann@x.example>",
            "\"a b\"@x.example",
            "\"a\"@x.example",
            "a:b@x.example",
            "a;b@x.example",
            "a(b)@x.example",
            "a\\b@x.example",
            "a..b@x.example",
            ".a@x.example",
            "a.@x.example",
            "a\u{202e}b@x.example",
            "a\u{200b}b@x.example",
            "ann@[127.0.0.1]",
            "ann@127.0.0.1",
            "ann@x.example, eve@x.example",
            "ann@x.example@y.example",
        ] {
            assert_eq!(address(hostile), None, "{hostile:?}");
        }
        assert_eq!(address(&format!("{}@x.example", "x".repeat(65))), None);
    }
}
