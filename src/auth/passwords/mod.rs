//! Argon2id, and the [hashes of old forums](legacy), on threads of its own, bounded in number and queue, so that many sign-ins at once cost time and no memory.
//!
//! SECURITY: THR-09, THR-10, AUTH-06, AUTH-07. One hash runs on each thread, and each thread keeps its memory, so all of
//! it takes `workers` times what one hash takes. A caller that goes away takes its job out of the queue, but a hash that
//! has begun keeps its thread until it is done: nobody gets more work out of this by hanging up.

mod argon;
mod decoys;
mod hasher;
mod judge;
mod legacy;

#[cfg(test)]
mod tests;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};

use self::decoys::Decoys;
use self::hasher::Hasher;
pub use self::judge::{About, Known, Strength, WeakPassword};
use self::legacy::Legacy;
pub use self::legacy::{Columns, Source, StoredPassword, Unreadable, read};
use super::throttle::Reserved;
use crate::domain::Secret;

/// What one hash costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashingCost {
    /// KiB of memory.
    pub memory_kib: u32,
    /// Passes over it.
    pub iterations: u32,
    /// Lanes.
    pub parallelism: u32,
}

impl HashingCost {
    /// At most this many KiB of memory: 1 GiB.
    pub const MAX_MEMORY_KIB: u32 = 1 << 20;
    /// At most this many passes.
    pub const MAX_ITERATIONS: u32 = 64;
    /// At most this many lanes; each takes at least 8 KiB.
    pub const MAX_PARALLELISM: u32 = 16;
    /// Memory times passes is at most four passes over 1 GiB, some seconds of work.
    pub const MAX_WORK_KIB: u64 = 4 << 20;

    /// Whether it can be used. A stored hash of another cost is never computed: it would be a way to keep the threads
    /// busy (SECURITY: AUTH-07).
    pub fn is_within_bounds(&self) -> bool {
        let Self { memory_kib, iterations, parallelism } = *self;
        (1..=Self::MAX_PARALLELISM).contains(&parallelism)
            && (8 * parallelism..=Self::MAX_MEMORY_KIB).contains(&memory_kib)
            && (1..=Self::MAX_ITERATIONS).contains(&iterations)
            && self.work_kib() <= Self::MAX_WORK_KIB
    }

    /// Memory times passes, which is what takes the time.
    fn work_kib(&self) -> u64 {
        u64::from(self.memory_kib) * u64::from(self.iterations)
    }
}

/// 19 MiB, two passes, one lane: what OWASP's cheat sheet on password storage asks for.
impl Default for HashingCost {
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, iterations: 2, parallelism: 1 }
    }
}

/// What a new password has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordPolicy {
    /// At least this many characters, where it is enough to sign in …
    pub min_chars: usize,
    /// … and where another factor is always shown with it.
    pub with_second_factor: usize,
}

impl PasswordPolicy {
    /// At least this many where the password alone lets in (SECURITY: AUTH-01).
    pub const ALONE: usize = 15;
}

/// All threads are hashing and the queue is full, or the wait got too long: try again in a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

/// The result of comparing.
#[derive(Debug, PartialEq, Eq)]
pub struct Verified {
    /// Whether the password is the stored one.
    pub matches: bool,
    /// A new PHC string to store, if it matched and the stored hash was made at another cost or in another way.
    pub upgraded: Option<String>,
}

type Job = Box<dyn FnOnce(&mut Hasher) + Send>;

/// The hashing threads.
pub struct Passwords {
    queue: SyncSender<Job>,
    wait: Duration,
    hashes: Arc<AtomicU64>,
    decoys: Arc<Decoys>,
    /// The one turn of those who are told how good a password is before they send it.
    advising: Arc<Semaphore>,
}

impl Passwords {
    /// This many jobs wait at most …
    const QUEUE: usize = 64;
    /// … and none longer than this.
    const WAIT: Duration = Duration::from_secs(2);

    /// Starts `workers` threads, at least one. A cost that is not [within bounds](HashingCost::is_within_bounds) is
    /// replaced by the default; whoever reads it from an operator checks that first.
    ///
    /// # Panics
    /// If the operating system has no thread to give.
    pub fn new(cost: HashingCost, workers: usize) -> Self {
        Self::start(cost, workers, Self::WAIT)
    }

    fn start(cost: HashingCost, workers: usize, wait: Duration) -> Self {
        let cost = if cost.is_within_bounds() { cost } else { HashingCost::default() };
        let (queue, jobs) = sync_channel(Self::QUEUE);
        let jobs = Arc::new(Mutex::new(jobs));
        let hashes = Arc::new(AtomicU64::new(0));
        let decoys = Arc::new(Decoys::default());
        for _ in 0..workers.max(1) {
            let jobs = Arc::clone(&jobs);
            let hasher = Hasher::new(cost, Arc::clone(&hashes), Arc::clone(&decoys));
            // Ends when the queue is gone.
            drop(thread::spawn(move || work(&jobs, hasher)));
        }
        Self { queue, wait, hashes, decoys, advising: Arc::new(Semaphore::new(1)) }
    }

