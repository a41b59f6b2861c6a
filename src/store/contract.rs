//! The store's contract as tests, run against every adapter: `contract_of!(something that holds a fresh store)`.
//!
//! A case sees the trait alone. What an adapter promises beyond it (surviving a restart, say) is tested where it lives.

mod deleted;
mod drawers;
mod emails;
mod failures;
mod forum_passwords;
mod members;
mod passkeys;

pub(super) use self::{
    deleted::*, drawers::*, emails::*, failures::*, forum_passwords::*, members::*, passkeys::*,
};

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::{Batch, Change, Store, StoreError, Verdict};
use crate::domain::{
    Beside, LinkKind, PasskeyFor, Persistence, Profile, Session, SetupLink, Timestamp, TokenHash, User,
    UserId, UserName, UserState,
};

/// Declares every case of the contract as a test of the store to which `$fresh` dereferences.
macro_rules! contract_of {
    ($fresh:expr) => {
        crate::store::contract::contract_of!(
            $fresh;
            what_was_added_is_found_in_every_way,
            what_was_never_added_is_not_there,
            mf_24_accounts_are_found_by_their_e_mail_address_as_it_is_now,
            a_taken_name_is_refused_in_any_spelling,
            an_id_is_used_once,
            a_failing_batch_leaves_nothing_behind,
            a_batch_sees_its_own_changes,
            a_change_of_name_frees_the_old_one,
            two_accounts_can_swap_names_in_one_batch,
            a_revision_can_say_no,
            a_revision_that_panics_says_no,
            a_revision_cannot_change_the_id,
            a_new_link_replaces_the_old_one,
            a_session_needs_its_account,
            a_session_can_change_and_end,
            an_ended_session_stays_ended,
            sessions_end_together_but_for_one,
            a_deleted_account_takes_its_sessions_along,
            a_deleted_accounts_name_is_remembered_until_another_has_it,
            a_session_is_its_accounts_alone,
            what_is_known_of_a_member_follows_the_account,
            an_empty_batch_is_done,
            accounts_are_visited_by_name_until_told_to_stop,
            a_visitor_may_use_the_store,
            batches_take_effect_in_order_even_if_nobody_waits,
            concurrent_revisions_lose_nothing,
            no_read_sees_half_a_batch,
            a_passkey_is_found_in_every_way,
            passkeys_are_told_oldest_first,
            a_visit_to_passkeys_stops_when_told_to,
            a_passkey_needs_its_account,
            a_credential_is_one_accounts_alone,
            a_credential_added_by_many_at_once_becomes_ones,
            an_account_has_no_more_passkeys_than_it_may,
            the_limit_holds_for_many_at_once,
            changes_of_passkeys_happen_with_their_batch_or_not_at_all,
            a_batch_sees_its_own_passkeys,
            a_passkey_can_change_but_not_whose_it_is,
            a_change_of_a_passkey_can_say_no,
            a_removed_passkey_takes_its_sessions_along_and_no_others,
            an_account_left_without_passkeys_asks_for_none,
            nobody_removes_anothers_passkey,
            a_deleted_account_takes_its_passkeys_along,
            a_forum_password_is_kept_and_replaced,
            a_forum_password_needs_its_account,
            a_deleted_account_takes_its_forum_password_along,
            a_visit_to_forum_passwords_stops_when_told_to,
            wrong_tries_are_kept_replaced_and_forgotten,
            wrong_tries_go_with_their_account,
            a_device_key_is_kept_and_replaced,
            a_record_is_kept_replaced_and_dropped,
            records_are_told_by_owner_and_in_the_order_of_their_keys,
            a_record_needs_its_owner_and_goes_with_it,
            a_whole_drawer_is_emptied_and_no_other,
            a_record_changes_as_it_is_then_or_not_at_all,
            a_record_that_is_not_understood_is_an_error_and_stays,
        );
    };
    ($fresh:expr; $($case:ident),* $(,)?) => {
        $(
            #[test]
            fn $case() {
                crate::store::contract::$case(&*$fresh);
            }
        )*
    };
}
pub(super) use contract_of;

