//! The framing of a chunked body (RFC 9112 §7.1), followed up to its trailer section however the bytes are cut.

/// What the next byte of the body belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) enum Chunks {
    /// A chunk's size, of which `digits` have been read.
    Size { size: u64, digits: u8 },
    /// What follows the size on its line.
    Extension { size: u64 },
    /// The end of that line.
    SizeLf { size: u64 },
    /// The chunk's data.
    Data { left: u64 },
    /// The end of the data.
    DataCr,
    /// The end of the data.
    DataLf,
    /// The trailer section: the last chunk's line is over.
    Trailers,
    /// Not what RFC 9112 says.
    Broken,
}

/// What becomes of a body with chunk extensions (RFC 9112 §7.1.1). Nobody uses them but to be misunderstood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) enum Extensions {
    /// It is broken.
    Refused,
    /// They are read over.
    Skipped,
}

impl Chunks {
    /// Before the first chunk.
    pub(in crate::proxy) const START: Self = Self::Size { size: 0, digits: 0 };
    /// More would not fit.
    const MOST_DIGITS: u8 = 16;

    /// Goes over bytes of the body; returns how many of them come before the trailer section.
    pub(in crate::proxy) fn advance(&mut self, bytes: &[u8], extensions: Extensions) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            match *self {
                Self::Trailers => return at,
                Self::Broken => return bytes.len(),
                Self::Data { left } => {
                    let here = bytes.len() - at;
                    let taken = usize::try_from(left).unwrap_or(here).min(here);
                    at += taken;
                    let left = left - taken as u64;
                    *self = if left == 0 { Self::DataCr } else { Self::Data { left } };
                }
                state => {
                    *self = match state.after(bytes[at]) {
                        Self::Extension { .. } if extensions == Extensions::Refused => Self::Broken,
                        next => next,
                    };
                    at += 1;
                }
            }
        }
        at
    }

    fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Size { size, digits }, _) if byte.is_ascii_hexdigit() && digits < Self::MOST_DIGITS => {
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                Self::Size { size: size << 4 | u64::from(digit), digits: digits + 1 }
            }
            (Self::Size { digits: 0, .. }, _) => Self::Broken,
            (Self::Size { size, .. } | Self::Extension { size }, b'\r') => Self::SizeLf { size },
            (Self::Size { size, .. }, b' ' | b'\t' | b';') => Self::Extension { size },
            (Self::Extension { size }, _) if byte != b'\n' => Self::Extension { size },
            (Self::SizeLf { size: 0 }, b'\n') => Self::Trailers,
            (Self::SizeLf { size }, b'\n') => Self::Data { left: size },
            (Self::DataCr, b'\r') => Self::DataLf,
            (Self::DataLf, b'\n') => Self::START,
            _ => Self::Broken,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trailers_of(body: &[u8]) -> Option<&[u8]> {
        let mut chunks = Chunks::START;
        let at = chunks.advance(body, Extensions::Skipped);
        (chunks == Chunks::Trailers).then(|| &body[at..])
    }

    #[test]
    fn the_trailer_section_begins_after_the_line_of_the_last_chunk() {
        for body in [
            "0\r\nX: 1\r\n\r\n",
            "5\r\n0\r\n\r\n\r\n0\r\nX: 1\r\n\r\n",
            "a\r\n0123456789\r\nA;x=\"0\"\r\n0123456789\r\n000;last\r\nX: 1\r\n\r\n",
            "0000000000000003 \t;a=b\r\n0\r\n\r\n0\r\nX: 1\r\n\r\n",
        ] {
            assert_eq!(trailers_of(body.as_bytes()), Some(&b"X: 1\r\n\r\n"[..]), "{body:?}");
        }
    }

    #[test]
    fn a_body_that_is_not_well_formed_has_none() {
        for body in [
            "",
            "\r\n",
            "0\n\r\n",
            "0\rX",
            "3\r\nabcd\r\n0\r\n\r\n",
            "3\r\nabc\n0\r\n\r\n",
            "-0\r\n\r\n",
            "0x0\r\n\r\n",
            "0;a\nb\r\n\r\n",
            "00000000000000000\r\n\r\n",
            "3\r\nabc\r\n",
        ] {
            assert_eq!(trailers_of(body.as_bytes()), None, "{body:?}");
        }
    }
}
