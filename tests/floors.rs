//! Keeps the floor table of `src/lib.rs` true: who may import whom, which third-party crate lives where, how long files
//! and functions may be, and that each module says what it is for.
//!
//! The checks read the source as text (`floors/source.rs`). Test code may reach wherever it likes; its length counts.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

#[path = "floors/source.rs"]
mod source;

use std::fs;
use std::path::Path;

use source::{CodePath, Token};

/// Modules by floor. A module that is not here fails: give it a floor first.
const FLOORS: [(&str, u8); 15] = [
    ("domain", 0),
    ("sample", 0),
    ("policy", 1),
    ("database", 1),
    ("store", 1),
    ("seal", 1),
    ("auth", 2),
    ("bridge", 2),
    ("web", 3),
    ("proxy", 3),
    ("config", 4),
    ("app", 5),
    ("server", 5),
    ("cli", 5),
    ("main", 5),
];

/// The store's adapters stand one floor above its traits.
const ADAPTER_FLOOR: u8 = 2;
/// What the store's module hands out of its adapters. Only the wiring names them.
const ADAPTERS: [&str; 2] = ["MemoryStore", "SledStore"];

/// Option types stand beside the code they are for, whatever its floor, and `config` fills them. They are plain values.
const OPTIONS: (&str, &str) = ("config", "options");

/// Imports within one floor that are meant: from, to.
const NEIGHBOURS: [(&str, &str); 1] = [("proxy", "web")];

/// Third-party crates and the only places that may name them, as the beginning of a path below `src/`.
const HOMES: [(&str, &[&str]); 63] = [
    ("argon2", &["auth/passwords"]),
    ("bcrypt", &["auth/passwords"]),
    ("hmac", &["auth/passwords", "auth/second_factors", "auth/throttle", "bridge/mint"]),
    ("md5", &["auth/passwords", "bridge/mint"]),
    ("pbkdf2", &["auth/passwords"]),
    ("scrypt", &["auth/passwords"]),
    ("sha1", &["auth/passwords", "auth/second_factors", "bridge/mint", "sample/"]),
    ("sha_crypt", &["auth/passwords"]),
    ("arc_swap", &["app", "auth/", "proxy/", "server/", "web/"]),
    ("chacha20poly1305", &["seal/"]),
    ("clap", &["cli/", "main.rs"]),
    ("cookie", &["auth/cookie.rs"]),
    ("dashmap", &["auth/", "proxy/"]),
    ("encoding_rs", &["auth/import", "bridge/form.rs"]),
    ("figment", &["config/"]),
    ("flate2", &["auth/import", "proxy/bridge.rs", "sample/", "store/backup.rs", "web/assets.rs"]),
    ("form_urlencoded", &["bridge/form.rs", "domain/", "web/", "sample/", "proxy/"]),
    ("futures_util", &["database/"]),
    ("getrandom", &["auth/passwords", "domain/secret.rs", "sample/"]),
    ("hashbrown", &["auth/sessions", "store/sled"]),
    ("html5gum", &["bridge/form.rs"]),
    ("httparse", &["proxy/reply.rs"]),
    ("http_body_util", &["bridge/client.rs", "server/", "sample/", "cli/"]),
    ("humantime", &["bridge/preset.rs", "domain/clock.rs", "config/", "cli/"]),
    ("hyper", &["bridge/client.rs", "server/", "sample/", "cli/"]),
    ("hyper_util", &["bridge/client.rs", "server/", "sample/", "cli/"]),
    ("indicatif", &["cli/"]),
    ("instant_acme", &["server/tls/acme"]),
    ("lettre", &["auth/mail/smtp.rs"]),
    ("memchr", &["auth/cookie.rs", "auth/import", "proxy/fields.rs", "proxy/reply.rs", "proxy/wire"]),
    ("mimalloc", &["main.rs"]),
    ("minijinja", &["web/", "sample/"]),
    ("multer", &["sample/"]),
    ("mysql_async", &["database/mysql.rs"]),
    ("nix", &["server/hardening.rs", "store/sled/disk.rs"]),
    ("parking_lot", &["store/sled/table.rs"]),
    ("pingora", &["proxy/", "server/"]),
    ("postcard", &["store/sled"]),
    ("ppp", &["server/proxy_protocol.rs"]),
    ("prometheus", &["server/", "proxy/access_log.rs"]),
    ("qrcode", &["web/second_factor/qr.rs"]),
    ("rcgen", &["server/tls/acme"]),
    ("ring", &["database/tls.rs", "server/tls/acme"]),
    ("rpassword", &["cli/"]),
    ("rusqlite", &["database/sqlite.rs"]),
    ("rustls", &["server/"]),
    ("rustix", &["auth/passwords"]),
    ("rustls_native_certs", &["server/tls/acme"]),
    ("sd_notify", &["server/manager.rs"]),
    ("serde_cbor_2", &["auth/passkeys"]),
    (
        "sha2",
        &[
            "auth/app_passwords",
            "auth/passwords",
            "auth/second_factors",
            "auth/throttle",
            "bridge/browsers.rs",
            "bridge/mint",
            "domain/import_mark.rs",
            "domain/passkey.rs",
            "domain/secret.rs",
            "sample/",
            "server/audit_log",
            "store/backup.rs",
            "store/sled",
            "web/assets.rs",
        ],
    ),
    ("sled", &["store/sled"]),
    ("socket2", &["server/listen.rs"]),
    ("subtle", &["auth/passwords", "auth/second_factors", "domain/secret.rs"]),
    ("tempfile", &["cli/"]),
    ("tokio_postgres", &["database/postgres.rs", "database/tls.rs"]),
    ("tokio_rustls", &["database/tls.rs", "proxy/options/pem.rs", "server/tls"]),
    ("toml", &["bridge/preset.rs"]),
    ("tracing_subscriber", &["auth/captured_log.rs", "config/house.rs", "server/"]),
    ("webauthn_rs", &["auth/passkeys"]),
    ("webauthn_rs_proto", &["auth/passkeys"]),
    ("x509_parser", &["proxy/options/pem.rs", "server/tls"]),
    ("zxcvbn", &["auth/passwords/judge"]),
];

