//! What second factors promise, with a clock that the test moves.

use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::auth::SetupOutcome;
use crate::auth::letters;
use crate::auth::passkeys::Passkeys;
use crate::auth::passwords::About;
use crate::auth::sign_in::Attempt;
use crate::auth::throttle::{Marks, Throttle, ThrottleOptions, Way};
use crate::auth::{
    Accounts, CodeAttempt, CodeOutcome, HashingCost, NewPassword, NewUser, PasswordPolicy, Passwords,
    SessionToken, SignIn, SignInOutcome,
};
use crate::domain::{Lifetimes, LinkKind, ManualClock, Persistence, TokenHash, UserName};
use crate::policy::SecondFactorFor;
use crate::store::{Change, MemoryStore, Verdict};

const PASSWORD: &str = "Wonder-land.2049";
const BROWSER: TokenHash = TokenHash([7; 32]);

pub(crate) fn options() -> SecondFactorOptions {
    SecondFactorOptions {
        availability: Availability::On,
        mail: Availability::Off,
        required_for: SecondFactorFor::default(),
        trust: Some(Duration::from_secs(30 * 86_400)),
        key_file: std::path::PathBuf::new(),
    }
}

/// For tests of what needs them.
pub(crate) fn second_factors(
    store: &Arc<dyn Store>,
    sessions: &Arc<Sessions>,
    clock: &Arc<dyn Clock>,
) -> Arc<SecondFactors> {
    let (store, sessions) = (Arc::clone(store), Arc::clone(sessions));
    Arc::new(SecondFactors::new(options(), KeyRing::in_memory(), store, sessions, Arc::clone(clock)))
}

/// Somebody's app.
#[derive(Clone)]
pub(crate) struct App(TotpKey);

impl App {
    /// Takes the key as it is shown.
    pub(crate) fn of(key: &str) -> Self {
        let (mut bytes, mut bits, mut waiting) = (Vec::new(), 0_u32, 0);
        for sign in key.bytes().filter(|sign| *sign != b' ') {
            let value = letters::BASE32.iter().position(|letter| *letter == sign).unwrap();
            bits = bits << 5 | u32::try_from(value).unwrap();
            waiting += 5;
            if waiting >= 8 {
                waiting -= 8;
                bytes.push((bits >> waiting & 0xff) as u8);
            }
        }
        Self(TotpKey::read(&bytes).unwrap())
    }

    /// The code it shows.
    pub(crate) fn shows(&self, clock: &ManualClock) -> String {
        self.0.shown(clock.now())
    }
}

struct Site {
    store: Arc<dyn Store>,
    clock: Arc<ManualClock>,
    sessions: Arc<Sessions>,
    accounts: Accounts,
    throttle: Arc<Throttle>,
    second_factors: Arc<SecondFactors>,
    sign_in: SignIn,
    alice: UserId,
}

impl Site {
    async fn open() -> Self {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let manual = Arc::new(ManualClock::at(Timestamp::from_millis(1_795_327_200_000)));
        let clock: Arc<dyn Clock> = Arc::clone(&manual) as _;
        let day = Duration::from_secs(86_400);
        let lifetimes = Lifetimes { idle: day * 90, absolute: day * 90, remember: day * 90, shared: day };
        let sessions = Arc::new(Sessions::open(store.clone(), clock.clone(), lifetimes).unwrap());
        let cost = HashingCost { memory_kib: 8, iterations: 1, parallelism: 1 };
        let passwords = Arc::new(Passwords::new(cost, 1));
        let policy = PasswordPolicy { min_chars: 8, with_second_factor: 8 };
        let accounts =
            Accounts::new(store.clone(), sessions.clone(), passwords.clone(), clock.clone(), policy);
        let throttle = Throttle::open(ThrottleOptions::default(), store.clone(), clock.clone());
        let throttle = Arc::new(throttle.unwrap());
        let second_factors = second_factors(&store, &sessions, &clock);
        let sign_in = SignIn::new(
            store.clone(),
            sessions.clone(),
            passwords,
            throttle.clone(),
            second_factors.clone(),
            clock,
        );
        let name = UserName::parse("alice").unwrap();
        let new = NewUser { name, full_name: None, email: None, groups: vec![] };
        let hash = accounts.hash(Secret::new(PASSWORD.to_owned())).await.unwrap();
        let alice = accounts.add(new, Some(hash)).await.unwrap().profile.id;
        Self { store, clock: manual, sessions, accounts, throttle, second_factors, sign_in, alice }
    }

    async fn by_password(&self, way: Way, trust: Option<&TrustToken>) -> SignInOutcome {
        let attempt = Attempt {
            name: "alice",
            password: Secret::new(PASSWORD.to_owned()),
            persistence: Persistence::Browser,
            user_agent: "",
            way,
            from: [127, 0, 0, 1].into(),
            session: None,
            marks: &Marks::default(),
            trust,
        };
        self.sign_in.by_password(attempt).await.unwrap()
    }

