//! The two old ways to make MD5 slow: phpass, which forums took over from WordPress and phpBB 3.0, and the `$1$` of
//! FreeBSD's `crypt`, which Apache has under the name `$apr1$`. No kept crate has either.

use md5::{Digest, Md5};

/// `2^log2` rounds of MD5 over the last result and the password.
pub(super) fn phpass(password: &[u8], salt: &[u8], log2: u8) -> [u8; 16] {
    let mut hash = md5(&[salt, password]);
    for _ in 0..1_u32 << log2 {
        hash = md5(&[&hash, password]);
    }
    hash
}

pub(super) const MD5_CRYPT_ROUNDS: u32 = 1_000;

/// The hash before its bytes change places.
pub(super) fn md5_crypt(password: &[u8], magic: &[u8], salt: &[u8]) -> [u8; 16] {
    let inner = md5(&[password, salt, password]);
    let mut first = Md5::new();
    for part in [password, magic, salt] {
        first.update(part);
    }
    for part in password.chunks(16) {
        first.update(&inner[..part.len()]);
    }
    let mut bits = password.len();
    while bits > 0 {
        first.update(if bits & 1 == 1 { &[0] } else { &password[..1] });
        bits >>= 1;
    }
    let mut hash: [u8; 16] = first.finalize().into();
    for round in 0..MD5_CRYPT_ROUNDS {
        let (begin, end): (&[u8], &[u8]) = if round % 2 == 1 { (password, &hash) } else { (&hash, password) };
        let salt = if round % 3 == 0 { &[] } else { salt };
        let again = if round % 7 == 0 { &[] } else { password };
        hash = md5(&[begin, salt, again, end]);
    }
    hash
}

fn md5(parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = Md5::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}
