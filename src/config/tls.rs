//! The `[tls]` section: TLS on listeners of our own. Certificates in files are read with the configuration, so that one which can't be
//! used is a problem like any other, and a reload takes all of it or nothing.

use std::net::SocketAddr;
use std::time::Duration;

use http::HeaderValue;

use super::acme::{self, Around};
use super::public::Public;
use super::raw;
use super::reader::{DAY, Reader, quoted};
use super::server::{listen, placed};
use crate::auth::Transport;
use crate::domain::CertificateName;
use crate::proxy::options::PlainHttp;
use crate::server::options::{
    Certificate, CertificateError, CertificateSource, RenewedBy, TlsOptions, TlsProfile,
};

/// What `[tls]` comes to.
pub(super) struct Tls {
    /// None where nothing is listened on over TLS.
    pub(super) options: Option<TlsOptions>,
    pub(super) plain_http: PlainHttp,
    pub(super) hsts: Option<HeaderValue>,
}

const LISTEN: &str = "tls.listen";

/// `taken` are the addresses of other listeners, and `in_the_clear` whether members' requests arrive at any of them.
pub(super) fn read(
    reader: &mut Reader<'_>,
    raw: &raw::Tls,
    taken: &[SocketAddr],
    in_the_clear: bool,
    public: Option<&Public>,
) -> Option<Tls> {
    let addresses = listen(reader, LISTEN, &raw.listen, taken);
    let profiles = [("intermediate", TlsProfile::Intermediate), ("modern", TlsProfile::Modern)];
    let profile = reader.word("tls.profile", &raw.profile, &profiles);
    let hsts = reader.duration("tls.hsts", &raw.hsts, Duration::ZERO..=730 * DAY);
    let limits = Duration::from_millis(100)..=Duration::from_secs(60);
    let handshake_timeout = reader.duration("tls.handshake_timeout", &raw.handshake_timeout, limits);
    let certificates: Vec<_> =
        raw.certificate.iter().enumerate().map(|(at, raw)| certificate(reader, at, raw)).collect();
    let certificates: Option<Vec<_>> = certificates.into_iter().collect();
    let around = Around { public, over_tls: !raw.listen.is_empty(), in_the_clear };
    let acme = acme::read(reader, &raw.acme, around);
    let (addresses, certificates, acme) = (addresses?, certificates?, acme?);
    let names = acme.iter().flat_map(|acme| acme.names.iter().cloned().map(CertificateName::Exact));
    let names = certificates.iter().flat_map(|it| it.names().iter().cloned()).chain(names);
    fits(reader, raw, &addresses, &names.collect::<Vec<_>>(), public)?;
    let is_https = public.is_some_and(|public| public.transport == Transport::Tls);
    let options = TlsOptions {
        listen: addresses,
        profile: profile?,
        certificates,
        acme,
        handshake_timeout: handshake_timeout?,
    };
    Some(Tls {
        options: (!options.listen.is_empty()).then_some(options),
        plain_http: if raw.redirect { PlainHttp::Redirected } else { PlainHttp::Served },
        hsts: hsts.filter(|age| is_https && !age.is_zero()).and_then(strict_transport_security),
    })
}

fn strict_transport_security(max_age: Duration) -> Option<HeaderValue> {
    HeaderValue::try_from(format!("max-age={}", max_age.as_secs())).ok()
}

fn certificate(reader: &mut Reader<'_>, at: usize, raw: &raw::TlsCertificate) -> Option<Certificate> {
    let [chain_key, key_key] = ["chain", "key"].map(|field| format!("tls.certificate.{}.{field}", at + 1));
    for (key, text) in [(&chain_key, &raw.chain), (&key_key, &raw.key)] {
        if text.is_empty() {
            return reader.refuse(
                key,
                "nothing",
                "a file in PEM",
                "name the file that your authority or ACME client made",
            );
        }
    }
    let source = CertificateSource {
        chain: placed(reader, &chain_key, &raw.chain),
        key: placed(reader, &key_key, &raw.key),
        is_default: raw.default,
        renewed_by: RenewedBy::Operator,
    };
    let found = |file: &std::path::Path, what: &dyn std::fmt::Display| {
        format!("{}: {what}", quoted(&file.to_string_lossy()))
    };
    match Certificate::read(source.clone()) {
        Ok(certificate) => Some(certificate),
        Err(error @ CertificateError::Chain(_)) => reader.refuse(
            &chain_key,
            found(&source.chain, &error),
            "the site's certificate in PEM, and after it those that lead to its authority",
            "ACME clients call it fullchain.pem",
        ),
        Err(error @ CertificateError::Key(_)) => reader.refuse(
            &key_key,
            found(&source.key, &error),
            "the certificate's key in PEM",
            "ACME clients call it privkey.pem",
        ),
        Err(error @ CertificateError::KeyIsOpen(_)) => reader.refuse(
            &key_key,
            found(&source.key, &error),
            "a file that its owner alone may read, and a group at most",
            "run: chmod 600 FILE; or chmod 640 FILE, if passgate reads it by its group",
        ),
    }
}

/// Whether what is there fits together.
fn fits(
    reader: &mut Reader<'_>,
    raw: &raw::Tls,
    addresses: &[SocketAddr],
    names: &[CertificateName],
    public: Option<&Public>,
) -> Option<()> {
    if addresses.is_empty() {
        if raw.redirect {
            let help = "list the addresses of tls.listen, such as \"0.0.0.0:443\"; a proxy that does TLS redirects by itself";
            return reader.refuse("tls.redirect", "true", "false, where nothing listens over TLS", help);
        }
        return Some(());
    }
    if names.is_empty() {
        let help = "add [[tls.certificate]] with `chain` and `key`, or let [tls.acme] get one";
        return reader.refuse(LISTEN, "no certificate to show there", "at least one", help);
    }
    let public = public?;
    if public.transport != Transport::Tls {
        let help = "write https:// and the name that the certificate is for";
        return reader.refuse(
            "server.public_url",
            quoted(public.url.as_str()),
            "https, as tls.listen is set",
            help,
        );
    }
    if !names.iter().any(|name| name.covers(&public.host)) {
        let found = format!("no certificate for {}, the host of server.public_url", public.host);
        let expected = "a certificate that browsers take for it";
        return reader.refuse(
            "tls.certificate",
            found,
            expected,
            "get one with that name in it (subjectAltName), or add it to tls.acme.names",
        );
    }
    Some(())
}