    /// The password, and what waits then.
    async fn begin(&self, browser: TokenHash) {
        match self.by_password(Way::Password, None).await {
            SignInOutcome::SecondFactorAwaited(right) => self.sign_in.await_code(browser, right, None),
            other => panic!("{other:?}"),
        }
    }

    async fn code(&self, browser: TokenHash, code: &str) -> CodeOutcome {
        let attempt = CodeAttempt {
            code: Secret::new(code.to_owned()),
            user_agent: "",
            from: [127, 0, 0, 1].into(),
            session: None,
            marks: &Marks::default(),
        };
        self.sign_in.by_code(browser, attempt).await.unwrap()
    }

    async fn session(&self) -> SessionToken {
        match self.by_password(Way::Password, None).await {
            SignInOutcome::SignedIn(token, ..) => token,
            other => panic!("{other:?}"),
        }
    }

    /// Sets it up; the app, the codes, and the session that goes on.
    async fn enrol(&self) -> (App, Vec<String>, SessionToken) {
        let session = self.sessions.check(&self.session().await).unwrap();
        let app = App::of(&self.second_factors.begin(&session).key_in_groups());
        match self.second_factors.confirm(&session, &app.shows(&self.clock), "").await.unwrap() {
            SetUp::Done(token, codes) => (app, codes.shown().collect(), token.unwrap()),
            _ => panic!("it is not set up"),
        }
    }

    fn next_code(&self, app: &App) -> String {
        self.clock.advance(Duration::from_secs(30));
        app.shows(&self.clock)
    }

    fn lives(&self, token: &SessionToken) -> bool {
        self.sessions.check(token).is_some()
    }
}

#[tokio::test]
async fn a_code_confirms_the_key_and_all_other_sessions_end() {
    let site = Site::open().await;
    let (other, token) = (site.session().await, site.session().await);
    let session = site.sessions.check(&token).unwrap();
    let confirm = async |code: &str| site.second_factors.confirm(&session, code, "").await.unwrap();
    assert!(matches!(confirm("123456").await, SetUp::NotBegun));
    let app = App::of(&site.second_factors.begin(&session).key());
    assert_eq!(
        App::of(&site.second_factors.begin(&session).key()).shows(&site.clock),
        app.shows(&site.clock)
    );
    let wrong = if app.shows(&site.clock) == "000000" { "000001" } else { "000000" };
    assert!(matches!(confirm(wrong).await, SetUp::WrongCode));
    assert_eq!(site.second_factors.of(site.alice), Ok(None), "nothing counts yet");
    assert!(site.lives(&other));
    let code = app.shows(&site.clock);
    let typed = format!(" {} {} ", &code[..3], &code[3..]);
    let SetUp::Done(Some(fresh), codes) = confirm(&typed).await else { panic!() };
    assert_eq!(codes.shown().count(), 10);
    assert!(!site.lives(&other) && !site.lives(&token) && site.lives(&fresh));
    let fresh = site.sessions.check(&fresh).unwrap();
    assert_eq!(fresh.proof(), Proof::PasswordAndCode);
    assert!(site.second_factors.may_be_changed_by(&fresh).unwrap());
    assert!(matches!(site.second_factors.confirm(&fresh, &code, "").await, Ok(SetUp::AlreadyThere)));
}

#[tokio::test]
async fn setting_up_takes_a_fresh_sign_in() {
    let site = Site::open().await;
    let session = site.sessions.check(&site.session().await).unwrap();
    site.clock.advance(Passkeys::FRESH);
    let app = App::of(&site.second_factors.begin(&session).key());
    site.clock.advance(Duration::from_secs(1));
    let late = site.second_factors.confirm(&session, &app.shows(&site.clock), "").await;
    assert!(matches!(late, Ok(SetUp::StepUpFirst)));
}

/// SECURITY: L4. A step counts once.
#[tokio::test]
async fn auth_10_a_right_password_opens_nothing_and_a_code_after_it_does_once() {
    let site = Site::open().await;
    let (app, _, token) = site.enrol().await;
    assert!(site.lives(&token));
    let used = app.shows(&site.clock);
    let before = site.sessions.count();
    site.begin(BROWSER).await;
    assert_eq!(site.sessions.count(), before, "no session");
    assert!(matches!(site.code(TokenHash([8; 32]), &used).await, CodeOutcome::Over), "another browser");
    assert!(matches!(site.code(BROWSER, &used).await, CodeOutcome::Refused(_)), "it has confirmed the key");
    let code = site.next_code(&app);
    let CodeOutcome::SignedIn(done) = site.code(BROWSER, &code).await else { panic!() };
    assert_eq!(done.shown, Shown::Code);
    assert_eq!(site.sessions.check(&done.token).unwrap().proof(), Proof::PasswordAndCode);
    assert!(matches!(site.code(BROWSER, &code).await, CodeOutcome::Over), "nothing waits any more");
    site.begin(BROWSER).await;
    assert!(matches!(site.code(BROWSER, &code).await, CodeOutcome::Refused(_)), "each code once");
    site.clock.advance(Duration::from_secs(30));
    assert!(matches!(site.code(BROWSER, &code).await, CodeOutcome::Refused(_)), "though it is in the window");
}

