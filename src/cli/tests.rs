//! Commands from their words to their words, on a store in a folder of their own.

use std::fs;
use std::sync::Arc;

use super::streams::Input;
use super::*;
use crate::auth::second_factors::FactorsMet;
use crate::domain::{Backup, CredentialId, Passkey, PasskeyFor, PasskeyName, Persistence, Timestamp, UserId};
use crate::server::control::ControlSocket;
use crate::store::{Change, SledStore, Store, Verdict};

/// What a command wrote, and how it ended.
pub(super) struct Ran {
    pub(super) exit: Exit,
    pub(super) out: String,
    pub(super) err: String,
}

pub(super) struct Place(pub(super) tempfile::TempDir);

impl Place {
    pub(super) fn new(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("gateway.toml"), config).unwrap();
        Self(folder)
    }

    pub(super) fn run(&self, words: &[&str]) -> Ran {
        self.run_with(words, "", Input::Piped)
    }

    fn run_with(&self, words: &[&str], input: &str, kind: Input) -> Ran {
        let config = self.0.path().join("gateway.toml");
        let words = [&["passgate", "--config", config.to_str().unwrap()], words].concat();
        let cli = Cli::try_parse_from(words).unwrap();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let exit = cli.run(&mut Streams::new(&mut out, &mut err, &mut input.as_bytes(), kind));
        Ran { exit, out: String::from_utf8(out).unwrap(), err: String::from_utf8(err).unwrap() }
    }

    fn done(&self, words: &[&str]) -> Ran {
        let ran = self.run(words);
        assert_eq!(ran.exit, Exit::Done, "{words:?}: {}", ran.err);
        ran
    }
}

#[test]
fn a_member_comes_and_goes_without_a_gateway() {
    let place = Place::new("");
    let added = place.done(&["user", "add", "Zoë", "--group", "admins", "--email", "z@example.org"]);
    assert!(added.out.starts_with("http://localhost:8080/.passgate/setup?token="), "{}", added.out);
    assert_eq!(added.out.lines().count(), 1);
    assert!(added.err.contains("24 hours"), "{}", added.err);
    let listed = place.done(&["user", "list"]);
    assert!(listed.out.starts_with("NAME") && listed.out.contains("admins"), "{}", listed.out);
    let listed: serde_json::Value =
        serde_json::from_str(&place.done(&["user", "list", "--json"]).out).unwrap();
    assert_eq!((&listed[0]["name"], &listed[0]["state"]), (&"Zoë".into(), &"active".into()));
    assert!(place.done(&["user", "show", "zoë"]).out.contains("z@example.org"));
    place.done(&["user", "disable", "zoë"]);
    assert_eq!(place.run(&["user", "link", "zoë"]).exit, Exit::Data);
    place.done(&["user", "enable", "zoë"]);
    assert!(place.done(&["user", "link", "zoë"]).out.contains("/setup?token="));
    let again = place.run(&["user", "add", "ZOË"]);
    assert!(again.exit == Exit::Data && again.err.contains("is taken"), "{}", again.err);
    place.done(&["user", "delete", "zoë"]);
    assert_eq!(place.done(&["user", "list", "--json"]).out, "[]\n");
    assert_eq!(place.done(&["session", "list", "--json"]).out, "[]\n");
    place.done(&["session", "revoke", "--all"]);
}

fn passkey_of(user: UserId) -> Change {
    let passkey = Passkey {
        id: CredentialId::new(b"phone").unwrap(),
        user,
        rp_id: "localhost".to_owned(),
        name: PasskeyName::parse("My phone").unwrap(),
        credential: String::new(),
        aaguid: None,
        transports: Vec::new(),
        backup: Backup::Possible,
        created: Timestamp::from_millis(1_795_327_200_000),
        last_used: None,
    };
    Change::AddPasskey { passkey, limit: 10 }
}

