//! The cases of the contract that are about e-mail addresses.

use super::*;
use crate::domain::EmailKey;

pub(in crate::store) fn mf_24_accounts_are_found_by_their_e_mail_address_as_it_is_now(store: &dyn Store) {
    let with = |n: u8, name: &str, email: &str| {
        let mut user = user(n, name);
        user.profile.email = Some(email.to_owned());
        user
    };
    let found = |email: &str| {
        let mut found: Vec<_> = store.users_by_email(&EmailKey::parse(email).unwrap()).unwrap();
        found.sort_by_key(|user| user.profile.id);
        found.into_iter().map(|user| user.profile.id).collect::<Vec<_>>()
    };
    let (ann, bob) = (with(1, "ann", "Ann@forum.example"), with(2, "bob", "ann@FORUM.example"));
    commit(store, vec![Change::AddUser(ann), Change::AddUser(bob), Change::AddUser(user(3, "c"))]).unwrap();
    assert_eq!(found("ann@forum.example"), [id(1), id(2)]);
    assert_eq!(found("nn@forum.example"), []);
    assert_eq!(found("ann@forum.exampl"), []);
    let moved = Change::ReviseUser(
        id(2),
        Box::new(|user| {
            user.profile.email = Some("bob@forum.example".to_owned());
            Verdict::Keep
        }),
    );
    commit(store, vec![moved]).unwrap();
    assert_eq!((found("ANN@forum.example"), found("bob@forum.example")), (vec![id(1)], vec![id(2)]));
    commit(store, vec![Change::DeleteUser(id(1))]).unwrap();
    assert_eq!(found("ann@forum.example"), []);
}
