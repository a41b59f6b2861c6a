use std::sync::Arc;
use std::time::Duration;

use super::options::AppPasswordOptions;
use super::*;
use crate::auth::events::What;
use crate::auth::passwords::About;
use crate::auth::second_factors::FactorsMet;
use crate::auth::{
    Accounts, HashingCost, LiveSession, NewPassword, NewUser, OtherSessions, PasswordChange, PasswordPolicy,
    Passwords, SessionToken, Sessions, SetupOutcome,
};
use crate::domain::{
    Clock, Lifetimes, LinkKind, ManualClock, PasskeyName, PathPattern, Persistence, Profile, Proof, Secret,
    SessionId, Timestamp, User, UserName, UserState,
};
use crate::store::{Change, Drawer, MemoryStore, Owner, Store, Verdict};

const FEED: &str = "/feed/new.xml";

struct Bench {
    store: Arc<dyn Store>,
    clock: Arc<ManualClock>,
    sessions: Arc<Sessions>,
    accounts: Accounts,
    alice: User,
}

fn lifetimes() -> Lifetimes {
    let day = Duration::from_secs(86_400);
    Lifetimes { idle: day, absolute: day, remember: day * 30, shared: day }
}

fn options(paths: &[&str]) -> AppPasswordOptions {
    let paths = paths.iter().map(|path| PathPattern::parse(path).unwrap()).collect();
    AppPasswordOptions { paths, max_per_member: 3 }
}

fn feeds() -> AppPasswordOptions {
    options(&["/feed/**", "/api/**"])
}

fn password() -> Secret<String> {
    Secret::new("a few words nobody puts together".to_owned())
}

/// The same, as alice chooses it.
fn chosen(bench: &Bench) -> NewPassword {
    let about = About::from_names(&bench.alice.profile.name, None, None);
    NewPassword { text: password(), about, min_chars: 15 }
}

impl Bench {
    async fn open() -> Self {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let manual = Arc::new(ManualClock::at(Timestamp::from_millis(1_795_327_200_000)));
        let clock: Arc<dyn Clock> = Arc::clone(&manual) as _;
        let sessions = Arc::new(Sessions::open(store.clone(), clock.clone(), lifetimes()).unwrap());
        let passwords =
            Arc::new(Passwords::new(HashingCost { memory_kib: 8, iterations: 1, parallelism: 1 }, 1));
        let policy = PasswordPolicy { min_chars: 15, with_second_factor: 8 };
        let accounts = Accounts::new(store.clone(), sessions.clone(), passwords, clock, policy);
        let name = UserName::parse("Alice").unwrap();
        let email = Some("Alice@wonderland.example".to_owned());
        let new = NewUser { name, full_name: None, email, groups: vec![] };
        let alice = accounts.add(new, None).await.unwrap();
        Self { store, clock: manual, sessions, accounts, alice }
    }

    async fn sign_in(&self) -> (SessionToken, Arc<LiveSession>) {
        let met = FactorsMet::unasked(self.alice.clone());
        let token = self.sessions.start(met, Persistence::Browser, "Firefox", vec![]).await.unwrap();
        let live = self.sessions.check(&token).unwrap();
        (token, live)
    }

    async fn try_to_make(
        &self,
        session: &LiveSession,
        name: &str,
        chosen: Option<&[&str]>,
    ) -> MadeAppPassword {
        let chosen = chosen.map(|all| all.iter().map(|path| (*path).to_owned()).collect());
        let new = NewAppPassword { name: PasskeyName::parse(name).unwrap(), chosen };
        self.accounts.make_app_password(session, new, 3, vec![]).await.unwrap()
    }

    /// One for all paths, made in a session of its own.
    async fn made(&self, name: &str) -> Credentials {
        let (_, session) = self.sign_in().await;
        match self.try_to_make(&session, name, None).await {
            MadeAppPassword::Made(password) => Credentials { name: Some("alice".to_owned()), password },
            MadeAppPassword::Not(obstacle) => panic!("{obstacle:?}"),
        }
    }

    fn check(&self, presented: &Credentials, path: &str) -> Result<Arc<Profile>, RefusedAppPassword> {
        Ok(self.sessions.check_app_password(presented, &feeds(), path)?.profile())
    }

