//! The fields of a head, for whoever keeps them: the engine in its maps, or [`List`], which leaves them where they were read.
//!
//! The rules for headers are written for [`Fields`], so they are the same on both ways a request may go. A list copies
//! nothing that was read; names keep their spelling and fields their order.

use http::{HeaderMap, HeaderName, HeaderValue};
use memchr::{memchr, memchr_iter};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::{Error, ErrorType};

/// Fields that can be looked up and changed. Names are compared without regard to case.
pub trait Fields {
    /// The values of a field, in their order.
    fn values<'f>(&'f self, name: &HeaderName) -> impl Iterator<Item = &'f [u8]>;

    /// Drops those whose name is not to stay.
    fn retain(&mut self, stays: impl FnMut(&str) -> bool);

    /// Adds a field.
    ///
    /// # Errors
    /// If it would be none.
    fn append(&mut self, name: &str, value: &[u8]) -> pingora::Result<()>;

    /// Drops all fields of a name.
    fn remove(&mut self, name: &HeaderName) {
        self.retain(|known| !known.eq_ignore_ascii_case(name.as_str()));
    }

    /// Whether there is such a field.
    fn has(&self, name: &HeaderName) -> bool {
        self.values(name).next().is_some()
    }

    /// The first value, if it is visible ASCII.
    fn text<'f>(&'f self, name: &HeaderName) -> Option<&'f str> {
        let value = self.values(name).next()?;
        let is_plain = |byte: &u8| matches!(byte, b' '..=b'~' | b'\t');
        value.iter().all(is_plain).then(|| std::str::from_utf8(value).ok())?
    }

    /// Puts one field, with its name spelled as `spelling`, in the place of all of its name.
    ///
    /// # Errors
    /// If it would be none.
    fn set_as(&mut self, name: &HeaderName, spelling: &str, value: &[u8]) -> pingora::Result<()> {
        self.remove(name);
        self.append(spelling, value)
    }
}

fn of_map<'m>(map: &'m HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'m [u8]> {
    map.get_all(name).iter().map(HeaderValue::as_bytes)
}

fn dropped(map: &HeaderMap, mut stays: impl FnMut(&str) -> bool) -> Vec<HeaderName> {
    map.keys().filter(|name| !stays(name.as_str())).cloned().collect()
}

/// The engine's two heads have the same methods, and nothing in common that says so.
macro_rules! fields_of_engine {
    ($($head:ty),+) => {$(
        impl Fields for $head {
            fn values<'f>(&'f self, name: &HeaderName) -> impl Iterator<Item = &'f [u8]> {
                of_map(&self.headers, name)
            }

            fn retain(&mut self, stays: impl FnMut(&str) -> bool) {
                dropped(&self.headers, stays).iter().for_each(|name| drop(self.remove_header(name)));
            }

            fn append(&mut self, name: &str, value: &[u8]) -> pingora::Result<()> {
                self.append_header(name.to_owned(), value).map(drop)
            }

            fn remove(&mut self, name: &HeaderName) {
                self.remove_header(name);
            }
        }
    )+};
}

fields_of_engine!(RequestHeader, ResponseHeader);

/// Fields of a head that lies in memory as it was read.
pub(super) struct List<'h> {
    fields: Vec<(Name<'h>, Value<'h>)>,
    /// The names that are not in the head, one after the other.
    names: String,
    /// The values that are not.
    values: Vec<u8>,
}

#[derive(Clone, Copy)]
enum Name<'h> {
    Read(&'h str),
    /// From here to there of those that are not in the head.
    Made(usize, usize),
}

#[derive(Clone, Copy)]
enum Value<'h> {
    Read(&'h [u8]),
    Made(usize, usize),
}

impl Name<'_> {
    fn text<'t>(&'t self, made: &'t str) -> &'t str {
        match *self {
            Self::Read(text) => text,
            Self::Made(begin, end) => made.get(begin..end).unwrap_or_default(),
        }
    }
}

impl Value<'_> {
    fn bytes<'t>(&'t self, made: &'t [u8]) -> &'t [u8] {
        match *self {
            Self::Read(bytes) => bytes,
            Self::Made(begin, end) => made.get(begin..end).unwrap_or_default(),
        }
    }
}

impl Default for List<'_> {
    fn default() -> Self {
        Self {
            fields: Vec::with_capacity(24),
            names: String::with_capacity(192),
            values: Vec::with_capacity(320),
        }
    }
}

