use std::pin::{Pin, pin};
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc;
use std::task::{Context, Waker};

use tokio::runtime::Runtime;

use super::*;
use crate::auth::throttle::reserved;

/// As little as Argon2 allows, for tests of everything but the cost.
const CHEAP: HashingCost = HashingCost { memory_kib: 8, iterations: 1, parallelism: 1 };

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

fn verify(passwords: &Passwords, stored: Option<&str>, password: &str) -> Verified {
    runtime().block_on(passwords.verify(reserved(), stored.map(str::to_owned), secret(password))).unwrap()
}

fn hash(passwords: &Passwords, password: &str) -> String {
    runtime().block_on(passwords.hash(secret(password))).unwrap()
}

const NO: Verified = Verified { matches: false, upgraded: None };
const YES: Verified = Verified { matches: true, upgraded: None };

#[test]
fn auth_06_a_hash_is_argon2id_at_owasps_cost_with_a_salt_of_its_own() {
    let passwords = Passwords::new(HashingCost::default(), 1);
    let phc = hash(&passwords, "correct horse battery");
    assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{phc}");
    let parts: Vec<_> = phc.split('$').collect();
    assert_eq!((parts[4].len(), parts[5].len()), (22, 43), "16 and 32 bytes as base64");
    assert_ne!(hash(&passwords, "correct horse battery"), phc);
    assert_eq!(verify(&passwords, Some(&phc), "correct horse battery"), YES);
    assert_eq!(verify(&passwords, Some(&phc), "correct horse batterY"), NO);
}

