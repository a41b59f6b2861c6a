//! `[upstream]` with files that are there, and the recipe with two applications.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use http::Method;
use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use super::{load, told};
use crate::config::Config;
use crate::domain::{Host, RequestPath, Timestamp};
use crate::policy::{Decision, RequestFacts};
use crate::proxy::options::Balance;

fn write_key(folder: &Path, text: &str, mode: u32) {
    let path = folder.join("client.key");
    fs::write(&path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// The keys of the problems, one after the other, and what is told of them.
fn refused(folder: &Path) -> (String, String) {
    let file = folder.join("gateway.toml");
    let text = "[upstream]\nurl = \"https://app.internal\"\nclient_certificate = \"client.pem\"\nclient_key = \"client.key\"\n";
    fs::write(&file, text).unwrap();
    let problems = load(&file, &[], &[]).err().unwrap_or_default();
    let keys: Vec<_> = problems.iter().map(|problem| problem.key.as_str()).collect();
    (keys.join(" "), told(&problems))
}

#[test]
fn ops_05_a_client_certificate_is_refused_where_it_can_not_serve_or_others_can_read_its_key() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["gateway".to_owned()]).unwrap().self_signed(&key).unwrap();
    fs::write(folder.join("client.pem"), certificate.pem()).unwrap();
    write_key(folder, &key.serialize_pem(), 0o640);
    assert_eq!(refused(folder), (String::new(), String::new()));
    for mode in [0o644, 0o660, 0o604] {
        write_key(folder, &key.serialize_pem(), mode);
        let (keys, words) = refused(folder);
        assert!(keys == "upstream.client_key" && words.contains(&format!("{mode:o}")), "{words}");
    }
    for text in [KeyPair::generate().unwrap().serialize_pem().as_str(), "", "-----BEGIN PRIVATE KEY-----"] {
        write_key(folder, text, 0o600);
        let (keys, words) = refused(folder);
        assert!(keys == "upstream.client_key" && !words.contains("BEGIN"), "{words}");
    }
    write_key(folder, &key.serialize_pem(), 0o600);
    for text in ["", &key.serialize_pem(), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        fs::write(folder.join("client.pem"), text).unwrap();
        assert_eq!(refused(folder).0, "upstream.client_certificate", "{text}");
    }
}

#[test]
fn the_forum_is_the_application_that_gets_requests_for_its_path() {
    for (path, route) in [("/phpbb", Some(0)), ("/", None), ("/other", None)] {
        let text = format!(
            "[upstream]\n[[upstream.route]]\npath = \"/phpbb/**\"\nurl = \"http://10.0.0.1\"\n[forum]\npreset = \"phpbb\"\n\
             bridge = \"basic\"\npath = \"{path}\"\n"
        );
        let config = Config::from_toml_str(&text);
        let config = config.unwrap_or_else(|problems| panic!("{}", told(&problems)));
        assert_eq!(config.forum_application.route(), route, "{path}");
    }
}

#[test]
fn the_forum_and_wiki_recipe_sends_each_its_own_and_asks_writers_to_sign_in() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/forum-and-wiki.toml");
    let config = load(&path, &[], &[]).unwrap();
    let upstream = &config.proxy.upstream;
    let host = Host::parse("localhost").unwrap();
    let asked = |method: Method, target: &str| {
        let path = RequestPath::parse(target).unwrap();
        let facts = RequestFacts { host: &host, path: &path, method: &method };
        let decision = config.policy.decide(&facts, None, Timestamp::from_millis(0));
        (upstream.application(config.policy.application_of(&facts)).name.as_str(), decision)
    };
    let (wiki, decision) = asked(Method::GET, "/wiki/Start");
    assert!(wiki == "/wiki/**" && matches!(decision, Decision::Forward(_)));
    for (method, target, application) in [
        (Method::POST, "/wiki/Start", "/wiki/**"),
        (Method::GET, "/wikis", "upstream"),
        (Method::GET, "/", "upstream"),
    ] {
        let (name, decision) = asked(method, target);
        assert!(name == application && matches!(decision, Decision::SignIn(_)), "{target}");
    }
    let weights: Vec<_> = upstream.sites.servers.iter().map(|server| server.weight).collect();
    assert_eq!((weights.as_slice(), upstream.sites.balance), (&[1, 2][..], Balance::Member));
    assert!(upstream.sites.check.is_some());
    let wiki = &upstream.routed[0];
    assert_eq!(
        (wiki.balance, wiki.check.as_ref()),
        (Balance::Member, None),
        "the balance is taken over, the check is not"
    );
    assert_eq!((wiki.read_timeout.as_secs(), wiki.connect_timeout.as_secs()), (300, 2));
}