mod memory {
    super::contract_of!(Box::new(crate::store::MemoryStore::new()));
}

/// Applies a batch and waits; the runtime has neither I/O nor timers, since no adapter may need them.
pub(super) fn commit(store: &dyn Store, batch: Batch) -> Result<(), StoreError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(store.apply(batch))
}

pub(super) fn id(n: u8) -> UserId {
    UserId([n; 16])
}

pub(super) fn hash(n: u8) -> TokenHash {
    TokenHash([n; 32])
}

pub(super) fn user(n: u8, name: &str) -> User {
    User {
        profile: Profile {
            id: id(n),
            name: UserName::parse(name).unwrap(),
            full_name: Some(format!("{name} «{n}»")),
            email: None,
            groups: Vec::new(),
        },
        state: UserState::Active,
        password: Some("$argon2id$".to_owned()),
        created: Timestamp::from_millis(n.into()),
        last_sign_in: None,
        setup: None,
        passkey_for: PasskeyFor::default(),
        imported: None,
    }
}

pub(super) fn session(n: u8, of: u8) -> Session {
    Session {
        id: hash(n),
        user: id(of),
        created: Timestamp::from_millis(1),
        last_seen: Timestamp::from_millis(2),
        persistence: Persistence::Remembered,
        passkey: None,
        by_link: false,
        beside: Beside::Nothing,
        user_agent: "Mozilla/5.0 «x»".to_owned(),
    }
}

pub(super) fn link(n: u8) -> SetupLink {
    SetupLink { hash: hash(n), expires: Timestamp::from_millis(9), kind: LinkKind::SetUp }
}

pub(super) fn revise(of: u8, revision: impl FnOnce(&mut User) -> Verdict + Send + 'static) -> Change {
    Change::ReviseUser(id(of), Box::new(revision))
}

pub(super) fn rename(of: u8, name: &'static str) -> Change {
    revise(of, move |user| {
        user.profile.name = UserName::parse(name).unwrap();
        Verdict::Keep
    })
}

pub(super) fn set_link(of: u8, setup: Option<SetupLink>) -> Change {
    revise(of, move |user| {
        user.setup = setup;
        Verdict::Keep
    })
}

pub(super) fn users(store: &dyn Store) -> Vec<User> {
    let mut all = Vec::new();
    let mut keep = |user| {
        all.push(user);
        ControlFlow::Continue(())
    };
    store.each_user(&mut keep).unwrap();
    all
}

pub(super) fn sessions(store: &dyn Store) -> Vec<Session> {
    let mut all = Vec::new();
    let mut keep = |session| {
        all.push(session);
        ControlFlow::Continue(())
    };
    store.each_session(&mut keep).unwrap();
    all.sort_by_key(|session| session.id);
    all
}

fn id_by_name(store: &dyn Store, key: &str) -> Option<UserId> {
    store.user_by_name(key).unwrap().map(|user| user.profile.id)
}

fn id_by_link(store: &dyn Store, n: u8) -> Option<UserId> {
    store.user_by_setup(&hash(n)).unwrap().map(|user| user.profile.id)
}

pub(super) fn what_was_added_is_found_in_every_way(store: &dyn Store) {
    let alice = User { setup: Some(link(7)), ..user(1, "Alice") };
    commit(store, vec![Change::AddUser(alice.clone()), Change::PutSession(session(5, 1))]).unwrap();
    assert_eq!(store.user(id(1)).unwrap().as_ref(), Some(&alice));
    assert_eq!(store.user_by_name("alice").unwrap().as_ref(), Some(&alice));
    assert_eq!(store.user_by_setup(&hash(7)).unwrap().as_ref(), Some(&alice));
    assert_eq!(store.session(id(1), hash(5)).unwrap(), Some(session(5, 1)));
    assert_eq!((users(store), sessions(store)), (vec![alice], vec![session(5, 1)]));
}

