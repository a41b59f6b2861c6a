//! The mails that wait, and when each is to be tried next.
//!
//! **The promise.** A mail is handed in as a [`Change`] and waits from the moment on in which its batch is durable. It is
//! taken out when the mail server has it, or when it never will: so a crash in between sends it twice, and none is lost. In
//! the store lies what a mail is about ([`Letter`]), for each member in a record of their own ([`Mailbox`]), which is in no
//! backup and goes with the account. In memory there are ids and times alone, of so many mails at most; beyond that the
//! oldest notices give way.
//!
//! When a mail is tried next is known in memory only: a start and a reload try at once, since the operator may have
//! mended what was wrong.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::Notify;

use super::mailbox::{HandedIn, MailId, Mailbox, Waiting};
use super::whose::Whose;
use super::{AskedReset, Courier, Letter};
pub(super) use crate::auth::recovery::KEY;
use crate::domain::{Clock, EmailKey, MailAddress, Timestamp, UserId};
use crate::store::{Batch, Change, Store, StoreError, Verdict};

/// One for all mails.
pub struct MailQueue {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) courier: ArcSwapOption<Courier>,
    accepts: AtomicBool,
    state: Arc<Shared>,
}

/// What a change tells the queue from within the store.
#[derive(Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    news: Notify,
}

#[derive(Default)]
pub(super) struct State {
    /// Who has forgotten a password and was not looked for yet, in their order.
    pub(super) asked: VecDeque<AskedReset>,
    /// For whom a mail was handed in, and not yet looked at.
    touched: BTreeSet<Whose>,
    /// Addresses that mails about joining were handed in for of late, and when the last one was.
    pub(super) newcomers: BTreeMap<EmailKey, Timestamp>,
    /// The mails that are known to wait.
    pub(super) waiting: HashMap<MailId, Entry>,
    /// Since when and why the mail server takes nothing.
    pub(super) failing: Option<Failing>,
    /// How many mails came to which end.
    pub(super) ends: BTreeMap<End, u64>,
}

/// A mail that waits.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) owner: Whose,
    pub(super) at: Timestamp,
    is_awaited: bool,
    /// How often it was tried.
    tries: u32,
    /// When it is to be tried.
    due: Timestamp,
}

impl Entry {
    pub(super) const fn was_tried(&self) -> bool {
        self.tries > 0
    }
}

/// A mail server that can't be reached, or takes nothing from us.
#[derive(Clone, Debug)]
pub(super) struct Failing {
    pub(super) since: Timestamp,
    tries: u32,
    until: Timestamp,
}

/// How a mail ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum End {
    /// It gave way to a newer one, or was one too many of its kind.
    GaveWay,
    /// It could not be sent for as long as it was worth it.
    Late,
    /// There is nobody left to tell.
    Needless,
    /// The mail server will never take it.
    Refused,
    /// The mail server has it.
    Sent,
}

impl End {
    pub(super) const ALL: [Self; 5] = [Self::GaveWay, Self::Late, Self::Needless, Self::Refused, Self::Sent];

    /// The word for log and metrics.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::GaveWay => "gave-way",
            Self::Late => "late",
            Self::Needless => "needless",
            Self::Refused => "refused",
            Self::Sent => "sent",
        }
    }
}

/// The pause after so many tries that came to nothing: a minute, then twice as long each time, up to `longest`.
pub(super) fn pause(tries: u32, longest: Duration) -> Duration {
    let doubled = 1_u64.checked_shl(tries.saturating_sub(1)).unwrap_or(u64::MAX);
    Duration::from_secs(doubled.saturating_mul(60)).min(longest)
}

impl MailQueue {
    /// So many mails are known at most. Each takes less than 200 bytes of memory.
    pub(super) const MOST: usize = 10_000;
    /// The longest pause between two tries of one mail …
    const LONGEST: Duration = Duration::from_secs(4 * 3_600);
    /// … and between two tries of a server that takes nothing: when it is back, a whole queue waits for it.
    const LONGEST_OF_ALL: Duration = Duration::from_secs(15 * 60);