/// What a part of the source must not name, and why. The last word `*` stands for anything.
const FORBIDDEN: [(&str, &[&str], &str); 8] = [
    // SECURITY: OPS-12. A child would have the environment, and could have secrets among its arguments.
    ("", &["std", "process", "Command"], "no other program is started"),
    ("domain/", &["tokio", "*"], "plain values, no async"),
    ("domain/", &["tracing", "*"], "plain values, no logging"),
    ("domain/", &["std", "fs", "*"], "plain values, no files"),
    ("policy/", &["tokio", "*"], "deciding is a pure function"),
    ("policy/", &["tracing", "*"], "deciding is a pure function"),
    ("policy/", &["http", "StatusCode"], "a decision is no answer yet; proxy and web make it one"),
    ("auth/", &["http", "StatusCode"], "a use case has outcomes; web maps them to status codes"),
];

/// Functions longer than `FUNCTION_LINES` that are tables, as (file, function, reason).
const LONG_FUNCTIONS: [(&str, &str, &str); 2] = [
    ("config/upstream.rs", "is_reserved", "the header names that mean something else already"),
    ("web/refusal.rs", "wording", "the words of each problem"),
];

const FILE_LINES: usize = 500;
const FUNCTION_LINES: usize = 60;

/// A file below `src/`.
struct Module {
    /// Its path below `src/`.
    path: String,
    text: String,
}

/// A fault, as it is printed.
type Fault = String;

impl Module {
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// The module of the crate root it belongs to.
    fn root(&self) -> &str {
        self.path.split(['/', '.']).next().unwrap_or_default()
    }

    /// How many `super` lead from it to the crate's root.
    fn depth(&self) -> usize {
        let folders = self.path.matches('/').count();
        if self.path.ends_with("/mod.rs") { folders } else { folders + 1 }
    }

    fn is_adapter(&self) -> bool {
        self.root() == "store" && !["store/mod.rs", "store/contract.rs"].contains(&self.path.as_str())
    }

    /// Its paths outside test code.
    fn paths(&self) -> Vec<CodePath> {
        source::paths(&source::without_tests(&source::tokens(&self.text)))
    }

    fn fault(&self, line: usize, what: impl std::fmt::Display) -> Fault {
        format!("src/{}:{line}: {what}", self.path)
    }
}

