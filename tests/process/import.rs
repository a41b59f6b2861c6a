//! `passgate user import`: files of real forums (made-up members), with a gateway and without one.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use passgate::sample::SampleForum;
use serde_json::{Value, json};

use crate::site::{Finished, Site};

fn fixture(name: &str) -> String {
    format!("{}/tests/fixtures/import/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn nowhere() -> Site {
    Site::before(([127, 0, 0, 1], 9).into(), "")
}

#[track_caller]
fn counts(finished: &Finished) -> [u64; 3] {
    let last: Value = serde_json::from_str(finished.out.lines().last().unwrap_or_default()).unwrap();
    ["imported", "skipped", "failed"].map(|key| last[key].as_u64().unwrap_or_else(|| panic!("{finished:#?}")))
}

/// What both ways have in common.
fn tour(site: &Site) {
    let phpbb = fixture("phpbb.sql");
    let import = ["user", "import", &phpbb, "--from", "phpbb", "--json"];
    let rehearsed = site.run(&[&import[..], &["--dry-run"]].concat());
    assert_eq!(counts(rehearsed.assert_code(0).assert_says("nothing was written")), [3, 0, 0]);
    let first = site.run(&import);
    assert_eq!(counts(first.assert_code(0)), [3, 0, 0], "a rehearsal has written nothing");
    let first = first.json();
    assert_eq!((&first["problems"], &first["added"]), (&json!([]), &json!(3)));
    assert_eq!(counts(site.run(&import).assert_code(0)), [0, 3, 0]);

    let alice = site.run(&["user", "show", "ALICE", "--json"]).assert_code(0).json();
    assert_eq!((&alice["email"], &alice["has_password"]), (&json!("alice@forum.test"), &json!(true)));

    let list = "name,email,password,groups,state\nDave,d@x.example,h,admins,\nEVE,d@x.example,,,banned\ndave,,,,\nalice,,h,,\n,,,,\n";
    let mixed = site.run_with(&["user", "import", "-", "--from", "csv", "--json"], list);
    assert_eq!(counts(mixed.assert_code(0)), [2, 1, 2]);
    let mixed = mixed.json();
    let lines: Vec<_> =
        mixed["problems"].as_array().unwrap().iter().map(|one| one["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [2, 3, 4, 5, 6], "two that can't be, a hash that can't be read, and notes on two");
    assert_eq!(site.run(&["user", "show", "eve", "--json"]).json()["state"], "disabled");
    assert_eq!(site.run(&["user", "show", "dave", "--json"]).json()["groups"], json!(["admins"]));

    let cut = fs::read_to_string(&phpbb).unwrap();
    let cut = cut.rsplit_once("'carol'").unwrap().0;
    let cut = site.run_with(&["user", "import", "-", "--from", "phpbb", "--json"], cut);
    assert_eq!(counts(cut.assert_code(65).assert_says("cut off")), [0, 2, 1]);
    for finished in [mixed.to_string(), cut.out, cut.err] {
        assert!(!finished.contains("x.example") && !finished.contains("$argon2"), "{finished}");
    }
}

#[test]
fn members_are_taken_in_without_a_gateway() {
    let site = nowhere();
    let phpbb = fixture("phpbb.sql");
    let rehearsed = site.run(&["user", "import", &phpbb, "--from", "phpbb", "--dry-run"]);
    rehearsed.assert_code(0).assert_says("3 new");
    assert!(!site.data_dir().exists(), "a rehearsal makes no store");
    tour(&site);
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_taken_in_by_the_gateway_that_runs() {
    let forum = SampleForum::bind(([127, 0, 0, 1], 0).into()).await.unwrap().spawn();
    let site = Site::before(forum.address(), "");
    let mut gateway = site.serve();
    tour(&site);
    // More than fits into one batch.
    let mut list = String::from("name,password\n");
    (0..2_500).for_each(|n| writeln!(list, "member {n},h{n}").unwrap());
    let many = site.run_with(&["user", "import", "-", "--from", "csv", "--json"], &list);
    assert_eq!(counts(many.assert_code(0)), [2_500, 0, 0]);
    gateway.event("of the import", |event| event["command"] == "user import");
    gateway.stop();
    let log = gateway.last_lines().join("\n");
    assert!(!log.contains("forum.test") && !log.contains("$argon2"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_08_members_sign_in_with_the_password_of_their_forum() {
    let forum = SampleForum::bind(([127, 0, 0, 1], 0).into()).await.unwrap().spawn();
    for from in ["phpbb", "fluxbb", "mybb", "flaskbb"] {
        let site = Site::before(forum.address(), "");
        let gateway = site.serve();
        site.run(&["user", "import", &fixture(&format!("{from}.sql")), "--from", from]).assert_code(0);
        for (name, password) in
            [("alice", "Wonder-land.2049"), ("bob", "b&b \"q\" <9> it's"), ("carol", "Käröl-пароль_7")]
        {
            let (_, wrong) = gateway.signed_in(name, "wonderland").await;
            assert!(wrong.text().contains("is not right"), "{from} {name}: {}", wrong.text());
            let (_, page) = gateway.signed_in(name, password).await;
            assert!(page.text().contains(name), "{from} {name}: {}", page.text());
        }
    }
}

#[test]
fn what_is_wrong_is_told_by_the_exit_code() {
    let site = nowhere();
    let phpbb = fixture("phpbb.sql");
    site.run(&["user", "import", &phpbb]).assert_code(64);
    site.run(&["user", "import", &phpbb, "--from", "phpnuke"]).assert_code(64);
    site.run(&["user", "import", "nofile.sql", "--from", "phpbb"]).assert_code(65).assert_says("nofile.sql");
    site.run(&["user", "import", &phpbb, "--from", "smf"]).assert_code(65).assert_says("no table of smf");
    site.run_with(&["user", "import", "-", "--from", "csv"], "").assert_code(65);
    site.run_with(&["user", "import", "-", "--from", "phpbb"], "BZh91AY")
        .assert_code(65)
        .assert_says("bzip2 -dc");
    let in_memory = Site::before(([127, 0, 0, 1], 9).into(), "store.backend = \"memory\"");
    in_memory
        .run(&["user", "import", &phpbb, "--from", "phpbb"])
        .assert_code(69)
        .assert_says("no gateway runs");
}

#[test]
fn a_database_and_a_dump_of_it_give_the_same_members_and_it_is_not_written() {
    for from in ["flaskbb", "spirit"] {
        let (from_dump, from_database) = (nowhere(), nowhere());
        let dump = fixture(&format!("{from}.sql"));
        let path = from_database.file().with_file_name(format!("{from}.db"));
        let url = format!("sqlite:{}", path.display());
        let forum = rusqlite::Connection::open(&path).unwrap();
        forum.execute_batch(&fs::read_to_string(&dump).unwrap()).unwrap();
        drop(forum);
        let before = fs::read(&path).unwrap();

        let import = ["user", "import", &url, "--from", from, "--json"];
        let rehearsed = from_database.run(&[&import[..], &["--dry-run"]].concat());
        assert_eq!(counts(rehearsed.assert_code(0).assert_says("nothing was written")), [3, 0, 0]);
        assert_eq!(counts(from_database.run(&import).assert_code(0)), [3, 0, 0]);
        assert_eq!(counts(&from_dump.run(&["user", "import", &dump, "--from", from, "--json"])), [3, 0, 0]);
        assert_eq!(from_database.members(), from_dump.members());
        // Hashes are compared by whoever says that there is nothing new.
        assert_eq!(counts(from_dump.run(&import).assert_code(0).assert_says("3 here already")), [0, 3, 0]);
        assert_eq!(fs::read(&path).unwrap(), before);
    }
}

#[test]
fn without_a_file_the_database_of_the_configuration_is_read() {
    let site = nowhere();
    let import = ["user", "import", "--from", "flaskbb", "--json"];
    site.run(&import).assert_code(64).assert_says("forum.database");
    site.configure("forum.database = \"sqlite:flaskbb.db\"");
    let nothing_there = site.run(&import);
    nothing_there.assert_code(69).assert_says("see that it runs, and that the URL says where");
    let path = site.file().with_file_name("flaskbb.db");
    let forum = rusqlite::Connection::open(path).unwrap();
    site.run(&import).assert_code(65).assert_says("grant the user SELECT on …users");
    forum.execute_batch(&fs::read_to_string(fixture("flaskbb.sql")).unwrap()).unwrap();
    assert_eq!(counts(site.run(&import).assert_code(0)), [3, 0, 0]);
}

#[test]
fn ops_05_a_database_on_the_command_line_holds_no_password_and_shows_none() {
    let site = nowhere();
    let with_password = "mysql://forum:hunter2@db.example/forum";
    for (arguments, code, words) in [
        (&["mysql://forum@/", "--from", "phpbb"][..], 64, "it is no URL of a database"),
        (&[with_password, "--from", "phpbb"], 64, "there is a password in the URL"),
        (&["sqlite:x.db", "--from", "csv"], 64, "is a list"),
        (&["--from", "json"], 64, "is a list"),
        (&["x.sql", "--from", "phpbb", "--database-password-file", "pw"], 64, "FILE is none"),
        (&["mysql://forum@localhost/x", "--from", "phpbb", "--database-password-file", "pw"], 78, "pw"),
    ] {
        let finished = site.run(&[&["user", "import"], arguments].concat());
        finished.assert_code(code).assert_says(words);
        assert!(!finished.err.contains("hunter2"), "{finished:#?}");
    }
}

/// A dump as mysqldump writes it, of so many members.
fn dump(path: &Path, members: u32) {
    let mut text = String::from(
        "CREATE TABLE `phpbb_users` (`user_id` int, `user_type` int, `group_id` int, `username` text, ",
    );
    text.push_str("`user_password` text, `user_email` text, `user_sig` text);\n");
    for first in (2..members + 2).step_by(5_000) {
        let values = (first..(first + 5_000).min(members + 2)).map(|n| {
            let sig = "it\\'s a text of some length; (it has \\\\ and \\n in it)";
            format!("({n},0,2,'Member {n}','$2y$10${n:022}{n:031}','m{n}@forum.example','{sig}')")
        });
        let values = values.collect::<Vec<_>>().join(",");
        writeln!(text, "INSERT INTO `phpbb_users` VALUES {values};").unwrap();
    }
    fs::write(path, text).unwrap();
}

/// `cargo test --release --test process -- --ignored a_million` says how long it took.
#[test]
#[ignore = "a million members: minutes, and half a gigabyte of disk"]
fn a_million_members_are_taken_in() {
    let site = nowhere();
    let file = site.file().with_file_name("million.sql");
    dump(&file, 1_000_000);
    let started = std::time::Instant::now();
    let finished = site.run(&["user", "import", file.to_str().unwrap(), "--from", "phpbb", "--json"]);
    assert_eq!(counts(finished.assert_code(0)), [1_000_000, 0, 0]);
    println!("a million members in {:.0?}", started.elapsed());
}
