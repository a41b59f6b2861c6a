//! The cases of the contract that are about what a deleted account leaves behind.

use super::*;

pub(in crate::store) fn a_deleted_account_takes_its_sessions_along(store: &dyn Store) {
    let batch = vec![
        Change::AddUser(user(1, "alice")),
        Change::AddUser(user(2, "bob")),
        Change::PutSession(session(1, 1)),
        Change::PutSession(session(2, 1)),
        Change::PutSession(session(3, 2)),
    ];
    commit(store, batch).unwrap();
    commit(store, vec![Change::DeleteUser(id(1))]).unwrap();
    commit(store, vec![Change::DeleteUser(id(1))]).unwrap();
    assert_eq!((users(store), sessions(store)), (vec![user(2, "bob")], vec![session(3, 2)]));
    commit(store, vec![Change::AddUser(user(1, "alice"))]).unwrap();
    assert_eq!(sessions(store), [session(3, 2)], "nothing comes back with the name");
}

pub(in crate::store) fn a_deleted_accounts_name_is_remembered_until_another_has_it(store: &dyn Store) {
    let was_deleted = |name: &str| store.was_deleted(UserName::parse(name).unwrap().key()).unwrap();
    commit(store, vec![Change::AddUser(user(1, "alice")), Change::AddUser(user(2, "bob"))]).unwrap();
    commit(store, vec![Change::DeleteUser(id(1)), Change::DeleteUser(id(3))]).unwrap();
    assert_eq!((was_deleted("ALICE"), was_deleted("bob"), was_deleted("carol")), (true, false, false));
    let renamed = Change::ReviseUser(
        id(2),
        Box::new(|user| {
            user.profile.name = UserName::parse("carol").unwrap();
            Verdict::Keep
        }),
    );
    commit(store, vec![renamed, Change::AddUser(user(4, "Alice"))]).unwrap();
    assert!(!was_deleted("alice") && !was_deleted("bob"));
    commit(store, vec![Change::DeleteUser(id(4)), Change::AddUser(user(5, "alice"))]).unwrap();
    assert!(!was_deleted("alice"));
}
