//! From the site's one colour to those that can be read: on buttons, on a light page, on a dark one (WCAG 2.2 §1.4.3).

/// A colour in sRGB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Colour([u8; 3]);

const WHITE: Colour = Colour([255; 3]);
const BLACK: Colour = Colour([0; 3]);
/// The card of the dark page, in `passgate.css`; the light one is white.
const NIGHT: Colour = Colour([0x1c, 0x21, 0x29]);
/// What ordinary text needs.
const READABLE: f64 = 4.5;
/// Coloured text on a dark ground is dull at the least contrast that will do.
const BRIGHT: f64 = 6.0;

/// The colours that follow from an accent.
pub(super) struct Palette {
    accent: Colour,
    on_accent: Colour,
}

impl Palette {
    /// Reads an accent `#rrggbb`; none if it is not written so.
    pub(super) fn of(accent: &str) -> Option<Self> {
        let accent = Colour::parse(accent)?;
        let on_accent = if accent.contrast(WHITE) >= accent.contrast(BLACK) { WHITE } else { BLACK };
        Some(Self { accent, on_accent })
    }

    /// The style sheet, with its variables before it.
    pub(super) fn style(&self, sheet: &str) -> String {
        let by_day = self.accent.towards(BLACK, WHITE, READABLE).css();
        let by_night = self.accent.towards(WHITE, NIGHT, BRIGHT).css();
        format!(
            ":root{{--accent:{};--on-accent:{};--link:{by_day}}}\n\
             @media (prefers-color-scheme:dark){{:root{{--link:{by_night}}}}}\n{sheet}",
            self.accent.css(),
            self.on_accent.css(),
        )
    }

    /// A picture in these colours; one that stands alone knows nothing of the page's variables.
    pub(super) fn picture(&self, svg: &str) -> String {
        svg.replace("var(--accent)", &self.accent.css()).replace("var(--on-accent)", &self.on_accent.css())
    }
}

impl Colour {
    fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#')?;
        if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let [_, red, green, blue] = u32::from_str_radix(digits, 16).ok()?.to_be_bytes();
        Some(Self([red, green, blue]))
    }

    fn css(self) -> String {
        let [red, green, blue] = self.0;
        format!("#{red:02x}{green:02x}{blue:02x}")
    }

    /// The colour, mixed with `extreme` until it stands out from `ground` by `contrast`. `extreme` itself does.
    fn towards(self, extreme: Self, ground: Self, contrast: f64) -> Self {
        let mixed = |parts: u16| {
            let mix =
                |of: usize| (u16::from(self.0[of]) * (16 - parts) + u16::from(extreme.0[of]) * parts) / 16;
            // A weighted mean of two bytes is one.
            Self([0, 1, 2].map(|of| mix(of) as u8))
        };
        (0..16).map(mixed).find(|colour| colour.contrast(ground) >= contrast).unwrap_or(extreme)
    }

    /// The contrast ratio, 1 to 21.
    fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    fn luminance(self) -> f64 {
        let [red, green, blue] = self.0.map(|byte| {
            let part = f64::from(byte) / 255.0;
            if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_accent_gives_text_that_can_be_read() {
        for accent in ["#000000", "#ffffff", "#ffff00", "#2f5d8a", "#777777", "#ff0000", "#00ff00", "#0000FF"]
        {
            let colour = Colour::parse(accent).unwrap();
            assert!(colour.towards(BLACK, WHITE, READABLE).contrast(WHITE) >= READABLE, "{accent} by day");
            assert!(colour.towards(WHITE, NIGHT, BRIGHT).contrast(NIGHT) >= BRIGHT, "{accent} by night");
            assert!(colour.contrast(WHITE).max(colour.contrast(BLACK)) >= READABLE, "{accent} as a button");
        }
        assert_eq!(
            Colour::parse("#2f5d8a").unwrap().towards(BLACK, WHITE, READABLE).css(),
            "#2f5d8a",
            "readable as it is"
        );
    }

    #[test]
    fn only_six_digits_are_a_colour() {
        for bad in ["", "#fff", "2f5d8a", "#2f5d8", "#2f5d8aa", "#2f5d8g", "#+f5d8a", "red", "#é5d8a"] {
            assert!(Palette::of(bad).is_none(), "{bad}");
        }
    }
}
