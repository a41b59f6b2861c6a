//! The one thread that writes. It takes all batches that wait, writes them together, and answers when the disk has them:
//! many small writes at the price of one.
//!
//! SECURITY: STO-06. What a failed sync has left on the disk is unknown, and a second sync may say that all is well when it
//! isn't. So after a failure nothing is written until the database was opened anew, with what is really there; that is tried
//! every few seconds, once the disk takes what it is given. STO-05: with too little room nothing is begun.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::oneshot;

use super::condition::{Condition, Cure, Failure, Turn};
use super::disk;
use super::files::{Barrier, Folder, unreadable};
use super::pulse::{DiskProbe, Pulse, Rhythm};
use super::stage::Stage;
use super::table::Table;
use crate::store::{Batch, Commit, Standstill, StoreError};

/// How many batches are written together at most.
const GROUP: usize = 512;

/// Brings what was written, up to the group of this number, to the disk.
pub(super) type DiskSync = Box<dyn FnMut(&mut Barrier, u64) -> io::Result<()> + Send>;

/// How the disk is asked; tests put their own in its place.
pub(super) struct Manner {
    pub(super) sync: DiskSync,
    pub(super) probe: DiskProbe,
    pub(super) rhythm: Rhythm,
    /// So much room, in bytes, must be there.
    pub(super) room: u64,
}

impl Manner {
    pub(super) fn usual(folder: &Folder) -> Self {
        let path = folder.path().to_owned();
        Self {
            sync: Box::new(Barrier::pass),
            probe: Arc::new(move || disk::takes_writes(&path)),
            rhythm: Rhythm::USUAL,
            room: disk::ROOM,
        }
    }
}

/// The way to the thread.
pub(super) struct Writer {
    queue: Option<Sender<Request>>,
    thread: Option<JoinHandle<()>>,
    condition: Arc<Condition>,
    turns: Mutex<Receiver<Turn>>,
    _pulse: Pulse,
}

struct Request {
    batch: Batch,
    answer: oneshot::Sender<Result<(), StoreError>>,
}

impl Writer {
    pub(super) fn start(
        table: Arc<Table>,
        folder: Arc<Folder>,
        barrier: Barrier,
        manner: Manner,
    ) -> Result<Self, StoreError> {
        let ((queue, requests), (turn, turns)) = (channel(), channel());
        let condition = Arc::new(Condition::good(turn.clone()));
        let (path, probe) = (folder.path().to_owned(), Arc::clone(&manner.probe));
        let pulse = Pulse::start(Arc::clone(&condition), manner.rhythm, path, probe)?;
        let group = table.groups()?;
        let disk = Disk { table, folder, barrier, manner, group, condition: Arc::clone(&condition) };
        let thread = thread::Builder::new().name("store".to_owned()).spawn(move || {
            let _ended = Ended(turn);
            disk.run(&requests);
        });
        let thread = thread.map_err(|error| StoreError::Failed(error.to_string()))?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
            condition,
            turns: Mutex::new(turns),
            _pulse: pulse,
        })
    }

    /// Why nothing is written now, if so.
    pub(super) fn health(&self) -> Result<(), StoreError> {
        self.condition.health()
    }

    /// Puts a batch in the queue, if it has a chance.
    pub(super) fn submit(&self, batch: Batch) -> Commit {
        if let Err(error) = self.condition.health() {
            return Box::pin(std::future::ready(Err(error)));
        }
        let mut standstills = self.condition.standstills();
        let (answer, answered) = oneshot::channel();
        if let Some(queue) = &self.queue {
            // Without the thread the answer's sender is dropped, which says enough.
            let _ = queue.send(Request { batch, answer });
        }
        let gone = || StoreError::Failed("its thread has ended; restart".to_owned());
        Box::pin(async move {
            tokio::select! {
                biased;
                answer = answered => answer.unwrap_or_else(|_| Err(gone())),
                Ok(still) = standstills.wait_for(Option::is_some) => {
                    Err(StoreError::StandsStill(still.unwrap_or(Standstill::Disk)))
                }
            }
        })
    }
}

impl Drop for Writer {
    /// Waits until all that is in the queue is written, unless that has no chance.
    fn drop(&mut self) {
        drop(self.queue.take());
        let Some(thread) = self.thread.take() else { return };
        let turns = self.turns.get_mut().unwrap_or_else(PoisonError::into_inner);
        while self.condition.health().is_ok() {
            if let Ok(Turn::Ended) | Err(_) = turns.recv() {
                let _ = thread.join();
                return;
            }
        }
        // It ends in a moment, too, unless a disk keeps it waiting that may never answer.
        if let Ok(Turn::Ended) = turns.recv_timeout(Duration::from_secs(1)) {
            let _ = thread.join();
        }
    }
}

/// Tells of the thread's end, however it ends.
struct Ended(Sender<Turn>);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.send(Turn::Ended);
    }
}

