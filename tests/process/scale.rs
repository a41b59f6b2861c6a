//! Many members: a start reads the store about once, and keeps little of it in memory.

use std::collections::HashMap;
use std::fs;
use std::sync::Arc;

use passgate::domain::{
    Beside, Clock, PasskeyFor, Persistence, Profile, Session, SystemClock, TokenHash, User, UserId, UserName,
    UserState, random,
};
use passgate::sample::SampleForum;
use passgate::store::{Change, SledStore, Store};

use crate::site::{Gateway, Site};

const MEMBERS: usize = 20_000;
/// What a member with a session may add to the memory of a start, the store's cache apart.
const BYTES_EACH: u64 = 2_500;
/// How often a start may read what is in the store.
const TIMES_READ: u64 = 2;

/// What a process has used since its start.
struct Used {
    peak: u64,
    read: u64,
}

fn used(gateway: &Gateway) -> Used {
    let of = |file: &str| {
        let text = fs::read_to_string(format!("/proc/{}/{file}", gateway.id())).unwrap();
        let pairs = text.lines().filter_map(|line| line.split_once(':'));
        pairs.map(|(key, value)| (key.to_owned(), value.trim().trim_end_matches(" kB").to_owned())).collect()
    };
    let (status, io): (HashMap<_, _>, HashMap<_, _>) = (of("status"), of("io"));
    Used { peak: status["VmHWM"].parse::<u64>().unwrap() * 1024, read: io["rchar"].parse().unwrap() }
}

async fn fill(store: &SledStore) {
    let now = SystemClock.now();
    let batches: Vec<_> = (0..MEMBERS)
        .map(|n| {
            let (id, name) = (UserId::generate(), u64::from_be_bytes(random()));
            let user = User {
                profile: Profile {
                    id,
                    name: UserName::parse(&format!("{name:016x}")).unwrap(),
                    full_name: None,
                    email: Some(format!("{name:x}@example.org")),
                    groups: Vec::new(),
                },
                state: UserState::Active,
                password: Some(format!("$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ${n:043}")),
                created: now,
                last_sign_in: Some(now),
                setup: None,
                passkey_for: PasskeyFor::default(),
                imported: None,
            };
            let session = Session {
                id: TokenHash(random()),
                user: id,
                created: now,
                last_seen: now,
                persistence: Persistence::Remembered,
                passkey: None,
                by_link: false,
                beside: Beside::Nothing,
                user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
                    .to_owned(),
            };
            store.apply(vec![Change::AddUser(user), Change::PutSession(session)])
        })
        .collect();
    for batch in batches {
        batch.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sto_12_a_start_with_many_members_reads_the_store_about_once_and_keeps_little_of_it() {
    let forum = SampleForum::bind(([127, 0, 0, 1], 0).into()).await.unwrap().spawn();
    let site = Site::before(forum.address(), "store.cache_mib = 1\nstore.backups_kept = 0");
    let mut empty = site.serve();
    let before = used(&empty);
    assert_eq!(empty.stop(), Some(0));
    let path = site.data_dir().join("store");
    let store = Arc::new(SledStore::open(&path, 8 << 20).unwrap());
    fill(&store).await;
    drop(store);
    // The first one writes down where in the store everything is.
    assert_eq!(site.serve().stop(), Some(0));
    let size = fs::metadata(path.join("db")).unwrap().len();
    let mut full = site.serve();
    let after = used(&full);
    let (memory, read) = (after.peak.saturating_sub(before.peak), after.read - before.read);
    println!(
        "{MEMBERS} members and sessions in {size} bytes: {memory} bytes of memory, {} each; {read} bytes read",
        memory / MEMBERS as u64
    );
    assert!(memory < MEMBERS as u64 * BYTES_EACH, "{memory}");
    assert!(read < size * TIMES_READ, "{read} of {size}");
    assert_eq!(full.stop(), Some(0));
}
