//! A disk that fails, is full, or says nothing, and a store that stands still (STO-05, STO-06, STO-14).

use std::io::ErrorKind;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use super::super::packed::encode_user;
use super::super::pulse::Rhythm;
use super::super::stage::Stage;
use super::*;
use crate::domain::Profile;
use crate::store::Standstill;

/// Nothing has to be waited for.
const AT_ONCE: Rhythm = Rhythm {
    beat: Duration::from_secs(600),
    retry: Duration::from_millis(1),
    look: Duration::from_millis(1),
    limit: Duration::from_millis(50),
    grace: Duration::from_millis(50),
};

/// Asks until it is so; what a thread does by itself can't be waited for in another way.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(60), "not {what}");
        std::thread::yield_now();
    }
}

/// A disk whose syncs and probes fail while told to, and how often it was synced.
fn failing() -> (Temporary, Arc<AtomicBool>, Arc<AtomicUsize>) {
    let (broken, syncs) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (disk, count, probed) = (Arc::clone(&broken), Arc::clone(&syncs), Arc::clone(&broken));
    let gone = |is_broken: &AtomicBool| match is_broken.load(Ordering::SeqCst) {
        true => Err(io::Error::other("the disk is gone")),
        false => Ok(()),
    };
    let store = Temporary::in_manner(|mut manner| Manner {
        sync: Box::new(move |barrier, group| {
            count.fetch_add(1, Ordering::SeqCst);
            gone(&disk)?;
            (manner.sync)(barrier, group)
        }),
        probe: Arc::new(move || gone(&probed)),
        rhythm: AT_ONCE,
        room: manner.room,
    });
    (store, broken, syncs)
}

#[test]
fn sto_06_after_a_failed_sync_nothing_is_written_or_synced_until_the_disk_takes_it_and_what_it_has_was_read()
{
    let (store, broken, syncs) = failing();
    commit(&*store, vec![Change::AddUser(user(1, "alice"))]).unwrap();
    broken.store(true, Ordering::SeqCst);
    let failed = commit(&*store, vec![Change::AddUser(user(2, "bob"))]);
    let Err(StoreError::Failed(reason)) = &failed else {
        panic!("a failed sync must not be answered with success");
    };
    assert!(reason.contains("the disk is gone"), "{reason}");
    for batch in [Batch::new(), vec![Change::AddUser(user(3, "carol"))]] {
        assert_eq!(commit(&*store, batch), failed);
    }
    assert_eq!((store.health(), syncs.load(Ordering::SeqCst)), (failed, 2), "never tried again");
    assert_eq!(store.user(id(1)), Ok(Some(user(1, "alice"))), "reading goes on");
    broken.store(false, Ordering::SeqCst);
    until("well again", || store.health().is_ok());
    commit(&*store, vec![Change::AddUser(user(3, "carol"))]).unwrap();
    let found = |store: &SledStore| [1, 3].map(|n| store.user(id(n)));
    let both = [Ok(Some(user(1, "alice"))), Ok(Some(user(3, "carol")))];
    assert_eq!(found(&store), both);
    assert_eq!(found(&store.reopened()), both);
}

#[test]
fn sto_06_a_store_that_lost_what_it_had_acknowledged_is_not_opened_anew() {
    let (store, broken, _) = failing();
    commit(&*store, vec![Change::AddUser(user(1, "alice"))]).unwrap();
    broken.store(true, Ordering::SeqCst);
    commit(&*store, Batch::new()).unwrap_err();
    // As if the disk had forgotten some.
    fs::write(store.path().join("written"), format!("{:020}\n", 50)).unwrap();
    broken.store(false, Ordering::SeqCst);
    until("found", || store.health().unwrap_err().to_string().contains("writes are missing"));
    assert!(matches!(store.user(id(1)), Err(StoreError::Failed(_))), "half a store is none");
    fs::write(store.path().join("written"), format!("{:020}\n", 1)).unwrap();
    until("well again", || store.health().is_ok());
    assert_eq!(store.user(id(1)), Ok(Some(user(1, "alice"))));
}

