//! What TLS has agreed on for one connection, and which requests may come on it.

use std::sync::Arc;

use http::Version;
use pingora::proxy::Session;

use super::connection;
use crate::domain::{CertificateName, Host};

/// A connection's name and the certificate it was shown.
#[derive(Debug)]
pub struct Secured {
    server_name: Option<Host>,
    names: Arc<[CertificateName]>,
}

impl Secured {
    /// `server_name` is what the client asked for, `names` those of the certificate that it got.
    pub const fn new(server_name: Option<Host>, names: Arc<[CertificateName]>) -> Self {
        Self { server_name, names }
    }

    /// Whether a request for `host` belongs here (SECURITY: TLS-02, H2-08).
    ///
    /// Browsers use one connection of HTTP/2 for all names that its certificate covers (RFC 9113 §9.1.1); each request is
    /// then judged by the rules of its own host. Over HTTP/1.1 nobody does that: another name than the one asked for is a
    /// mistake or an attempt to get past whoever looked at the first.
    pub(super) fn may_carry(&self, host: &Host, version: Version) -> bool {
        match &self.server_name {
            Some(name) if version < Version::HTTP_2 => name == host,
            _ => self.names.iter().any(|name| name.covers(host)),
        }
    }
}

/// What TLS has agreed on for a request's connection.
pub(super) fn of(session: &Session) -> Option<&Arc<Secured>> {
    match session.as_http1() {
        Some(_) => connection(session)?.security(),
        None => session.req_header().extensions.get(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h2_08_another_host_may_share_the_connection_only_over_http_2_and_only_if_the_certificate_is_its_own_too()
     {
        let host = |text| Host::parse(text).unwrap();
        let names = ["a.example", "*.b.example"].map(|name| CertificateName::parse(name).unwrap());
        let named = Secured::new(Some(host("a.example")), names.clone().into());
        let nameless = Secured::new(None, names.into());
        for (asked, over_1, over_2) in
            [("a.example:8443", true, true), ("x.b.example", false, true), ("b.example", false, false)]
        {
            assert_eq!(named.may_carry(&host(asked), Version::HTTP_11), over_1, "{asked}");
            assert_eq!(named.may_carry(&host(asked), Version::HTTP_2), over_2, "{asked}");
            assert_eq!(nameless.may_carry(&host(asked), Version::HTTP_11), over_2, "{asked}");
        }
    }
}
