//! `[tls]` with files that are there.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use super::load;
use crate::config::{Config, Problem};
use crate::proxy::options::PlainHttp;
use crate::server::options::TlsProfile;

/// A self-signed certificate for `names`, and its key with this mode.
fn issue(folder: &Path, names: &[&str], mode: u32) -> KeyPair {
    let key = KeyPair::generate().unwrap();
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let certificate = CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    fs::write(folder.join("fullchain.pem"), certificate.pem()).unwrap();
    write_key(folder, &key.serialize_pem(), mode);
    key
}

fn write_key(folder: &Path, text: &str, mode: u32) {
    let path = folder.join("privkey.pem");
    fs::write(&path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn site(folder: &Path) -> Result<Config, Vec<Problem>> {
    let text = "[server]\npublic_url = \"https://forum.example\"\n[tls]\nlisten = \"127.0.0.1:8443\"\n\
                [[tls.certificate]]\nchain = \"fullchain.pem\"\nkey = \"privkey.pem\"\n";
    let file = folder.join("gateway.toml");
    fs::write(&file, text).unwrap();
    load(&file, &[], &[])
}

fn refused(folder: &Path) -> (String, String) {
    let mut problems = site(folder).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    let Problem { key, found, .. } = problems.remove(0);
    (key, found)
}

#[test]
fn the_direct_tls_recipe_loads_with_nothing_beside_it_as_certificates_come_by_themselves() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/direct-tls.toml");
    let config = load(&file, &[], &[]).unwrap();
    let tls = config.tls.unwrap();
    assert_eq!((tls.listen.len(), tls.profile), (1, TlsProfile::Intermediate));
    assert_eq!(config.proxy.plain_http, PlainHttp::Redirected);
    let names: Vec<_> = tls.acme.unwrap().names.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["forum.example.org", "www.forum.example.org"]);
}

#[test]
fn ops_05_a_key_that_others_can_read_is_refused() {
    let folder = TempDir::new().unwrap();
    for (mode, is_fine) in [(0o600, true), (0o400, true), (0o640, true), (0o660, false), (0o644, false)] {
        issue(folder.path(), &["forum.example"], mode);
        if is_fine {
            site(folder.path()).unwrap();
        } else {
            assert_eq!(refused(folder.path()).0, "tls.certificate.1.key", "{mode:o}");
        }
    }
}

#[test]
fn tls_03_a_pair_that_does_not_fit_is_refused_with_the_file_at_fault() {
    let folder = TempDir::new().unwrap();
    issue(folder.path(), &["forum.example"], 0o600);
    let good_chain = fs::read(folder.path().join("fullchain.pem")).unwrap();
    write_key(folder.path(), &KeyPair::generate().unwrap().serialize_pem(), 0o600);
    let (key, found) = refused(folder.path());
    assert_eq!(key, "tls.certificate.1.key");
    assert!(found.ends_with("it is not the key of the file's first certificate"), "{found}");
    for text in ["", "no PEM", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
        write_key(folder.path(), text, 0o600);
        assert_eq!(refused(folder.path()).0, "tls.certificate.1.key", "{text:?}");
    }
    let key = issue(folder.path(), &["forum.example"], 0o600);
    for text in [String::new(), "no PEM".to_owned(), key.serialize_pem()] {
        fs::write(folder.path().join("fullchain.pem"), text).unwrap();
        assert_eq!(refused(folder.path()).0, "tls.certificate.1.chain");
    }
    fs::write(folder.path().join("fullchain.pem"), good_chain).unwrap();
    assert_eq!(refused(folder.path()).0, "tls.certificate.1.key");
}

#[test]
fn a_certificate_has_to_be_for_the_sites_own_name() {
    let folder = TempDir::new().unwrap();
    issue(folder.path(), &["www.forum.example"], 0o600);
    assert_eq!(refused(folder.path()).0, "tls.certificate");
    issue(folder.path(), &["*.example"], 0o600);
    site(folder.path()).unwrap();
}

#[test]
fn hsts_is_said_where_browsers_come_over_tls() {
    let hsts = |text: &str| {
        let hsts = Config::from_toml_str(text).unwrap().proxy.hsts;
        hsts.map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(hsts(""), None);
    let https = "[server]\npublic_url = \"https://forum.example\"\n";
    assert_eq!(hsts(https).as_deref(), Some("max-age=31536000"));
    assert_eq!(hsts(&format!("{https}[tls]\nhsts = \"1h\"")).as_deref(), Some("max-age=3600"));
    assert_eq!(hsts(&format!("{https}[tls]\nhsts = \"0s\"")), None);
}
