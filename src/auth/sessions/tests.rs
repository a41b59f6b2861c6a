use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::*;
use crate::domain::{Backup, ManualClock, Passkey, PasskeyName, Timestamp, UserName};
use crate::store::{MemoryStore, Verdict};

const LIFETIMES: Lifetimes = Lifetimes {
    idle: Duration::from_secs(3_600),
    absolute: Duration::from_secs(86_400),
    remember: Duration::from_secs(30 * 86_400),
    shared: Duration::from_secs(900),
};

struct Bench {
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
    sessions: Sessions,
    alice: User,
}

async fn bench() -> Bench {
    let store = Arc::new(MemoryStore::new());
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000_000)));
    let alice = User {
        profile: Profile {
            id: UserId::generate(),
            name: UserName::parse("alice").unwrap(),
            full_name: None,
            email: None,
            groups: vec![],
        },
        state: UserState::Active,
        password: None,
        created: clock.now(),
        last_sign_in: None,
        setup: None,
        passkey_for: PasskeyFor::default(),
        imported: None,
    };
    store.apply(vec![Change::AddUser(alice.clone())]).await.unwrap();
    let sessions = open(&store, &clock);
    Bench { store, clock, sessions, alice }
}

fn open(store: &Arc<MemoryStore>, clock: &Arc<ManualClock>) -> Sessions {
    Sessions::open(store.clone(), clock.clone(), LIFETIMES).unwrap()
}

impl Bench {
    async fn start(&self, persistence: Persistence) -> SessionToken {
        self.sessions
            .start(FactorsMet::unasked(self.alice.clone()), persistence, "Firefox", vec![])
            .await
            .unwrap()
    }

    /// Adds a passkey named so and signs in with it.
    async fn start_with(&self, passkey: &CredentialId) -> SessionToken {
        let passkey = Passkey {
            id: passkey.clone(),
            user: self.alice.profile.id,
            rp_id: "example.org".to_owned(),
            name: PasskeyName::parse("Phone").unwrap(),
            credential: "{}".to_owned(),
            aaguid: None,
            transports: vec![],
            backup: Backup::Done,
            created: self.clock.now(),
            last_used: None,
        };
        let (id, add) = (passkey.id.clone(), Change::AddPasskey { passkey, limit: 10 });
        self.sessions
            .start_by_passkey(&self.alice, Persistence::Browser, id, "Firefox", vec![add])
            .await
            .unwrap()
    }

    fn is_live(&self, token: &SessionToken) -> bool {
        self.sessions.check(token).is_some()
    }
}

#[tokio::test]
async fn a_started_session_is_live_and_survives_a_restart() {
    let bench = bench().await;
    let token = bench.start(Persistence::Browser).await;
    assert_eq!(bench.sessions.check(&token).unwrap().profile().name.as_str(), "alice");
    assert!(!bench.is_live(&SessionToken::generate()));
    assert!(open(&bench.store, &bench.clock).check(&token).is_some());
}

#[tokio::test]
async fn ses_02_s5_tokens_are_256_random_bits_and_only_their_hashes_are_kept() {
    const TOKENS: usize = 4_000;
    let tokens: Vec<_> = (0..TOKENS).map(|_| SessionToken::generate().to_text()).collect();
    let different: std::collections::HashSet<&str> = tokens.iter().map(|text| text.as_str()).collect();
    assert_eq!(different.len(), TOKENS);
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    for bit in 0..256 {
        let set = tokens.iter().filter(|text| bytes(text)[bit / 8] >> (bit % 8) & 1 == 1).count();
        // Seven standard deviations from the half.
        assert!(set.abs_diff(TOKENS / 2) < 222, "bit {bit} is set in {set} of {TOKENS}");
    }
    let bench = bench().await;
    let token = bench.start(Persistence::Browser).await;
    let kept = bench.store.session(bench.alice.profile.id, token.hash()).unwrap().unwrap();
    assert_ne!(kept.id.0[..], bytes(&token.to_text())[..]);
    assert!(!format!("{kept:?}").contains(&*token.to_text()));
}

#[tokio::test]
async fn ses_06_idle_time_ends_a_session_and_use_prolongs_it_up_to_the_absolute_limit() {
    let bench = bench().await;
    let token = bench.start(Persistence::Browser).await;
    for _ in 0..24 {
        bench.clock.advance(LIFETIMES.idle - Duration::from_secs(1));
        assert!(bench.is_live(&token));
    }
    bench.clock.advance(Duration::from_secs(30));
    assert!(!bench.is_live(&token), "a day has passed");
    let idle = bench.start(Persistence::Browser).await;
    bench.clock.advance(LIFETIMES.idle);
    assert!(!bench.is_live(&idle));
}

