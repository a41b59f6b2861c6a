//! One row, as any of the formats gives it: the wanted columns, as bytes, none longer than [`Value::MOST`].

use encoding_rs::{Encoding, WINDOWS_1252};

/// What stands in one column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Value {
    state: State,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// The row has no such column.
    #[default]
    Missing,
    Null,
    There,
    /// Over [`Value::MOST`] bytes; they are not kept.
    TooLong,
    /// An expression that is not computed here.
    Unreadable,
}

impl Value {
    /// Nothing that is wanted of a member is longer.
    pub(super) const MOST: usize = 16 * 1024;

    pub(super) fn clear(&mut self) {
        self.state = State::Missing;
        self.bytes.clear();
    }

    pub(super) fn set_null(&mut self) {
        self.bytes.clear();
        self.state = State::Null;
    }

    pub(super) fn set_unreadable(&mut self) {
        self.bytes.clear();
        self.state = State::Unreadable;
    }

    /// Adds to what is there; with nothing it becomes an empty text.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if matches!(self.state, State::TooLong | State::Unreadable) {
            return;
        }
        if self.bytes.len() + bytes.len() > Self::MOST {
            self.bytes.clear();
            self.state = State::TooLong;
            return;
        }
        self.state = State::There;
        self.bytes.extend_from_slice(bytes);
    }

    /// The bytes; none for NULL and for what is not there.
    pub(super) fn bytes(&self) -> Option<&[u8]> {
        (self.state == State::There).then_some(&self.bytes)
    }

    /// Replaces what is there.
    pub(super) fn replace(&mut self, bytes: Vec<u8>) {
        self.clear();
        self.push(&bytes);
    }

    fn fault(&self) -> Option<&'static str> {
        match self.state {
            State::TooLong => Some("is far too long"),
            State::Unreadable => Some("is computed by the database, not written in the file"),
            State::Missing | State::Null | State::There => None,
        }
    }
}

/// What bytes mean that are not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Charset(&'static Encoding);

impl Default for Charset {
    /// What MySQL calls latin1.
    fn default() -> Self {
        Self(WINDOWS_1252)
    }
}

impl Charset {
    /// The character set of this name, if it is known and no form of UTF-8: bytes that are UTF-8 are always read so.
    pub(super) fn named(name: &str) -> Option<Self> {
        let label = name.trim().trim_start_matches("win").replace("koi8r", "koi8-r");
        let label = if label.len() == 4 && label.bytes().all(|byte| byte.is_ascii_digit()) {
            format!("windows-{label}")
        } else {
            label
        };
        Encoding::for_label(label.as_bytes()).filter(|found| *found != encoding_rs::UTF_8).map(Self)
    }

    pub(super) fn decode(self, bytes: &[u8]) -> String {
        match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => self.0.decode_without_bom_handling(bytes).0.into_owned(),
        }
    }
}

/// A row: what was asked for of it.
#[derive(Clone, Copy)]
pub(super) struct Row<'r> {
    /// Where it begins.
    pub(super) line: u64,
    /// What was asked for, and …
    pub(super) columns: &'r [&'static str],
    /// … what stands there, in the same order.
    pub(super) values: &'r [Value],
    /// Why it can't be used as a whole.
    pub(super) fault: Option<&'r str>,
    pub(super) charset: Charset,
}

impl Row<'_> {
    fn value(&self, column: &str) -> Option<&Value> {
        let at = self.columns.iter().position(|name| *name == column)?;
        self.values.get(at).filter(|value| value.state != State::Missing)
    }

    /// The bytes of a column; none for NULL, for an empty text, and without such a column.
    pub(super) fn bytes(&self, column: &str) -> Option<&[u8]> {
        self.value(column)?.bytes().filter(|bytes| !bytes.is_empty())
    }

    /// The same as text.
    pub(super) fn text(&self, column: &str) -> Option<String> {
        self.bytes(column).map(|bytes| self.charset.decode(bytes))
    }

    /// The first of these columns that says something.
    pub(super) fn first(&self, columns: &[&str]) -> Option<String> {
        columns.iter().find_map(|column| self.text(column))
    }

    /// A whole number.
    pub(super) fn number(&self, column: &str) -> Option<i64> {
        std::str::from_utf8(self.bytes(column)?).ok()?.trim().parse().ok()
    }

    /// Yes or no, as databases write it.
    pub(super) fn flag(&self, column: &str) -> Option<bool> {
        let word = self.bytes(column)?;
        let is = |words: &[&str]| words.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()));
        if is(&["1", "t", "true", "yes", "y", "\u{1}"]) {
            Some(true)
        } else if is(&["0", "f", "false", "no", "n", "\0"]) {
            Some(false)
        } else {
            None
        }
    }

    /// Whole numbers, separated by commas.
    pub(super) fn numbers(&self, column: &str) -> Vec<i64> {
        let list = self.text(column).unwrap_or_default();
        list.split(',').filter_map(|number| number.trim().parse().ok()).collect()
    }

    /// What is wrong with the row, if anything is.
    pub(super) fn fault(&self) -> Option<String> {
        let of_value =
            |(column, value): (&&str, &Value)| value.fault().map(|fault| format!("{column} {fault}"));
        self.fault.map(str::to_owned).or_else(|| self.columns.iter().zip(self.values).find_map(of_value))
    }
}

/// Which of the wanted columns stands in each place of a row.
pub(super) fn places(columns: &[String], wanted: &[&'static str]) -> Vec<Option<usize>> {
    columns.iter().map(|column| wanted.iter().position(|want| want.eq_ignore_ascii_case(column))).collect()
}
