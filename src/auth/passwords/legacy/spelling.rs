//! What a forum made of the text that was typed before it hashed it: blanks cut off, HTML escaped, quotes slashed,
//! another character set. A member typed the same as today; the bytes that were hashed are one of these.

use std::fmt::Write;

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// A password as bytes that may have been hashed.
pub(super) type Spelling = Zeroizing<Vec<u8>>;
type Text = Zeroizing<String>;

/// How a forum prepared a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Preparation {
    /// Not at all.
    AsTyped,
    /// FluxBB and PunBB: blanks at both ends cut off.
    Trimmed,
    /// phpBB 3: composed (NFC), then HTML-escaped.
    PhpBb,
    /// phpBB 2: quotes slashed, in its pages' character set.
    PhpBb2,
    /// SMF: entities un-escaped, and before it one of these spellings of the member's name.
    Smf(Vec<String>),
    /// Invision: HTML-escaped, and more than HTML asks for.
    Ipb,
    /// vBulletin: hashed in the browser, which trimmed it and wrote letters beyond Latin-1 as entities.
    VBulletin,
    /// WordPress until 6.7: trimmed, and slashed where it came from a form.
    WordPress,
    /// WordPress from 6.8: trimmed.
    WordPress68,
}

impl Preparation {
    /// The spellings, the likeliest first, each once.
    pub(super) fn spellings(&self, password: &str) -> Vec<Spelling> {
        let mut spellings = Vec::new();
        let mut add = |spelling: Spelling| {
            if !spellings.contains(&spelling) {
                spellings.push(spelling);
            }
        };
        match self {
            Self::AsTyped => as_on_old_pages(password).into_iter().for_each(add),
            Self::Trimmed => as_on_old_pages(trim(password)).into_iter().for_each(add),
            Self::PhpBb => add(as_in_phpbb(password)),
            Self::PhpBb2 => {
                let slashed = slashed(password);
                add(bytes(&slashed));
                add(encoded(&slashed, windows_1252, Missing::Kept));
                add(encoded(&slashed, windows_1252, Missing::Entity));
                // phpBB 3 itself takes a bare MD5 too.
                add(as_in_phpbb(password));
            }
            Self::Smf(names) => {
                for password in [unescaped(password), Zeroizing::new(password.to_owned())] {
                    for name in names {
                        let both: Text = Zeroizing::new(format!("{name}{}", *password));
                        as_on_old_pages(&both).into_iter().for_each(&mut add);
                    }
                }
            }
            Self::Ipb => {
                let escaped_more = escaped_by_ipb(password);
                add(bytes(&escaped_more));
                add(bytes(password));
                add(bytes(&escaped(password)));
                add(bytes(&replaced(&escaped(password), |c| (c == '\'').then_some("&#039;"))));
                add(encoded(&escaped_more, windows_1252, Missing::Entity));
            }
            Self::VBulletin => {
                let trimmed = trim(password);
                add(bytes(trimmed));
                add(bytes(password));
                add(encoded(trimmed, latin_1, Missing::Entity));
                add(encoded(trimmed, windows_1252, Missing::Entity));
            }
            Self::WordPress => {
                for password in [trim(password), password] {
                    add(bytes(password));
                    add(bytes(&slashed(password)));
                }
            }
            Self::WordPress68 => {
                add(bytes(trim(password)));
                add(composed(trim(password)));
            }
        }
        spellings
    }
}

/// As typed, composed, and in the character set of pages from before UTF-8.
fn as_on_old_pages(text: &str) -> [Spelling; 3] {
    [bytes(text), composed(text), encoded(text, windows_1252, Missing::Entity)]
}

fn as_in_phpbb(password: &str) -> Spelling {
    let composed: Text = Zeroizing::new(password.nfc().collect());
    bytes(&escaped(&composed))
}

fn bytes(text: &str) -> Spelling {
    Zeroizing::new(text.as_bytes().to_vec())
}

fn composed(text: &str) -> Spelling {
    Zeroizing::new(text.nfc().collect::<String>().into_bytes())
}

/// What `trim` of PHP takes away, and the blanks of Unicode.
fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c == '\0')
}

fn replaced(text: &str, replacement: impl Fn(char) -> Option<&'static str>) -> Text {
    let mut replaced = Zeroizing::new(String::with_capacity(text.len() * 2));
    for c in text.chars() {
        match replacement(c) {
            Some(instead) => replaced.push_str(instead),
            None => replaced.push(c),
        }
    }
    replaced
}

/// PHP's `htmlspecialchars`, which leaves the apostrophe alone.
fn escaped(text: &str) -> Text {
    replaced(text, |c| match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '"' => Some("&quot;"),
        _ => None,
    })
}

fn escaped_by_ipb(text: &str) -> Text {
    replaced(text, |c| match c {
        '&' => Some("&amp;"),
        '<' => Some("&lt;"),
        '>' => Some("&gt;"),
        '"' => Some("&quot;"),
        '$' => Some("&#036;"),
        '!' => Some("&#33;"),
        '\'' => Some("&#39;"),
        '\\' => Some("&#092;"),
        _ => None,
    })
}

/// PHP's `addslashes`.
fn slashed(text: &str) -> Text {
    replaced(text, |c| match c {
        '\'' => Some("\\'"),
        '"' => Some("\\\""),
        '\\' => Some("\\\\"),
        '\0' => Some("\\0"),
        _ => None,
    })
}

/// The other way round, in one pass.
fn unescaped(text: &str) -> Text {
    const ENTITIES: [(&str, char); 7] = [
        ("&amp;", '&'),
        ("&lt;", '<'),
        ("&gt;", '>'),
        ("&quot;", '"'),
        ("&#039;", '\''),
        ("&#39;", '\''),
        ("&nbsp;", ' '),
    ];
    let mut unescaped = Zeroizing::new(String::with_capacity(text.len()));
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let entity = ENTITIES.iter().find(|(entity, _)| rest.starts_with(entity));
        let (length, meant) =
            entity.map_or_else(|| (first.len_utf8(), first), |(entity, c)| (entity.len(), *c));
        unescaped.push(meant);
        rest = &rest[length..];
    }
    unescaped
}

/// What becomes of a character that a character set lacks.
#[derive(Clone, Copy)]
enum Missing {
    /// `&#1087;`, as browsers send it.
    Entity,
    /// It stays UTF-8.
    Kept,
}

fn encoded(text: &str, set: fn(char) -> Option<u8>, missing: Missing) -> Spelling {
    // No text gets longer than this, so that nothing is left behind in memory.
    let mut encoded = Zeroizing::new(Vec::with_capacity(text.len() * 5));
    for c in text.chars() {
        match (set(c), missing) {
            (Some(byte), _) => encoded.push(byte),
            (None, Missing::Kept) => encoded.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            (None, Missing::Entity) => {
                let mut entity = String::new();
                let _ = write!(entity, "&#{};", u32::from(c));
                encoded.extend_from_slice(entity.as_bytes());
            }
        }
    }
    encoded
}

fn latin_1(c: char) -> Option<u8> {
    u8::try_from(u32::from(c)).ok()
}

/// Latin-1 with letters where that has control characters.
fn windows_1252(c: char) -> Option<u8> {
    const FROM_0X80: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ";
    match FROM_0X80.chars().position(|known| known == c) {
        Some(at) => u8::try_from(0x80 + at).ok(),
        None if ('\u{80}'..'\u{a0}').contains(&c) => None,
        None => latin_1(c),
    }
}
