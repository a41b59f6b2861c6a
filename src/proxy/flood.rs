//! Frames of HTTP/2 that make the gateway work and ask for nothing, counted as they come (SECURITY: H2-02, H2-04).
//!
//! Pings and settings are answered, streams that are given up were begun, empty and unknown frames cost the look at them. Each
//! by itself is fine, and the `h2` crate takes any number of some of them; so a connection has a budget, which fills up again.
//! Only the heads of frames are looked at, and nothing is held back.

use std::time::Instant;

/// How long the client's preface is (RFC 9113 §3.4).
const PREFACE: usize = 24;
/// How long a frame's head is (RFC 9113 §4.1).
const HEAD: usize = 9;

/// What a connection may still send of such frames.
#[derive(Debug)]
pub(super) struct Flood {
    /// How much is to come of what has no head: the preface, a payload.
    left: usize,
    head: [u8; HEAD],
    known: usize,
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
        Self { left: PREFACE, head: [0; HEAD], known: 0, budget: Self::MOST, filled: now }
    }

    /// Notes what has been read. Returns whether it is too much.
    pub(super) fn is_reached(&mut self, mut bytes: &[u8], now: Instant) -> bool {
        while !bytes.is_empty() {
            let skipped = self.left.min(bytes.len());
            self.left -= skipped;
            bytes = &bytes[skipped..];
            let taken = bytes.len().min(HEAD - self.known);
            self.head[self.known..self.known + taken].copy_from_slice(&bytes[..taken]);
            self.known += taken;
            bytes = &bytes[taken..];
            if self.known == HEAD {
                self.known = 0;
                if self.is_idle() && !self.pay(now) {
                    return true;
                }
            }
        }
        false
    }

    /// Whether the frame with this head asks for nothing.
    fn is_idle(&mut self) -> bool {
        const END_STREAM: u8 = 1;
        let [a, b, c, kind, flags, ..] = self.head;
        self.left = u32::from_be_bytes([0, a, b, c]) as usize;
        match kind {
            // Data, and the fields of a request.
            0 => self.left == 0 && flags & END_STREAM == 0,
            1 | 9 => self.left == 0,
            // How much we may send.
            8 => false,
            _ => true,
        }
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