    fn counts(&self, presented: &Credentials) -> bool {
        self.check(presented, FEED).is_ok()
    }

    /// What the next start makes of the store.
    fn restarted(&self) -> Sessions {
        Sessions::open(self.store.clone(), self.clock.clone(), lifetimes()).unwrap()
    }

    /// Whether it counts nowhere: not in memory, not on the disk.
    fn is_gone(&self, presented: &Credentials) -> bool {
        let kept = self.store.records(Drawer::AppPassword, Owner::Member(self.alice.profile.id)).unwrap();
        let later = self.restarted().check_app_password(presented, &feeds(), FEED);
        !self.counts(presented) && kept.is_empty() && later.is_err()
    }
}

#[tokio::test]
async fn an_app_password_names_its_member_at_its_paths_and_survives_a_restart() {
    let bench = Bench::open().await;
    let made = bench.made("Phone").await;
    assert_eq!(bench.check(&made, FEED).unwrap().name.as_str(), "Alice");
    let again = bench.restarted().check_app_password(&made, &feeds(), FEED).unwrap();
    assert_eq!(again.user(), bench.alice.profile.id);
    let other = Credentials { name: None, password: AppPassword::generate() };
    assert_eq!(bench.check(&other, FEED), Err(RefusedAppPassword::Unknown));
}

#[tokio::test]
async fn it_is_taken_with_its_members_name_or_address_in_any_spelling_and_with_nobody_elses() {
    let bench = Bench::open().await;
    let made = bench.made("Phone").await;
    for name in [None, Some("ALICE"), Some(" alice "), Some("alice@WONDERLAND.example")] {
        let presented = Credentials { name: name.map(str::to_owned), password: reread(&made.password) };
        assert!(bench.counts(&presented), "{name:?}");
    }
    for name in ["", "bob", "alice@elsewhere.example"] {
        let presented = Credentials { name: Some(name.to_owned()), password: reread(&made.password) };
        let refused = RefusedAppPassword::WrongName(bench.alice.profile.id);
        assert_eq!(bench.check(&presented, FEED), Err(refused), "{name}");
    }
}

fn reread(password: &AppPassword) -> AppPassword {
    AppPassword::parse(&password.shown()).unwrap()
}

#[tokio::test]
async fn p7_it_counts_where_the_operator_and_its_member_say_and_nowhere_else() {
    let bench = Bench::open().await;
    let (_, session) = bench.sign_in().await;
    let MadeAppPassword::Made(password) = bench.try_to_make(&session, "API", Some(&["/api/**"])).await else {
        panic!()
    };
    let made = Credentials { name: None, password };
    assert!(bench.check(&made, "/api/posts").is_ok());
    let elsewhere = Err(RefusedAppPassword::Elsewhere(bench.alice.profile.id));
    for path in [FEED, "/", "/apis", "/api.php/x"] {
        assert_eq!(bench.check(&made, path), elsewhere, "{path}");
    }
    // A path that the operator names no longer, or anew, is what the operator says.
    let now = options(&["/feed/**"]);
    assert!(bench.sessions.check_app_password(&made, &now, "/api/posts").is_err());
    let whole = bench.made("All").await;
    let wider = options(&["/feed/**", "/more/*.xml"]);
    assert!(bench.sessions.check_app_password(&whole, &wider, "/more/x.xml").is_ok());
    assert!(bench.sessions.check_app_password(&whole, &wider, "/more/x.php/y.xml").is_err());
    let deep = options(&["/**/*.xml"]);
    assert!(bench.sessions.check_app_password(&whole, &deep, "/a/index.php/y.xml").is_err());
}

#[tokio::test]
async fn a_member_has_so_many_and_no_two_of_one_name() {
    let bench = Bench::open().await;
    let (_, session) = bench.sign_in().await;
    bench.made("A").await;
    let not = |made| match made {
        MadeAppPassword::Not(obstacle) => obstacle,
        MadeAppPassword::Made(_) => panic!("it was made"),
    };
    assert_eq!(not(bench.try_to_make(&session, "A", None).await), Obstacle::NameTaken);
    let (b, c) = tokio::join!(bench.try_to_make(&session, "B", None), bench.try_to_make(&session, "B", None));
    let made = [b, c].into_iter().filter(|made| matches!(made, MadeAppPassword::Made(_))).count();
    assert_eq!(made, 1, "of two at once, too");
    bench.made("C").await;
    assert_eq!(not(bench.try_to_make(&session, "D", None).await), Obstacle::Full);
    let names: Vec<_> = bench
        .accounts
        .app_passwords(bench.alice.profile.id)
        .unwrap()
        .into_iter()
        .map(|one| one.name)
        .collect();
    assert_eq!(names, ["A", "B", "C"]);
}

