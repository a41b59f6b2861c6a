//! The members as the way of a request needs them, in memory: who somebody is by id, and whose a name or an address is.
//!
//! It is made of the accounts' records when the store is opened, and follows each write, so it can say nothing else than they do.
//! A member takes about a hundred bytes more than their name and address.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;
use serde::{Deserialize, Serialize};

use super::packed::Coded;
use crate::domain::{EmailKey, Group, PasskeyFor, Profile, User, UserId, UserName, UserState};
use crate::store::Member;

/// All members.
#[derive(Default)]
pub(super) struct Directory {
    /// An [`Entry`] each, packed. A member's place stays theirs; an empty one is free.
    places: Vec<Box<[u8]>>,
    free: Vec<u32>,
    by_id: Index,
    by_name: Index,
    by_email: Index,
    hasher: RandomState,
}

#[derive(Serialize, Deserialize)]
struct Entry<'e> {
    keys: Keys<'e>,
    /// Left out where it is its key; so is the address.
    name: Option<&'e str>,
    email: Option<&'e str>,
    full_name: Option<&'e str>,
    #[serde(borrow)]
    groups: Vec<&'e str>,
    state_and_choice: u8,
}

/// By what a member is found.
#[derive(Serialize, Deserialize)]
struct Keys<'e> {
    id: [u8; 16],
    name: &'e str,
    /// Empty where there is none.
    email: &'e str,
}

impl Directory {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    /// Who has this id.
    pub(super) fn member(&self, id: UserId) -> Result<Option<Member>, String> {
        let place = self.place_of(id);
        place.map(|place| unpacked(at(&self.places, place)).and_then(|entry| entry.member())).transpose()
    }

    /// Whose name has this key.
    pub(super) fn named(&self, key: &str) -> Option<UserId> {
        let place = self.by_name.find(self.hasher.hash_one(key), |place| self.keys(place).name == key)?;
        Some(UserId(self.keys(place).id))
    }

    /// Who has this address, in no particular order.
    pub(super) fn with_email(&self, key: &EmailKey) -> Vec<UserId> {
        let places = self.by_email.all(self.hasher.hash_one(key.as_str()));
        let keys = places.map(|place| self.keys(place));
        keys.filter(|keys| keys.email == key.as_str()).map(|keys| UserId(keys.id)).collect()
    }

    /// The name keys in `count` places from this one on, and whose they are; nothing after the last place.
    pub(super) fn names(&self, from: usize, count: usize) -> Option<Vec<(Box<str>, UserId)>> {
        let places = self.places.get(from..).filter(|places| !places.is_empty())?;
        let taken = places.iter().take(count).filter(|place| !place.is_empty());
        Some(taken.map(|place| keys(place)).map(|keys| (keys.name.into(), UserId(keys.id))).collect())
    }

    /// Takes a member in, or as they are now.
    ///
    /// # Errors
    /// If another has that name.
    pub(super) fn put(&mut self, user: &User) -> Result<(), String> {
        let id = user.profile.id;
        let known = self.place_of(id);
        known.into_iter().for_each(|place| self.unlist_at(place));
        if self.named(user.profile.name.key()).is_some() {
            return Err(format!("two accounts are called {:?}", user.profile.name.as_str()));
        }
        let place = known.map_or_else(|| self.new_place(id), Ok)?;
        let email = user.profile.email_key();
        let email = email.as_ref().map_or("", EmailKey::as_str);
        if let Some(entry) = self.places.get_mut(place as usize) {
            *entry = packed(user, email)?;
        }
        let Self { places, by_name, by_email, hasher, .. } = self;
        by_name.add(hasher.hash_one(user.profile.name.key()), place, |place| {
            hasher.hash_one(keys(at(places, place)).name)
        });
        if !email.is_empty() {
            by_email
                .add(hasher.hash_one(email), place, |place| hasher.hash_one(keys(at(places, place)).email));
        }
        Ok(())
    }

    /// Lets go of a member's name and address, before a batch in which another may get them.
    pub(super) fn unlist(&mut self, id: UserId) {
        self.place_of(id).into_iter().for_each(|place| self.unlist_at(place));
    }

    fn unlist_at(&mut self, place: u32) {
        let Self { places, by_name, by_email, hasher, .. } = self;
        let Keys { name, email, .. } = keys(at(places, place));
        by_name.remove(hasher.hash_one(name), place);
        by_email.remove(hasher.hash_one(email), place);
    }

    /// Forgets a member.
    pub(super) fn remove(&mut self, id: UserId) {
        self.unlist(id);
        if let Some(place) = self.place_of(id) {
            self.by_id.remove(self.hasher.hash_one(id.0), place);
            if let Some(entry) = self.places.get_mut(place as usize) {
                *entry = Box::default();
                self.free.push(place);
            }
        }
    }

    fn place_of(&self, id: UserId) -> Option<u32> {
        self.by_id.find(self.hasher.hash_one(id.0), |place| id_at(&self.places, place) == id.0)
    }

    fn new_place(&mut self, id: UserId) -> Result<u32, String> {
        let Self { places, free, by_id, hasher, .. } = self;
        let place = match free.pop() {
            Some(place) => place,
            None => {
                // It doubles: room that is not touched yet takes no memory, but each move leaves a hole that does.
                places.push(Box::default());
                u32::try_from(places.len() - 1).map_err(|_| "there are too many accounts".to_owned())?
            }
        };
        by_id.add(hasher.hash_one(id.0), place, |place| hasher.hash_one(id_at(places, place)));
        Ok(place)
    }

    fn keys(&self, place: u32) -> Keys<'_> {
        keys(at(&self.places, place))
    }
}

