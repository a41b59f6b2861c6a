//! Ways to spoil an answer: its bytes, its JSON and its CBOR. The last two keep the structure but for one place, where a
//! length lies, a key stands twice, a type is another, or something is nested deeper than anybody would.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_cbor_2::Value as Cbor;
use serde_json::Value as Json;

/// One change to some bytes.
#[derive(Clone, Debug)]
pub(super) enum Bytes {
    Cut(usize),
    Drop(usize),
    Insert(usize, Vec<u8>),
    /// One byte many times: arrays, maps or tags within each other, if it is read as CBOR; brackets as JSON.
    Nest(usize, u8, usize),
    Set(usize, u8),
    Xor(usize, u8),
}

pub(super) fn bytes() -> impl Strategy<Value = Bytes> {
    let deep = select(vec![b'[', b'{', b'"', 0x81, 0xa1, 0xc1, 0x9f, 0x5f]);
    prop_oneof![
        1 => any::<usize>().prop_map(Bytes::Cut),
        2 => any::<usize>().prop_map(Bytes::Drop),
        2 => (any::<usize>(), vec(any::<u8>(), 1..9)).prop_map(|(at, more)| Bytes::Insert(at, more)),
        1 => (any::<usize>(), deep, 1..3_000_usize).prop_map(|(at, byte, times)| Bytes::Nest(at, byte, times)),
        3 => (any::<usize>(), select(vec![0, 0x7f, 0xff, 0x9f, 0x5b])).prop_map(|(at, byte)| Bytes::Set(at, byte)),
        3 => (any::<usize>(), 1..=255_u8).prop_map(|(at, bits)| Bytes::Xor(at, bits)),
    ]
}

impl Bytes {
    pub(super) fn apply(&self, bytes: &mut Vec<u8>) {
        let place = |at: usize| at % bytes.len().max(1);
        match self {
            _ if bytes.is_empty() => (),
            Self::Cut(at) => bytes.truncate(place(*at)),
            Self::Drop(at) => drop(bytes.remove(place(*at))),
            Self::Insert(at, more) => {
                let at = place(*at);
                bytes.splice(at..at, more.iter().copied());
            }
            Self::Nest(at, byte, times) => {
                let at = place(*at);
                bytes.splice(at..at, std::iter::repeat_n(*byte, *times));
            }
            Self::Set(at, byte) => {
                let at = place(*at);
                bytes[at] = *byte;
            }
            Self::Xor(at, bits) => {
                let at = place(*at);
                bytes[at] ^= bits;
            }
        }
    }
}