pub(super) fn what_was_never_added_is_not_there(store: &dyn Store) {
    commit(store, vec![Change::AddUser(user(1, "alice"))]).unwrap();
    assert_eq!(store.user(id(2)), Ok(None));
    for key in ["", "alic", "alicea", "Alice", "a"] {
        assert_eq!(store.user_by_name(key), Ok(None), "{key:?}");
    }
    assert_eq!(store.user_by_setup(&hash(1)), Ok(None));
    assert_eq!(store.session(id(1), hash(1)), Ok(None));
    assert!(sessions(store).is_empty());
}

pub(super) fn a_taken_name_is_refused_in_any_spelling(store: &dyn Store) {
    commit(store, vec![Change::AddUser(user(1, "alice")), Change::AddUser(user(2, "bob"))]).unwrap();
    let taken = Err(StoreError::NameTaken);
    assert_eq!(commit(store, vec![Change::AddUser(user(3, " ALICE "))]), taken);
    assert_eq!(commit(store, vec![Change::AddUser(user(3, "c")), Change::AddUser(user(4, "C"))]), taken);
    assert_eq!(commit(store, vec![rename(2, "Alice")]), taken);
    assert_eq!(commit(store, vec![rename(1, "ALICE")]), Ok(()), "one's own name in another spelling");
    assert_eq!(store.user_by_name("alice").unwrap().unwrap().profile.name.as_str(), "ALICE");
    assert_eq!(users(store).len(), 2);
}

pub(super) fn an_id_is_used_once(store: &dyn Store) {
    commit(store, vec![Change::AddUser(user(1, "alice"))]).unwrap();
    assert_eq!(commit(store, vec![Change::AddUser(user(1, "bob"))]), Err(StoreError::NameTaken));
    assert_eq!(users(store), [user(1, "alice")]);
}

pub(super) fn a_failing_batch_leaves_nothing_behind(store: &dyn Store) {
    let alice = User { setup: Some(link(7)), ..user(1, "alice") };
    commit(store, vec![Change::AddUser(alice.clone()), Change::PutSession(session(1, 1))]).unwrap();
    let harmful = || {
        vec![
            Change::AddUser(user(2, "bob")),
            Change::PutSession(session(2, 2)),
            rename(1, "carol"),
            set_link(1, Some(link(8))),
            Change::TouchSession(id(1), hash(1), Timestamp::from_millis(99)),
            Change::EndSessions(id(1), None),
            Change::DeleteUser(id(1)),
        ]
    };
    for (last, error) in [
        (Change::PutSession(session(3, 9)), StoreError::NoSuchUser),
        (Change::AddUser(user(3, "bob")), StoreError::NameTaken),
        (revise(2, |_| Verdict::Abandon), StoreError::Abandoned),
        (revise(1, |_| Verdict::Keep), StoreError::NoSuchUser),
    ] {
        let mut batch = harmful();
        batch.push(last);
        assert_eq!(commit(store, batch), Err(error));
        assert_eq!((users(store), sessions(store)), (vec![alice.clone()], vec![session(1, 1)]));
        assert_eq!((id_by_name(store, "alice"), id_by_name(store, "carol")), (Some(id(1)), None));
        assert_eq!((id_by_link(store, 7), id_by_link(store, 8)), (Some(id(1)), None));
    }
    commit(store, vec![Change::EndSessions(id(1), None)]).unwrap();
    assert_eq!(store.session(id(1), hash(1)), Ok(None), "still known to be alice's");
}

