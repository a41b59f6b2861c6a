//! Which hashes each forum's table holds, and what they were made of.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::Unreadable::{self, Malformed, Unknown, Unsupported};
use super::spelling::Preparation;
use super::step::{Digest, Step};
use super::texts::{self, Recognised, crypt, hex_of};
use super::{Columns, Legacy, MAX_COLUMN_BYTES, Salted, Source, crypt64};

/// The one reading of a password's columns.
pub(super) fn recognise(source: Source, columns: Columns<'_>) -> Result<Legacy, Unreadable> {
    let salt = columns.salt.filter(|salt| !salt.is_empty());
    if columns.hash.is_empty() {
        return Err(Unreadable::Empty);
    }
    if [columns.hash.len(), salt.map_or(0, <[u8]>::len), columns.name.len()].iter().max()
        > Some(&MAX_COLUMN_BYTES)
    {
        return Err(Malformed("is too long"));
    }
    let hash = str::from_utf8(columns.hash)
        .ok()
        .filter(|hash| hash.is_ascii())
        .ok_or(Malformed("holds bytes that no hash has"))?;
    // Unix, Django and LDAP lock an account so.
    if hash.starts_with(['!', '*']) {
        return Err(Unreadable::NoPassword);
    }
    let (preparation, found) = match source {
        Source::PhpBb => phpbb(hash),
        Source::FluxBb | Source::PunBb => (Preparation::Trimmed, punbb(hash, salt)),
        Source::MyBb => (Preparation::AsTyped, mybb(hash, salt)),
        Source::Smf => smf(hash, columns.name),
        Source::VBulletin => (Preparation::VBulletin, vbulletin(hash, salt)),
        Source::Ipb => match salt {
            Some(salt) if !hash.starts_with('$') => {
                (Preparation::Ipb, salt_first(hash, salt, "Invision MD5"))
            }
            _ => (Preparation::AsTyped, crypt(hash)),
        },
        Source::XenForo => (Preparation::AsTyped, xenforo(hash, salt)),
        Source::Wbb => (Preparation::AsTyped, wbb(hash, salt)),
        Source::FlaskBb => (Preparation::AsTyped, texts::werkzeug(hash)),
        Source::Django => (Preparation::AsTyped, django(hash)),
        Source::WordPress => wordpress(hash),
        Source::MediaWiki => (Preparation::AsTyped, mediawiki(hash)),
        Source::Htpasswd => (Preparation::AsTyped, self_describing(hash)),
        Source::Plain => (Preparation::AsTyped, self_describing(hash).or_else(|first| python(hash, first))),
    };
    let (kind, steps, expected) = found?;
    let salted = match salt {
        // SMF's column of that name is for its cookies.
        Some(_) if !hash.starts_with('$') && source != Source::Smf => Salted::ByColumn,
        _ => Salted::Otherwise,
    };
    Ok(Legacy { kind, salted, preparation, steps, expected })
}

/// A bare digest of the password.
fn bare(kind: &'static str, digest: Digest, hash: &str) -> Recognised {
    Ok((kind, vec![digest.step()], hex_of(digest, hash).ok_or(Unknown)?))
}

fn phpbb(hash: &str) -> (Preparation, Recognised) {
    let converted = hash.strip_prefix("$CP$");
    if let Some(rest) = converted.filter(|rest| rest.starts_with('$')) {
        return (Preparation::PhpBb2, texts::after("phpass of MD5", vec![Digest::Md5.step()], rest));
    }
    if converted.is_some() || !hash.starts_with('$') {
        return (Preparation::PhpBb2, bare("phpBB 2 MD5", Digest::Md5, converted.unwrap_or(hash)));
    }
    let is_combined = hash[1..].split('$').next().is_some_and(|kinds| kinds.contains('\\'));
    (Preparation::PhpBb, if is_combined { combined(hash) } else { crypt(hash) })
}