impl<'h> List<'h> {
    /// Those of a request's head that has been judged (RFC 9112 §5).
    pub(super) fn of_request(head: &'h [u8]) -> Self {
        let mut list = Self::default();
        let mut begin = 0;
        let mut is_after_request_line = false;
        for end in memchr_iter(b'\n', head) {
            let line = head.get(begin..end).unwrap_or_default();
            begin = end + 1;
            match memchr(b':', line) {
                Some(colon) if is_after_request_line => {
                    // A name is a token; what is not even text is none, and is not passed on.
                    if let Ok(name) = std::str::from_utf8(&line[..colon]) {
                        list.push(name, line[colon + 1..].trim_ascii());
                    }
                }
                // An empty line may come first.
                _ => is_after_request_line |= !line.trim_ascii().is_empty(),
            }
        }
        list
    }

    /// Those of a map, in whose place they are changed.
    pub(super) fn of_map(map: &'h HeaderMap) -> Self {
        let mut list = Self::default();
        map.iter().for_each(|(name, value)| list.push(name.as_str(), value.as_bytes()));
        list
    }

    /// The same ones, for changes of their own, as long as nothing has been added.
    pub(super) fn as_read(&self) -> Self {
        let mut list = Self::default();
        list.fields.extend_from_slice(&self.fields);
        list
    }

    /// Adds a field that has been read.
    pub(super) fn push(&mut self, name: &'h str, value: &'h [u8]) {
        self.fields.push((Name::Read(name), Value::Read(value)));
    }

    /// The same, with the value in several lines made one (RFC 9112 §5.2).
    pub(super) fn push_unfolded(&mut self, name: &'h str, value: &[u8]) {
        let begin = self.values.len();
        let mended = value.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte });
        self.values.extend(mended);
        self.fields.push((Name::Read(name), Value::Made(begin, self.values.len())));
    }

    /// Each field's name and value.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.fields.iter().map(|(name, value)| (name.text(&self.names), value.bytes(&self.values)))
    }

    /// Writes the lines of all fields.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        for (name, value) in self.iter() {
            for part in [name.as_bytes(), b": ", value, b"\r\n"] {
                out.extend_from_slice(part);
            }
        }
    }
}

impl Fields for List<'_> {
    fn values<'f>(&'f self, name: &HeaderName) -> impl Iterator<Item = &'f [u8]> {
        let name = name.as_str();
        self.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn retain(&mut self, mut stays: impl FnMut(&str) -> bool) {
        let made = &self.names;
        self.fields.retain(|(name, _)| stays(name.text(made)));
    }

    fn append(&mut self, name: &str, value: &[u8]) -> pingora::Result<()> {
        // SECURITY: HDR-05. Nothing that ends a line gets into a value, whoever made it. Without an early end, for many bytes at a time.
        if value.iter().fold(false, |is, byte| is | ((*byte < b' ') & (*byte != b'\t')) | (*byte == 0x7f)) {
            return Error::e_explain(ErrorType::InvalidHTTPHeader, "a value that is none");
        }
        let (names, values) = (self.names.len(), self.values.len());
        self.names.push_str(name);
        self.values.extend_from_slice(value);
        self.fields.push((Name::Made(names, self.names.len()), Value::Made(values, self.values.len())));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use http::header::{COOKIE, HOST};

    use super::*;

    fn lines(list: &List<'_>) -> String {
        let mut out = Vec::new();
        list.write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_list_keeps_order_and_spelling_and_reads_no_first_or_last_line() {
        let head =
            b"\r\nGET /a:b HTTP/1.1\r\nhOsT: a\r\nX-Empty:\r\nCookie:  a=1:2 \t\r\ncookie: b=2\r\n\r\n";
        let mut list = List::of_request(head);
        assert_eq!(lines(&list), "hOsT: a\r\nX-Empty: \r\nCookie: a=1:2\r\ncookie: b=2\r\n");
        assert_eq!(list.values(&COOKIE).collect::<Vec<_>>(), [&b"a=1:2"[..], b"b=2"]);
        assert_eq!((list.text(&HOST), list.has(&http::header::TE)), (Some("a"), false));
        list.set_as(&COOKIE, "Cookie", b"c=3").unwrap();
        list.retain(|name| name != "X-Empty");
        list.append("X-Two", b"").unwrap();
        assert_eq!(lines(&list), "hOsT: a\r\nCookie: c=3\r\nX-Two: \r\n");
    }

    #[test]
    fn hdr_05_no_value_ends_its_line() {
        for value in ["a\r\nb: c", "a\nb", "a\rb", "a\0b", "\x7f"] {
            assert!(List::default().append("a", value.as_bytes()).is_err(), "{value:?}");
        }
        let mut list = List::default();
        list.push_unfolded("a", b"b\r\n c");
        assert_eq!(lines(&list), "a: b   c\r\n");
    }
}
