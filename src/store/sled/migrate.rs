//! Brings what a store of format 1 or 2 holds into the form of format 3, in groups, while nobody else is at it.
//!
//! The number is raised before, so that no older passgate opens what is half done. Each group is whole and on the disk before
//! the next, an entry is taken away in the group that writes what comes in its place, and what is done is not found again: a
//! migration that breaks off anywhere is taken up at the next start.

use std::io;
use std::ops::Bound;

use sled::IVec;

use super::packed::{encode_session, encode_user, is_packed};
use super::records::{Kind, session_key, trailing};
use super::table::{Table, Writes};
use super::values::decode_old_session;
use crate::domain::TokenHash;
use crate::store::StoreError;

/// Brings what was written, up to the group of this number, to the disk.
type Sync<'s> = dyn FnMut(u64) -> io::Result<()> + 's;

/// So many entries are written together.
const GROUP: usize = 4_000;

/// Does what is left to do; quick if nothing is.
pub(super) fn migrate(table: &Table, sync: &mut Sync<'_>) -> Result<(), StoreError> {
    migrate_by(table, sync, GROUP)
}

/// The same, with so many entries written together.
pub(super) fn migrate_by(table: &Table, sync: &mut Sync<'_>, count: usize) -> Result<(), StoreError> {
    let is_done = |kind: Kind| table.read(|db| Ok(db.scan_prefix(kind.key(&[])).next().is_none()));
    // Names go last, so as long as there are some, accounts may be left to be written anew.
    if is_done(Kind::OldName)? && is_done(Kind::OldEmail)? && is_done(Kind::OldSession)? {
        return Ok(());
    }
    tracing::info!(target: "passgate::store", "bringing the store into its new format");
    each_group(table, sync, count, Kind::OldSession, |key, record| {
        let id = TokenHash(table.sound(trailing(key))?);
        let session = table.sound(decode_old_session(id, record))?;
        let entry = (session_key(session.user, id), Some(IVec::from(encode_session(&session))));
        Ok(vec![(key.to_vec(), None), entry])
    })?;
    each_group(table, sync, count, Kind::User, |key, record| {
        if is_packed(record) {
            return Ok(Vec::new());
        }
        Ok(vec![(key.to_vec(), Some(IVec::from(encode_user(&table.user_in(key, record)?))))])
    })?;
    for kind in [Kind::OldSessionOf, Kind::OldEmail, Kind::OldName] {
        each_group(table, sync, count, kind, |key, _| Ok(vec![(key.to_vec(), None)]))?;
    }
    Ok(())
}

type Entries = Vec<(Vec<u8>, Option<IVec>)>;

/// Visits all entries of a kind, and writes what comes of them, many at a time.
fn each_group(
    table: &Table,
    sync: &mut Sync<'_>,
    count: usize,
    kind: Kind,
    visit: impl Fn(&[u8], &[u8]) -> Result<Entries, StoreError>,
) -> Result<(), StoreError> {
    let mut write = |writes: &mut Writes| {
        let group = table.groups()? + 1;
        table.write(std::mem::take(writes), group)?;
        sync(group).map_err(|error| StoreError::Failed(error.to_string()))
    };
    let (mut after, mut writes) = (Bound::Included(kind.key(&[])), Writes::new());
    loop {
        let (page, last) =
            table.read(|db| table.page(db, kind, after, |_, key, record| visit(key, record)))?;
        for entries in page {
            writes.extend(entries);
            if writes.len() >= count {
                write(&mut writes)?;
            }
        }
        let Some(last) = last else { break };
        after = Bound::Excluded(last.to_vec());
    }
    if writes.is_empty() { Ok(()) } else { write(&mut writes) }
}
