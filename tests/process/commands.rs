//! The commands, with a gateway to ask and without one.

use std::process::Command;

use passgate::sample::{RunningForum, SampleForum};

use crate::site::{Finished, Gateway, PASSWORD, PROGRAM, Site, finish};
use crate::support::browser::Browser;

async fn forum() -> RunningForum {
    SampleForum::bind(([127, 0, 0, 1], 0).into()).await.unwrap().spawn()
}

/// The one-time link that was printed: the only line of data.
#[track_caller]
fn link(finished: &Finished) -> String {
    finished.assert_code(0).assert_says("once");
    let link = finished.out.trim_end();
    assert!(link.starts_with("http://localhost:4180/.passgate/setup?token="), "{finished:#?}");
    assert!(!link.contains(char::is_whitespace), "{finished:#?}");
    link.to_owned()
}

/// What both ways of carrying out a command have in common.
fn tour(site: &Site) {
    site.add_member("alice");
    let bob = link(&site.run(&["user", "add", "bob", "--group", "admins", "--email", "bob@forum.example"]));
    let again = link(&site.run(&["user", "link", "bob"]));
    assert_ne!(bob, again);
    let all = site.run(&["user", "list", "--json"]).assert_code(0).json();
    let names: Vec<_> = all.as_array().unwrap().iter().map(|user| user["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["alice", "bob"]);
    let bob = site.run(&["user", "show", "BOB", "--json"]).assert_code(0).json();
    assert_eq!((&bob["has_password"], &bob["groups"][0]), (&false.into(), &"admins".into()));
    assert!(site.run(&["user", "list"]).assert_code(0).out.contains("bob@forum.example"));
    assert!(site.run(&["user", "show", "alice"]).assert_code(0).out.contains("active"));
    let in_once = site.run(&["user", "link", "alice"]);
    in_once.assert_code(0).assert_says("15 minutes");
    assert!(in_once.out.contains("/.passgate/link?token="), "{in_once:#?}");
    link(&site.run(&["user", "link", "alice", "--reset"]));
    link(site.run(&["user", "link", "alice", "--set-up"]).assert_says("24 hours"));
    site.run(&["user", "link", "alice", "--set-up", "--reset"]).assert_code(64);

    site.run(&["passkey", "list"]).assert_code(0).assert_says("nobody has a passkey yet");
    assert_eq!(site.run(&["passkey", "list", "bob", "--json"]).assert_code(0).out, "[]\n");
    site.run(&["passkey", "remove", "bob", "0123456789abcdef"]).assert_code(65).assert_says("passkey list");

    site.run(&["app-password", "list"]).assert_code(0).assert_says("nobody has an app password");
    assert_eq!(site.run(&["app-password", "list", "bob", "--json"]).assert_code(0).out, "[]\n");
    site.run(&["app-password", "remove", "bob", "0123456789abcdef"])
        .assert_code(65)
        .assert_says("app-password list");
    site.run(&["app-password", "remove", "bob", "--all"]).assert_code(0).assert_says("nothing was changed");
    site.run(&["app-password", "remove", "bob"]).assert_code(64);

    let stats = site.run(&["passkey", "stats", "--json"]).assert_code(0).json();
    assert_eq!(
        (&stats["members"], &stats["in_rollout"], &stats["passkeys"]),
        (&2.into(), &2.into(), &0.into())
    );
    assert!(site.run(&["passkey", "stats"]).assert_code(0).out.contains("with a passkey   0"));

    site.run(&["user", "disable", "bob"]).assert_code(0);
    assert_eq!(site.run(&["user", "show", "bob", "--json"]).json()["state"], "disabled");
    site.run(&["user", "link", "bob"]).assert_code(65).assert_says("enable");
    site.run(&["user", "enable", "bob"]).assert_code(0);
    site.run(&["user", "delete", "bob"]).assert_code(0);
    site.run(&["user", "show", "bob"]).assert_code(65).assert_says("no member called \"bob\"");
    site.run(&["user", "delete", "bob"]).assert_code(65);

    site.run(&["user", "add", "Alice"]).assert_code(65).assert_says("taken");
    site.run(&["user", "add", "a\nb"]).assert_code(65);
    let short = site.run_with(&["user", "add", "carol", "--password-stdin"], "hushhus\n");
    short.assert_code(65).assert_says("at least 8");
    assert!(!format!("{short:?}").contains("hushhus"));
    site.run_with(&["user", "add", "carol", "--password-stdin"], "").assert_code(65);
    site.run(&["session", "revoke", "0123456789ab"]).assert_code(65).assert_says("session list");

    assert!(site.run(&["check"]).assert_code(0).out.contains("configuration is fine"));
    let why = site.run(&["explain", "GET", "/adm/"]);
    assert!(why.assert_code(0).out.contains("login"), "{why:#?}");
    site.run(&["explain", "GET", "/", "--user", "alice"]).assert_code(0);
    site.run(&["explain", "GET", "/", "--user", "nobody"]).assert_code(65);
}

#[tokio::test]
async fn commands_work_on_the_store_when_no_gateway_runs() {
    let site = Site::before(([127, 0, 0, 1], 9).into(), "");
    site.run(&["user", "list"]).assert_code(69).assert_says("no store").assert_says("user add");
    site.run(&["reload"]).assert_code(69).assert_says("no gateway runs");
    tour(&site);
    assert_eq!(site.run(&["session", "list", "--json"]).assert_code(0).out, "[]\n");
    site.run(&["reload"]).assert_code(69).assert_says("nothing to reload");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_ask_the_gateway_that_runs() {
    let forum = forum().await;
    let site = Site::before(forum.address(), "");
    let gateway = site.serve();
    tour(&site);
    for command in [
        "user add",
        "user list",
        "user show",
        "user disable",
        "user enable",
        "user delete",
        "user link",
        "user link --reset",
        "user link --set-up",
        "app-password list",
        "app-password remove",
        "passkey list",
        "passkey remove",
        "passkey stats",
    ] {
        gateway.event(command, |event| event["command"] == command);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mf_61_mf_62_a_check_of_the_running_gateway_tells_what_is_missing_and_how_to_mend_it() {
    let forum = forum().await;
    let site = Site::before(forum.address(), "");
    let mut gateway = site.serve();
    let listen = format!("server.listen = \"{}\"\n", gateway.address);
    site.configure(&listen);
    let fine = site.run(&["check", "--live"]);
    fine.assert_code(0);
    assert!(fine.out.contains("the running gateway is fine") && !fine.out.contains("WRONG"), "{fine:#?}");
    assert!(fine.out.contains("it takes a passkey") && fine.out.contains("it takes a password"));

    // The file says another port, and the gateway has not read it.
    site.configure(&format!("{listen}passkeys.rollout = \"everyone\"\n"));
    let text = std::fs::read_to_string(site.file()).unwrap();
    std::fs::write(site.file(), text.replace("localhost:4180", "localhost:4181")).unwrap();
    let other = site.run(&["check", "--live"]);
    other.assert_code(78).assert_says("1 of 8 things");
    let wrong: Vec<_> = other.out.lines().filter(|line| line.contains("WRONG")).collect();
    assert!(wrong.len() == 1 && wrong[0].contains("passgate reload"), "{other:#?}");

    site.configure(&listen);
    gateway.stop();
    site.run(&["check", "--live"]).assert_code(69).assert_says("no gateway answers at");
}

#[tokio::test(flavor = "multi_thread")]
async fn mf_62_a_sign_in_page_without_its_fields_is_found() {
    let forum = forum().await;
    let site = Site::before(forum.address(), "");
    let folder = site.file().with_file_name("pages");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("login.html"), "Sign in elsewhere").unwrap();
    site.configure("pages.templates = \"pages\"\n");
    let gateway = site.serve();
    site.configure(&format!("pages.templates = \"pages\"\nserver.listen = \"{}\"\n", gateway.address));
    let found = site.run(&["check", "--live"]);
    found.assert_code(78);
    for what in ["it takes a password", "it takes a passkey", "login.html"] {
        assert!(found.out.lines().any(|line| line.contains("WRONG") && line.contains(what)), "{found:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_printed_link_works_once_in_a_browser() {
    let forum = forum().await;
    let site = Site::before(forum.address(), "");
    let gateway = site.serve();
    let link = link(&site.run(&["user", "add", "bob"]));
    let mut browser = gateway.browser();
    let form = browser.get(&link).await;
    form.assert_status(200).assert_says("bob");
    browser.submit(&form, "password", &[("password", PASSWORD)]).await.assert_status(200);
    assert!(gateway.browser().get(&link).await.status.is_client_error());
    gateway.signed_in("bob", PASSWORD).await.1.assert_status(200).assert_says("<b id=\"member\">bob</b>");
}

async fn is_signed_in(browser: &mut Browser) -> bool {
    let page = browser.get("/whoami.php").await;
    page.assert_status(200);
    page.url.path() == "/whoami.php"
}

#[tokio::test(flavor = "multi_thread")]
async fn ses_04_what_operators_end_has_ended_by_the_next_request() {
    let forum = forum().await;
    let site = Site::before(forum.address(), "");
    let gateway = site.serve();
    for name in ["alice", "bobby"] {
        site.add_member(name);
    }
    let (mut alice, _) = gateway.signed_in("alice", PASSWORD).await;
    let (mut elsewhere, _) = gateway.signed_in("alice", PASSWORD).await;
    let (mut bob, _) = gateway.signed_in("bobby", PASSWORD).await;
    assert!(
        is_signed_in(&mut alice).await && is_signed_in(&mut elsewhere).await && is_signed_in(&mut bob).await
    );

    let of_bob = site.run(&["session", "list", "--user", "bobby", "--json"]).assert_code(0).json();
    assert_eq!(of_bob.as_array().unwrap().len(), 1);
    let id = of_bob[0]["id"].as_str().unwrap();
    site.run(&["session", "revoke", id]).assert_code(0).assert_says("bobby");
    assert!(!is_signed_in(&mut bob).await && is_signed_in(&mut alice).await);

    site.run(&["session", "revoke", "--user", "alice"]).assert_code(0).assert_says("2 sessions");
    assert!(!is_signed_in(&mut alice).await && !is_signed_in(&mut elsewhere).await);

    let (mut alice, _) = gateway.signed_in("alice", PASSWORD).await;
    site.run(&["user", "disable", "alice"]).assert_code(0);
    assert!(!is_signed_in(&mut alice).await);
    gateway.signed_in("alice", PASSWORD).await.1.assert_status(422);
    site.run(&["user", "enable", "alice"]).assert_code(0);
    assert!(!is_signed_in(&mut alice).await, "an ended session stays ended");
    let (mut alice, _) = gateway.signed_in("alice", PASSWORD).await;
    assert!(is_signed_in(&mut alice).await);

    let (mut bob, _) = gateway.signed_in("bobby", PASSWORD).await;
    site.run(&["session", "revoke", "--all"]).assert_code(0);
    assert!(!is_signed_in(&mut alice).await && !is_signed_in(&mut bob).await);
    let (mut bob, _) = gateway.signed_in("bobby", PASSWORD).await;
    site.run(&["user", "delete", "bobby"]).assert_code(0);
    assert!(!is_signed_in(&mut bob).await);
    assert_eq!(site.run(&["session", "list", "--json"]).assert_code(0).out, "[]\n");
}

const DENIED: &str = "access.rule = [{ path = \"/viewforum.php\", require = \"deny\" }]";

#[tokio::test(flavor = "multi_thread")]
async fn rel_09_a_changed_file_counts_after_reload_or_sighup_and_a_broken_one_changes_nothing() {
    let forum = forum().await;
    let site = Site::before(forum.address(), "");
    let mut gateway = site.serve();
    site.add_member("alice");
    let (mut alice, _) = gateway.signed_in("alice", PASSWORD).await;
    let board = "/viewforum.php?f=1";
    alice.get(board).await.assert_status(200);

    site.configure(DENIED);
    site.run(&["reload"]).assert_code(0);
    alice.get(board).await.assert_status(403);
    assert!(is_signed_in(&mut alice).await);

    site.configure("access.default = \"maybe\"");
    // The command reads the file itself and finds the same as the gateway would.
    site.run(&["reload"]).assert_code(78).assert_says("access.default");
    alice.get(board).await.assert_status(403);
    gateway.signal("HUP");
    let problems = gateway.event("of problems", |event| event["problems"].is_string());
    assert!(problems["problems"].as_str().unwrap().contains("access.default"));
    alice.get(board).await.assert_status(403);

    site.configure("server.drain_timeout = \"7s\"");
    gateway.signal("HUP");
    let reloaded = gateway.event("of reloading", |event| event["message"] == "reloaded");
    assert!(reloaded["notes"].as_str().unwrap().contains("server.drain_timeout"));
    alice.get(board).await.assert_status(200);
    assert!(is_signed_in(&mut alice).await);
    assert_eq!(gateway.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demonstration_says_in_one_line_where_it_is_and_who_can_sign_in() {
    let site = Site::before(([127, 0, 0, 1], 9).into(), "");
    let mut command = Command::new(PROGRAM);
    command.args(["demo", "--json", "--listen", "127.0.0.1:0"]);
    let mut child = site.prepared(command).spawn().unwrap();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
    let url = url::Url::parse(ready["url"].as_str().unwrap()).unwrap();
    assert!(ready["upstream"].as_str().unwrap().starts_with("http://127.0.0.1:"));
    let address = ([127, 0, 0, 1], url.port().unwrap()).into();
    for member in ready["members"].as_array().unwrap() {
        let (name, password) = (member["name"].as_str().unwrap(), member["password"].as_str().unwrap());
        let mut browser = Browser::new(address, url.as_str());
        let form = browser.get("/").await;
        assert_eq!(form.url.path(), "/.passgate/login");
        let page = browser.submit(&form, "password", &[("username", name), ("password", password)]).await;
        page.assert_status(200).assert_says(&format!("<b id=\"member\">{name}</b>"));
    }
    let file = ready["config"].as_str().unwrap().to_owned();
    let operate = |words: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.args(words).args(["--config", &file]);
        finish(site.prepared(command), "")
    };
    assert!(operate(&["user", "list"]).assert_code(0).out.contains("alice"));
    operate(&["audit", "verify"]).assert_code(0).assert_says("events");
    operate(&["check"]).assert_code(0);
    let kill = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(kill.success() && child.wait().unwrap().success());
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut out, &mut rest).unwrap();
    assert_eq!(rest, "");
    assert!(!std::path::Path::new(&file).parent().unwrap().exists(), "it is gone");

    for options in [["--listen", "0.0.0.0:0"], ["--mail", "192.0.2.1:25"]] {
        let mut open = Command::new(PROGRAM);
        open.arg("demo").args(options);
        finish(site.prepared(open), "").assert_code(64).assert_says("stays on this machine");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_members_the_log_says_how_to_make_the_first() {
    let forum = forum().await;
    let site = Site::before(forum.address(), "");
    let gateway: Gateway = site.serve();
    gateway.event("of no members", |event| {
        event["message"].as_str().is_some_and(|words| words.contains("passgate user add NAME"))
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_invited_makes_an_account_and_is_in() {
    let forum = forum().await;
    let site = Site::before(forum.address(), "registration.mode = \"invitation\"\n");
    let gateway = site.serve();
    let made = site.run(&["invitation", "make", "--group", "readers"]);
    let link = made.assert_code(0).out.trim().to_owned();
    let mut browser = gateway.browser();
    let page = browser.get(link.strip_prefix("http://localhost:4180").unwrap()).await;
    let filled = [("username", "zoe"), ("password", PASSWORD)];
    browser.submit(&page, "token", &filled).await.assert_says("Your account is there.");
    gateway.signed_in("zoe", PASSWORD).await.1.assert_says("zoe");
    let zoe = site.run(&["user", "show", "zoe", "--json"]).assert_code(0).json();
    assert_eq!(zoe["groups"][0], "readers");
    gateway.event("joined", |event| event["event"] == "joined" && event["member"] == zoe["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn s6_an_operator_sees_a_members_app_passwords_and_removes_one_while_it_is_in_use() {
    let forum = forum().await;
    let site =
        Site::before(forum.address(), "app_passwords = { enabled = true, paths = [\"/whoami.json\"] }");
    let mut gateway = site.serve();
    site.add_member("alice");
    let mut made = Vec::new();
    let (mut alice, _) = gateway.signed_in("alice", PASSWORD).await;
    for name in ["Reader", "Phone"] {
        let page = alice.get("/.passgate/account/app-passwords").await;
        let page = alice.submit(&page, "name", &[("name", name)]).await;
        let text = page.assert_status(200).text();
        let at = text.find("pga-").unwrap();
        made.push(format!("Bearer {}", &text[at..at + 43]));
    }
    let ask = async |gateway: &Gateway, authorization: &str| {
        let headers = [("authorization", authorization)];
        gateway.browser().ask(http::Method::GET, "/whoami.json", &headers, "").await.status.as_u16()
    };
    assert_eq!((ask(&gateway, &made[0]).await, ask(&gateway, &made[1]).await), (200, 200));
    let listed = site.run(&["app-password", "list", "alice", "--json"]).assert_code(0).json();
    let names: Vec<_> = listed.as_array().unwrap().iter().map(|one| &one["name"]).collect();
    assert_eq!(names, ["Reader", "Phone"]);
    assert!(listed[0]["last_used"].is_string() && listed[0]["paths"].is_null(), "{listed}");
    assert!(site.run(&["app-password", "list"]).assert_code(0).out.contains("Reader"));
    let id = listed[0]["id"].as_str().unwrap();
    site.run(&["app-password", "remove", "Alice", id]).assert_code(0).assert_says("Reader");
    let refused = ask(&gateway, &made[0]).await;
    assert!(refused != 200, "{refused}");
    assert_eq!(ask(&gateway, &made[1]).await, 200);
    // Those that are left are there after a restart; the operator ends them without a gateway, too.
    assert_eq!(gateway.stop(), Some(0));
    let mut gateway = site.serve();
    assert_eq!(ask(&gateway, &made[1]).await, 200);
    assert_eq!(gateway.stop(), Some(0));
    site.run(&["app-password", "remove", "alice", "--all"]).assert_code(0).assert_says("Phone");
    let gateway = site.serve();
    assert!(ask(&gateway, &made[1]).await != 200);
}
