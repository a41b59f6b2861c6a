//! Things in the order of their keys, however many there are.
//!
//! The store keeps a list of names in their order. Whoever adds to it in another touches each page of it again and again,
//! and each touch leaves a piece that is remembered: of a million members that is a good part of an import's memory and
//! time.
//!
//! A part is sorted at a time. Parts wait in a temporary file without a name, which is gone with this process however that
//! ends (SECURITY: OPS-03: hashes of passwords are in it). What fits into one part needs no file.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Sorts things by a key.
#[derive(Default)]
pub(super) struct Sorter {
    part: Vec<(Vec<u8>, Vec<u8>)>,
    bytes: usize,
    file: Option<Arc<File>>,
    runs: Vec<Run>,
}

/// A sorted part in the file.
struct Run {
    file: Arc<File>,
    at: u64,
    end: u64,
}

impl Sorter {
    /// So much is sorted at a time.
    const PART_BYTES: usize = 4 << 20;
    /// So much of each part is read at a time.
    const READ_BYTES: usize = 16 << 10;

    /// Takes one more.
    pub(super) fn add(&mut self, key: &str, thing: &impl Serialize) -> io::Result<()> {
        let entry = (key.as_bytes().to_vec(), serde_json::to_vec(thing)?);
        self.bytes += entry.0.len() + entry.1.len();
        self.part.push(entry);
        if self.bytes < Self::PART_BYTES { Ok(()) } else { self.put_down() }
    }

    /// Hands all out in the order of their keys, those of one key in the order in which they came. `take` ends it by
    /// returning false.
    pub(super) fn hand_out<T: DeserializeOwned>(mut self, take: &mut dyn FnMut(T) -> bool) -> io::Result<()> {
        if self.runs.is_empty() {
            self.part.sort_by(|a, b| a.0.cmp(&b.0));
            for (_, thing) in self.part {
                if !take(serde_json::from_slice(&thing)?) {
                    break;
                }
            }
            return Ok(());
        }
        self.put_down()?;
        let mut runs: Vec<_> =
            self.runs.into_iter().map(|run| BufReader::with_capacity(Self::READ_BYTES, run)).collect();
        let mut next = BinaryHeap::new();
        for (number, run) in runs.iter_mut().enumerate() {
            next.extend(entry(run)?.map(|(key, thing)| Reverse((key, number, thing))));
        }
        while let Some(Reverse((_, number, thing))) = next.pop() {
            if !take(serde_json::from_slice(&thing)?) {
                break;
            }
            let following = runs.get_mut(number).map(entry).transpose()?.flatten();
            next.extend(following.map(|(key, thing)| Reverse((key, number, thing))));
        }
        Ok(())
    }

    /// Sorts what there is and puts it into the file.
    fn put_down(&mut self) -> io::Result<()> {
        self.part.sort_by(|a, b| a.0.cmp(&b.0));
        let file = match &self.file {
            Some(file) => file,
            None => self.file.insert(Arc::new(tempfile::tempfile()?)),
        };
        let at = self.runs.last().map_or(0, |run| run.end);
        let (mut out, mut end) = (BufWriter::new(&**file), at);
        for field in self.part.drain(..).flat_map(|(key, thing)| [key, thing]) {
            out.write_all(&(field.len() as u64).to_be_bytes())?;
            out.write_all(&field)?;
            end += 8 + field.len() as u64;
        }
        out.flush()?;
        drop(out);
        self.bytes = 0;
        self.runs.push(Run { file: Arc::clone(file), at, end });
        Ok(())
    }
}

/// The next entry of a part: key and thing.
fn entry(run: &mut BufReader<Run>) -> io::Result<Option<(Vec<u8>, Vec<u8>)>> {
    if run.fill_buf()?.is_empty() {
        return Ok(None);
    }
    let mut field = || {
        let mut length = [0; 8];
        run.read_exact(&mut length)?;
        let mut bytes = Vec::new();
        run.by_ref().take(u64::from_be_bytes(length)).read_to_end(&mut bytes)?;
        Ok::<_, io::Error>(bytes)
    };
    Ok(Some((field()?, field()?)))
}

impl Read for Run {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.end - self.at).unwrap_or(usize::MAX).min(into.len());
        let read = self.file.read_at(&mut into[..most], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(count: u32, length: usize) -> Vec<(u32, String)> {
        let mut sorter = Sorter::default();
        for n in 0..count {
            // All over the place, and each key twice.
            let key = (n / 2).wrapping_mul(0x9E37_79B9);
            sorter.add(&format!("{key:010}"), &(n, "x".repeat(length))).unwrap();
        }
        let mut all = Vec::new();
        let mut take = |thing: (u32, String)| {
            all.push(thing);
            true
        };
        sorter.hand_out(&mut take).unwrap();
        all
    }

    #[test]
    fn things_come_out_in_the_order_of_their_keys_whether_they_fit_or_not() {
        // The second is many parts long.
        for (count, length) in [(0, 0), (1_001, 3), (10_001, 2_000)] {
            let all = sorted(count, length);
            let mut expected: Vec<u32> = (0..count).collect();
            expected.sort_by_key(|n| ((n / 2).wrapping_mul(0x9E37_79B9), *n));
            assert_eq!(all.iter().map(|(n, _)| *n).collect::<Vec<_>>(), expected);
            assert!(all.iter().all(|(_, text)| text.len() == length));
        }
    }

    #[test]
    fn whoever_takes_may_have_had_enough() {
        for (count, length) in [(1_000, 3), (10_000, 2_000)] {
            let mut sorter = Sorter::default();
            (0..count).for_each(|n: u32| sorter.add("key", &(n, "x".repeat(length))).unwrap());
            let mut taken = 0;
            let mut take = |(n, _): (u32, String)| {
                assert_eq!(n, taken, "those of one key come as they came");
                taken += 1;
                taken < 7
            };
            sorter.hand_out(&mut take).unwrap();
            assert_eq!(taken, 7);
        }
    }
}