pub(super) fn a_batch_sees_its_own_changes(store: &dyn Store) {
    let batch = vec![
        Change::AddUser(user(1, "alice")),
        rename(1, "bob"),
        Change::PutSession(session(1, 1)),
        Change::PutSession(session(2, 1)),
        Change::EndSessions(id(1), Some(hash(2))),
        Change::AddUser(user(2, "alice")),
        Change::DeleteUser(id(2)),
        Change::AddUser(user(3, "alice")),
        Change::TouchSession(id(1), hash(2), Timestamp::from_millis(77)),
        revise(1, |user| {
            assert_eq!(user.profile.name.key(), "bob");
            Verdict::Keep
        }),
    ];
    commit(store, batch).unwrap();
    assert_eq!((id_by_name(store, "bob"), id_by_name(store, "alice")), (Some(id(1)), Some(id(3))));
    let kept = Session { last_seen: Timestamp::from_millis(77), ..session(2, 1) };
    assert_eq!((users(store).len(), sessions(store)), (2, vec![kept]));
    assert_eq!((store.sessions_of(id(1)), store.sessions_of(id(3))), (Ok(vec![hash(2)]), Ok(vec![])));
}

pub(super) fn a_change_of_name_frees_the_old_one(store: &dyn Store) {
    commit(store, vec![Change::AddUser(user(1, "alice"))]).unwrap();
    commit(store, vec![rename(1, "Alicia")]).unwrap();
    assert_eq!((id_by_name(store, "alice"), id_by_name(store, "alicia")), (None, Some(id(1))));
    commit(store, vec![Change::AddUser(user(2, "alice"))]).unwrap();
    assert_eq!(id_by_name(store, "alice"), Some(id(2)));
    commit(store, vec![Change::DeleteUser(id(1))]).unwrap();
    assert_eq!((id_by_name(store, "alice"), id_by_name(store, "alicia")), (Some(id(2)), None));
}

pub(super) fn two_accounts_can_swap_names_in_one_batch(store: &dyn Store) {
    commit(store, vec![Change::AddUser(user(1, "alice")), Change::AddUser(user(2, "bob"))]).unwrap();
    commit(store, vec![rename(1, "in between"), rename(2, "alice"), rename(1, "bob")]).unwrap();
    assert_eq!((id_by_name(store, "alice"), id_by_name(store, "bob")), (Some(id(2)), Some(id(1))));
    assert_eq!(id_by_name(store, "in between"), None);
}

pub(super) fn a_revision_can_say_no(store: &dyn Store) {
    commit(store, vec![Change::AddUser(user(1, "alice"))]).unwrap();
    let no = revise(1, |user| {
        user.password = None;
        Verdict::Abandon
    });
    assert_eq!(commit(store, vec![no]), Err(StoreError::Abandoned));
    assert_eq!(commit(store, vec![revise(2, |_| Verdict::Keep)]), Err(StoreError::NoSuchUser));
    assert_eq!(users(store), [user(1, "alice")]);
}

pub(super) fn a_revision_that_panics_says_no(store: &dyn Store) {
    commit(store, vec![Change::AddUser(user(1, "alice"))]).unwrap();
    // resume_unwind, since panic! would print a trace that looks like a failure.
    let broken = revise(1, |_| std::panic::resume_unwind(Box::new("broken")));
    assert_eq!(commit(store, vec![Change::AddUser(user(2, "bob")), broken]), Err(StoreError::Abandoned));
    commit(store, vec![Change::AddUser(user(3, "carol"))]).unwrap();
    assert_eq!(users(store), [user(1, "alice"), user(3, "carol")]);
}

pub(super) fn a_revision_cannot_change_the_id(store: &dyn Store) {
    commit(store, vec![Change::AddUser(user(1, "alice"))]).unwrap();
    let steal = revise(1, |user| {
        user.profile.id = id(2);
        Verdict::Keep
    });
    commit(store, vec![steal]).unwrap();
    assert_eq!((store.user(id(2)), id_by_name(store, "alice")), (Ok(None), Some(id(1))));
}

pub(super) fn a_new_link_replaces_the_old_one(store: &dyn Store) {
    commit(store, vec![Change::AddUser(user(1, "alice")), set_link(1, Some(link(7)))]).unwrap();
    assert_eq!(id_by_link(store, 7), Some(id(1)));
    commit(store, vec![set_link(1, Some(link(8)))]).unwrap();
    assert_eq!((id_by_link(store, 7), id_by_link(store, 8)), (None, Some(id(1))));
    commit(store, vec![set_link(1, None)]).unwrap();
    assert_eq!(id_by_link(store, 8), None);
    commit(store, vec![set_link(1, Some(link(9)))]).unwrap();
    commit(store, vec![Change::DeleteUser(id(1))]).unwrap();
    assert_eq!(id_by_link(store, 9), None);
}

