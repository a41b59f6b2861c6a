//! Accounts and sessions, a few together in one of sled's entries.
//!
//! sled keeps a few hundred bytes in memory for each sixteen of its entries at most. So a member's lie in the bundle of their id's
//! first 18 bits: a version byte, 1, and keys and records one after another in the order of the keys, as postcard writes bytes. Of a
//! hundred thousand members most are alone in theirs; of a million about four share one.
//!
//! Readers and the writer go by keys as if each entry lay alone. One may: a bundle is written anew with each change in it, so once
//! it is [`FULL`] it takes accounts only, and up to format 3 all entries lay alone. An entry is never in both places.

use std::collections::BTreeMap;
use std::ops::Bound;

use sled::IVec;

use super::records::Kind;

const VERSION: u8 = 1;
/// In bytes.
const FULL: usize = 4 << 10;

/// Key and record.
type Entry = (IVec, IVec);
type Entries = BTreeMap<Vec<u8>, IVec>;

/// The record below a key.
pub(super) fn get(db: &sled::Db, key: &[u8]) -> Result<Option<IVec>, String> {
    let read = |key: &[u8]| db.get(key).map_err(|error| error.to_string());
    let Some(place) = place(key) else { return read(key) };
    if let Some(bundle) = read(&place)? {
        for entry in unpacked(&bundle) {
            let (found, record) = entry?;
            if found == key {
                return Ok(Some(IVec::from(record)));
            }
        }
    }
    read(key)
}

/// The entries whose keys begin so and come `after`, in order.
pub(super) fn entries<'d>(
    db: &'d sled::Db,
    prefix: &[u8],
    after: Bound<Vec<u8>>,
) -> impl Iterator<Item = Result<Entry, String>> + use<'d> {
    let prefix = prefix.to_vec();
    let first = match &after {
        Bound::Included(key) | Bound::Excluded(key) => place(key),
        Bound::Unbounded => None,
    };
    let all = first.unwrap_or([Kind::Bundle as u8, 0, 0, 0])..=[Kind::Bundle as u8, 0xff, 0xff, 0xff];
    let one = place(&prefix).map(|place| place..=place);
    let within = is_bundled(&prefix).then(|| one.unwrap_or(all));
    let bundles = within.into_iter().flat_map(|within| db.range(within));
    let alone =
        db.range((after.clone(), Bound::Unbounded)).map(|entry| entry.map_err(|error| error.to_string()));
    let prefix_alone = prefix.clone();
    let alone = alone.take_while(move |entry| match entry {
        Ok((key, _)) => key.starts_with(&prefix_alone),
        Err(_) => true,
    });
    let bundled = bundles.flat_map(move |bundle| match bundle {
        Ok((_, bundle)) => of_bundle(&bundle, &prefix, &after),
        Err(error) => vec![Err(error.to_string())],
    });
    let (mut alone, mut bundled) = (alone.peekable(), bundled.peekable());
    std::iter::from_fn(move || {
        let is_alone = match (alone.peek(), bundled.peek()) {
            (Some(Ok((alone, _))), Some(Ok((bundled, _)))) => alone < bundled,
            (Some(Err(_)), _) | (_, None) => true,
            _ => false,
        };
        if is_alone { alone.next() } else { bundled.next() }
    })
}

/// What sled is to write, so that these are written.
pub(super) fn batch<'w>(
    db: &sled::Db,
    writes: impl Iterator<Item = (&'w Vec<u8>, &'w Option<IVec>)>,
) -> Result<sled::Batch, String> {
    let (mut batch, mut bundles) = (sled::Batch::default(), BTreeMap::new());
    for (key, record) in writes {
        let mut record = record.clone();
        if let Some(place) = place(key) {
            let bundle = match bundles.remove(&place) {
                Some(bundle) => bundle,
                None => Bundle::read(db, place)?,
            };
            record = bundles.entry(place).or_insert(bundle).put(key, record);
            // Most lie in no other place.
            if record.is_none() && !db.contains_key(key).map_err(|error| error.to_string())? {
                continue;
            }
        }
        match record {
            Some(record) => batch.insert(key.as_slice(), record),
            None => batch.remove(key.as_slice()),
        }
    }
    for (place, bundle) in bundles.into_iter().filter(|(_, bundle)| bundle.is_changed) {
        if bundle.entries.is_empty() {
            batch.remove(&place);
        } else {
            batch.insert(&place, packed(&bundle.entries)?);
        }
    }
    Ok(batch)
}

