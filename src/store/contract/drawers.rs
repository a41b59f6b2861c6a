//! The cases about drawers: what an owner keeps below a key, for as long as there is the owner.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::{commit, id, user};
use crate::store::{Change, Drawer, Kept, Owner, Store, StoreError, Verdict};

/// Something that a member keeps, and backups do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::store) struct Note {
    text: String,
}

impl Kept for Note {
    const DRAWER: Drawer = Drawer::SecondFactor;
}

/// Something that backups don't.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::store) struct Passing {
    number: u8,
}

impl Kept for Passing {
    const DRAWER: Drawer = Drawer::Mail;
}

pub(in crate::store) fn member(n: u8) -> Owner {
    Owner::Member(id(n))
}

pub(in crate::store) fn note(text: &str) -> Note {
    Note { text: text.to_owned() }
}

pub(in crate::store) fn put(owner: Owner, key: &[u8], text: &str) -> Change {
    Change::keep(owner, key.to_vec(), &note(text))
}

pub(in crate::store) fn passing(owner: Owner, number: u8) -> Change {
    Change::keep(owner, Vec::new(), &Passing { number })
}

/// All in every drawer.
pub(in crate::store) fn all_records(store: &dyn Store) -> Vec<(Drawer, Owner, Vec<u8>, Vec<u8>)> {
    let mut all = Vec::new();
    for drawer in Drawer::ALL {
        let mut visit = |owner, key, bytes| {
            all.push((drawer, owner, key, bytes));
            ControlFlow::Continue(())
        };
        store.each_record(drawer, &mut visit).unwrap();
    }
    all.sort();
    all
}

