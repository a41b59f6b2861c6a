//! Where a body ends, followed however its bytes are cut.

use super::{Chunks, Extensions, Framing};

/// What is left of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) enum Body {
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked(Chunks, Extensions),
    /// The trailer section of a chunked body.
    Trailers(Section),
    /// Nothing.
    Ended,
}

/// How far a trailer section has been followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::proxy) struct Section {
    total: usize,
    line: usize,
    is_after_cr: bool,
}

/// A body that is not framed as it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) struct Broken;

impl Body {
    /// That of a request: nothing in it is read over.
    pub(in crate::proxy) const fn of_request(framing: Framing) -> Self {
        match framing {
            Framing::Length(0) => Self::Ended,
            Framing::Length(length) => Self::Length(length),
            Framing::Chunked => Self::Chunked(Chunks::START, Extensions::Refused),
        }
    }

    /// Goes over bytes; returns how many of them belong to the body, which is all of them unless it ends.
    ///
    /// # Errors
    /// If it can't be said where the body ends.
    pub(in crate::proxy) fn advance(&mut self, bytes: &[u8]) -> Result<usize, Broken> {
        match self {
            Self::Ended => Ok(0),
            Self::Length(left) => {
                let taken = usize::try_from(*left).unwrap_or(bytes.len()).min(bytes.len());
                *left -= taken as u64;
                if *left == 0 {
                    *self = Self::Ended;
                }
                Ok(taken)
            }
            Self::Chunked(chunks, extensions) => {
                let taken = chunks.advance(bytes, *extensions);
                match chunks {
                    Chunks::Broken => Err(Broken),
                    Chunks::Trailers => {
                        *self = Self::Trailers(Section::default());
                        Ok(taken + self.advance(&bytes[taken..])?)
                    }
                    _ => Ok(taken),
                }
            }
            Self::Trailers(section) => {
                let (taken, is_over) = section.advance(bytes)?;
                if is_over {
                    *self = Self::Ended;
                }
                Ok(taken)
            }
        }
    }
}

impl Section {
    /// More is refused.
    const LONGEST: usize = 8 * 1024;

    /// Only the ends of lines matter here; what they say is judged by those who pass them on.
    fn advance(&mut self, bytes: &[u8]) -> Result<(usize, bool), Broken> {
        for (at, byte) in bytes.iter().enumerate() {
            self.total += 1;
            match (self.is_after_cr, byte) {
                _ if self.total > Self::LONGEST => return Err(Broken),
                (true, b'\n') if self.line == 0 => return Ok((at + 1, true)),
                (true, b'\n') => (self.line, self.is_after_cr) = (0, false),
                (false, b'\r') => self.is_after_cr = true,
                (true, _) | (false, b'\n' | 0) => return Err(Broken),
                (false, _) => self.line += 1,
            }
        }
        Ok((bytes.len(), false))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// How long the body is of which `bytes` are the beginning; none if it is not over with them.
    fn length(bytes: &[u8], framing: Framing, cuts: &[usize]) -> Result<Option<usize>, Broken> {
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
        ends.extend([0, bytes.len()]);
        ends.sort_unstable();
        let mut body = Body::of_request(framing);
        let mut length = 0;
        for ends in ends.windows(2) {
            length += body.advance(&bytes[ends[0]..ends[1]])?;
        }
        Ok((body == Body::Ended).then_some(length))
    }

    #[test]
    fn h1_05_only_plain_chunks_are_a_body() {
        let long = format!("5;{}\r\nabcde\r\n0\r\n\r\n", "x".repeat(1 << 20));
        for body in [
            "0x5\r\nabcde\r\n0\r\n\r\n",
            "1_0\r\n0123456789abcdef\r\n0\r\n\r\n",
            "+5\r\nabcde\r\n0\r\n\r\n",
            "-5\r\nabcde\r\n0\r\n\r\n",
            "\r\n0\r\n\r\n",
            "00000000000000005\r\nabcde\r\n0\r\n\r\n",
            "5;a=b\r\nabcde\r\n0\r\n\r\n",
            "5;a=\"\n\"\r\nabcde\r\n0\r\n\r\n",
            "5;a\nabcde\r\n0\r\n\r\n",
            "5;\r\nabcde\r\n0\r\n\r\n",
            "5 \r\nabcde\r\n0\r\n\r\n",
            "5\t\r\nabcde\r\n0\r\n\r\n",
            " 5\r\nabcde\r\n0\r\n\r\n",
            "5\r\nabcde0\r\n\r\n",
            "5\nabcde\r\n0\r\n\r\n",
            "5\r\nabcde\n0\r\n\r\n",
            "5\r\nabcde\r\n0\n\r\n",
            "5\r\nabcde\r\n0\r\n\n",
            "5\r\r\nabcde\r\n0\r\n\r\n",
            "5\r\nabcde\r\r\n0\r\n\r\n",
            "5\r\nabcdef\r\n0\r\n\r\n",
            "5\r\nabcde\r\n0;x\r\n\r\n",
            "0\r\nX: 1\n\r\n",
            "0\r\nX: 1\rY: 2\r\n\r\n",
            "0\r\nX: \0\r\n\r\n",
            "0\r\n\rX: 1\r\n\r\n",
            &long,
        ] {
            assert_eq!(length(body.as_bytes(), Framing::Chunked, &[]), Err(Broken), "{body:.60?}");
        }
        let long = format!("0\r\nX: {}\r\n\r\n", "x".repeat(Section::LONGEST));
        assert_eq!(length(long.as_bytes(), Framing::Chunked, &[]), Err(Broken));
    }

    #[test]
    fn a_body_ends_where_it_says() {
        for (body, framing) in [
            ("", Framing::Length(0)),
            ("abcde", Framing::Length(5)),
            ("0\r\n\r\n", Framing::Chunked),
            ("000\r\n\r\n", Framing::Chunked),
            ("5\r\nabcde\r\nA\r\n0\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", Framing::Chunked),
            ("0\r\nX: 1\r\n Y : 2\r\n\r\n", Framing::Chunked),
        ] {
            let more = [body.as_bytes(), b"GET / HTTP/1.1\r\n"].concat();
            assert_eq!(length(&more, framing, &[]), Ok(Some(body.len())), "{body:?}");
            if let Some(less) = body.len().checked_sub(1) {
                assert_eq!(length(&body.as_bytes()[..less], framing, &[]), Ok(None), "{body:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn h1_05_however_a_body_is_cut_it_ends_in_one_place(
            bytes in "[05aA\r\n;: x\t\u{0}]{0,60}",
            cuts in proptest::collection::vec(any::<usize>(), 0..8),
            plain in 0..40_u64,
        ) {
            for framing in [Framing::Chunked, Framing::Length(plain)] {
                prop_assert_eq!(length(bytes.as_bytes(), framing, &cuts), length(bytes.as_bytes(), framing, &[]));
            }
        }
    }
}
