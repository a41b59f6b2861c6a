use std::net::Ipv4Addr;

use super::devices::tests::user as member;
use super::*;
use crate::domain::ManualClock;
use crate::store::MemoryStore;

const ALICE: Who<'static> = Who::Member(UserId([1; 16]));
const MINUTE: Duration = Duration::from_secs(60);

struct Bench {
    throttle: Arc<Throttle>,
    clock: Arc<ManualClock>,
    store: Arc<MemoryStore>,
}

impl Bench {
    fn new() -> Self {
        Self::with(ThrottleOptions::default())
    }

    fn with(options: ThrottleOptions) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_795_327_200_000)));
        let store = Arc::new(MemoryStore::new());
        let throttle = Throttle::open(options, Arc::clone(&store) as _, Arc::clone(&clock) as _);
        Self { throttle: Arc::new(throttle.unwrap()), clock, store }
    }

    /// The same store with another throttle.
    fn restarted(self) -> Self {
        let Self { clock, store, .. } = self;
        let throttle =
            Throttle::open(ThrottleOptions::default(), Arc::clone(&store) as _, Arc::clone(&clock) as _);
        Self { throttle: Arc::new(throttle.unwrap()), clock, store }
    }

    fn ask(&self, way: Way, who: Who<'_>, from: IpAddr) -> Result<Reserved, Throttled> {
        self.throttle.reserve(&Try { way, who, from, device: None }).unwrap()
    }

    /// Makes a wrong try, if there is room for it.
    fn fail(&self, way: Way, who: Who<'_>, from: IpAddr) -> bool {
        self.ask(way, who, from).is_ok()
    }
}

fn v4(n: u32) -> IpAddr {
    Ipv4Addr::from_bits(0x0a00_0000 + n).into()
}

/// Addresses of different networks.
fn far(n: u32) -> IpAddr {
    v4(n << 8)
}

