//! Signing in with a name and a password, and with the code that may be asked after it.

mod code;

pub use self::code::{Answered, CodeAttempt, CodeOutcome, LinkFactors, PasswordRight, SignedInByCode};

use std::net::IpAddr;
use std::sync::Arc;

use super::identifier::{Identified, identify};
use super::joining::waiting::is_waiting;
use super::second_factors::{Asked, FactorsMet, SecondFactors, TrustToken};
use super::throttle::{DeviceId, Marks, Reserved, Throttle, Throttled, Try, Way, Who};
use super::{LiveSession, Passwords, SessionToken, Sessions, Verified};
use crate::domain::{Beside, Clock, Persistence, Profile, Secret, User, UserId, UserState};
use crate::store::{Change, Store, StoreError, Verdict};

/// What was typed into the sign-in form.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// The name or e-mail address, in any spelling.
    pub name: &'a str,
    /// The password.
    pub password: Secret<String>,
    /// Whether "stay signed in" was ticked.
    pub persistence: Persistence,
    /// What the browser calls itself.
    pub user_agent: &'a str,
    /// Which way in it is.
    pub way: Way,
    /// From where.
    pub from: IpAddr,
    /// The session the browser has already, if it has one.
    pub session: Option<&'a LiveSession>,
    /// Who has signed in there before.
    pub marks: &'a Marks,
    /// What the browser brings of a member's trust in it. Counts for signing in alone.
    pub trust: Option<&'a TrustToken>,
}

/// How an attempt ended.
#[derive(Debug)]
pub enum SignInOutcome {
    /// Too many are signing in at this moment; nothing was checked.
    Busy,
    /// Name and password do not belong together, or the account may not sign in. Which of them is not said.
    Refused(RefusedBecause),
    /// The password was right, and a code has to come before the member is in.
    SecondFactorAwaited(PasswordRight),
    /// Signed in; what was there beside the password.
    SignedIn(SessionToken, Arc<Profile>, Beside),
    /// Too many have been tried; nothing was checked. Whose account it would have been is for the log alone.
    Throttled(Throttled, Option<UserId>),
}

/// Why, for the log alone; the answer to the visitor is the same (SECURITY: L5, THR-13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedBecause {
    /// The account is disabled.
    Disabled,
    /// An e-mail address that several accounts have.
    SharedEmail,
    /// Name and password were right, and this account waits for an operator. They are told.
    Applicant,
    /// Name and password were right, and this member switched the account off. They are told, and may come back.
    SwitchedOff(UserId),
    /// No account of that name or e-mail address.
    UnknownName,
    /// The password is not the account's, or it has none.
    WrongPassword,
}

/// The ways in.
pub struct SignIn {
    store: Arc<dyn Store>,
    sessions: Arc<Sessions>,
    passwords: Arc<Passwords>,
    throttle: Arc<Throttle>,
    second_factors: Arc<SecondFactors>,
    clock: Arc<dyn Clock>,
}

impl SignIn {
    /// Wires the use case.
    pub fn new(
        store: Arc<dyn Store>,
        sessions: Arc<Sessions>,
        passwords: Arc<Passwords>,
        throttle: Arc<Throttle>,
        second_factors: Arc<SecondFactors>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { store, sessions, passwords, throttle, second_factors, clock }
    }

    /// Tries a name and a password. The same work is done whether or not the name exists (SECURITY: L5).
    pub async fn by_password(&self, attempt: Attempt<'_>) -> Result<SignInOutcome, StoreError> {
        let identified = identify(self.store.as_ref(), attempt.name)?;
        let user = match &identified {
            Identified::One(user) => Some(user.profile.id),
            Identified::Nobody | Identified::Several => None,
        };
        let reserved = match self.throttle.reserve(&self.wanted(&attempt, &identified))? {
            Ok(reserved) => reserved,
            Err(throttled) => return Ok(SignInOutcome::Throttled(throttled, user)),
        };
        let outcome = self.verified(&attempt, identified, &reserved).await?;
        match &outcome {
            // SECURITY: THR-01. Wrong codes stay counted: else whoever has the password could try them all.
            SignInOutcome::Busy | SignInOutcome::SecondFactorAwaited(_) => reserved.undone(),
            SignInOutcome::SignedIn(_, profile, _) => reserved.succeeded(profile.id),
            SignInOutcome::Refused(_) | SignInOutcome::Throttled(..) => {}
        }
        Ok(outcome)
    }