#[tokio::test]
async fn s2_an_ended_session_is_gone_at_once_and_after_a_restart() {
    let bench = bench().await;
    let (token, other) =
        (bench.start(Persistence::Browser).await, bench.start(Persistence::Remembered).await);
    bench.sessions.end(token.hash()).await.unwrap();
    assert!(!bench.is_live(&token) && bench.is_live(&other));
    let reopened = open(&bench.store, &bench.clock);
    assert!(reopened.check(&token).is_none() && reopened.check(&other).is_some());
}

#[tokio::test]
async fn s6_ending_all_but_one_leaves_just_that_one() {
    let bench = bench().await;
    let keep = bench.start(Persistence::Browser).await;
    let others = [bench.start(Persistence::Browser).await, bench.start(Persistence::Remembered).await];
    assert_eq!(bench.sessions.end_all(bench.alice.profile.id, Some(keep.hash()), vec![]).await, Ok(2));
    assert!(bench.is_live(&keep));
    assert!(others.iter().all(|token| !bench.is_live(token)));
    assert_eq!(bench.sessions.of(bench.alice.profile.id).len(), 1);
}

#[tokio::test]
async fn who_listens_is_told_once_of_each_session_that_is_over() {
    let bench = bench().await;
    let told: Arc<Mutex<Vec<SessionId>>> = Arc::default();
    let hears = Arc::clone(&told);
    bench.sessions.tell(move |session| hears.lock().unwrap().push(session));
    let (alice, lost) = (bench.alice.profile.id, CredentialId::new(b"lost").unwrap());
    let [by_id, by_member] =
        [bench.start(Persistence::Browser).await, bench.start(Persistence::Browser).await];
    let (kept, by_passkey) = (bench.start(Persistence::Remembered).await, bench.start_with(&lost).await);
    bench.sessions.end(by_id.hash()).await.unwrap();
    bench.sessions.end(by_id.hash()).await.unwrap();
    bench.sessions.end_opened_with(alice, &lost, vec![]).await.unwrap();
    bench.sessions.end_all(alice, Some(kept.hash()), vec![]).await.unwrap();
    assert_eq!(*told.lock().unwrap(), [&by_id, &by_passkey, &by_member].map(SessionToken::hash));
    bench.clock.advance(LIFETIMES.remember);
    bench.sessions.sweep().await.unwrap();
    assert_eq!(told.lock().unwrap()[3..], [kept.hash()], "by time alone, too");
}

#[tokio::test]
async fn a_removed_passkeys_sessions_are_gone_at_once_and_after_a_restart() {
    let bench = bench().await;
    let (lost, kept) = (CredentialId::new(b"lost").unwrap(), CredentialId::new(b"kept").unwrap());
    let with_lost = bench.start_with(&lost).await;
    let others = [bench.start_with(&kept).await, bench.start(Persistence::Browser).await];
    assert_eq!(
        bench.sessions.opened_with(&bench.sessions.check(&with_lost).unwrap()),
        Ok(Some(lost.clone()))
    );
    let alice = bench.alice.profile.id;
    assert_eq!(bench.sessions.end_opened_with(UserId::generate(), &lost, vec![]).await, Ok(0));
    assert!(bench.is_live(&with_lost), "another member ends nothing");
    let refused = Change::ReviseUser(alice, Box::new(|_| Verdict::Abandon));
    let abandoned = bench.sessions.end_opened_with(alice, &lost, vec![refused]).await;
    assert_eq!(abandoned, Err(StoreError::Abandoned));
    assert!(bench.is_live(&with_lost), "nothing happens in part");
    assert_eq!(bench.sessions.end_opened_with(alice, &lost, vec![]).await, Ok(1));
    assert_eq!((bench.store.passkey(&lost), bench.is_live(&with_lost)), (Ok(None), false));
    let reopened = open(&bench.store, &bench.clock);
    assert!(reopened.check(&with_lost).is_none());
    assert!(others.iter().all(|token| bench.is_live(token) && reopened.check(token).is_some()));
}

