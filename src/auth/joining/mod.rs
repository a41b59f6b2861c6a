//! Invitations: links with which somebody who has no account makes one and chooses its name.
//!
//! SECURITY: AUTH-09, AUTH-15. An invitation is 256 random bits, kept as a hash, good for as many accounts and as long as the
//! operator said. It is taken in the same write that makes the account, so of two who come last one is refused. What it says
//! of the new member (groups, an address) was said by the operator: nobody who joins can say it of themselves, since the
//! application is told it. A name that was a deleted member's is not given out again, since the application may still
//! know it as theirs.

pub mod options;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::passwords::{About, Busy, WeakPassword};
use super::{Accounts, NewUser};
use crate::domain::{
    Clock, EmailKey, Group, InvalidName, Purpose, Secret, Timestamp, Token, TokenHash, User, UserName,
};
use crate::store::{Change, Drawer, Kept, Owner, Store, StoreError, Verdict};

/// The label of [`InvitationToken`].
#[derive(Debug)]
pub enum InvitationPurpose {}
impl Purpose for InvitationPurpose {
    const LABEL: &'static [u8] = b"passgate invitation";
}
/// What the link of an invitation carries.
pub type InvitationToken = Token<InvitationPurpose>;

/// An invitation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invitation {
    /// When it was made.
    pub created: Timestamp,
    /// Until when it is good.
    pub expires: Timestamp,
    /// For how many accounts it still is.
    pub left: u32,
    /// The groups of who joins with it.
    pub groups: Vec<Group>,
    /// The address of who joins with it.
    pub email: Option<String>,
}

impl Kept for Invitation {
    const DRAWER: Drawer = Drawer::Invitation;
}

impl Invitation {
    fn is_open(&self, now: Timestamp) -> bool {
        self.left > 0 && now < self.expires
    }
}

/// How joining ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Joined {
    /// Too much hashing going on; the invitation is as good as before.
    Busy,
    /// This is the account.
    Done(Box<User>),
    /// The invitation is used up, withdrawn or too old.
    Expired,
    /// No name can be like this.
    InvalidName(InvalidName),
    /// The name is somebody's, was somebody's, or nobody may have it.
    NameTaken,
    /// The password is not accepted.
    Weak(WeakPassword),
}

/// The site that somebody joins.
#[derive(Clone, Copy, Debug)]
pub struct JoiningSite<'s> {
    /// What it calls itself; no password is to be made of that.
    pub name: &'s str,
    /// Keys of names that nobody may choose.
    pub reserved_names: &'s [String],
}

/// Where invitations are made and taken.
pub struct Invitations {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

impl Invitations {
    /// More can't be open at once.
    pub const MOST: usize = 10_000;

    /// Wires the use case.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    /// Makes an invitation for so many accounts; those that are over are forgotten. None if too many are open.
    pub async fn make(
        &self,
        groups: Vec<Group>,
        email: Option<String>,
        accounts: u32,
        lifetime: Duration,
    ) -> Result<Option<(InvitationToken, Invitation)>, StoreError> {
        let (now, all) = (self.clock.now(), self.all()?);
        let (open, over): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|(_, invitation)| invitation.is_open(now));
        if open.len() >= Self::MOST {
            return Ok(None);
        }
        let token = InvitationToken::generate();
        let made = Invitation { created: now, expires: now.after(lifetime), left: accounts, groups, email };
        let mut batch: Vec<_> = over.into_iter().map(|(hash, _)| dropped(hash)).collect();
        batch.push(Change::keep(Owner::Site, token.hash().0.to_vec(), &made));
        self.store.apply(batch).await?;
        Ok(Some((token, made)))
    }

    /// All that are kept, those that are over too.
    pub fn all(&self) -> Result<Vec<(TokenHash, Invitation)>, StoreError> {
        let mut all = Vec::new();
        self.store.each_kept(|_, key, invitation: Invitation| {
            all.extend(key.try_into().ok().map(|hash| (TokenHash(hash), invitation)));
            ControlFlow::Continue(())
        })?;
        Ok(all)
    }

    /// Withdraws the invitation of this hash; no error if it is gone.
    pub async fn withdraw(&self, hash: TokenHash) -> Result<(), StoreError> {
        self.store.apply(vec![dropped(hash)]).await
    }

    /// What a link is good for; none if for nothing.
    pub fn open(&self, token: &InvitationToken) -> Result<Option<Invitation>, StoreError> {
        let kept = self.store.kept::<Invitation>(Owner::Site, &token.hash().0)?;
        Ok(kept.filter(|invitation| invitation.is_open(self.clock.now())))
    }

    /// Makes an account of this name. `password` is none where nobody signs in with one.
    pub async fn join(
        &self,
        accounts: &Accounts,
        token: &InvitationToken,
        name: &str,
        password: Option<Secret<String>>,
        site: JoiningSite<'_>,
    ) -> Result<Joined, StoreError> {
        let Some(invitation) = self.open(token)? else { return Ok(Joined::Expired) };
        let name = match UserName::parse(name) {
            Ok(name) => name,
            Err(why) => return Ok(Joined::InvalidName(why)),
        };
        if self.is_taken(accounts, &name, site.reserved_names)? {
            return Ok(Joined::NameTaken);
        }
        let Invitation { groups, email, .. } = invitation;
        let mut user = accounts.made(NewUser { name, full_name: None, email, groups });
        if let Some(password) = password {
            match accounts.accept(password, About::of(&user.profile, site.name)).await {
                Ok(Ok(hash)) => user.password = Some(hash),
                Ok(Err(weak)) => return Ok(Joined::Weak(weak)),
                Err(Busy) => return Ok(Joined::Busy),
            }
        }
        let (key, now) = (token.hash().0.to_vec(), self.clock.now());
        let taking = Change::revise_kept(Owner::Site, key, move |kept: &mut Option<Invitation>| {
            let Some(open) = kept.as_mut().filter(|invitation| invitation.is_open(now)) else {
                return Verdict::Abandon;
            };
            open.left -= 1;
            if open.left == 0 {
                *kept = None;
            }
            Verdict::Keep
        });
        match accounts.add_with(user.clone(), vec![taking]).await {
            Ok(()) => Ok(Joined::Done(Box::new(user))),
            Err(StoreError::Abandoned) => Ok(Joined::Expired),
            Err(StoreError::NameTaken) => Ok(Joined::NameTaken),
            Err(error) => Err(error),
        }
    }

    /// What looks like an address would be taken for one where people sign in.
    fn is_taken(
        &self,
        accounts: &Accounts,
        name: &UserName,
        reserved_names: &[String],
    ) -> Result<bool, StoreError> {
        let is_reserved = reserved_names.iter().any(|reserved| reserved == name.key());
        let is_address = EmailKey::parse(name.as_str()).is_some();
        Ok(is_reserved || is_address || accounts.was_deleted(name)? || accounts.find(name)?.is_some())
    }
}

fn dropped(hash: TokenHash) -> Change {
    Change::drop_kept::<Invitation>(Owner::Site, hash.0.to_vec())
}

#[cfg(test)]
mod tests;
