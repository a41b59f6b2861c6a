//! The one thread that writes. It takes all batches that wait, writes them together, and answers when the disk has them:
//! many small writes at the price of one.
//!
//! SECURITY: STO-06. What a failed sync has left on the disk is unknown, and a second sync may say that all is well when it
//! isn't. So after a failure nothing is written until the next start, which reads what is really there.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use super::stage::Stage;
use super::table::Table;
use crate::store::{Batch, Commit, StoreError};

/// How many batches are written together at most.
const GROUP: usize = 512;

/// Brings what was written to the disk.
pub(super) type DiskSync = Box<dyn FnMut() -> io::Result<()> + Send>;

/// The way to the thread.
pub(super) struct Writer {
    queue: Option<Sender<Request>>,
    thread: Option<JoinHandle<()>>,
}

struct Request {
    batch: Batch,
    answer: oneshot::Sender<Result<(), StoreError>>,
}

impl Writer {
    pub(super) fn start(table: Arc<Table>, sync: DiskSync) -> io::Result<Self> {
        let (queue, requests) = channel();
        let thread =
            thread::Builder::new().name("store".to_owned()).spawn(move || run(&table, sync, &requests))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
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

fn run(table: &Table, mut sync: DiskSync, requests: &Receiver<Request>) {
    let mut failure = None;
    while let Ok(first) = requests.recv() {
        let group = std::iter::once(first).chain(requests.try_iter()).take(GROUP);
        let (batches, answers): (Vec<_>, Vec<_>) =
            group.map(|request| (request.batch, request.answer)).unzip();
        let outcome = match &failure {
            Some(reason) => Err(String::clone(reason)),
            None => catch_unwind(AssertUnwindSafe(|| write(table, &mut sync, batches)))
                .unwrap_or_else(|_| Err("sled failed over a write; restart".to_owned())),
        };
        match outcome {
            Ok(results) => {
                answers.into_iter().zip(results).for_each(|(answer, result)| drop(answer.send(result)))
            }
            Err(reason) => {
                for answer in answers {
                    drop(answer.send(Err(StoreError::Failed(reason.clone()))));
                }
                failure = Some(reason);
            }
        }
    }
}

/// Writes the batches that can be, and says of each whether it could.
fn write(
    table: &Table,
    sync: &mut DiskSync,
    batches: Vec<Batch>,
) -> Result<Vec<Result<(), StoreError>>, String> {
    let mut stage = Stage::over(table);
    let results = batches.into_iter().map(|batch| stage.add(batch)).collect();
    let broken = |error: &dyn ToString| format!("{}; see to the disk and restart", error.to_string());
    table.write(stage.into_writes()).map_err(|error| broken(&error))?;
    sync().map_err(|error| broken(&error))?;
    Ok(results)
}
