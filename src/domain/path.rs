//! The one canonical form of a request target. What decides is what is forwarded; where two readers could disagree
//! about a target, it is refused (SECURITY: PATH-01 … PATH-09, P1 … P3).

use std::borrow::Cow;

/// The path and query of a request, canonical.
///
/// Percent-escapes are decoded once, `.` and `..` resolved, runs of slashes merged. The query is kept byte for byte and
/// never looked at. A target that is canonical already, as nearly all are, is borrowed: no allocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestPath<'t> {
    decoded: Cow<'t, str>,
    wire: Cow<'t, str>,
    query: Option<&'t str>,
}

/// Why a target is refused. All of these are answered with 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmbiguousTarget {
    /// Not an origin-form target (RFC 9112 §3.2.1).
    #[error("does not begin with a slash")]
    NotOriginForm,
    /// `#`, control characters or raw bytes outside ASCII; user agents send none of them.
    #[error("holds a byte that is not allowed in a request target")]
    IllegalByte,
    /// `%` without two hexadecimal digits.
    #[error("holds a broken percent-escape")]
    BrokenEscape,
    /// An escape that decodes to another escape.
    #[error("is percent-encoded twice")]
    EncodedTwice,
    /// An encoded slash, a backslash or a `;`: servers differ on where the segment ends.
    #[error("holds a separator that applications read differently")]
    AmbiguousSeparator,
    /// Escapes that are not UTF-8, or control characters.
    #[error("decodes to something that is not text")]
    NotText,
    /// More `..` than there are segments.
    #[error("climbs above the root")]
    AboveRoot,
}

impl<'t> RequestPath<'t> {
    /// Reads an origin-form request target. Costs one pass over the bytes when it is canonical already.
    pub fn parse(target: &'t str) -> Result<Self, AmbiguousTarget> {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        if !path.starts_with('/') {
            return Err(AmbiguousTarget::NotOriginForm);
        }
        if target.bytes().any(|byte| byte <= b' ' || byte >= 0x7f || byte == b'#') {
            return Err(AmbiguousTarget::IllegalByte);
        }
        if is_canonical(path) {
            return Ok(Self { decoded: Cow::Borrowed(path), wire: Cow::Borrowed(path), query });
        }
        let decoded = resolve(&decode(path)?)?;
        let wire = encode(&decoded);
        Ok(Self { decoded: Cow::Owned(decoded), wire: Cow::Owned(wire), query })
    }

    /// The path as text, for matching: decoded, canonical, beginning with a slash.
    pub fn decoded(&self) -> &str {
        &self.decoded
    }

    /// The path as it goes over the wire.
    pub fn wire(&self) -> &str {
        &self.wire
    }

    /// The query, byte for byte, without its question mark.
    pub fn query(&self) -> Option<&'t str> {
        self.query
    }

    /// Path and query as they go over the wire.
    pub fn target(&self) -> Cow<'_, str> {
        match self.query {
            None => Cow::Borrowed(&self.wire),
            Some(query) => Cow::Owned(format!("{}?{query}", self.wire)),
        }
    }

    /// Whether this is the very target that was read, byte for byte.
    pub fn is_as_sent(&self) -> bool {
        matches!(self.wire, Cow::Borrowed(_))
    }

    /// What follows `prefix` if the path is the prefix itself or lies below it; matched by whole segments.
    pub fn below(&self, prefix: &str) -> Option<&str> {
        let rest = self.decoded.strip_prefix(prefix)?;
        (rest.is_empty() || rest.starts_with('/')).then_some(rest)
    }
}

/// Whether each byte stands for itself and no segment needs resolving.
fn is_canonical(path: &str) -> bool {
    let mut previous = 0;
    for byte in path.bytes() {
        if !is_plain(byte) || (previous == b'/' && (byte == b'/' || byte == b'.')) {
            return false;
        }
        previous = byte;
    }
    true
}

/// Bytes that are written as they are: `pchar` of RFC 3986 §3.3 without the semicolon, and the slash.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,=:@".contains(&byte)
}

/// Decodes percent-escapes once, refusing what could be read in more than one way.
fn decode(path: &str) -> Result<String, AmbiguousTarget> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'\\' || byte == b';' {
            return Err(AmbiguousTarget::AmbiguousSeparator);
        }
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16));
        let (Some(high), Some(low)) = (digit(), digit()) else { return Err(AmbiguousTarget::BrokenEscape) };
        match (high * 16 + low) as u8 {
            b'/' | b'\\' | b';' => return Err(AmbiguousTarget::AmbiguousSeparator),
            control if control < b' ' || control == 0x7f => return Err(AmbiguousTarget::NotText),
            byte => decoded.push(byte),
        }
    }
    let decoded = String::from_utf8(decoded).map_err(|_| AmbiguousTarget::NotText)?;
    if decoded.chars().any(char::is_control) {
        return Err(AmbiguousTarget::NotText);
    }
    if decoded.as_bytes().windows(3).any(is_escape) {
        return Err(AmbiguousTarget::EncodedTwice);
    }
    Ok(decoded)
}