#[test]
fn passkeys_are_shown_and_removed_without_a_gateway() {
    let place = Place::new("passkeys.enabled = false");
    place.done(&["user", "add", "alice"]);
    assert!(place.done(&["user", "show", "alice"]).out.contains("passkeys         none"));
    assert!(place.done(&["passkey", "list"]).err.contains("nobody has"));
    assert!(place.done(&["passkey", "list", "alice"]).err.contains("has no passkeys"));
    let store = SledStore::open(&place.0.path().join("data/store"), 1 << 20).unwrap();
    let alice = store.user_by_name("alice").unwrap().unwrap().profile.id;
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(store.apply(vec![passkey_of(alice)])).unwrap();
    drop(store);
    let listed = place.done(&["passkey", "list", "Alice"]).out;
    assert!(["PASSKEY", "alice", "not yet", "unknown", "My phone"].iter().all(|word| listed.contains(word)));
    let json: serde_json::Value =
        serde_json::from_str(&place.done(&["passkey", "list", "--json"]).out).unwrap();
    assert_eq!((&json[0]["synced"], &json[0]["last_used"]), (&"not_yet".into(), &serde_json::Value::Null));
    let shown = place.done(&["user", "show", "alice"]).out;
    let words = "My phone; provider unknown; not synced yet; added 2026-11-22 06:00 UTC; last used never";
    assert!(shown.contains(words), "{shown}");
    let shown = place.done(&["user", "show", "alice", "--json"]).out;
    assert!(shown.contains("\"name\":\"My phone\""), "{shown}");
    let handle = json[0]["id"].as_str().unwrap();
    assert!(listed.lines().nth(1).unwrap().starts_with(handle), "{listed}");
    let removed = place.done(&["passkey", "remove", "alice", handle]);
    assert!(removed.out.is_empty() && removed.err.contains("is removed"), "{}", removed.err);
    assert_eq!(place.run(&["passkey", "remove", "alice", handle]).exit, Exit::Data);
    assert_eq!(place.done(&["passkey", "list", "--json"]).out, "[]\n");
}

#[test]
fn mf_28_check_names_who_needs_a_passkey_and_has_none() {
    let place = Place::new("[passkeys]\nrequired_for = \"admins\"");
    let nobody = place.done(&["check"]);
    assert!(
        nobody.out.contains("configuration is fine") && nobody.err.contains("no store"),
        "{}",
        nobody.err
    );
    assert!(!place.0.path().join("data").exists());
    for (name, group) in [("alice", "admins"), ("bob", "members"), ("carol", "admins"), ("dave", "admins")] {
        place.done(&["user", "add", name, "--group", group]);
    }
    place.done(&["user", "disable", "dave"]);
    let told = place.done(&["check"]).err;
    assert!(
        told.contains("warning: 2 members have no passkey") && told.contains(": alice, carol;"),
        "{told}"
    );
    let store = SledStore::open(&place.0.path().join("data/store"), 1 << 20).unwrap();
    let alice = store.user_by_name("alice").unwrap().unwrap().profile.id;
    let choose = Change::ReviseUser(
        alice,
        Box::new(|user| {
            user.passkey_for = PasskeyFor { signing_in: true, sensitive_actions: true };
            Verdict::Keep
        }),
    );
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(store.apply(vec![passkey_of(alice), choose])).unwrap();
    drop(store);
    let told = place.done(&["check"]).err;
    assert!(told.contains("1 member has no passkey") && told.contains(": carol;"), "{told}");
    let json: serde_json::Value = serde_json::from_str(&place.done(&["user", "list", "--json"]).out).unwrap();
    assert_eq!((&json[0]["passkeys"], &json[2]["passkeys"]), (&1.into(), &0.into()));
    let shown = || place.done(&["user", "show", "alice"]).out;
    assert!(shown().contains("asked for when   signing in, sensitive actions"), "MX-11: {}", shown());
    let explained =
        |words: &[&str]| place.done(&[&["explain", "GET", "/", "--user", "alice"], words].concat()).out;
    assert!(
        explained(&[]).contains("asked because of: passkeys.required_for = [\"admins\"]"),
        "{}",
        explained(&[])
    );
    assert!(explained(&["--passkey"]).contains("forwarded, with the member's identity"));
    let handle = CredentialId::new(b"phone").unwrap().handle();
    place.done(&["passkey", "remove", "alice", &handle]);
    assert!(!shown().contains("asked for when"), "the last one takes the choice along");
}

