//! What this adapter promises beyond the contract: what is on the disk, who may open it, and what happens when the disk
//! fails.

use std::collections::BTreeMap;
use std::io;
use std::ops::Deref;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::{Context, Waker};
use std::{env, fs};

use tempfile::TempDir;

use super::writer::DiskSync;
use super::*;
use crate::store::contract::{
    add, commit, credential, hash, id, link, opened, passkey, passkeys, remove, rename, session, sessions,
    used, user, users,
};
use crate::store::{Change, Verdict};

mod contract {
    crate::store::contract::contract_of!(super::Temporary::new());
}
mod compact;
mod copies;
mod damage;
mod formats;
mod model;
mod trouble;

const CACHE: u64 = 4 << 20;

/// A store in a folder that goes with it.
struct Temporary {
    store: SledStore,
    folder: TempDir,
}

impl Temporary {
    fn new() -> Self {
        Self::with(|sync| sync)
    }

    fn with(around: impl FnOnce(DiskSync) -> DiskSync) -> Self {
        Self::in_manner(|manner| Manner { sync: around(manner.sync), ..manner })
    }

    fn in_manner(adapt: impl FnOnce(Manner) -> Manner) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SledStore::open_with(&folder.path().join("store"), CACHE, &mut |_| {}, adapt).unwrap();
        Self { store, folder }
    }

    fn reopened(self) -> Self {
        let Self { store, folder } = self;
        drop(store);
        let store = SledStore::open(&folder.path().join("store"), CACHE).unwrap();
        Self { store, folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("store")
    }
}

impl Deref for Temporary {
    type Target = SledStore;

    fn deref(&self) -> &SledStore {
        &self.store
    }
}

fn is_pending(commit: &mut Commit) -> bool {
    commit.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending()
}

#[test]
fn all_is_there_after_reopening() {
    let alice = User { setup: Some(link(7)), ..user(1, "Alice") };
    let store = Temporary::new();
    let batch = vec![
        Change::AddUser(alice.clone()),
        Change::AddUser(user(2, "bob")),
        Change::PutSession(session(1, 1)),
        Change::PutSession(session(2, 2)),
        Change::DeleteUser(id(2)),
    ];
    commit(&*store, batch).unwrap();
    let store = store.reopened();
    assert_eq!((users(&*store), sessions(&*store)), (vec![alice.clone()], vec![session(1, 1)]));
    assert_eq!(store.user_by_setup(&hash(7)), Ok(Some(alice)));
    commit(&*store, vec![rename(1, "carol"), Change::EndSessions(id(1), None)]).unwrap();
    let store = store.reopened();
    assert_eq!(store.user_by_name("alice"), Ok(None));
    assert_eq!((users(&*store).len(), sessions(&*store).len()), (1, 0));
}

#[test]
fn passkeys_are_there_after_reopening_and_removed_ones_are_not() {
    let store = Temporary::new();
    let batch = vec![
        Change::AddUser(user(1, "alice")),
        Change::AddUser(user(2, "bob")),
        add(passkey(1, 1)),
        add(passkey(2, 1)),
        add(passkey(3, 2)),
        Change::PutSession(opened(1, 1, 1)),
        Change::PutSession(opened(2, 1, 2)),
    ];
    commit(&*store, batch).unwrap();
    let store = store.reopened();
    assert_eq!(passkeys(&*store), [passkey(1, 1), passkey(2, 1), passkey(3, 2)]);
    assert_eq!(sessions(&*store), [opened(1, 1, 1), opened(2, 1, 2)]);
    assert_eq!(commit(&*store, vec![add(passkey(1, 2))]), Err(StoreError::CredentialTaken));
    let full = Change::AddPasskey { passkey: passkey(4, 1), limit: 2 };
    assert_eq!(commit(&*store, vec![full]), Err(StoreError::LimitReached));
    commit(&*store, vec![used(2, 1, 50), remove(1, 1), Change::DeleteUser(id(2))]).unwrap();
    let store = store.reopened();
    let left = Passkey { last_used: Some(crate::domain::Timestamp::from_millis(50)), ..passkey(2, 1) };
    assert_eq!((passkeys(&*store), store.passkeys_of(id(1))), (vec![left.clone()], Ok(vec![left])));
    assert_eq!((sessions(&*store), store.passkeys_of(id(2))), (vec![opened(2, 1, 2)], Ok(vec![])));
}

/// A list that names what is not there would show a member fewer passkeys than sign them in.
#[test]
fn sto_07_a_listed_passkey_without_its_record_is_an_error() {
    let store = Temporary::new();
    commit(&*store, vec![Change::AddUser(user(1, "alice")), add(passkey(1, 1)), add(passkey(2, 1))]).unwrap();
    store.table.db().unwrap().remove(Kind::Passkey.key(credential(1).as_bytes())).unwrap();
    assert!(matches!(store.passkeys_of(id(1)), Err(StoreError::Damaged { .. })));
}