#[test]
fn thr_06_tries_at_once_have_one_budget() {
    let bench = Bench::new();
    let count = std::sync::atomic::AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..200 {
                    let reserved = bench.ask(Way::Password, ALICE, v4(1));
                    count.fetch_add(u32::from(reserved.is_ok()), std::sync::atomic::Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(count.into_inner(), 5);
}

#[test]
fn thr_08_all_ways_that_can_be_guessed_have_one_budget() {
    let bench = Bench::new();
    let ways = [Way::Password, Way::Confirm, Way::ForumPassword];
    assert_eq!((0..30).filter(|n| bench.fail(ways[n % 3], ALICE, v4(1))).count(), 5);
    let mut name = 0;
    let others = (0..100).filter(|n| {
        name += 1;
        bench.fail(ways[n % 3], Who::Member(UserId([name; 16])), v4(1))
    });
    assert_eq!(others.count(), 25, "thirty from one address");
}

#[test]
fn thr_02_no_wrong_password_keeps_a_passkey_out_and_the_other_way_round() {
    let bench = Bench::new();
    while bench.fail(Way::Password, ALICE, v4(1)) {}
    assert_eq!((0..100).filter(|_| bench.fail(Way::Passkey, Who::Unknown, v4(1))).count(), 30);
    assert!(bench.fail(Way::Password, Who::Member(UserId([2; 16])), v4(1)));
}

#[test]
fn thr_03_names_are_sprayed_within_the_budgets_of_address_and_network() {
    for (near, wide) in [("10.0.0.1", "10.0.0."), ("2001:db8:1:1::1", "2001:db8:1:")] {
        let bench = Bench::new();
        let mut name = 0;
        let mut spray = |from: &dyn Fn(u32) -> IpAddr| {
            let taken = (0..10_000).filter(|n| {
                name += 1;
                bench.fail(Way::Password, Who::Name(&format!("name{name}")), from(*n))
            });
            taken.count()
        };
        assert_eq!(spray(&|_| near.parse().unwrap()), 30);
        let wide = |n: u32| {
            let last = 2 + n % 250;
            let text =
                if wide.ends_with(':') { format!("{wide}{last:x}::9") } else { format!("{wide}{last}") };
            text.parse().unwrap()
        };
        assert_eq!(spray(&wide), 90, "with the thirty: a network");
        bench.clock.advance(MINUTE * 20);
        assert_eq!(spray(&wide), 120);
    }
}

#[test]
fn thr_04_all_spellings_of_a_name_that_nobody_has_count_together() {
    let bench = Bench::new();
    let spellings = ["Zoë", "ZOË", " zoë ", "zoe\u{308}", "zoë"];
    for spelling in spellings {
        assert!(bench.fail(Way::Password, Who::Name(spelling), v4(1)), "{spelling}");
    }
    for spelling in spellings {
        assert!(!bench.fail(Way::Password, Who::Name(spelling), v4(1)), "{spelling}");
    }
    for (who, other) in [("a@Example.org", "A@example.ORG"), ("\u{202e}", " \u{202e}")] {
        while bench.fail(Way::Password, Who::Name(who), v4(2)) {}
        assert!(!bench.fail(Way::Password, Who::Name(other), v4(2)), "{other}");
    }
}

#[test]
fn thr_07_a_success_forgives_the_account_and_not_the_address() {
    let bench = Bench::new();
    for round in 0..6 {
        for _ in 0..4 {
            assert!(bench.fail(Way::Password, ALICE, v4(1)), "{round}");
        }
        bench.ask(Way::Password, ALICE, v4(1)).unwrap().succeeded(UserId([1; 16]));
    }
    assert_eq!((0..100).filter(|n| bench.fail(Way::Password, Who::Name(&n.to_string()), v4(1))).count(), 6);
}

#[test]
fn what_was_no_try_is_taken_back_everywhere() {
    let bench = Bench::new();
    for _ in 0..1_000 {
        for who in [ALICE, Who::Name("nobody")] {
            bench.ask(Way::Password, who, v4(1)).unwrap().undone();
        }
    }
    let mut state = bench.throttle.lock().unwrap();
    assert_eq!((state.members.len(), state.names.len(), state.guessable.len()), (0, 0, 0));
    let options = ThrottleOptions { process: 1, ..state.options };
    let step = Step::at(bench.clock.now(), options.window);
    assert!(state.guessable.wait(Source::of(v4(1)), step, &options).0.is_zero());
}

#[test]
fn thr_14_l3_a_million_made_up_names_take_bounded_memory_and_evict_no_members_count() {
    let bench = Bench::new();
    while bench.fail(Way::Password, ALICE, far(0)) {}
    let mut state = bench.throttle.lock().unwrap();
    let mut taken = 0;
    for n in 1..=1_000_000_u32 {
        let wanted =
            Try { way: Way::Password, who: Who::Name("the key says which"), from: far(n), device: None };
        taken += u32::from(state.reserve(&wanted, Some(Key::Name(n.into())), bench.clock.now()).is_ok());
        if n % 20_000 == 0 {
            // As fast as the whole process lets them.
            bench.clock.advance(MINUTE * 20);
        }
    }
    assert!(taken > 999_000, "{taken}");
    assert!(state.names.len() <= 40_000 && state.guessable.len() <= 80_000);
    assert_eq!(state.members[&UserId([1; 16])].strangers.count, 5, "still known");
}

#[test]
fn thr_14_made_up_addresses_wash_no_address_out() {
    let bench = Bench::with(ThrottleOptions { process: 1_000, ..ThrottleOptions::default() });
    let mut name = 0;
    let mut fail = |from| {
        name += 1;
        bench.fail(Way::Password, Who::Name(&format!("name{name}")), from)
    };
    while fail(v4(1)) {}
    for n in 1..100_000 {
        fail(far(n));
        bench.clock.advance(Duration::from_millis(8));
    }
    assert!(!fail(v4(1)), "thirteen minutes later");
}

#[test]
fn thr_16_without_a_store_nothing_is_checked() {
    let bench = Bench::new();
    let poisoned = Arc::clone(&bench.throttle);
    let _ = std::thread::spawn(move || {
        let _state = poisoned.state.lock();
        panic!("on purpose");
    })
    .join();
    let asked = bench.throttle.reserve(&Try { way: Way::Password, who: ALICE, from: v4(1), device: None });
    assert!(asked.is_err());
}

#[test]
fn refusals_are_counted_by_way_and_what_ran_out() {
    let bench = Bench::new();
    while bench.fail(Way::Password, ALICE, v4(1)) {}
    assert!(!bench.fail(Way::Confirm, ALICE, v4(1)));
    let text = bench.throttle.exposition();
    for line in [
        "passgate_throttled_total{way=\"confirm\",level=\"account\"} 1",
        "passgate_throttled_total{way=\"password\",level=\"account\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{text}");
    }
}

#[tokio::test]
async fn thr_15_after_a_restart_an_account_has_no_more_tries_than_before() {
    let mut bench = Bench::new();
    let alice = member(1, "alice");
    bench.store.apply(vec![Change::AddUser(alice.clone())]).await.unwrap();
    for n in 0..100 {
        bench.fail(Way::Password, ALICE, far(n));
    }
    let device = bench.throttle.mark(&Marks::default(), alice.profile.id).unwrap().unwrap();
    let before = bench.throttle.standing(alice.profile.id).unwrap();
    assert_eq!(before, Standing { wrong: 20, waiting: 0, wait: Wait::For(MINUTE) });
    bench.throttle.flush().await.unwrap();
    bench = bench.restarted();
    assert_eq!(bench.throttle.standing(alice.profile.id).unwrap(), before);
    assert!(!bench.fail(Way::Password, ALICE, far(200)));
    assert!(bench.throttle.device(&device, &alice).is_some(), "devices are known, too");
    // Set back or forward: no wait ends early, and it ends.
    bench.clock.set(Timestamp::from_millis(1_000));
    assert!(!bench.fail(Way::Password, ALICE, far(200)));
    bench.clock.advance(MINUTE);
    bench.ask(Way::Password, ALICE, far(200)).unwrap().succeeded(alice.profile.id);
    bench.throttle.flush().await.unwrap();
    let after = bench.restarted().throttle.standing(alice.profile.id).unwrap();
    assert_eq!(after, Standing { wrong: 0, waiting: 0, wait: Wait::NONE });
}

#[test]
fn thr_05_a_proxy_that_nobody_named_is_pointed_out_once() {
    let log = crate::auth::captured_log::Log::start();
    for from in ["203.0.113.9", "127.0.0.1", "10.0.0.1"] {
        let bench = Bench::new();
        for n in 0..40 {
            bench.fail(Way::Password, Who::Name(&n.to_string()), from.parse().unwrap());
        }
    }
    let text = log.text();
    assert_eq!(text.matches("server.trusted_proxies").count(), 2, "{text}");
    assert!(!text.contains("203.0.113.9"), "{text}");
}
