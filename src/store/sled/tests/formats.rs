//! Stores of every format there has been open, and have the present one afterwards (STO-10).
//!
//! The files in `tests/fixtures/store-N` were written by a passgate of that format, and are not made anew.

use super::*;
use crate::domain::{Group, Profile, UserState};

/// The older formats, with how many members and sessions are in the store of each.
const OLDER: [(u32, usize, usize); 3] = [(1, 3, 3), (2, 4, 3), (3, 4, 4)];

/// A store of that format, in a folder that goes with it.
fn of_format(number: u32) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    fs::create_dir_all(store.join("blobs")).unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/store-{number}"));
    for file in fs::read_dir(fixture).unwrap().map(Result::unwrap) {
        fs::copy(file.path(), store.join(file.file_name())).unwrap();
    }
    folder
}

fn format_of(path: &Path) -> String {
    fs::read_to_string(path.join("format")).unwrap()
}

/// Entries of formats 1 to 3, as they are there.
fn old_entries(store: &SledStore) -> usize {
    let alone = [Kind::Session, Kind::User];
    let old = [Kind::OldEmail, Kind::OldName, Kind::OldSession, Kind::OldSessionOf];
    let db = store.table.db().unwrap();
    old.into_iter().chain(alone).map(|kind| db.scan_prefix(kind.key(&[])).count()).sum()
}

#[test]
fn sto_10_a_store_of_an_older_format_opens_with_all_that_is_in_it_and_has_format_4_then() {
    for (format, has_members, has_sessions) in OLDER {
        let folder = of_format(format);
        let path = folder.path().join("store");
        let mut shown = 0;
        let (members, open) = {
            let store = SledStore::open_seeing(&path, CACHE, &mut |_| shown += 1).unwrap();
            assert_eq!(old_entries(&store), 0);
            (users(&store), sessions(&store))
        };
        assert_eq!((shown, members.len(), open.len()), (has_members, has_members, has_sessions));
        assert_eq!(format_of(&path), "4\n", "an older passgate refuses it from now on");
        let again = SledStore::open(&path, CACHE).unwrap();
        assert_eq!((users(&again), sessions(&again)), (members.clone(), open.clone()));
        for session in &open {
            assert_eq!(again.session(session.user, session.id).as_ref(), Ok(&Some(session.clone())));
            assert!(again.sessions_of(session.user).unwrap().contains(&session.id));
        }
        for member in &members {
            assert_eq!(again.user_by_name(member.profile.name.key()).as_ref(), Ok(&Some(member.clone())));
            let found = |email| again.users_by_email(&email).unwrap().contains(member);
            assert!(member.profile.email_key().is_none_or(found));
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
}

#[test]
fn sto_10_what_was_kept_of_names_addresses_links_and_sessions_is_the_same_in_format_4() {
    let folder = of_format(2);
    let store = SledStore::open(&folder.path().join("store"), CACHE).unwrap();
    let [alice, bob, carol, dave] = <[User; 4]>::try_from(users(&store)).unwrap();
    let profile = |user: &User| {
        let Profile { name, full_name, email, groups, .. } = &user.profile;
        let groups: Vec<_> = groups.iter().map(Group::as_str).collect();
        format!("{} {full_name:?} {email:?} {groups:?}", name.as_str())
    };
    let expected = r#"Alice Some("Alice L.") Some("Alice@Forum.example") ["mods", "readers"]"#;
    assert_eq!((profile(&alice).as_str(), profile(&dave).as_str()), (expected, "Dave None None []"));
    let both = store.users_by_email(&EmailKey::parse("both@forum.example").unwrap()).unwrap();
    assert!(both.len() == 2 && both.contains(&bob) && both.contains(&carol));
    assert_eq!((carol.state, store.was_deleted("gone")), (UserState::Disabled, Ok(true)));
    assert_eq!(store.user_by_setup(&dave.setup.as_ref().unwrap().hash), Ok(Some(dave)));
    let counts = [&alice, &bob, &carol].map(|user| store.sessions_of(user.profile.id).unwrap().len());
    assert_eq!(counts, [2, 1, 0]);
    let agents = sessions(&store).into_iter().map(|session| session.user_agent);
    assert!(agents.into_iter().all(|agent| agent == "curl/7.88.1"));
}

/// The number comes first, and what is done is not found again. Whatever ends the process, the next start goes on.
#[test]
fn sto_10_a_migration_that_breaks_off_anywhere_is_made_the_next_time() {
    let all = |store: &SledStore| (users(store), sessions(store));
    for (format, ..) in OLDER {
        let expected = {
            let folder = of_format(format);
            all(&SledStore::open(&folder.path().join("store"), CACHE).unwrap())
        };
        let written = broken_off_after(format, usize::MAX).1;
        assert!(written > 3, "{written}");
        for after in 0..written {
            let (folder, _) = broken_off_after(format, after);
            let path = folder.path().join("store");
            assert_eq!(format_of(&path), "4\n");
            let store = SledStore::open(&path, CACHE).unwrap();
            assert_eq!((all(&store), old_entries(&store)), (expected.clone(), 0), "after {after} groups");
        }
    }
    // A store that can't be opened keeps its number, so that the passgate that wrote it can be asked.
    let folder = of_format(1);
    let path = folder.path().join("store");
    fs::write(path.join("written"), "99999999999999999999\n").unwrap();
    assert!(matches!(SledStore::open(&path, CACHE), Err(StoreError::Damaged { .. })));
    assert_eq!(format_of(&path), "1\n");
}

/// A store of that format whose migration ended after so many groups of one entry each, and how many there were.
fn broken_off_after(format: u32, groups: usize) -> (TempDir, usize) {
    let folder = of_format(format);
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
