//! Hashes that say themselves what they are: `crypt(3)` and its kin, LDAP, Django, Werkzeug.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::super::argon::{NoPhc, Phc};
use super::Unreadable::{self, Malformed, TooCostly, Unknown, Unsupported};
use super::crypt64;
use super::step::{BCRYPT_64, BCRYPT_BYTES, Digest, Step};

/// SECURITY: AUTH-07. A quarter of a second is 12, IPS took 13; each more is twice the work.
const MAX_BCRYPT_COST: u8 = 14;
/// SECURITY: AUTH-07. phpass: two to the power of this; WordPress took 13, phpBB 11.
const MAX_PHPASS_LOG2: u8 = 20;
/// SECURITY: AUTH-07. Django took 1 500 000 in 2026.
const MAX_PBKDF2_ROUNDS: u32 = 4_000_000;
/// SECURITY: AUTH-07. 5 000 unless asked for more.
const MAX_SHA_CRYPT_ROUNDS: u32 = 1_000_000;
/// SECURITY: AUTH-07. 128 MiB.
const MAX_SCRYPT_MEMORY: u64 = 128 << 20;
/// SECURITY: AUTH-07. Memory times lanes.
const MAX_SCRYPT_WORK: u64 = 4 * MAX_SCRYPT_MEMORY;
/// A hash that is derived to a wished length has at least so many bytes …
const MIN_DERIVED: usize = 16;
/// … and at most so many.
const MAX_DERIVED: usize = 64;

/// What was recognised: its name, the steps, and the bytes that must come out.
pub(super) type Found = (&'static str, Vec<Step>, Vec<u8>);
pub(super) type Recognised = Result<Found, Unreadable>;

/// A hash in hexadecimal.
pub(super) fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect();
    if rest.is_empty() { bytes } else { None }
}

/// The same, if it is as long as a result of `digest`.
pub(super) fn hex_of(digest: Digest, text: &str) -> Option<Vec<u8>> {
    hex(text).filter(|bytes| bytes.len() == digest.bytes())
}

/// Puts steps before the ones that were recognised.
pub(super) fn after(kind: &'static str, mut before: Vec<Step>, text: &str) -> Recognised {
    let (_, steps, expected) = crypt(text)?;
    before.extend(steps);
    Ok((kind, before, expected))
}

/// What PHP's `password_verify` and phpass read, and Unix.
pub(super) fn crypt(text: &str) -> Recognised {
    if text.starts_with("$2") {
        bcrypt(text)
    } else if text.starts_with("$argon2") {
        argon2(text)
    } else if let Some(rest) = text.strip_prefix("$P$").or_else(|| text.strip_prefix("$H$")) {
        let (setting, hash) = rest.split_at_checked(9).ok_or(Malformed("is too short"))?;
        let step = phpass(setting)?;
        let expected = crypt64_of(hash, 16).ok_or(Malformed("is not a whole phpass hash"))?;
        Ok(("phpass", vec![step], expected))
    } else if text.starts_with("$1$") || text.starts_with("$apr1$") {
        md5_crypt(text)
    } else if text.starts_with("$5$") || text.starts_with("$6$") {
        sha_crypt(text)
    } else {
        Err(Unknown)
    }
}

fn crypt64_of(text: &str, bytes: usize) -> Option<Vec<u8>> {
    let is_whole = text.len() == (bytes * 8).div_ceil(6);
    crypt64::decode(text.as_bytes()).filter(|decoded| is_whole && decoded.len() == bytes)
}

/// A number without a sign, and not a long one.
fn number<N: std::str::FromStr>(text: &str) -> Option<N> {
    let is_plain = text.len() <= 10 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_plain)
}

fn argon2(text: &str) -> Recognised {
    let phc = Phc::read(text).map_err(|not| match not {
        NoPhc::Malformed => Malformed("is not a whole Argon2 hash"),
        NoPhc::TooCostly => TooCostly,
    })?;
    let expected = phc.output().to_vec();
    Ok(("Argon2", vec![Step::Argon2(phc)], expected))
}

fn bcrypt(text: &str) -> Recognised {
    let malformed = Malformed("is not a whole bcrypt hash");
    let (settings, rest) = text.split_at_checked(7).ok_or(malformed)?;
    let (salt, hash) = rest.split_at_checked(22).ok_or(malformed)?;
    let step = bcrypt_step(settings, salt)?;
    let expected = BCRYPT_64.decode(hash).ok().filter(|bytes| bytes.len() == BCRYPT_BYTES);
    Ok(("bcrypt", vec![step], expected.ok_or(malformed)?))
}

