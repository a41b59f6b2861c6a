//! The audit log of a running gateway, and the commands that read it.

use std::fs;

use passgate::sample::SampleForum;
use serde_json::Value;

use crate::site::{PASSWORD, Site, mode};

#[tokio::test(flavor = "multi_thread")]
async fn ops_02_ops_11_what_matters_is_in_the_audit_log_and_a_change_of_it_is_found() {
    let forum = SampleForum::bind(([127, 0, 0, 1], 0).into()).await.unwrap().spawn();
    let site = Site::before(forum.address(), "log.level = \"error,passgate::server=info\"\n");
    site.run(&["audit", "tail"]).assert_code(69).assert_says("no audit log");
    let mut gateway = site.serve();
    site.add_member("alice");
    let (mut alice, _) = gateway.signed_in("alice", PASSWORD).await;
    gateway.signed_in("alice", "hunter2 hunter2").await;
    alice.get("/").await;
    site.run(&["reload"]).assert_code(0);
    gateway.stop();

    let events = site.run(&["audit", "tail", "--json"]).assert_code(0).json();
    let seen: Vec<_> =
        events.as_array().unwrap().iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(seen, ["operators-command", "signed-in", "sign-in-refused", "operators-command"]);
    assert_eq!((&events[0]["command"], &events[1]["client"]), (&"user add".into(), &"127.0.0.1".into()));
    assert!(events[1]["request_id"].is_string() && events[1]["member"] == events[2]["member"]);
    let shown = site.run(&["audit", "tail", "-n", "1"]);
    assert!(
        shown.assert_code(0).out.lines().count() == 2 && shown.out.contains("command=reload"),
        "{shown:#?}"
    );
    let whole = site.run(&["audit", "verify"]);
    assert!(whole.assert_code(0).assert_says("4 events").out.starts_with("4 "), "{whole:#?}");

    let folder = site.data_dir().join("audit");
    let file = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let file = file.into_iter().find(|path| path.extension().is_some()).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    assert!(mode(&file) == 0o600 && !text.contains("hunter2") && !text.contains(PASSWORD));
    fs::write(&file, text.replace("wrong-password", "unknown-name")).unwrap();
    site.run(&["audit", "verify"]).assert_code(65).assert_says("line 4: the line before it was changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn ops_02_what_is_denied_or_fails_behind_the_gateway_is_in_the_audit_log_and_a_flood_of_it_is_few_lines()
 {
    let away = ([127, 0, 0, 1], 1).into();
    let rule = "{ path = \"/install.php\", require = \"deny\" }";
    let site = Site::before(away, &format!("access.default = \"guest\"\naccess.rule = [{rule}]\n"));
    let mut gateway = site.serve();
    let mut browser = gateway.browser();
    for _ in 0..50 {
        browser.get("/install.php?key=hunter2").await.assert_status(403);
        browser.get("/index.php?key=hunter2").await.assert_status(502);
        browser.get("/.passgate/nothing").await.assert_status(404);
    }
    gateway.stop();

    let events = site.run(&["audit", "tail", "--json"]).assert_code(0).json();
    let events = events.as_array().unwrap();
    assert!(!events.iter().any(|event| event.to_string().contains("hunter2")));
    for (name, reason, path) in
        [("denied", "denied", "/install.php"), ("upstream-failed", "site-unreachable", "/index.php")]
    {
        let of: Vec<&Value> = events.iter().filter(|event| event["event"] == name).collect();
        assert!(of.len() <= 4, "at most twice, where a minute ends just now: {of:#?}");
        let mut counted = 0;
        for event in &of {
            assert_eq!(event["reason"], reason);
            counted += event["count"].as_u64().unwrap_or(1);
            if event["count"].is_null() {
                assert_eq!((&event["path"], &event["client"]), (&path.into(), &"127.0.0.1".into()));
                assert!(event["request_id"].is_string());
            }
        }
        assert_eq!(counted, 50, "{of:#?}");
    }
    assert!(events.iter().all(|event| event["reason"] != "not-found"), "a mistyped address is no event");
}
