//! Stores of every format there has been open, and have the present one afterwards (STO-10).
//!
//! The files in `tests/fixtures/store-N` were written by a passgate of that format, and are not made anew.

use super::*;

/// A store of format 1, in a folder that goes with it: three members, each with a session.
fn format_1() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let files: [(&str, &[u8]); 4] = [
        ("conf", include_bytes!("../../../../tests/fixtures/store-1/conf")),
        ("db", include_bytes!("../../../../tests/fixtures/store-1/db")),
        ("format", include_bytes!("../../../../tests/fixtures/store-1/format")),
        ("written", include_bytes!("../../../../tests/fixtures/store-1/written")),
    ];
    fs::create_dir_all(folder.path().join("store/blobs")).unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join("store").join(name), bytes).unwrap();
    }
    folder
}

fn format_of(path: &Path) -> String {
    fs::read_to_string(path.join("format")).unwrap()
}

#[test]
fn sto_10_a_store_of_format_1_opens_with_all_that_is_in_it_and_has_format_2_then() {
    let folder = format_1();
    let path = folder.path().join("store");
    let (members, open) = {
        let store = SledStore::open(&path, CACHE).unwrap();
        (users(&store), sessions(&store))
    };
    assert_eq!((members.len(), open.len()), (3, 3));
    assert!(members.iter().all(|member| open.iter().any(|session| session.user == member.profile.id)));
    assert!(members.iter().all(|member| member.password.is_some() && member.profile.email.is_some()));
    assert_eq!(format_of(&path), "2\n", "an older passgate refuses it from now on");
    let again = SledStore::open(&path, CACHE).unwrap();
    assert_eq!((users(&again), sessions(&again)), (members.clone(), open));
    let mut unordered = Vec::new();
    let visited = again.each_user_unordered(&mut |user| {
        unordered.push(user);
        ControlFlow::Continue(())
    });
    visited.unwrap();
    unordered.sort_by(|a, b| a.profile.name.key().cmp(b.profile.name.key()));
    assert_eq!(unordered, members, "in whatever order they lie");
    commit(&again, vec![Change::DeleteUser(members[0].profile.id)]).unwrap();
    assert_eq!(users(&again), members[1..]);
}

/// The number is the last step, and one byte. Whatever ends the process before it, the store is one of format 1 still.
#[test]
fn sto_10_a_migration_that_breaks_off_anywhere_is_made_the_next_time() {
    let expected = {
        let folder = format_1();
        users(&SledStore::open(&folder.path().join("store"), CACHE).unwrap())
    };
    let folder = format_1();
    let path = folder.path().join("store");
    // Before the number: what opening changes beside it has happened.
    drop(SledStore::open(&path, CACHE).unwrap());
    fs::write(path.join("format"), "1\n").unwrap();
    assert_eq!(users(&SledStore::open(&path, CACHE).unwrap()), expected);
    // A store that can't be opened keeps its number, so that the passgate that wrote it can be asked.
    drop(SledStore::open(&path, CACHE).unwrap());
    fs::write(path.join("format"), "1\n").unwrap();
    fs::write(path.join("written"), "99999999999999999999\n").unwrap();
    assert!(matches!(SledStore::open(&path, CACHE), Err(StoreError::Damaged { .. })));
    assert_eq!(format_of(&path), "1\n");
}