#[test]
fn auth_06_a_hash_made_in_another_way_is_upgraded_at_one_sign_in() {
    let passwords = Passwords::new(CHEAP, 1);
    let dearer = HashingCost { memory_kib: 16, ..CHEAP };
    for old in [
        hash(&Passwords::new(dearer, 1), "sesame"),
        hash(&Passwords::new(HashingCost { iterations: 2, ..CHEAP }, 1), "sesame"),
        hash(&Passwords::new(HashingCost { parallelism: 2, ..dearer }, 1), "sesame"),
        made_by_argon2_itself(argon2::Algorithm::Argon2i, argon2::Version::V0x13),
        made_by_argon2_itself(argon2::Algorithm::Argon2d, argon2::Version::V0x10),
        made_by_argon2_itself(argon2::Algorithm::Argon2id, argon2::Version::V0x10),
    ] {
        assert_eq!(verify(&passwords, Some(&old), "Sesame"), NO, "{old}");
        let Verified { matches: true, upgraded: Some(new) } = verify(&passwords, Some(&old), "sesame") else {
            panic!("{old}");
        };
        assert!(new.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{new}");
        assert_eq!(verify(&passwords, Some(&new), "sesame"), YES);
    }
}

/// "sesame" at the cheap cost, by the library's own way to a PHC string.
fn made_by_argon2_itself(algorithm: argon2::Algorithm, version: argon2::Version) -> String {
    use argon2::PasswordHasher;
    let salt = argon2::password_hash::SaltString::encode_b64(&[7; 16]).unwrap();
    let params = argon2::Params::new(8, 1, 1, None).unwrap();
    argon2::Argon2::new(algorithm, version, params).hash_password(b"sesame", &salt).unwrap().to_string()
}

#[test]
fn a_hash_without_a_version_is_read_as_the_first_version() {
    let first = made_by_argon2_itself(argon2::Algorithm::Argon2id, argon2::Version::V0x10);
    let bare = first.replace("v=16$", "");
    assert_ne!(bare, first);
    assert!(verify(&Passwords::new(CHEAP, 1), Some(&bare), "sesame").matches);
}

#[test]
fn auth_07_hostile_parameters_are_refused_before_any_memory_is_taken() {
    const REST: &str = "c29tZXNhbHRzb21lc2FsdA$c29tZWhhc2hzb21laGFzaHNvbWVoYXNoc29tZWhhc2g";
    let mut hasher = Hasher::new(CHEAP, Arc::default(), Arc::default());
    for params in [
        "m=4194304,t=1,p=1",
        "m=4294967295,t=1,p=1",
        "m=99999999999,t=1,p=1",
        "m=1048577,t=1,p=1",
        "m=8,t=1000,p=1",
        "m=8,t=65,p=1",
        "m=1048576,t=5,p=1",
        "m=65536,t=1,p=255",
        "m=136,t=1,p=17",
        "m=15,t=1,p=2",
        "m=0,t=0,p=0",
        "m=8,t=1,p=1,x=1",
    ] {
        let stored = format!("$argon2id$v=19${params}${REST}");
        assert_eq!(hasher.verify(Some(&stored), &secret("sesame")), NO, "{params}");
        assert!(hasher.kib() <= 8, "{params}: {} KiB", hasher.kib());
    }
    let usual = format!("$argon2id$v=19$m=1024,t=1,p=1${REST}");
    assert_eq!(hasher.verify(Some(&usual), &secret("sesame")), NO);
    assert!(hasher.kib() <= 8, "what a dearer hash took is given back");
    hasher.rest();
    assert_eq!(hasher.kib(), 0);
    assert_eq!(hasher.verify(Some(&usual), &secret("sesame")), NO, "it can still be computed");
}

#[test]
fn l5_an_unknown_account_costs_as_much_as_a_known_one() {
    let passwords = Passwords::new(CHEAP, 1);
    let stored = hash(&passwords, "sesame");
    let cost = |stored: Option<&str>| {
        let before = passwords.hashes();
        assert_eq!(verify(&passwords, stored, "wrong"), NO);
        passwords.hashes() - before
    };
    assert_eq!(cost(Some(&stored)), 1);
    for nothing in [None, Some(""), Some("$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ$c29tZWhhc2hzb21l")] {
        assert_eq!(cost(nothing), 1, "{nothing:?}");
    }
}

#[test]
fn l5_a_wrong_password_costs_no_less_while_the_stored_hash_is_an_old_cheap_one() {
    let cheap = hash(&Passwords::new(CHEAP, 1), "sesame");
    let dear = HashingCost { memory_kib: 4 * CHEAP.memory_kib, ..CHEAP };
    let passwords = Passwords::new(dear, 1);
    assert_eq!(verify(&passwords, Some(&cheap), "wrong"), NO);
    assert_eq!(passwords.hashes(), 2, "the old one, and one at today's cost");
    let passwords = Passwords::new(CHEAP, 1);
    assert_eq!(verify(&passwords, Some(&hash(&Passwords::new(dear, 1), "sesame")), "wrong"), NO);
    assert_eq!(passwords.hashes(), 1);
}

/// bcrypt of "Wonder-land.2049", as FluxBB keeps it; and an MD5 of it.
fn legacy(hash: &str) -> String {
    read(Source::FluxBb, Columns { hash: hash.as_bytes(), salt: None, name: "" }).unwrap().as_str().to_owned()
}
const BCRYPT: &str = "$2y$10$XYfNKslf5xdPO4rWwUXa/uEeYIvMVuEkkA4xLw3PtPekYtJyiJaOS";
const OTHER_BCRYPT: &str = "$2y$10$3eJ/1D3temeZZM2mH6yhyuMxlbCjHqtRQk4LRQvo5kgQRPwM5v2QC";
const MD5: &str = "095545f9aaf3ec5cd5bfc4b4210578d1";
const PHPASS: &str = "$P$9pLcR5u1AdT1ue93/fDbSj/ieNHlU8/";

#[test]
fn auth_08_an_old_hash_becomes_argon2id_when_it_matches_and_only_then() {
    let passwords = Passwords::new(CHEAP, 1);
    for old in [legacy(BCRYPT), legacy(MD5), legacy(PHPASS)] {
        assert_eq!(verify(&passwords, Some(&old), "Wonder-land.2050"), NO);
        assert_eq!(verify(&passwords, Some(&old), ""), NO);
        let Verified { matches: true, upgraded: Some(new) } =
            verify(&passwords, Some(&old), "Wonder-land.2049")
        else {
            panic!("{old}");
        };
        assert!(new.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "{new}");
        assert_eq!(verify(&passwords, Some(&new), "Wonder-land.2049"), YES);
    }
}

#[test]
fn auth_08_thr_12_a_refusal_is_the_same_work_for_every_kind_that_is_in_use() {
    let passwords = Passwords::new(CHEAP, 1);
    let work = |stored: Option<&str>| {
        let before = passwords.hashes();
        assert_eq!(verify(&passwords, stored, "wrong"), NO);
        passwords.hashes() - before
    };
    let argon2 = hash(&passwords, "sesame");
    assert_eq!(work(None), 1);
    let (bcrypt, other, phpass) = (legacy(BCRYPT), legacy(OTHER_BCRYPT), legacy(PHPASS));
    let of_md5 = legacy(&format!("#MD5#{BCRYPT}"));
    passwords.expect(&bcrypt);
    passwords.expect(&phpass);
    passwords.expect("$legacy$nonsense");
    assert_eq!(work(None), 3);
    for stored in [&argon2, &bcrypt, &other, &of_md5, &phpass, "broken"] {
        assert_eq!(work(Some(stored)), 3, "Argon2, bcrypt and phpass: {stored}");
    }
    assert_eq!(work(Some(&legacy(MD5))), 4, "and a bare MD5, which takes a microsecond");
}

#[test]
fn auth_08_a_kind_nobody_told_of_is_learned_at_its_first_verification() {
    let passwords = Passwords::new(CHEAP, 1);
    let _ = verify(&passwords, Some(&legacy(PHPASS)), "wrong");
    let before = passwords.hashes();
    let _ = verify(&passwords, None, "wrong");
    assert_eq!(passwords.hashes() - before, 2);
}

#[test]
fn l6_what_is_no_hash_matches_nothing() {
    let passwords = Passwords::new(CHEAP, 1);
    let phc = hash(&passwords, "");
    let salt_only = phc.rsplit_once('$').unwrap().0;
    for stored in [
        "",
        " ",
        "$",
        "sesame",
        "$argon2id$",
        "$2b$12$abc",
        "$legacy$",
        "$legacy$fluxbb$$$",
        BCRYPT,
        MD5,
        salt_only,
        &format!(" {phc}"),
        &phc[1..],
    ] {
        for password in ["", " ", "sesame", stored] {
            assert_eq!(verify(&passwords, Some(stored), password), NO, "{stored:?} {password:?}");
        }
    }
}

#[test]
fn auth_02_every_character_counts_and_spellings_of_one_character_are_one() {
    let passwords = Passwords::new(CHEAP, 1);
    for chars in [64, 72, 73, 128, 1_000] {
        let long = "x".repeat(chars - 1);
        let stored = hash(&passwords, &format!("{long}y"));
        assert!(verify(&passwords, Some(&stored), &format!("{long}y")).matches);
        assert!(!verify(&passwords, Some(&stored), &format!("{long}z")).matches, "{chars}");
        assert!(!verify(&passwords, Some(&stored), &long).matches, "{chars}");
    }
    let composed = hash(&passwords, "caf\u{e9}");
    assert!(verify(&passwords, Some(&composed), "cafe\u{301}").matches);
    assert!(!verify(&passwords, Some(&composed), "cafe").matches);
    assert!(!verify(&passwords, Some(&composed), "CAF\u{c9}").matches);
}

fn poll<F: Future>(future: Pin<&mut F>) -> std::task::Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// One thread that is kept busy until the sender is used or dropped.
fn occupied(wait: Duration) -> (Passwords, mpsc::Sender<()>) {
    let passwords = Passwords::start(CHEAP, 1, wait);
    let (go, may_go) = mpsc::channel::<()>();
    let (begin, begun) = mpsc::channel();
    let job: Job = Box::new(move |_| {
        begin.send(()).unwrap();
        let _ = may_go.recv();
    });
    passwords.queue.try_send(job).unwrap();
    begun.recv().unwrap();
    (passwords, go)
}

#[test]
fn thr_09_a_full_queue_is_busy_at_once() {
    let (passwords, go) = occupied(Duration::from_secs(3_600));
    let runtime = runtime();
    let _inside = runtime.enter();
    let mut waiting: Vec<_> = (0..Passwords::QUEUE)
        .map(|_| Box::pin(passwords.verify(reserved(), None, secret("sesame"))))
        .collect();
    for job in &mut waiting {
        assert!(poll(job.as_mut()).is_pending());
    }
    assert_eq!(runtime.block_on(passwords.hash(secret("sesame"))), Err(Busy));
    drop(go);
    for job in waiting {
        assert_eq!(runtime.block_on(job), Ok(NO));
    }
}

#[test]
fn thr_09_a_wait_that_gets_too_long_is_busy_and_its_work_is_not_done() {
    let (passwords, go) = occupied(Duration::ZERO);
    assert_eq!(runtime().block_on(passwords.verify(reserved(), None, secret("sesame"))), Err(Busy));
    drop(go);
    all_done(&passwords);
    assert_eq!(passwords.hashes(), 0);
}

/// Returns when all that was in the queue has been looked at; for one thread.
fn all_done(passwords: &Passwords) {
    let (done, is_done) = mpsc::channel();
    passwords.queue.send(Box::new(move |_| done.send(()).unwrap())).unwrap();
    is_done.recv().unwrap();
}

#[test]
fn thr_09_how_good_a_password_is_is_told_to_one_at_a_time_and_hanging_up_frees_no_turn_early() {
    let (passwords, go) = occupied(Duration::from_secs(3_600));
    let runtime = runtime();
    let _inside = runtime.enter();
    let mut first = Box::pin(passwords.advise(secret("wren magnet orchard ladle"), About::default()));
    assert!(poll(first.as_mut()).is_pending());
    let advise = || runtime.block_on(passwords.advise(secret("sunshine"), About::default()));
    assert_eq!(advise(), Err(Busy));
    drop(first);
    assert_eq!(advise(), Err(Busy), "a thread has it to do, whether or not anybody listens");
    drop(go);
    all_done(&passwords);
    assert_eq!(advise(), Ok(Err(WeakPassword::Common)));
}

#[test]
fn thr_10_a_caller_that_leaves_the_queue_costs_nothing() {
    let (passwords, go) = occupied(Duration::from_secs(3_600));
    let runtime = runtime();
    let _inside = runtime.enter();
    for _ in 0..40 {
        let mut job = Box::pin(passwords.hash(secret("sesame")));
        assert!(poll(job.as_mut()).is_pending());
    }
    drop(go);
    all_done(&passwords);
    assert_eq!(passwords.hashes(), 0);
}

#[test]
fn thr_10_abandoned_work_keeps_its_thread() {
    let runtime = runtime();
    let _inside = runtime.enter();
    let passwords = Passwords::start(CHEAP, 1, Duration::from_secs(3_600));
    let (go, may_go) = mpsc::channel::<()>();
    let (begin, begun) = mpsc::channel();
    let abandoned = passwords.run(move |_| {
        begin.send(()).unwrap();
        let _ = may_go.recv();
    });
    {
        let mut abandoned = pin!(abandoned);
        assert!(poll(abandoned.as_mut()).is_pending());
        begun.recv().unwrap();
        // Gone from here on.
    }
    let mut next = Box::pin(passwords.hash(secret("sesame")));
    assert!(poll(next.as_mut()).is_pending());
    assert_eq!(passwords.hashes(), 0, "the only thread is still taken");
    drop(go);
    assert!(runtime.block_on(next).is_ok());
}

#[test]
fn thr_10_no_more_run_at_once_than_there_are_threads() {
    const WORKERS: usize = 3;
    let runtime = runtime();
    let _inside = runtime.enter();
    let passwords = Passwords::start(CHEAP, WORKERS, Duration::from_secs(3_600));
    let running = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    for round in 0..1_000 {
        let (running, most) = (Arc::clone(&running), Arc::clone(&most));
        let mut job = Box::pin(passwords.run(move |hasher| {
            most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let _ = hasher.hash(&secret("sesame"));
            running.fetch_sub(1, Ordering::SeqCst);
        }));
        if round % 10 == 0 {
            let _ = runtime.block_on(job);
        } else {
            // Hangs up as soon as it has asked.
            let _ = poll(job.as_mut());
        }
    }
    assert!(most.load(Ordering::SeqCst) <= WORKERS);
}

#[test]
fn a_panic_in_a_job_costs_one_answer_and_no_thread() {
    let passwords = Passwords::new(CHEAP, 1);
    // resume_unwind, since panic! would print a trace that looks like a failure.
    let broken = passwords.run(|_| std::panic::resume_unwind(Box::new("broken")));
    assert_eq!(runtime().block_on(broken), Err::<(), _>(Busy));
    assert!(verify(&passwords, Some(&hash(&passwords, "sesame")), "sesame").matches);
}

#[test]
fn a_cost_out_of_bounds_is_not_used() {
    assert!(HashingCost::default().is_within_bounds() && CHEAP.is_within_bounds());
    let absurd = HashingCost { memory_kib: 0, ..CHEAP };
    assert!(!absurd.is_within_bounds());
    assert!(hash(&Passwords::new(absurd, 0), "sesame").contains("m=19456,t=2,p=1"));
}

#[cfg(target_os = "linux")]
#[test]
fn thr_09_the_hashing_threads_stand_back_behind_the_others() {
    let niceness = || rustix::process::getpriority_process(None).unwrap();
    let ours = niceness();
    let theirs = runtime().block_on(Passwords::new(CHEAP, 1).run(move |_| niceness())).unwrap();
    assert_eq!(theirs, (ours + NICENESS).min(19));
    assert_eq!(niceness(), ours);
}