/// A bundle at work.
struct Bundle {
    entries: Entries,
    is_changed: bool,
}

impl Bundle {
    fn read(db: &sled::Db, place: [u8; 4]) -> Result<Self, String> {
        let bundle = db.get(place).map_err(|error| error.to_string())?.unwrap_or_default();
        Ok(Self { entries: all_of(&bundle)?, is_changed: false })
    }

    /// Takes an entry in or, without a record, out; gives back the record that is to lie alone.
    fn put(&mut self, key: &[u8], record: Option<IVec>) -> Option<IVec> {
        self.is_changed |= self.entries.remove(key).is_some();
        let record = record?;
        let bytes: usize = self.entries.iter().map(|(key, record)| key.len() + record.len()).sum();
        if !Kind::User.is_of(key) && bytes + key.len() + record.len() > FULL {
            return Some(record);
        }
        self.entries.insert(key.to_vec(), record);
        self.is_changed = true;
        None
    }
}

/// A bundle of these.
pub(super) fn packed(entries: &Entries) -> Result<Vec<u8>, String> {
    entries.iter().try_fold(vec![VERSION], |bundle, (key, record)| {
        postcard::to_extend(&(key.as_slice(), &record[..]), bundle).map_err(|error| error.to_string())
    })
}

/// All that is in a bundle.
pub(super) fn all_of(bundle: &[u8]) -> Result<Entries, String> {
    unpacked(bundle).map(|entry| entry.map(|(key, record)| (key.to_vec(), record.into()))).collect()
}

/// Whether entries of this kind lie in bundles.
fn is_bundled(key: &[u8]) -> bool {
    Kind::Session.is_of(key) || Kind::User.is_of(key)
}

/// The key of the bundle in which an entry lies; none if it always lies alone, or too little is known of its key.
fn place(key: &[u8]) -> Option<[u8; 4]> {
    let [_, a, b, c, ..] = *key else { return None };
    is_bundled(key).then_some([Kind::Bundle as u8, a, b, c & 0b1100_0000])
}

/// The key below which sled has an entry, unless it lies alone.
pub(super) fn key_for_sled(key: &[u8]) -> Vec<u8> {
    place(key).map_or_else(|| key.to_vec(), Vec::from)
}

/// Keys and records in a bundle; one of no bytes has none.
fn unpacked(bundle: &[u8]) -> impl Iterator<Item = Result<(&[u8], &[u8]), String>> {
    let (mut rest, mut is_known) = match bundle.split_first() {
        Some((version, rest)) => (rest, *version == VERSION),
        None => (bundle, true),
    };
    std::iter::from_fn(move || {
        if !std::mem::replace(&mut is_known, true) {
            rest = &[];
            return Some(Err("a bundle is of another version".to_owned()));
        }
        if rest.is_empty() {
            return None;
        }
        let entry = postcard::take_from_bytes(std::mem::take(&mut rest));
        Some(entry.map_err(|error| format!("a bundle: {error}")).map(|(entry, left)| {
            rest = left;
            entry
        }))
    })
}