    /// Hashes a new password to a PHC string.
    pub async fn hash(&self, password: Secret<String>) -> Result<String, Busy> {
        self.run(move |hasher| hasher.hash(&password)).await?.ok_or(Busy)
    }

    /// Judges a new password of an acceptable length, and hashes it to a PHC string if it will do: one turn of a thread.
    pub async fn accept(
        &self,
        password: Secret<String>,
        about: About,
    ) -> Result<Result<String, WeakPassword>, Busy> {
        let accept = move |hasher: &mut Hasher| match judge::judge(password.expose(), &about) {
            Ok(_) => hasher.hash(&password).ok_or(Busy).map(Ok),
            Err(weak) => Ok(Err(weak)),
        };
        self.run(accept).await?
    }

    /// Judges a password of an acceptable length.
    pub async fn judge(
        &self,
        password: Secret<String>,
        about: About,
    ) -> Result<Result<Strength, WeakPassword>, Busy> {
        self.run(move |_| judge::judge(password.expose(), &about)).await
    }

    /// [`Self::judge`] for those who have not sent it yet: one at a time, and nobody waits for their turn (SECURITY: THR-09). Whoever
    /// hangs up gives it back when the thread is done.
    pub async fn advise(
        &self,
        password: Secret<String>,
        about: About,
    ) -> Result<Result<Strength, WeakPassword>, Busy> {
        let turn = Arc::clone(&self.advising).try_acquire_owned().map_err(|_| Busy)?;
        let advise = move |_: &mut Hasher| {
            let judged = judge::judge(password.expose(), &about);
            drop(turn);
            judged
        };
        self.run(advise).await
    }

    /// Compares with what is stored: a PHC string, or the text of a [`StoredPassword`]. With none, with an empty one or
    /// one that is not to be computed, does the same work and never matches (SECURITY: L5, L6). The try is counted already
    /// (SECURITY: THR-06).
    pub async fn verify(
        &self,
        _reserved: &Reserved,
        stored: Option<String>,
        password: Secret<String>,
    ) -> Result<Verified, Busy> {
        self.run(move |hasher| hasher.verify(stored.as_deref(), &password)).await
    }

    /// Says that a member has this stored. If it is an old hash, wrong passwords take as long as for that kind from
    /// now on, whoever is named (SECURITY: AUTH-08).
    pub fn expect(&self, stored: &str) {
        if let Some(legacy) = Legacy::parse(stored) {
            let _ = self.decoys.expect(&legacy);
        }
    }

    /// How many hashes have been computed so far.
    pub fn hashes(&self) -> u64 {
        self.hashes.load(Ordering::Relaxed)
    }

    /// Waits for a thread, then for its answer. Only the wait for the thread has a limit.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Hasher) -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let (begin, begun) = oneshot::channel();
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |hasher| {
            // Closed if the caller has gone in the meantime.
            if begin.send(()).is_ok() {
                let _ = answer.send(work(hasher));
            }
        });
        self.queue.try_send(job).map_err(|_| Busy)?;
        match tokio::time::timeout(self.wait, begun).await {
            Ok(Ok(())) => answered.await.map_err(|_| Busy),
            Ok(Err(_)) | Err(_) => Err(Busy),
        }
    }
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords").field("hashes", &self.hashes()).finish_non_exhaustive()
    }
}

/// A thread that has had nothing to do for so long gives its memory back: with the usual cost as much as all the rest of a process
/// needs that serves a small site.
const RESTS_AFTER: Duration = Duration::from_secs(10);

/// How far a hashing thread stands back, on the scale of `nice(1)`: where all want the processor it gets a third of what another
/// thread does, and where nobody else does, all of it.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 5;

/// Has the calling thread let others go first: one hash takes as long as a thousand pages, and whoever waits for a page feels that
/// (SECURITY: THR-09). Elsewhere it would be the whole process, so there it is left.
fn give_way() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::process::nice(NICENESS) {
        tracing::debug!(target: "passgate::auth", %error, "hashing threads have the same priority as others");
    }
}

fn work(jobs: &Mutex<Receiver<Job>>, mut hasher: Hasher) {
    give_way();
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(RESTS_AFTER);
        match next {
            // The caller sees that there is no answer; the thread is needed.
            Ok(job) => drop(catch_unwind(AssertUnwindSafe(|| job(&mut hasher)))),
            Err(RecvTimeoutError::Timeout) => hasher.rest(),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
