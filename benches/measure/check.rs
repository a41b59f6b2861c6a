//! The price of a passkey's check: the second half of signing in, from the parsed JSON of the answer to the session, on a
//! store in memory and on a disk. ES256, as nearly all passkeys are.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use passgate::auth::Sessions;
use passgate::auth::passkeys::{
    PasskeyOptions, PasskeySignIn, Passkeys, Pending, Place, ResidentKey, Rollout, Suggest,
};
use passgate::auth::throttle::{Throttle, ThrottleOptions, Try, Way, Who};
use passgate::domain::{
    Clock, CredentialId, Lifetimes, PasskeyFor, Persistence, Profile, SystemClock, Timestamp, TokenHash,
    User, UserId, UserName, UserState, random,
};
use passgate::policy::RequiredFor;
use passgate::store::{Change, MemoryStore, SledStore, Store};
use serde_json::{Value, json};

use crate::spent;
use crate::support::passkey::Device;

const ORIGIN: &str = "https://forum.example.org";
/// As many as wait at most are half of what may.
const ROUNDS: u32 = 2_000;

/// Microseconds of processor time, and of waiting, for each.
pub(crate) fn measure(folder: &Path) -> Value {
    let disk = SledStore::open(folder, 64 << 20).unwrap();
    let in_memory = of(Arc::new(MemoryStore::new()), ROUNDS);
    let on_disk = of(Arc::new(disk), ROUNDS / 8);
    json!({ "algorithm": "ES256", "in_memory": in_memory, "on_disk": on_disk })
}

fn of(store: Arc<dyn Store>, rounds: u32) -> Value {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(finishing(store, rounds))
}

async fn finishing(store: Arc<dyn Store>, rounds: u32) -> Value {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let day = Duration::from_secs(86_400);
    let lifetimes = Lifetimes { idle: day, absolute: day, remember: day, shared: day };
    let sessions = Arc::new(Sessions::open(Arc::clone(&store), Arc::clone(&clock), lifetimes).unwrap());
    let pending = Arc::new(Pending::new(&clock));
    let passkeys =
        Passkeys::new(options(), pending, Arc::clone(&store), Arc::clone(&sessions), Arc::clone(&clock))
            .unwrap();
    let throttle = Arc::new(Throttle::open(ThrottleOptions::default(), Arc::clone(&store), clock).unwrap());
    let from = IpAddr::from([127, 0, 0, 1]);
    let user = member();
    store.apply(vec![Change::AddUser(user.clone())]).await.unwrap();
    let first = CredentialId::new(b"another").unwrap();
    let token = sessions.start_by_passkey(&user, Persistence::Browser, first, "", vec![]).await.unwrap();
    let session = sessions.check(&token).unwrap();
    let mut device = Device::new(ORIGIN);
    let begun = passkeys.begin_add(&session, Place::Any).unwrap().unwrap();
    let answer = device.create(&begun.options);
    passkeys.finish_add(&session, &begun.ceremony, &answer, None, "").await.unwrap().unwrap();

    let ceremonies: Vec<_> = (0..rounds)
        .map(|_| {
            let browser = TokenHash(random());
            let begun = passkeys.begin_sign_in(browser);
            (browser, device.get(&begun.options).to_string(), begun.ceremony)
        })
        .collect();
    let (begun, before) = (Instant::now(), spent("/proc/self"));
    for (browser, answer, ceremony) in ceremonies {
        let answer = serde_json::from_str(&answer).unwrap();
        let wanted = Try { way: Way::Passkey, who: Who::Unknown, from, device: None };
        let reserved = throttle.reserve(&wanted).unwrap().unwrap();
        let ended =
            passkeys.finish_sign_in(&reserved, browser, &ceremony, &answer, Persistence::Browser, "").await;
        assert!(matches!(ended, Ok(PasskeySignIn::SignedIn(..))), "{ended:?}");
        reserved.succeeded(user.profile.id);
    }
    let each = |time: Duration| (time / rounds).as_micros();
    let cpu = spent("/proc/self").checked_sub(before).unwrap();
    json!({ "rounds": rounds, "cpu_us": each(cpu), "wall_us": each(begun.elapsed()) })
}

fn options() -> PasskeyOptions {
    PasskeyOptions {
        rollout: Rollout::Everyone,
        suggest: Suggest::Never,
        max_per_user: 10,
        rp_id: "forum.example.org".to_owned(),
        rp_name: "The Forum".to_owned(),
        origins: vec![ORIGIN.to_owned()],
        resident_key: ResidentKey::Required,
        required_for: RequiredFor::Nobody,
        asked_by_rules: RequiredFor::Nobody,
    }
}

fn member() -> User {
    User {
        profile: Profile {
            id: UserId::generate(),
            name: UserName::parse("alice").unwrap(),
            full_name: None,
            email: None,
            groups: vec![],
        },
        state: UserState::Active,
        password: None,
        created: Timestamp::from_millis(1),
        last_sign_in: None,
        setup: None,
        passkey_for: PasskeyFor::default(),
        imported: None,
    }
}
