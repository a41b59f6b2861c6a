//! The default file, the recipes, and the good and bad files of `tests/fixtures/config`.

mod acme;
mod tls;
mod upstream;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::Figment;
use figment::providers::{Format, Toml};
use figment::value::{Dict, Value};

use http::Method;

use super::*;
use crate::auth::passkeys::Rollout;
use crate::bridge::{AddressPattern, CookieNames, Preset};
use crate::domain::{Group, RequestPath, Timestamp};
use crate::policy::{Decision, RequestFacts, RequiredFor};
use crate::server::options::BackupOptions;

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn load(path: &Path, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Config, Vec<Problem>> {
    let environment = environment.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
    let flags: Vec<_> = flags.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect();
    Config::load_with(Some(path), environment, &flags)
}

fn told(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect()
}

/// A value by its meaning: how wide a number is kept says nothing.
fn plain(value: &Value) -> String {
    if let Value::Dict(_, keys) = value {
        return keys.iter().map(|(key, value)| format!("{key} = {}\n", plain(value))).collect();
    }
    let number = value.to_i128().or_else(|| value.to_u128().and_then(|number| number.try_into().ok()));
    number.map_or_else(|| format!("{value:?}"), |number| number.to_string())
}

#[test]
fn the_default_file_says_what_the_code_says() {
    let text = include_str!("../../gateway.toml");
    let from_file = Config::from_toml_str(text).unwrap_or_else(|problems| panic!("{}", told(&problems)));
    let defaults = Config::from_toml_str("").unwrap();
    assert_eq!(format!("{from_file:#?}"), format!("{defaults:#?}"));
    let written: Dict = Figment::from(Toml::string(text)).extract().unwrap();
    let Value::Dict(_, sections) = layers::defaults() else { panic!("no sections") };
    for (section, keys) in sections {
        let Value::Dict(_, keys) = keys else { panic!("{section}") };
        for (key, default) in
            keys.into_iter().filter(|(key, _)| !["rule", "certificate", "route"].contains(&key.as_str()))
        {
            let found = written.get(&section).and_then(|section| section.find_ref(&key));
            assert_eq!(found.map(plain), Some(plain(&default)), "{section}.{key}");
        }
    }
}

#[test]
fn the_default_file_shows_every_key_of_a_rule_and_of_a_certificate() {
    let rule = Value::serialize(raw::AccessRule::default()).unwrap().into_dict().unwrap();
    let certificate = Value::serialize(raw::TlsCertificate::default()).unwrap().into_dict().unwrap();
    for key in rule.keys().chain(certificate.keys()) {
        assert!(include_str!("../../gateway.toml").contains(&format!("\n# {key} = ")), "{key}");
    }
}

#[test]
fn every_recipe_and_every_good_file_loads() {
    for path in [files("config"), files("tests/fixtures/config/good")].concat() {
        // The one that names certificates has a test of its own, which brings some.
        if path.extension().is_some_and(|extension| extension == "toml") {
            load(&path, &[], &[])
                .unwrap_or_else(|problems| panic!("{}\n{}", path.display(), told(&problems)));
        }
    }
}

#[test]
fn the_guests_read_recipe_lets_guests_read_and_asks_writers_to_sign_in() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/guests-read.toml");
    let policy = load(&path, &[], &[]).unwrap().policy;
    let host = Host::parse("localhost").unwrap();
    let now = Timestamp::from_millis(0);
    let decide = |method: Method, target: &str| {
        let path = RequestPath::parse(target).unwrap();
        policy.decide(&RequestFacts { host: &host, path: &path, method: &method }, None, now)
    };
    for (method, target) in [(Method::GET, "/viewtopic.php?t=1"), (Method::POST, "/search.php")] {
        assert!(matches!(decide(method, target), Decision::Forward(_)), "{target}");
    }
    for (method, target) in [
        (Method::POST, "/viewtopic.php"),
        (Method::GET, "/posting.php?mode=reply"),
        (Method::GET, "/ucp.php"),
        (Method::GET, "/adm/index.php"),
    ] {
        assert!(matches!(decide(method, target), Decision::SignIn(_)), "{target}");
    }
    assert!(matches!(decide(Method::GET, "/install/index.php"), Decision::Refuse(_)));
}