#[tokio::test]
async fn two_judged_alike_are_not_both_written_down() {
    let site = Site::open().await;
    let (app, codes, _) = site.enrol().await;
    for code in [site.next_code(&app), codes[0].clone()] {
        let user = site.store.user(site.alice).unwrap().unwrap();
        let judge = async || {
            let reserved = crate::auth::throttle::reserved();
            let code = Secret::new(code.clone());
            let judged = site.second_factors.judge(reserved, user.clone(), &code);
            judged.await.unwrap().unwrap().0
        };
        let (one, other) = (judge().await, judge().await);
        let open = async |met| site.sessions.start(met, Persistence::Browser, "", vec![]).await;
        assert!(open(one).await.is_ok());
        assert_eq!(open(other).await.err(), Some(StoreError::Abandoned), "{code}");
    }
}

#[tokio::test]
async fn auth_10_a_session_that_is_on_its_way_while_a_second_factor_is_set_up_is_not_opened() {
    let site = Site::open().await;
    let user = site.store.user(site.alice).unwrap().unwrap();
    let Ok(Asked::Nothing(met)) = site.second_factors.asked_of(user, None) else { panic!() };
    site.enrol().await;
    let late = site.sessions.start(met, Persistence::Browser, "", vec![]).await;
    assert_eq!(late.err(), Some(StoreError::Abandoned));
}

#[tokio::test]
async fn the_code_has_five_minutes_and_the_password_it_follows_must_still_be_right() {
    let site = Site::open().await;
    let (app, ..) = site.enrol().await;
    site.begin(BROWSER).await;
    site.clock.advance(SecondFactors::WAITING);
    assert!(matches!(site.code(BROWSER, &app.shows(&site.clock)).await, CodeOutcome::Over));
    site.begin(BROWSER).await;
    let change = Change::ReviseUser(
        site.alice,
        Box::new(|user| {
            user.password = Some("another".to_owned());
            Verdict::Keep
        }),
    );
    site.store.apply(vec![change]).await.unwrap();
    assert!(matches!(site.code(BROWSER, &app.shows(&site.clock)).await, CodeOutcome::Over));
}

#[tokio::test]
async fn recovery_codes_work_once_each_and_die_when_new_ones_are_made() {
    let site = Site::open().await;
    let (app, codes, _) = site.enrol().await;
    site.begin(BROWSER).await;
    let typed = codes[3].to_uppercase().replace('-', " ");
    let CodeOutcome::SignedIn(done) = site.code(BROWSER, &typed).await else { panic!() };
    assert_eq!(done.shown, Shown::Recovery(9));
    assert_eq!(site.second_factors.of(site.alice).unwrap().unwrap().recovery_codes, 9);
    site.begin(BROWSER).await;
    assert!(matches!(site.code(BROWSER, &codes[3]).await, CodeOutcome::Refused(_)));
    let new: Vec<_> =
        site.second_factors.renew_recovery(site.alice).await.unwrap().unwrap().shown().collect();
    assert!(matches!(site.code(BROWSER, &codes[4]).await, CodeOutcome::Refused(_)));
    assert!(matches!(site.code(BROWSER, &new[0]).await, CodeOutcome::SignedIn(_)));
    site.begin(BROWSER).await;
    let code = site.next_code(&app);
    assert!(matches!(site.code(BROWSER, &code).await, CodeOutcome::SignedIn(_)), "the app goes on");
}

/// SECURITY: L4.
#[tokio::test]
async fn thr_01_thr_08_wrong_codes_and_wrong_passwords_are_counted_together_and_a_right_password_forgives_none()
 {
    let site = Site::open().await;
    let (app, ..) = site.enrol().await;
    let mut judged = 0;
    for _ in 0..40 {
        if let SignInOutcome::SecondFactorAwaited(right) = site.by_password(Way::Password, None).await {
            site.sign_in.await_code(BROWSER, right, None);
        }
        judged += u32::from(matches!(site.code(BROWSER, "wrong").await, CodeOutcome::Refused(_)));
    }
    assert_eq!(judged, 5, "then whoever tries has to wait");
    assert_eq!(site.throttle.standing(site.alice).unwrap().wrong, 5);
    let waits = site.by_password(Way::Password, None).await;
    assert!(matches!(waits, SignInOutcome::Throttled(..)), "{waits:?}");
    site.clock.advance(Duration::from_secs(60));
    site.begin(BROWSER).await;
    let right = site.code(BROWSER, &app.shows(&site.clock)).await;
    assert!(matches!(right, CodeOutcome::SignedIn(_)), "{right:?}");
    assert_eq!(site.throttle.standing(site.alice).unwrap().wrong, 0, "a right code forgives");
}