fn floor(root: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == root).map(|(_, floor)| *floor)
}

/// The words of a path from the crate's root on; none if it does not go through the root.
fn from_root<'a>(module: &Module, path: &'a CodePath) -> Option<&'a [String]> {
    let supers = path.words.iter().take_while(|word| *word == "super").count();
    match path.words.first()?.as_str() {
        "crate" => Some(&path.words[1..]),
        "super" if supers >= module.depth() => Some(&path.words[supers..]),
        _ => None,
    }
}

fn upward_imports(module: &Module) -> Vec<Fault> {
    if module.path == "lib.rs" {
        return Vec::new();
    }
    let from = module.root();
    let Some(own) = floor(from).map(|floor| if module.is_adapter() { ADAPTER_FLOOR } else { floor }) else {
        return vec![module.fault(1, format!("module {from} has no floor in tests/floors.rs"))];
    };
    let mut faults = Vec::new();
    for path in module.paths() {
        let Some([to, rest @ ..]) = from_root(module, &path) else { continue };
        let Some(target) = floor(to) else { continue };
        let adapter = to == "store" && rest.iter().any(|word| ADAPTERS.contains(&word.as_str()));
        let target = if adapter { ADAPTER_FLOOR.max(target) } else { target };
        let options = rest.first().is_some_and(|module| (from, module.as_str()) == OPTIONS);
        let meant = options || to == from || NEIGHBOURS.contains(&(from, to.as_str())) || own == 5;
        let wiring_only = adapter && own < 5 && to != from;
        if wiring_only || (target >= own && !meant) {
            faults.push(module.fault(
                path.line,
                format!("{from} (floor {own}) must not import {} (floor {target})", path.words.join("::")),
            ));
        }
    }
    faults
}

fn strangers(module: &Module) -> Vec<Fault> {
    let paths = module.paths();
    let tokens = source::tokens(&module.text);
    let mut faults = Vec::new();
    for (name, homes) in HOMES {
        if homes.iter().any(|home| module.path.starts_with(home)) || is_own_name(name, &paths, &tokens) {
            continue;
        }
        let family = format!("{name}_");
        let listed = |word: &str| HOMES.iter().any(|(other, _)| *other == word);
        for path in &paths {
            let word = path.words[0].as_str();
            if word == name || (word.starts_with(&family) && !listed(word)) {
                faults.push(
                    module.fault(path.line, format!("{word} may only be named in {}", homes.join(", "))),
                );
            }
        }
    }
    faults
}

/// Whether `name` means a module of ours here: declared in this file, or imported from the crate.
fn is_own_name(name: &str, paths: &[CodePath], tokens: &[Token]) -> bool {
    let declared = tokens.windows(2).any(|pair| pair[0].text == "mod" && pair[1].text == name);
    let imported = paths.iter().any(|path| {
        ["crate", "self", "super"].contains(&path.words[0].as_str())
            && path.words.last().is_some_and(|word| word == name)
    });
    declared || imported
}

fn forbidden_names(module: &Module) -> Vec<Fault> {
    let mut faults = Vec::new();
    for path in module.paths() {
        for (part, words, reason) in FORBIDDEN {
            let named = match words {
                [start @ .., "*"] => {
                    path.words.iter().map(String::as_str).take(start.len()).eq(start.iter().copied())
                }
                _ => path.words.iter().map(String::as_str).take(words.len()).eq(words.iter().copied()),
            };
            if module.path.starts_with(part) && named {
                faults
                    .push(module.fault(path.line, format!("{} in {part}: {reason}", path.words.join("::"))));
            }
        }
    }
    faults
}

fn undocumented(module: &Module) -> Vec<Fault> {
    if module.text.starts_with("//!") {
        return Vec::new();
    }
    vec![module.fault(1, "a module opens with `//!`: what lives here, what must not, which invariant")]
}

fn too_long(module: &Module, long_functions: &[(&str, &str, &str)]) -> Vec<Fault> {
    let lines = module.text.lines().count();
    let mut faults = Vec::new();
    if lines > FILE_LINES {
        faults.push(module.fault(1, format!("{lines} lines; {FILE_LINES} at most")));
    }
    for function in source::functions(&source::tokens(&module.text)) {
        let table =
            long_functions.iter().any(|(path, name, _)| *path == module.path && *name == function.name);
        if (function.length > FUNCTION_LINES) != table {
            faults.push(module.fault(
                function.line,
                format!(
                    "fn {} has {} lines; {FUNCTION_LINES} at most but for listed tables",
                    function.name, function.length
                ),
            ));
        }
    }
    faults
}

