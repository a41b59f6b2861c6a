//! Events as JSON objects, one a line. What the library has for it builds them by way of serde, which takes twice as many
//! instructions; with an event for each request that is felt.
//!
//! SECURITY: OPS-01. Whatever a value holds, it can't break out of its string or its line, nor move a terminal's cursor.

use std::cell::RefCell;
use std::fmt::{self, Debug, Display, Write};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::FmtContext;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::registry::LookupSpan;

use crate::domain::{Clock, SystemClock, Timestamp};

/// Writes `timestamp`, `level`, the event's own fields, and `target`.
#[derive(Debug)]
pub(super) struct JsonLines;

impl<S, N> FormatEvent<S, N> for JsonLines
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let meta = event.metadata();
        // One that another event is being written to, as by a value that logs, is left alone.
        let mut line = LINE.try_with(RefCell::take).unwrap_or_default();
        line.push_str("{\"timestamp\":\"");
        time(&mut line, SystemClock.now());
        line.push_str("\",\"level\":\"");
        line.push_str(meta.level().as_str());
        line.push('"');
        event.record(&mut Fields { line: &mut line });
        line.push_str(",\"target\":");
        text(&mut line, |out| out.write_str(meta.target()));
        line.push_str("}\n");
        let written = out.write_str(&line);
        line.clear();
        line.shrink_to(MOST_KEPT);
        let _ = LINE.try_with(|kept| kept.replace(line));
        written
    }
}

/// A longer line gives its room back.
const MOST_KEPT: usize = 4096;
thread_local! {
    /// Room for a thread's next line.
    static LINE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// A time in RFC 3339, to the millisecond. The date is worked out once a second.
fn time(line: &mut String, now: Timestamp) {
    thread_local! {
        static SECOND: RefCell<(u64, String)> = const { RefCell::new((u64::MAX, String::new())) };
    }
    let (now, millis) = (now.as_millis() / 1000, now.as_millis() % 1000);
    SECOND.with_borrow_mut(|(second, text)| {
        if *second != now {
            *second = now;
            *text = Timestamp::from_millis(now * 1000).to_string();
        }
        line.push_str(text.strip_suffix("000Z").unwrap_or(text));
    });
    thousandths(line, millis);
    line.push('Z');
}

/// Three digits.
fn thousandths(line: &mut String, number: u64) {
    let digit = |at: u64| char::from(b'0' + u8::try_from(number / at % 10).unwrap_or_default());
    line.extend([digit(100), digit(10), digit(1)]);
}

/// Writes each field with the comma before it. Nothing fails: it is all in memory.
struct Fields<'l> {
    line: &'l mut String,
}

impl Fields<'_> {
    fn name(&mut self, field: &Field) -> &mut String {
        // Names are identifiers of ours.
        for part in [",\"", field.name(), "\":"] {
            self.line.push_str(part);
        }
        self.line
    }

    fn put(&mut self, field: &Field, value: impl Display) {
        let _ = write!(self.name(field), "{value}");
    }
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        text(self.name(field), |out| out.write_str(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    /// To three places, which is all that is known of a duration.
    fn record_f64(&mut self, field: &Field, value: f64) {
        let line = self.name(field);
        if !(0.0..1e12).contains(&value) {
            let _ = if value.is_finite() { write!(line, "{value:?}") } else { line.write_str("null") };
            return;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is in bounds")]
        let places = (value * 1e3).round() as u64;
        let _ = write!(line, "{}.", places / 1000);
        thousandths(line, places % 1000);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        text(self.name(field), |out| write!(out, "{value:?}"));
    }
}

/// A string with what `write` writes.
fn text(line: &mut String, write: impl FnOnce(&mut Escaped<'_>) -> fmt::Result) {
    line.push('"');
    // It fails only where a value says so of itself, which is then cut there.
    let _ = write(&mut Escaped(line));
    line.push('"');
}

/// Escapes what JSON strings must not hold as it is (RFC 8259 §7), and what else controls a terminal or ends a line.
struct Escaped<'l>(&'l mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        // Nearly all are; it is found out for many bytes at a time.
        let is_plain = |byte: u8| (b' '..0x7f).contains(&byte) & (byte != b'"') & (byte != b'\\');
        if piece.bytes().fold(true, |plain, byte| plain & is_plain(byte)) {
            self.0.push_str(piece);
            return Ok(());
        }
        let is_special = |char: char| char.is_control() || matches!(char, '\u{2028}' | '\u{2029}');
        for char in piece.chars() {
            match char {
                '"' | '\\' => self.0.extend(['\\', char]),
                _ if is_special(char) => write!(self.0, "\\u{:04x}", u32::from(char))?,
                _ => self.0.push(char),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use proptest::prelude::*;
    use serde_json::{Value, json};
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl<'l> MakeWriter<'l> for Lines {
        type Writer = Self;
        fn make_writer(&'l self) -> Self {
            self.clone()
        }
    }

    /// The line of one event.
    fn line(event: impl FnOnce()) -> String {
        let lines = Lines::default();
        let log = tracing_subscriber::fmt().event_format(JsonLines).with_writer(lines.clone()).finish();
        tracing::subscriber::with_default(log, event);
        String::from_utf8(std::mem::take(&mut lines.0.lock().unwrap())).unwrap()
    }

    #[test]
    fn an_event_is_one_object_with_its_fields_beside_each_other() {
        let line = line(|| {
            let (nobody, slow) = (None::<&str>, f64::INFINITY);
            tracing::warn!(target: "passgate::access", status = 200, took = 1.5, slow, nobody, ok = true, below = -1, who = ?"x", "request");
        });
        let mut read: Value = serde_json::from_str(&line).unwrap();
        let time = read["timestamp"].take();
        assert!(time.as_str().unwrap().parse::<humantime::Timestamp>().is_ok(), "{time}");
        let expected = json!({
            "timestamp": null, "level": "WARN", "message": "request", "status": 200, "took": 1.5, "slow": null, "ok": true,
            "below": -1, "who": "\"x\"", "target": "passgate::access"
        });
        assert_eq!((read, line.matches('\n').count()), (expected, 1));
    }

    #[test]
    fn times_are_right_also_when_the_second_is_the_last_ones() {
        for (millis, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_795_852_799_001, "2026-11-28T07:59:59.001Z"),
            (1_795_852_799_999, "2026-11-28T07:59:59.999Z"),
            (1_795_852_800_000, "2026-11-28T08:00:00.000Z"),
        ] {
            let mut text = String::new();
            time(&mut text, Timestamp::from_millis(millis));
            assert_eq!(text, expected);
        }
    }

    proptest! {
        #[test]
        fn ops_01_no_value_breaks_out_of_its_line(value in "(\\PC|[\"\\\\\\x00-\\x1f\\x7f-\\u{9f}\u{2028}])*") {
            let line = line(|| tracing::info!(shown = %value, plain = value.as_str(), "{value}"));
            let read: Value = serde_json::from_str(&line).unwrap();
            let is_special = |char: char| char.is_control() || char == '\u{2028}';
            let has_special = line.trim_end_matches('\n').contains(is_special);
            prop_assert!(!has_special, "{}", line.escape_debug());
            for field in ["shown", "plain", "message"] {
                prop_assert_eq!(read[field].as_str(), Some(value.as_str()));
            }
        }
    }
}