/// What the operating system remembers of its files is believed only then.
#[test]
fn sto_06_a_store_has_ended_well_only_if_all_it_wrote_is_on_the_disk() {
    for fails in [false, true] {
        let (Temporary { store, folder }, broken, _) = failing();
        let note = folder.path().join("store/closed");
        broken.store(fails, Ordering::SeqCst);
        assert_eq!(commit(&store, Batch::new()).is_err(), fails);
        assert!(!note.exists(), "a kill leaves none");
        drop(store);
        assert_eq!(note.exists(), !fails);
        drop(SledStore::open(&folder.path().join("store"), CACHE).unwrap());
        assert!(note.exists());
    }
}

/// The list of members: by what names and addresses they are found, and as whom.
fn listed(store: &SledStore) -> Vec<(Box<str>, Member, Vec<UserId>)> {
    let mut names = store.names();
    names.sort_unstable();
    let listed = names.into_iter().map(|(name, id)| {
        assert_eq!(store.table.directory(|directory| directory.named(&name)), Some(id));
        let member = store.member(id).unwrap().unwrap();
        let email = member.profile.email_key();
        (name, member, email.map_or(Vec::new(), |email| store.table.directory(|all| all.with_email(&email))))
    });
    listed.collect()
}

fn with_email(user: User, email: &str) -> User {
    User { profile: Profile { email: Some(email.to_owned()), ..user.profile }, ..user }
}

#[test]
fn sto_06_a_write_that_fails_takes_no_name_and_lets_go_of_none() {
    let store = Temporary::new();
    let alice = with_email(user(1, "Alice"), "a@forum.example");
    commit(&*store, vec![Change::AddUser(alice)]).unwrap();
    let before = listed(&store);
    let group = vec![rename(1, "carol"), Change::AddUser(with_email(user(2, "bob"), "b@forum.example"))];
    let mut stage = Stage::over(&store.table).unwrap();
    stage.add(group).unwrap();
    let full = |_: &sled::Db, _| Err(sled::Error::Io(ErrorKind::StorageFull.into()));
    store.table.write_by(stage.into_writes(), 2, full).unwrap_err();
    assert_eq!((listed(&store), store.member(id(2))), (before.clone(), Ok(None)));
    assert!(store.user_by_name("alice").is_err(), "nothing else is read until it was opened anew");
    assert_eq!((store.table.reopen(|_| Ok(())), listed(&store)), (Ok(1), before));
    let again = Stage::over(&store.table).unwrap().add(vec![Change::AddUser(user(3, "bob"))]);
    assert_eq!((again, store.user_by_name("bob")), (Ok(()), Ok(None)));
}

/// What was written and not synced is seen until then, as everywhere.
#[test]
fn sto_06_after_a_reopening_the_list_of_members_is_what_the_disk_has() {
    let (store, broken, _) = failing();
    let alice = with_email(user(1, "Alice"), "a@forum.example");
    commit(&*store, vec![Change::AddUser(alice.clone())]).unwrap();
    broken.store(true, Ordering::SeqCst);
    let group = vec![rename(1, "carol"), Change::AddUser(with_email(user(2, "bob"), "b@forum.example"))];
    commit(&*store, group).unwrap_err();
    // As if the disk had not got it.
    store
        .table
        .read(|db| {
            let writes = [(1, Some(encode_user(&alice).into())), (2, None)];
            let writes = writes.map(|(n, record)| (Kind::User.key(&id(n).0), record));
            let writes = writes.iter().map(|(key, record)| (key, record));
            db.apply_batch(bundles::batch(db, writes).unwrap()).unwrap();
            Ok(())
        })
        .unwrap();
    broken.store(false, Ordering::SeqCst);
    until("well again", || store.health().is_ok());
    let found = listed(&store);
    assert_eq!(found, [("alice".into(), Member::from(alice), vec![id(1)])]);
    let store = store.reopened();
    assert_eq!(listed(&store), found);
    commit(&*store, vec![Change::AddUser(user(2, "bob")), Change::AddUser(user(3, "carol"))]).unwrap();
}

#[test]
fn sto_05_with_too_little_room_nothing_is_begun_and_with_enough_it_goes_on_by_itself() {
    let syncs = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&syncs);
    let store = Temporary::in_manner(|mut manner| Manner {
        sync: Box::new(move |barrier, group| {
            count.fetch_add(1, Ordering::SeqCst);
            (manner.sync)(barrier, group)
        }),
        rhythm: AT_ONCE,
        room: u64::MAX,
        ..manner
    });
    let Err(StoreError::Failed(reason)) = commit(&*store, vec![Change::AddUser(user(1, "alice"))]) else {
        panic!("there is no disk so large");
    };
    assert!(reason.contains("KiB left"), "{reason}");
    assert_eq!((syncs.load(Ordering::SeqCst), users(&*store)), (0, vec![]));
    let error = disk::has_room(&store.path(), u64::MAX).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    disk::has_room(&store.path(), 1).unwrap();
}