fn modules() -> Vec<Module> {
    fn visit(folder: &Path, prefix: &str, found: &mut Vec<Module>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
            if path.is_dir() {
                visit(&path, &format!("{name}/"), found);
            } else if name.ends_with(".rs") {
                found.push(Module { path: name, text: fs::read_to_string(&path).unwrap() });
            }
        }
    }
    let mut found = Vec::new();
    visit(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// The modules that are not tests as a whole.
fn shipped(modules: Vec<Module>) -> Vec<Module> {
    let tests: Vec<String> = modules.iter().flat_map(test_modules).collect();
    let is_test = |path: &str| {
        tests.iter().any(|test| {
            path.strip_prefix(test.as_str()).is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        })
    };
    modules.into_iter().filter(|module| !is_test(&module.path)).collect()
}

/// The paths, without an ending, of the modules that this one declares for tests only.
fn test_modules(module: &Module) -> Vec<String> {
    let folder = match module.path.strip_suffix("mod.rs") {
        Some(folder) => folder.to_owned(),
        None => format!("{}/", module.path.trim_end_matches(".rs")),
    };
    let names = source::test_modules(&source::tokens(&module.text));
    names.into_iter().map(|name| format!("{folder}{name}")).collect()
}

fn assert_none(faults: Vec<Fault>) {
    assert!(faults.is_empty(), "\n{}\n", faults.join("\n"));
}

#[test]
fn imports_run_downward() {
    assert_none(shipped(modules()).iter().flat_map(upward_imports).collect());
}

#[test]
fn every_third_party_crate_stays_at_home() {
    assert_none(shipped(modules()).iter().flat_map(strangers).collect());
}

#[test]
fn no_floor_names_what_is_not_its_business() {
    assert_none(shipped(modules()).iter().flat_map(forbidden_names).collect());
}

#[test]
fn every_module_says_what_it_is_for() {
    assert_none(shipped(modules()).iter().flat_map(undocumented).collect());
}

#[test]
fn files_and_functions_stay_short() {
    assert_none(modules().iter().flat_map(|module| too_long(module, &LONG_FUNCTIONS)).collect());
}

#[test]
fn every_module_of_the_crate_has_a_floor() {
    let known = modules();
    for module in &known {
        let root = module.root();
        assert!(root == "lib" || floor(root).is_some(), "src/{}: {root} has no floor", module.path);
    }
    assert!(known.len() > 20, "the source was not found");
}

#[test]
fn the_checks_find_an_upward_import() {
    let faults = |path, text| upward_imports(&Module::new(path, text)).len();
    assert_eq!(faults("domain/x.rs", "use crate::policy::Decision;"), 1);
    assert_eq!(faults("policy/x.rs", "use crate::{domain::Host, auth::Sessions, web};"), 2);
    assert_eq!(faults("web/x.rs", "fn f() { crate::proxy::f() }"), 1);
    assert_eq!(faults("web/pages/x.rs", "use super::super::super::proxy::Facts;"), 1);
    assert_eq!(faults("auth/x.rs", "use crate::store::{Store, SledStore};"), 1);
    assert_eq!(faults("sample/mod.rs", "use crate::domain::Host;"), 1);
    assert_eq!(faults("new/x.rs", ""), 1);
}

#[test]
fn the_checks_leave_a_downward_import_alone() {
    let faults = |path, text| upward_imports(&Module::new(path, text));
    assert_none(faults("proxy/x.rs", "use crate::web::Pages; use crate::auth::{Sessions, SignIn as In};"));
    assert_none(faults("auth/x.rs", "use crate::store::{Store, StoreError}; use super::Sessions;"));
    assert_none(faults("store/sled/x.rs", "use crate::domain::User; use super::super::Store;"));
    assert_none(faults("config/x.rs", "use crate::server::options::LogOptions;"));
    assert_none(faults("app.rs", "use crate::{cli, server, store::SledStore};"));
    assert_none(faults("domain/x.rs", "//! See [`crate::auth`].\nconst A: &str = \"crate::auth::X\";"));
    assert_none(faults("auth/x.rs", "#[cfg(test)]\nmod tests { use crate::store::MemoryStore; fn f() {} }"));
}

#[test]
fn the_checks_tell_tests_from_what_is_shipped() {
    let modules = ["web/mod.rs", "web/tests.rs", "web/tests/login.rs", "web/testing.rs"]
        .map(|path| Module::new(path, "#[cfg(test)]\nmod tests;\nmod testing;"));
    let shipped: Vec<String> = shipped(modules.into()).into_iter().map(|module| module.path).collect();
    assert_eq!(shipped, ["web/mod.rs", "web/testing.rs"]);
}

#[test]
fn the_checks_find_a_crate_away_from_home() {
    let faults = |path, text| strangers(&Module::new(path, text)).len();
    assert_eq!(faults("web/x.rs", "use pingora::proxy::Session;"), 1);
    assert_eq!(faults("web/x.rs", "use pingora_core::Result;"), 1);
    assert_eq!(faults("auth/x.rs", "fn f() -> cookie::Cookie<'static> { todo() }"), 1);
    assert_eq!(faults("store/memory.rs", "use sled::Db;"), 1);
    assert_eq!(faults("auth/cookie.rs", "use cookie::Cookie;"), 0);
    assert_eq!(faults("store/mod.rs", "mod sled;\npub use sled::SledStore;"), 0);
    assert_eq!(faults("web/x.rs", "use crate::auth::cookie;\nfn f() { cookie::clear() }"), 0);
}

#[test]
fn the_checks_find_forbidden_names() {
    let faults = |path, text| forbidden_names(&Module::new(path, text)).len();
    assert_eq!(faults("auth/x.rs", "use http::{HeaderMap, StatusCode};"), 1);
    assert_eq!(faults("auth/x.rs", "fn f() { http::StatusCode::OK }"), 1);
    assert_eq!(faults("policy/x.rs", "fn f() { tracing::info!(\"x\") }"), 1);
    assert_eq!(faults("web/x.rs", "use http::StatusCode;"), 0);
}

#[test]
fn the_checks_find_what_is_too_long_or_says_nothing() {
    let long = format!("//! X.\nfn f() {{\n{}}}\n", "    g(\"}\", '}');\n".repeat(60));
    assert_eq!(too_long(&Module::new("web/x.rs", &long), &[]).len(), 1);
    assert_none(too_long(&Module::new("web/x.rs", &long), &[("web/x.rs", "f", "a table")]));
    let short = "//! X.\nfn f<'a>(x: &'a str) -> char { '\\'' }\n";
    assert_none(too_long(&Module::new("web/x.rs", short), &[]));
    assert_eq!(too_long(&Module::new("web/x.rs", short), &[("web/x.rs", "f", "no longer one")]).len(), 1);
    assert_eq!(too_long(&Module::new("web/x.rs", &"\n".repeat(501)), &[]).len(), 1);
    assert_eq!(undocumented(&Module::new("web/x.rs", "use std::fmt;\n")).len(), 1);
}

/// The fuzzer builds with its own lock and takes no other; who adds a dependency does not build it.
#[test]
fn the_fuzzers_lock_knows_every_dependency() {
    let read = |path: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    let (manifest, lock) = (read("Cargo.toml"), read("fuzz/Cargo.lock"));
    let wanted = manifest.split("\n[").find_map(|table| table.strip_prefix("dependencies]")).unwrap();
    let wanted = wanted.lines().filter_map(|line| Some(line.split_once(" = ")?.0));
    let ours = lock.split("\n[[package]]\n").find(|package| package.starts_with("name = \"passgate\"\n"));
    let known: Vec<_> = ours.unwrap().lines().filter_map(|line| line.trim().strip_prefix('"')).collect();
    let is_known = |name: &&str| known.iter().any(|line| line.split([' ', '"']).next() == Some(*name));
    let missing: Vec<_> = wanted.filter(|name| !is_known(name)).collect();
    assert!(missing.is_empty(), "{missing:?}; run: cd fuzz && cargo metadata --offline");
}