#[tokio::test]
async fn s6_a_removed_one_counts_no_longer_at_once_and_after_a_restart() {
    let bench = Bench::open().await;
    let (lost, kept) = (bench.made("Lost").await, bench.made("Kept").await);
    let user = bench.alice.profile.id;
    let id = bench.accounts.app_passwords(user).unwrap()[0].id.clone();
    assert_eq!(
        bench.accounts.remove_app_password(crate::domain::UserId([9; 16]), &id, vec![]).await,
        Ok(false)
    );
    assert!(bench.counts(&lost), "another member removes nothing");
    assert_eq!(bench.accounts.remove_app_password(user, &id, vec![]).await, Ok(true));
    assert_eq!(bench.accounts.remove_app_password(user, &id, vec![]).await, Ok(false));
    assert!(!bench.counts(&lost) && bench.counts(&kept));
    let later = bench.restarted();
    assert!(later.check_app_password(&lost, &feeds(), FEED).is_err());
    assert!(later.check_app_password(&kept, &feeds(), FEED).is_ok());
}

#[tokio::test]
async fn s6_whatever_ends_a_members_access_ends_them() {
    let user = |bench: &Bench| bench.alice.profile.id;
    let bench = Bench::open().await;
    let made = bench.made("Phone").await;
    bench.accounts.disable(user(&bench)).await.unwrap();
    assert!(bench.is_gone(&made), "disabled");
    bench.accounts.enable(user(&bench)).await.unwrap();
    assert!(bench.is_gone(&made), "and enabled again");

    let bench = Bench::open().await;
    let made = bench.made("Phone").await;
    bench.accounts.delete(user(&bench)).await.unwrap();
    assert!(bench.is_gone(&made), "deleted");

    let bench = Bench::open().await;
    let made = bench.made("Phone").await;
    let (token, session) = bench.sign_in().await;
    let event = bench.accounts.happened(What::WasNotMe);
    bench.accounts.shut_out(user(&bench), Some(session.id()), event).await.unwrap();
    assert!(bench.is_gone(&made) && bench.sessions.check(&token).is_some(), "shut out");

    let bench = Bench::open().await;
    let made = bench.made("Phone").await;
    let event = bench.accounts.happened(What::Deactivated);
    bench.accounts.switch_off(user(&bench), UserState::Deactivated, event).await.unwrap();
    bench.accounts.come_back(user(&bench)).await.unwrap();
    assert!(bench.is_gone(&made), "switched off, and back");

    let bench = Bench::open().await;
    let made = bench.made("Phone").await;
    let link = bench.accounts.link(user(&bench), LinkKind::Reset).await.unwrap();
    let reset = bench.accounts.redeem(&link, chosen(&bench), "".into()).await.unwrap();
    assert_eq!(reset, SetupOutcome::Done(LinkKind::Reset));
    assert!(bench.is_gone(&made), "reset");
}

#[tokio::test]
async fn s6_a_changed_password_ends_them_if_its_member_wants_that() {
    for (others, stay) in [(OtherSessions::Keep, true), (OtherSessions::End, false)] {
        let bench = Bench::open().await;
        let made = bench.made("Phone").await;
        let (_, session) = bench.sign_in().await;
        let alice = bench.accounts.account(bench.alice.profile.id).unwrap().unwrap();
        let changing = bench.accounts.change_password(&session, &alice, chosen(&bench), others, "".into());
        let changed = changing.await.unwrap();
        assert!(matches!(changed, PasswordChange::Done(_)));
        assert_eq!(bench.counts(&made), stay);
        assert_eq!(bench.is_gone(&made), !stay);
    }
}

