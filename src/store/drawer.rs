//! Drawers: what belongs to an account, or to the site, and is found by nothing but its owner and a key.
//!
//! A use case that keeps such things declares their shape beside itself and implements [`Kept`] for it; the adapters need
//! not know it. They lie in the store as its other records do: written with the rest of a batch or not at all, gone with
//! their account, in backups if the drawer is.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::record::{decode, encode};
use super::{Change, Store, StoreError, Verdict};
use crate::domain::UserId;

/// What a record is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Drawer {
    /// Which e-mail address a member has confirmed.
    Address,
    /// That an account waits for an operator.
    Applicant,
    /// Passwords for programs that can't show a page.
    AppPassword,
    /// What happened to an account, for its member to read.
    Event,
    /// Invitations to make an account.
    Invitation,
    /// Mails that are to be sent.
    Mail,
    /// What is asked beside a password.
    SecondFactor,
    /// That a password is shorter than one that is enough alone.
    ShortPassword,
    /// Devices on which that is not asked for a while.
    TrustedDevice,
}

impl Drawer {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Address,
        Self::Applicant,
        Self::AppPassword,
        Self::Event,
        Self::Invitation,
        Self::Mail,
        Self::SecondFactor,
        Self::ShortPassword,
        Self::TrustedDevice,
    ];

    /// Whether what lies in it is in backups. What lets somebody in and can be ended is not: it would be back.
    pub fn is_in_backups(self) -> bool {
        match self {
            Self::Address | Self::Applicant | Self::Event | Self::SecondFactor | Self::ShortPassword => true,
            Self::AppPassword | Self::Invitation | Self::Mail | Self::TrustedDevice => false,
        }
    }

    /// How it is told apart from the others on the disk.
    pub(super) fn letter(self) -> u8 {
        match self {
            Self::Address => b'v',
            Self::Applicant => b'w',
            Self::AppPassword => b'a',
            Self::Event => b'e',
            Self::Invitation => b'i',
            Self::Mail => b'm',
            Self::SecondFactor => b's',
            Self::ShortPassword => b'p',
            Self::TrustedDevice => b't',
        }
    }
}

/// Whose a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// This account's; without it there is no record.
    Member(UserId),
    /// Nobody's.
    Site,
}

/// Something that lies in a drawer. Its fields are what is on the disk: a new one needs `#[serde(default)]`, and unknown ones are
/// to be refused (`deny_unknown_fields`), so that an older version loses none.
pub trait Kept: Serialize + DeserializeOwned {
    /// Where.
    const DRAWER: Drawer;
}

/// A key and the bytes below it.
pub type Entry = (Vec<u8>, Vec<u8>);

/// How to change a record: nothing stands for one that is not there, before and after.
pub type RecordRevision = Box<dyn FnOnce(&mut Option<Vec<u8>>) -> Result<Verdict, StoreError> + Send>;

impl dyn Store {
    /// What lies below this key.
    ///
    /// # Errors
    /// [`StoreError::NotUnderstood`] if it is not what was put there.
    pub fn kept<T: Kept>(&self, owner: Owner, key: &[u8]) -> Result<Option<T>, StoreError> {
        self.record(T::DRAWER, owner, key)?.map(|bytes| understood(&bytes)).transpose()
    }

    /// All that an owner has in this drawer, with its keys, in their order.
    ///
    /// # Errors
    /// As [`Self::kept`].
    pub fn all_kept<T: Kept>(&self, owner: Owner) -> Result<Vec<(Vec<u8>, T)>, StoreError> {
        let records = self.records(T::DRAWER, owner)?;
        records.into_iter().map(|(key, bytes)| Ok((key, understood(&bytes)?))).collect()
    }

    /// Visits all that lies in this drawer, until told to stop; as with accounts, changes made meanwhile may or may not be
    /// seen.
    ///
    /// # Errors
    /// As [`Self::kept`], after the visits before.
    pub fn each_kept<T: Kept>(
        &self,
        mut visit: impl FnMut(Owner, Vec<u8>, T) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let mut wrong = Ok(());
        self.each_record(T::DRAWER, &mut |owner, key, bytes| match understood(&bytes) {
            Ok(kept) => visit(owner, key, kept),
            Err(error) => {
                wrong = Err(error);
                ControlFlow::Break(())
            }
        })?;
        wrong
    }
}

impl Change {
    /// Puts something into its drawer, in place of what was there. Fails with [`StoreError::NoSuchUser`] if the owner is
    /// gone.
    pub fn keep<T: Kept>(owner: Owner, key: Vec<u8>, kept: &T) -> Self {
        let bytes = encode(kept);
        Self::revise::<T>(owner, key, move |record| {
            *record = Some(bytes);
            Ok(Verdict::Keep)
        })
    }

    /// Takes something out of its drawer; no error if it is gone already.
    pub fn drop_kept<T: Kept>(owner: Owner, key: Vec<u8>) -> Self {
        Self::revise::<T>(owner, key, |record| {
            *record = None;
            Ok(Verdict::Keep)
        })
    }

    /// Takes out all that an owner has in a drawer.
    pub fn drop_all_kept<T: Kept>(owner: Owner) -> Self {
        Self::DropRecords(T::DRAWER, owner)
    }

    /// Changes something in a drawer as it is at that moment, like [`Change::ReviseUser`]; nothing stands for what is not
    /// there, before and after.
    pub fn revise_kept<T: Kept>(
        owner: Owner,
        key: Vec<u8>,
        revision: impl FnOnce(&mut Option<T>) -> Verdict + Send + 'static,
    ) -> Self {
        Self::revise::<T>(owner, key, |record| {
            let mut kept = record.as_deref().map(understood).transpose()?;
            let verdict = revision(&mut kept);
            *record = kept.as_ref().map(encode);
            Ok(verdict)
        })
    }

    fn revise<T: Kept>(
        owner: Owner,
        key: Vec<u8>,
        revision: impl FnOnce(&mut Option<Vec<u8>>) -> Result<Verdict, StoreError> + Send + 'static,
    ) -> Self {
        Self::ReviseRecord { drawer: T::DRAWER, owner, key, revision: Box::new(revision) }
    }
}

/// The record as `revision` leaves it.
pub(super) fn revised_record(
    before: Option<Vec<u8>>,
    revision: RecordRevision,
) -> Result<Option<Vec<u8>>, StoreError> {
    let mut record = before;
    match catch_unwind(AssertUnwindSafe(|| revision(&mut record))) {
        Ok(Ok(Verdict::Keep)) => Ok(record),
        Ok(Err(error)) => Err(error),
        Ok(Ok(Verdict::Abandon)) | Err(_) => Err(StoreError::Abandoned),
    }
}

fn understood<T: Kept>(bytes: &[u8]) -> Result<T, StoreError> {
    decode(bytes).map_err(|reason| StoreError::NotUnderstood(format!("{:?}: {reason}", T::DRAWER)))
}