fn at(places: &[Box<[u8]>], place: u32) -> &[u8] {
    places.get(place as usize).map_or(&[], |entry| entry)
}

/// An entry begins with it. Read so, since this is asked a few times for each member at the start.
fn id_at(places: &[Box<[u8]>], place: u32) -> [u8; 16] {
    at(places, place).first_chunk().copied().unwrap_or_default()
}

/// Of an empty place they are nobody's.
fn keys(entry: &[u8]) -> Keys<'_> {
    postcard::take_from_bytes(entry).map_or(Keys { id: [0; 16], name: "", email: "" }, |(keys, _)| keys)
}

fn packed(user: &User, email_key: &str) -> Result<Box<[u8]>, String> {
    let Profile { id, name, full_name, email, groups } = &user.profile;
    let entry = Entry {
        keys: Keys { id: id.0, name: name.key(), email: email_key },
        name: Some(name.as_str()).filter(|text| *text != name.key()),
        email: email.as_deref().filter(|text| email_key.is_empty() || *text != email_key),
        full_name: full_name.as_deref(),
        groups: groups.iter().map(Group::as_str).collect(),
        state_and_choice: user.state.code() | user.passkey_for.code() << 4,
    };
    let packed = postcard::to_allocvec(&entry).map_err(|error| error.to_string())?;
    // A copy, since what is merely shortened may keep all its room.
    Ok(Box::from(packed.as_slice()))
}

fn unpacked(entry: &[u8]) -> Result<Entry<'_>, String> {
    postcard::from_bytes(entry).map_err(|error| error.to_string())
}

impl Entry<'_> {
    fn member(&self) -> Result<Member, String> {
        let groups = self.groups.iter().map(|group| Group::parse(group));
        let email = self.email.or_else(|| Some(self.keys.email).filter(|key| !key.is_empty()));
        let display = self.name.unwrap_or(self.keys.name);
        Ok(Member {
            profile: Profile {
                id: UserId(self.keys.id),
                name: UserName::kept(display.to_owned(), self.name.map(|_| self.keys.name.to_owned())),
                full_name: self.full_name.map(str::to_owned),
                email: email.map(str::to_owned),
                groups: groups.collect::<Result<_, _>>().map_err(|error| error.to_string())?,
            },
            state: UserState::meant(self.state_and_choice & 0xf)?,
            passkey_for: PasskeyFor::meant(self.state_and_choice >> 4)?,
        })
    }
}

/// Places by the hash of a key. In parts, so that none is long at work when it grows.
#[derive(Default)]
struct Index([HashTable<u32>; 32]);

impl Index {
    /// By bits that the tables themselves don't go by.
    fn part(hash: u64) -> usize {
        (hash >> 40) as usize % 32
    }

    fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        self.0.get(Self::part(hash))?.find(hash, |place| is_it(*place)).copied()
    }

    /// Those of this hash, and perhaps others.
    fn all(&self, hash: u64) -> impl Iterator<Item = u32> {
        self.0.get(Self::part(hash)).into_iter().flat_map(move |part| part.iter_hash(hash).copied())
    }

    fn add(&mut self, hash: u64, place: u32, again: impl Fn(u32) -> u64) {
        if let Some(part) = self.0.get_mut(Self::part(hash)) {
            part.insert_unique(hash, place, |place| again(*place));
        }
    }

    fn remove(&mut self, hash: u64, place: u32) {
        let part = self.0.get_mut(Self::part(hash));
        if let Some(Ok(found)) = part.map(|part| part.find_entry(hash, |other| *other == place)) {
            found.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::contract::{id, user};

    fn numbered(n: u32, name: &str) -> User {
        let mut user = user(0, name);
        user.profile.id.0[..4].copy_from_slice(&n.to_be_bytes());
        user.profile.email = Some(format!("{}@forum.example", name.to_uppercase()));
        user
    }

    #[test]
    fn very_many_are_found_and_let_go_of() {
        let mut directory = Directory::default();
        for n in 0..3_000 {
            directory.put(&numbered(n, &format!("m{n}"))).unwrap();
        }
        for n in (0..3_000).filter(|n| n % 3 == 0) {
            directory.remove(numbered(n, "x").profile.id);
        }
        for n in 3_000..3_500 {
            directory.put(&numbered(n, &format!("m{n}"))).unwrap();
        }
        assert_eq!(directory.places.len(), 3_000, "places are used again");
        for n in 0..3_500 {
            let (expected, is_there) = (numbered(n, &format!("m{n}")), n % 3 != 0 || n >= 3_000);
            let id = expected.profile.id;
            assert_eq!(directory.named(&format!("m{n}")), is_there.then_some(id));
            let email = expected.profile.email_key().unwrap();
            assert_eq!(directory.with_email(&email), Vec::from_iter(is_there.then_some(id)));
            assert_eq!(directory.member(id), Ok(is_there.then(|| Member::from(expected))));
        }
        let names: Vec<_> =
            (0..).step_by(700).map_while(|from| directory.names(from, 700)).flatten().collect();
        assert_eq!(names.len(), 2_500);
    }

    #[test]
    fn a_name_is_ones_alone_and_an_address_may_be_shared() {
        let mut directory = Directory::default();
        let shared = |n, name| {
            let mut user = user(n, name);
            user.profile.email = Some("both@forum.example".to_owned());
            user
        };
        directory.put(&shared(1, "Alice")).unwrap();
        assert_eq!(directory.put(&shared(2, "ALICE")).unwrap_err(), "two accounts are called \"ALICE\"");
        directory.put(&shared(2, "bob")).unwrap();
        let mut both = directory.with_email(&EmailKey::parse("BOTH@forum.example").unwrap());
        both.sort_unstable();
        assert_eq!(both, [id(1), id(2)]);
    }
}