fn is_escape(window: &[u8]) -> bool {
    matches!(window, [b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

/// Resolves dot segments (RFC 3986 §5.2.4) and merges slashes; a trailing slash stays.
fn resolve(path: &str) -> Result<String, AmbiguousTarget> {
    let mut segments: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop().ok_or(AmbiguousTarget::AboveRoot)?;
            }
            name => segments.push(name),
        }
    }
    let is_folder = path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..");
    let mut resolved = String::with_capacity(path.len());
    for segment in &segments {
        resolved.push('/');
        resolved.push_str(segment);
    }
    if is_folder || segments.is_empty() {
        resolved.push('/');
    }
    Ok(resolved)
}

fn encode(decoded: &str) -> String {
    let mut wire = String::with_capacity(decoded.len() + 8);
    for byte in decoded.bytes() {
        if is_plain(byte) {
            wire.push(char::from(byte));
        } else {
            wire.push_str(percent_encoding::percent_encode_byte(byte));
        }
    }
    wire
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn canonical(target: &str) -> Result<String, AmbiguousTarget> {
        RequestPath::parse(target).map(|path| path.target().into_owned())
    }

    #[test]
    fn a_target_of_one_reading_is_forwarded_in_its_canonical_form() {
        for (sent, forwarded) in [
            ("/", "/"),
            ("/index.php?topic=2.0;x=%7C&a[]=1%2f..", "/index.php?topic=2.0;x=%7C&a[]=1%2f.."),
            ("/a%20b", "/a%20b"),
            ("/%7euser", "/~user"),
            ("/Stra%c3%9fe", "/Stra%C3%9Fe"),
            ("/x/./y/../z", "/x/z"),
            ("//x///y//", "/x/y/"),
            ("/x/..", "/"),
            ("/x/%2e%2e/y", "/y"),
            ("/100%25", "/100%25"),
            ("/x.", "/x."),
            ("/.well-known/change-password", "/.well-known/change-password"),
            ("/...", "/..."),
            ("/x%3fy", "/x%3Fy"),
            ("/x%23y", "/x%23y"),
            ("/x[1]", "/x%5B1%5D"),
            ("/x?", "/x?"),
            ("/x??/../y", "/x??/../y"),
        ] {
            assert_eq!(canonical(sent).as_deref(), Ok(forwarded), "{sent}");
        }
    }

    #[test]
    fn path_01_a_target_of_two_readings_is_refused() {
        for bad in [
            "/public/..%2fx",
            "/public/%2e%2e%2fx",
            "/public/..;/x",
            "/public;/../x",
            "/public/..\\x",
            "/public/%5c..%5cx",
            "/public%2f..%2fx",
            "/public/%252e%252e/x",
            "/public/..%00/x",
            "/public/%u002e%u002e/x",
            "/public/%c0%ae%c0%ae/x",
            "/public/%09x",
            "/public/x%0a",
            "/public/%7f",
            "/public/%c2%85",
            "/public/%",
            "/public/%2",
            "/public/%zz",
            "/public/%3bx",
            "/..",
            "/x/../..",
            "/public#/x",
            "/public/x y",
            "/public/\u{e9}",
            "*",
            "",
            "x",
            "http://h/x",
            "/public/%25%32%65",
        ] {
            assert!(canonical(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn path_02_the_query_never_decides() {
        let path = RequestPath::parse("/x?/public/../y").unwrap();
        assert_eq!((path.decoded(), path.query()), ("/x", Some("/public/../y")));
        assert_eq!(RequestPath::parse("/x%3f/public").unwrap().decoded(), "/x?/public");
    }

    #[test]
    fn a_prefix_ends_at_a_segment() {
        let below = |target| RequestPath::parse(target).unwrap().below("/.passgate").map(str::to_owned);
        assert_eq!(below("/.passgate"), Some(String::new()));
        assert_eq!(below("/x/../.passgate//login"), Some("/login".to_owned()));
        assert_eq!(below("/.passgatex"), None);
        assert_eq!(below("/.PASSGATE"), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        /// PATH-09: canonical forms are fixed points, so a second reader who resolves again finds the same path.
        #[test]
        fn path_09_canonical_is_idempotent(
            target in "(/|//|/\\.|/\\.\\.|%2[eEfF]|%5c|%25|%c3%9f|[a-z.%;\\\\A-F0-9?#~\\[\\]]){0,12}"
        ) {
            let target = format!("/{target}");
            if let Ok(path) = RequestPath::parse(&target) {
                let wire = path.target().into_owned();
                let again = RequestPath::parse(&wire).expect("canonical parses");
                prop_assert_eq!(again.decoded(), path.decoded());
                prop_assert_eq!(again.target().into_owned(), wire);
                prop_assert!(!path.decoded().contains("//") && !path.decoded().contains('\\'));
                prop_assert!(path.decoded().split('/').all(|segment| segment != "." && segment != ".."));
            }
        }

        /// PATH-03: an escaped spelling of a path is the same path.
        #[test]
        fn path_03_raw_and_escaped_are_the_same(path in "(/[a-zA-Z0-9_~-]{1,6}){1,4}") {
            let escaped: String = path
                .bytes()
                .map(|byte| if byte == b'/' { "/".to_owned() } else { format!("%{byte:02x}") })
                .collect();
            let parsed = RequestPath::parse(&escaped).expect("plain");
            prop_assert_eq!(parsed.decoded(), path);
        }
    }
}