#[test]
fn a_password_is_read_from_the_input_and_never_shown() {
    let place = Place::new("");
    let add = |name, password: &str| {
        place.run_with(&["user", "add", name, "--password-stdin"], password, Input::Piped)
    };
    let long = add("a", "marmalade on the piano\n");
    assert!(long.exit == Exit::Done && long.out.is_empty(), "{}", long.err);
    let short = add("b", "shorter99");
    assert!(short.exit == Exit::Done && short.err.contains("warning:") && !short.err.contains("shorter99"));
    assert_eq!(add("c", "short\n").exit, Exit::Data);
    assert_eq!(add("c", "").exit, Exit::Data);
    assert!(place.done(&["user", "show", "a", "--json"]).out.contains("\"has_password\":true"));
}

#[test]
fn deleting_asks_first_on_a_terminal() {
    let place = Place::new("");
    place.done(&["user", "add", "a"]);
    for answer in ["n\n", "\n", ""] {
        let asked = place.run_with(&["user", "delete", "a"], answer, Input::Terminal);
        assert!(asked.exit == Exit::Done && asked.err.contains("nothing was changed"), "{}", asked.err);
    }
    assert_eq!(place.run_with(&["user", "delete", "a", "--yes"], "", Input::Terminal).exit, Exit::Done);
    assert_eq!(place.run_with(&["user", "delete", "a"], "y\n", Input::Terminal).exit, Exit::Data, "gone");
}

#[test]
fn a_store_that_is_not_there_is_not_made_by_looking_at_it() {
    let place = Place::new("");
    let listed = place.run(&["user", "list"]);
    assert!(listed.exit == Exit::Unavailable && listed.err.contains("no store"), "{}", listed.err);
    assert!(!place.0.path().join("data").exists());
    assert_eq!(place.run(&["reload"]).exit, Exit::Unavailable);
    assert_eq!(
        Place::new("[store]\nbackend = \"memory\"").run(&["user", "add", "a"]).exit,
        Exit::Unavailable
    );
}

#[test]
fn a_store_in_use_without_a_gateway_is_told_as_that() {
    let place = Place::new("");
    place.done(&["user", "add", "a"]);
    let held = crate::store::SledStore::open(&place.0.path().join("data/store"), 1 << 20).unwrap();
    let listed = place.run(&["user", "list"]);
    assert!(listed.exit == Exit::Unavailable && listed.err.contains("in use"), "{}", listed.err);
    drop(held);
    place.done(&["user", "list"]);
}

#[test]
fn commands_ask_the_gateway_that_has_the_store_open() {
    let place = Place::new("");
    let config = Config::load_with(Some(&place.0.path().join("gateway.toml")), [], &[]).unwrap();
    let store = crate::store::SledStore::open(&place.0.path().join("data/store"), 1 << 20).unwrap();
    let control = Arc::new(reach::control(&config, Arc::new(store)).unwrap());
    let socket = ControlSocket::bind(&config.server.data_dir).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = runtime.spawn(socket.serve(Arc::clone(&control), async move { drop(stopped.await) }));
    place.done(&["user", "add", "alice"]);
    let user = control.accounts.all().unwrap().remove(0);
    let session = control.sessions.start(
        FactorsMet::unasked(user.clone()),
        Persistence::Remembered,
        "Firefox",
        Vec::new(),
    );
    runtime.block_on(session).unwrap();
    let listed = place.done(&["session", "list"]).out;
    assert!(listed.contains("alice") && listed.contains("Firefox"), "{listed}");
    let id = listed.lines().nth(1).unwrap().split(' ').next().unwrap();
    place.done(&["session", "revoke", id]);
    assert_eq!(control.sessions.count(), 0);
    runtime.block_on(control.store.apply(vec![passkey_of(user.profile.id)])).unwrap();
    let listed = place.done(&["passkey", "list"]).out;
    let handle = listed.lines().nth(1).unwrap().split(' ').next().unwrap();
    place.done(&["passkey", "remove", "alice", handle]);
    assert_eq!(control.store.passkeys_of(user.profile.id), Ok(Vec::new()));
    let reloaded = place.run(&["reload"]);
    assert!(reloaded.exit == Exit::Configuration && reloaded.err.contains("goes on with what it had"));
    stop.send(()).unwrap();
    runtime.block_on(serving).unwrap().unwrap();
}