/// `$H\2y$SETTING$10\SALT$DIGEST`: phpBB hashed its old hashes once more. What is handed on is the digest alone.
fn combined(hash: &str) -> Recognised {
    let malformed = Malformed("lacks a part of a hash in two steps");
    let mut parts = hash[1..].split('$');
    let kinds: Vec<_> = parts.next().unwrap_or_default().split('\\').collect();
    let ["H" | "P", last] = kinds.as_slice() else { return Err(Unknown) };
    let [Some(first), Some(setting), Some(digest), None] = [(); 4].map(|()| parts.next()) else {
        return Err(malformed);
    };
    let before = vec![texts::phpass(first)?];
    match *last {
        "2a" | "2y" => {
            let (cost, salt) = setting.split_once('\\').ok_or(malformed)?;
            texts::after("phpass in bcrypt", before, &format!("${last}${cost}${salt}{digest}"))
        }
        "P" => texts::after("phpass in phpass", before, &format!("$P${setting}{digest}")),
        _ => Err(Unknown),
    }
}

/// FluxBB too.
fn punbb(hash: &str, salt: Option<&[u8]>) -> Recognised {
    if let Some(rest) = hash.strip_prefix("#MD5#") {
        return texts::after("MD5 in bcrypt", vec![Digest::Md5.step()], rest);
    }
    if let Some(rest) = hash.strip_prefix("#SHA1#") {
        return texts::after("SHA-1 in bcrypt", vec![Digest::Sha1.step()], rest);
    }
    if let Some(rest) = hash.strip_prefix("#SHA1-S#") {
        // The salt may hold the character that ends it.
        let (salt, rest) = rest.rsplit_once('#').ok_or(Malformed("lacks its salt"))?;
        let before = vec![Digest::Sha1.step(), Digest::Sha1.salted_before(salt.as_bytes())];
        return texts::after("salted SHA-1 in bcrypt", before, rest);
    }
    match (hex_of(Digest::Sha1, hash), salt) {
        (Some(expected), Some(salt)) => {
            Ok(("salted SHA-1", vec![Digest::Sha1.step(), Digest::Sha1.salted_before(salt)], expected))
        }
        (Some(_), None) => bare("SHA-1", Digest::Sha1, hash),
        (None, _) => bare("MD5", Digest::Md5, hash).or_else(|_| crypt(hash)),
    }
}

/// `md5(md5(salt) . md5(password))`.
fn salt_first(hash: &str, salt: &[u8], kind: &'static str) -> Recognised {
    let salt = Digest::Md5.hex(salt);
    let steps = vec![Digest::Md5.step(), Digest::Md5.salted_before(&salt)];
    Ok((kind, steps, hex_of(Digest::Md5, hash).ok_or(Unknown)?))
}

fn mybb(hash: &str, salt: Option<&[u8]>) -> Recognised {
    match salt {
        _ if hash.starts_with('$') => crypt(hash),
        Some(salt) => salt_first(hash, salt, "MyBB MD5"),
        None => Err(Malformed("lacks its salt")),
    }
}

fn smf(hash: &str, name: &str) -> (Preparation, Recognised) {
    // PHP's strtolower knew ASCII alone until SMF asked for more.
    let mut names = vec![name.to_ascii_lowercase(), name.to_lowercase()];
    if hash.starts_with('$') {
        names.reverse();
    }
    names.dedup();
    if let Some(expected) = hex_of(Digest::Md5, hash) {
        let key = name.to_ascii_lowercase().into_bytes();
        let found = ("SMF 1.0 MD5", vec![Step::Hmac { digest: Digest::Md5, key }], expected);
        return (Preparation::Smf(vec![String::new()]), Ok(found));
    }
    let found = if hash.starts_with('$') { crypt(hash) } else { bare("SMF SHA-1", Digest::Sha1, hash) };
    (Preparation::Smf(names), found)
}