/// What the thread owns.
struct Disk {
    table: Arc<Table>,
    folder: Arc<Folder>,
    barrier: Barrier,
    manner: Manner,
    /// The number of the last group written.
    group: u64,
    condition: Arc<Condition>,
}

impl Disk {
    fn run(mut self, requests: &Receiver<Request>) {
        let condition = Arc::clone(&self.condition);
        loop {
            let Rhythm { beat, retry, .. } = self.manner.rhythm;
            let pause = if condition.failure().is_some() { retry } else { beat };
            let group: Vec<_> = match requests.recv_timeout(pause) {
                Ok(first) => std::iter::once(first).chain(requests.try_iter()).take(GROUP).collect(),
                Err(RecvTimeoutError::Timeout) => Vec::new(),
                Err(RecvTimeoutError::Disconnected) => return self.end(),
            };
            match condition.failure() {
                Some(failure) if group.is_empty() => self.try_again(&failure),
                Some(failure) => refuse(group, &failure),
                None => {
                    let _group = condition.begin_group();
                    self.take(group);
                }
            }
        }
    }

    fn end(self) {
        if self.condition.failure().is_none() {
            // Without the note the next start takes longer, no more.
            let _ = self.folder.note_end();
        }
    }

    fn take(&mut self, group: Vec<Request>) {
        let (batches, answers): (Vec<_>, Vec<_>) =
            group.into_iter().map(|request| (request.batch, request.answer)).unzip();
        let outcome = catch_unwind(AssertUnwindSafe(|| self.write(batches))).unwrap_or_else(|_| {
            Err(Failure { cure: Cure::Reopening, reason: "sled failed over a write".to_owned() })
        });
        match outcome {
            Ok(results) => {
                answers.into_iter().zip(results).for_each(|(answer, result)| drop(answer.send(result)));
            }
            Err(failure) => {
                let path = self.folder.path().display();
                tracing::error!(target: "passgate::store", %path, reason = failure.reason,
                    "the store can't write; whoever is signed in goes on, nobody new gets in");
                // First, so that whoever is told finds it so.
                self.condition.set_failure(Some(failure.clone()));
                let failed = || Err(StoreError::Failed(failure.reason.clone()));
                answers.into_iter().for_each(|answer| drop(answer.send(failed())));
            }
        }
    }

    /// Writes the batches that can be, and says of each whether it could.
    fn write(&mut self, batches: Vec<Batch>) -> Result<Vec<Result<(), StoreError>>, Failure> {
        let lacks_room = |error: io::Error| Failure { cure: Cure::Room, reason: error.to_string() };
        disk::has_room(self.folder.path(), self.manner.room).map_err(lacks_room)?;
        let broken = |reason: String| Failure { cure: Cure::Reopening, reason };
        let mut stage = Stage::over(&self.table).map_err(|error| broken(error.to_string()))?;
        let results = batches.into_iter().map(|batch| stage.add(batch)).collect();
        let writes = stage.into_writes();
        self.group += 1;
        self.table.write(writes, self.group).map_err(|error| broken(error.to_string()))?;
        self.condition.begin_sync();
        (self.manner.sync)(&mut self.barrier, self.group).map_err(|error| broken(error.to_string()))?;
        Ok(results)
    }

    fn try_again(&mut self, failure: &Failure) {
        let folder = Arc::clone(&self.folder);
        let path = folder.path().display();
        match catch_unwind(AssertUnwindSafe(|| self.recover(failure.cure))) {
            Ok(Ok(())) => {
                self.condition.set_failure(None);
                tracing::info!(target: "passgate::store", %path, "the store writes again");
            }
            Ok(Err(reason)) if reason != failure.reason => {
                tracing::warn!(target: "passgate::store", %path, reason, "the store still can't write");
                self.condition.set_failure(Some(Failure { reason, ..failure.clone() }));
            }
            Ok(Err(_)) | Err(_) => {}
        }
    }

    fn recover(&mut self, cure: Cure) -> Result<(), String> {
        let path = self.folder.path();
        let needed = match cure {
            Cure::Room => self.manner.room,
            Cure::Reopening => self.manner.room + disk::map_bytes(path),
        };
        disk::has_room(path, needed).map_err(|error| error.to_string())?;
        if cure == Cure::Room {
            return Ok(());
        }
        (self.manner.probe)().map_err(|error| error.to_string())?;
        let reopened = self.table.reopen(|groups| self.folder.check_written(groups));
        self.group = reopened.map_err(|error| error.to_string())?;
        self.folder.secure().map_err(|error| error.to_string())?;
        self.barrier = self.folder.barrier().map_err(|error| unreadable(path, error).to_string())?;
        Ok(())
    }
}

fn refuse(group: Vec<Request>, failure: &Failure) {
    for request in group {
        let _ = request.answer.send(Err(StoreError::Failed(failure.reason.clone())));
    }
}