#[tokio::test]
async fn a_trusted_browser_is_asked_for_no_code_to_sign_in_and_for_one_to_confirm() {
    let site = Site::open().await;
    site.enrol().await;
    let token = site.second_factors.trust_device(site.alice, "Firefox").await.unwrap().unwrap();
    let trusted = site.by_password(Way::Password, Some(&token)).await;
    let SignInOutcome::SignedIn(session, ..) = trusted else { panic!("{trusted:?}") };
    let session = site.sessions.check(&session).unwrap();
    assert_eq!((session.proof(), session.proved_at()), (Proof::TrustedDevice, None));
    assert!(!site.second_factors.may_be_changed_by(&session).unwrap());
    let confirming = site.by_password(Way::Confirm, Some(&token)).await;
    assert!(matches!(confirming, SignInOutcome::SecondFactorAwaited(_)), "{confirming:?}");
    let stranger = site.by_password(Way::Password, Some(&TrustToken::generate())).await;
    assert!(matches!(stranger, SignInOutcome::SecondFactorAwaited(_)), "{stranger:?}");
}

#[tokio::test]
async fn trust_ends_with_its_time_by_the_member_with_the_password_and_with_the_second_factor() {
    for end in ["time", "member", "reset", "removed", "set up anew", "switched off"] {
        let site = Site::open().await;
        site.enrol().await;
        let token = site.second_factors.trust_device(site.alice, "Firefox").await.unwrap().unwrap();
        match end {
            "time" => site.clock.advance(Duration::from_secs(30 * 86_400)),
            "member" => {
                let [(name, _)] = &site.second_factors.trusted(site.alice).unwrap()[..] else { panic!() };
                assert!(site.second_factors.end_trust(site.alice, name).await.unwrap());
            }
            "reset" => {
                let link = site.accounts.link(site.alice, LinkKind::Reset).await.unwrap();
                let name = UserName::parse("alice").unwrap();
                let (text, about) = (Secret::new(PASSWORD.to_owned()), About::from_names(&name, None, None));
                let chosen = NewPassword { text, about, min_chars: 8 };
                let set = site.accounts.redeem(&link, chosen, "".into()).await;
                assert_eq!(set, Ok(SetupOutcome::Done(LinkKind::Reset)));
            }
            "removed" => assert!(site.second_factors.remove(site.alice).await.unwrap()),
            "set up anew" => {
                site.second_factors.remove(site.alice).await.unwrap();
                site.enrol().await;
            }
            _ => site.second_factors.set_options(SecondFactorOptions { trust: None, ..options() }),
        }
        let outcome = site.by_password(Way::Password, Some(&token)).await;
        if end == "removed" {
            assert!(matches!(outcome, SignInOutcome::SignedIn(_, _, Beside::Nothing)), "{outcome:?}");
        } else {
            assert!(matches!(outcome, SignInOutcome::SecondFactorAwaited(_)), "{end}: {outcome:?}");
        }
        if end != "switched off" {
            assert_eq!(site.second_factors.trusted(site.alice), Ok(vec![]), "{end}");
        }
    }
}

#[tokio::test]
async fn more_devices_than_twenty_are_not_trusted_and_the_oldest_goes() {
    let site = Site::open().await;
    site.enrol().await;
    for number in 0..25 {
        site.clock.advance(Duration::from_secs(1));
        let token = site.second_factors.trust_device(site.alice, &number.to_string()).await.unwrap();
        assert!(token.is_some());
    }
    let names: Vec<_> = site.second_factors.trusted(site.alice).unwrap();
    let names: Vec<_> = names.into_iter().map(|(_, device)| device.user_agent).collect();
    assert_eq!(names, (5..25).rev().map(|number| number.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn where_they_are_switched_off_nobody_is_asked() {
    let site = Site::open().await;
    site.enrol().await;
    site.second_factors.set_options(SecondFactorOptions { availability: Availability::Off, ..options() });
    let outcome = site.by_password(Way::Password, None).await;
    assert!(matches!(outcome, SignInOutcome::SignedIn(_, _, Beside::Nothing)), "{outcome:?}");
}