#[test]
fn visits_go_through_many_pages_in_order() {
    let store = Temporary::new();
    let member = |n: u16| {
        let mut member = user(0, &format!("member {n:04}"));
        member.profile.id.0[..2].copy_from_slice(&n.wrapping_mul(40_503).to_be_bytes());
        member
    };
    let last = 2 * u16::try_from(Table::PAGE).unwrap() + 1;
    for n in (0..=last).rev() {
        drop(store.apply(vec![Change::AddUser(member(n))]));
    }
    commit(&*store, Batch::new()).unwrap();
    assert!(users(&*store).into_iter().eq((0..=last).map(member)));
}

#[test]
fn sto_13_a_second_opening_is_refused_and_says_where() {
    let store = Temporary::new();
    commit(&*store, vec![Change::AddUser(user(1, "alice"))]).unwrap();
    let path = store.path();
    let refused = SledStore::open(&path, CACHE).unwrap_err();
    assert_eq!(refused, StoreError::InUse { path: path.clone() });
    let words = format!("the store in {} is in use by another process; stop that one", path.display());
    assert!(refused.to_string().starts_with(&words), "{refused}");
    commit(&*store, vec![Change::AddUser(user(2, "bob"))]).unwrap();
    assert_eq!(users(&*store.reopened()).len(), 2);
}

#[test]
fn sto_13_a_database_that_someone_else_has_locked_is_in_use_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    drop(SledStore::open(&path, CACHE).unwrap());
    let _other = sled::open(&path).unwrap();
    assert_eq!(SledStore::open(&path, CACHE).unwrap_err(), StoreError::InUse { path });
}

#[test]
fn sto_10_a_newer_format_is_refused_by_number_and_left_alone() {
    let store = Temporary::new();
    commit(&*store, vec![Change::AddUser(user(1, "alice"))]).unwrap();
    let Temporary { store, folder } = store;
    drop(store);
    let path = folder.path().join("store");
    fs::write(path.join("format"), "5\n").unwrap();
    let before = contents(&path);
    let refused = SledStore::open(&path, CACHE).unwrap_err().to_string();
    assert!(refused.contains("format 5") && refused.contains(path.to_str().unwrap()), "{refused}");
    assert_eq!(contents(&path), before);
    fs::write(path.join("format"), "4\n").unwrap();
    assert_eq!(users(&SledStore::open(&path, CACHE).unwrap()), [user(1, "alice")]);
}

#[test]
fn a_folder_of_other_things_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("letters.txt"), "dear").unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(matches!(SledStore::open(folder.path(), CACHE), Err(StoreError::Damaged { .. })));
    assert_eq!(contents(folder.path()).len(), 1);
    assert_eq!(mode(folder.path()), 0o755);
}

/// The names and bytes of all files in a folder and those below it.
fn contents(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(contents(&path));
        } else {
            all.insert(path.clone(), fs::read(path).unwrap());
        }
    }
    all
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// A user too large for sled's log, which goes into a file of its own.
fn large(n: u8, name: &str) -> User {
    let mut user = user(n, name);
    user.profile.full_name = Some("x".repeat(300_000));
    user
}

#[test]
fn files_are_closed_to_others_under_any_umask() {
    const STORE: &str = "PASSGATE_TEST_STORE";
    if let Ok(path) = env::var(STORE) {
        let store = SledStore::open(Path::new(&path), CACHE).unwrap();
        let n = u8::try_from(users(&store).len()).unwrap();
        commit(&store, vec![Change::AddUser(large(n, &format!("m{n}")))]).unwrap();
        return;
    }
    for umask in ["000", "022", "377"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/store");
        // Twice, since sled writes other files when it opens what is there already.
        for _ in 0..2 {
            let script = format!("umask {umask}; exec \"$@\"");
            let done = Command::new("sh")
                .args(["-c", &script, "sh"])
                .arg(env::current_exe().unwrap())
                .args(["--exact", "store::sled::tests::files_are_closed_to_others_under_any_umask"])
                .env(STORE, &path)
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&done.stdout);
            assert!(said.contains("1 passed"), "{said}");
        }
        assert!(fs::read_dir(path.join("blobs")).unwrap().count() > 0, "one went into a file of its own");
        for private in [path.parent().unwrap(), &path, &path.join("blobs")] {
            assert_eq!(mode(private), 0o700, "{umask} {}", private.display());
        }
        for file in contents(&path).keys() {
            assert_eq!(mode(file), 0o600, "{umask} {}", file.display());
        }
    }
}