    /// Reads which mails wait.
    pub fn open(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let (mut touched, mut newcomers, now) = (BTreeSet::new(), BTreeMap::new(), clock.now());
        store.each_kept::<Mailbox>(|owner, key, _| {
            let whose = Whose::at(owner, &key);
            if let Some(Whose::Newcomer(address)) = &whose {
                newcomers.insert(address.clone(), now);
            }
            touched.extend(whose);
            ControlFlow::Continue(())
        })?;
        let state = Mutex::new(State { touched, newcomers, ..State::default() });
        Ok(Self {
            store,
            clock,
            courier: ArcSwapOption::empty(),
            accepts: AtomicBool::new(false),
            state: Arc::new(Shared { state, news: Notify::new() }),
        })
    }

    /// Takes mails in though nothing sends them yet: the gateway does when it runs.
    pub fn accept(&self) {
        self.accepts.store(true, Ordering::SeqCst);
    }

    /// Sends by this one from now on, and tries at once what waits; none sends nothing, and takes nothing in.
    pub fn set_courier(&self, courier: Option<Courier>) {
        self.accepts.store(courier.is_some(), Ordering::SeqCst);
        self.courier.store(courier.map(Arc::new));
        let now = self.clock.now();
        let mut state = self.lock();
        state.failing = None;
        state.waiting.values_mut().for_each(|entry| entry.due = now);
        drop(state);
        self.state.news.notify_one();
    }

    /// Whether mails are sent.
    pub fn is_on(&self) -> bool {
        self.accepts.load(Ordering::SeqCst)
    }

    /// Hands a mail in for this member: what causes it is to be in the same batch. None where no mails are sent, or the
    /// address is none.
    ///
    /// The change fails with [`StoreError::NoSuchUser`] if the account is gone, and never for too many mails.
    pub fn hand_in(&self, member: UserId, address: Option<&str>, letter: Letter) -> Option<Change> {
        self.hand_in_for(Whose::Member(member), MailAddress::parse(address?)?, letter)
    }

    pub(super) fn hand_in_for(&self, whose: Whose, to: MailAddress, letter: Letter) -> Option<Change> {
        if !self.accepts.load(Ordering::SeqCst) {
            return None;
        }
        let at = self.clock.now();
        // SECURITY: AUTH-14. What is done for a mail about joining depends on who has an account: not while the answer is on its way.
        let wakes = !matches!(letter, Letter::Join);
        let mail = Waiting { id: MailId::generate(), to, letter, at };
        let state = Arc::clone(&self.state);
        let (owner, key) = whose.place();
        Some(Change::revise_kept::<Mailbox>(owner, key, move |mailbox| {
            let outcome = mailbox.get_or_insert_default().hand_in(mail, at);
            let mut shared = state.state.lock().unwrap_or_else(PoisonError::into_inner);
            if outcome != HandedIn::Waits {
                *shared.ends.entry(End::GaveWay).or_default() += 1;
            }
            if let Whose::Newcomer(address) = &whose {
                shared.newcomers.insert(address.clone(), at);
            }
            shared.touched.insert(whose);
            drop(shared);
            if wakes {
                state.news.notify_one();
            }
            Verdict::Keep
        }))
    }

    /// [`Self::hand_in`], in a batch of its own.
    pub async fn send(
        &self,
        member: UserId,
        address: Option<&str>,
        letter: Letter,
    ) -> Result<(), StoreError> {
        self.apply(self.hand_in(member, address, letter)).await
    }

    /// Applies what [`Self::hand_in`] gave.
    pub async fn apply(&self, change: Option<Change>) -> Result<(), StoreError> {
        let Some(change) = change else { return Ok(()) };
        match self.store.apply(vec![change]).await {
            Err(StoreError::NoSuchUser) => Ok(()),
            other => other,
        }
    }

    /// Completes when something may have been handed in.
    pub(super) async fn news(&self) {
        self.state.news.notified().await;
    }

    /// Looks at the mailboxes in which there may be something new. What is beyond the bound gives way.
    pub(super) async fn take_in(&self) -> Result<(), StoreError> {
        let touched = std::mem::take(&mut self.lock().touched);
        if touched.is_empty() {
            return Ok(());
        }
        // A change tells before its batch is durable; this one completes behind it.
        let taken = match self.store.apply(Batch::new()).await {
            Ok(()) => self.read(&touched),
            Err(error) => Err(error),
        };
        if let Err(error) = taken {
            self.lock().touched.extend(touched);
            return Err(error);
        }
        self.make_room().await
    }

