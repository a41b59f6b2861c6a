//! Random histories, with restarts, against the reference implementation (STO-15).

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::domain::Timestamp;
use crate::store::MemoryStore;
use crate::store::contract::{
    Note, all_failures, all_records, all_sealed, failures, member, passing, put, revise, revise_passkey,
    sealed, set_link,
};

/// A [`Change`] that can be made twice.
#[derive(Clone, Debug)]
enum Step {
    Add(u8, u8),
    AddPasskey(u8, u8),
    Delete(u8),
    Drop(u8, u8),
    Empty(u8),
    End(u8, u8),
    Fail(u8, u8),
    EndAll(u8, Option<u8>),
    Keep(u8, u8, u8),
    Link(u8, Option<u8>),
    Mail(u8),
    Open(u8, u8, u8),
    Put(u8, u8),
    Refuse(u8),
    RefuseUse(u8, u8),
    Remove(u8, u8),
    Move(u8, u8),
    Rename(u8, u8),
    Seal(u8, u8),
    Touch(u8, u8, u64),
    Use(u8, u8, u64),
}

#[derive(Clone, Debug)]
enum Act {
    Apply(Vec<Step>),
    Reopen,
}

/// One address, in two spellings, and what is none.
const EMAILS: [Option<&str>; 4] = [None, Some("a@b.example"), Some("A@B.example"), Some("nobody")];

/// Names of which one is the beginning of another, and spellings of one name.
const NAMES: [&str; 6] = ["a", "A", "ab", "abc", "b", "ｂ"];

fn change(step: &Step) -> Change {
    match *step {
        Step::Add(n, name) => Change::AddUser(user(n, NAMES[usize::from(name)])),
        Step::AddPasskey(p, n) => Change::AddPasskey { passkey: passkey(p, n), limit: 2 },
        Step::Delete(n) => Change::DeleteUser(id(n)),
        Step::Drop(n, key) => Change::drop_kept::<Note>(member(n), vec![key]),
        Step::Empty(n) => Change::drop_all_kept::<Note>(member(n)),
        Step::Keep(n, key, what) => put(member(n), &[key], &what.to_string()),
        Step::Mail(n) => passing(member(n), n),
        Step::Fail(n, count) => Change::PutFailures(id(n), failures(count)),
        Step::End(n, s) => Change::EndSession(id(n), hash(s)),
        Step::EndAll(n, but) => Change::EndSessions(id(n), but.map(hash)),
        // No two accounts ever share a link: its hash is random.
        Step::Link(n, which) => set_link(n, which.map(|which| link(10 * n + which))),
        Step::Open(s, n, p) => Change::PutSession(opened(s, n, p)),
        Step::Put(s, n) => Change::PutSession(session(s, n)),
        Step::Refuse(n) => revise(n, |_| Verdict::Abandon),
        Step::RefuseUse(p, n) => revise_passkey(p, n, |_| Verdict::Abandon),
        Step::Remove(p, n) => remove(p, n),
        Step::Move(n, email) => revise(n, move |user| {
            user.profile.email = EMAILS[usize::from(email)].map(str::to_owned);
            Verdict::Keep
        }),
        Step::Rename(n, name) => rename(n, NAMES[usize::from(name)]),
        Step::Seal(n, by) => Change::PutForumPassword(sealed(n, by)),
        Step::Touch(n, s, at) => Change::TouchSession(id(n), hash(s), Timestamp::from_millis(at)),
        Step::Use(p, n, at) => used(p, n, at),
    }
}

