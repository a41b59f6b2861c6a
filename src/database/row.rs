//! What goes into a statement and what comes out: parameters, and rows of raw bytes.

use std::borrow::Cow;

use super::Kind;

/// What stands for one `?` of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parameter<'p> {
    /// NULL.
    Null,
    /// A whole number.
    Number(i64),
    /// A text.
    Text(&'p str),
    /// Bytes, for a binary column, or a text that may be no UTF-8.
    Bytes(&'p [u8]),
}

/// A row: what stands in each column, as bytes, none for NULL. Texts are the bytes the database has, as UTF-8 where it knows
/// their character set; binary columns are as they are; numbers are decimal; PostgreSQL's booleans are `t` and `f`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row(pub(super) Vec<Option<Vec<u8>>>);

impl Row {
    /// The bytes of a column, counted from 0; none for NULL and behind the last column.
    pub fn bytes(&self, column: usize) -> Option<&[u8]> {
        self.0.get(column)?.as_deref()
    }

    /// The same as text; bytes that are no UTF-8 become `U+FFFD`.
    pub fn text(&self, column: usize) -> Option<Cow<'_, str>> {
        self.bytes(column).map(String::from_utf8_lossy)
    }

    /// The same as a whole number; none for anything else.
    pub fn number(&self, column: usize) -> Option<i64> {
        std::str::from_utf8(self.bytes(column)?).ok()?.parse().ok()
    }
}

impl Kind {
    /// A table's or column's name as it stands in a statement.
    pub fn quoted(self, name: &str) -> String {
        let quote = if self == Self::MySql { '`' } else { '"' };
        let mut quoted = String::with_capacity(name.len() + 2);
        quoted.push(quote);
        for sign in name.chars() {
            if sign == quote {
                quoted.push(quote);
            }
            quoted.push(sign);
        }
        quoted.push(quote);
        quoted
    }
}

/// A statement with `$1`, `$2` … in the place of each `?` outside quotes, which is PostgreSQL's way.
pub(super) fn numbered(statement: &str) -> String {
    let mut text = String::with_capacity(statement.len() + 8);
    let (mut quote, mut count) = (None, 0);
    for sign in statement.chars() {
        match (quote, sign) {
            (None, '?') => {
                count += 1;
                text.push_str(&format!("${count}"));
                continue;
            }
            (None, '\'' | '"') => quote = Some(sign),
            (Some(open), _) if open == sign => quote = None,
            _ => {}
        }
        text.push(sign);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_numbered_outside_quotes() {
        assert_eq!(numbered("a = ? and b in (?,?)"), "a = $1 and b in ($2,$3)");
        assert_eq!(numbered("'it''s ?' || \"c?\" = ?"), "'it''s ?' || \"c?\" = $1");
    }

    #[test]
    fn names_are_quoted_whatever_they_hold() {
        assert_eq!(Kind::MySql.quoted("a`; drop"), "`a``; drop`");
        assert_eq!(Kind::Postgres.quoted("a\"b"), "\"a\"\"b\"");
        assert_eq!(Kind::Sqlite.quoted("users"), "\"users\"");
    }

    #[test]
    fn a_column_is_bytes_text_or_number() {
        let row = Row(vec![Some(b"17".to_vec()), None, Some(vec![0xff])]);
        assert_eq!(
            (row.number(0), row.number(1), row.number(2), row.number(9)),
            (Some(17), None, None, None)
        );
        assert_eq!((row.text(2).as_deref(), row.bytes(2)), (Some("\u{fffd}"), Some(&[0xff][..])));
    }
}
