//! One computation out of which old hashes are made. A hash is a chain of them: `sha1(salt . sha1(password))` is two.

use base64::Engine;
use base64::alphabet::BCRYPT;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

use super::super::argon::{Memory, Phc};
use super::spelling::Spelling;
use super::{crypt64, md5_rounds};

/// bcrypt's base 64. The last character of a salt may carry bits that count for nothing.
pub(super) const BCRYPT_64: GeneralPurpose = GeneralPurpose::new(
    &BCRYPT,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);
/// bcrypt throws its last byte away.
pub(super) const BCRYPT_BYTES: usize = 23;
/// What bcrypt looks at.
const BCRYPT_INPUT: usize = 72;

/// SECURITY: AUTH-07. Blocks of 64 bytes that a chain of rounds may digest, about a second of work. These hashes read
/// the whole password in each round, so a very long one would multiply it.
const MAX_DIGESTED: u64 = 1 << 22;

/// A hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Digest {
    Md5,
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

/// See the module.
#[derive(Clone, PartialEq)]
pub(super) enum Step {
    /// The function of salt, password, salt; written in hexadecimal.
    Digest {
        digest: Digest,
        before: Vec<u8>,
        after: Vec<u8>,
    },
    /// HMAC of the password; written in base 64.
    Hmac {
        digest: Digest,
        key: Vec<u8>,
    },
    Phpass {
        log2: u8,
        salt: Vec<u8>,
    },
    Md5Crypt {
        magic: &'static [u8],
        salt: Vec<u8>,
    },
    ShaCrypt {
        digest: Digest,
        rounds: u32,
        salt: Vec<u8>,
    },
    Bcrypt {
        version: char,
        cost: u8,
        salt: [u8; 16],
    },
    Pbkdf2 {
        digest: Digest,
        rounds: u32,
        salt: Vec<u8>,
        bytes: usize,
    },
    Scrypt {
        params: scrypt::Params,
        salt: Vec<u8>,
        bytes: usize,
    },
    Argon2(Phc),
}

impl Digest {
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// By its name in Python and in LDAP.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "md5" => Self::Md5,
            "sha1" => Self::Sha1,
            "sha256" => Self::Sha256,
            "sha384" => Self::Sha384,
            "sha512" => Self::Sha512,
            _ => return None,
        })
    }

    fn of(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Md5 => Md5::digest(bytes).to_vec(),
            Self::Sha1 => Sha1::digest(bytes).to_vec(),
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha384 => Sha384::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }

    fn hmac(self, key: &[u8], bytes: &[u8]) -> Option<Vec<u8>> {
        fn keyed<M: Mac + KeyInit>(key: &[u8], bytes: &[u8]) -> Option<Vec<u8>> {
            Some(M::new_from_slice(key).ok()?.chain_update(bytes).finalize().into_bytes().to_vec())
        }
        match self {
            Self::Md5 => keyed::<Hmac<Md5>>(key, bytes),
            Self::Sha1 => keyed::<Hmac<Sha1>>(key, bytes),
            Self::Sha256 => keyed::<Hmac<Sha256>>(key, bytes),
            Self::Sha384 => keyed::<Hmac<Sha384>>(key, bytes),
            Self::Sha512 => keyed::<Hmac<Sha512>>(key, bytes),
        }
    }

    fn pbkdf2(self, password: &[u8], salt: &[u8], rounds: u32, output: &mut [u8]) {
        match self {
            Self::Md5 => pbkdf2::pbkdf2_hmac::<Md5>(password, salt, rounds, output),
            Self::Sha1 => pbkdf2::pbkdf2_hmac::<Sha1>(password, salt, rounds, output),
            Self::Sha256 => pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, rounds, output),
            Self::Sha384 => pbkdf2::pbkdf2_hmac::<Sha384>(password, salt, rounds, output),
            Self::Sha512 => pbkdf2::pbkdf2_hmac::<Sha512>(password, salt, rounds, output),
        }
    }

    /// What PHP's functions give.
    pub(super) fn hex(self, bytes: &[u8]) -> Vec<u8> {
        hex(&self.of(bytes))
    }

    pub(super) fn step(self) -> Step {
        Step::Digest { digest: self, before: Vec::new(), after: Vec::new() }
    }

    pub(super) fn salted_before(self, salt: &[u8]) -> Step {
        Step::Digest { digest: self, before: salt.to_vec(), after: Vec::new() }
    }

    pub(super) fn salted_after(self, salt: &[u8]) -> Step {
        Step::Digest { digest: self, before: Vec::new(), after: salt.to_vec() }
    }
}

