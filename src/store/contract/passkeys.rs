//! The cases about passkeys: whose they are, how many there may be, and which sessions go with them.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::{commit, hash, id, rename, revise, session, sessions, user, users};
use crate::domain::{Backup, CredentialId, Passkey, PasskeyFor, PasskeyName, Session, Timestamp, UserId};
use crate::store::{Change, Store, StoreError, Verdict};

/// Ids of one byte and of several, of which one is the beginning of the next.
pub(in crate::store) fn credential(n: u8) -> CredentialId {
    CredentialId::new(&vec![7; n.into()]).unwrap()
}

pub(in crate::store) fn passkey(n: u8, of: u8) -> Passkey {
    Passkey {
        id: credential(n),
        user: id(of),
        rp_id: "example.org".to_owned(),
        name: PasskeyName::parse("Zoë's «phone»").unwrap(),
        credential: format!("{{\"counter\":{n}}}"),
        aaguid: Some([n; 16]),
        transports: vec!["internal".to_owned(), "hybrid".to_owned()],
        backup: Backup::Possible,
        created: Timestamp::from_millis(n.into()),
        last_used: None,
    }
}

pub(in crate::store) fn add(passkey: Passkey) -> Change {
    Change::AddPasskey { passkey, limit: 10 }
}

pub(in crate::store) fn remove(n: u8, of: u8) -> Change {
    Change::RemovePasskey(id(of), credential(n))
}

pub(in crate::store) fn revise_passkey(
    n: u8,
    of: u8,
    revision: impl FnOnce(&mut Passkey) -> Verdict + Send + 'static,
) -> Change {
    Change::RevisePasskey(id(of), credential(n), Box::new(revision))
}

/// Notes a use.
pub(in crate::store) fn used(n: u8, of: u8, at: u64) -> Change {
    revise_passkey(n, of, move |passkey| {
        passkey.last_used = Some(Timestamp::from_millis(at));
        Verdict::Keep
    })
}

/// Session `n` of an account, opened with its passkey `with`.
pub(in crate::store) fn opened(n: u8, of: u8, with: u8) -> Session {
    Session { passkey: Some(credential(with)), ..session(n, of) }
}

pub(in crate::store) fn passkeys(store: &dyn Store) -> Vec<Passkey> {
    let mut all = Vec::new();
    let mut keep = |passkey| {
        all.push(passkey);
        ControlFlow::Continue(())
    };
    store.each_passkey(&mut keep).unwrap();
    all.sort_by(|a: &Passkey, b| a.id.cmp(&b.id));
    all
}

/// Alice is 1, bob is 2.
fn alice_and_bob(store: &dyn Store) {
    commit(store, vec![Change::AddUser(user(1, "alice")), Change::AddUser(user(2, "bob"))]).unwrap();
}

fn ids_of(store: &dyn Store, user: UserId) -> Vec<usize> {
    store.passkeys_of(user).unwrap().iter().map(|passkey| passkey.id.as_bytes().len()).collect()
}

pub(in crate::store) fn a_passkey_is_found_in_every_way(store: &dyn Store) {
    alice_and_bob(store);
    let longest = CredentialId::new(&[255; CredentialId::MAX_BYTES]).unwrap();
    let bobs = Passkey { id: longest.clone(), aaguid: None, transports: vec![], ..passkey(9, 2) };
    commit(store, vec![add(passkey(1, 1)), add(passkey(2, 1)), add(bobs.clone())]).unwrap();
    assert_eq!(store.passkey(&credential(1)), Ok(Some(passkey(1, 1))));
    assert_eq!(store.passkey(&longest), Ok(Some(bobs.clone())));
    assert_eq!(store.passkeys_of(id(1)), Ok(vec![passkey(1, 1), passkey(2, 1)]));
    assert_eq!(store.passkeys_of(id(2)), Ok(vec![bobs.clone()]));
    assert_eq!(passkeys(store), [passkey(1, 1), passkey(2, 1), bobs]);
    assert_eq!((store.passkey(&credential(3)), store.passkeys_of(id(3))), (Ok(None), Ok(vec![])));
}

pub(in crate::store) fn passkeys_are_told_oldest_first(store: &dyn Store) {
    alice_and_bob(store);
    let at = |n, millis| Passkey { created: Timestamp::from_millis(millis), ..passkey(n, 1) };
    for (n, millis) in [(1, 300), (2, 70_000), (3, 2), (5, 9), (4, 9)] {
        commit(store, vec![add(at(n, millis))]).unwrap();
    }
    assert_eq!(ids_of(store, id(1)), [3, 4, 5, 1, 2]);
}

