//! All live sessions, found by their ids. What is kept of each is one [`Row`] of 64 bytes, as long as a line of a processor's
//! cache; of those in use there is a [`LiveSession`] beside.
//!
//! In parts, each below a lock of its own that is held for no longer than a look or a change takes. What is given to these
//! functions runs below it, so it must not ask the table.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use hashbrown::HashTable;

use super::live::LiveSession;
use super::rows::Rows;
use crate::domain::{Lifetimes, Persistence, Proof, Session, SessionId, Timestamp, UserId};

/// What tells whether a session holds.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Row {
    pub(super) id: SessionId,
    pub(super) user: UserId,
    /// The last six of the eight bytes of its milliseconds; enough for nine thousand years.
    created: [u8; 6],
    pub(super) persistence: Persistence,
    pub(super) proof: Proof,
    /// Whole seconds after `created`.
    last_seen: AtomicU32,
    /// One more than its place among those in use; 0 if it rests.
    awake: u32,
}

impl Row {
    pub(super) fn new(session: &Session) -> Self {
        let [_, _, created @ ..] = session.created.as_millis().min((1 << 48) - 1).to_be_bytes();
        let row = Self {
            id: session.id,
            user: session.user,
            created,
            persistence: session.persistence,
            proof: session.proof(),
            last_seen: AtomicU32::new(0),
            awake: 0,
        };
        row.see(session.last_seen);
        row
    }

    pub(super) fn created(&self) -> Timestamp {
        let [a, b, c, d, e, f] = self.created;
        Timestamp::from_millis(u64::from_be_bytes([0, 0, a, b, c, d, e, f]))
    }

    /// Exact to the second.
    pub(super) fn last_seen(&self) -> Timestamp {
        let millis = u64::from(self.last_seen.load(Ordering::Relaxed)) * 1_000;
        Timestamp::from_millis(self.created().as_millis() + millis)
    }

    pub(super) fn see(&self, now: Timestamp) {
        let seconds = now.since(self.created()).as_secs();
        self.last_seen.store(u32::try_from(seconds).unwrap_or(u32::MAX), Ordering::Relaxed);
    }

    pub(super) fn ends(&self, lifetimes: &Lifetimes) -> Timestamp {
        self.persistence.ends(self.created(), self.last_seen(), lifetimes)
    }
}

/// The sessions.
pub(super) struct Table([RwLock<Part>; Self::PARTS]);

/// Rows and those in use lie close together: the last one takes the place of one that is taken out. Apart from others, so that
/// what locks one part leaves the next in the caches of other processors.
#[derive(Default)]
#[repr(align(128))]
struct Part {
    /// Where the row of an id is.
    places: HashTable<u32>,
    rows: Rows,
    awake: Vec<Arc<LiveSession>>,
}

impl Table {
    const PARTS: usize = 64;

    pub(super) fn new() -> Self {
        Self(std::array::from_fn(|_| RwLock::default()))
    }

    /// How many sessions there are.
    pub(super) fn len(&self) -> usize {
        self.parts().map(|part| part.rows.len()).sum()
    }

    /// How many of them are in use.
    pub(super) fn awake(&self) -> usize {
        self.parts().map(|part| part.awake.len()).sum()
    }

    /// Looks at a session.
    pub(super) fn look<T>(
        &self,
        id: SessionId,
        look: impl FnOnce(&Row, Option<&Arc<LiveSession>>) -> T,
    ) -> Option<T> {
        let part = self.part(id).read().unwrap_or_else(PoisonError::into_inner);
        let row = part.row(id)?;
        Some(look(row, part.awake_at(row)))
    }

    /// Puts a session in, resting.
    pub(super) fn insert(&self, row: Row) {
        let mut part = self.write(row.id);
        part.remove(row.id);
        part.push(row);
    }

    /// Takes a session out.
    pub(super) fn remove(&self, id: SessionId) -> Option<Row> {
        self.write(id).remove(id)
    }

    /// Puts a session in use, if it is there and is not already; what is in use then.
    pub(super) fn wake(
        &self,
        id: SessionId,
        wake: impl FnOnce(&Row) -> Arc<LiveSession>,
    ) -> Option<Arc<LiveSession>> {
        let mut part = self.write(id);
        let row = part.row(id)?;
        if let Some(awake) = part.awake_at(row) {
            return Some(Arc::clone(awake));
        }
        let live = wake(row);
        part.awake.push(Arc::clone(&live));
        let place = u32::try_from(part.awake.len()).unwrap_or(0);
        part.set_awake(id, place);
        Some(live)
    }

