//! The strict reader of one request head (RFC 9112 §2 … §6): SECURITY: H1-01 … H1-08, H1-15, H1-16.
//!
//! Lines are judged in their order, each when its line feed is there. So the verdict is the same however the bytes are cut,
//! and each byte is looked at a fixed number of times however many pieces a head comes in.

use std::ops::Range;

use http::uri::Authority;
use memchr::{memchr, memrchr};

use super::Refusal;

/// A head that is complete and good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) struct Head {
    /// How many bytes it has, the empty line and what came before the request line included.
    pub(in crate::proxy) length: usize,
    /// Where its body ends.
    pub(in crate::proxy) framing: Framing,
    /// Whether it asks for no more than a head.
    pub(in crate::proxy) is_head: bool,
    /// Whether it only asks: by a safe method, without a body, an upgrade, or a field that is meant for the next hop alone and
    /// says more than whether the connection is to stay open (RFC 9110 §7.6.1, §9.2.1).
    pub(in crate::proxy) is_question: bool,
    /// Whether its body comes only when it is told to (RFC 9110 §10.1.1).
    pub(in crate::proxy) waits: bool,
}

/// Where a request's body ends (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) enum Framing {
    /// After so many bytes.
    Length(u64),
    /// After the last chunk and its trailer section.
    Chunked,
}

/// Reads one head. The caller keeps the bytes.
#[derive(Debug, Default)]
pub(in crate::proxy) struct HeadReader {
    /// Where the line begins that is not over yet.
    line: usize,
    /// Up to where there is no line feed.
    searched: usize,
    empty_lines: u8,
    fields: u8,
    version: Option<Version>,
    /// Where the target names a host, which is then the one of `Host`.
    authority: Option<Range<usize>>,
    is_head: bool,
    is_safe: bool,
    hosts: u8,
    lengths: u8,
    length: u64,
    codings: u8,
    is_upgrade: bool,
    is_for_next_hop: bool,
    waits: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Http10,
    Http11,
}

impl HeadReader {
    /// More bytes are refused (SECURITY: H1-16).
    pub(in crate::proxy) const LONGEST_HEAD: usize = 32 * 1024;
    /// Longer lines are refused.
    const LONGEST_LINE: usize = 8 * 1024;
    /// More fields are refused.
    const MOST_FIELDS: u8 = 100;
    /// How many empty lines may come first; old browsers sent one after a form (RFC 9112 §2.2).
    const MOST_EMPTY_LINES: u8 = 2;
    const LONGEST_METHOD: usize = 32;

    /// Reads on. `bytes` are all since the head's first one; they only ever grow.
    ///
    /// # Errors
    /// Why the head is refused. There is no going on after that.
    pub(in crate::proxy) fn advance(&mut self, bytes: &[u8]) -> Result<Option<Head>, Refusal> {
        loop {
            self.check_first_byte(bytes)?;
            let rest = bytes.get(self.searched..).unwrap_or_default();
            let Some(at) = memchr(b'\n', rest) else {
                self.searched = bytes.len();
                self.check_lengths(bytes.len(), bytes.len() + 1)?;
                return Ok(None);
            };
            let end = self.searched + at;
            self.check_lengths(end, end + 1)?;
            let start = self.line;
            let line = bytes.get(start..end).unwrap_or_default();
            let line = line.strip_suffix(b"\r").ok_or(Refusal::LineEnd)?;
            (self.line, self.searched) = (end + 1, end + 1);
            match (line, self.version) {
                ([], Some(version)) => return self.finish(end + 1, version).map(Some),
                ([], None) => self.empty_line()?,
                (_, None) => self.request_line(line, start)?,
                (_, Some(_)) => {
                    let named = self.authority.clone().and_then(|place| bytes.get(place));
                    self.field(line, named)?;
                }
            }
        }
    }

    /// What can't be the beginning of a request, such as that of a TLS handshake, need not be waited for.
    fn check_first_byte(&self, bytes: &[u8]) -> Result<(), Refusal> {
        match bytes.get(self.line) {
            Some(byte)
                if self.version.is_none() && !TCHAR[usize::from(*byte)] && !matches!(byte, b'\r' | b'\n') =>
            {
                Err(Refusal::RequestLine)
            }
            _ => Ok(()),
        }
    }