pub(super) fn a_session_needs_its_account(store: &dyn Store) {
    assert_eq!(commit(store, vec![Change::PutSession(session(1, 1))]), Err(StoreError::NoSuchUser));
    let deleted =
        vec![Change::AddUser(user(1, "a")), Change::DeleteUser(id(1)), Change::PutSession(session(1, 1))];
    assert_eq!(commit(store, deleted), Err(StoreError::NoSuchUser));
    assert!(sessions(store).is_empty());
}

pub(super) fn a_session_can_change_and_end(store: &dyn Store) {
    commit(store, vec![Change::AddUser(user(1, "alice")), Change::PutSession(session(1, 1))]).unwrap();
    let changed = Session { user_agent: "another".to_owned(), ..session(1, 1) };
    commit(store, vec![Change::PutSession(changed.clone())]).unwrap();
    assert_eq!(sessions(store), [changed]);
    commit(store, vec![Change::TouchSession(id(1), hash(1), Timestamp::from_millis(50))]).unwrap();
    assert_eq!(store.session(id(1), hash(1)).unwrap().unwrap().last_seen, Timestamp::from_millis(50));
    commit(store, vec![Change::EndSession(id(1), hash(1))]).unwrap();
    commit(store, vec![Change::EndSession(id(1), hash(1))]).unwrap();
    assert_eq!(store.session(id(1), hash(1)), Ok(None));
}

pub(super) fn an_ended_session_stays_ended(store: &dyn Store) {
    commit(store, vec![Change::AddUser(user(1, "alice")), Change::PutSession(session(1, 1))]).unwrap();
    commit(store, vec![Change::EndSession(id(1), hash(1))]).unwrap();
    commit(store, vec![Change::TouchSession(id(1), hash(1), Timestamp::from_millis(50))]).unwrap();
    assert_eq!((store.session(id(1), hash(1)), sessions(store).len()), (Ok(None), 0));
}

pub(super) fn sessions_end_together_but_for_one(store: &dyn Store) {
    let mut batch = vec![Change::AddUser(user(1, "alice")), Change::AddUser(user(2, "bob"))];
    batch.extend((1..=5).map(|n| Change::PutSession(session(n, 1))));
    batch.push(Change::PutSession(session(6, 2)));
    commit(store, batch).unwrap();
    commit(store, vec![Change::EndSessions(id(1), Some(hash(3)))]).unwrap();
    assert_eq!(sessions(store), [session(3, 1), session(6, 2)]);
    commit(store, vec![Change::EndSessions(id(1), Some(hash(6)))]).unwrap();
    assert_eq!(sessions(store), [session(6, 2)], "an exception of another account saves nothing");
    commit(store, vec![Change::EndSessions(id(2), None), Change::EndSessions(id(9), None)]).unwrap();
    assert!(sessions(store).is_empty());
}

pub(super) fn a_session_is_its_accounts_alone(store: &dyn Store) {
    let accounts = [1, 2].map(|n| Change::AddUser(user(n, &format!("m{n}"))));
    commit(store, accounts.into_iter().chain([Change::PutSession(session(1, 1))]).collect()).unwrap();
    assert_eq!(store.session(id(2), hash(1)), Ok(None));
    let touch = Change::TouchSession(id(2), hash(1), Timestamp::from_millis(50));
    commit(store, vec![touch, Change::EndSession(id(2), hash(1))]).unwrap();
    assert_eq!(sessions(store), [session(1, 1)]);
    commit(store, vec![Change::DeleteUser(id(2))]).unwrap();
    assert_eq!(store.session(id(1), hash(1)), Ok(Some(session(1, 1))));
}