/// From `$2y$10$` and the salt.
pub(super) fn bcrypt_step(settings: &str, salt: &str) -> Result<Step, Unreadable> {
    let malformed = Malformed("is not a whole bcrypt hash");
    let settings = settings.strip_prefix("$2").and_then(|rest| rest.strip_suffix('$')).ok_or(malformed)?;
    let (version, cost) = settings.split_once('$').ok_or(malformed)?;
    let version = match version {
        "a" => 'a',
        "b" => 'b',
        "y" => 'y',
        "x" => return Err(Unsupported("bcrypt with an old mistake ($2x$)")),
        _ => return Err(malformed),
    };
    let cost = number::<u8>(cost).filter(|cost| (4..=31).contains(cost)).ok_or(malformed)?;
    if cost > MAX_BCRYPT_COST {
        return Err(TooCostly);
    }
    let salt = BCRYPT_64.decode(salt).ok().and_then(|salt| salt.try_into().ok()).ok_or(malformed)?;
    Ok(Step::Bcrypt { version, cost, salt })
}

/// From the character of the rounds and the eight of the salt.
pub(super) fn phpass(setting: &str) -> Result<Step, Unreadable> {
    let malformed = Malformed("is not a whole phpass hash");
    let (&rounds, salt) = setting.as_bytes().split_first().ok_or(malformed)?;
    let log2 = crypt64::value(rounds).filter(|log2| (7..=30).contains(log2)).ok_or(malformed)?;
    match log2 {
        _ if salt.len() != 8 => Err(malformed),
        _ if log2 > MAX_PHPASS_LOG2 => Err(TooCostly),
        _ => Ok(Step::Phpass { log2, salt: salt.to_vec() }),
    }
}