/// Those of a bundle whose keys begin so and come `after`.
fn of_bundle(bundle: &[u8], prefix: &[u8], after: &Bound<Vec<u8>>) -> Vec<Result<Entry, String>> {
    let is_meant = |key: &[u8]| {
        key.starts_with(prefix)
            && match after {
                Bound::Included(first) => key >= first.as_slice(),
                Bound::Excluded(last) => key > last.as_slice(),
                Bound::Unbounded => true,
            }
    };
    let meant = unpacked(bundle).filter(|entry| entry.as_ref().map_or(true, |(key, _)| is_meant(key)));
    meant.map(|entry| entry.map(|(key, record)| (key.into(), record.into()))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::store::sled::table::Writes;

    /// Few keys, whose bundles are few, too, and records of which some fill one.
    fn write() -> impl Strategy<Value = (Vec<u8>, Option<IVec>)> {
        let kind = prop::sample::select(vec![Kind::Count, Kind::PasskeyOf, Kind::Session, Kind::User]);
        let key = (kind, prop::sample::select(vec![0, 0x20, 0x40, 0xff]), 0..3_u8);
        let key = key.prop_map(|(kind, low, last)| kind.key(&[7, last / 2, low, last]));
        (
            key,
            prop::option::of((0..4_000_usize, any::<u8>()).prop_map(|(size, byte)| vec![byte; size].into())),
        )
    }

    fn found(db: &sled::Db, prefix: &[u8], after: Bound<Vec<u8>>) -> Entries {
        let found: Vec<_> = entries(db, prefix, after).map(Result::unwrap).collect();
        assert!(found.is_sorted_by(|(a, _), (b, _)| a < b), "each once, in order");
        found.into_iter().map(|(key, record)| (key.to_vec(), record)).collect()
    }

    proptest! {
        #[test]
        fn whatever_was_written_is_found_as_if_each_lay_alone(groups in vec(vec(write(), 1..8), 1..12)) {
            let db = sled::Config::new().temporary(true).open().unwrap();
            let mut expected = Entries::new();
            for group in groups {
                let group: Writes = group.into_iter().collect();
                db.apply_batch(batch(&db, group.iter()).unwrap()).unwrap();
                for (key, record) in group {
                    match record {
                        Some(record) => drop(expected.insert(key, record)),
                        None => drop(expected.remove(&key)),
                    }
                }
            }
            for kind in [Kind::Count, Kind::PasskeyOf, Kind::Session, Kind::User] {
                let of_kind = |key: &[u8]| kind.is_of(key);
                let prefix = kind.key(&[]);
                let all: Entries = expected.clone().into_iter().filter(|(key, _)| of_kind(key)).collect();
                prop_assert_eq!(found(&db, &prefix, Bound::Included(prefix.clone())), all.clone());
                for key in all.keys() {
                    let later: Entries = all.range::<Vec<u8>, _>((Bound::Excluded(key), Bound::Unbounded))
                        .map(|(key, record)| (key.clone(), record.clone())).collect();
                    prop_assert_eq!(found(&db, &prefix, Bound::Excluded(key.clone())), later);
                    let of_member: Entries = all.range(key[..4].to_vec()..)
                        .take_while(|(other, _)| other.starts_with(&key[..4]))
                        .map(|(key, record)| (key.clone(), record.clone())).collect();
                    prop_assert_eq!(found(&db, &key[..4], Bound::Included(key[..4].to_vec())), of_member);
                }
            }
            for (key, record) in &expected {
                prop_assert_eq!(get(&db, key), Ok(Some(record.clone())));
            }
            prop_assert_eq!(get(&db, &Kind::User.key(&[7, 9, 9, 9])), Ok(None));
            let alone = |key: &[u8]| Kind::User.is_of(key) && db.contains_key(key).unwrap();
            prop_assert!(expected.keys().all(|key| !alone(key)), "an account never lies alone");
        }
    }

    #[test]
    fn sto_07_a_bundle_that_was_cut_or_is_of_another_version_is_refused() {
        let whole =
            packed(&Entries::from([(vec![1; 17], vec![2; 40].into()), (vec![3; 17], vec![4; 9].into())]))
                .unwrap();
        assert_eq!(all_of(&whole).unwrap().len(), 2);
        for end in 2..whole.len() {
            let cut = all_of(&whole[..end]);
            assert!(cut.is_err() || end == 1 + 17 + 40 + 2, "{end}: {cut:?}");
        }
        let newer = [&[2], &whole[1..]].concat();
        assert_eq!(all_of(&newer).unwrap_err(), "a bundle is of another version");
    }
}