/// The sign-in writes its session, then the account's sessions are ended before that session is in the map.
#[tokio::test]
async fn s6_a_session_ended_on_its_way_in_never_becomes_live() {
    let bench = bench().await;
    let store = bench.store.clone();
    let id = bench.alice.profile.id;
    let revision = Change::ReviseUser(id, Box::new(|_| Verdict::Keep));
    let session = Session {
        id: SessionToken::generate().hash(),
        user: id,
        created: bench.clock.now(),
        last_seen: bench.clock.now(),
        persistence: Persistence::Browser,
        passkey: None,
        by_link: false,
        beside: Beside::Nothing,
        user_agent: String::new(),
    };
    store.apply(vec![revision, Change::PutSession(session.clone())]).await.unwrap();
    store.apply(vec![Change::EndSessions(id, None)]).await.unwrap();
    bench.sessions.live.insert(Row::new(&session));
    assert_eq!(bench.sessions.forget_if_ended(id, session.id), Err(StoreError::NoSuchUser));
    assert_eq!(bench.sessions.count(), 0);
}

#[tokio::test]
async fn a_disabled_accounts_sessions_are_not_read_back() {
    let bench = bench().await;
    let token = bench.start(Persistence::Remembered).await;
    let disable = Change::ReviseUser(
        bench.alice.profile.id,
        Box::new(|user| {
            user.state = UserState::Disabled;
            Verdict::Keep
        }),
    );
    bench.store.apply(vec![disable]).await.unwrap();
    assert!(open(&bench.store, &bench.clock).check(&token).is_none());
}

#[tokio::test]
async fn the_sweep_drops_what_expired_and_writes_down_use() {
    let bench = bench().await;
    let (used, unused) = (bench.start(Persistence::Browser).await, bench.start(Persistence::Browser).await);
    bench.clock.advance(Duration::from_secs(3_000));
    assert!(bench.is_live(&used));
    bench.sessions.sweep().await.unwrap();
    bench.clock.advance(Duration::from_secs(1_000));
    bench.sessions.sweep().await.unwrap();
    assert!(bench.store.session(bench.alice.profile.id, unused.hash()).unwrap().is_none());
    assert!(open(&bench.store, &bench.clock).check(&used).is_some(), "its use was written down");
}

#[tokio::test]
async fn what_a_browser_calls_itself_is_cut_and_made_printable() {
    let bench = bench().await;
    let name = format!("evil\r\n{}", "ü".repeat(300));
    let token = bench
        .sessions
        .start(FactorsMet::unasked(bench.alice.clone()), Persistence::Browser, &name, vec![])
        .await
        .unwrap();
    assert!(bench.is_live(&token));
    let kept = bench.sessions.of(bench.alice.profile.id)[0].user_agent.clone();
    assert!(kept.len() <= 256 && kept.starts_with("evil  ü") && !kept.contains('\n'), "{kept}");
}

#[tokio::test]
async fn ses_06_a_session_that_expired_between_two_runs_is_gone_for_good() {
    let bench = bench().await;
    let token = bench.start(Persistence::Browser).await;
    let then = bench.clock.now();
    bench.clock.advance(LIFETIMES.idle);
    assert!(open(&bench.store, &bench.clock).check(&token).is_none());
    assert!(
        bench.store.session(bench.alice.profile.id, token.hash()).unwrap().is_none(),
        "nothing is left in the store"
    );
    bench.clock.set(then);
    assert!(open(&bench.store, &bench.clock).check(&token).is_none(), "nor does a clock set back revive it");
}

#[tokio::test]
async fn mx_11_a_choice_counts_in_sessions_that_run_and_ends_with_the_last_passkey() {
    let bench = bench().await;
    let (user, phone) = (bench.alice.profile.id, CredentialId::new(b"phone").unwrap());
    let choice = PasskeyFor { signing_in: true, sensitive_actions: false };
    let by_password = bench.start(Persistence::Browser).await;
    assert_eq!(bench.sessions.choose(user, phone.clone(), choice).await, Err(StoreError::NoSuchPasskey));
    bench.start_with(&phone).await;
    bench.sessions.choose(user, phone.clone(), choice).await.unwrap();
    // `alice` as she was read before she chose, as a sign-in under way has her.
    let late = bench.start(Persistence::Browser).await;
    let told = |sessions: &Sessions| {
        [&by_password, &late].map(|token| sessions.check(token).map(|session| session.passkey_for()))
    };
    assert_eq!(told(&bench.sessions), [Some(choice); 2]);
    assert_eq!(told(&open(&bench.store, &bench.clock)), [Some(choice); 2], "after a restart, too");
    bench.sessions.end_opened_with(user, &phone, vec![]).await.unwrap();
    assert_eq!(told(&bench.sessions), [Some(PasskeyFor::default()); 2]);
}