fn vbulletin(hash: &str, salt: Option<&[u8]>) -> Recognised {
    let md5 = Digest::Md5;
    if hash.starts_with('$') {
        return texts::after("vBulletin 5", vec![md5.step()], hash);
    }
    // vBulletin 5 keeps what older versions had in one column.
    let (hash, salt) = match hash.split_once(' ') {
        Some((hash, salt)) => (hash, Some(salt.as_bytes())),
        None => (hash, salt),
    };
    let salt = salt.ok_or(Malformed("lacks its salt"))?;
    Ok(("vBulletin MD5", vec![md5.step(), md5.salted_after(salt)], hex_of(md5, hash).ok_or(Unknown)?))
}

/// What XenForo keeps of a password.
#[derive(Deserialize)]
struct Authentication {
    hash: String,
    #[serde(default)]
    salt: String,
}

fn xenforo(hash: &str, salt: Option<&[u8]>) -> Recognised {
    let malformed = Malformed("is not what XenForo keeps");
    if hash.starts_with('{') {
        let kept: Authentication = serde_json::from_str(hash).map_err(|_| malformed)?;
        return xenforo_hash(&kept.hash, kept.salt.as_bytes());
    }
    if hash.starts_with("a:") {
        let kept = php_text(hash, "hash").ok_or(malformed)?;
        return xenforo_hash(kept, php_text(hash, "salt").unwrap_or_default().as_bytes());
    }
    xenforo_hash(hash, salt.unwrap_or_default())
}

fn xenforo_hash(hash: &str, salt: &[u8]) -> Recognised {
    if hash.starts_with('$') {
        return crypt(hash);
    }
    for (kind, digest) in [("XenForo SHA-256", Digest::Sha256), ("XenForo SHA-1", Digest::Sha1)] {
        if let Some(expected) = hex_of(digest, hash) {
            return match salt {
                [] => Err(Malformed("lacks its salt")),
                salt => Ok((kind, vec![digest.step(), digest.salted_after(salt)], expected)),
            };
        }
    }
    Err(Unknown)
}

/// The text under this key in what PHP's `serialize` made of an array.
fn php_text<'a>(array: &'a str, key: &str) -> Option<&'a str> {
    let key = format!("s:{}:\"{key}\";s:", key.len());
    let (_, rest) = array.split_once(&key)?;
    let (length, rest) = rest.split_once(":\"")?;
    let length: usize = length.parse().ok()?;
    rest.get(..length).filter(|_| rest[length..].starts_with("\";"))
}

fn wbb(hash: &str, salt: Option<&[u8]>) -> Recognised {
    if let Some((algorithm, rest)) = hash.split_once(':') {
        return match algorithm.to_ascii_lowercase().as_str() {
            "bcrypt" | "argon2i" | "argon2id" => crypt(rest),
            "doublebcrypt" => twice(rest),
            "wcf1" => {
                let (hash, salt) = rest.split_once(':').ok_or(Malformed("lacks its salt"))?;
                burning_board(hash, salt.as_bytes())
            }
            _ => Err(Unknown),
        };
    }
    match salt {
        _ if hash.starts_with("$2") => twice(hash),
        _ if hash.starts_with('$') => crypt(hash),
        Some(salt) => burning_board(hash, salt),
        None => Err(Malformed("lacks its salt")),
    }
}

/// `sha1(salt . sha1(salt . sha1(password)))`.
fn burning_board(hash: &str, salt: &[u8]) -> Recognised {
    let salted = Digest::Sha1.salted_before(salt);
    let expected = hex_of(Digest::Sha1, hash).ok_or(Unknown)?;
    Ok(("Burning Board SHA-1", vec![Digest::Sha1.step(), salted.clone(), salted], expected))
}

/// `crypt(crypt(password, salt), salt)`.
fn twice(hash: &str) -> Recognised {
    let (_, steps, expected) = crypt(hash)?;
    match steps.as_slice() {
        [bcrypt @ Step::Bcrypt { .. }] => {
            Ok(("bcrypt twice", vec![bcrypt.clone(), bcrypt.clone()], expected))
        }
        _ => Err(Unknown),
    }
}

fn django(hash: &str) -> Recognised {
    bare("Django MD5", Digest::Md5, hash).or_else(|_| texts::django(hash))
}