pub(in crate::store) fn a_visit_to_passkeys_stops_when_told_to(store: &dyn Store) {
    alice_and_bob(store);
    commit(store, (1..=5).map(|n| add(passkey(n, 1))).collect()).unwrap();
    let mut seen = 0;
    let mut two = |found: Passkey| {
        commit(store, vec![Change::RemovePasskey(found.user, found.id)]).unwrap();
        seen += 1;
        if seen == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    store.each_passkey(&mut two).unwrap();
    assert_eq!((seen, passkeys(store).len()), (2, 3), "the visitor may use the store");
}

pub(in crate::store) fn a_passkey_needs_its_account(store: &dyn Store) {
    assert_eq!(commit(store, vec![add(passkey(1, 1))]), Err(StoreError::NoSuchUser));
    alice_and_bob(store);
    let deleted = vec![Change::DeleteUser(id(1)), add(passkey(1, 1))];
    assert_eq!(commit(store, deleted), Err(StoreError::NoSuchUser));
    assert!(passkeys(store).is_empty());
}

pub(in crate::store) fn a_credential_is_one_accounts_alone(store: &dyn Store) {
    alice_and_bob(store);
    commit(store, vec![add(passkey(1, 1))]).unwrap();
    for taken in [passkey(1, 1), passkey(1, 2), Passkey { rp_id: "other".to_owned(), ..passkey(1, 2) }] {
        assert_eq!(commit(store, vec![add(taken)]), Err(StoreError::CredentialTaken));
    }
    let twice = vec![add(passkey(2, 1)), add(passkey(2, 2))];
    assert_eq!(commit(store, twice), Err(StoreError::CredentialTaken));
    let full = Change::AddPasskey { passkey: passkey(1, 1), limit: 1 };
    assert_eq!(commit(store, vec![full]), Err(StoreError::CredentialTaken), "told before the limit");
    assert_eq!(passkeys(store), [passkey(1, 1)]);
    commit(store, vec![remove(1, 1), add(passkey(1, 2))]).unwrap();
    assert_eq!(passkeys(store), [passkey(1, 2)], "free again once removed");
    assert!(ids_of(store, id(1)).is_empty());
}

pub(in crate::store) fn a_credential_added_by_many_at_once_becomes_ones(store: &dyn Store) {
    let members = 1..=8;
    commit(store, members.clone().map(|n| Change::AddUser(user(n, &format!("m{n}")))).collect()).unwrap();
    let results: Vec<_> = thread::scope(|scope| {
        let add = |n| scope.spawn(move || commit(store, vec![add(passkey(1, n))]));
        let threads: Vec<_> = members.clone().map(add).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    let taken = |result: &&_| **result == Err(StoreError::CredentialTaken);
    assert_eq!(results.iter().filter(taken).count(), 7);
    assert_eq!(members.map(|n| ids_of(store, id(n)).len()).sum::<usize>(), 1);
}

pub(in crate::store) fn an_account_has_no_more_passkeys_than_it_may(store: &dyn Store) {
    alice_and_bob(store);
    let add_up_to = |limit, n| Change::AddPasskey { passkey: passkey(n, 1), limit };
    assert_eq!(commit(store, vec![add_up_to(0, 1)]), Err(StoreError::LimitReached));
    let one_too_many = vec![add_up_to(2, 1), add_up_to(2, 2), add_up_to(2, 3)];
    assert_eq!(commit(store, one_too_many), Err(StoreError::LimitReached));
    assert!(passkeys(store).is_empty());
    commit(store, vec![add(passkey(20, 2)), add(passkey(21, 2))]).unwrap();
    commit(store, vec![add_up_to(2, 1), add_up_to(2, 2)]).unwrap();
    assert_eq!(commit(store, vec![add_up_to(2, 3)]), Err(StoreError::LimitReached));
    commit(store, vec![remove(1, 1), add_up_to(2, 3)]).unwrap();
    commit(store, vec![add_up_to(3, 4)]).unwrap();
    assert_eq!(commit(store, vec![add_up_to(1, 5)]), Err(StoreError::LimitReached), "lowered meanwhile");
    assert_eq!((ids_of(store, id(1)), ids_of(store, id(2))), (vec![2, 3, 4], vec![20, 21]));
}

pub(in crate::store) fn the_limit_holds_for_many_at_once(store: &dyn Store) {
    const LIMIT: usize = 5;
    alice_and_bob(store);
    let done = AtomicBool::new(false);
    let added = thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                let found = store.passkeys_of(id(1));
                if found.as_ref().is_ok_and(|found| found.len() <= LIMIT) {
                    continue;
                }
                panic!("{found:?}");
            }
        });
        let threads: Vec<_> = (0..8u8)
            .map(|thread| {
                let add = |n| Change::AddPasskey { passkey: passkey(n, 1), limit: LIMIT };
                let mine = 1 + 4 * thread..5 + 4 * thread;
                scope.spawn(move || mine.map(|n| commit(store, vec![add(n)])).collect::<Vec<_>>())
            })
            .collect();
        let results: Vec<_> =
            threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect();
        done.store(true, Ordering::SeqCst);
        results
    });
    let refused = |result: &&_| **result == Err(StoreError::LimitReached);
    assert_eq!((added.len(), added.iter().filter(refused).count()), (32, 32 - LIMIT));
    assert_eq!(ids_of(store, id(1)).len(), LIMIT);
}