    /// The line goes up to `end` at least, the head up to `total`.
    fn check_lengths(&self, end: usize, total: usize) -> Result<(), Refusal> {
        let is_line_too_long = end - self.line > Self::LONGEST_LINE;
        match self.version {
            None if is_line_too_long => Err(Refusal::TargetTooLong),
            _ if is_line_too_long || total > Self::LONGEST_HEAD => Err(Refusal::HeadTooLarge),
            _ => Ok(()),
        }
    }

    fn empty_line(&mut self) -> Result<(), Refusal> {
        self.empty_lines += 1;
        if self.empty_lines > Self::MOST_EMPTY_LINES { Err(Refusal::RequestLine) } else { Ok(()) }
    }

    /// RFC 9112 §3: exactly two blanks, nothing mended. `start` is where the line begins.
    fn request_line(&mut self, line: &[u8], start: usize) -> Result<(), Refusal> {
        let first = memchr(b' ', line).ok_or(Refusal::RequestLine)?;
        let last = memrchr(b' ', line).filter(|last| *last > first).ok_or(Refusal::RequestLine)?;
        let (method, target, version) = (&line[..first], &line[first + 1..last], &line[last + 1..]);
        if !is_token(method) {
            return Err(Refusal::RequestLine);
        }
        if method.len() > Self::LONGEST_METHOD || method == b"CONNECT" {
            return Err(Refusal::Method);
        }
        self.is_head = method == b"HEAD";
        self.is_safe = matches!(method, b"GET" | b"HEAD" | b"OPTIONS");
        check_target(target, method)?;
        self.authority =
            authority(target)?.map(|place| start + first + 1 + place.start..start + first + 1 + place.end);
        self.version = Some(match version {
            b"HTTP/1.1" => Version::Http11,
            b"HTTP/1.0" => Version::Http10,
            other if other.starts_with(b"HTTP/") => return Err(Refusal::Version),
            _ => return Err(Refusal::RequestLine),
        });
        Ok(())
    }

    /// RFC 9112 §5: a token, a colon, a value; never folded.
    fn field(&mut self, line: &[u8], named: Option<&[u8]>) -> Result<(), Refusal> {
        self.fields += 1;
        if self.fields > Self::MOST_FIELDS {
            return Err(Refusal::HeadTooLarge);
        }
        let colon = memchr(b':', line).ok_or(Refusal::Field)?;
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        if !is_token(name) || !is_field_content(value) {
            return Err(Refusal::Field);
        }
        self.is_for_next_hop |= is_for_next_hop(name, value);
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => self.host(value, named),
            6 if name.eq_ignore_ascii_case(b"expect") => self.expect(value),
            7 if name.eq_ignore_ascii_case(b"upgrade") => {
                self.is_upgrade = true;
                Ok(())
            }
            14 if name.eq_ignore_ascii_case(b"content-length") => self.content_length(value),
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => self.transfer_encoding(value),
            13..=20 if folds_to_framing(name) => Err(Refusal::Framing),
            _ => Ok(()),
        }
    }

    /// `named` is the host in the target, if there is one. RFC 9112 §3.2.2 would have it count instead; but no client has reason to
    /// name two (SECURITY: H1-15).
    fn host(&mut self, value: &[u8], named: Option<&[u8]>) -> Result<(), Refusal> {
        self.hosts += 1;
        let host = trim(value);
        let is_host = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._:[]".contains(byte);
        let is_other = named.is_some_and(|named| named != host);
        if self.hosts > 1 || host.is_empty() || !host.iter().all(is_host) || is_other {
            return Err(Refusal::Host);
        }
        Ok(())
    }

    fn expect(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.waits || !trim(value).eq_ignore_ascii_case(b"100-continue") {
            return Err(Refusal::Expectation);
        }
        self.waits = true;
        Ok(())
    }

    /// RFC 9110 §8.6, without what recipients may mend: one field, digits alone, no more than a file can have.
    fn content_length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        const MOST_DIGITS: usize = 18;
        let digits = value.strip_prefix(b" ").unwrap_or(value);
        self.lengths += 1;
        if self.lengths > 1 || digits.is_empty() || digits.len() > MOST_DIGITS {
            return Err(Refusal::Framing);
        }
        for digit in digits {
            if !digit.is_ascii_digit() {
                return Err(Refusal::Framing);
            }
            self.length = self.length * 10 + u64::from(digit - b'0');
        }
        Ok(())
    }

    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), Refusal> {
        self.codings += 1;
        let coding = value.strip_prefix(b" ").unwrap_or(value);
        if self.codings > 1 || !coding.eq_ignore_ascii_case(b"chunked") {
            return Err(Refusal::Framing);
        }
        Ok(())
    }

    fn finish(&self, length: usize, version: Version) -> Result<Head, Refusal> {
        let framing = match (self.codings, self.lengths) {
            (0, _) => Framing::Length(self.length),
            (_, 0) if version == Version::Http11 => Framing::Chunked,
            _ => return Err(Refusal::Framing),
        };
        if self.hosts != 1 {
            return Err(Refusal::Host);
        }
        if self.is_upgrade && framing != Framing::Length(0) {
            return Err(Refusal::Upgrade);
        }
        let is_question = self.is_safe
            && framing == Framing::Length(0)
            && !(self.is_upgrade || self.is_for_next_hop || self.waits);
        Ok(Head { length, framing, is_head: self.is_head, is_question, waits: self.waits })
    }
}