impl Step {
    /// Its bytes, as they are compared in the end. None if it can't be computed.
    pub(super) fn run(&self, input: &[u8], memory: &mut Memory) -> Option<Spelling> {
        Some(Zeroizing::new(match self {
            Self::Digest { digest, before, after } => {
                digest.of(&Zeroizing::new([before, input, after].concat()))
            }
            Self::Hmac { digest, key } => digest.hmac(key, input)?,
            Self::Phpass { log2, salt } => {
                is_digestible(1 << log2, input)?;
                md5_rounds::phpass(input, salt, *log2).to_vec()
            }
            Self::Md5Crypt { magic, salt } => {
                is_digestible(md5_rounds::MD5_CRYPT_ROUNDS, input)?;
                reordered(&md5_rounds::md5_crypt(input, magic, salt), &crypt64::md5_order())
            }
            Self::ShaCrypt { digest, rounds, salt } => {
                is_digestible(*rounds, input)?;
                let params = sha_crypt::Params::new(*rounds).ok()?;
                match digest {
                    Digest::Sha512 => {
                        reordered(&sha_crypt::sha512_crypt(input, salt, params), &crypt64::sha512_order())
                    }
                    _ => reordered(&sha_crypt::sha256_crypt(input, salt, params), &crypt64::sha256_order()),
                }
            }
            Self::Bcrypt { cost, salt, .. } => bcrypt_bytes(input, *cost, *salt)?,
            Self::Pbkdf2 { digest, rounds, salt, bytes } => {
                let mut output = vec![0; *bytes];
                digest.pbkdf2(input, salt, *rounds, &mut output);
                output
            }
            Self::Scrypt { params, salt, bytes } => {
                let mut output = vec![0; *bytes];
                scrypt::scrypt(input, salt, params, &mut output).ok()?;
                output
            }
            Self::Argon2(phc) => phc.compute(input, memory)?,
        }))
    }

    /// How the result was handed to the next computation.
    pub(super) fn text(&self, result: &[u8]) -> Spelling {
        Zeroizing::new(match self {
            Self::Digest { .. } => hex(result),
            Self::Hmac { .. } => STANDARD.encode(result).into_bytes(),
            Self::Phpass { .. } | Self::Md5Crypt { .. } | Self::ShaCrypt { .. } => crypt64::encode(result),
            Self::Bcrypt { version, cost, salt } => {
                let (salt, result) = (BCRYPT_64.encode(salt), BCRYPT_64.encode(result));
                format!("$2{version}${cost:02}${salt}{result}").into_bytes()
            }
            Self::Pbkdf2 { .. } | Self::Scrypt { .. } | Self::Argon2(_) => result.to_vec(),
        })
    }

    /// Whether it takes a time that shows from outside.
    pub(super) fn is_slow(&self) -> bool {
        !matches!(self, Self::Digest { .. } | Self::Hmac { .. })
    }

    /// Whether it takes so long that few spellings of a password can be tried.
    pub(super) fn is_dear(&self) -> bool {
        self.is_slow() && !matches!(self, Self::Phpass { .. } | Self::Md5Crypt { .. })
    }

    /// The same work without what belongs to a member.
    pub(super) fn anonymous(&self) -> Self {
        let mut step = self.clone();
        match &mut step {
            Self::Digest { before, after, .. } => {
                before.clear();
                after.clear();
            }
            Self::Hmac { key: salt, .. }
            | Self::Phpass { salt, .. }
            | Self::Md5Crypt { salt, .. }
            | Self::ShaCrypt { salt, .. }
            | Self::Pbkdf2 { salt, .. }
            | Self::Scrypt { salt, .. } => salt.clear(),
            Self::Bcrypt { version, salt, .. } => (*version, *salt) = ('y', [0; 16]),
            Self::Argon2(phc) => *phc = phc.anonymous(),
        }
        step
    }
}

pub(super) fn hex(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]).collect()
}

fn reordered(bytes: &[u8], order: &[usize]) -> Vec<u8> {
    order.iter().map(|&at| bytes[at]).collect()
}

/// SECURITY: AUTH-07.
fn is_digestible(rounds: u32, password: &[u8]) -> Option<()> {
    let blocks = password.len() as u64 / 64 + 1;
    (u64::from(rounds) * blocks <= MAX_DIGESTED).then_some(())
}

/// As `crypt` of C does it: a NUL ends the password, and what comes after 72 bytes does not count. A password that holds
/// a NUL is never right: bcrypt repeats its input, so the half before it, twice, would be the same as once.
fn bcrypt_bytes(password: &[u8], cost: u8, salt: [u8; 16]) -> Option<Vec<u8>> {
    if password.contains(&0) {
        return None;
    }
    let mut input = Zeroizing::new(Vec::with_capacity(BCRYPT_INPUT + 1));
    input.extend_from_slice(&password[..password.len().min(BCRYPT_INPUT)]);
    input.push(0);
    input.truncate(BCRYPT_INPUT);
    Some(bcrypt::bcrypt(u32::from(cost), salt, &input)[..BCRYPT_BYTES].to_vec())
}
