//! The thread that writes.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use serde_json::{Map, Value};

use super::AuditLayer;
use super::chain::{End, digest, file_name, files, head};
use crate::domain::{Clock, SystemClock};

/// So many events may wait to be written; more are lost, and counted.
const WAITING: usize = 10_000;
/// So many are written together.
const TOGETHER: usize = 500;
/// No line is longer.
const LONGEST: u64 = 64 * 1024;

/// What the thread is told.
pub(super) enum Message {
    /// Something happened.
    Event(Map<String, Value>),
    /// Nothing more comes.
    End,
}

/// Writes out what waits when it goes.
#[derive(Debug)]
pub(in crate::server) struct AuditWriter {
    queue: SyncSender<Message>,
    thread: Option<JoinHandle<()>>,
}

impl AuditWriter {
    /// Starts the thread, which makes the folder with the first event.
    pub(in crate::server) fn start(folder: PathBuf) -> io::Result<(AuditLayer, Self)> {
        let (queue, messages) = sync_channel(WAITING);
        let lost = Arc::new(AtomicU64::new(0));
        let layer = AuditLayer { queue: queue.clone(), lost: Arc::clone(&lost) };
        let files = Files { folder, lost, open: None };
        let thread = thread::Builder::new().name("audit".to_owned()).spawn(move || files.run(&messages))?;
        Ok((layer, Self { queue, thread: Some(thread) }))
    }
}

impl Drop for AuditWriter {
    fn drop(&mut self) {
        // An error means that the thread has ended already.
        let _ = self.queue.send(Message::End);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Files {
    folder: PathBuf,
    lost: Arc<AtomicU64>,
    open: Option<Open>,
}

/// The file that is added to.
struct Open {
    file: File,
    name: String,
    /// How long it is, as far as whole lines go.
    length: u64,
    head: File,
    end: End,
}

impl Files {
    fn run(mut self, messages: &Receiver<Message>) {
        let mut is_failing = false;
        while let Ok(first) = messages.recv() {
            let batch: Vec<_> = std::iter::once(first).chain(messages.try_iter()).take(TOGETHER).collect();
            let ends = batch.iter().any(|message| matches!(message, Message::End));
            let events: Vec<_> = batch
                .into_iter()
                .filter_map(|message| if let Message::Event(fields) = message { Some(fields) } else { None })
                .collect();
            let count = events.len() as u64;
            match self.write(events) {
                Ok(()) => is_failing = false,
                Err(error) => {
                    self.lost.fetch_add(count, Ordering::Relaxed);
                    self.open = None;
                    if !std::mem::replace(&mut is_failing, true) {
                        tracing::error!(target: "passgate::server", folder = %self.folder.display(), %error,
                            "the audit log can't be written; its events are counted until it can");
                    }
                }
            }
            if ends {
                return;
            }
        }
    }

    /// Writes all of them, or none.
    fn write(&mut self, mut events: Vec<Map<String, Value>>) -> io::Result<()> {
        let lost = self.lost.load(Ordering::Relaxed);
        if lost > 0 {
            let fields = [("event", Value::from("events-lost")), ("count", Value::from(lost))];
            events.insert(0, fields.map(|(key, value)| (key.to_owned(), value)).into_iter().collect());
        }
        if events.is_empty() {
            return Ok(());
        }
        let time = SystemClock.now().to_string();
        let mut open = match self.open.take() {
            Some(open) => open,
            None => Open::last_of(&self.folder, &time)?,
        };
        // A clock that was set back leaves the month as it is.
        if file_name(&time) > open.name {
            open = open.next(&self.folder, file_name(&time))?;
        }
        open.add(&time, events)?;
        self.lost.fetch_sub(lost, Ordering::Relaxed);
        self.open = Some(open);
        Ok(())
    }
}

impl Open {
    /// The last file there is, or the first.
    fn last_of(folder: &Path, time: &str) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let noted = End::read(folder);
        let last = files(folder)?.pop();
        let name = last.as_ref().and_then(|path| path.file_name()?.to_str().map(str::to_owned));
        let name = name.unwrap_or_else(|| file_name(time));
        let mut file = private(&folder.join(&name))?;
        let (length, found) = last_line(&mut file)?;
        // A line that was broken off has told nobody anything.
        file.set_len(length)?;
        let head = private(&head(folder))?;
        // Where lines are missing, the chain goes on from what was noted, and so it shows.
        let end = found.into_iter().chain(noted).max_by_key(|end| end.n).unwrap_or_else(End::none);
        Ok(Self { file, name, length, head, end })
    }

    fn next(self, folder: &Path, name: String) -> io::Result<Self> {
        let file = private(&folder.join(&name))?;
        let length = file.metadata()?.len();
        Ok(Self { file, name, length, ..self })
    }

    fn add(&mut self, time: &str, events: Vec<Map<String, Value>>) -> io::Result<()> {
        let (mut end, mut text) = (self.end.clone(), String::new());
        for fields in events {
            text.push_str(&end.extend(time.to_owned(), fields)?);
            text.push('\n');
        }
        self.file.seek(SeekFrom::Start(self.length))?;
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_data());
        if let Err(error) = written {
            // Half a line would break the chain.
            self.file.set_len(self.length)?;
            return Err(error);
        }
        self.length += text.len() as u64;
        self.end = end;
        self.head.write_all_at(self.end.to_text().as_bytes(), 0)
    }
}

fn private(path: &Path) -> io::Result<File> {
    let file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    Ok(file)
}

/// Where the last whole line ends, and what it is.
fn last_line(file: &mut File) -> io::Result<(u64, Option<End>)> {
    let length = file.metadata()?.len();
    let start = length.saturating_sub(2 * LONGEST);
    file.seek(SeekFrom::Start(start))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    let Some(last) = tail.iter().rposition(|byte| *byte == b'\n') else { return Ok((0, None)) };
    let begin = tail[..last].iter().rposition(|byte| *byte == b'\n').map_or(0, |before| before + 1);
    let line = &tail[begin..last];
    let n = serde_json::from_slice::<super::AuditLine>(line).ok().map(|line| line.n);
    Ok((start + last as u64 + 1, n.map(|n| End { n, digest: digest(line) })))
}