#[test]
fn ops_09_every_bad_file_is_refused_with_exactly_its_keys() {
    let files = files("tests/fixtures/config/bad");
    assert!(files.len() >= 50, "{}", files.len());
    for path in files {
        let text = fs::read_to_string(&path).unwrap();
        let expected = text.lines().next().and_then(|line| line.strip_prefix("# expect: ")).unwrap();
        let problems = load(&path, &[], &[]).err().unwrap_or_else(|| panic!("{} loads", path.display()));
        let mut keys: Vec<_> = problems.iter().map(|problem| problem.key.as_str()).collect();
        keys.sort_unstable();
        let mut wanted: Vec<_> =
            if expected.starts_with('(') { vec![expected] } else { expected.split(' ').collect() };
        wanted.sort_unstable();
        assert_eq!(keys, wanted, "{}\n{}", path.display(), told(&problems));
        for problem in &problems {
            assert!(![&problem.found, &problem.expected, &problem.help].iter().any(|text| text.is_empty()));
            let no_file = problem.source == Source::Default;
            assert!(no_file || problem.source == Source::File(Some(path.clone())), "{problem}");
        }
    }
}

#[test]
fn a_misspelt_key_is_told_with_the_one_that_was_meant() {
    let help = |text: &str| Config::from_toml_str(text).unwrap_err()[0].help.clone();
    assert_eq!(help("[server]\nlisen = 1"), "did you mean `listen`?");
    assert_eq!(help("[server]\nPublic-URL = 1"), "did you mean `public_url`?");
    assert_eq!(help("[servr]"), "did you mean `server`?");
    assert_eq!(help("[server]\naccent = 1"), "`accent` belongs in [pages]");
    assert_eq!(help("[access]\nxyzzy = 1"), "remove it; this version knows no such key");
}

#[test]
fn the_environment_counts_more_than_the_file_and_the_command_line_most() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.toml");
    fs::write(&path, "[server]\nthreads = 1\nlisten = \"127.0.0.1:1\"\n[pages]\nsite_name = \"file\"")
        .unwrap();
    let environment = [
        ("PASSGATE_SERVER__THREADS", "2"),
        ("PASSGATE_SERVER__LISTEN", "[::1]:2"),
        ("PASSGATE_SERVER__HOSTS", "[a.localhost, \"b.localhost\"]"),
        ("PASSGATE_SERVER__TRUSTED_PROXIES", ""),
        ("PASSGATE_PAGES__SITE_NAME", "1984"),
        ("PASSGATE_SERVICE_HOST", "10.0.0.1"),
        ("PASSGATE_PORT", "tcp://10.0.0.1:80"),
        ("HOME", "/"),
    ];
    let config = load(&path, &environment, &[("server.threads", "3")]).unwrap();
    assert_eq!(config.server.threads, 3);
    assert_eq!(config.server.listen, ["[::1]:2".parse().unwrap()]);
    assert_eq!(config.pages.site_name, "1984");
    assert!(config.origins.contains(&"http://b.localhost:8080".to_owned()), "{:?}", config.origins);
}

#[test]
fn a_problem_names_the_variable_or_the_option_it_comes_from() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.toml");
    fs::write(&path, "[server]\nlisten = \"x\"").unwrap();
    let environment =
        [("PASSGATE_LOG__FORMAT", "x"), ("PASSGATE_LOG__LEVLE", "x"), ("PASSGATE_SERVER_DATA_DIR", "x")];
    let problems = load(&path, &environment, &[("server.threads", "many")]).unwrap_err();
    let source = |key: &str| problems.iter().find(|problem| problem.key == key).unwrap().source.clone();
    assert_eq!(problems.len(), 5, "{}", told(&problems));
    assert_eq!(source("server.listen"), Source::File(Some(path)));
    assert_eq!(source("log.format"), Source::Environment("PASSGATE_LOG__FORMAT".into()));
    assert_eq!(source("log.levle"), Source::Environment("PASSGATE_LOG__LEVLE".into()));
    assert_eq!(source("server.threads"), Source::Flag);
    assert!(told(&problems).contains("name it PASSGATE_SERVER__DATA_DIR"));
}

#[test]
fn a_password_in_a_url_is_not_repeated() {
    let text =
        "[server]\npublic_url = \"https://me:hunter2@x.org\"\n[upstream]\nurl = \"http//me:hunter2@x.org\"";
    let problems = Config::from_toml_str(text).unwrap_err();
    assert!(problems.len() == 2 && !told(&problems).contains("hunter2"), "{}", told(&problems));
}

#[test]
fn a_file_that_is_named_has_to_be_there() {
    let problems = load(Path::new("/nowhere/gateway.toml"), &[], &[]).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert!(problems[0].found.contains("/nowhere/gateway.toml"), "{}", problems[0]);
}

