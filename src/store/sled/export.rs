//! Copying a store that goes on working. Entries are read a page at a time, and what was written meanwhile is read once more
//! at the end, with no write in between: a line that comes later counts, so what they say together is the state of that last
//! moment.
//!
//! A line names what it is about, its key, and the record, which is JSON: as it lies in the database or, of an account, unpacked.
//! Lists of passkeys by their accounts and such are not in it: whoever restores it makes them anew. Sessions and one-time links are not, since those
//! that had ended would be back (SECURITY: S1).

use std::borrow::Cow;
use std::fmt::Write;
use std::ops::Bound;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::packed::decode_user;
use super::records::{Kind, trailing};
use super::table::{Table, Watch};
use super::values::encode_user_as_json;
use crate::domain::UserId;
use crate::store::{Drawer, Export, StoreError};

/// What is copied, and what it is called in a line.
const EXPORTED: [(Kind, &str); 5] = [
    (Kind::User, "user"),
    (Kind::Passkey, "passkey"),
    (Kind::ForumPassword, "forum_password"),
    (Kind::Deleted, "deleted_name"),
    (Kind::Drawer, "record"),
];

impl Kind {
    /// What a copy calls the entry of this key, if there is a place for it in one.
    pub(super) fn exported(key: &[u8]) -> Option<&'static str> {
        let is_kept = !Self::Drawer.is_of(key) || exported_drawer(key).is_some();
        EXPORTED.iter().find(|(kind, _)| is_kept && kind.is_of(key)).map(|(_, name)| *name)
    }
}

/// The drawer in which the entry of this key lies, if what lies there is copied.
pub(super) fn exported_drawer(key: &[u8]) -> Option<Drawer> {
    let letter = key.get(1);
    Drawer::ALL.into_iter().find(|drawer| drawer.is_in_backups() && Some(&drawer.letter()) == letter)
}

/// What a line says: that this is to lie below this key of the database, or nothing.
pub(super) struct Said {
    pub(super) kind: Kind,
    pub(super) key: Vec<u8>,
    pub(super) record: Option<Vec<u8>>,
}

/// A line as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    kind: String,
    key: String,
    version: Option<u8>,
    record: Option<serde_json::Value>,
    #[serde(default)]
    gone: bool,
}

impl Line {
    /// What a line says.
    pub(super) fn parse(text: &str) -> Result<Said, String> {
        let line: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let kind = EXPORTED.iter().find(|(_, name)| *name == line.kind).map(|(kind, _)| *kind);
        let kind = kind.ok_or_else(|| {
            format!("{:?} is nothing that this version keeps; use a newer passgate", line.kind)
        })?;
        let key = URL_SAFE_NO_PAD.decode(&line.key).map_err(|error| format!("its key: {error}"))?;
        let record = match (line.gone, line.version, line.record) {
            (true, None, None) => None,
            (false, None, None) => Some(Vec::new()),
            (false, Some(version), Some(record)) => {
                let mut bytes = vec![version];
                serde_json::to_writer(&mut bytes, &record).map_err(|error| error.to_string())?;
                Some(bytes)
            }
            _ => return Err("it does not say what became of the record".to_owned()),
        };
        Ok(Said { kind, key: kind.key(&key), record })
    }
}

fn line(key: &[u8], record: Option<&[u8]>) -> Result<Option<String>, String> {
    let (Some(kind), Some((_, id))) = (Kind::exported(key), key.split_first()) else { return Ok(None) };
    let mut text = format!(r#"{{"kind":"{kind}","key":"{}""#, URL_SAFE_NO_PAD.encode(id));
    let record = record.map(|record| as_copied(key, record)).transpose()?;
    match record.as_deref().map(<[u8]>::split_first) {
        None => text.push_str(r#","gone":true"#),
        Some(None) => {}
        Some(Some((version, json))) => {
            let json = str::from_utf8(json).map_err(|error| format!("a record: {error}"))?;
            let _ = write!(text, r#","version":{version},"record":{json}"#);
        }
    }
    text.push('}');
    Ok(Some(text))
}

/// The record as copies have it.
fn as_copied<'r>(key: &[u8], record: &'r [u8]) -> Result<Cow<'r, [u8]>, String> {
    if !Kind::User.is_of(key) {
        return Ok(Cow::Borrowed(record));
    }
    let user = decode_user(UserId(trailing(key)?), record)?;
    Ok(Cow::Owned(encode_user_as_json(&user)))
}

/// A copy under way.
pub(super) struct SledExport {
    table: Arc<Table>,
    watch: Arc<Watch>,
    total: u64,
    at: At,
}

enum At {
    /// The entries of `EXPORTED[kind]` that come after this key.
    Entries { kind: usize, after: Bound<Vec<u8>> },
    /// What was written meanwhile.
    Written,
    /// Nothing more.
    End,
}

impl SledExport {
    pub(super) fn begin(table: &Arc<Table>) -> Result<Self, StoreError> {
        let watch = table.watch();
        let count = |kind: Kind| match kind {
            Kind::User => Ok(table.directory(|directory| directory.len() as u64)),
            _ => table.read(|db| Ok(table.keys(db, &kind.key(&[])).count() as u64)),
        };
        let total = EXPORTED.iter().map(|(kind, _)| count(*kind)).sum::<Result<_, _>>()?;
        Ok(Self { table: Arc::clone(table), watch, total, at: At::beginning(0) })
    }

    fn entries(&mut self, number: usize, after: Bound<Vec<u8>>) -> Result<Vec<String>, StoreError> {
        let Some((kind, _)) = EXPORTED.get(number) else {
            self.at = At::Written;
            return Ok(Vec::new());
        };
        let read = |_: &sled::Db, key: &[u8], record: &[u8]| self.table.sound(line(key, Some(record)));
        let (lines, last) = self.table.read(|db| self.table.page(db, *kind, after, read))?;
        self.at = match last {
            Some(last) => At::Entries { kind: number, after: Bound::Excluded(last.to_vec()) },
            None => At::beginning(number + 1),
        };
        Ok(lines.into_iter().flatten().collect())
    }

    fn written(&mut self) -> Result<Vec<String>, StoreError> {
        self.at = At::End;
        self.table.read(|db| {
            let changed = self.watch.take().into_iter().filter_map(|key| {
                let record = self.table.get(db, &key);
                record.and_then(|record| self.table.sound(line(&key, record.as_deref()))).transpose()
            });
            changed.collect()
        })
    }
}

impl At {
    fn beginning(kind: usize) -> Self {
        let after = EXPORTED.get(kind).map_or(Bound::Unbounded, |(kind, _)| Bound::Included(kind.key(&[])));
        Self::Entries { kind, after }
    }
}

impl Export for SledExport {
    fn total(&self) -> u64 {
        self.total
    }

    fn next_lines(&mut self) -> Result<Option<Vec<String>>, StoreError> {
        loop {
            let lines = match std::mem::replace(&mut self.at, At::End) {
                At::Entries { kind, after } => self.entries(kind, after)?,
                At::Written => self.written()?,
                At::End => return Ok(None),
            };
            if !lines.is_empty() {
                return Ok(Some(lines));
            }
        }
    }
}
