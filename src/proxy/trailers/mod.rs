//! Trailer fields of chunked bodies (RFC 9110 §6.5), which the engine reads over: both connections of an exchange follow
//! the bytes that pass, so that the fields at the end of a body can be taken off one and added to the body's end on the
//! other. Nothing is held back for it: what is kept is a head and a trailer section, never a body.
//!
//! Requests that have neither a chunked body nor `TE: trailers` cost the look at their head that says so.

mod connector;
mod fields;
mod message;

use std::sync::{Arc, OnceLock};

use http::header::{CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderName, Version};
use pingora::http::RequestHeader;
use pingora::proxy::Session;

pub(super) use self::connector::CarryingConnector;
use self::message::{Message, Section};
use super::{Connection, HeaderRules, Upstream, connection};

/// The way of trailer fields from one connection to the other. They are on it before the body's end is: the engine writes
/// that only when it has read it.
#[derive(Debug)]
pub(super) struct Passage {
    rules: Arc<HeaderRules>,
    /// The lines to write, once the section is known.
    lines: OnceLock<Vec<u8>>,
}

impl Passage {
    fn new(rules: &Arc<HeaderRules>) -> Arc<Self> {
        Arc::new(Self { rules: Arc::clone(rules), lines: OnceLock::new() })
    }
}

/// The passages of one exchange, at least one of the two.
#[derive(Clone, Debug)]
pub(super) struct Crossing {
    request: Option<Arc<Passage>>,
    response: Option<Arc<Passage>>,
}

impl Crossing {
    /// Makes ready what this exchange needs, which for nearly every request is nothing. To be called before its body is
    /// read.
    pub(super) fn begin(session: &Session, headers: &Arc<HeaderRules>, upstream: &Upstream) -> Option<Self> {
        let request = session.req_header();
        let is_chunked = request.headers.contains_key(TRANSFER_ENCODING);
        let is_wanted = request.headers.contains_key(TE) && wants_trailers(request);
        if !(is_chunked || is_wanted) || request.headers.contains_key(UPGRADE) || !upstream.is_plain() {
            return None;
        }
        let passage = || Passage::new(headers);
        let crossing = Self { request: is_chunked.then(passage), response: is_wanted.then(passage) };
        connection(session)?.carry(crossing.request.clone(), crossing.response.clone());
        Some(crossing)
    }

    /// Tells the application which fields may come and that it may send some. The engine has dropped both fields, since
    /// they are meant for the next hop only; these are ours.
    pub(super) fn announce(
        &self,
        upstream: &mut RequestHeader,
        client: &RequestHeader,
    ) -> pingora::Result<()> {
        if self.response.is_some() {
            upstream.insert_header(TE, "trailers")?;
            upstream.insert_header(CONNECTION, "TE")?;
        }
        let Some(passage) = &self.request else { return Ok(()) };
        for value in client.headers.get_all(TRAILER) {
            for name in value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                if HeaderName::from_bytes(name)
                    .is_ok_and(|name| fields::may_travel(&name, &[], &passage.rules))
                {
                    upstream.append_header(TRAILER, name)?;
                }
            }
        }
        Ok(())
    }
}

/// RFC 9110 §10.1.4: without it the application is not to send any that matter, and ours is not to pass any on.
fn wants_trailers(request: &RequestHeader) -> bool {
    let values = request.headers.get_all(TE).iter();
    request.version == Version::HTTP_11
        && values
            .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
            .any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"))
}

/// What a connection knows of the messages on it.
#[derive(Default)]
pub(super) struct Carriage {
    incoming: Incoming,
    outgoing: Option<Outgoing>,
}

/// The message that is being read.
#[derive(Default)]
enum Incoming {
    /// Nothing of it has come.
    #[default]
    Ahead,
    /// So much has come, and nobody has asked for its trailer fields yet: part of the body often comes with the head.
    Begun(Vec<u8>),
    Followed(Follower),
    /// It has no trailer fields, or they have been taken.
    Passed,
    /// Nothing on the connection is a message of HTTP/1.
    Foreign,
}

/// A message whose trailer fields are wanted.
struct Follower {
    message: Message,
    section: Vec<u8>,
    to: Arc<Passage>,
}

/// A message that gets trailer fields if it can have any.
struct Outgoing {
    message: Message,
    from: Arc<Passage>,
}

