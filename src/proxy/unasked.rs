//! What the HTTP/2 library answers by itself: requests that it, or the engine, finds malformed before there is one that we could
//! see. They get a status and nothing else (400, 431), or their stream is reset. All answers that go through the engine have a date, at
//! least.
//!
//! Each is found again in what is written, is noted like every refusal of ours, and an answer gets the field that all others have
//! (SECURITY: WEB-05, OPS-02). It may be added at the end of the block: a literal that is not indexed changes no table
//! (RFC 7541 §6.2.2).

use super::frames::{Frames, HEAD};
use super::wire::Refusal;

/// What comes first in bytes that are about to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word<'b> {
    /// So many bytes that are no word of the library's own.
    None(usize),
    /// A whole answer that has only a status.
    Bare(Bare<'b>),
    /// The reset of a stream whose request was malformed, so many bytes.
    Reset([u8; 4], usize),
}

/// An answer without a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bare<'b> {
    head: [u8; HEAD],
    block: &'b [u8],
    /// Its stream.
    pub(super) stream: [u8; 4],
    /// Why the request is refused.
    pub(super) refusal: Refusal,
}

impl Bare<'_> {
    /// How many bytes it has.
    pub(super) const fn length(&self) -> usize {
        HEAD + self.block.len()
    }

    /// The same with this `Strict-Transport-Security`.
    pub(super) fn saying(&self, hsts: Option<&[u8]>) -> Vec<u8> {
        /// Not indexed, and its name is number 56 of the static table (RFC 7541 §5.1, appendix A).
        const NAME: [u8; 2] = [0x0f, 56 - 15];
        /// Longer values would take a length of several bytes, and make the block longer than one byte says.
        const LONGEST: u8 = 126;
        let mut payload = self.block.to_vec();
        let length = |value: &&[u8]| u8::try_from(value.len()).ok().filter(|length| *length <= LONGEST);
        if let Some((value, length)) = hsts.and_then(|value| Some((value, length(&value)?))) {
            payload.extend(NAME);
            payload.push(length);
            payload.extend_from_slice(value);
        }
        let mut head = self.head;
        // It began with far less than a byte can say.
        head[2] = u8::try_from(payload.len()).unwrap_or(head[2]);
        [&head[..], &payload].concat()
    }
}

/// Finds them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Unasked {
    /// The stream of the last one: after an answer it may be reset, too.
    last: [u8; 4],
}

impl Unasked {
    pub(super) const fn last(stream: [u8; 4]) -> Self {
        Self { last: stream }
    }

    /// What comes first. `frames` is where the writing is; the library hands over each frame in one piece, and where one is
    /// cut all the same it passes as it is.
    pub(super) fn next<'b>(&self, mut frames: Frames, bytes: &'b [u8]) -> Word<'b> {
        let mut rest = bytes;
        loop {
            let start = frames.before_next().map(|before| bytes.len() - rest.len() + before);
            let Some(head) = frames.next(&mut rest) else { return Word::None(bytes.len()) };
            let word = rest.get(..frames.left()).and_then(|payload| self.word(head, payload));
            match (word, start) {
                (Some(word), Some(0)) => return word,
                (Some(_), Some(start)) => return Word::None(start),
                _ => {}
            }
        }
    }

    fn word<'b>(&self, head: [u8; HEAD], payload: &'b [u8]) -> Option<Word<'b>> {
        const HEADERS: u8 = 1;
        const RST_STREAM: u8 = 3;
        const END_STREAM: u8 = 1;
        const PROTOCOL_ERROR: [u8; 4] = [0, 0, 0, 1];
        let [_, _, _, kind, flags, a, b, c, d] = head;
        let stream = [a, b, c, d];
        match kind {
            HEADERS if flags & END_STREAM != 0 => {
                let refusal = refusal(payload)?;
                Some(Word::Bare(Bare { head, block: payload, stream, refusal }))
            }
            RST_STREAM if payload == PROTOCOL_ERROR && stream != self.last => {
                Some(Word::Reset(stream, HEAD + payload.len()))
            }
            _ => None,
        }
    }
}