fn step() -> impl Strategy<Value = Step> {
    let (user, session, name, passkey) = (1..5u8, 1..7u8, 0..6u8, 1..7u8);
    prop_oneof![
        4 => (user.clone(), name.clone()).prop_map(|(n, name)| Step::Add(n, name)),
        4 => (passkey.clone(), user.clone()).prop_map(|(p, n)| Step::AddPasskey(p, n)),
        1 => user.clone().prop_map(Step::Delete),
        1 => (user.clone(), 0..3u8).prop_map(|(n, key)| Step::Drop(n, key)),
        1 => user.clone().prop_map(Step::Empty),
        3 => (user.clone(), 0..3u8, 0..9u8).prop_map(|(n, key, what)| Step::Keep(n, key, what)),
        1 => user.clone().prop_map(Step::Mail),
        1 => (user.clone(), session.clone()).prop_map(|(n, s)| Step::End(n, s)),
        2 => (user.clone(), 1..9u8).prop_map(|(n, count)| Step::Fail(n, count)),
        1 => (user.clone(), proptest::option::of(session.clone())).prop_map(|(n, but)| Step::EndAll(n, but)),
        2 => (user.clone(), proptest::option::of(0..3u8)).prop_map(|(n, which)| Step::Link(n, which)),
        3 => (session.clone(), user.clone(), passkey.clone()).prop_map(|(s, n, p)| Step::Open(s, n, p)),
        3 => (session.clone(), user.clone()).prop_map(|(s, n)| Step::Put(s, n)),
        2 => (user.clone(), 1..9u8).prop_map(|(n, by)| Step::Seal(n, by)),
        1 => user.clone().prop_map(Step::Refuse),
        1 => (passkey.clone(), user.clone()).prop_map(|(p, n)| Step::RefuseUse(p, n)),
        2 => (passkey.clone(), user.clone()).prop_map(|(p, n)| Step::Remove(p, n)),
        2 => (passkey, user.clone(), 3..99u64).prop_map(|(p, n, at)| Step::Use(p, n, at)),
        2 => (user.clone(), 0..4u8).prop_map(|(n, email)| Step::Move(n, email)),
        2 => (user.clone(), name).prop_map(|(n, name)| Step::Rename(n, name)),
        2 => (user, session, 3..99u64).prop_map(|(n, s, at)| Step::Touch(n, s, at)),
    ]
}

fn history() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![9 => vec(step(), 1..5).prop_map(Act::Apply), 1 => Just(Act::Reopen)];
    vec(act, 1..40)
}

fn check_equal(store: &dyn Store, model: &dyn Store) {
    assert_eq!(users(store), users(model));
    assert_eq!(sessions(store), sessions(model));
    assert_eq!(passkeys(store), passkeys(model));
    assert_eq!(all_sealed(store), all_sealed(model));
    assert_eq!(all_records(store), all_records(model));
    assert_eq!(all_failures(store), all_failures(model));
    for n in 1..7 {
        assert_eq!(store.passkey(&credential(n)), model.passkey(&credential(n)), "{n}");
    }
    for name in ["a", "ab", "abc", "b"] {
        assert_eq!(store.user_by_name(name), model.user_by_name(name), "{name}");
        assert_eq!(store.was_deleted(name), model.was_deleted(name), "{name}");
    }
    let email = EmailKey::parse("a@b.example").unwrap();
    let [ours, theirs] = [store, model].map(|store| {
        let mut found = store.users_by_email(&email).unwrap();
        found.sort_by_key(|user| user.profile.id);
        found
    });
    assert_eq!(ours, theirs);
    for n in 0..60 {
        assert_eq!(store.user_by_setup(&hash(n)), model.user_by_setup(&hash(n)), "{n}");
        for s in 1..7 {
            assert_eq!(store.session(id(n), hash(s)), model.session(id(n), hash(s)), "{n} {s}");
        }
        assert_eq!(store.sessions_of(id(n)), model.sessions_of(id(n)), "{n}");
        assert_eq!(store.member(id(n)), model.member(id(n)), "{n}");
        assert_eq!(store.passkeys_of(id(n)), model.passkeys_of(id(n)), "{n}");
        assert_eq!(store.user(id(n)), model.user(id(n)), "{n}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(24),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn sto_15_every_history_ends_as_in_the_reference(history in history()) {
        let model = MemoryStore::new();
        let mut store = Temporary::new();
        for act in history {
            match act {
                Act::Apply(steps) => {
                    let batch = || steps.iter().map(change).collect();
                    assert_eq!(commit(&*store, batch()), commit(&model, batch()), "{steps:?}");
                }
                Act::Reopen => store = store.reopened(),
            }
            check_equal(&*store, &model);
        }
    }
}
