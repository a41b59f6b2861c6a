//! `passgate backup` and `passgate restore`: with a gateway that runs, and in the folder of another one.

use std::fs;

use passgate::sample::SampleForum;

use crate::site::{PASSWORD, Site, mode};

#[tokio::test(flavor = "multi_thread")]
async fn sto_09_a_backup_of_a_running_gateway_makes_another_one_with_the_same_members() {
    let forum = SampleForum::bind(([127, 0, 0, 1], 0).into()).await.unwrap().spawn();
    let site = Site::before(forum.address(), "");
    let mut gateway = site.serve();
    site.add_member("alice");
    site.add_member("gone");
    site.run(&["user", "delete", "gone"]).assert_code(0);
    let (browser, page) = gateway.signed_in("alice", PASSWORD).await;
    page.assert_says("<b id=\"member\">alice</b>");
    let session = browser.jar.find("passgate").unwrap().value.clone();

    let file = site.file().with_file_name("members.jsonl.gz");
    let named = file.to_str().unwrap();
    site.run(&["backup", named]).assert_code(0).assert_says("3 entries").assert_says("keep it safe");
    assert_eq!(mode(&file), 0o600);
    let before = fs::read(&file).unwrap();
    site.run(&["backup", named]).assert_code(65).assert_says("already");
    assert_eq!(fs::read(&file).unwrap(), before, "never in another one's place");
    let printed = site.run(&["backup", "-"]);
    printed.assert_code(0);
    assert!(
        printed.out.starts_with("{\"passgate_backup\":1,") && printed.out.contains("\"alice\""),
        "{printed:#?}"
    );
    site.run(&["restore", named]).assert_code(69).assert_says("stop it first");
    gateway.event("a backup of its own", |event| event["message"] == "backup made");
    let own: Vec<_> = fs::read_dir(site.data_dir().join("backups")).unwrap().collect();
    assert_eq!(own.len(), 1, "{own:?}");

    let other = Site::before(forum.address(), "");
    other.run(&["restore", named]).assert_code(0).assert_says("1 account,").assert_says("sign in once more");
    let mut restored = other.serve();
    restored.signed_in("alice", PASSWORD).await.1.assert_says("<b id=\"member\">alice</b>");
    let mut replayed = restored.browser();
    replayed.jar.put("passgate", &session);
    let page = replayed.get("/whoami.php").await;
    assert_eq!(page.url.path(), "/.passgate/login", "S1: no session comes back");
    assert_eq!((restored.stop(), gateway.stop()), (Some(0), Some(0)));
}

#[test]
fn sto_09_restoring_puts_the_other_store_aside_and_a_bad_file_changes_nothing() {
    let site = Site::before(([127, 0, 0, 1], 9).into(), "");
    site.add_member("alice");
    let file = site.file().with_file_name("members.jsonl");
    let named = file.to_str().unwrap();
    site.run(&["backup", named]).assert_code(0);
    site.add_member("bob");
    site.run(&["restore", named]).assert_code(65).assert_says("--replace");

    let text = fs::read_to_string(&file).unwrap();
    let bad = file.with_file_name("bad.jsonl");
    for (spoiled, says) in [
        (text[..text.len() - 20].to_owned(), "cut off"),
        (text.replace("alice", "alicf"), "digest"),
        ("name,password\n".to_owned(), "not a backup"),
    ] {
        fs::write(&bad, spoiled).unwrap();
        site.run(&["restore", bad.to_str().unwrap(), "--replace"])
            .assert_code(65)
            .assert_says(says)
            .assert_says("nothing was changed");
    }
    site.run(&["restore", "nowhere", "--replace"]).assert_code(65).assert_says("nothing was changed");
    assert_eq!(site.run(&["user", "list", "--json"]).json().as_array().unwrap().len(), 2);

    site.run(&["restore", named, "--replace"]).assert_code(0).assert_says("store.20");
    let listed = site.run(&["user", "list", "--json"]).json();
    assert!(listed.as_array().unwrap().len() == 1 && listed[0]["name"] == "alice", "{listed}");
    let beside: Vec<_> = fs::read_dir(site.data_dir())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("store"))
        .collect();
    assert_eq!(beside.len(), 2, "the store and the one put aside: {beside:?}");
}

#[test]
fn sto_07_a_store_that_can_not_be_opened_is_made_anew_from_a_backup() {
    let site = Site::before(([127, 0, 0, 1], 9).into(), "");
    site.add_member("alice");
    let file = site.file().with_file_name("members.jsonl.gz");
    site.run(&["backup", file.to_str().unwrap()]).assert_code(0);
    fs::write(site.data_dir().join("store/db"), "nothing of this is sled's").unwrap();
    site.run(&["user", "list"]).assert_code(69);
    site.run(&["restore", file.to_str().unwrap(), "--replace"]).assert_code(0);
    site.run(&["user", "show", "alice"]).assert_code(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn sto_11_a_store_that_is_written_anew_signs_nobody_out() {
    let forum = SampleForum::bind(([127, 0, 0, 1], 0).into()).await.unwrap().spawn();
    let site = Site::before(forum.address(), "store.backups_kept = 0");
    site.run(&["compact"]).assert_code(69).assert_says("there is no store");
    let mut gateway = site.serve();
    site.add_member("alice");
    let (browser, _) = gateway.signed_in("alice", PASSWORD).await;
    let session = browser.jar.find("passgate").unwrap().value.clone();
    site.run(&["compact"]).assert_code(69).assert_says("stop it first");
    assert_eq!(gateway.stop(), Some(0));

    // As if it had been broken off before.
    let half = site.data_dir().join("store.compacting");
    fs::create_dir(&half).unwrap();
    fs::write(half.join("db"), "half").unwrap();
    site.run(&["compact"]).assert_code(0).assert_says("nobody was signed out").assert_says("remove it");
    assert!(!half.exists());
    let aside = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with("store.");
    let aside = fs::read_dir(site.data_dir()).unwrap().map(Result::unwrap).find(aside).unwrap();
    assert!(aside.path().join("db").exists());
    assert_eq!(mode(&site.data_dir().join("store")), 0o700);

    let mut gateway = site.serve();
    let mut browser = gateway.browser();
    browser.jar.put("passgate", &session);
    browser.get("/whoami.php").await.assert_says("<b id=\"member\">alice</b>");
    assert_eq!(gateway.stop(), Some(0));
}
