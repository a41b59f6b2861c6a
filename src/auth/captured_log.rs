//! What a test logs, for tests of this floor and those above.
//!
//! One subscriber for the whole process: whether anybody listens is kept for each place that logs, across threads, so with
//! a subscriber for each test the one that comes at the wrong moment would miss lines.

use std::cell::RefCell;
use std::io::Write;
use std::sync::{Arc, Mutex, Once};

use serde_json::Value;

thread_local! {
    static LINES: RefCell<Option<Arc<Mutex<Vec<u8>>>>> = const { RefCell::new(None) };
}

/// Lines of this thread's log, as JSON, until it is dropped.
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn start() -> Self {
        static SUBSCRIBER: Once = Once::new();
        SUBSCRIBER.call_once(|| {
            let subscriber =
                tracing_subscriber::fmt().json().with_max_level(tracing::Level::TRACE).with_writer(|| Lines);
            tracing::subscriber::set_global_default(subscriber.finish()).unwrap();
        });
        let lines = Arc::default();
        LINES.set(Some(Arc::clone(&lines)));
        Self(lines)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    pub(crate) fn lines(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        LINES.set(None);
    }
}

/// Writes to where the thread keeps its lines, if it does.
struct Lines;

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LINES.with_borrow(|lines| {
            lines.iter().for_each(|lines| lines.lock().unwrap().extend_from_slice(bytes));
        });
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
