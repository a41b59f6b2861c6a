//! The throttle: how often anybody may try to get in, whichever way they take.
//!
//! **The rule** (SECURITY: L1 … L3, THR-01 … THR-08, THR-14). Whoever checks a secret needs a [`Reserved`], and gets one from
//! [`Throttle::reserve`] alone, before the check: it counts at once, so tries at the same time can't exceed a budget. What
//! succeeds, or was no try, is taken back; what is dropped stays counted, whatever became of it.
//!
//! What can be guessed counts for the account that was meant, in any spelling, whether or not there is one; for the address,
//! its network, and the whole process. What can't be, a passkey or the token of a link, has budgets of its own and none for
//! the account: no wrong password keeps a passkey out. A [known device](devices) answers for itself alone.
//!
//! Accounts' counts are their own and bounded by the number of accounts; all else is in maps of bounded size that forget what
//! has lost its meaning first. Accounts' counts alone survive a restart (SECURITY: THR-15): [`Throttle::flush`] writes down what
//! has changed, all of it together, so that a flood costs one write a second. A crash forgets what was counted since.

mod account;
mod devices;
mod fading;
mod lane;
mod options;
mod places;
mod window;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

pub use self::account::Wait;
pub use self::devices::Marks;
pub use self::lane::Level;
pub use self::options::ThrottleOptions;

use self::account::Before;
use self::devices::Devices;
use self::fading::Fading;
use self::lane::Lane;
use self::places::Source;
use self::window::Step;
use crate::domain::{Clock, EmailKey, Failures, Place, Secret, Timestamp, User, UserId, UserName, random};
use crate::store::{Batch, Change, Store, StoreError};

/// The ways in. A new one is a line here, in [`Way::is_guessable`] and in [`Way::as_str`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// An app password that is none. Those that are right are found without asking (see [`crate::auth::app_passwords`]).
    AppPassword,
    /// A signed-in member confirms with their password.
    Confirm,
    /// A signed-in member's password at the forum.
    ForumPassword,
    /// Asking for a mail with a link to a new account. Each counts; nothing is checked.
    Join,
    /// A one-time link.
    Link,
    /// Name and password.
    Password,
    /// A passkey, for signing in or confirming.
    Passkey,
    /// Asking for a mail with a link to a new password. Each counts; nothing is checked.
    Reset,
    /// The code of a second factor, after a password or a link.
    SecondFactor,
}

impl Way {
    /// Whether people choose what is checked, or it is short. What can't be guessed is 128 random bits or more.
    const fn is_guessable(self) -> bool {
        match self {
            Self::Confirm | Self::ForumPassword | Self::Password | Self::SecondFactor => true,
            Self::AppPassword | Self::Join | Self::Link | Self::Passkey | Self::Reset => false,
        }
    }

    /// The word for log and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AppPassword => "app-password",
            Self::Confirm => "confirm",
            Self::ForumPassword => "forum-password",
            Self::Join => "join",
            Self::Link => "link",
            Self::Password => "password",
            Self::Passkey => "passkey",
            Self::Reset => "reset",
            Self::SecondFactor => "second-factor",
        }
    }
}

/// Whose account a try is for.
#[derive(Clone, Copy, Debug)]
pub enum Who<'a> {
    /// This member's.
    Member(UserId),
    /// Nobody's: no account has this name or address.
    Name(&'a str),
    /// That shows only if it succeeds.
    Unknown,
}

/// What names a browser in which a member has signed in before.
pub type DeviceId = [u8; 16];

/// A try that is about to be made.
#[derive(Clone, Copy, Debug)]
pub struct Try<'a> {
    /// Which way.
    pub way: Way,
    /// For whom.
    pub who: Who<'a>,
    /// From where.
    pub from: IpAddr,
    /// The device, if the member is known to have signed in there.
    pub device: Option<DeviceId>,
}

/// It is too early for another try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttled {
    /// How long to wait.
    pub wait: Wait,
    /// What ran out; for the log alone.
    pub level: Level,
}

