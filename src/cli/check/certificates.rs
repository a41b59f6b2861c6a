//! What `passgate check` says of the certificates that `[tls]` names.

use std::path::Path;

use crate::cli::{Exit, Streams, Trouble};
use crate::config::Config;
use crate::domain::{CertificateName, HostPattern, Timestamp};
use crate::server::Standing;
use crate::server::options::{AcmeOptions, Certificate, TlsOptions, TlsProfile};

/// Where TLS is spoken, and which.
pub(super) fn listeners(config: &Config) -> String {
    let Some(tls) = &config.tls else { return "nowhere".to_owned() };
    let addresses: Vec<_> = tls.listen.iter().map(ToString::to_string).collect();
    let versions = match tls.profile {
        TlsProfile::Intermediate => "TLS 1.2 and 1.3",
        TlsProfile::Modern => "TLS 1.3",
    };
    format!("{}, {versions}", addresses.join(", "))
}

/// Each certificate with its names and its end.
///
/// # Errors
/// If one has run out. The gateway would start with it all the same: then visitors at least see why.
pub(super) fn tell(config: &Config, now: Timestamp, streams: &mut Streams<'_>) -> Result<(), Trouble> {
    let Some(tls) = &config.tls else { return Ok(()) };
    let mut certificates = tls.certificates.clone();
    if let Some(acme) = &tls.acme {
        certificates.extend(by_itself(acme, &config.server.data_dir, now, streams)?);
    }
    for certificate in &certificates {
        streams.data(&line(certificate))?;
    }
    for warning in certificates.iter().filter_map(|certificate| certificate.warning(now)) {
        streams.say(&format!("warning: {warning}"));
    }
    for pattern in
        config.policy.hosts().iter().chain(&config.aliases).filter(|pattern| !is_covered(tls, pattern))
    {
        let (star, host) = match pattern {
            HostPattern::Exact(host) => ("", host),
            HostPattern::Below(host) => ("*.", host),
        };
        streams.say(&format!("warning: no certificate is for {star}{host}, so nobody gets there over TLS"));
    }
    match certificates.iter().any(|certificate| certificate.has_run_out(now)) {
        true => Err(Trouble::new(Exit::Configuration, "a certificate has run out: renew it")),
        false => Ok(()),
    }
}

/// What is ordered, and the one that has come.
fn by_itself(
    acme: &AcmeOptions,
    data_dir: &Path,
    now: Timestamp,
    streams: &mut Streams<'_>,
) -> Result<Option<Certificate>, Trouble> {
    let names: Vec<_> = acme.names.iter().map(ToString::to_string).collect();
    let authority = acme.directory.host_str().unwrap_or_default();
    streams.data(&format!("  {:<16} {}; from {authority}", "comes by itself", names.join(", ")))?;
    let Standing { certificate, why, next_try } = Standing::read(data_dir, now);
    if let Some(why) = why {
        streams.say(&format!(
            "warning: at the last try no certificate came: {why}; the next is not before {next_try}"
        ));
    }
    match certificate {
        Ok(None) => streams
            .say("warning: no certificate has come so far; handshakes for its names are refused until then"),
        Err(why) => streams
            .say(&format!("warning: the certificate that has come can't be used: {why}; another is ordered")),
        Ok(certificate) => return Ok(certificate),
    }
    Ok(None)
}

fn line(certificate: &Certificate) -> String {
    let names: Vec<_> = certificate.names().iter().map(ToString::to_string).collect();
    let others = if certificate.source().is_default { ", and for clients that name no other" } else { "" };
    let (file, day) = (certificate.source().chain.display(), certificate.day());
    format!("  {:<16} {}{others}; until {day}; {file}", "certificate", names.join(", "))
}

fn is_covered(tls: &TlsOptions, pattern: &HostPattern) -> bool {
    let ordered = tls.acme.iter().flat_map(|acme| acme.names.iter().cloned().map(CertificateName::Exact));
    let mut names =
        tls.certificates.iter().flat_map(|certificate| certificate.names().iter().cloned()).chain(ordered);
    match pattern {
        HostPattern::Exact(host) => names.any(|name| name.covers(host)),
        HostPattern::Below(suffix) => {
            names.any(|name| name == CertificateName::OneLabelBelow(suffix.clone()))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;
    use crate::cli::streams::Input;

    /// A site with a certificate for two names that holds until the beginning of 2030.
    fn site(folder: &Path) -> Config {
        let (key, names) = (KeyPair::generate().unwrap(), ["forum.example", "*.forum.example"]);
        let mut params = CertificateParams::new(names.map(str::to_owned)).unwrap();
        params.not_after = date_time_ymd(2030, 1, 1);
        fs::write(folder.join("c.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        fs::write(folder.join("c.key"), key.serialize_pem()).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        fs::set_permissions(folder.join("c.key"), mode).unwrap();
        let text = "[server]\npublic_url = \"https://forum.example\"\nhosts = [\"a.forum.example\", \"other.example\"]\n\
                    [tls]\nlisten = \"127.0.0.1:8443\"\n[[tls.certificate]]\nchain = \"c.pem\"\nkey = \"c.key\"\n";
        fs::write(folder.join("gateway.toml"), text).unwrap();
        Config::load_with(Some(&folder.join("gateway.toml")), [], &[]).unwrap()
    }

    #[test]
    fn each_certificate_is_told_with_its_names_and_its_end_in_good_time() {
        let folder = tempfile::tempdir().unwrap();
        let config = site(folder.path());
        let end = config.tls.as_ref().unwrap().certificates[0].not_after();
        let told = |before: u64| {
            let now = Timestamp::from_millis(end.as_millis() - before * 24 * 60 * 60 * 1000);
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let told = tell(&config, now, &mut Streams::new(&mut out, &mut err, &mut &b""[..], Input::Piped));
            (told, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
        };
        let (fine, out, err) = told(22);
        assert!(fine.is_ok() && out.contains("forum.example, *.forum.example; until 2030-01-01; "), "{out}");
        assert!(err.contains("no certificate is for other.example,") && err.lines().count() == 1, "{err}");
        let (fine, _, err) = told(20);
        assert!(fine.is_ok() && err.contains("runs out on 2030-01-01; renew it"), "{err}");
        let (failed, _, err) = told(0);
        assert_eq!(failed.unwrap_err().exit, Exit::Configuration);
        assert!(err.contains("ran out on 2030-01-01"), "{err}");
    }
}
