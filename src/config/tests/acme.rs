//! `[tls.acme]`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use rcgen::{CertificateParams, KeyPair};

use crate::config::{Config, Problem};
use crate::server::options::{AcmeOptions, Authorities, ChallengeKind};

const SITE: &str = "[server]\npublic_url = \"https://forum.example\"\nhosts = \"*.b.example\"\naliases = \"www.forum.example\"\n\
                    [tls]\nlisten = \"127.0.0.1:8443\"\n[tls.acme]\n";

fn load(lines: &str) -> Result<Option<AcmeOptions>, Vec<Problem>> {
    Config::from_toml_str(&format!("{SITE}{lines}")).map(|config| config.tls.unwrap().acme)
}

fn wanted(lines: &str) -> AcmeOptions {
    load(&format!("enabled = true\nterms_agreed = true\n{lines}")).unwrap().unwrap()
}

fn refused(lines: &str) -> String {
    let mut problems = load(&format!("enabled = true\nterms_agreed = true\n{lines}")).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems.remove(0).key
}

#[test]
fn nothing_but_the_operators_word_is_needed() {
    let options = wanted("");
    assert_eq!(options.directory.as_str(), "https://acme-v02.api.letsencrypt.org/directory");
    assert_eq!(options.names.iter().map(ToString::to_string).collect::<Vec<_>>(), ["forum.example"]);
    assert_eq!(options.challenges, [ChallengeKind::TlsAlpn01, ChallengeKind::Http01]);
    assert_eq!((options.authorities, options.contact.len()), (Authorities::System, 0));
    let keys = |lines: &str| {
        let problems = load(lines).unwrap_err();
        problems.into_iter().map(|problem| problem.key).collect::<Vec<_>>()
    };
    assert_eq!(keys("enabled = true"), ["tls.acme.terms_agreed"], "that is said by nobody else");
    assert_eq!(keys("terms_agreed = true"), ["tls.listen"], "then there is no certificate at all");
    let nowhere = Config::from_toml_str("[tls.acme]\nenabled = true\nterms_agreed = true").unwrap_err();
    assert_eq!(nowhere[0].key, "tls.acme.enabled");
}

#[test]
fn names_are_those_of_the_site_each_once() {
    let options =
        wanted("names = [\"Forum.example\", \"www.forum.example\", \"forum.example.\", \"x.b.example\"]");
    let names: Vec<_> = options.names.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["forum.example", "www.forum.example", "x.b.example"]);
    for name in [
        "other.example",
        "*.b.example",
        "127.0.0.1",
        "[::1]",
        "forum.example:443",
        "https://forum.example",
        "",
    ] {
        assert_eq!(refused(&format!("names = [\"forum.example\", \"{name}\"]")), "tls.acme.names", "{name}");
    }
    assert_eq!(
        refused("names = \"www.forum.example\""),
        "tls.certificate",
        "the site's own has to be among them"
    );
}

#[test]
fn tls_09_a_directory_is_an_https_address_and_nothing_more() {
    for directory in [
        "http://ca.example/dir",
        "https://user@ca.example/dir",
        "https://ca.example/dir?x",
        "ca.example",
        "file:///dir",
        "",
    ] {
        assert_eq!(refused(&format!("directory = \"{directory}\"")), "tls.acme.directory", "{directory}");
    }
    assert_eq!(wanted("directory = \"https://10.0.0.1:8443/dir\"").directory.port(), Some(8443));
}

#[test]
fn challenges_go_with_what_is_listened_on() {
    assert_eq!(refused("challenges = [\"dns-01\"]"), "tls.acme.challenges");
    assert_eq!(refused("challenges = []"), "tls.acme.challenges");
    let without_plain = |challenges: &str| {
        let text = SITE.replace("[server]\n", "[server]\nlisten = []\n");
        let lines = format!("enabled = true\nterms_agreed = true\nchallenges = {challenges}");
        Config::from_toml_str(&format!("{text}{lines}"))
            .map(|config| config.tls.unwrap().acme.unwrap().challenges)
    };
    assert_eq!(without_plain("[\"http-01\", \"tls-alpn-01\"]").unwrap(), [ChallengeKind::TlsAlpn01]);
    assert_eq!(without_plain("[\"http-01\"]").unwrap_err()[0].key, "tls.acme.challenges");
}

#[test]
fn ops_05_the_key_of_an_external_account_stands_in_a_file_of_its_own_and_in_no_message() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    let lines = |text: &str, mode: u32| {
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        format!("external_account = \"kid-1\"\nexternal_account_key_file = {file:?}")
    };
    let options = wanted(&lines("zWNDZM6eQGHWpSRTPal5eIUYFTu7EajV\n", 0o600));
    let external = options.external_account.as_ref().unwrap();
    assert_eq!((external.id.as_str(), external.key.expose().len()), ("kid-1", 24));
    assert!(!format!("{options:?}").contains(&format!("{:?}", external.key.expose())));
    for (text, mode) in [("zWNDZM6eQGHWpSRTPal5eIUYFTu7EajV", 0o640), ("not base64!", 0o600), ("", 0o600)] {
        assert_eq!(refused(&lines(text, mode)), "tls.acme.external_account_key_file", "{text}");
    }
    assert_eq!(refused("external_account = \"kid-1\""), "tls.acme.external_account_key_file");
    assert_eq!(refused(&format!("external_account_key_file = {file:?}")), "tls.acme.external_account");
}

#[test]
fn an_authority_of_ones_own_is_known_by_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let line = format!("ca_file = {file:?}");
    assert_eq!(refused(&line), "tls.acme.ca_file");
    fs::write(&file, "no PEM").unwrap();
    assert_eq!(refused(&line), "tls.acme.ca_file");
    let certificate = CertificateParams::new(["ca.example".to_owned()]).unwrap();
    fs::write(&file, certificate.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()).unwrap();
    assert!(matches!(wanted(&line).authorities, Authorities::Only(all) if all.len() == 1));
}
