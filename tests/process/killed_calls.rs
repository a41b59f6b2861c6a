//! A command is killed before each of its calls to the disk in turn. What it was to do has happened wholly or not at all, and the store
//! opens (STO-08, STO-10). The calls are counted by [`crate::faults`].
//!
//! `PASSGATE_KILLED_CALLS=all` takes every call, and a few hundred pairs; else some are left out.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::crash::dice;
use crate::faults::Faults;
use crate::site::{Finished, PASSWORD, Site, finish};

fn all() -> bool {
    env::var("PASSGATE_KILLED_CALLS").is_ok_and(|value| value == "all")
}

/// A site whose gateway never runs, and the library; none, with the reason, where there is none.
fn site() -> Option<(Site, Faults)> {
    let site = Site::before(([127, 0, 0, 1], 9).into(), "");
    match Faults::in_store_of(&site) {
        Ok(faults) => Some((site, faults)),
        Err(reason) => {
            println!("skipped: no library of faults could be made: {reason}");
            None
        }
    }
}

/// Puts a copy in the place of the data.
fn put_back(copy: &Path, site: &Site) {
    let _ = fs::remove_dir_all(site.data_dir());
    let copied = Command::new("cp").arg("-a").arg(copy).arg(site.data_dir()).status();
    assert!(copied.unwrap().success());
}

/// Runs a command that is killed before its nth call to the store's disk; whether it was.
fn is_killed(site: &Site, faults: &Faults, arguments: &[&str], n: usize) -> bool {
    let mut command = faults.in_front_of(site.program(arguments));
    command.env("FAULT_DIE_AT", n.to_string());
    match finish(command, &format!("{PASSWORD}\n")) {
        Finished { code: Some(0), .. } => false,
        Finished { code: None, .. } => true,
        ended => panic!("before call {n} of {arguments:?}: {ended:#?}"),
    }
}

#[test]
fn sto_08_a_command_killed_before_any_call_to_the_disk_is_done_or_not_begun() {
    let Some((site, faults)) = site() else { return };
    site.add_member("alice");
    site.add_member("carol");
    let copy = site.data_dir().with_file_name("copy");
    fs::rename(site.data_dir(), &copy).unwrap();
    let step = if all() { 1 } else { 4 };
    for arguments in [
        &["user", "add", "bob", "--password-stdin"] as &[_],
        &["user", "disable", "alice"],
        &["user", "delete", "carol", "--yes"],
    ] {
        put_back(&copy, &site);
        let before = site.members();
        assert_eq!(finish(site.program(arguments), &format!("{PASSWORD}\n")).code, Some(0), "{arguments:?}");
        let after = site.members();
        assert_ne!(before, after);
        let (mut n, mut was_before, mut was_after) = (1 + dice(step), 0, 0);
        loop {
            put_back(&copy, &site);
            let killed = is_killed(&site, &faults, arguments, n);
            match site.members() {
                found if found == after => was_after += 1,
                found => {
                    assert_eq!(found, before, "before call {n} of {arguments:?}");
                    assert!(killed, "{arguments:?} was acknowledged, and is lost");
                    was_before += 1;
                }
            }
            if !killed {
                break;
            }
            n += step;
        }
        println!("{arguments:?}: {n} calls, {was_before} times not begun, {was_after} times done");
        assert!(was_before > 0 && was_after > 0);
    }
}

/// A store as a passgate of that format left it.
fn put_older(site: &Site, format: u32) {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/store-{format}"));
    let _ = fs::remove_dir_all(site.data_dir());
    Site::private_folder(&site.data_dir());
    let store = site.data_dir().join("store");
    let copied = Command::new("cp").arg("-a").arg(fixture).arg(&store).status();
    assert!(copied.unwrap().success());
    Site::private_folder(&store);
    Site::private_folder(&store.join("blobs"));
}

fn format(site: &Site) -> String {
    fs::read_to_string(site.data_dir().join("store/format")).unwrap()
}

/// The members and, since these lie elsewhere then, those of their sessions that have not expired.
fn kept(site: &Site) -> [Value; 2] {
    [["user", "list", "--json"], ["session", "list", "--json"]]
        .map(|list| site.run(&list).assert_code(0).json())
}

#[test]
fn sto_10_a_migration_killed_before_any_call_to_the_disk_is_made_the_next_time() {
    let Some((site, faults)) = site() else { return };
    for (older, members) in [(1, 3), (2, 4), (3, 4)] {
        put_older(&site, older);
        let expected = kept(&site);
        assert_eq!((expected[0].as_array().unwrap().len(), format(&site).as_str()), (members, "4\n"));
        let (step, list) = (if all() { 1 } else { 4 }, ["user", "list", "--json"]);
        let (mut n, mut kills) = (1 + dice(step), 0);
        loop {
            put_older(&site, older);
            if !is_killed(&site, &faults, &list, n) {
                break;
            }
            kills += 1;
            assert_eq!(kept(&site), expected, "before call {n}");
            assert_eq!(format(&site), "4\n");
            n += step;
        }
        // Killed once more while it makes good what the first kill left.
        for _ in 0..if all() { 100 } else { 5 } {
            put_older(&site, older);
            let (first, second) = (1 + dice(n - 1), 1 + dice(n - 1));
            let killed = [first, second].map(|n| is_killed(&site, &faults, &list, n));
            kills += killed.into_iter().filter(|killed| *killed).count();
            assert_eq!(kept(&site), expected, "before call {first}, then {second}");
        }
        println!("{kills} kills of a migration from format {older} of {n} calls");
        assert!(kills > 5);
    }
}