/// What RFC 3986 allows, and what browsers send though it does not: they escape blanks, quotes and angle brackets
/// everywhere and grave accents in paths. Nobody sends a fragment.
fn check_target(target: &[u8], method: &[u8]) -> Result<(), Refusal> {
    let is_legal = |byte: &u8| byte.is_ascii_graphic() && !b"\"<>#".contains(byte);
    if !target.iter().all(is_legal) {
        return Err(Refusal::Target);
    }
    let path = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    let is_served = match target {
        b"*" => method == b"OPTIONS",
        _ => target.starts_with(b"/") || scheme(target).is_some(),
    };
    if is_served && memchr(b'`', path).is_none() { Ok(()) } else { Err(Refusal::Target) }
}

/// The length of what comes before the host in a target that names one (RFC 9112 §3.2.2).
fn scheme(target: &[u8]) -> Option<usize> {
    let is =
        |scheme: &&[u8]| target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    [&b"http://"[..], b"https://"].into_iter().find(is).map(<[u8]>::len)
}

/// Where in a target its host is named, and its port, if it is.
fn authority(target: &[u8]) -> Result<Option<Range<usize>>, Refusal> {
    let Some(start) = scheme(target) else { return Ok(None) };
    let rest = target.get(start..).unwrap_or_default();
    let length = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    match Authority::try_from(rest.get(..length).unwrap_or_default()) {
        Ok(_) => Ok(Some(start..start + length)),
        Err(_) => Err(Refusal::Target),
    }
}

/// Whether a field makes a request more than a question to the next hop.
fn is_for_next_hop(name: &[u8], value: &[u8]) -> bool {
    let is = |wanted: &str| name.eq_ignore_ascii_case(wanted.as_bytes());
    match name.len() {
        2 => is("te"),
        7 => is("trailer"),
        10 => {
            let value = trim(value);
            is("connection")
                && !(value.eq_ignore_ascii_case(b"keep-alive") || value.eq_ignore_ascii_case(b"close"))
        }
        14 => is("http2-settings"),
        16..=19 => name.get(..6).is_some_and(|start| start.eq_ignore_ascii_case(b"proxy-")),
        _ => false,
    }
}

/// Programs behind CGI take `Content_Length` for the real one.
fn folds_to_framing(name: &[u8]) -> bool {
    let is = |wanted: &[u8]| {
        let folded = name.iter().filter(|byte| byte.is_ascii_alphanumeric()).map(u8::to_ascii_lowercase);
        folded.eq(wanted.iter().copied())
    };
    is(b"contentlength") || is(b"transferencoding")
}

/// RFC 9110 §5.6.2.
fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|byte| TCHAR[usize::from(*byte)])
}

/// Which bytes a token may have.
const TCHAR: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128_u8 {
        table[byte as usize] = byte.is_ascii_alphanumeric();
        byte += 1;
    }
    let others = b"!#$%&'*+-.^_`|~";
    let mut at = 0;
    while at < others.len() {
        table[others[at] as usize] = true;
        at += 1;
    }
    table
};

/// RFC 9110 §5.5: visible bytes, blanks and tabs, and those beyond ASCII. Written without an early end, so that it is
/// done for many bytes at a time.
fn is_field_content(value: &[u8]) -> bool {
    let is_bad = |byte: u8| ((byte < b' ') & (byte != b'\t')) | (byte == 0x7f);
    !value.iter().fold(false, |bad, byte| bad | is_bad(*byte))
}

fn trim(value: &[u8]) -> &[u8] {
    value.trim_ascii()
}

#[cfg(test)]
mod tests;