pub(in crate::store) fn changes_of_passkeys_happen_with_their_batch_or_not_at_all(store: &dyn Store) {
    alice_and_bob(store);
    let before = [passkey(1, 1), passkey(2, 1), passkey(3, 2)];
    commit(store, before.iter().cloned().map(add).chain([Change::PutSession(opened(1, 1, 1))]).collect())
        .unwrap();
    let harmful = || {
        vec![
            add(passkey(4, 1)),
            used(2, 1, 99),
            remove(1, 1),
            add(passkey(1, 2)),
            rename(1, "carol"),
            Change::PutSession(opened(2, 1, 2)),
            Change::DeleteUser(id(2)),
        ]
    };
    for (last, error) in [
        (add(passkey(5, 9)), StoreError::NoSuchUser),
        (add(passkey(4, 1)), StoreError::CredentialTaken),
        (Change::AddPasskey { passkey: passkey(5, 1), limit: 2 }, StoreError::LimitReached),
        (used(1, 1, 5), StoreError::NoSuchPasskey),
        (revise_passkey(2, 1, |_| Verdict::Abandon), StoreError::Abandoned),
        (revise(1, |_| Verdict::Abandon), StoreError::Abandoned),
    ] {
        let mut batch = harmful();
        batch.push(last);
        assert_eq!(commit(store, batch), Err(error));
        assert_eq!((passkeys(store), sessions(store)), (before.to_vec(), vec![opened(1, 1, 1)]));
        assert_eq!((ids_of(store, id(1)), ids_of(store, id(2))), (vec![1, 2], vec![3]));
        assert_eq!(users(store), [user(1, "alice"), user(2, "bob")]);
    }
}

pub(in crate::store) fn a_batch_sees_its_own_passkeys(store: &dyn Store) {
    let batch = vec![
        Change::AddUser(user(1, "alice")),
        add(passkey(1, 1)),
        add(passkey(2, 1)),
        used(1, 1, 50),
        Change::PutSession(opened(1, 1, 1)),
        Change::PutSession(opened(2, 1, 2)),
        remove(2, 1),
        revise_passkey(1, 1, |passkey| {
            assert_eq!(passkey.last_used, Some(Timestamp::from_millis(50)));
            Verdict::Keep
        }),
    ];
    commit(store, batch).unwrap();
    let kept = Passkey { last_used: Some(Timestamp::from_millis(50)), ..passkey(1, 1) };
    assert_eq!(store.passkeys_of(id(1)), Ok(vec![kept]));
    assert_eq!(sessions(store), [opened(1, 1, 1)]);
}

pub(in crate::store) fn a_passkey_can_change_but_not_whose_it_is(store: &dyn Store) {
    alice_and_bob(store);
    commit(store, vec![add(passkey(1, 1))]).unwrap();
    let changed = Passkey {
        name: PasskeyName::parse("Key").unwrap(),
        credential: "{\"counter\":2}".to_owned(),
        aaguid: None,
        transports: vec!["usb".to_owned()],
        backup: Backup::Done,
        created: Timestamp::from_millis(8),
        last_used: Some(Timestamp::from_millis(9)),
        ..passkey(1, 1)
    };
    let stolen = Passkey { id: credential(2), user: id(2), rp_id: "other".to_owned(), ..changed.clone() };
    let steal = revise_passkey(1, 1, move |passkey| {
        *passkey = stolen;
        Verdict::Keep
    });
    commit(store, vec![steal]).unwrap();
    assert_eq!(passkeys(store), std::slice::from_ref(&changed));
    assert_eq!((store.passkeys_of(id(1)), store.passkeys_of(id(2))), (Ok(vec![changed]), Ok(vec![])));
}

