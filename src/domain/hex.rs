//! Bytes as hexadecimal digits, two for each, in small letters.

const fn pair(byte: u8) -> [u8; 2] {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    [DIGITS[(byte >> 4) as usize], DIGITS[(byte & 0xf) as usize]]
}

/// The digits of `N / 2` bytes, without taking memory: they stand in each line of the access log.
pub fn hex_digits<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut digits = [b'0'; N];
    for (place, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(bytes) {
        *place = pair(*byte);
    }
    digits
}

/// The digits as a text.
pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().flat_map(|byte| pair(*byte)).map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_has_two_digits() {
        assert_eq!(hex([0, 0x0a, 0xf0, 0xff]), "000af0ff");
        assert_eq!(hex_digits::<4>(&[0x12, 0xab]), *b"12ab");
    }
}
