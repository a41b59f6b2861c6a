//! An [`EmailKey`]: the form in which e-mail addresses are compared. The address itself is kept as it was written.

use unicode_normalization::UnicodeNormalization;

/// Under which any spelling of an address is the same.
///
/// The host is compared as DNS does, case apart and in its ASCII form. Whether the part before the `@` has a case is its
/// host's own business (RFC 5321 §2.4), but nobody hands out `Ann@` and `ann@` to two people, and people type either.
/// Nothing else is folded: dots and `+` mean something to some hosts and not to others.
#[derive(Clone, Debug, PartialEq, Eq)]
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