    /// A session of the member is a device of theirs, too (SECURITY: THR-02); another account's is none.
    fn wanted<'a>(&self, attempt: &Attempt<'a>, identified: &Identified) -> Try<'a> {
        let Attempt { way, from, .. } = *attempt;
        let Identified::One(user) = identified else {
            return Try { way, who: Who::Name(attempt.name), from, device: None };
        };
        let device = self.device(user, attempt.session, attempt.marks);
        Try { way, who: Who::Member(user.profile.id), from, device }
    }

    fn device(&self, user: &User, session: Option<&LiveSession>, marks: &Marks) -> Option<DeviceId> {
        let own = session.filter(|session| session.user() == user.profile.id);
        own.map(LiveSession::device).or_else(|| self.throttle.device(marks, user))
    }

    async fn verified(
        &self,
        attempt: &Attempt<'_>,
        identified: Identified,
        reserved: &Reserved,
    ) -> Result<SignInOutcome, StoreError> {
        if let Some(outcome) = self.try_password(attempt, identified, reserved).await? {
            return Ok(outcome);
        }
        // A member who clicks twice signs in twice at once, and the first may renew the hash that the second has read.
        let again = identify(self.store.as_ref(), attempt.name)?;
        let outcome = self.try_password(attempt, again, reserved).await?;
        Ok(outcome.unwrap_or(SignInOutcome::Refused(RefusedBecause::WrongPassword)))
    }

    /// None if the account has changed since it was read.
    async fn try_password(
        &self,
        attempt: &Attempt<'_>,
        identified: Identified,
        reserved: &Reserved,
    ) -> Result<Option<SignInOutcome>, StoreError> {
        let refused = |because| Ok(Some(SignInOutcome::Refused(because)));
        let (user, nobody) = match identified {
            Identified::Nobody => (None, RefusedBecause::UnknownName),
            Identified::One(user) => (Some(*user), RefusedBecause::UnknownName),
            Identified::Several => (None, RefusedBecause::SharedEmail),
        };
        let stored = user.as_ref().and_then(|user| user.password.clone());
        let verified = self.passwords.verify(reserved, stored.clone(), attempt.password.clone()).await;
        let Ok(verified) = verified else { return Ok(Some(SignInOutcome::Busy)) };
        let Some(user) = user else { return refused(nobody) };
        if !verified.matches {
            return refused(RefusedBecause::WrongPassword);
        }
        match user.state {
            UserState::Active => {}
            UserState::Deactivated | UserState::Leaving => {
                return refused(RefusedBecause::SwitchedOff(user.profile.id));
            }
            UserState::Disabled if is_waiting(self.store.as_ref(), user.profile.id)? => {
                return refused(RefusedBecause::Applicant);
            }
            UserState::Disabled => return refused(RefusedBecause::Disabled),
        }
        let Verified { upgraded, .. } = verified;
        let trust = attempt.trust.filter(|_| attempt.way == Way::Password);
        let met = match self.second_factors.asked_of(user, trust)? {
            Asked::Nothing(met) => met,
            Asked::Code(user, code_way) => {
                let (persistence, way) = (attempt.persistence, attempt.way);
                let right =
                    PasswordRight { user: user.profile.id, stored, upgraded, persistence, way, code_way };
                return Ok(Some(SignInOutcome::SecondFactorAwaited(right)));
            }
        };
        self.open(met, attempt.persistence, attempt.user_agent, stored, upgraded).await
    }

    /// None if the account has changed since it was read.
    async fn open(
        &self,
        met: FactorsMet,
        persistence: Persistence,
        user_agent: &str,
        stored: Option<String>,
        upgraded: Option<String>,
    ) -> Result<Option<SignInOutcome>, StoreError> {
        let now = self.clock.now();
        let (profile, beside) = (Arc::new(met.user().profile.clone()), met.beside());
        let revision = Change::ReviseUser(
            profile.id,
            Box::new(move |current| {
                // What was verified must still be what is stored.
                if current.state != UserState::Active || current.password != stored {
                    return Verdict::Abandon;
                }
                current.last_sign_in = Some(now);
                current.password = upgraded.or(stored);
                Verdict::Keep
            }),
        );
        match self.sessions.start(met, persistence, user_agent, vec![revision]).await {
            Ok(token) => Ok(Some(SignInOutcome::SignedIn(token, profile, beside))),
            Err(StoreError::Abandoned | StoreError::NoSuchUser) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::auth::second_factors::second_factors;
    use crate::auth::throttle::ThrottleOptions;
    use crate::auth::{Accounts, HashingCost, NewUser, PasswordPolicy};
    use crate::domain::{Lifetimes, ManualClock, Timestamp, UserName};
    use crate::store::MemoryStore;

    use crate::auth::passwords::{Columns, Source, read};

    const PASSWORD: &str = "Wonder-land.2049";

    struct Site {
        store: Arc<dyn Store>,
        clock: Arc<ManualClock>,
        sign_in: SignIn,
    }

    impl Site {
        /// With the member alice, who has this stored.
        async fn with(stored: String) -> Self {
            let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
            let manual = Arc::new(ManualClock::at(Timestamp::from_millis(1_000)));
            let clock: Arc<dyn Clock> = Arc::clone(&manual) as _;
            let day = Duration::from_secs(86_400);
            let lifetimes = Lifetimes { idle: day, absolute: day, remember: day, shared: day };
            let sessions = Arc::new(Sessions::open(store.clone(), clock.clone(), lifetimes).unwrap());
            let passwords = Arc::new(Passwords::new(cost(16), 1));
            let policy = PasswordPolicy { min_chars: 8, with_second_factor: 8 };
            let accounts =
                Accounts::new(store.clone(), sessions.clone(), passwords.clone(), clock.clone(), policy);
            let name = UserName::parse("alice").unwrap();
            let new = NewUser { name, full_name: None, email: None, groups: vec![] };
            accounts.add(new, Some(stored)).await.unwrap();
            let throttle = Throttle::open(ThrottleOptions::default(), store.clone(), clock.clone());
            let second_factors = second_factors(&store, &sessions, &clock);
            let throttle = Arc::new(throttle.unwrap());
            let sign_in = SignIn::new(store.clone(), sessions, passwords, throttle, second_factors, clock);
            Self { sign_in, store, clock: manual }
        }

        async fn attempt(&self, password: &str) -> SignInOutcome {
            self.attempt_from(password, [127, 0, 0, 1], &Marks::default()).await
        }

        async fn attempt_from(&self, password: &str, from: [u8; 4], marks: &Marks) -> SignInOutcome {
            let attempt = Attempt {
                name: "alice",
                password: Secret::new(password.to_owned()),
                persistence: Persistence::Browser,
                user_agent: "",
                way: Way::Password,
                from: from.into(),
                session: None,
                marks,
                trust: None,
            };
            self.sign_in.by_password(attempt).await.unwrap()
        }

        fn stored(&self) -> String {
            self.store.user_by_name("alice").unwrap().unwrap().password.unwrap()
        }
    }

    fn cost(memory_kib: u32) -> HashingCost {
        HashingCost { memory_kib, iterations: 1, parallelism: 1 }
    }

    #[tokio::test]
    async fn two_sign_ins_at_once_both_work_while_the_hash_is_renewed() {
        let phc = Passwords::new(cost(8), 1).hash(Secret::new(PASSWORD.to_owned())).await.unwrap();
        let site = Site::with(phc).await;
        let (one, other) = tokio::join!(site.attempt(PASSWORD), site.attempt(PASSWORD));
        for outcome in [one, other] {
            assert!(matches!(outcome, SignInOutcome::SignedIn(..)), "{outcome:?}");
        }
    }

    #[tokio::test]
    async fn thr_01_no_more_than_a_hundred_wrong_passwords_in_a_row_are_ever_verified() {
        let phc = Passwords::new(cost(8), 1).hash(Secret::new(PASSWORD.to_owned())).await.unwrap();
        let site = Site::with(phc).await;
        assert!(matches!(site.attempt(PASSWORD).await, SignInOutcome::SignedIn(..)));
        let alice = site.store.user_by_name("alice").unwrap().unwrap().profile.id;
        let throttle = &site.sign_in.throttle;
        let devices: Vec<_> =
            (0..9).map(|_| throttle.mark(&Marks::default(), alice).unwrap().unwrap()).collect();
        let before = site.sign_in.passwords.hashes();
        for n in 0..600_u16 {
            let [high, low] = n.to_be_bytes();
            site.attempt_from("wrong", [10, high, low, 1], &Marks::default()).await;
            site.attempt_from("wrong", [10, high, low, 2], &devices[usize::from(n % 9)]).await;
            site.clock.advance(Duration::from_secs(3_600));
        }
        assert_eq!(site.sign_in.passwords.hashes() - before, 100);
        let right = site.attempt_from(PASSWORD, [10, 9, 9, 1], &devices[0]).await;
        assert!(matches!(right, SignInOutcome::Throttled(..)), "{right:?}");
        throttle.forgive(alice).unwrap();
        let right = site.attempt_from(PASSWORD, [10, 9, 9, 1], &Marks::default()).await;
        assert!(matches!(right, SignInOutcome::SignedIn(..)), "{right:?}");
    }

    #[tokio::test]
    async fn auth_08_no_old_hash_remains_after_a_sign_in() {
        let hash = b"e4bc950f5c784f1d0aa22808af43d448";
        let columns = Columns { hash, salt: Some(b"aB3dE5gH"), name: "alice" };
        let old = read(Source::MyBb, columns).unwrap().as_str().to_owned();
        let site = Site::with(old.clone()).await;
        let refused = site.attempt("Wonder-land.2050").await;
        assert!(matches!(refused, SignInOutcome::Refused(RefusedBecause::WrongPassword)), "{refused:?}");
        assert_eq!(site.stored(), old);
        for _ in 0..2 {
            let signed_in = site.attempt(PASSWORD).await;
            assert!(matches!(signed_in, SignInOutcome::SignedIn(..)), "{signed_in:?}");
            assert!(site.stored().starts_with("$argon2id$v=19$m=16,t=1,p=1$"), "{}", site.stored());
        }
    }
}