fn wordpress(hash: &str) -> (Preparation, Recognised) {
    if let Some(rest) = hash.strip_prefix("$wp$") {
        let before = vec![Step::Hmac { digest: Digest::Sha384, key: b"wp-sha384".to_vec() }];
        return (Preparation::WordPress68, texts::after("WordPress bcrypt", before, &format!("${rest}")));
    }
    let found = if hash.starts_with('$') { crypt(hash) } else { bare("WordPress MD5", Digest::Md5, hash) };
    (Preparation::WordPress, found)
}

/// `:kind:…`. Of the kinds in layers, `pbkdf2-legacyB`, the parts of one layer stand between those of the other.
fn mediawiki(hash: &str) -> Recognised {
    let malformed = Malformed("lacks a part of a MediaWiki hash");
    let (kind, rest) = hash.strip_prefix(':').and_then(|rest| rest.split_once(':')).ok_or(Unknown)?;
    let pbkdf2 = |parameters: &str, salt: &str, hash: &str| {
        let (digest, rest) = parameters.split_once(':').ok_or(malformed)?;
        let digest = Digest::named(digest).ok_or(Unknown)?;
        let rounds = rest.split_once(':').ok_or(malformed)?.0;
        let salt = STANDARD.decode(salt).map_err(|_| malformed)?;
        texts::pbkdf2("MediaWiki PBKDF2", digest, rounds, &salt, STANDARD.decode(hash).ok())
    };
    match kind {
        "A" | "B" => match rest.split_once(':') {
            Some((salt, hash)) => {
                Ok(("MediaWiki MD5", mediawiki_md5(salt), hex_of(Digest::Md5, hash).ok_or(malformed)?))
            }
            None => bare("MediaWiki MD5", Digest::Md5, rest).map_err(|_| malformed),
        },
        "pbkdf2" => {
            let (rest, hash) = rest.rsplit_once(':').ok_or(malformed)?;
            let (parameters, salt) = rest.rsplit_once(':').ok_or(malformed)?;
            pbkdf2(parameters, salt, hash)
        }
        "pbkdf2-legacyA" | "pbkdf2-legacyB" => {
            let parts: Vec<_> = rest.split('!').collect();
            let &["", parameters, inner, salt, hash] = parts.as_slice() else { return Err(malformed) };
            let (kind, steps, expected) = pbkdf2(parameters, salt, hash)?;
            Ok((kind, mediawiki_md5(inner).into_iter().chain(steps).collect(), expected))
        }
        "bcrypt" => {
            let (cost, rest) = rest.split_once('$').ok_or(malformed)?;
            let (salt, hash) = rest.split_once('$').ok_or(malformed)?;
            crypt(&format!("$2y${cost:0>2}${salt}{hash}"))
        }
        "argon2" => crypt(rest),
        _ => Err(Unknown),
    }
}

/// `md5(salt . '-' . md5(password))`, or `md5(password)` without a salt.
fn mediawiki_md5(salt: &str) -> Vec<Step> {
    let salted = (!salt.is_empty()).then(|| Digest::Md5.salted_before(format!("{salt}-").as_bytes()));
    [Digest::Md5.step()].into_iter().chain(salted).collect()
}

fn self_describing(hash: &str) -> Recognised {
    let is_des = hash.len() == 13 && hash.bytes().all(|byte| crypt64::value(byte).is_some());
    match hash.as_bytes() {
        _ if is_des => Err(Unsupported("DES crypt")),
        [b'{', ..] => texts::ldap(hash),
        _ => crypt(hash),
    }
}

/// Django's and Werkzeug's, which say what they are too; `first` if it is neither.
fn python(hash: &str, first: Unreadable) -> Recognised {
    if first != Unknown {
        return Err(first);
    }
    // Both write "scrypt", "md5" and "sha1", the one with a `:` or an HMAC.
    match texts::django(hash) {
        Err(Unknown) => texts::werkzeug(hash),
        Ok((_, steps, _)) if matches!(steps.as_slice(), [Step::Digest { .. }]) => {
            Err(Malformed("may be Django's or Werkzeug's; say which"))
        }
        found => found,
    }
}
