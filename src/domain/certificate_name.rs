//! The names for which a certificate holds.

use std::fmt;
use std::net::IpAddr;

use super::{Host, InvalidHost};

/// One name of a certificate (RFC 9525 §6.3): a host, or every host with exactly one label before a suffix.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CertificateName {
    /// `forum.example.org`, or an address.
    Exact(Host),
    /// `*.example.org`.
    OneLabelBelow(Host),
}

impl CertificateName {
    /// Reads a DNS name as it stands in a certificate.
    pub fn parse(text: &str) -> Result<Self, InvalidHost> {
        match text.strip_prefix("*.") {
            Some(suffix) => Host::parse(suffix).map(Self::OneLabelBelow),
            None => Host::parse(text).map(Self::Exact),
        }
    }

    /// Whether `host` is one of those meant.
    pub fn covers(&self, host: &Host) -> bool {
        match self {
            Self::Exact(name) => name == host,
            Self::OneLabelBelow(suffix) => below(host) == Some(suffix.as_str()),
        }
    }

    /// The names that cover `host`, the most exact first.
    pub fn of(host: &Host) -> [Option<Self>; 2] {
        let below = below(host).and_then(|suffix| Host::parse(suffix).ok());
        [Some(Self::Exact(host.clone())), below.map(Self::OneLabelBelow)]
    }
}

/// An address as it stands in a certificate.
impl TryFrom<IpAddr> for CertificateName {
    type Error = InvalidHost;

    fn try_from(address: IpAddr) -> Result<Self, InvalidHost> {
        let text = match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        Host::parse(&text).map(Self::Exact)
    }
}

impl fmt::Display for CertificateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(host) => host.fmt(f),
            Self::OneLabelBelow(suffix) => write!(f, "*.{suffix}"),
        }
    }
}

/// What follows the first label; an address has none.
fn below(host: &Host) -> Option<&str> {
    let is_address = host.as_str().trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    host.as_str().split_once('.').filter(|_| !is_address).map(|(_, suffix)| suffix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(name: &str, host: &str) -> bool {
        CertificateName::parse(name).unwrap().covers(&Host::parse(host).unwrap())
    }

    #[test]
    fn a_star_stands_for_one_label_and_no_more() {
        assert!(
            covers("Forum.example.org", "forum.EXAMPLE.org:443") && covers("*.example.org", "a.example.org")
        );
        for host in ["example.org", "b.a.example.org", "a.example.com", "aexample.org"] {
            assert!(!covers("*.example.org", host), "{host}");
        }
        assert!(!covers("*.0.0.1", "127.0.0.1"), "an address has no labels");
        assert!(CertificateName::parse("f*.example.org").is_err() && CertificateName::parse("*").is_err());
    }

    #[test]
    fn addresses_are_names_too() {
        for (address, host) in [("127.0.0.1", "127.0.0.1:8443"), ("::1", "[::1]")] {
            let name = CertificateName::try_from(address.parse::<IpAddr>().unwrap()).unwrap();
            assert!(name.covers(&Host::parse(host).unwrap()), "{address}");
        }
    }
}