#[test]
fn large_records_last_too() {
    let store = Temporary::new();
    commit(&*store, vec![Change::AddUser(large(1, "alice")), Change::AddUser(large(2, "bob"))]).unwrap();
    commit(&*store, vec![rename(1, "carol"), Change::DeleteUser(id(2))]).unwrap();
    let expected = large(1, "carol");
    let found = users(&*store.reopened());
    assert!(found == [expected], "{} accounts", found.len());
}

/// A sync that waits for the word and is counted.
fn gated() -> (Temporary, mpsc::Receiver<()>, mpsc::Sender<()>, Arc<AtomicUsize>) {
    let (begun, has_begun) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let store = Temporary::with(|mut sync| {
        Box::new(move |barrier, group| {
            counter.fetch_add(1, Ordering::SeqCst);
            let _ = begun.send(());
            let _ = may_go.recv();
            sync(barrier, group)
        })
    });
    (store, has_begun, go, count)
}

#[test]
fn sto_04_nothing_is_answered_before_the_sync_and_all_that_waits_shares_one() {
    let (store, has_begun, go, syncs) = gated();
    let mut first = store.apply(vec![Change::AddUser(user(1, "alice"))]);
    has_begun.recv().unwrap();
    assert!(is_pending(&mut first), "written, but not yet on the disk");
    let mut waiting: Vec<_> = (2..=100)
        .map(|n| {
            store.apply(vec![Change::AddUser(user(n, &format!("m{n}"))), Change::PutSession(session(n, n))])
        })
        .collect();
    let bad = store.apply(vec![Change::AddUser(user(101, "x")), Change::AddUser(user(102, "m50"))]);
    let after_bad = store.apply(vec![Change::AddUser(user(102, "x"))]);
    go.send(()).unwrap();
    has_begun.recv().unwrap();
    assert!(!is_pending(&mut first));
    assert!(waiting.iter_mut().all(is_pending));
    go.send(()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for commit in waiting {
        assert_eq!(runtime.block_on(commit), Ok(()));
    }
    assert_eq!(runtime.block_on(bad), Err(StoreError::NameTaken));
    assert_eq!(runtime.block_on(after_bad), Ok(()));
    assert_eq!(syncs.load(Ordering::SeqCst), 2);
    assert_eq!((users(&*store).len(), sessions(&*store).len()), (101, 99));
}

#[test]
fn what_is_queued_is_written_before_the_store_is_gone() {
    let (store, has_begun, go, _) = gated();
    for n in 1..=50 {
        drop(store.apply(vec![Change::AddUser(user(n, &format!("m{n}")))]));
    }
    has_begun.recv().unwrap();
    // From here on no sync waits.
    drop(go);
    assert_eq!(users(&*store.reopened()).len(), 50);
}

#[test]
fn a_write_that_broke_off_is_never_read() {
    let store = Temporary::new();
    commit(&*store, vec![Change::AddUser(user(1, "alice"))]).unwrap();
    store.table.break_off();
    assert!(matches!(store.user(id(1)), Err(StoreError::Failed(_))));
    assert!(matches!(store.each_user(&mut |_| ControlFlow::Continue(())), Err(StoreError::Failed(_))));
    assert_eq!(users(&*store.reopened()), [user(1, "alice")]);
}

#[test]
fn a_batch_depends_on_the_one_before_it_in_its_group() {
    let (store, has_begun, go, _) = gated();
    drop(store.apply(Batch::new()));
    has_begun.recv().unwrap();
    let said_no = crate::store::contract::revise(1, |_| Verdict::Abandon);
    let group = [
        store.apply(vec![Change::AddUser(user(1, "alice")), Change::PutSession(session(1, 1))]),
        store.apply(vec![rename(1, "bob"), said_no]),
        store.apply(vec![Change::AddUser(user(2, "alice"))]),
        store.apply(vec![rename(1, "bob"), Change::PutSession(session(2, 1))]),
        store.apply(vec![Change::AddUser(user(2, "alice"))]),
        store.apply(vec![Change::EndSessions(id(1), None)]),
        store.apply(vec![Change::TouchSession(id(1), hash(1), crate::domain::Timestamp::from_millis(5))]),
    ];
    drop(go);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let results = group.map(|commit| runtime.block_on(commit));
    let expected =
        [Ok(()), Err(StoreError::Abandoned), Err(StoreError::NameTaken), Ok(()), Ok(()), Ok(()), Ok(())];
    assert_eq!(results, expected);
    let ids = |name| store.user_by_name(name).unwrap().map(|user| user.profile.id);
    assert_eq!((ids("alice"), ids("bob"), sessions(&*store).len()), (Some(id(2)), Some(id(1)), 0));
}
