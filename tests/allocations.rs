//! How often the steps of a request ask for memory: budgets that hold on any machine.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

#[path = "../benches/measure/hot.rs"]
mod hot;

use std::hint::black_box;

use allocation_counter::measure;
use hot::Hot;

/// How many allocations `step` makes.
fn allocations<T>(step: impl FnOnce() -> T) -> u64 {
    measure(|| drop(black_box(step()))).count_total
}

#[test]
fn deciding_looking_a_session_up_and_reading_a_path_ask_for_no_memory() {
    let hot = Hot::new();
    assert_eq!(allocations(|| hot.decide()), 0, "decide");
    assert_eq!(allocations(|| hot.check()), 0, "session check");
    assert_eq!(allocations(|| hot.canonical()), 0, "a path as most are");
}

#[test]
fn reading_the_cookie_and_cleaning_the_headers_ask_for_little_memory() {
    let hot = Hot::new();
    let (permit, mut request) = (hot.permit(), hot.request());
    let (odd, cookie) = (allocations(|| hot.canonical_odd()), allocations(|| hot.read_cookie()));
    let headers = allocations(|| hot.sanitise(&mut request, &permit));
    println!("an odd path: {odd}, the cookie: {cookie}, the headers: {headers}");
    assert!(odd <= 4, "an odd path: {odd}");
    assert_eq!(cookie, 0, "the cookie");
    assert!(headers <= 12, "the headers: {headers}");
}