#[test]
fn data_lies_beside_the_file_unless_the_environment_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.toml");
    fs::write(&path, "").unwrap();
    let data_dir = |environment: &[_]| load(&path, environment, &[]).unwrap().server.data_dir;
    assert_eq!(data_dir(&[]), folder.path().join("data"));
    assert_eq!(data_dir(&[("PASSGATE_SERVER__DATA_DIR", "here")]), Path::new("here"));
    let config = load(&path, &[], &[]).unwrap();
    let backups = BackupOptions {
        folder: folder.path().join("data/backups"),
        every: Duration::from_secs(86_400),
        keep: 7,
    };
    let path = folder.path().join("data/store");
    let store = StoreOptions::Sled { path, cache_bytes: 4 << 20, backups: Some(backups) };
    assert_eq!(config.store, store);
}

#[test]
fn a_loopback_site_answers_to_all_names_of_this_machine() {
    let config = Config::from_toml_str("").unwrap();
    let origins = ["http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080"];
    assert_eq!(config.origins, origins);
    assert_eq!(config.transport, Transport::PlainLoopback);
    assert_eq!(config.own_url("/login"), "http://localhost:8080/.passgate/login");
}

#[test]
fn a_site_over_tls_takes_forms_from_its_own_names_alone() {
    let text = "[server]\npublic_url = \"https://Forum.example.org:443\"\nhosts = [\"www.example.org\", \"*.x.org\"]";
    let config = Config::from_toml_str(text).unwrap();
    assert_eq!(config.origins, ["https://forum.example.org", "https://www.example.org", "https://*.x.org"]);
    assert_eq!(config.transport, Transport::Tls);
    assert_eq!(
        (config.host.as_str(), config.pages.site_name.as_str()),
        ("forum.example.org", "forum.example.org")
    );
}

#[test]
fn ops_05_a_secret_that_others_may_read_or_could_guess_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("proof");
    let load = |secret: &str, mode: u32| {
        fs::write(&file, secret).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        Config::from_toml_str(&format!("[identity]\nsecret_file = \"{}\"", file.display()))
    };
    let config = load("sixteen letters!\n", 0o600).unwrap_or_else(|problems| panic!("{}", told(&problems)));
    assert!(!format!("{config:?}").contains("sixteen letters"), "not even in a debug print");
    for (secret, mode, why) in [
        ("sixteen letters!", 0o640, "others may read"),
        ("short", 0o600, "content"),
        ("sixteen letters\nin two", 0o600, "content"),
    ] {
        let problems = told(&load(secret, mode).unwrap_err());
        assert!(problems.contains("identity.secret_file") && problems.contains(why), "{problems}");
        assert!(!problems.contains("sixteen"), "{problems}");
    }
}

#[test]
fn ops_05_the_password_of_the_forums_database_stands_in_a_file_of_its_own_and_in_no_message() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    fs::write(&file, "hunter2\n").unwrap();
    let load = |url: &str, mode: u32| {
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        let file = file.display();
        Config::from_toml_str(&format!("[forum]\ndatabase = \"{url}\"\ndatabase_password_file = \"{file}\""))
    };
    let config = load("mysql://forum@localhost/d", 0o600).unwrap();
    let database = config.database.as_ref().unwrap();
    assert_eq!(database.password.as_ref().unwrap().expose(), "hunter2");
    assert!(!format!("{config:?}").contains("hunter2"), "not even in a debug print");
    for (url, mode, why) in [
        ("mysql://forum@localhost/d", 0o640, "others may read"),
        ("mysql://forum:hunter2@localhost/d", 0o600, "there is a password"),
        ("mysql://hunter2", 0o600, "names no user"),
        ("mysql://forum:hunter2/d", 0o600, "it is no URL"),
    ] {
        let problems = told(&load(url, mode).unwrap_err());
        assert!(problems.contains(why) && !problems.contains("hunter2"), "{problems}");
    }
}

