//! Where log lines go: standard error, in the order in which they came about.
//!
//! Lines of the access log are gathered for a moment and written together: at thousands of requests a second a system call
//! for each would be felt. Any other line is written at once, behind those that were gathered before it, so
//! a trouble is always seen together with the requests that led to it. A process that is killed loses what it gathered
//! in the last moment, [`MOMENT`] at most; one that ends in any other way loses nothing.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing::Metadata;
use tracing_subscriber::fmt::MakeWriter;

/// How long a line of the access log may wait for others.
const MOMENT: Duration = Duration::from_millis(100);
/// When so many bytes wait, they are written by whoever adds a line. So memory is bounded, and a reader of the log that
/// falls behind slows the gateway down rather than losing lines.
const GATHERED_BYTES: usize = 64 * 1024;
/// The target whose lines are gathered.
const ACCESS: &str = "passgate::access";

/// Writes out what is gathered when it goes; to be kept until the process ends.
#[derive(Debug)]
pub(super) struct LinesGuard(Arc<Lines<io::Stderr>>);

impl Drop for LinesGuard {
    fn drop(&mut self) {
        self.0.lock().write_out();
    }
}

/// What `tracing` asks for a way to write each line.
#[derive(Debug)]
pub(super) struct LogWriter<W>(Arc<Lines<W>>);

impl LogWriter<io::Stderr> {
    /// Lines to standard error, and the thread that writes what was gathered.
    pub(super) fn start() -> io::Result<(Self, LinesGuard)> {
        let lines = Arc::new(Lines::to(io::stderr()));
        let gathered = Arc::clone(&lines);
        thread::Builder::new().name("log".to_owned()).spawn(move || gathered.write_each_moment())?;
        Ok((Self(Arc::clone(&lines)), LinesGuard(lines)))
    }
}

impl<'l, W: Write + 'l> MakeWriter<'l> for LogWriter<W> {
    type Writer = Line<'l, W>;

    fn make_writer(&'l self) -> Line<'l, W> {
        Line { lines: &self.0, haste: Haste::AtOnce }
    }

    fn make_writer_for(&'l self, meta: &Metadata<'_>) -> Line<'l, W> {
        let haste = if meta.target() == ACCESS { Haste::InAMoment } else { Haste::AtOnce };
        Line { lines: &self.0, haste }
    }
}

/// The lines on their way to `W`.
#[derive(Debug)]
struct Lines<W> {
    gathered: Mutex<Gathered<W>>,
    arrived: Condvar,
}

#[derive(Debug)]
struct Gathered<W> {
    bytes: Vec<u8>,
    output: W,
}

impl<W: Write> Lines<W> {
    fn to(output: W) -> Self {
        let bytes = Vec::with_capacity(GATHERED_BYTES);
        Self { gathered: Mutex::new(Gathered { bytes, output }), arrived: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Gathered<W>> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_each_moment(&self) {
        loop {
            drop(self.arrived.wait_while(self.lock(), |gathered| gathered.bytes.is_empty()));
            thread::sleep(MOMENT);
            self.lock().write_out();
        }
    }

    fn add(&self, line: &[u8], haste: Haste) {
        let mut gathered = self.lock();
        let is_first = gathered.bytes.is_empty();
        gathered.bytes.extend_from_slice(line);
        if haste == Haste::AtOnce || gathered.bytes.len() >= GATHERED_BYTES {
            gathered.write_out();
        } else if is_first {
            self.arrived.notify_one();
        }
    }
}

impl<W: Write> Gathered<W> {
    fn write_out(&mut self) {
        // Who would be told that the log can't be written?
        let _ = self.output.write_all(&self.bytes).and_then(|()| self.output.flush());
        self.bytes.clear();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Haste {
    /// It may be gathered.
    InAMoment,
    /// It may not.
    AtOnce,
}

/// Takes one line.
#[derive(Debug)]
pub(super) struct Line<'l, W> {
    lines: &'l Lines<W>,
    haste: Haste,
}

impl<W: Write> Write for Line<'_, W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.lines.add(line, self.haste);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(lines: &Lines<Vec<u8>>) -> String {
        String::from_utf8(lines.lock().output.clone()).unwrap()
    }

    #[test]
    fn an_access_line_waits_and_any_other_takes_it_along_in_order() {
        let lines = Lines::to(Vec::new());
        lines.add(b"request 1\n", Haste::InAMoment);
        lines.add(b"request 2\n", Haste::InAMoment);
        assert_eq!(written(&lines), "");
        lines.add(b"trouble\n", Haste::AtOnce);
        assert_eq!(written(&lines), "request 1\nrequest 2\ntrouble\n");
    }

    #[test]
    fn what_waits_is_bounded_and_nothing_is_lost() {
        let lines = Lines::to(Vec::new());
        let line = [b'x'; 1000];
        for _ in 0..200 {
            lines.add(&line, Haste::InAMoment);
            assert!(lines.lock().bytes.len() < GATHERED_BYTES);
        }
        lines.lock().write_out();
        assert_eq!(written(&lines).len(), 200_000);
    }

    #[test]
    fn gathered_lines_are_written_without_another_one_coming() {
        let (sender, received) = std::sync::mpsc::channel::<Vec<u8>>();
        struct Sender(std::sync::mpsc::Sender<Vec<u8>>);
        impl Write for Sender {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.send(bytes.to_vec()).map(|()| bytes.len()).map_err(io::Error::other)
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let lines = Arc::new(Lines::to(Sender(sender)));
        let writing = Arc::clone(&lines);
        thread::spawn(move || writing.write_each_moment());
        for line in [b"one\n", b"two\n"] {
            lines.add(line, Haste::InAMoment);
            assert_eq!(received.recv().unwrap(), line);
        }
    }
}