fn md5_crypt(text: &str) -> Recognised {
    let malformed = Malformed("is not a whole MD5 crypt hash");
    let (kind, magic): (_, &'static [u8]) =
        if text.starts_with("$1$") { ("MD5 crypt", b"$1$") } else { ("Apache MD5 crypt", b"$apr1$") };
    let (salt, hash) = text.get(magic.len()..).and_then(|rest| rest.split_once('$')).ok_or(malformed)?;
    let expected = crypt64_of(hash, 16).filter(|_| salt.len() <= 8).ok_or(malformed)?;
    Ok((kind, vec![Step::Md5Crypt { magic, salt: salt.into() }], expected))
}

fn sha_crypt(text: &str) -> Recognised {
    let malformed = Malformed("is not a whole SHA crypt hash");
    let (kind, digest) = if text.starts_with("$5$") {
        ("SHA-256 crypt", Digest::Sha256)
    } else {
        ("SHA-512 crypt", Digest::Sha512)
    };
    let mut rest = text.get(3..).ok_or(malformed)?;
    let mut rounds = 5_000;
    if let Some((asked, after)) = rest.strip_prefix("rounds=").and_then(|rest| rest.split_once('$')) {
        // What is out of the algorithm's range is brought into it, as `crypt` does.
        rounds = number::<u32>(asked).ok_or(malformed)?.max(1_000);
        rest = after;
    }
    if rounds > MAX_SHA_CRYPT_ROUNDS {
        return Err(TooCostly);
    }
    let (salt, hash) = rest.split_once('$').ok_or(malformed)?;
    let expected = crypt64_of(hash, digest.bytes()).filter(|_| salt.len() <= 16).ok_or(malformed)?;
    Ok((kind, vec![Step::ShaCrypt { digest, rounds, salt: salt.into() }], expected))
}

/// `{SSHA}` and its kin (RFC 2307, and what directories made of it).
pub(super) fn ldap(text: &str) -> Recognised {
    let (scheme, rest) = text.strip_prefix('{').and_then(|text| text.split_once('}')).ok_or(Unknown)?;
    let scheme = scheme.to_ascii_uppercase();
    let (kind, digest) = match scheme.as_str() {
        "CRYPT" => return crypt(rest),
        "MD5" => ("MD5", Digest::Md5),
        "SMD5" => ("salted MD5", Digest::Md5),
        "SHA" => ("SHA-1", Digest::Sha1),
        "SSHA" => ("salted SHA-1", Digest::Sha1),
        "SHA256" => ("SHA-256", Digest::Sha256),
        "SSHA256" => ("salted SHA-256", Digest::Sha256),
        "SHA384" => ("SHA-384", Digest::Sha384),
        "SSHA384" => ("salted SHA-384", Digest::Sha384),
        "SHA512" => ("SHA-512", Digest::Sha512),
        "SSHA512" => ("salted SHA-512", Digest::Sha512),
        "CLEARTEXT" | "PLAIN" => return Err(Unsupported("plain text")),
        _ => return Err(Unknown),
    };
    let malformed = Malformed("is not base 64 of a digest and its salt");
    let bytes = STANDARD.decode(rest).map_err(|_| malformed)?;
    let (expected, salt) = bytes.split_at_checked(digest.bytes()).ok_or(malformed)?;
    if kind.starts_with("salted") == salt.is_empty() {
        return Err(malformed);
    }
    Ok((kind, vec![digest.salted_after(salt)], expected.to_vec()))
}

/// What Django's hashers write: `algorithm$…`.
pub(super) fn django(text: &str) -> Recognised {
    let malformed = Malformed("lacks a part of a Django hash");
    let (algorithm, rest) = text.split_once('$').ok_or(Unknown)?;
    let parts: Vec<_> = rest.split('$').collect();
    match (algorithm, parts.as_slice()) {
        ("pbkdf2_sha256", [rounds, salt, hash]) => {
            pbkdf2("Django PBKDF2", Digest::Sha256, rounds, salt.as_bytes(), STANDARD.decode(hash).ok())
        }
        ("pbkdf2_sha1", [rounds, salt, hash]) => {
            pbkdf2("Django PBKDF2", Digest::Sha1, rounds, salt.as_bytes(), STANDARD.decode(hash).ok())
        }
        ("scrypt", [n, salt, r, p, hash]) => {
            scrypt("Django scrypt", [n, r, p], salt, STANDARD.decode(hash).ok())
        }
        ("bcrypt_sha256", _) => after("Django bcrypt", vec![Digest::Sha256.step()], rest),
        ("bcrypt", _) => after("Django bcrypt", Vec::new(), rest),
        ("argon2", _) if rest.starts_with("argon2") => argon2(&format!("${rest}")),
        ("md5" | "sha1", [salt, hash]) => {
            let (kind, digest) = match algorithm {
                "md5" => ("Django MD5", Digest::Md5),
                _ => ("Django SHA-1", Digest::Sha1),
            };
            let expected = hex_of(digest, hash).ok_or(malformed)?;
            Ok((kind, vec![digest.salted_before(salt.as_bytes())], expected))
        }
        ("crypt", _) => Err(Unsupported("DES crypt")),
        ("pbkdf2_sha256" | "pbkdf2_sha1" | "scrypt" | "argon2" | "md5" | "sha1", _) => Err(malformed),
        _ => Err(Unknown),
    }
}

/// What Werkzeug writes: `method$salt$hash`.
pub(super) fn werkzeug(text: &str) -> Recognised {
    let (method, rest) = text.split_once('$').ok_or(Unknown)?;
    let malformed = Malformed("lacks a part of a Werkzeug hash");
    let method: Vec<_> = method.split(':').collect();
    if method == ["plain"] {
        return Err(Unsupported("plain text"));
    }
    let (salt, hash) = rest.split_once('$').ok_or(malformed)?;
    match method.as_slice() {
        ["scrypt", n, r, p] => scrypt("Werkzeug scrypt", [n, r, p], salt, hex(hash)),
        ["pbkdf2", name, rounds] => {
            let digest = Digest::named(name).ok_or(Unknown)?;
            pbkdf2("Werkzeug PBKDF2", digest, rounds, salt.as_bytes(), hex(hash))
        }
        [name] => {
            let digest = Digest::named(name).ok_or(Unknown)?;
            let expected = hex_of(digest, hash).ok_or(malformed)?;
            let step = match salt {
                "" => digest.step(),
                salt => Step::Hmac { digest, key: salt.into() },
            };
            Ok(("Werkzeug HMAC", vec![step], expected))
        }
        _ => Err(Unknown),
    }
}

fn derived(hash: Option<Vec<u8>>) -> Result<Vec<u8>, Unreadable> {
    hash.filter(|hash| (MIN_DERIVED..=MAX_DERIVED).contains(&hash.len()))
        .ok_or(Malformed("has a part that is no derived key"))
}

/// PBKDF2 with this many rounds, in digits.
pub(super) fn pbkdf2(
    kind: &'static str,
    digest: Digest,
    rounds: &str,
    salt: &[u8],
    hash: Option<Vec<u8>>,
) -> Recognised {
    let expected = derived(hash)?;
    let rounds = number::<u32>(rounds).filter(|&rounds| rounds > 0).ok_or(Malformed("lacks its rounds"))?;
    // Each block of the result takes all the rounds.
    let blocks = u32::try_from(expected.len().div_ceil(digest.bytes())).unwrap_or(u32::MAX);
    if rounds.checked_mul(blocks).is_none_or(|work| work > MAX_PBKDF2_ROUNDS) {
        return Err(TooCostly);
    }
    let step = Step::Pbkdf2 { digest, rounds, salt: salt.into(), bytes: expected.len() };
    Ok((kind, vec![step], expected))
}

fn scrypt(kind: &'static str, costs: [&str; 3], salt: &str, hash: Option<Vec<u8>>) -> Recognised {
    let malformed = Malformed("has costs that scrypt does not have");
    let expected = derived(hash)?;
    let [Some(n), Some(r), Some(p)] = costs.map(number::<u32>) else { return Err(malformed) };
    if !n.is_power_of_two() || n < 2 || r == 0 || p == 0 {
        return Err(malformed);
    }
    let memory = u64::from(n).saturating_mul(u64::from(r)).saturating_mul(128);
    // The lanes have memory of their own, which is small while this is.
    if memory > MAX_SCRYPT_MEMORY || memory.saturating_mul(u64::from(p)) > MAX_SCRYPT_WORK {
        return Err(TooCostly);
    }
    let log_n = u8::try_from(n.ilog2()).map_err(|_| malformed)?;
    let params = scrypt::Params::new(log_n, r, p).map_err(|_| malformed)?;
    let step = Step::Scrypt { params, salt: salt.into(), bytes: expected.len() };
    Ok((kind, vec![step], expected))
}
