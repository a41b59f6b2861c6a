//! A text as a QR code, to be drawn in the page itself: the content security policy lets no other picture be made on the way.

use std::fmt::Write;

use qrcode::{Color, EcLevel, QrCode};
use serde::Serialize;

/// Lighter than anything around it, so wide (ISO/IEC 18004).
const QUIET: usize = 4;

/// What an SVG needs: the length of a side, and the path of what is dark.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Qr {
    pub(super) side: usize,
    pub(super) path: String,
}

impl Qr {
    /// None for a text that is too long.
    pub(super) fn of(text: &str) -> Option<Self> {
        let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
        let (width, colors) = (code.width(), code.to_colors());
        let mut path = String::new();
        for (y, row) in colors.chunks(width).enumerate() {
            let mut x = 0;
            for run in row.chunk_by(|a, b| a == b) {
                if run[0] == Color::Dark {
                    // Writing to a string does not fail.
                    let _ = write!(path, "M{} {}h{}v1h-{}z", x + QUIET, y + QUIET, run.len(), run.len());
                }
                x += run.len();
            }
        }
        Some(Self { side: width + 2 * QUIET, path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_its_three_corners_and_a_margin_and_a_text_has_an_end() {
        let qr = Qr::of("otpauth://totp/x").unwrap();
        assert_eq!(qr.side, 25 + 8, "version 2");
        for corner in ["M4 4h7v1h-7z", "M22 4h7v1h-7z", "M4 22h7v1h-7z"] {
            assert!(qr.path.contains(corner), "{corner} in {}", qr.path);
        }
        assert!(Qr::of(&"x".repeat(10_000)).is_none());
    }
}
