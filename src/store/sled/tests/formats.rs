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

/// Entries of formats 1 and 2, as they are there.
fn old_entries(store: &SledStore) -> usize {
    let kinds = [Kind::OldEmail, Kind::OldName, Kind::OldSession, Kind::OldSessionOf];
    let db = store.table.db().unwrap();
    kinds.into_iter().map(|kind| db.scan_prefix(kind.key(&[])).count()).sum()
}

#[test]
fn sto_10_a_store_of_format_1_opens_with_all_that_is_in_it_and_has_format_3_then() {
    let folder = format_1();
    let path = folder.path().join("store");
    let mut shown = 0;
    let (members, open) = {
        let store = SledStore::open_seeing(&path, CACHE, &mut |_| shown += 1).unwrap();
        assert_eq!(old_entries(&store), 0);
        (users(&store), sessions(&store))
    };
    assert_eq!((shown, members.len(), open.len()), (3, 3, 3));
    assert!(members.iter().all(|member| open.iter().any(|session| session.user == member.profile.id)));
    assert!(members.iter().all(|member| member.password.is_some() && member.profile.email.is_some()));
    assert_eq!(format_of(&path), "3\n", "an older passgate refuses it from now on");
    let again = SledStore::open(&path, CACHE).unwrap();
    assert_eq!((users(&again), sessions(&again)), (members.clone(), open.clone()));
    for session in &open {
        assert_eq!(again.session(session.user, session.id).as_ref(), Ok(&Some(session.clone())));
        assert!(again.sessions_of(session.user).unwrap().contains(&session.id));
    }
    for member in &members {
        assert_eq!(again.user_by_name(member.profile.name.key()).as_ref(), Ok(&Some(member.clone())));
        let email = member.profile.email_key().unwrap();
        assert!(again.users_by_email(&email).unwrap().contains(member));
    }
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

/// The number comes first, and what is done is not found again. Whatever ends the process, the next start goes on.
#[test]
fn sto_10_a_migration_that_breaks_off_anywhere_is_made_the_next_time() {
    let all = |store: &SledStore| (users(store), sessions(store));
    let expected = {
        let folder = format_1();
        all(&SledStore::open(&folder.path().join("store"), CACHE).unwrap())
    };
    let written = broken_off_after(usize::MAX).1;
    assert!(written > 3, "{written}");
    for after in 0..written {
        let (folder, _) = broken_off_after(after);
        let path = folder.path().join("store");
        assert_eq!(format_of(&path), "3\n");
        let store = SledStore::open(&path, CACHE).unwrap();
        assert_eq!((all(&store), old_entries(&store)), (expected.clone(), 0), "after {after} groups");
    }
    // A store that can't be opened keeps its number, so that the passgate that wrote it can be asked.
    let folder = format_1();
    let path = folder.path().join("store");
    fs::write(path.join("written"), "99999999999999999999\n").unwrap();
    assert!(matches!(SledStore::open(&path, CACHE), Err(StoreError::Damaged { .. })));
    assert_eq!(format_of(&path), "1\n");
}

/// A store of format 1 whose migration ended after so many groups of one entry each, and how many there were.
fn broken_off_after(groups: usize) -> (TempDir, usize) {
    let folder = format_1();
    let path = folder.path().join("store");
    let locked = Folder::open(&path).unwrap();
    let table = Table::open(&path, CACHE).unwrap();
    locked.raise_format().unwrap();
    let mut barrier = locked.barrier().unwrap();
    let written = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&written);
    let mut counted = |group| {
        if counter.load(Ordering::SeqCst) == groups {
            return Err(io::Error::other("no more"));
        }
        counter.fetch_add(1, Ordering::SeqCst);
        barrier.pass(group)
    };
    let ended = migrate::migrate_by(&table, &mut counted, 1);
    assert_eq!(ended.is_ok(), groups == usize::MAX, "{ended:?}");
    let written = written.load(Ordering::SeqCst);
    (folder, written)
}
