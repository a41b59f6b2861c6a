//! The cases about sealed passwords for the forum: one for each account at most, and none without.

use std::ops::ControlFlow;

use super::{commit, id, user};
use crate::domain::SealedPassword;
use crate::store::{Change, Store, StoreError};

pub(in crate::store) fn sealed(of: u8, n: u8) -> SealedPassword {
    SealedPassword { user: id(of), forum: "phpbb".to_owned(), sealed: vec![n; 60] }
}

pub(in crate::store) fn all_sealed(store: &dyn Store) -> Vec<SealedPassword> {
    let mut all = Vec::new();
    let visit = &mut |sealed| {
        all.push(sealed);
        ControlFlow::Continue(())
    };
    store.each_forum_password(visit).unwrap();
    all.sort_by_key(|sealed| sealed.user);
    all
}

pub(in crate::store) fn a_forum_password_is_kept_and_replaced(store: &dyn Store) {
    assert_eq!(store.forum_password(id(1)), Ok(None));
    let put = vec![Change::AddUser(user(1, "Ann")), Change::PutForumPassword(sealed(1, 1))];
    commit(store, put).unwrap();
    assert_eq!(store.forum_password(id(1)), Ok(Some(sealed(1, 1))));
    commit(store, vec![Change::PutForumPassword(sealed(1, 2))]).unwrap();
    assert_eq!(all_sealed(store), [sealed(1, 2)]);
}

pub(in crate::store) fn a_forum_password_needs_its_account(store: &dyn Store) {
    assert_eq!(commit(store, vec![Change::PutForumPassword(sealed(1, 1))]), Err(StoreError::NoSuchUser));
    assert_eq!(all_sealed(store), []);
}

pub(in crate::store) fn a_deleted_account_takes_its_forum_password_along(store: &dyn Store) {
    let add =
        [1, 2].map(|n| [Change::AddUser(user(n, &format!("u{n}"))), Change::PutForumPassword(sealed(n, n))]);
    commit(store, add.into_iter().flatten().collect()).unwrap();
    commit(store, vec![Change::DeleteUser(id(1))]).unwrap();
    assert_eq!(all_sealed(store), [sealed(2, 2)]);
    assert_eq!(store.forum_password(id(1)), Ok(None));
}

pub(in crate::store) fn a_visit_to_forum_passwords_stops_when_told_to(store: &dyn Store) {
    let add =
        [1, 2].map(|n| [Change::AddUser(user(n, &format!("u{n}"))), Change::PutForumPassword(sealed(n, n))]);
    commit(store, add.into_iter().flatten().collect()).unwrap();
    let mut seen = 0;
    let visit = &mut |_| {
        seen += 1;
        ControlFlow::Break(())
    };
    store.each_forum_password(visit).unwrap();
    assert_eq!(seen, 1);
}