#[tokio::test]
async fn a_session_that_rests_is_as_good_as_one_in_use() {
    let bench = bench().await;
    let (user, phone) = (bench.alice.profile.id, CredentialId::new(b"phone").unwrap());
    let tokens = [bench.start_with(&phone).await, bench.start(Persistence::Remembered).await];
    let awake = || bench.sessions.awake_of(user).len();
    bench.sessions.rest(0);
    assert_eq!(awake(), 2, "both were just used");
    let held = bench.sessions.check(&tokens[0]);
    bench.clock.advance(Sessions::REST_AFTER);
    bench.sessions.rest(2);
    assert_eq!(awake(), 2, "there is room for both");
    bench.sessions.rest(0);
    assert_eq!(awake(), 1, "but one is held");
    drop(held);
    bench.sessions.rest(0);
    assert_eq!((awake(), bench.sessions.count(), bench.sessions.of(user).len()), (0, 2, 2));
    // What happens while it rests is known when it wakes.
    let choice = PasskeyFor { signing_in: true, sensitive_actions: false };
    bench.sessions.choose(user, phone.clone(), choice).await.unwrap();
    let woken = bench.sessions.check(&tokens[0]).unwrap();
    assert_eq!(
        (woken.passkey_for(), bench.sessions.opened_with(&woken), woken.profile().name.as_str()),
        (choice, Ok(Some(phone.clone())), "alice")
    );
    assert!(Arc::ptr_eq(&woken, &bench.sessions.check(&tokens[0]).unwrap()), "and it is in use again");
    assert_eq!(awake(), 1);
    assert_eq!(bench.sessions.end_all(user, None, vec![]).await, Ok(2), "with the one that rests");
    assert!(tokens.iter().all(|token| !bench.is_live(token)));
}

#[tokio::test]
async fn s6_a_session_that_rests_does_not_wake_for_an_account_that_is_kept_out_or_gone() {
    let bench = bench().await;
    let token = bench.start(Persistence::Remembered).await;
    let user = bench.alice.profile.id;
    bench.clock.advance(Sessions::REST_AFTER);
    bench.sessions.rest(0);
    let set = |state| {
        Change::ReviseUser(
            user,
            Box::new(move |user| {
                user.state = state;
                Verdict::Keep
            }),
        )
    };
    bench.store.apply(vec![set(UserState::Disabled)]).await.unwrap();
    assert!(!bench.is_live(&token));
    bench.store.apply(vec![set(UserState::Active)]).await.unwrap();
    bench.store.apply(vec![Change::DeleteUser(user)]).await.unwrap();
    assert!(!bench.is_live(&token));
}

#[test]
fn a_session_that_rests_takes_little() {
    assert_eq!(size_of::<Row>(), 64);
}

#[tokio::test(flavor = "multi_thread")]
async fn ses_12_of_many_sign_ins_at_once_no_more_sessions_are_left_than_a_member_may_have() {
    let bench = Arc::new(bench().await);
    bench.sessions.set_most(5);
    let starts = (0..200).map(|_| {
        let bench = Arc::clone(&bench);
        tokio::spawn(async move {
            let met = FactorsMet::unasked(bench.alice.clone());
            bench.sessions.start(met, Persistence::Browser, "Firefox", vec![]).await
        })
    });
    let starts: Vec<_> = starts.collect();
    for started in starts {
        // Of those that are too many, some are ended before they have begun.
        let started = started.await.unwrap();
        assert!(matches!(started, Ok(_) | Err(StoreError::NoSuchUser)), "{:?}", started.err());
    }
    // One that has only just been stored may make room for another that does not know of it yet, and makes room itself.
    let left = bench.sessions.count();
    assert!((1..=5).contains(&left), "{left}");
    assert_eq!(bench.store.sessions_of(bench.alice.profile.id).unwrap().len(), left);
}

#[tokio::test]
async fn ses_12_the_session_that_was_not_used_for_longest_makes_room() {
    let bench = bench().await;
    bench.sessions.set_most(2);
    let first = bench.start(Persistence::Browser).await;
    let second = bench.start(Persistence::Browser).await;
    bench.clock.advance(Duration::from_secs(60));
    assert!(bench.sessions.check(&first).is_some());
    let third = bench.start(Persistence::Browser).await;
    assert!(bench.sessions.check(&second).is_none());
    assert!(bench.sessions.check(&first).is_some() && bench.sessions.check(&third).is_some());
}
