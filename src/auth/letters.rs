//! Bytes as letters and digits that people read off a page and type: five bits each.

/// RFC 4648 §6, which the apps want.
pub(super) const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// Crockford's: no letter looks like another or like a digit.
pub(super) const READABLE: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// All bits, the highest first; what is left over of the last five is zero.
pub(super) fn spelt(bytes: &[u8], alphabet: &[u8; 32]) -> String {
    let (mut text, mut bits, mut waiting) = (String::new(), 0_u32, 0);
    for byte in bytes {
        bits = bits << 8 | u32::from(*byte);
        waiting += 8;
        while waiting >= 5 {
            waiting -= 5;
            text.push(char::from(alphabet[(bits >> waiting & 31) as usize]));
        }
        bits &= (1 << waiting) - 1;
    }
    if waiting > 0 {
        text.push(char::from(alphabet[(bits << (5 - waiting) & 31) as usize]));
    }
    text
}

/// A sign of [`READABLE`] as it was typed: in capitals, or as what it looks like.
pub(super) fn plain(sign: char) -> char {
    match sign.to_ascii_lowercase() {
        'o' => '0',
        'i' | 'l' => '1',
        other => other,
    }
}

/// In groups of four.
pub(super) fn grouped(text: &str, between: &str) -> String {
    let signs: Vec<char> = text.chars().collect();
    let groups: Vec<String> = signs.chunks(4).map(|group| group.iter().collect()).collect();
    groups.join(between)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_is_that_of_the_standard() {
        for (bytes, text) in [
            ("", ""),
            ("f", "MY"),
            ("fo", "MZXQ"),
            ("foo", "MZXW6"),
            ("foob", "MZXW6YQ"),
            ("fooba", "MZXW6YTB"),
        ] {
            assert_eq!(spelt(bytes.as_bytes(), BASE32), text);
        }
        assert_eq!(grouped("MZXW6YTBOI", " "), "MZXW 6YTB OI");
    }
}
