//! How the writing goes: what the thread that writes, the one that watches it, and all who ask share.

use std::sync::mpsc::Sender;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::watch;

use crate::store::{Standstill, StoreError};

/// What has to be before anything is written again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cure {
    /// Room on the disk. Nothing was written, so nothing is in doubt.
    Room,
    /// A disk that takes what it is given, and the database opened anew, since what it has of the last writes is unknown.
    Reopening,
}

/// Why nothing is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) cure: Cure,
    pub(super) reason: String,
}

/// What the writing thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// sled, and the disk through it.
    Database,
    /// A sync of ours, which is the disk's alone.
    Sync,
}

/// How the writing goes.
#[derive(Debug)]
pub(super) struct Condition {
    failure: Mutex<Option<Failure>>,
    /// Since when the writing thread has been at a group, and what it waits for now.
    busy: Mutex<Option<(Instant, Task)>>,
    still: watch::Sender<Option<Standstill>>,
    turns: Sender<Turn>,
}

/// What whoever waits for the end of the writing has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The writing thread has ended.
    Ended,
    /// It stands still, or does no longer.
    Still,
}

impl Condition {
    pub(super) fn good(turns: Sender<Turn>) -> Self {
        let (still, _) = watch::channel(None);
        Self { failure: Mutex::default(), busy: Mutex::default(), still, turns }
    }

    /// Whether a write has a chance now.
    pub(super) fn health(&self) -> Result<(), StoreError> {
        if let Some(standstill) = self.standstill() {
            return Err(StoreError::StandsStill(standstill));
        }
        self.failure().map_or(Ok(()), |failure| Err(StoreError::Failed(failure.reason)))
    }

    pub(super) fn failure(&self) -> Option<Failure> {
        held(&self.failure).clone()
    }

    pub(super) fn set_failure(&self, failure: Option<Failure>) {
        *held(&self.failure) = failure;
    }

    /// The writing thread is at a group for as long as what it gets is kept.
    pub(super) fn begin_group(&self) -> Group<'_> {
        *held(&self.busy) = Some((Instant::now(), Task::Database));
        Group(self)
    }

    /// Its group is written, but for the sync.
    pub(super) fn begin_sync(&self) {
        if let Some((_, task)) = &mut *held(&self.busy) {
            *task = Task::Sync;
        }
    }

    /// Since when the writing thread has been at a group, and what it waits for; none while there is no group.
    pub(super) fn busy_since(&self) -> Option<(Instant, Task)> {
        *held(&self.busy)
    }

    pub(super) fn standstill(&self) -> Option<Standstill> {
        *self.still.borrow()
    }

    /// Whoever waits for a write is told at once.
    pub(super) fn set_standstill(&self, standstill: Option<Standstill>) {
        self.still.send_replace(standstill);
        // Nobody has to wait.
        let _ = self.turns.send(Turn::Still);
    }

    /// Follows the standstills from now on.
    pub(super) fn standstills(&self) -> watch::Receiver<Option<Standstill>> {
        self.still.subscribe()
    }
}

/// That the writing thread is at a group.
pub(super) struct Group<'c>(&'c Condition);

impl Drop for Group<'_> {
    fn drop(&mut self) {
        *held(&self.0.busy) = None;
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