impl Carriage {
    /// What is kept of a message until its head is understood; those of which more comes at once have no trailers.
    const MOST_BEGUN: usize = 16 * 1024;

    /// For a connection on which another version of HTTP is spoken.
    pub(super) const fn of_other_version() -> Self {
        Self { incoming: Incoming::Foreign, outgoing: None }
    }

    /// From now on: passes on the trailers of the message being read, and adds some to the one written next.
    pub(super) fn carry(&mut self, taken: Option<Arc<Passage>>, given: Option<Arc<Passage>>) {
        self.outgoing = given.map(|from| Outgoing { message: Message::new(), from });
        let Some(to) = taken else { return };
        let begun = match std::mem::take(&mut self.incoming) {
            Incoming::Ahead => Vec::new(),
            Incoming::Begun(begun) => begun,
            Incoming::Followed(_) | Incoming::Passed | Incoming::Foreign => {
                self.incoming = Incoming::Passed;
                return;
            }
        };
        self.incoming = Incoming::Followed(Follower { message: Message::new(), section: Vec::new(), to });
        self.arrived(&begun);
    }

    /// Notes what has been read.
    pub(super) fn arrived(&mut self, bytes: &[u8]) {
        let is_passed = match &mut self.incoming {
            Incoming::Passed | Incoming::Foreign => return,
            Incoming::Ahead => {
                self.incoming =
                    if may_be_chunked(bytes) { Incoming::Begun(bytes.to_vec()) } else { Incoming::Passed };
                return;
            }
            Incoming::Begun(begun) => {
                begun.extend_from_slice(bytes);
                begun.len() > Self::MOST_BEGUN
            }
            Incoming::Followed(follower) => follower.read(bytes),
        };
        if is_passed {
            self.incoming = Incoming::Passed;
        }
    }

    /// Notes that something is being written: requests and responses take turns. Returns whether it must be followed by
    /// means of [`Carriage::write`].
    pub(super) fn departs(&mut self) -> bool {
        if matches!(self.incoming, Incoming::Begun(_) | Incoming::Passed) {
            self.incoming = Incoming::Ahead;
        }
        self.outgoing.is_some()
    }

    /// Writes `bytes` of the outgoing message to `out`, with the trailer fields in their place.
    pub(super) fn write(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        let Some(outgoing) = &mut self.outgoing else { return out.extend_from_slice(bytes) };
        let at = outgoing.message.advance(bytes);
        let (before, after) = bytes.split_at(at);
        out.extend_from_slice(before);
        match outgoing.message.section() {
            Section::Ahead => {}
            Section::Here => {
                out.extend_from_slice(outgoing.from.lines.get().map(Vec::as_slice).unwrap_or_default());
                self.outgoing = None;
            }
            Section::None => self.outgoing = None,
        }
        out.extend_from_slice(after);
    }
}

impl Follower {
    /// Longer trailer sections are not passed on.
    const LONGEST_SECTION: usize = 4 * 1024;

    /// Reads on; returns whether nothing more is to be expected.
    fn read(&mut self, bytes: &[u8]) -> bool {
        let at = self.message.advance(bytes);
        match self.message.section() {
            Section::Ahead => return false,
            Section::None => return true,
            Section::Here => {}
        }
        let room = Self::LONGEST_SECTION + 2 - self.section.len();
        self.section.extend(bytes[at..].iter().take(room));
        let Some(end) = end_of(&self.section) else { return self.section.len() > Self::LONGEST_SECTION };
        let lines = fields::permitted(&self.section[..end], self.message.head(), &self.to.rules);
        // A second section would be that of another message, and none of ours.
        let _ = self.to.lines.set(lines);
        true
    }
}

/// Where the empty line after a trailer section begins.
fn end_of(section: &[u8]) -> Option<usize> {
    if section.starts_with(b"\r\n") {
        return Some(0);
    }
    section.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 2)
}

/// Whether a message that begins so is worth remembering. The heads of page loads are not: what comes with the head of a
/// `GET` or `HEAD` has no meaning (RFC 9110 §9.3.1), and neither has what is sent in a tunnel.
fn may_be_chunked(bytes: &[u8]) -> bool {
    bytes.first().is_some_and(u8::is_ascii_uppercase)
        && !(matches!(bytes[0], b'G' | b'H') && bytes.ends_with(b"\r\n\r\n"))
}

#[cfg(test)]
mod tests;