pub(super) fn an_empty_batch_is_done(store: &dyn Store) {
    assert_eq!(commit(store, Batch::new()), Ok(()));
}

pub(super) fn accounts_are_visited_by_name_until_told_to_stop(store: &dyn Store) {
    let names = ["mallory", "Alice", "bob", "Zoë", "al", "émile"];
    let batch = (1u8..).zip(names).map(|(n, name)| Change::AddUser(user(n, name))).collect();
    commit(store, batch).unwrap();
    let keys = |all: Vec<User>| all.iter().map(|u| u.profile.name.key().to_owned()).collect::<Vec<_>>();
    assert_eq!(keys(users(store)), ["al", "alice", "bob", "mallory", "zoë", "émile"]);
    let mut seen = Vec::new();
    let mut two = |user| {
        seen.push(user);
        if seen.len() == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    store.each_user(&mut two).unwrap();
    assert_eq!(keys(seen), ["al", "alice"]);
}

pub(super) fn a_visitor_may_use_the_store(store: &dyn Store) {
    let batch = (1..=3)
        .flat_map(|n| [Change::AddUser(user(n, &format!("n{n}"))), Change::PutSession(session(n, n))])
        .collect();
    commit(store, batch).unwrap();
    let mut delete = |user: User| {
        commit(store, vec![Change::DeleteUser(user.profile.id)]).unwrap();
        assert_eq!(store.user(user.profile.id), Ok(None));
        ControlFlow::Continue(())
    };
    store.each_user(&mut delete).unwrap();
    assert!(users(store).is_empty() && sessions(store).is_empty());
}

pub(super) fn batches_take_effect_in_order_even_if_nobody_waits(store: &dyn Store) {
    drop(store.apply(vec![Change::AddUser(user(1, "alice"))]));
    let pending: Vec<_> = (1..=200u64)
        .map(|n| {
            store.apply(vec![revise(1, move |user| {
                let before = user.last_sign_in.map_or(0, Timestamp::as_millis);
                user.last_sign_in = Some(Timestamp::from_millis(n));
                if before + 1 == n { Verdict::Keep } else { Verdict::Abandon }
            })])
        })
        .collect();
    drop(pending);
    commit(store, Batch::new()).unwrap();
    let last = store.user(id(1)).unwrap().unwrap().last_sign_in;
    assert_eq!(last, Some(Timestamp::from_millis(200)));
}

pub(super) fn concurrent_revisions_lose_nothing(store: &dyn Store) {
    let alice = User { created: Timestamp::from_millis(0), ..user(1, "alice") };
    commit(store, vec![Change::AddUser(alice)]).unwrap();
    let count = || {
        revise(1, |user| {
            user.created = Timestamp::from_millis(user.created.as_millis() + 1);
            Verdict::Keep
        })
    };
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..25).for_each(|_| commit(store, vec![count()]).unwrap()));
        }
    });
    assert_eq!(store.user(id(1)).unwrap().unwrap().created, Timestamp::from_millis(200));
}

pub(super) fn no_read_sees_half_a_batch(store: &dyn Store) {
    let alice = User { setup: Some(link(7)), ..user(1, "alice") };
    commit(store, vec![Change::AddUser(alice), Change::AddUser(user(2, "bob"))]).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    assert!(id_by_name(store, "alice").is_some(), "the name is always somebody's");
                    assert!(id_by_link(store, 7).is_some(), "the link is always somebody's");
                }
            });
        }
        for round in 0..60u8 {
            let (from, to) = if round % 2 == 0 { (1, 2) } else { (2, 1) };
            let swap = vec![
                rename(from, "in between"),
                rename(to, "alice"),
                rename(from, "bob"),
                set_link(from, None),
                set_link(to, Some(link(7))),
            ];
            // Set before the check, or the readers would never stop.
            let swapped = commit(store, swap);
            done.store(swapped.is_err() || round == 59, Ordering::SeqCst);
            swapped.unwrap();
        }
    });
}
