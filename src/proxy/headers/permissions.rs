//! `Permissions-Policy` on the application's responses, where passkeys are ours: its pages may do all they declare, but
//! not ask for passkeys (SECURITY: BP-86).
//!
//! The field is a dictionary of RFC 8941, and browsers ignore all of it when any part can't be read. So ours joins
//! the application's only if that can be read; one that can't had no effect before, and would take ours down with it.

use http::HeaderName;

use crate::proxy::fields::Fields;

const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
const OURS: &str = "publickey-credentials-get=(), publickey-credentials-create=()";

/// Takes the use of passkeys from the page. What the application declares of other things is kept byte for byte.
pub(super) fn take_passkeys(response: &mut impl Fields) -> pingora::Result<()> {
    let kept = kept(response).unwrap_or_default();
    response.remove(&PERMISSIONS_POLICY);
    let mut all = kept.iter().map(String::as_str).chain([OURS]);
    all.try_for_each(|value| response.append("Permissions-Policy", value.as_bytes()))
}

/// The application's lines without what they say of passkeys; none if browsers would ignore them all.
fn kept(response: &impl Fields) -> Option<Vec<String>> {
    let mut kept = Vec::new();
    for value in response.values(&PERMISSIONS_POLICY) {
        let value = std::str::from_utf8(value).ok().filter(|value| value.is_ascii())?;
        let members = Reader::new(value).members()?;
        let others: Vec<&str> =
            members.iter().filter(|(key, _)| !is_about_passkeys(key)).map(|(_, member)| *member).collect();
        if others.len() == members.len() {
            kept.push(value.to_owned());
        } else if !others.is_empty() {
            kept.push(others.join(", "));
        }
    }
    Some(kept)
}

fn is_about_passkeys(key: &str) -> bool {
    matches!(key, "publickey-credentials-get" | "publickey-credentials-create")
}

/// Reads a dictionary (RFC 8941 §4.2.2). Byte sequences are not read: nothing in this field is one.
struct Reader<'l> {
    line: &'l str,
    at: usize,
}

impl<'l> Reader<'l> {
    fn new(line: &'l str) -> Self {
        Self { line: line.trim_matches(' '), at: 0 }
    }

    /// Each member's key and its text; at least one.
    fn members(mut self) -> Option<Vec<(&'l str, &'l str)>> {
        let mut members = Vec::new();
        loop {
            let start = self.at;
            let key = self.key()?;
            if self.takes(b'=') {
                self.member_value()?;
            }
            self.parameters()?;
            members.push((key, &self.line[start..self.at]));
            self.skip(|byte| matches!(byte, b' ' | b'\t'));
            if self.peek().is_none() {
                return Some(members);
            }
            self.must_take(b',')?;
            self.skip(|byte| matches!(byte, b' ' | b'\t'));
        }
    }

    fn key(&mut self) -> Option<&'l str> {
        self.peek().filter(|byte| byte.is_ascii_lowercase() || *byte == b'*')?;
        Some(self.skip(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-' | b'.' | b'*')
        }))
    }

    fn member_value(&mut self) -> Option<()> {
        if !self.takes(b'(') {
            return self.bare_item();
        }
        loop {
            self.skip(|byte| byte == b' ');
            if self.takes(b')') {
                return Some(());
            }
            self.bare_item()?;
            self.parameters()?;
            self.peek().filter(|byte| matches!(byte, b' ' | b')'))?;
        }
    }

    fn parameters(&mut self) -> Option<()> {
        while self.takes(b';') {
            self.skip(|byte| byte == b' ');
            self.key()?;
            if self.takes(b'=') {
                self.bare_item()?;
            }
        }
        Some(())
    }

    fn bare_item(&mut self) -> Option<()> {
        match self.peek()? {
            b'"' => self.string(),
            b'?' => {
                self.at += 1;
                (self.takes(b'0') || self.takes(b'1')).then_some(())
            }
            b'-' | b'0'..=b'9' => self.number(),
            byte if byte.is_ascii_alphabetic() || byte == b'*' => {
                self.skip(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&byte));
                Some(())
            }
            _ => None,
        }
    }

    fn string(&mut self) -> Option<()> {
        self.must_take(b'"')?;
        loop {
            self.skip(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\');
            if self.takes(b'"') {
                return Some(());
            }
            self.must_take(b'\\')?;
            (self.takes(b'"') || self.takes(b'\\')).then_some(())?;
        }
    }

    fn number(&mut self) -> Option<()> {
        self.takes(b'-');
        let whole = self.skip(|byte| byte.is_ascii_digit()).len();
        if !self.takes(b'.') {
            return (1..=15).contains(&whole).then_some(());
        }
        let fraction = self.skip(|byte| byte.is_ascii_digit()).len();
        ((1..=12).contains(&whole) && (1..=3).contains(&fraction)).then_some(())
    }

    fn peek(&self) -> Option<u8> {
        self.line.as_bytes().get(self.at).copied()
    }

    fn takes(&mut self, byte: u8) -> bool {
        let is_there = self.peek() == Some(byte);
        self.at += usize::from(is_there);
        is_there
    }

    fn must_take(&mut self, byte: u8) -> Option<()> {
        self.takes(byte).then_some(())
    }

    fn skip(&mut self, fits: impl Fn(u8) -> bool) -> &'l str {
        let start = self.at;
        while self.peek().is_some_and(&fits) {
            self.at += 1;
        }
        &self.line[start..self.at]
    }
}