#[test]
fn a_panic_on_the_writing_thread_is_a_failure_and_hangs_nobody() {
    let once = Mutex::new(Some(()));
    let store = Temporary::with(|mut sync| {
        Box::new(move |barrier, group| match once.lock().unwrap().take() {
            // resume_unwind, since panic! would print a trace that looks like a failure.
            Some(()) => std::panic::resume_unwind(Box::new("broken")),
            None => sync(barrier, group),
        })
    });
    for n in 1..=3 {
        let failed = commit(&*store, vec![Change::AddUser(user(n, &format!("m{n}")))]);
        assert!(matches!(failed, Err(StoreError::Failed(_))), "{failed:?}");
    }
}

#[test]
fn sto_14_a_store_that_nobody_writes_to_finds_out_by_itself_whether_it_could() {
    let groups = Arc::new(AtomicU64::new(0));
    let last = Arc::clone(&groups);
    let _store = Temporary::in_manner(|mut manner| Manner {
        sync: Box::new(move |barrier, group| {
            last.store(group, Ordering::SeqCst);
            (manner.sync)(barrier, group)
        }),
        rhythm: Rhythm { beat: Duration::from_millis(1), ..AT_ONCE },
        ..manner
    });
    until("a third beat", || groups.load(Ordering::SeqCst) >= 3);
}

/// A store whose syncs, and whose probes, come back only at the word.
fn standing() -> (Temporary, mpsc::Sender<()>, mpsc::Sender<()>) {
    let ((sync_goes, sync_may), (probe_goes, probe_may)) = (mpsc::channel::<()>(), mpsc::channel::<()>());
    let probe_may = Mutex::new(probe_may);
    let store = Temporary::in_manner(|mut manner| Manner {
        sync: Box::new(move |barrier, group| {
            let _ = sync_may.recv();
            (manner.sync)(barrier, group)
        }),
        probe: Arc::new(move || {
            let _ = probe_may.lock().unwrap().recv();
            Ok(())
        }),
        rhythm: AT_ONCE,
        room: manner.room,
    });
    (store, sync_goes, probe_goes)
}

#[test]
fn sto_14_a_write_that_does_not_come_back_is_answered_for_and_goes_on_when_the_disk_does() {
    let (store, sync_goes, probe_goes) = standing();
    let still = Err(StoreError::StandsStill(Standstill::Disk));
    assert_eq!(commit(&*store, vec![Change::AddUser(user(1, "alice"))]), still, "nobody waits for good");
    assert_eq!(store.health(), still);
    assert_eq!(
        commit(&*store, vec![Change::AddUser(user(2, "bob"))]),
        still,
        "and it is not even put in the queue"
    );
    drop((sync_goes, probe_goes));
    until("well again", || store.health().is_ok());
    commit(&*store, vec![Change::AddUser(user(3, "carol"))]).unwrap();
    assert_eq!(users(&*store.reopened()), [user(1, "alice"), user(3, "carol")]);
}

#[test]
fn sto_14_where_the_disk_answers_and_the_write_does_not_only_a_restart_helps_and_nothing_waits_for_it() {
    let (store, sync_goes, probe_goes) = standing();
    drop((sync_goes, probe_goes));
    commit(&*store, vec![Change::AddUser(user(1, "alice"))]).unwrap();
    let (goes, may_go) = mpsc::channel::<()>();
    // What runs on the writing thread, and never comes back.
    let stuck = crate::store::contract::revise(1, move |_| {
        let _ = may_go.recv();
        Verdict::Keep
    });
    let still = commit(&*store, vec![stuck]);
    assert!(matches!(still, Err(StoreError::StandsStill(_))), "{still:?}");
    until("found out", || store.health() == Err(StoreError::StandsStill(Standstill::Store)));
    // The end of the process does not wait for what will never be.
    drop(store);
    drop(goes);
}