fn notes(store: &(dyn Store + 'static), owner: Owner) -> Vec<(Vec<u8>, Note)> {
    store.all_kept(owner).unwrap()
}

pub(in crate::store) fn a_record_is_kept_replaced_and_dropped(store: &(dyn Store + 'static)) {
    let batch =
        vec![Change::AddUser(user(1, "ann")), put(member(1), b"k", "one"), put(Owner::Site, b"k", "ours")];
    commit(store, batch).unwrap();
    assert_eq!(store.kept(member(1), b"k"), Ok(Some(note("one"))));
    assert_eq!(store.kept(Owner::Site, b"k"), Ok(Some(note("ours"))));
    assert_eq!(store.kept::<Note>(member(1), b""), Ok(None));
    assert_eq!(store.kept::<Passing>(member(1), b"k"), Ok(None), "it is another drawer");
    commit(store, vec![put(member(1), b"k", "two")]).unwrap();
    assert_eq!(store.kept(member(1), b"k"), Ok(Some(note("two"))));
    let drop = || Change::drop_kept::<Note>(member(1), b"k".to_vec());
    commit(store, vec![drop(), drop()]).unwrap();
    assert_eq!(notes(store, member(1)), []);
    assert_eq!(notes(store, Owner::Site), [(b"k".to_vec(), note("ours"))]);
}

pub(in crate::store) fn records_are_told_by_owner_and_in_the_order_of_their_keys(
    store: &(dyn Store + 'static),
) {
    let keys = [&b"b"[..], b"", b"ba", b"\0", b"a", b"\xff"];
    let mut batch: Vec<_> = [1, 2].map(|n| Change::AddUser(user(n, &format!("u{n}")))).into();
    batch.extend(keys.map(|key| put(member(1), key, "x")));
    batch.extend([put(member(2), b"other", "y"), passing(member(1), 1)]);
    commit(store, batch).unwrap();
    let found: Vec<_> = notes(store, member(1)).into_iter().map(|(key, _)| key).collect();
    assert_eq!(found, [&b""[..], b"\0", b"a", b"b", b"ba", b"\xff"]);
    assert_eq!(notes(store, member(2)), [(b"other".to_vec(), note("y"))]);
    let mut seen = 0;
    let visit = |_, _, _: Note| {
        seen += 1;
        if seen == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    store.each_kept(visit).unwrap();
    assert_eq!((seen, all_records(store).len()), (3, 8));
}

pub(in crate::store) fn a_record_needs_its_owner_and_goes_with_it(store: &(dyn Store + 'static)) {
    assert_eq!(commit(store, vec![put(member(1), b"k", "x")]), Err(StoreError::NoSuchUser));
    commit(store, vec![Change::drop_kept::<Note>(member(1), b"k".to_vec())]).unwrap();
    let of = |n: u8| {
        [Change::AddUser(user(n, &format!("u{n}"))), put(member(n), b"k", "x"), passing(member(n), n)]
    };
    let batch = [1, 2].into_iter().flat_map(of).chain([put(Owner::Site, b"k", "ours")]);
    commit(store, batch.collect()).unwrap();
    commit(store, vec![Change::DeleteUser(id(1))]).unwrap();
    assert!(all_records(store).iter().all(|(_, owner, _, _)| *owner != member(1)));
    assert_eq!(all_records(store).len(), 3);
    let late = Change::revise_kept(member(1), b"k".to_vec(), |note: &mut Option<Note>| {
        assert_eq!(note.take(), None);
        Verdict::Keep
    });
    commit(store, vec![late]).unwrap();
}

pub(in crate::store) fn a_whole_drawer_is_emptied_and_no_other(store: &(dyn Store + 'static)) {
    let batch = vec![
        Change::AddUser(user(1, "ann")),
        put(member(1), b"a", "x"),
        put(member(1), b"b", "x"),
        passing(member(1), 1),
        put(Owner::Site, b"a", "ours"),
    ];
    commit(store, batch).unwrap();
    commit(store, vec![Change::drop_all_kept::<Note>(member(1)), put(member(1), b"c", "new")]).unwrap();
    assert_eq!(notes(store, member(1)), [(b"c".to_vec(), note("new"))]);
    assert_eq!(all_records(store).len(), 3);
}

pub(in crate::store) fn a_record_changes_as_it_is_then_or_not_at_all(store: &(dyn Store + 'static)) {
    let add = |text: &'static str, verdict| {
        Change::revise_kept(Owner::Site, b"k".to_vec(), move |kept: &mut Option<Note>| {
            let before = kept.take().map_or(String::new(), |note| note.text);
            *kept = Some(note(&format!("{before}{text}")));
            verdict
        })
    };
    commit(store, vec![add("a", Verdict::Keep), add("b", Verdict::Keep)]).unwrap();
    let no = commit(store, vec![add("c", Verdict::Keep), add("d", Verdict::Abandon)]);
    assert_eq!(no, Err(StoreError::Abandoned));
    let panics = Change::revise_kept(Owner::Site, b"k".to_vec(), |_: &mut Option<Note>| panic!("on purpose"));
    assert_eq!(commit(store, vec![panics]), Err(StoreError::Abandoned));
    assert_eq!(notes(store, Owner::Site), [(b"k".to_vec(), note("ab"))]);
}

/// As what a newer version has written.
pub(in crate::store) fn a_record_that_is_not_understood_is_an_error_and_stays(store: &(dyn Store + 'static)) {
    let bytes = b"\x01{\"text\":\"x\",\"more\":1}".to_vec();
    let written = bytes.clone();
    let foreign = Change::ReviseRecord {
        drawer: Drawer::SecondFactor,
        owner: Owner::Site,
        key: b"k".to_vec(),
        revision: Box::new(|record| {
            *record = Some(written);
            Ok(Verdict::Keep)
        }),
    };
    commit(store, vec![foreign]).unwrap();
    let read = store.kept::<Note>(Owner::Site, b"k");
    assert!(matches!(&read, Err(StoreError::NotUnderstood(why)) if why.contains("more")), "{read:?}");
    assert!(store.all_kept::<Note>(Owner::Site).is_err());
    assert!(store.each_kept(|_, _, _: Note| ControlFlow::Continue(())).is_err());
    let revise = Change::revise_kept(Owner::Site, b"k".to_vec(), |note: &mut Option<Note>| {
        *note = None;
        Verdict::Keep
    });
    assert!(matches!(commit(store, vec![revise]), Err(StoreError::NotUnderstood(_))));
    assert_eq!(store.record(Drawer::SecondFactor, Owner::Site, b"k"), Ok(Some(bytes)));
}
