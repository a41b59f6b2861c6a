//! By whom an application's certificate may be signed, and by what certificate it knows the gateway.

use crate::config::raw;
use crate::config::reader::{Reader, quoted};
use crate::config::server::placed;
use crate::proxy::options::{CaFile, ClientCertificate, PemError, ServerAt, UpstreamScheme};

/// The inner `None` is the system's authorities.
pub(super) fn authorities(
    reader: &mut Reader<'_>,
    key: &str,
    text: &str,
    servers: Option<&[ServerAt]>,
) -> Option<Option<CaFile>> {
    if text.is_empty() {
        return Some(None);
    }
    let key = &format!("{key}.ca_file");
    somebody_speaks_tls(reader, key, text, servers)?;
    let path = placed(reader, key, text);
    let found = quoted(&path.to_string_lossy());
    match CaFile::read(path) {
        Ok(file) => Some(Some(file)),
        Err(error) => {
            let help = "name the certificate of the authority that signed the application's";
            reader.refuse(key, format!("{found}: {error}"), "certificates in PEM, and nothing else", help)
        }
    }
}

/// The inner `None` is that it shows none.
pub(super) fn client(
    reader: &mut Reader<'_>,
    key: &str,
    raw: &raw::Route,
    servers: Option<&[ServerAt]>,
) -> Option<Option<ClientCertificate>> {
    let [chain_key, key_key] = ["client_certificate", "client_key"].map(|field| format!("{key}.{field}"));
    let (chain, secret) = (&raw.client_certificate, &raw.client_key);
    let other = match (chain.is_empty(), secret.is_empty()) {
        (true, true) => return Some(None),
        (false, false) => None,
        (true, false) => Some((&chain_key, "client_key without client_certificate")),
        (false, true) => Some((&key_key, "client_certificate without client_key")),
    };
    if let Some((key, found)) = other {
        let help = "name both files, or none";
        return reader.refuse(key, found, "a certificate and its key", help);
    }
    somebody_speaks_tls(reader, &chain_key, chain, servers)?;
    let (chain, secret) = (placed(reader, &chain_key, chain), placed(reader, &key_key, secret));
    let [of_chain, of_key] = [&chain, &secret].map(|path| quoted(&path.to_string_lossy()));
    match ClientCertificate::read(chain, secret) {
        Ok(certificate) => Some(Some(certificate)),
        Err(error @ PemError::Certificates(_)) => {
            let expected = "the gateway's certificate in PEM, and after it those that lead to its authority";
            let help = "name the file that your authority made for passgate";
            reader.refuse(&chain_key, format!("{of_chain}: {error}"), expected, help)
        }
        Err(error @ PemError::Key(_)) => {
            let help = "name the file that belongs to the certificate";
            reader.refuse(&key_key, format!("{of_key}: {error}"), "the certificate's key in PEM", help)
        }
        Err(error @ PemError::KeyIsOpen(_)) => reader.refuse(
            &key_key,
            format!("{of_key}: {error}"),
            "a file that its owner alone may read, and a group at most",
            "run: chmod 600 FILE; or chmod 640 FILE, if passgate reads it by its group",
        ),
    }
}

/// What is wrong with the URLs themselves has been told.
fn somebody_speaks_tls(
    reader: &mut Reader<'_>,
    key: &str,
    text: &str,
    servers: Option<&[ServerAt]>,
) -> Option<()> {
    let is_https = |server: &ServerAt| server.place.scheme() == UpstreamScheme::Https;
    if servers.is_none_or(|servers| servers.iter().any(is_https)) {
        return Some(());
    }
    let help = "in the clear nobody shows a certificate: begin the URL with https://, or leave the file out";
    reader.refuse(key, quoted(text), "a URL over https beside it", help)
}
