//! Passkeys from end to end, on a store in memory, a clock that stands still and a software authenticator.

mod adding;
mod authenticators;
mod confirming;
pub(crate) mod device;
mod log;
mod malformed;
mod managing;
mod refusals;
mod reloading;
mod signing_in;

use std::sync::Arc;

use super::*;
use crate::auth::second_factors::FactorsMet;
use crate::auth::throttle::reserved;
use crate::domain::{
    Group, Lifetimes, ManualClock, PasskeyFor, Persistence, Timestamp, TokenHash, User, UserName, UserState,
};
use crate::policy::RequiredFor;
use crate::store::MemoryStore;
use device::Device;

const ORIGIN: &str = "https://forum.example.org";
const RP_ID: &str = "forum.example.org";
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const BROWSER: TokenHash = TokenHash([7; 32]);

struct Bench {
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
    sessions: Arc<Sessions>,
    pending: Arc<Pending>,
    passkeys: Arc<Passkeys>,
    alice: User,
    bob: User,
}

fn options() -> PasskeyOptions {
    PasskeyOptions {
        rollout: Rollout::Everyone,
        required_for: RequiredFor::Groups(Vec::new()),
        asked_by_rules: RequiredFor::Nobody,
        suggest: Suggest::AfterLogin,
        max_per_user: 10,
        rp_id: RP_ID.to_owned(),
        rp_name: "The Forum".to_owned(),
        origins: vec![ORIGIN.to_owned()],
        resident_key: ResidentKey::Required,
    }
}

fn member(name: &str, groups: &[&str]) -> User {
    User {
        profile: Profile {
            id: UserId::generate(),
            name: UserName::parse(name).unwrap(),
            full_name: None,
            email: None,
            groups: groups.iter().map(|name| Group::parse(name).unwrap()).collect(),
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

async fn bench() -> Bench {
    bench_with(options()).await
}

async fn bench_with(options: PasskeyOptions) -> Bench {
    let store = Arc::new(MemoryStore::new());
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_795_327_200_000)));
    let (alice, bob) = (member("alice", &["staff"]), member("bob", &[]));
    store.apply(vec![Change::AddUser(alice.clone()), Change::AddUser(bob.clone())]).await.unwrap();
    let lifetimes = Lifetimes {
        idle: Duration::from_secs(86_400),
        absolute: Duration::from_secs(86_400),
        remember: Duration::from_secs(30 * 86_400),
        shared: Duration::from_secs(900),
    };
    let sessions = Arc::new(Sessions::open(store.clone(), clock.clone(), lifetimes).unwrap());
    let pending = Arc::new(Pending::new(&(clock.clone() as Arc<dyn Clock>)));
    let passkeys = Passkeys::new(options, pending.clone(), store.clone(), sessions.clone(), clock.clone());
    Bench { store, clock, sessions, pending, passkeys: Arc::new(passkeys.unwrap()), alice, bob }
}

impl Bench {
    /// The same store, and what waits, under other options.
    fn reopened(&self, options: PasskeyOptions) -> Result<Passkeys, String> {
        let Self { store, clock, sessions, pending, .. } = self;
        Passkeys::new(options, pending.clone(), store.clone(), sessions.clone(), clock.clone())
    }

    async fn session(&self, user: &User) -> Arc<LiveSession> {
        let token = self
            .sessions
            .start(FactorsMet::unasked(user.clone()), Persistence::Browser, FIREFOX, vec![])
            .await
            .unwrap();
        self.sessions.check(&token).unwrap()
    }

    /// A device with a passkey of the member.
    async fn enrolled(&self, user: &User) -> Device {
        let mut device = Device::new();
        self.enrol(user, &mut device).await;
        device
    }

    async fn enrol(&self, user: &User, device: &mut Device) -> Passkey {
        let session = self.session(user).await;
        let challenge = self.passkeys.begin_add(&session, Place::Any).unwrap().unwrap();
        let answer = device.create(&challenge);
        self.passkeys
            .finish_add(&session, &challenge.ceremony, &answer, None, FIREFOX)
            .await
            .unwrap()
            .unwrap()
    }

    async fn finish(&self, challenge: &Challenge, answer: &Value) -> PasskeySignIn {
        self.passkeys
            .finish_sign_in(reserved(), BROWSER, &challenge.ceremony, answer, Persistence::Browser, FIREFOX)
            .await
            .unwrap()
    }

    async fn sign_in(&self, device: &mut Device) -> PasskeySignIn {
        let challenge = self.passkeys.begin_sign_in(BROWSER);
        let answer = device.get(&challenge);
        self.finish(&challenge, &answer).await
    }

    fn stored(&self, user: &User) -> Vec<Passkey> {
        self.passkeys.of(user.profile.id).unwrap()
    }
}

impl PasskeySignIn {
    #[track_caller]
    fn failure(&self) -> Failed {
        match self {
            Self::Failed(failed) => *failed,
            Self::SignedIn(..) => panic!("it signed somebody in"),
        }
    }

    #[track_caller]
    fn success(self) -> (SessionToken, Arc<Profile>, Passkey) {
        match self {
            Self::Failed(failed) => panic!("{failed:?}"),
            Self::SignedIn(token, profile, passkey) => (token, profile, *passkey),
        }
    }
}