    fn read(&self, touched: &BTreeSet<Whose>) -> Result<(), StoreError> {
        let now = self.clock.now();
        for owner in touched {
            let mailbox = self.mailbox(owner)?;
            let mut state = self.lock();
            for mail in mailbox.waiting {
                let is_awaited = mail.letter.is_awaited();
                let new = Entry { owner: owner.clone(), at: mail.at, is_awaited, tries: 0, due: now };
                state.waiting.entry(mail.id).or_insert(new);
            }
        }
        Ok(())
    }

    /// What lies there for them.
    pub(super) fn mailbox(&self, whose: &Whose) -> Result<Mailbox, StoreError> {
        let (owner, key) = whose.place();
        Ok(self.store.kept(owner, &key)?.unwrap_or_default())
    }

    async fn make_room(&self) -> Result<(), StoreError> {
        let beyond: Vec<_> = {
            let state = self.lock();
            let mut notices: Vec<_> = state.waiting.iter().filter(|(_, entry)| !entry.is_awaited).collect();
            notices.sort_by_key(|(_, entry)| entry.at);
            let beyond = state.waiting.len().saturating_sub(Self::MOST);
            notices.into_iter().take(beyond).map(|(id, entry)| (*id, entry.owner.clone())).collect()
        };
        for (id, owner) in beyond {
            self.end(id, &owner, End::GaveWay).await?;
        }
        Ok(())
    }

    /// The mail that is to be tried now: what a member waits for first, then what has waited longest.
    pub(super) fn next(&self) -> Option<(MailId, Whose)> {
        let now = self.clock.now();
        let state = self.lock();
        let pauses = state.failing.as_ref().is_some_and(|failing| now < failing.until);
        // A server that is away is asked once more for what somebody has just asked for.
        let is_due = |entry: &Entry| entry.due <= now && (!pauses || entry.is_awaited && entry.tries == 0);
        let due = state.waiting.iter().filter(|(_, entry)| is_due(entry));
        let (id, entry) = due.min_by_key(|(id, entry)| (!entry.is_awaited, entry.due, entry.at, **id))?;
        Some((*id, entry.owner.clone()))
    }

    /// Takes a mail out, whatever its end. If that fails it is tried again, even one that was sent.
    pub(super) async fn end(&self, id: MailId, whose: &Whose, end: End) -> Result<(), StoreError> {
        let now = self.clock.now();
        let (owner, key) = whose.place();
        let change = Change::revise_kept::<Mailbox>(owner, key, move |mailbox| {
            if let Some(own) = mailbox {
                own.take_out(id);
                if own.is_empty(now) {
                    *mailbox = None;
                }
            }
            Verdict::Keep
        });
        match self.store.apply(vec![change]).await {
            Ok(()) | Err(StoreError::NoSuchUser) => {}
            Err(error) => {
                self.later(id);
                return Err(error);
            }
        }
        let mut state = self.lock();
        state.waiting.remove(&id);
        *state.ends.entry(end).or_default() += 1;
        Ok(())
    }

    /// Forgets a mail that waits no longer.
    pub(super) fn forget(&self, id: MailId) {
        self.lock().waiting.remove(&id);
    }

    /// Puts a mail off that was tried. Returns when it is tried next.
    pub(super) fn later(&self, id: MailId) -> Timestamp {
        let now = self.clock.now();
        let mut state = self.lock();
        let Some(entry) = state.waiting.get_mut(&id) else { return now };
        entry.tries += 1;
        entry.due = now.after(pause(entry.tries, Self::LONGEST));
        entry.due
    }

    /// Puts all off: the server takes nothing. Tells whether that is new.
    pub(super) fn all_later(&self, id: MailId) -> bool {
        let now = self.clock.now();
        let mut state = self.lock();
        if let Some(entry) = state.waiting.get_mut(&id) {
            entry.tries += 1;
        }
        let is_new = state.failing.is_none();
        let failing = state.failing.get_or_insert(Failing { since: now, tries: 0, until: now });
        failing.tries += 1;
        failing.until = now.after(pause(failing.tries, Self::LONGEST_OF_ALL));
        is_new
    }

    /// The server has answered as one that takes mails. Tells whether that is new.
    pub(super) fn works(&self) -> bool {
        self.lock().failing.take().is_some()
    }

    /// A panic can't leave half a change here: what is in memory is read from the store again.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