pub(in crate::store) fn a_change_of_a_passkey_can_say_no(store: &dyn Store) {
    alice_and_bob(store);
    commit(store, vec![add(passkey(1, 1))]).unwrap();
    let no = revise_passkey(1, 1, |passkey| {
        passkey.backup = Backup::Done;
        Verdict::Abandon
    });
    assert_eq!(commit(store, vec![no]), Err(StoreError::Abandoned));
    // resume_unwind, since panic! would print a trace that looks like a failure.
    let broken = revise_passkey(1, 1, |_| std::panic::resume_unwind(Box::new("broken")));
    assert_eq!(commit(store, vec![broken]), Err(StoreError::Abandoned));
    for gone in [used(2, 1, 5), used(1, 2, 5), used(1, 9, 5)] {
        assert_eq!(commit(store, vec![gone]), Err(StoreError::NoSuchPasskey));
    }
    assert_eq!(passkeys(store), [passkey(1, 1)]);
}

pub(in crate::store) fn a_removed_passkey_takes_its_sessions_along_and_no_others(store: &dyn Store) {
    alice_and_bob(store);
    let others = [opened(3, 1, 2), session(4, 1), opened(5, 2, 3), session(6, 2)];
    let mut batch = vec![add(passkey(1, 1)), add(passkey(2, 1)), add(passkey(3, 2))];
    batch.extend([opened(1, 1, 1), opened(2, 1, 1)].map(Change::PutSession));
    batch.extend(others.clone().map(Change::PutSession));
    commit(store, batch).unwrap();
    commit(store, vec![Change::TouchSession(id(1), hash(1), Timestamp::from_millis(77))]).unwrap();
    commit(store, vec![remove(1, 1)]).unwrap();
    commit(store, vec![remove(1, 1), remove(9, 1), remove(1, 9)]).unwrap();
    assert_eq!((passkeys(store), sessions(store)), (vec![passkey(2, 1), passkey(3, 2)], others.to_vec()));
    assert_eq!((store.passkey(&credential(1)), ids_of(store, id(1))), (Ok(None), vec![2]));
    let reopened = vec![used(1, 1, 5), Change::PutSession(opened(1, 1, 1))];
    assert_eq!(commit(store, reopened), Err(StoreError::NoSuchPasskey), "opens nothing any more");
    assert_eq!(sessions(store), others);
}

pub(in crate::store) fn an_account_left_without_passkeys_asks_for_none(store: &dyn Store) {
    alice_and_bob(store);
    let chosen = PasskeyFor { signing_in: true, sensitive_actions: true };
    let choose = |n| {
        revise(n, move |user| {
            user.passkey_for = chosen;
            Verdict::Keep
        })
    };
    commit(store, vec![add(passkey(1, 1)), add(passkey(2, 1)), add(passkey(3, 2)), choose(1), choose(2)])
        .unwrap();
    let choices = || users(store).iter().map(|user| user.passkey_for).collect::<Vec<_>>();
    commit(store, vec![remove(1, 1), remove(9, 1), remove(2, 2)]).unwrap();
    assert_eq!(choices(), [chosen, chosen], "one is left to each");
    let abandoned = vec![remove(2, 1), revise(1, |_| Verdict::Abandon)];
    assert_eq!(commit(store, abandoned), Err(StoreError::Abandoned));
    assert_eq!(choices(), [chosen, chosen], "with its batch or not at all");
    commit(store, vec![remove(2, 1)]).unwrap();
    assert_eq!(choices(), [PasskeyFor::default(), chosen]);
    commit(store, vec![Change::DeleteUser(id(2)), remove(3, 2)]).unwrap();
    assert_eq!(choices(), [PasskeyFor::default()], "nobody comes back by it");
}

pub(in crate::store) fn nobody_removes_anothers_passkey(store: &dyn Store) {
    alice_and_bob(store);
    commit(store, vec![add(passkey(1, 1)), Change::PutSession(opened(1, 1, 1))]).unwrap();
    commit(store, vec![remove(1, 2)]).unwrap();
    assert_eq!((passkeys(store), sessions(store)), (vec![passkey(1, 1)], vec![opened(1, 1, 1)]));
    assert_eq!(ids_of(store, id(1)), [1]);
}

pub(in crate::store) fn a_deleted_account_takes_its_passkeys_along(store: &dyn Store) {
    alice_and_bob(store);
    let batch = vec![add(passkey(1, 1)), add(passkey(2, 1)), add(passkey(3, 2))];
    commit(store, batch).unwrap();
    commit(store, vec![add(passkey(4, 1)), Change::DeleteUser(id(1))]).unwrap();
    assert_eq!((passkeys(store), ids_of(store, id(1))), (vec![passkey(3, 2)], vec![]));
    commit(store, vec![Change::AddUser(user(1, "alice"))]).unwrap();
    assert!(ids_of(store, id(1)).is_empty(), "nothing comes back with the account");
    commit(store, vec![add(passkey(1, 2))]).unwrap();
    assert_eq!(ids_of(store, id(2)), [1, 3], "its credentials are free");
}