/// Of an answer whose block has one field, which is its status then, why it was given.
fn refusal(block: &[u8]) -> Option<Refusal> {
    /// 400 in the static table.
    const BAD_REQUEST: u8 = 0x80 | 12;
    match without_size(block)? {
        [BAD_REQUEST] => Some(Refusal::Malformed),
        // From the dynamic table, or as a literal with the name of `:status`; of those there is only 431.
        [0x80..=0xff] => Some(Refusal::HeadTooLarge),
        [0x48, length, value @ ..] if usize::from(length & 0x7f) == value.len() => {
            Some(Refusal::HeadTooLarge)
        }
        _ => None,
    }
}

/// What follows the changes of the table's size that a block may begin with (RFC 7541 §6.3).
fn without_size(mut block: &[u8]) -> Option<&[u8]> {
    while let [first @ 0x20..=0x3f, rest @ ..] = block {
        block = rest;
        if *first == 0x3f {
            let last = rest.iter().position(|byte| *byte < 0x80)?;
            block = rest.get(last + 1..)?;
        }
    }
    Some(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: [u8; 4] = [0, 0, 0, 5];

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).unwrap();
        [&[0, 0, length, kind, flags, 0, 0, 0, 5], payload].concat()
    }

    fn first(bytes: &[u8]) -> Word<'_> {
        Unasked::default().next(Frames::default(), bytes)
    }

    #[test]
    fn web_05_an_answer_of_a_status_alone_is_found_and_no_other() {
        for (block, refusal) in [
            (&[0x8c][..], Some(Refusal::Malformed)),
            (&[0xbe], Some(Refusal::HeadTooLarge)),
            (&[0x48, 0x82, 0x68, 0x1f], Some(Refusal::HeadTooLarge)),
            (&[0x20, 0x3f, 0xe1, 0x1f, 0x8c], Some(Refusal::Malformed)),
            (&[0x8c, 0xbe], None),
            (&[0x48, 0x82, 0x68, 0x1f, 0xbe], None),
            (&[0x3f, 0xe1], None),
            (&[], None),
        ] {
            let bytes = frame(1, 5, block);
            let found = match first(&bytes) {
                Word::Bare(bare) => Some((bare.refusal, bare.length())),
                _ => None,
            };
            assert_eq!(found, refusal.map(|refusal| (refusal, bytes.len())), "{block:x?}");
            assert_eq!(first(&frame(1, 4, block)), Word::None(9 + block.len()), "a body follows");
        }
    }

    #[test]
    fn what_comes_before_is_written_first_and_what_is_cut_passes() {
        let (data, bare) = (frame(0, 0, b"text"), frame(1, 5, &[0x8c]));
        let both = [&data[..], &bare].concat();
        assert_eq!(first(&both), Word::None(data.len()));
        for cut in 0..bare.len() {
            assert_eq!(first(&both[..data.len() + cut]), Word::None(data.len() + cut));
        }
        let (mut frames, mut written) = (Frames::default(), &data[..11]);
        while frames.next(&mut written).is_some() {}
        assert_eq!(Unasked::default().next(frames, &both[11..]), Word::None(2));
        assert!(matches!(first(&both[data.len()..]), Word::Bare(_)));
    }

    #[test]
    fn a_stream_is_refused_once_though_it_is_answered_and_reset() {
        let reset = frame(3, 0, &[0, 0, 0, 1]);
        assert_eq!(first(&reset), Word::Reset(STREAM, reset.len()));
        assert_eq!(Unasked::last(STREAM).next(Frames::default(), &reset), Word::None(reset.len()));
        let cancelled = frame(3, 0, &[0, 0, 0, 8]);
        assert_eq!(first(&cancelled), Word::None(cancelled.len()));
    }

    #[test]
    fn web_05_the_field_is_added_behind_the_status() {
        let bytes = frame(1, 5, &[0x8c]);
        let Word::Bare(bare) = first(&bytes) else { panic!() };
        assert_eq!(bare.saying(None), bytes);
        assert_eq!(bare.saying(Some(b"max-age=1")), frame(1, 5, b"\x8c\x0f\x29\x09max-age=1"));
        assert_eq!(bare.saying(Some(&[b'x'; 127])), bytes, "none is better than half of one");
    }
}