#[test]
fn mf_12_mf_14_mf_17_passkeys_roll_out_from_nobody_to_everyone() {
    let rollout = |text: &str| {
        let config = Config::from_toml_str(&format!("[passkeys]\n{text}")).unwrap();
        config.passkeys.map(|passkeys| passkeys.rollout)
    };
    let groups = |names: &[&str]| {
        Some(Rollout::Groups(names.iter().map(|name| Group::parse(name).unwrap()).collect()))
    };
    assert_eq!(rollout("enabled = false"), None);
    assert_eq!(rollout("rollout = \"off\""), None);
    assert_eq!(rollout("rollout = \"admins\""), groups(&["admins"]));
    let some = "rollout = \"groups\"\ngroups = [\"moderators\", \"testers\"]";
    assert_eq!(rollout(some), groups(&["moderators", "testers"]));
    assert_eq!(rollout("rollout = \"everyone\""), Some(Rollout::Everyone));
}

#[test]
fn mf_01_mf_08_whom_a_passkey_is_asked_of_is_told_to_policy_and_pages_alike() {
    let groups =
        |names: &[&str]| RequiredFor::Groups(names.iter().map(|name| Group::parse(name).unwrap()).collect());
    let rule =
        |groups: &str| format!("[[access.rule]]\nstep_up = \"5m\"\nstep_up_with = \"passkey\"\n{groups}\n");
    for (text, required_for, asked_by_rules) in [
        (String::new(), groups(&[]), groups(&[])),
        ("[passkeys]\nrequired_for = \"admins\"".to_owned(), groups(&["admins"]), groups(&[])),
        ("[password]\nenabled = false".to_owned(), RequiredFor::Everyone, groups(&[])),
        (rule("groups = \"admins\""), groups(&[]), groups(&["admins"])),
        (rule(""), groups(&[]), RequiredFor::Everyone),
    ] {
        let passkeys = Config::from_toml_str(&text).unwrap().passkeys.unwrap();
        assert_eq!(
            (passkeys.required_for, passkeys.asked_by_rules),
            (required_for, asked_by_rules),
            "{text}"
        );
    }
}

#[test]
fn bp_80_bp_84_passkeys_are_made_for_the_sites_own_host_unless_the_file_says_more() {
    let made_for = |rp_id: &str| {
        let text = format!(
            "[server]\npublic_url = \"https://forum.example.org\"\nhosts = [\"www.example.org\"]\n[passkeys]\nrp_id = \"{rp_id}\""
        );
        let passkeys = Config::from_toml_str(&text).unwrap().passkeys.unwrap();
        (passkeys.rp_id, passkeys.origins)
    };
    let (forum, www) = ("https://forum.example.org".to_owned(), "https://www.example.org".to_owned());
    assert_eq!(made_for(""), ("forum.example.org".to_owned(), vec![forum.clone()]));
    assert_eq!(made_for("example.org"), ("example.org".to_owned(), vec![forum, www]));
}

#[test]
fn single_keys_of_a_preset_can_be_replaced_and_the_rest_stays() {
    let overridden = "[forum]\npreset = \"punbb\"\n[forum.override]\ncookies = { session = [\"mine_*\"] }\n\
                      [forum.override.form]\nwait = \"2s\"\nfixed = { save_pass = \"0\", extra = \"x\" }";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.toml");
    fs::write(&path, overridden).unwrap();
    let environment = [
        ("PASSGATE_FORUM__OVERRIDE__FORM__USER_FIELD", "who"),
        ("PASSGATE_FORUM__OVERRIDE__ADDRESSES__ADMIN", "[\"/adm\", \"/mod\"]"),
    ];
    let config = load(&path, &environment, &[]).unwrap_or_else(|problems| panic!("{}", told(&problems)));
    let preset = config.forum.unwrap().preset;
    let mut expected = Preset::shipped("punbb").unwrap();
    expected.cookies.session = CookieNames::new(vec!["mine_*".into()]);
    expected.addresses.admin = ["/adm", "/mod"].map(|path| AddressPattern::parse(path).unwrap()).into();
    let form = expected.form.as_mut().unwrap();
    (form.user_field, form.wait) = ("who".into(), Duration::from_secs(2));
    form.fixed.extend([("save_pass", "0"), ("extra", "x")].map(|(name, value)| (name.into(), value.into())));
    assert_eq!(preset, expected);
    assert_eq!(preset.form.unwrap().fixed["redirect_url"], "index.php", "tables merge");

    let wrong = [("PASSGATE_FORUM__OVERRIDE__FORM__USR_FIELD", "who")];
    let problem = load(&path, &wrong, &[]).unwrap_err().remove(0);
    assert_eq!(problem.key, "forum.override.form.usr_field");
    assert_eq!(problem.help, "did you mean `user_field`?");
    assert_eq!(problem.source, Source::Environment("PASSGATE_FORUM__OVERRIDE__FORM__USR_FIELD".into()));
}