    /// Visits all sessions, in no particular order.
    pub(super) fn each(&self, mut visit: impl FnMut(&Row)) {
        self.parts().for_each(|part| part.rows.iter().for_each(&mut visit));
    }

    /// The sessions of which this holds.
    pub(super) fn ids_where(&self, is_meant: impl Fn(&Row) -> bool) -> Vec<SessionId> {
        let mut ids = Vec::new();
        self.each(|row| ids.extend(is_meant(row).then_some(row.id)));
        ids
    }

    /// Those in use of which this holds.
    pub(super) fn awake_where(&self, is_meant: impl Fn(&LiveSession) -> bool) -> Vec<Arc<LiveSession>> {
        let parts = self.parts();
        parts
            .flat_map(|part| part.awake.iter().filter(|live| is_meant(live)).cloned().collect::<Vec<_>>())
            .collect()
    }

    /// Puts those to rest of which this holds.
    pub(super) fn rest_where(&self, may_rest: impl Fn(&Row, &Arc<LiveSession>) -> bool) {
        for part in &self.0 {
            let mut part = part.write().unwrap_or_else(PoisonError::into_inner);
            let resting =
                part.awake.iter().filter(|live| part.row(live.id()).is_none_or(|row| may_rest(row, live)));
            let resting: Vec<_> = resting.map(|live| live.id()).collect();
            resting.into_iter().for_each(|id| part.rest(id));
        }
    }

    fn parts(&self) -> impl Iterator<Item = RwLockReadGuard<'_, Part>> {
        self.0.iter().map(|part| part.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn write(&self, id: SessionId) -> RwLockWriteGuard<'_, Part> {
        self.part(id).write().unwrap_or_else(PoisonError::into_inner)
    }

    fn part(&self, id: SessionId) -> &RwLock<Part> {
        let [first, ..] = id.0;
        let [part, ..] = &self.0;
        self.0.get(usize::from(first) % Self::PARTS).unwrap_or(part)
    }
}

/// An id is a hash already, of what its holder can't choose but once.
fn hash(id: SessionId) -> u64 {
    let [_, rest @ ..] = id.0;
    rest.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

impl Part {
    fn place(&self, id: SessionId) -> Option<u32> {
        let is_it = |place: &u32| self.rows.get(*place).is_some_and(|row| row.id == id);
        self.places.find(hash(id), is_it).copied()
    }

    fn row(&self, id: SessionId) -> Option<&Row> {
        self.rows.get(self.place(id)?)
    }

    fn awake_at(&self, row: &Row) -> Option<&Arc<LiveSession>> {
        self.awake.get(row.awake.checked_sub(1)? as usize)
    }

    fn set_awake(&mut self, id: SessionId, awake: u32) {
        if let Some(place) = self.place(id)
            && let Some(row) = self.rows.get_mut(place)
        {
            row.awake = awake;
        }
    }

    fn push(&mut self, row: Row) {
        let (Ok(place), hashed) = (u32::try_from(self.rows.len()), hash(row.id)) else { return };
        self.rows.push(row);
        let Self { places, rows, .. } = self;
        places.insert_unique(hashed, place, |place| rows.get(*place).map_or(0, |row| hash(row.id)));
    }

    fn remove(&mut self, id: SessionId) -> Option<Row> {
        self.rest(id);
        let place = self.place(id)?;
        let found = self.places.find_entry(hash(id), |other| *other == place);
        found.ok()?.remove();
        let row = self.rows.swap_remove(place)?;
        // The last one lies in its place now.
        let last = self.rows.len() as u32;
        if let Some(moved) = self.rows.get(place)
            && let Some(found) = self.places.find_mut(hash(moved.id), |other| *other == last)
        {
            *found = place;
        }
        Some(row)
    }

    fn rest(&mut self, id: SessionId) {
        let Some(awake) = self.row(id).and_then(|row| row.awake.checked_sub(1)) else { return };
        self.set_awake(id, 0);
        if (awake as usize) < self.awake.len() {
            self.awake.swap_remove(awake as usize);
        }
        let moved = self.awake.get(awake as usize).map(|live| live.id());
        if let Some(moved) = moved {
            self.set_awake(moved, awake + 1);
        }
    }
}

#[cfg(test)]
mod tests;
