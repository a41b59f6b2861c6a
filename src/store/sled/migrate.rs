//! Brings what a store of format 1, 2 or 3 holds into the form of format 4, in groups, while nobody else is at it.
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
    // Accounts go last. Of the rest some may lie alone for good.
    let marks = [Kind::OldEmail, Kind::OldName, Kind::OldSession, Kind::User];
    if marks.into_iter().map(is_done).collect::<Result<Vec<_>, _>>()?.into_iter().all(|is_done| is_done) {
        return Ok(());
    }
    tracing::info!(target: "passgate::store", "bringing the store into its new format");
    each_group(table, sync, count, Kind::OldSession, |key, record| {
        let id = TokenHash(table.sound(trailing(key))?);
        let session = table.sound(decode_old_session(id, record))?;
        let entry = (session_key(session.user, id), Some(IVec::from(encode_session(&session))));
        Ok(vec![(key.to_vec(), None), entry])
    })?;
    for kind in [Kind::OldSessionOf, Kind::OldEmail, Kind::OldName] {
        each_group(table, sync, count, kind, |key, _| Ok(vec![(key.to_vec(), None)]))?;
    }
    // What is written goes into its bundle.
    each_group(table, sync, count, Kind::Session, |key, record| {
        Ok(vec![(key.to_vec(), Some(record.into()))])
    })?;
    each_group(table, sync, count, Kind::User, |key, record| {
        let packed =
            if is_packed(record) { record.into() } else { encode_user(&table.user_in(key, record)?).into() };
        Ok(vec![(key.to_vec(), Some(packed))])
    })
}

type Entries = Vec<(Vec<u8>, Option<IVec>)>;

/// Visits all entries of a kind that lie alone, and writes what comes of them, many at a time.
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
        let page = table.read(|db| {
            let alone = db.range((after.clone(), Bound::Unbounded)).map(|entry| table.sound(entry));
            let page = alone
                .take(Table::PAGE)
                .take_while(|entry| entry.as_ref().map_or(true, |(key, _)| kind.is_of(key)));
            page.collect::<Result<Vec<_>, _>>()
        })?;
        let Some((last, _)) = page.last() else { break };
        after = Bound::Excluded(last.to_vec());
        for (key, record) in &page {
            writes.extend(visit(key, record)?);
            if writes.len() >= count {
                write(&mut writes)?;
            }
        }
    }
    if writes.is_empty() { Ok(()) } else { write(&mut writes) }
}