impl Throttled {
    /// When to try again, at the earliest.
    pub const fn retry_after(&self) -> Duration {
        match self.wait {
            Wait::For(time) => time,
            Wait::UntilLifted => Duration::from_secs(24 * 3_600),
        }
    }
}

/// The right to make one try, which is counted already.
#[must_use = "a try is taken back only by saying that it succeeded or was none"]
pub struct Reserved {
    throttle: Arc<Throttle>,
    way: Way,
    /// Where it is counted, and in which step; nowhere for a known device.
    source: Option<(Source, u64)>,
    account: Option<(Key, Place, Before)>,
}

impl Reserved {
    /// The try was right, and this member is in: the wrong tries of their account are forgotten. Those of the address are not
    /// (SECURITY: THR-07).
    pub fn succeeded(self, user: UserId) {
        if let Ok(mut state) = self.throttle.lock() {
            state.take_back(self.way, self.source);
            state.forgive(user);
        }
    }

    /// Nothing was checked, or nothing could be learnt from it.
    pub fn undone(self) {
        if let Ok(mut state) = self.throttle.lock() {
            state.take_back(self.way, self.source);
            if let Some((key, place, before)) = self.account {
                state.take_back_of(key, place, before);
            }
        }
    }
}

/// By source and step, and by account and place.
type Counted = (Option<(Source, u64)>, Option<(Key, Place, Before)>);

/// How an account stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How many wrong tries there were in a row.
    pub wrong: u32,
    /// How many places have to wait for their own sake.
    pub waiting: usize,
    /// How long a try from a new place has to wait.
    pub wait: Wait,
}

/// Whose tries are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Member(UserId),
    /// A hash that is made anew with each start.
    Name(u64),
}

/// One for all ways in.
pub struct Throttle {
    state: Mutex<State>,
    devices: Devices,
    hasher: RandomState,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

struct State {
    options: ThrottleOptions,
    guessable: Lane,
    unguessable: Lane,
    /// Of programs alone: one that goes on with an app password that was removed keeps nobody's passkey out.
    programs: Lane,
    members: HashMap<UserId, Failures>,
    names: Fading<u64, Failures>,
    refused: BTreeMap<(Way, Level), u64>,
    /// Members whose tries are not written down as they are.
    changed: BTreeSet<UserId>,
    has_hinted: bool,
}

impl Throttle {
    /// Reads what was counted of accounts, and the key of the devices' marks; makes one if there is none.
    pub fn open(
        options: ThrottleOptions,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let mut members = HashMap::new();
        store.each_failures(&mut |user, failures| {
            members.insert(user, failures);
            ControlFlow::Continue(())
        })?;
        let key = store.device_key()?.unwrap_or_else(|| {
            let key = Secret::new(random());
            // Nobody waits for it: if it is not kept, browsers are strangers after the next start.
            drop(store.apply(vec![Change::PutDeviceKey(key.clone())]));
            key
        });
        let state = State {
            options,
            guessable: Lane::new(&options),
            unguessable: Lane::new(&options),
            programs: Lane::new(&options),
            members,
            names: Fading::new(options.process as usize),
            refused: BTreeMap::new(),
            changed: BTreeSet::new(),
            has_hinted: false,
        };
        let (state, devices) = (Mutex::new(state), Devices::new(key));
        Ok(Self { state, devices, hasher: RandomState::new(), store, clock })
    }

    /// Counts a try and allows it, or says how long to wait.
    ///
    /// # Errors
    /// If the store takes no more writes, or something in here broke: nothing is checked then (SECURITY: THR-16).
    pub fn reserve(self: &Arc<Self>, wanted: &Try<'_>) -> Result<Result<Reserved, Throttled>, StoreError> {
        self.store.health()?;
        let now = self.clock.now();
        let key = self.key(wanted);
        let reserved = self.lock()?.reserve(wanted, key, now);
        Ok(reserved.map(|(source, account)| Reserved {
            throttle: Arc::clone(self),
            way: wanted.way,
            source,
            account,
        }))
    }

