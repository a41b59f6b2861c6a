//! Events as JSON objects, one a line. What the library has for it builds them by way of serde, which takes twice as many
//! instructions; with an event for each request that is felt.
//!
//! SECURITY: OPS-01. Whatever a value holds, it can't break out of its string or its line, nor move a terminal's cursor.

use std::cell::RefCell;
use std::fmt::{self, Debug, Write};

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
        out.write_str("{\"timestamp\":\"")?;
        time(&mut out, SystemClock.now())?;
        out.write_str("\",\"level\":\"")?;
        out.write_str(meta.level().as_str())?;
        out.write_char('"')?;
        let mut fields = Fields { out, done: Ok(()) };
        event.record(&mut fields);
        let Fields { mut out, done } = fields;
        done?;
        out.write_str(",\"target\":")?;
        text(&mut out, |out| out.write_str(meta.target()))?;
        out.write_str("}\n")
    }
}

/// A time in RFC 3339, to the millisecond. The date is worked out once a second.
fn time(out: &mut Writer<'_>, now: Timestamp) -> fmt::Result {
    thread_local! {
        static SECOND: RefCell<(u64, String)> = const { RefCell::new((u64::MAX, String::new())) };
    }
    let (now, millis) = (now.as_millis() / 1000, now.as_millis() % 1000);
    SECOND.with_borrow_mut(|(second, text)| {
        if *second != now {
            *second = now;
            *text = Timestamp::from_millis(now * 1000).to_string();
        }
        let to_the_second = text.strip_suffix(".000Z").unwrap_or(text);
        write!(out, "{to_the_second}.{millis:03}Z")
    })
}

/// Writes each field with the comma before it.
struct Fields<'w> {
    out: Writer<'w>,
    done: fmt::Result,
}

impl Fields<'_> {
    fn put(&mut self, field: &Field, write: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        let named = |out: &mut Writer<'_>| {
            // Names are identifiers of ours.
            out.write_str(",\"")?;
            out.write_str(field.name())?;
            out.write_str("\":")?;
            write(out)
        };
        self.done = self.done.and_then(|()| named(&mut self.out));
    }
}

impl Visit for Fields<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, |out| text(out, |out| out.write_str(value)));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, |out| write!(out, "{value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, |out| write!(out, "{value}"));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(
            field,
            |out| if value.is_finite() { write!(out, "{value:?}") } else { out.write_str("null") },
        );
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, |out| write!(out, "{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, |out| text(out, |out| write!(out, "{value:?}")));
    }
}

/// A string with what `write` writes.
fn text(out: &mut Writer<'_>, write: impl FnOnce(&mut Escaped<'_, '_>) -> fmt::Result) -> fmt::Result {
    out.write_char('"')?;
    write(&mut Escaped(out))?;
    out.write_char('"')
}

/// Escapes what JSON strings must not hold as it is (RFC 8259 §7), and what else controls a terminal or ends a line.
struct Escaped<'o, 'w>(&'o mut Writer<'w>);

impl Write for Escaped<'_, '_> {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        let is_special =
            |char: char| char.is_control() || matches!(char, '"' | '\\' | '\u{2028}' | '\u{2029}');
        let mut rest = piece;
        while let Some((plain, special)) = rest.find(is_special).and_then(|at| rest.split_at_checked(at)) {
            self.0.write_str(plain)?;
            let mut after = special.chars();
            match after.next() {
                Some(char @ ('"' | '\\')) => write!(self.0, "\\{char}")?,
                Some(char) => write!(self.0, "\\u{:04x}", u32::from(char))?,
                None => {}
            }
            rest = after.as_str();
        }
        self.0.write_str(rest)
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
            time(&mut Writer::new(&mut text), Timestamp::from_millis(millis)).unwrap();
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
