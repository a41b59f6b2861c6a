use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::domain::{Beside, PasskeyFor, Profile, TokenHash, UserName, UserState};
use crate::store::Member;

/// Of few first bytes, so that some share a part, and with hashes that share all that is looked at first.
fn id(n: u8) -> SessionId {
    let mut id = TokenHash([0; 32]);
    (id.0[0], id.0[31]) = (n % 2, n);
    id
}

fn row(n: u8, created: u64, last_seen: u64) -> Row {
    Row::new(&Session {
        id: id(n),
        user: UserId([n; 16]),
        created: Timestamp::from_millis(created),
        last_seen: Timestamp::from_millis(last_seen),
        persistence: Persistence::Shared,
        passkey: None,
        by_link: true,
        beside: Beside::Nothing,
        user_agent: String::new(),
    })
}

fn live(row: &Row) -> Arc<LiveSession> {
    let name = UserName::parse("alice").unwrap();
    let profile = Profile { id: row.user, name, full_name: None, email: None, groups: vec![] };
    let passkey_for = PasskeyFor::default();
    LiveSession::of_session(row, Member { profile, state: UserState::Active, passkey_for })
}

#[test]
fn a_row_says_what_the_session_said_to_the_second() {
    let told = row(7, 1_800_000_000_123, 1_800_000_061_999);
    assert_eq!(
        (told.id, told.user, told.persistence, told.proof),
        (id(7), UserId([7; 16]), Persistence::Shared, Proof::Link)
    );
    assert_eq!(told.created(), Timestamp::from_millis(1_800_000_000_123));
    assert_eq!(told.last_seen(), Timestamp::from_millis(1_800_000_061_123));
    assert_eq!(row(7, 5_000, 2_000).last_seen(), Timestamp::from_millis(5_000), "a clock that was set back");
    assert_eq!(row(7, u64::MAX, 0).created(), Timestamp::from_millis((1 << 48) - 1));
    told.see(Timestamp::from_millis(u64::MAX));
    assert!(told.last_seen() > Timestamp::from_millis(1_800_000_061_123));
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u8),
    Remove(u8),
    Rest(u8),
    Wake(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..12u8).prop_map(Step::Insert),
        2 => (0..12u8).prop_map(Step::Remove),
        2 => (0..12u8).prop_map(Step::Rest),
        4 => (0..12u8).prop_map(Step::Wake),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Against a map of which sessions there are, and which are in use.
    #[test]
    fn every_session_is_found_and_in_use_or_at_rest_as_it_was_left(steps in vec(step(), 1..80)) {
        let (table, mut model) = (Table::new(), BTreeMap::new());
        for step in steps {
            match step {
                Step::Insert(n) => {
                    table.insert(row(n, 1, 1));
                    model.insert(n, false);
                }
                Step::Remove(n) => {
                    prop_assert_eq!(table.remove(id(n)).map(|row| row.id), model.remove(&n).map(|_| id(n)));
                }
                Step::Rest(n) => {
                    table.rest_where(|row, live| row.id == id(n) && live.id() == id(n));
                    model.entry(n).and_modify(|awake| *awake = false);
                }
                Step::Wake(n) => {
                    let woken = table.wake(id(n), live).map(|live| live.id());
                    prop_assert_eq!(woken, model.get(&n).map(|_| id(n)));
                    model.entry(n).and_modify(|awake| *awake = true);
                }
            }
            let found = (0..12).filter_map(|n| table.look(id(n), |row, awake| {
                assert_eq!((row.id, awake.is_none_or(|live| live.id() == id(n))), (id(n), true));
                (n, awake.is_some())
            }));
            prop_assert_eq!(found.collect::<BTreeMap<_, _>>(), model.clone());
            let mut seen = Vec::new();
            table.each(|row| seen.push(row.id));
            seen.sort_unstable();
            let mut all: Vec<_> = model.keys().map(|n| id(*n)).collect();
            all.sort_unstable();
            prop_assert_eq!(seen, all);
            let awake = model.values().filter(|awake| **awake).count();
            prop_assert_eq!((table.len(), table.awake(), table.awake_where(|_| true).len()), (model.len(), awake, awake));
        }
    }
}