    /// Forgets the wrong tries of an account.
    pub fn forgive(&self, user: UserId) -> Result<(), StoreError> {
        self.lock()?.forgive(user);
        Ok(())
    }

    /// How an account stands.
    pub fn standing(&self, user: UserId) -> Result<Standing, StoreError> {
        let (now, state) = (self.clock.now(), self.lock()?);
        let options = state.options;
        let mut failures = state.members.get(&user).cloned().unwrap_or_default();
        Ok(account::standing(&mut failures, now, &options))
    }

    /// Which device of this member a browser with these marks is.
    pub fn device(&self, marks: &Marks, user: &User) -> Option<DeviceId> {
        self.devices.known(marks, user)
    }

    /// The marks of a browser in which this member has just signed in; none if the account is gone.
    pub fn mark(&self, marks: &Marks, user: UserId) -> Result<Option<Marks>, StoreError> {
        Ok(self.store.user(user)?.map(|user| self.devices.marked(marks, &user)))
    }

    /// Writes down what has changed of accounts since the last time. To be called about once a second.
    ///
    /// # Errors
    /// If the store can't; a later call tries once more.
    pub async fn flush(&self) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        let changed = {
            let mut state = self.lock()?;
            let changed = std::mem::take(&mut state.changed);
            for user in &changed {
                let failures = state.members.get(user).cloned().unwrap_or_default();
                batch.push(Change::PutFailures(*user, failures));
            }
            changed
        };
        if batch.is_empty() {
            return Ok(());
        }
        let written = self.store.apply(batch).await;
        if written.is_err() {
            self.lock()?.changed.extend(changed);
        }
        written
    }

    /// Puts other budgets into force; what was counted stays. How much is remembered at most is settled at the start.
    pub fn set_options(&self, options: ThrottleOptions) -> Result<(), StoreError> {
        self.lock()?.options = options;
        Ok(())
    }

    /// How many tries were refused, as Prometheus reads it.
    pub fn exposition(&self) -> String {
        let name = "passgate_throttled_total";
        let mut text = format!("# HELP {name} Tries to get in that came too early.\n# TYPE {name} counter\n");
        for ((way, level), count) in self.lock().iter().flat_map(|state| &state.refused) {
            // Writing to a string does not fail.
            let labels = format!("way=\"{}\",level=\"{}\"", way.as_str(), level.as_str());
            let _ = writeln!(text, "{name}{{{labels}}} {count}");
        }
        text
    }

    fn key(&self, wanted: &Try<'_>) -> Option<Key> {
        match wanted.who {
            _ if !wanted.way.is_guessable() => None,
            Who::Member(user) => Some(Key::Member(user)),
            Who::Name(typed) => Some(Key::Name(self.hasher.hash_one(canonical(typed)))),
            Who::Unknown => None,
        }
    }

    /// After a panic in here nothing that was counted can be relied on.
    fn lock(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        self.state.lock().map_err(|_| StoreError::Failed("the throttle broke; restart".to_owned()))
    }
}

/// SECURITY: THR-04, AUTH-15. What is typed becomes one key in the ways in which an account would be found by it.
fn canonical(typed: &str) -> String {
    match (EmailKey::parse(typed), UserName::parse(typed)) {
        (Some(email), _) => email.as_str().to_owned(),
        (None, Ok(name)) => name.key().to_owned(),
        (None, Err(_)) => typed.trim().to_lowercase(),
    }
}

impl State {
    fn lane(&mut self, way: Way) -> &mut Lane {
        match way {
            Way::AppPassword => &mut self.programs,
            way if way.is_guessable() => &mut self.guessable,
            _ => &mut self.unguessable,
        }
    }

