//! A list of rows that never moves what is in it: many that grow at once would leave holes in memory as large as themselves.

use super::table::Row;

/// Rows, without gaps.
#[derive(Default)]
pub(super) struct Rows {
    /// All full, but for the last one; none is empty.
    runs: Vec<Vec<Row>>,
}

impl Rows {
    const RUN: usize = 256;

    pub(super) fn len(&self) -> usize {
        self.runs.last().map_or(0, |last| (self.runs.len() - 1) * Self::RUN + last.len())
    }

    pub(super) fn get(&self, place: u32) -> Option<&Row> {
        let place = place as usize;
        self.runs.get(place / Self::RUN)?.get(place % Self::RUN)
    }

    pub(super) fn get_mut(&mut self, place: u32) -> Option<&mut Row> {
        let place = place as usize;
        self.runs.get_mut(place / Self::RUN)?.get_mut(place % Self::RUN)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Row> {
        self.runs.iter().flatten()
    }

    pub(super) fn push(&mut self, row: Row) {
        match self.runs.last_mut().filter(|last| last.len() < Self::RUN) {
            Some(last) => last.push(row),
            None => self.runs.push(vec![row]),
        }
    }

    /// Takes the row of a place out; the last one comes in its place.
    pub(super) fn swap_remove(&mut self, place: u32) -> Option<Row> {
        let runs = self.runs.len();
        let last_run = self.runs.last_mut()?;
        let last = last_run.pop()?;
        if last_run.is_empty() {
            self.runs.truncate(runs - 1);
        }
        if place as usize == self.len() {
            return Some(last);
        }
        Some(std::mem::replace(self.get_mut(place)?, last))
    }
}