/// Whoever is thrown out must not leave a door open that they were just making.
#[tokio::test]
async fn s6_a_session_that_has_ended_makes_none() {
    let bench = Bench::open().await;
    let (_, intruder) = bench.sign_in().await;
    let event = bench.accounts.happened(What::WasNotMe);
    bench.accounts.shut_out(bench.alice.profile.id, None, event).await.unwrap();
    let made = bench.try_to_make(&intruder, "Mine", None).await;
    assert!(matches!(made, MadeAppPassword::Not(Obstacle::Over)), "{made:?}");
    assert!(bench.accounts.app_passwords(bench.alice.profile.id).unwrap().is_empty());
    assert!(bench.sessions.app_password_ids().is_empty());
}

#[tokio::test]
async fn of_a_member_who_is_not_active_none_is_read_at_the_start() {
    let bench = Bench::open().await;
    let made = bench.made("Phone").await;
    let disable = Change::ReviseUser(
        bench.alice.profile.id,
        Box::new(|user| {
            user.state = UserState::Disabled;
            Verdict::Keep
        }),
    );
    bench.store.apply(vec![disable]).await.unwrap();
    assert!(bench.restarted().check_app_password(&made, &feeds(), FEED).is_err());
}

/// SECURITY: L9. It is what its member had shown, and never fresh.
#[tokio::test]
async fn what_it_opens_is_as_strong_as_the_session_it_was_made_in_and_never_fresh() {
    let bench = Bench::open().await;
    let made = bench.made("Phone").await;
    let live = bench.sessions.check_app_password(&made, &feeds(), FEED).unwrap();
    assert_eq!(live.proof(), Proof::Password);
    let profile = live.profile();
    let presence = live.presence(&profile);
    assert!(bench.clock.now().since(presence.proved_at.unwrap()) > Duration::from_secs(365 * 86_400));
    assert!(bench.clock.now().since(live.signed_in_at()) > Duration::from_secs(365 * 86_400));
}

#[tokio::test]
async fn its_use_is_written_down_once_a_day_and_told_at_once() {
    let bench = Bench::open().await;
    let made = bench.made("Phone").await;
    let told = || bench.accounts.app_passwords(bench.alice.profile.id).unwrap()[0].last_used;
    let written = || {
        let records =
            bench.store.records(Drawer::AppPassword, Owner::Member(bench.alice.profile.id)).unwrap();
        String::from_utf8_lossy(&records[0].1).into_owned()
    };
    let unused = written();
    bench.sessions.sweep().await.unwrap();
    assert_eq!((told(), written()), (None, unused.clone()));
    let first = bench.clock.now();
    assert!(bench.counts(&made));
    assert_eq!((told(), written()), (Some(first), unused), "no request writes to the store");
    bench.sessions.sweep().await.unwrap();
    let once = written();
    assert!(once.contains(&first.as_millis().to_string()), "{once}");
    bench.clock.advance(Duration::from_secs(86_399));
    assert!(bench.counts(&made));
    bench.sessions.sweep().await.unwrap();
    assert_eq!((told(), written()), (Some(bench.clock.now()), once.clone()));
    bench.clock.advance(Duration::from_secs(1));
    assert!(bench.counts(&made));
    bench.sessions.sweep().await.unwrap();
    assert_ne!(written(), once);
}

#[tokio::test]
async fn who_listens_is_told_of_each_that_is_over() {
    let bench = Bench::open().await;
    let told: Arc<std::sync::Mutex<Vec<SessionId>>> = Arc::default();
    let hears = Arc::clone(&told);
    bench.sessions.tell(move |id| hears.lock().unwrap().push(id));
    bench.made("A").await;
    bench.made("B").await;
    let ids = bench.sessions.app_password_ids();
    let user = bench.alice.profile.id;
    let id = bench.accounts.app_passwords(user).unwrap()[0].id.clone();
    bench.accounts.remove_app_password(user, &id, vec![]).await.unwrap();
    assert_eq!(told.lock().unwrap().len(), 1);
    bench.accounts.disable(user).await.unwrap();
    let told = told.lock().unwrap();
    assert!(ids.iter().all(|id| told.contains(id)), "the forum's sessions go with them");
}

#[test]
fn s1_backups_hold_none() {
    assert!(!Drawer::AppPassword.is_in_backups(), "a removed one would be back");
}
