//! Frames of HTTP/2 that make the gateway work and ask for nothing, counted as they come (SECURITY: H2-02, H2-04).
//!
//! Pings and settings are answered, streams that are given up were begun, empty and unknown frames cost the look at them. Each
//! by itself is fine, and the `h2` crate takes any number of some of them; so a connection has a budget, which fills up again.
//! Only the heads of frames are looked at, and nothing is held back. Whoever goes beyond it is told so, and the connection ends.

use std::time::Instant;

use super::frames::{Frames, HEAD};
use super::unasked::{Unasked, Word};

/// How long the client's preface is (RFC 9113 §3.4).
const PREFACE: usize = 24;

/// GOAWAY with ENHANCE_YOUR_CALM (RFC 9113 §6.8, §7). Its last stream is the highest there can be: which of them have been begun is not
/// known here.
const CALM: &[u8] = &[0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 11];

/// What a connection may still send of such frames.
#[derive(Debug)]
pub(super) struct Flood {
    incoming: Frames,
    /// None before the first byte.
    outgoing: Option<Frames>,
    unasked: Unasked,
    budget: u32,
    filled: Instant,
}

impl Flood {
    /// How many may come at once: a browser that gives up a hundred pictures is far below.
    const MOST: u32 = 1_000;
    /// How many more each second.
    const A_SECOND: u32 = 100;

    /// Before a connection's first byte.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            incoming: Frames::after(PREFACE),
            outgoing: None,
            unasked: Unasked::default(),
            budget: Self::MOST,
            filled: now,
        }
    }

    /// Notes what has been read. Returns whether it is too much.
    pub(super) fn is_reached(&mut self, mut bytes: &[u8], now: Instant) -> bool {
        while let Some(head) = self.incoming.next(&mut bytes) {
            if is_idle(&head) && !self.pay(now) {
                return true;
            }
        }
        false
    }

    /// What the library says by itself in what is about to be written, see [`Unasked`].
    pub(super) fn word<'b>(&self, bytes: &'b [u8]) -> Word<'b> {
        self.unasked.next(self.outgoing.unwrap_or_default(), bytes)
    }

    /// Notes that such a word was passed on.
    pub(super) const fn said(&mut self, stream: [u8; 4]) {
        self.unasked = Unasked::last(stream);
    }

    /// Notes what has been written.
    pub(super) fn written(&mut self, mut bytes: &[u8]) {
        let frames = self.outgoing.get_or_insert_default();
        while frames.next(&mut bytes).is_some() {}
    }

    /// The last frame, for a client that is too much; none in the middle of another.
    pub(super) fn farewell(&self) -> Option<&'static [u8]> {
        self.outgoing.as_ref().is_some_and(Frames::is_between).then_some(CALM)
    }

    fn pay(&mut self, now: Instant) -> bool {
        let seconds = u32::try_from(now.duration_since(self.filled).as_secs()).unwrap_or(Self::MOST);
        if seconds > 0 {
            self.budget = self.budget.saturating_add(seconds.saturating_mul(Self::A_SECOND)).min(Self::MOST);
            self.filled = now;
        }
        let is_left = self.budget > 0;
        self.budget = self.budget.saturating_sub(1);
        is_left
    }
}

/// Whether the frame with this head asks for nothing.
fn is_idle([a, b, c, kind, flags, ..]: &[u8; HEAD]) -> bool {
    const END_STREAM: u8 = 1;
    let is_empty = [a, b, c] == [&0; 3];
    match kind {
        // Data, and the fields of a request.
        0 => is_empty && flags & END_STREAM == 0,
        1 | 9 => is_empty,
        // How much we may send.
        8 => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0\x06\x06\x06\x06\x06\x06\x06\x06";
    const DATA: &[u8] = b"\0\0\x03\0\0\0\0\0\x01\x06\x06\x06";

    #[test]
    fn h2_04_pings_are_paid_for_and_data_is_not_however_the_bytes_are_cut() {
        let start = Instant::now();
        for size in [1, 7, 24, 1000] {
            let mut flood = Flood::new(start);
            let pieces =
                |count: u32| [PREFACE.to_vec(), [DATA, PING, DATA].concat().repeat(count as usize)].concat();
            let is_reached = |flood: &mut Flood, bytes: &[u8], now| {
                bytes.chunks(size).any(|piece| flood.is_reached(piece, now))
            };
            assert!(!is_reached(&mut flood, &pieces(Flood::MOST), start), "{size}");
            let later = start + Duration::from_secs(2);
            assert!(!is_reached(&mut flood, &PING.repeat(2 * Flood::A_SECOND as usize), later), "{size}");
            assert!(is_reached(&mut flood, PING, later), "{size}");
        }
    }

    #[test]
    fn h2_04_the_last_word_is_a_frame_behind_a_whole_one() {
        let mut flood = Flood::new(Instant::now());
        assert_eq!(flood.farewell(), None, "settings go first");
        for (cut, is_between) in [(0, true), (1, false), (9, false), (11, false), (12, true)] {
            flood.outgoing = None;
            flood.written(PING);
            flood.written(&DATA[..cut]);
            assert_eq!(flood.farewell().is_some(), is_between, "{cut}");
        }
        flood.outgoing = None;
        flood.written(CALM);
        assert!(flood.farewell().is_some(), "it is whole itself");
    }

    #[test]
    fn h2_02_what_is_given_up_empty_or_unknown_is_paid_for() {
        let now = Instant::now();
        for (kind, flags, is_paid) in [
            (0, 0, true),
            (0, 1, false),
            (2, 0, true),
            (3, 0, true),
            (4, 0, true),
            (8, 0, false),
            (9, 0, true),
            (0x77, 0, true),
        ] {
            let mut flood = Flood::new(now);
            let frames = [0, 0, 0, kind, flags, 0, 0, 0, 1].repeat(2_000);
            assert_eq!(flood.is_reached(&[PREFACE, &frames].concat(), now), is_paid, "{kind} {flags}");
        }
    }
}
