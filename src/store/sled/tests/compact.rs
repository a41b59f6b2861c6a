//! Stores written anew (STO-11).

use super::*;
use crate::store::contract::{all_records, all_sealed, member, passing, put, sealed};
use crate::store::{Drawer, Owner};

/// All that there is to read.
type Everything = (Vec<User>, Vec<Session>, Vec<Passkey>, Vec<SealedPassword>, Vec<(Drawer, Owner, Vec<u8>)>);

fn everything(store: &SledStore) -> Everything {
    let records = all_records(store).into_iter().map(|(drawer, owner, key, ..)| (drawer, owner, key));
    (users(store), sessions(store), passkeys(store), all_sealed(store), records.collect())
}

/// A store in which sessions have come and gone.
fn worn() -> TempDir {
    let Temporary { store, folder } = Temporary::new();
    let batch = vec![
        Change::AddUser(User { setup: Some(link(7)), ..user(1, "alice") }),
        Change::AddUser(user(2, "gone")),
        Change::DeleteUser(id(2)),
        add(passkey(1, 1)),
        Change::PutForumPassword(sealed(1, 9)),
        put(member(1), b"k", "hers"),
        put(Owner::Site, b"", "ours"),
        passing(member(1), 1),
        Change::PutSession(opened(1, 1, 1)),
    ];
    commit(&store, batch).unwrap();
    for _ in 0..20 {
        let come = (10..250).map(|n| Change::PutSession(session(n, 1)));
        commit(&store, come.collect()).unwrap();
        commit(&store, (10..240).map(|n| Change::EndSession(id(1), hash(n))).collect()).unwrap();
    }
    drop(store);
    folder
}

#[test]
fn sto_11_a_store_written_anew_has_all_that_it_had_and_takes_less() {
    let folder = worn();
    let (path, into) = (folder.path().join("store"), folder.path().join("anew"));
    let before = everything(&SledStore::open(&path, CACHE).unwrap());
    let (mut total, mut done) = (0, 0);
    let step = &mut |all, more| {
        total = all;
        done += more;
    };
    let compacted = SledStore::compact(&path, &into, CACHE, step).unwrap();
    assert!(compacted.bytes_after * 2 < compacted.bytes_before, "{compacted:?}");
    assert_eq!((done, total > 0), (total, true));
    let refused = SledStore::open(&path, CACHE).unwrap_err();
    assert_eq!(refused, StoreError::InUse { path: path.clone() }, "nobody writes what would be lost");
    drop(compacted);
    let anew = SledStore::open(&into, CACHE).unwrap();
    assert_eq!(everything(&anew), before);
    assert_eq!(anew.user_by_setup(&hash(7)).unwrap().unwrap().profile.id, id(1));
    assert_eq!(anew.was_deleted("gone"), Ok(true));
    commit(&anew, vec![Change::DeleteUser(id(1))]).unwrap();
    assert_eq!(everything(&anew).1, vec![], "the lists of what an account has are there, too");
    assert_eq!(everything(&SledStore::open(&path, CACHE).unwrap()), before, "the old one is as it was");
}

#[test]
fn a_store_is_not_written_into_one_that_is_there() {
    let (folder, other) = (worn(), worn());
    let [path, into] = [&folder, &other].map(|folder| folder.path().join("store"));
    let refused = SledStore::compact(&path, &into, CACHE, &mut |_, _| {}).unwrap_err();
    assert!(refused.to_string().contains("no empty store"), "{refused}");
    assert_eq!(everything(&SledStore::open(&into, CACHE).unwrap()).0.len(), 1);
}