    fn reserve(&mut self, wanted: &Try<'_>, key: Option<Key>, now: Timestamp) -> Result<Counted, Throttled> {
        let options = self.options;
        let (source, step) = (Source::of(wanted.from), Step::at(now, options.window));
        let account = key.map(|key| {
            let mut failures = self.failures(key);
            let place = account::place(failures.as_deref(), wanted.device, source.network.to_be_bytes());
            let wait = failures.as_mut().map(|failures| account::wait(failures, place, now, &options));
            (key, place, wait.unwrap_or(Wait::NONE))
        });
        let is_device = account.is_some_and(|(_, place, _)| matches!(place, Place::Device(_)));
        let lane = self.lane(wanted.way);
        let (wait, level) =
            if is_device { (Duration::ZERO, Level::Process) } else { lane.wait(source, step, &options) };
        let throttled = [
            Throttled { wait: account.map_or(Wait::NONE, |(_, _, wait)| wait), level: Level::Account },
            Throttled { wait: Wait::For(wait), level },
        ];
        if let Some(longest) = throttled.into_iter().max_by_key(|throttled| throttled.wait)
            && longest.wait != Wait::NONE
        {
            *self.refused.entry((wanted.way, longest.level)).or_default() += 1;
            self.hint(wanted.from, longest.level);
            return Err(longest);
        }
        if !is_device {
            lane.note(source, step);
        }
        let account = account.map(|(key, place, _)| {
            (key, place, account::note(self.failures_or_new(key), place, now, &options))
        });
        Ok(((!is_device).then_some((source, step.number())), account))
    }

    /// Says, once, what it probably means if everybody seems to come from one machine next door.
    fn hint(&mut self, from: IpAddr, level: Level) {
        let is_near = match from.to_canonical() {
            IpAddr::V4(address) => address.is_loopback() || address.is_private(),
            IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
        };
        if is_near && level == Level::Address && !std::mem::replace(&mut self.has_hinted, true) {
            tracing::warn!(
                target: "passgate::server",
                client = %from,
                "so many tries to sign in went wrong from this address that it has to wait; if it is a proxy's, name it in \
                 server.trusted_proxies, so that visitors are told apart"
            );
        }
    }

    fn failures(&mut self, key: Key) -> Option<&mut Failures> {
        match key {
            Key::Member(user) => self.members.get_mut(&user),
            Key::Name(name) => self.names.get(name),
        }
    }

    fn failures_or_new(&mut self, key: Key) -> &mut Failures {
        match key {
            Key::Member(user) => {
                self.changed.insert(user);
                self.members.entry(user).or_default()
            }
            Key::Name(name) => self.names.get_or_new(name),
        }
    }

    fn take_back(&mut self, way: Way, source: Option<(Source, u64)>) {
        if let Some((source, step)) = source {
            self.lane(way).take_back(source, step);
        }
    }

    fn take_back_of(&mut self, key: Key, place: Place, before: Before) {
        if let Some(failures) = self.failures(key) {
            account::take_back(failures, place, before);
        }
        match key {
            Key::Member(user) if self.members.get(&user).is_some_and(Failures::is_empty) => {
                self.forgive(user)
            }
            Key::Member(user) => drop(self.changed.insert(user)),
            Key::Name(name) => self.names.remove_if(name, Failures::is_empty),
        }
    }

    fn forgive(&mut self, user: UserId) {
        if self.members.remove(&user).is_some() {
            self.changed.insert(user);
        }
    }
}

/// A reservation for tests of what needs one.
#[cfg(test)]
pub(crate) fn reserved() -> &'static Reserved {
    static RESERVED: std::sync::OnceLock<Reserved> = std::sync::OnceLock::new();
    RESERVED.get_or_init(|| {
        let clock: Arc<dyn Clock> = Arc::new(crate::domain::SystemClock);
        let store = Arc::new(crate::store::MemoryStore::new());
        let throttle = Arc::new(Throttle::open(ThrottleOptions::default(), store, clock).unwrap());
        let from = IpAddr::from([127, 0, 0, 1]);
        throttle.reserve(&Try { way: Way::Passkey, who: Who::Unknown, from, device: None }).unwrap().unwrap()
    })
}