#[test]
fn check_tells_all_problems_or_that_there_are_none() {
    let fine = Place::new("").done(&["check"]);
    assert!(fine.out.starts_with("configuration is fine\n"), "{}", fine.out);
    let bad = Place::new("[server]\nlisten = \"x\"\n[log]\nlevle = 1").run(&["check"]);
    assert_eq!(bad.exit, Exit::Configuration);
    assert!(
        ["server.listen", "log.levle", "2 problems"].iter().all(|word| bad.err.contains(word)),
        "{}",
        bad.err
    );
    assert!(bad.out.is_empty());
}

#[test]
fn explain_tells_the_rule_and_why() {
    let place = Place::new(
        "[access]\ndefault = \"guest\"\n[[access.rule]]\npath = \"/adm/**\"\ngroups = [\"admins\"]",
    );
    place.done(&["user", "add", "root", "--group", "admins"]);
    place.done(&["user", "add", "alice"]);
    for (words, part) in [
        (vec!["GET", "/index.php"], "decided by: access.default = \"guest\""),
        (vec!["get", "http://localhost:8080/adm/?x=1#top"], "sent to the sign-in page"),
        (vec!["GET", "http://localhost?x=1"], "GET /?x=1 on localhost"),
        (vec!["GET", "/adm/", "--user", "alice"], "in none of the rule's groups"),
        (vec!["GET", "/adm/", "--user", "root"], "forwarded, with the member's identity"),
        (vec!["GET", "//adm//x"], "forwarded as /adm/x"),
        (vec!["GET", "/public/..%2fadm/"], "refused with 400"),
        (vec!["GET", "https://other.example.org/"], "refused: neither"),
        (vec!["TRACE", "/"], "refused: `server.methods`"),
        (vec!["GET", "/.passgate/login"], "answered by passgate itself"),
        (vec!["GET", "/.well-known/change-password"], "answered by passgate itself"),
        (vec!["GET", "https://other.example.org/.well-known/change-password"], "refused: neither"),
    ] {
        let ran = place.done(&[vec!["explain"], words].concat());
        assert!(ran.out.contains(part), "{}", ran.out);
    }
    assert_eq!(place.run(&["explain", "GET", "forum"]).exit, Exit::Data);
    assert_eq!(place.run(&["explain", "GET", "http://a b/"]).exit, Exit::Data);
    assert_eq!(place.run(&["explain", "GET", "/", "--user", "nobody"]).exit, Exit::Data);
}

#[test]
fn explain_tells_how_a_member_becomes_known() {
    let place = Place::new(
        "[forum]\npreset = \"spirit\"\n[[access.rule]]\npath = \"/api/**\"\nbridge = \"headers\"\n\
         [[access.rule]]\npath = \"/quiet/**\"\nbridge = \"none\"\n[[access.rule]]\npath = \"/open/**\"\nrequire = \"public\"",
    );
    for (url, said) in [
        ("/", Some("by \"form\", says forum.bridge")),
        ("/api/x", Some("by \"headers\", says this rule")),
        ("/quiet/x", Some("not at all, says this rule")),
        ("/open/x", None),
    ] {
        let ran = place.done(&["explain", "GET", url]);
        let line =
            ran.out.lines().find_map(|line| line.strip_prefix("members become known to the application: "));
        assert_eq!(line, said, "{}", ran.out);
    }
    assert!(place.done(&["explain", "GET", "/api/x"]).out.contains("bridge = \"headers\""));
    assert!(!Place::new("").done(&["explain", "GET", "/"]).out.contains("become known"), "nothing unusual");
    assert!(place.done(&["check"]).out.contains("rules name other ways: headers"));
}

#[test]
fn the_command_line_asks_for_no_password_and_for_exactly_one_kind_of_session() {
    for wrong in [
        &["passgate"][..],
        &["passgate", "user", "add", "a", "--password", "x"],
        &["passgate", "session", "revoke"],
        &["passgate", "passkey", "remove", "a"],
        &["passgate", "session", "revoke", "--all", "--user", "a"],
        &["passgate", "explain", "GET"],
    ] {
        assert!(Cli::try_parse_from(wrong).unwrap_err().use_stderr(), "{wrong:?}");
    }
    use clap::CommandFactory;
    Cli::command().debug_assert();
}

