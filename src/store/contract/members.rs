//! Cases of the contract: what is known of members.

use super::{commit, id, rename, revise, user};
use crate::domain::{Group, PasskeyFor, UserState};
use crate::store::{Change, Member, Store, StoreError, Verdict};

pub(in crate::store) fn what_is_known_of_a_member_follows_the_account(store: &dyn Store) {
    let known = |n| store.member(id(n)).unwrap();
    let account = |n| store.user(id(n)).unwrap().map(Member::from);
    assert_eq!(known(1), None);
    commit(store, vec![Change::AddUser(user(1, "Alice")), Change::AddUser(user(2, "bob"))]).unwrap();
    assert_eq!(known(1), Some(Member::from(user(1, "Alice"))));
    for email in [Some("Alice@forum.example"), Some("alice@forum.example"), Some("nowhere"), Some(""), None] {
        let change = revise(1, move |user| {
            user.profile.email = email.map(str::to_owned);
            user.profile.full_name = None;
            user.profile.groups = ["a", "Mods"].map(|group| Group::parse(group).unwrap()).to_vec();
            user.passkey_for = PasskeyFor { signing_in: false, sensitive_actions: true };
            user.state = UserState::Leaving;
            Verdict::Keep
        });
        commit(store, vec![change]).unwrap();
        assert_eq!(known(1), account(1), "{email:?}");
        assert_eq!(known(1).unwrap().profile.email.as_deref(), email);
    }
    let refused = vec![rename(1, "carol"), revise(2, |_| Verdict::Abandon)];
    assert_eq!(commit(store, refused), Err(StoreError::Abandoned));
    assert_eq!(known(1).unwrap().profile.name.as_str(), "Alice");
    commit(store, vec![rename(1, "in between"), rename(2, "Alice"), rename(1, "bob")]).unwrap();
    assert_eq!([known(1), known(2)], [account(1), account(2)]);
    commit(store, vec![Change::DeleteUser(id(1)), Change::AddUser(user(3, "bob"))]).unwrap();
    assert_eq!([known(1), known(2), known(3)], [None, account(2), account(3)]);
}
