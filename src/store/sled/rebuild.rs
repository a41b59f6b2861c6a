//! Making a store of a copy's lines. First the records are written as the lines say, in their order, then the lists that lead
//! to them are made of what is there in the end, and it is seen whether all fits together.
//!
//! It is a store like any other only when [`Rebuild::finish`] is done; it is made in a folder of its own, so one that was
//! broken off is no store that anybody could take for one.

use std::ops::Bound;
use std::path::Path;

use sled::IVec;

use super::export::{Line, Said, exported_drawer};
use super::files::{Barrier, Folder, unreadable};
use super::packed::encode_user;
use super::records::{Kind, credential_after, in_drawer, passkey_of_key, trailing};
use super::table::{Table, Writes};
use super::values::{
    decode_forum_password, decode_passkey, decode_user_of_json, encode_forum_password, encode_passkey,
};
use crate::domain::{User, UserId};
use crate::store::record::{decode, encode};
use crate::store::{Owner, StoreError};

/// A store that is being made of a copy.
pub struct Rebuild {
    // In the order in which they must go, as in a store.
    table: Table,
    barrier: Barrier,
    folder: Folder,
    waiting: Writes,
    group: u64,
}

/// How much there is in a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Accounts.
    pub accounts: u64,
    /// Passkeys.
    pub passkeys: u64,
    /// Sealed passwords for the forum.
    pub forum_passwords: u64,
}

impl Rebuild {
    /// So much is written in one go.
    const GROUP: usize = 2_000;

    /// Begins a store in the folder `path`, which must be empty or not there.
    pub fn begin(path: &Path, cache_bytes: u64) -> Result<Self, StoreError> {
        let folder = Folder::open(path)?;
        let table = Table::open(path, cache_bytes)?;
        if !table.db()?.is_empty() {
            return Err(unreadable(path, "it is no empty store"));
        }
        folder.check_written(0)?;
        folder.secure().map_err(|error| unreadable(path, error))?;
        let barrier = folder.barrier().map_err(|error| unreadable(path, error))?;
        Ok(Self { table, barrier, folder, waiting: Writes::new(), group: 0 })
    }

    /// Takes the next line of a copy.
    ///
    /// # Errors
    /// What is wrong with the line, or with the disk.
    pub fn take(&mut self, line: &str) -> Result<(), String> {
        let Said { kind, key, record } = Line::parse(line)?;
        let record = record.map(|record| canonical(kind, &key, &record)).transpose()?;
        self.waiting.insert(key, record.map(IVec::from));
        if self.waiting.len() >= Self::GROUP {
            self.write().map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Writes entries as sled has them in another store, its lists' entries too.
    pub(super) fn take_entries(&mut self, entries: Vec<(Vec<u8>, IVec)>) -> Result<(), StoreError> {
        self.group += 1;
        self.table.write_as_they_lie(entries, self.group)
    }

    /// Makes the lists, and brings everything to the disk.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where two accounts have one name, or something belongs to an account that is not there.
    pub fn finish(mut self) -> Result<Contents, StoreError> {
        self.write()?;
        let mut accounts = 0;
        self.table.list_members(&mut |_| accounts += 1)?;
        let passkeys = self.each(Kind::Passkey, Self::list_passkey)?;
        let forum_passwords = self.each(Kind::ForumPassword, |rebuild, key, _| {
            rebuild.table.sound(trailing(key).map(UserId)).and_then(|user| rebuild.needs(user))
        })?;
        self.each(Kind::Drawer, |rebuild, key, _| match rebuild.table.sound(in_drawer(key))? {
            (Owner::Member(user), _) => rebuild.needs(user),
            (Owner::Site, _) => Ok(()),
        })?;
        self.seal()?;
        Ok(Contents { accounts, passkeys, forum_passwords })
    }

    /// Brings everything to the disk.
    pub(super) fn seal(&mut self) -> Result<(), StoreError> {
        self.write()?;
        self.barrier.pass(self.group).map_err(|error| StoreError::Failed(error.to_string()))?;
        self.folder.secure().map_err(|error| StoreError::Failed(error.to_string()))
    }

    fn list_passkey(&mut self, key: &[u8], record: &[u8]) -> Result<(), StoreError> {
        let id = self.table.sound(credential_after(&Kind::Passkey.key(&[]), key))?;
        let passkey = self.table.sound(decode_passkey(id, record))?;
        self.waiting.insert(passkey_of_key(passkey.user, &passkey.id), Some(IVec::default()));
        self.needs(passkey.user)
    }

    fn needs(&self, user: UserId) -> Result<(), StoreError> {
        if self.table.read(|db| self.table.get(db, &Kind::User.key(&user.0)))?.is_some() {
            return Ok(());
        }
        self.table.sound(Err(format!("something belongs to account {user}, which is not there")))
    }

    /// Visits all entries of a kind, and writes what comes of each page; how many there are.
    fn each(
        &mut self,
        kind: Kind,
        visit: impl Fn(&mut Self, &[u8], &[u8]) -> Result<(), StoreError>,
    ) -> Result<u64, StoreError> {
        let (mut after, mut count) = (Bound::Included(kind.key(&[])), 0);
        loop {
            let copied = |_: &sled::Db, key: &[u8], record: &[u8]| Ok((key.to_vec(), record.to_vec()));
            let (page, last) = self.table.read(|db| self.table.page(db, kind, after, copied))?;
            count += page.len() as u64;
            page.iter().try_for_each(|(key, record)| visit(self, key, record))?;
            self.write()?;
            let Some(last) = last else { return Ok(count) };
            after = Bound::Excluded(last.to_vec());
        }
    }

    fn write(&mut self) -> Result<(), StoreError> {
        self.group += 1;
        let writes = std::mem::take(&mut self.waiting);
        self.table.write(writes, self.group)
    }
}

/// The record as this version writes it, without what must not come back.
fn canonical(kind: Kind, key: &[u8], record: &[u8]) -> Result<Vec<u8>, String> {
    let length = key.len() - 1;
    let fits = match kind {
        Kind::Passkey => length > 0,
        Kind::Deleted => length == 32,
        // A letter and an owner.
        Kind::Drawer => length >= 17,
        _ => length == 16,
    };
    if !fits {
        return Err(format!("its key has {length} bytes"));
    }
    match kind {
        Kind::User => {
            let user = decode_user_of_json(UserId(trailing(key)?), record)?;
            Ok(encode_user(&User { setup: None, ..user }))
        }
        Kind::Passkey => {
            Ok(encode_passkey(&decode_passkey(credential_after(&Kind::Passkey.key(&[]), key)?, record)?))
        }
        Kind::ForumPassword => {
            Ok(encode_forum_password(&decode_forum_password(UserId(trailing(key)?), record)?))
        }
        Kind::Drawer if exported_drawer(key).is_none() => {
            Err("it lies in a drawer that this version does not have; use a newer passgate".to_owned())
        }
        Kind::Drawer => Ok(encode(&decode::<serde_json::Value>(record)?)),
        _ if record.is_empty() => Ok(Vec::new()),
        _ => Err("it has a record where none belongs".to_owned()),
    }
}
