//! A store with very many members and sessions: made once, then opened as a gateway opens it. What each step takes in time
//! and memory, and how long it takes to look a session up.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use passgate::auth::{SessionToken, Sessions};
use passgate::domain::{
    Beside, Clock, Lifetimes, PasskeyFor, Persistence, Profile, Session, SystemClock, TokenHash, User,
    UserId, UserName, UserState,
};
use passgate::store::{Change, SledStore, Store};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::spent;

const CACHE: u64 = 16 << 20;
const USER_AGENT: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
                          Chrome/142.0.0.0 Safari/537.36";
const PASSWORD: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$\
                        RdescudvJCsgt3ub+b2dWRWJTmaaJObG1m3Ii2pWQ1s";
/// So many lookups are timed, each of another session as far as there are so many.
const LOOKUPS: usize = 200_000;

/// Makes a store of `members` members, each with a session.
pub(crate) fn fill(folder: &Path, members: usize) -> Value {
    let begun = Instant::now();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let store = SledStore::open(folder, CACHE).unwrap();
    for first in (0..members).step_by(500) {
        let batches = (first..members.min(first + 500)).map(|n| {
            let user = member(n);
            let session = session(n, user.profile.id);
            store.apply(vec![Change::AddUser(user), Change::PutSession(session)])
        });
        let batches: Vec<_> = batches.collect();
        runtime.block_on(async {
            for batch in batches {
                batch.await.unwrap();
            }
        });
    }
    drop(store);
    json!({ "members": members, "seconds": begun.elapsed().as_secs_f64(), "memory": memory() })
}

/// Writes such a store anew into another folder.
pub(crate) fn compact(folder: &Path, into: &Path) -> Value {
    let begun = Instant::now();
    let compacted = SledStore::compact(folder, into, CACHE, &mut |_, _| {}).unwrap();
    let mib = |bytes: u64| bytes / (1 << 20);
    json!({
        "seconds": begun.elapsed().as_secs_f64(), "memory": memory(), "processor_s": spent("/proc/self").as_secs_f64(),
        "before_mib": mib(compacted.bytes_before), "after_mib": mib(compacted.bytes_after),
    })
}

/// Opens such a store, and looks sessions up.
pub(crate) fn open(folder: &Path, members: usize) -> Value {
    let begun = Instant::now();
    let step = || {
        let processor = spent("/proc/self").as_secs_f64();
        json!({ "seconds": begun.elapsed().as_secs_f64(), "processor_s": processor, "memory": memory() })
    };
    let before = step();
    let store: Arc<dyn Store> = Arc::new(SledStore::open(folder, CACHE).unwrap());
    let opened = step();
    let month = Duration::from_secs(30 * 86_400);
    let lifetimes = Lifetimes { idle: month, absolute: month, remember: month, shared: month };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let sessions = Sessions::open(store, clock, lifetimes).unwrap();
    let ready = step();
    let stride = (members / LOOKUPS).max(1);
    let tokens: Vec<_> =
        (0..members).step_by(stride).map(|n| SessionToken::parse(&text(n)).unwrap()).collect();
    let first = lookups(&sessions, tokens.iter());
    let used = step();
    let second = lookups(&sessions, tokens.iter().cycle().take(LOOKUPS));
    json!({
        "before": before, "store_open": opened, "sessions_open": ready, "sessions": sessions.count(),
        "first_lookup": first, "after_lookups": used, "second_lookup": second,
    })
}

fn lookups<'t>(sessions: &Sessions, tokens: impl Iterator<Item = &'t SessionToken>) -> Value {
    let mut times: Vec<_> = tokens
        .map(|token| {
            let begun = Instant::now();
            assert!(sessions.check(token).is_some());
            begun.elapsed()
        })
        .collect();
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_nanos() as f64 / 1e3;
    json!({ "p50_us": at(0.5), "p99_us": at(0.99), "p999_us": at(0.999), "most_us": at(1.0) })
}

/// Of this process, in MiB: now, and at its most.
fn memory() -> Value {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    };
    json!({ "rss_mib": mib("VmRSS:"), "peak_mib": mib("VmHWM:") })
}

fn digest(what: &str, n: usize) -> [u8; 32] {
    Sha256::digest(format!("{what} {n}")).into()
}

fn text(n: usize) -> String {
    URL_SAFE_NO_PAD.encode(digest("token", n))
}

fn member(n: usize) -> User {
    let mut id = UserId([0; 16]);
    id.0.copy_from_slice(&digest("id", n)[..16]);
    let name: String = digest("name", n)[..5].iter().map(|byte| format!("{byte:02x}")).collect();
    User {
        profile: Profile {
            id,
            name: UserName::parse(&format!("{name}{}", n % 100)).unwrap(),
            full_name: None,
            email: Some(format!("{name}{n}@example.org")),
            groups: Vec::new(),
        },
        state: UserState::Active,
        password: Some(PASSWORD.to_owned()),
        created: SystemClock.now(),
        last_sign_in: Some(SystemClock.now()),
        setup: None,
        passkey_for: PasskeyFor::default(),
        imported: None,
    }
}

fn session(n: usize, user: UserId) -> Session {
    let id: TokenHash = SessionToken::parse(&text(n)).unwrap().hash();
    let now = SystemClock.now();
    Session {
        id,
        user,
        created: now,
        last_seen: now,
        persistence: Persistence::Remembered,
        passkey: None,
        by_link: false,
        beside: Beside::Nothing,
        user_agent: USER_AGENT.to_owned(),
    }
}
