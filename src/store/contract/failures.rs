//! The cases about wrong tries and the key of devices.

use std::ops::ControlFlow;

use super::{commit, id, user};
use crate::domain::{Failures, Place, Secret, Streak, Timestamp, UserId};
use crate::store::{Change, Store};

pub(in crate::store) fn failures(n: u8) -> Failures {
    let streak = Streak { count: n.into(), last: Timestamp::from_millis(n.into()) };
    Failures {
        strangers: streak,
        places: vec![(Place::Device([n; 16]), streak), (Place::Network([n; 16]), streak)],
    }
}

pub(in crate::store) fn all_failures(store: &dyn Store) -> Vec<(UserId, Failures)> {
    let mut all = Vec::new();
    let visit = &mut |user, failures| {
        all.push((user, failures));
        ControlFlow::Continue(())
    };
    store.each_failures(visit).unwrap();
    all.sort_by_key(|(user, _)| *user);
    all
}

pub(in crate::store) fn wrong_tries_are_kept_replaced_and_forgotten(store: &dyn Store) {
    commit(store, vec![Change::AddUser(user(1, "Ann")), Change::AddUser(user(2, "Bob"))]).unwrap();
    commit(store, vec![Change::PutFailures(id(1), failures(1)), Change::PutFailures(id(2), failures(2))])
        .unwrap();
    commit(store, vec![Change::PutFailures(id(2), failures(3))]).unwrap();
    assert_eq!(all_failures(store), [(id(1), failures(1)), (id(2), failures(3))]);
    let mut seen = 0;
    let stop = &mut |_, _| {
        seen += 1;
        ControlFlow::Break(())
    };
    store.each_failures(stop).unwrap();
    assert_eq!(seen, 1, "told to stop");
    commit(store, vec![Change::PutFailures(id(2), Failures::default())]).unwrap();
    assert_eq!(all_failures(store), [(id(1), failures(1))]);
}

pub(in crate::store) fn wrong_tries_go_with_their_account(store: &dyn Store) {
    commit(store, vec![Change::AddUser(user(1, "Ann")), Change::PutFailures(id(1), failures(1))]).unwrap();
    commit(store, vec![Change::DeleteUser(id(1))]).unwrap();
    commit(store, vec![Change::PutFailures(id(1), failures(1)), Change::AddUser(user(1, "Ann"))]).unwrap();
    assert_eq!(all_failures(store), []);
}

pub(in crate::store) fn a_device_key_is_kept_and_replaced(store: &dyn Store) {
    let key = || store.device_key().unwrap().map(|key| *key.expose());
    assert_eq!(key(), None);
    commit(store, vec![Change::PutDeviceKey(Secret::new([1; 32]))]).unwrap();
    commit(store, vec![Change::PutDeviceKey(Secret::new([2; 32]))]).unwrap();
    assert_eq!(key(), Some([2; 32]));
}
