//! The one thread that writes. It takes all batches that wait, writes them together, and answers when the disk has them:
//! many small writes at the price of one.
//!
//! SECURITY: STO-06. What a failed sync has left on the disk is unknown, and a second sync may say that all is well when it
//! isn't. So after a failure nothing is written until the next start, which reads what is really there.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use super::stage::Stage;
use super::table::Table;
use crate::store::{Batch, Commit, StoreError};

/// How many batches are written together at most.
const GROUP: usize = 512;

/// Brings what was written, up to the group of this number, to the disk.
pub(super) type DiskSync = Box<dyn FnMut(u64) -> io::Result<()> + Send>;

/// The way to the thread.
pub(super) struct Writer {
    queue: Option<Sender<Request>>,
    thread: Option<JoinHandle<()>>,
    failure: Arc<OnceLock<String>>,
}

struct Request {
    batch: Batch,
    answer: oneshot::Sender<Result<(), StoreError>>,
}

impl Writer {
    pub(super) fn start(table: Arc<Table>, sync: DiskSync) -> Result<Self, StoreError> {
        let (queue, requests) = channel();
        let group = table.groups()?;
        let failure = Arc::new(OnceLock::new());
        let disk = Disk { table, sync, group, failure: Arc::clone(&failure) };
        let thread = thread::Builder::new().name("store".to_owned()).spawn(move || disk.run(&requests));
        let thread = thread.map_err(|error| StoreError::Failed(error.to_string()))?;
        Ok(Self { queue: Some(queue), thread: Some(thread), failure })
    }

    /// The failure after which nothing is written any more, if there was one.
    pub(super) fn health(&self) -> Result<(), StoreError> {
        self.failure.get().map_or(Ok(()), |reason| Err(StoreError::Failed(reason.clone())))
    }

    /// Puts a batch in the queue.
    pub(super) fn submit(&self, batch: Batch) -> Commit {
        let (answer, answered) = oneshot::channel();
        if let Some(queue) = &self.queue {
            // Without the thread the answer's sender is dropped, which says enough.
            let _ = queue.send(Request { batch, answer });
        }
        let gone = || StoreError::Failed("its thread has ended; restart".to_owned());
        Box::pin(async move { answered.await.unwrap_or_else(|_| Err(gone())) })
    }
}

impl Drop for Writer {
    /// Waits until all that is in the queue is written.
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the thread owns.
struct Disk {
    table: Arc<Table>,
    sync: DiskSync,
    /// The number of the last group written.
    group: u64,
    failure: Arc<OnceLock<String>>,
}

impl Disk {
    fn run(mut self, requests: &Receiver<Request>) {
        while let Ok(first) = requests.recv() {
            let group = std::iter::once(first).chain(requests.try_iter()).take(GROUP);
            let (batches, answers): (Vec<_>, Vec<_>) =
                group.map(|request| (request.batch, request.answer)).unzip();
            let outcome = match self.failure.get() {
                Some(reason) => Err(String::clone(reason)),
                None => catch_unwind(AssertUnwindSafe(|| self.write(batches)))
                    .unwrap_or_else(|_| Err("sled failed over a write; restart".to_owned())),
            };
            match outcome {
                Ok(results) => {
                    answers.into_iter().zip(results).for_each(|(answer, result)| drop(answer.send(result)));
                }
                Err(reason) => {
                    let failed = || Err(StoreError::Failed(reason.clone()));
                    answers.into_iter().for_each(|answer| drop(answer.send(failed())));
                    self.failure.get_or_init(|| reason);
                }
            }
        }
    }

    /// Writes the batches that can be, and says of each whether it could.
    fn write(&mut self, batches: Vec<Batch>) -> Result<Vec<Result<(), StoreError>>, String> {
        let mut stage = Stage::over(&self.table);
        let results = batches.into_iter().map(|batch| stage.add(batch)).collect();
        let broken = |error: &dyn ToString| format!("{}; see to the disk and restart", error.to_string());
        self.group += 1;
        self.table.write(stage.into_writes(), self.group).map_err(|error| broken(&error))?;
        (self.sync)(self.group).map_err(|error| broken(&error))?;
        Ok(results)
    }
}
