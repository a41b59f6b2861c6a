//! The base 64 of `crypt(3)`: `./0-9A-Za-z`, the lowest bits first. phpass and the `$1$`, `$5$`, `$6$` hashes are written
//! in it, the latter after their bytes have changed places.

const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The number a character stands for.
pub(super) fn value(character: u8) -> Option<u8> {
    let at = ALPHABET.iter().position(|&known| known == character)?;
    u8::try_from(at).ok()
}

pub(super) fn encode(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let mut bits = group.iter().rev().fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte));
        for _ in 0..=group.len() {
            text.push(ALPHABET[(bits & 63) as usize]);
            bits >>= 6;
        }
    }
    text
}

/// Bits beyond the last whole byte count for nothing, as for every reader of these texts.
pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    for group in text.chunks(4) {
        let mut bits = 0_u32;
        for &character in group.iter().rev() {
            bits = bits << 6 | u32::from(value(character)?);
        }
        bytes.extend_from_slice(&bits.to_le_bytes()[..group.len() * 6 / 8]);
    }
    Some(bytes)
}

/// Which byte of an MD5 is written first, second, …
pub(super) fn md5_order() -> Vec<usize> {
    let mut order: Vec<_> = (0..5).flat_map(|group| [group + 12, group + 6, group]).collect();
    // The one that would be the seventeenth byte.
    order[12] = 5;
    order.push(11);
    order
}

/// The same for SHA-256.
pub(super) fn sha256_order() -> Vec<usize> {
    let mut order: Vec<_> = (0..10)
        .flat_map(|group| {
            let mut written = [group + 20, group + 10, group];
            written.rotate_left(group % 3);
            written
        })
        .collect();
    order.extend([30, 31]);
    order
}

/// The same for SHA-512.
pub(super) fn sha512_order() -> Vec<usize> {
    let mut order: Vec<_> = (0..21)
        .flat_map(|group| {
            let mut written = [group + 42, group + 21, group];
            written.rotate_right(group % 3);
            written
        })
        .collect();
    order.push(63);
    order
}