/// What happens to one member of an object or list.
#[derive(Clone, Debug)]
pub(super) enum InJson {
    Replaced(&'static str),
    /// There twice, the other one first.
    After(&'static str),
    /// There twice, the other one last.
    Before(&'static str),
    Gone,
    Nested(usize),
    /// A text as the list of its bytes.
    Listed,
    /// A text with this behind it: padding, other alphabets, blanks.
    Longer(&'static str),
    /// A number or word as a text.
    Quoted,
    Renamed(&'static str),
}

pub(super) fn json() -> impl Strategy<Value = (usize, InJson)> {
    const OTHER: [&str; 16] = [
        "null",
        "true",
        "0",
        "-1",
        "1e999",
        "18446744073709551616",
        "0.5",
        "\"\"",
        "[]",
        "{}",
        "\"\\ud800\"",
        "\"\\u0000\"",
        "[[[[]]]]",
        "{\"\":{\"\":[]}}",
        "\"public-key\"",
        "\"webauthn.get\"",
    ];
    const ENDS: [&str; 9] = ["=", "==", "====", "A", "+/", " ", "\\n", "%3D", "\\u0000"];
    const NAMES: [&str; 6] = ["", "id", "rawId", "response", "challenge", "origin"];
    let change = prop_oneof![
        3 => select(&OTHER[..]).prop_map(InJson::Replaced),
        2 => select(&OTHER[..]).prop_map(InJson::After),
        2 => select(&OTHER[..]).prop_map(InJson::Before),
        1 => Just(InJson::Gone),
        1 => (1..2_000_usize).prop_map(InJson::Nested),
        1 => Just(InJson::Listed),
        2 => select(&ENDS[..]).prop_map(InJson::Longer),
        1 => Just(InJson::Quoted),
        1 => select(&NAMES[..]).prop_map(InJson::Renamed),
    ];
    (any::<usize>(), change)
}

impl InJson {
    /// `value` as text, changed in one member.
    pub(super) fn text(&self, at: usize, value: &Json) -> String {
        let mut text = String::new();
        self.write(&mut (at % members(value).max(1)), value, &mut text);
        text
    }

    fn write(&self, left: &mut usize, value: &Json, out: &mut String) {
        let mut separator = "";
        let (open, close): (_, _) = if value.is_array() { ('[', ']') } else { ('{', '}') };
        let inner: Vec<(Option<&String>, &Json)> = match value {
            Json::Object(members) => members.iter().map(|(key, value)| (Some(key), value)).collect(),
            Json::Array(items) => items.iter().map(|value| (None, value)).collect(),
            _ => return out.push_str(&value.to_string()),
        };
        out.push(open);
        for (key, value) in inner {
            let is_here = *left == 0;
            *left = left.wrapping_sub(1);
            let mut text = String::new();
            self.write(left, value, &mut text);
            let key = key.map(|key| Json::String(key.clone()).to_string() + ":").unwrap_or_default();
            let member = if is_here { self.member(&key, value, &text) } else { format!("{key}{text}") };
            if !member.is_empty() {
                *out += separator;
                *out += &member;
                separator = ",";
            }
        }
        out.push(close);
    }

    fn member(&self, key: &str, value: &Json, text: &str) -> String {
        match self {
            Self::Replaced(other) => format!("{key}{other}"),
            Self::After(other) => format!("{key}{other},{key}{text}"),
            Self::Before(other) => format!("{key}{text},{key}{other}"),
            Self::Gone => String::new(),
            Self::Nested(depth) => format!("{key}{}{text}{}", "[".repeat(*depth), "]".repeat(*depth)),
            Self::Listed => format!("{key}{:?}", value.as_str().unwrap_or_default().as_bytes()),
            Self::Longer(more) => format!("{key}\"{}{more}\"", value.as_str().unwrap_or_default()),
            Self::Quoted => format!("{key}{}", Json::String(text.to_owned())),
            Self::Renamed(other) if !key.is_empty() => format!("\"{other}\":{text}"),
            Self::Renamed(_) => text.to_owned(),
        }
    }
}

fn members(value: &Json) -> usize {
    match value {
        Json::Object(members) => members.values().map(|value| 1 + self::members(value)).sum(),
        Json::Array(items) => items.iter().map(|value| 1 + self::members(value)).sum(),
        _ => 0,
    }
}

/// What happens to one item of CBOR, a key, a value or the whole.
#[derive(Clone, Debug)]
pub(super) enum InCbor {
    /// Its head promises another length or count, or, for a number, is another.
    Says(u64),
    /// Without an end.
    Endless,
    /// Another kind of item with the same bytes behind its head.
    Kind(u8),
    Twice,
    Gone,
    /// Within as many arrays, maps or tags.
    Within(u8, usize),
    /// In its place.
    Raw(Vec<u8>),
    /// With the longest head.
    Wide,
}

pub(super) fn cbor() -> impl Strategy<Value = (usize, InCbor)> {
    let lengths =
        select(vec![0, 1, 22, 24, 255, 1 << 16, 1 << 24, u64::from(u32::MAX), i64::MAX as u64, u64::MAX]);
    let raw = prop_oneof![
        vec(any::<u8>(), 0..12),
        // Floats, undefined, a break out of place, reserved heads, not UTF-8.
        select(vec![
            vec![0xf9, 0x7e, 0],
            vec![0xf7],
            vec![0xff],
            vec![0x1c],
            vec![0xfc],
            vec![0x62, 0xc3, 0x28]
        ]),
    ];
    let change = prop_oneof![
        4 => lengths.prop_map(InCbor::Says),
        1 => Just(InCbor::Endless),
        2 => (0..8_u8).prop_map(InCbor::Kind),
        2 => Just(InCbor::Twice),
        1 => Just(InCbor::Gone),
        1 => (select(vec![0x81, 0xa1, 0xc1, 0xd8, 0x9f]), 1..3_000_usize).prop_map(|(head, times)| InCbor::Within(head, times)),
        2 => raw.prop_map(InCbor::Raw),
        1 => Just(InCbor::Wide),
    ];
    (any::<usize>(), change)
}

impl InCbor {
    /// `value` as bytes, changed in one item.
    pub(super) fn bytes(&self, at: usize, value: &Cbor) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write(&mut (at % items(value)), value, &mut bytes);
        bytes
    }

    fn write(&self, left: &mut usize, value: &Cbor, out: &mut Vec<u8>) {
        let is_here = *left == 0;
        *left = left.wrapping_sub(1);
        let whole = serde_cbor_2::to_vec(value).unwrap();
        let mut inner = Vec::new();
        let (kind, count) = match value {
            Cbor::Bytes(bytes) => (2, {
                inner.clone_from(bytes);
                bytes.len()
            }),
            Cbor::Text(text) => (3, {
                inner.extend(text.bytes());
                text.len()
            }),
            Cbor::Array(items) => (4, {
                items.iter().for_each(|item| self.write(left, item, &mut inner));
                items.len()
            }),
            Cbor::Map(map) => {
                map.iter().for_each(|(key, value)| {
                    self.write(left, key, &mut inner);
                    self.write(left, value, &mut inner);
                });
                (5, map.len())
            }
            _ => (whole[0] >> 5, 0),
        };
        let count = count as u64;
        match self {
            Self::Gone if is_here => {}
            Self::Raw(bytes) if is_here => out.extend(bytes),
            Self::Twice if is_here => out.extend([&whole[..], &whole].concat()),
            Self::Within(head, times) if is_here => {
                out.extend(std::iter::repeat_n(*head, *times));
                out.extend(whole);
            }
            Self::Says(count) if is_here => out.extend([head(kind, *count), inner].concat()),
            Self::Kind(kind) if is_here => out.extend([head(*kind, count), inner].concat()),
            Self::Endless if is_here => out.extend([vec![kind << 5 | 31], inner].concat()),
            Self::Wide if is_here => {
                out.push(kind << 5 | 27);
                out.extend(count.to_be_bytes());
                out.extend(inner);
            }
            _ if !(2..=5).contains(&kind) => out.extend(whole),
            _ => out.extend([head(kind, count), inner].concat()),
        }
    }
}

/// The shortest head of an item (RFC 8949, section 3).
fn head(kind: u8, count: u64) -> Vec<u8> {
    let kind = kind << 5;
    let bytes = count.to_be_bytes();
    match count {
        0..=23 => vec![kind | bytes[7]],
        24..=0xff => vec![kind | 24, bytes[7]],
        0x100..=0xffff => [&[kind | 25], &bytes[6..]].concat(),
        0x1_0000..=0xffff_ffff => [&[kind | 26], &bytes[4..]].concat(),
        _ => [&[kind | 27], &bytes[..]].concat(),
    }
}

fn items(value: &Cbor) -> usize {
    1 + match value {
        Cbor::Array(inner) => inner.iter().map(items).sum(),
        Cbor::Map(inner) => inner.iter().map(|(key, value)| items(key) + items(value)).sum(),
        _ => 0,
    }
}
