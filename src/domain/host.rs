//! Host names as they are compared: lower case, no port, no trailing dot (SECURITY: P5, PATH-04).

use std::fmt;

/// A host name or IP literal, ready for comparison. IPv6 literals keep their brackets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Host(Box<str>);

/// A text that is no host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a host name")]
pub struct InvalidHost;

impl Host {
    /// Reads the value of a `Host` field or the authority of a URL; a port is allowed and dropped (RFC 9110 §7.2).
    pub fn parse(text: &str) -> Result<Self, InvalidHost> {
        let (name, port) = split_port(text)?;
        if !port.bytes().all(|byte| byte.is_ascii_digit()) || port.len() > 5 {
            return Err(InvalidHost);
        }
        let name = name.strip_suffix('.').unwrap_or(name);
        let well_formed = match name.strip_prefix('[') {
            Some(literal) => {
                literal.strip_suffix(']').is_some_and(|address| address.parse::<std::net::Ipv6Addr>().is_ok())
            }
            None => !name.is_empty() && name.len() <= 253 && name.split('.').all(is_label),
        };
        if well_formed { Ok(Self(name.to_ascii_lowercase().into())) } else { Err(InvalidHost) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it always means this machine: `localhost`, its sub-domains, and loopback addresses.
    pub fn is_loopback(&self) -> bool {
        let name = self.as_str();
        let address = name.trim_start_matches('[').trim_end_matches(']');
        name == "localhost"
            || name.ends_with(".localhost")
            || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which hosts a rule is for: one name, or all names below a suffix (`*.example.org`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostPattern {
    /// This host alone.
    Exact(Host),
    /// Any host with at least one label more (SECURITY: P6, `example.org` never matches `evil-example.org`).
    Below(Host),
}

impl HostPattern {
    /// Reads `forum.example.org` or `*.example.org`.
    pub fn parse(text: &str) -> Result<Self, InvalidHost> {
        match text.strip_prefix("*.") {
            Some(suffix) => Host::parse(suffix).map(Self::Below),
            None => Host::parse(text).map(Self::Exact),
        }
    }

    /// Whether `host` is meant.
    pub fn matches(&self, host: &Host) -> bool {
        match self {
            Self::Exact(name) => name == host,
            Self::Below(suffix) => host
                .as_str()
                .strip_suffix(suffix.as_str())
                .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
        }
    }

    /// How closely it names a host: one host more than all below a name, and the longer such name more. The greater is the better
    /// match.
    pub fn specificity(&self) -> (u8, usize) {
        match self {
            Self::Below(suffix) => (1, suffix.as_str().len()),
            Self::Exact(_) => (2, 0),
        }
    }
}

fn split_port(text: &str) -> Result<(&str, &str), InvalidHost> {
    if text.starts_with('[') {
        let end = text.find(']').ok_or(InvalidHost)? + 1;
        let port = &text[end..];
        return match port.strip_prefix(':') {
            Some(port) => Ok((&text[..end], port)),
            None if port.is_empty() => Ok((text, "")),
            None => Err(InvalidHost),
        };
    }
    Ok(text.split_once(':').unwrap_or((text, "")))
}

/// Letters, digits, hyphens; underscores too, since old intranet names have them.
fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= 63
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_04_one_host_in_all_its_spellings_is_one_host() {
        let plain = Host::parse("forum.example.org").unwrap();
        for same in
            ["FORUM.example.ORG", "forum.example.org.", "forum.example.org:8443", "Forum.Example.Org.:80"]
        {
            assert_eq!(Host::parse(same).unwrap(), plain, "{same}");
        }
        assert_eq!(Host::parse("[::1]:8080").unwrap().as_str(), "[::1]");
    }

    #[test]
    fn h1_15_what_is_no_host_is_refused() {
        for bad in [
            "",
            ".",
            "a..b",
            "a b",
            "a/b",
            "user@host",
            "a,b",
            "host:port",
            "host:123456",
            "[::1",
            "[::1]x",
            "[zz]",
            "exämple.org",
            "a:1:2",
            "host\u{0}",
            &"a".repeat(64),
        ] {
            assert!(Host::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn p6_a_suffix_pattern_needs_a_whole_label() {
        let pattern = HostPattern::parse("*.example.org").unwrap();
        let matches = |host| pattern.matches(&Host::parse(host).unwrap());
        assert!(matches("a.example.org") && matches("b.a.example.org"));
        assert!(!matches("example.org") && !matches("evil-example.org") && !matches("a.examplexorg"));
    }

    #[test]
    fn loopback_names_are_known() {
        for host in ["localhost", "app.localhost", "127.0.0.1", "127.9.9.9", "[::1]"] {
            assert!(Host::parse(host).unwrap().is_loopback(), "{host}");
        }
        assert!(!Host::parse("localhost.evil.org").unwrap().is_loopback());
    }
}
