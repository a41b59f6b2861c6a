//! Where the frames of HTTP/2 begin (RFC 9113 §4.1). What is in them is for others.

/// How long a frame's head is.
pub(super) const HEAD: usize = 9;

/// Follows the frames of one direction by their heads, however the bytes are cut.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Frames {
    /// How much is to come of what has no head: the preface, a payload.
    left: usize,
    head: [u8; HEAD],
    known: usize,
}

impl Frames {
    /// Those that begin after so many bytes of something else.
    pub(super) const fn after(bytes: usize) -> Self {
        Self { left: bytes, head: [0; HEAD], known: 0 }
    }

    /// How much is to come before the next head begins; none in the middle of one.
    pub(super) const fn before_next(&self) -> Option<usize> {
        if self.known == 0 { Some(self.left) } else { None }
    }

    /// How many bytes the payload of the last head has.
    pub(super) const fn left(&self) -> usize {
        self.left
    }

    /// The next head in `bytes`, which go on behind it then.
    pub(super) fn next(&mut self, bytes: &mut &[u8]) -> Option<[u8; HEAD]> {
        while !bytes.is_empty() {
            let skipped = self.left.min(bytes.len());
            self.left -= skipped;
            *bytes = &bytes[skipped..];
            let taken = bytes.len().min(HEAD - self.known);
            self.head[self.known..self.known + taken].copy_from_slice(&bytes[..taken]);
            self.known += taken;
            *bytes = &bytes[taken..];
            if self.known == HEAD {
                let [a, b, c, ..] = self.head;
                (self.known, self.left) = (0, u32::from_be_bytes([0, a, b, c]) as usize);
                return Some(self.head);
            }
        }
        None
    }

    /// Whether the last frame is whole.
    pub(super) const fn is_between(&self) -> bool {
        self.left == 0 && self.known == 0
    }
}