#[test]
fn o4_the_key_of_the_forum_passwords_is_changed_and_no_password_is_shown() {
    let place =
        Place::new("[forum]\npreset = \"phpbb\"\nvault_key = \"keys.txt\"\n[password]\nmemory_kib = 19456\n");
    let added =
        place.run_with(&["user", "add", "ann", "--password-stdin"], "wonderland is far\n", Input::Piped);
    assert_eq!(added.exit, Exit::Done, "{}", added.err);
    let key = place.0.path().join("keys.txt");
    assert!(!key.exists(), "made when it is first needed");
    let secret = "the one at the forum";
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let store: Arc<dyn Store> =
            Arc::new(SledStore::open(&place.0.path().join("data/store"), 1 << 20).unwrap());
        let ann = store.user_by_name("ann").unwrap().unwrap().profile.id;
        let vault = crate::bridge::Vault::open(store, &key, "phpbb").unwrap();
        vault.keep(ann, &crate::domain::Secret::new(secret.to_owned())).await.unwrap();
    });
    let before = fs::read_to_string(&key).unwrap();
    let changed = place.run(&["forum", "rotate-key"]);
    assert_eq!(changed.exit, Exit::Done, "{}", changed.err);
    assert!(changed.err.contains("1 password sealed with a new key"), "{}", changed.err);
    assert_ne!(fs::read_to_string(&key).unwrap(), before);
    for words in [&["user", "show", "ann", "--json"][..], &["user", "list", "--json"], &["check"]] {
        let ran = place.run(words);
        assert!(!ran.out.contains(secret) && !ran.err.contains(secret), "{words:?}");
        assert!(!ran.out.contains(before.trim()), "{words:?}");
    }

    let elsewhere = Place::new("");
    elsewhere.run_with(&["user", "add", "ann", "--password-stdin"], "wonderland is far\n", Input::Piped);
    let refused = elsewhere.run(&["forum", "rotate-key"]);
    assert_ne!(refused.exit, Exit::Done);
    assert!(refused.err.contains("[forum]"), "{}", refused.err);
}

#[test]
fn the_preset_in_force_is_printed_as_a_file_that_can_be_named_instead() {
    let place = Place::new("[forum]\npreset = \"phpbb\"\n[forum.override.cookies]\nsession = [\"mine_*\"]\n");
    let printed = place.run(&["forum", "preset"]);
    assert_eq!(printed.exit, Exit::Done, "{}", printed.err);
    assert!(printed.out.contains("mine_*") && !printed.out.contains("phpbb3_*_sid"), "{}", printed.out);
    let copy = Place::new("[forum]\npreset = \"mine.toml\"\n");
    fs::write(copy.0.path().join("mine.toml"), &printed.out).unwrap();
    assert_eq!(copy.run(&["forum", "preset"]).out, printed.out);
    assert_eq!(Place::new("").run(&["forum", "preset"]).exit, Exit::Data);
}

#[test]
fn who_may_join_by_invitation_and_what_check_says_of_it() {
    let place = Place::new("[registration]\nmode = \"invitation\"\n");
    assert!(place.run(&["check"]).err.contains("warning: who joins chooses their name"));
    place.run(&["user", "add", "ann"]);
    let made = place.run(&["invitation", "make", "--group", "Readers", "--times", "2"]);
    assert!(made.exit == Exit::Done && made.err.contains("it makes 2 accounts"), "{}", made.err);
    assert!(made.out.starts_with("http://localhost:8080/.passgate/join?token="), "{}", made.out);
    let listed: serde_json::Value =
        serde_json::from_str(&place.run(&["invitation", "list", "--json"]).out).unwrap();
    assert_eq!((&listed[0]["left"], &listed[0]["groups"][0]), (&2.into(), &"Readers".into()));
    assert!(place.run(&["invitation", "list"]).out.contains("ACCOUNTS LEFT"));
    let id = listed[0]["id"].as_str().unwrap();
    assert_eq!(place.run(&["invitation", "withdraw", id]).exit, Exit::Done);
    assert_eq!(place.run(&["invitation", "withdraw", id]).exit, Exit::Data);
    assert!(place.run(&["invitation", "list"]).err.contains("no invitation is open"));
}

#[test]
fn nobody_is_invited_where_nobody_may_join() {
    let place = Place::new("");
    let refused = place.run(&["invitation", "make"]);
    assert!(
        refused.exit == Exit::Configuration && refused.err.contains("registration.mode"),
        "{}",
        refused.err
    );
    assert!(!place.run(&["check"]).err.contains("chooses their name"));
}
