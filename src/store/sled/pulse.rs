//! The thread that watches the one that writes. A write that does not come back is answered for it, with an error, and said to
//! everybody who asks how the store is; and it is found out whose fault it is, since only one of two can be helped by a restart.
//!
//! SECURITY: STO-14. sled has waits that nothing may end, as after an error in one of its own threads; and a disk may keep
//! silent for good. Neither may leave members before a page that never comes.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::condition::{Condition, Task};
use crate::store::{Standstill, StoreError};

/// Asks the disk, apart from the store, whether it takes what it is given.
pub(super) type DiskProbe = Arc<dyn Fn() -> std::io::Result<()> + Send + Sync>;

/// How often, and how long, in the life of a store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rhythm {
    /// A store that nobody writes to writes something by itself, to see whether it can.
    pub(super) beat: Duration,
    /// After a failure it is tried again.
    pub(super) retry: Duration,
    /// The watching thread looks.
    pub(super) look: Duration,
    /// A write may take so long.
    pub(super) limit: Duration,
    /// And so long once the disk has shown that it is not the disk's fault.
    pub(super) grace: Duration,
}

impl Rhythm {
    /// A standstill is noticed after at most six seconds, and the cause known after at most ten.
    pub(super) const USUAL: Self = Self {
        beat: Duration::from_secs(30),
        retry: Duration::from_secs(5),
        look: Duration::from_millis(500),
        limit: Duration::from_secs(5),
        grace: Duration::from_secs(3),
    };
}

/// The watching thread; ends with it.
pub(super) struct Pulse {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Pulse {
    pub(super) fn start(
        condition: Arc<Condition>,
        rhythm: Rhythm,
        folder: PathBuf,
        probe: DiskProbe,
    ) -> Result<Self, StoreError> {
        let (stop, stopped) = channel();
        let watcher = Watcher { condition, rhythm, folder, probe, disk: Disk::NotAsked };
        let thread =
            thread::Builder::new().name("store-watch".to_owned()).spawn(move || watcher.run(&stopped));
        let thread = thread.map_err(|error| StoreError::Failed(error.to_string()))?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Watcher {
    condition: Arc<Condition>,
    rhythm: Rhythm,
    folder: PathBuf,
    probe: DiskProbe,
    disk: Disk,
}

/// What the disk says while a write does not come back.
enum Disk {
    NotAsked,
    Asked(Receiver<std::io::Result<()>>),
    Answered(Instant),
}

impl Watcher {
    fn run(mut self, stopped: &Receiver<()>) {
        while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(self.rhythm.look) {
            let now = Instant::now();
            let found = match self.condition.busy_since() {
                Some((since, task)) if now.duration_since(since) > self.rhythm.limit => {
                    Some(self.whose_fault(now, since, task))
                }
                _ => {
                    self.disk = Disk::NotAsked;
                    None
                }
            };
            if found != self.condition.standstill() {
                self.condition.set_standstill(found);
                self.tell(found);
            }
        }
    }

    /// Whose fault it is, as far as that is known, that the writing thread is at one group since then.
    fn whose_fault(&mut self, now: Instant, since: Instant, task: Task) -> Standstill {
        if task == Task::Sync {
            return Standstill::Disk;
        }
        let answer = match &self.disk {
            Disk::Asked(answer) => answer.try_recv(),
            Disk::NotAsked => Err(TryRecvError::Disconnected),
            // Asked over another group that has come back since.
            Disk::Answered(at) if *at < since => Err(TryRecvError::Disconnected),
            Disk::Answered(at) if now.duration_since(*at) > self.rhythm.grace => return Standstill::Store,
            Disk::Answered(_) => return Standstill::Disk,
        };
        match answer {
            Ok(Ok(())) => self.disk = Disk::Answered(now),
            Err(TryRecvError::Empty) => {}
            // A disk that refuses is no reason for a restart, after which it would refuse again.
            Ok(Err(_)) | Err(TryRecvError::Disconnected) => self.disk = self.asked(),
        }
        Standstill::Disk
    }

    /// On a thread of its own, which may have to wait for as long as the disk likes.
    fn asked(&self) -> Disk {
        let (answer, answered) = channel();
        let probe = Arc::clone(&self.probe);
        let asking =
            thread::Builder::new().name("store-probe".to_owned()).spawn(move || answer.send(probe()));
        asking.map_or(Disk::NotAsked, |_| Disk::Asked(answered))
    }

    fn tell(&self, found: Option<Standstill>) {
        let folder = self.folder.display();
        match found {
            Some(standstill) => {
                tracing::error!(target: "passgate::store", %folder, reason = %standstill, "the store stands still");
            }
            None => tracing::info!(target: "passgate::store", %folder, "the store goes on"),
        }
    }
}
