//! Joining: links with which somebody who has no account makes one and chooses its name. Operators hand such invitations out; where
//! anybody may join, the mail to whoever asks has one.
//!
//! SECURITY: AUTH-09, AUTH-15. An invitation is 256 random bits, kept as a hash, good for as many accounts and as long as the
//! operator said. It is taken in the same write that makes the account, so of two who come last one is refused. What it says
//! of the new member (groups, an address) was said by the operator: nobody who joins can say it of themselves, since the
//! application is told it. A name that was a deleted member's is not given out again, since the application may still
//! know it as theirs.
//!
//! Whoever comes by a link that was mailed on their own asking can read mail at its address, so that one is confirmed. Their
//! account may have to wait for an operator: see [`waiting`].

pub mod options;
pub mod waiting;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use self::options::Approval;
use self::waiting::Applicant;
use super::passwords::{About, Busy, WeakPassword};
use super::{Accounts, NewPassword, NewUser, addresses};
use crate::domain::{
    Clock, EmailKey, Group, InvalidName, MailAddress, Purpose, Secret, Timestamp, Token, TokenHash, User,
    UserName, UserState,
};
use crate::store::{Batch, Change, Drawer, Kept, Owner, Store, StoreError, Verdict};

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
    /// Who made it.
    #[serde(default, skip_serializing_if = "MadeBy::is_operator")]
    pub made_by: MadeBy,
}

/// Who made an invitation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MadeBy {
    /// Somebody asked for it at the page where one joins, and it was mailed to them.
    Asking,
    /// An operator.
    #[default]
    Operator,
}

impl MadeBy {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    const fn is_operator(&self) -> bool {
        matches!(self, Self::Operator)
    }
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
    /// This is the account. It waits for an operator if it is not active.
    Done(Box<User>),
    /// The invitation is used up, withdrawn or too old.
    Expired,
    /// Too many wait for an operator; the link is as good as before.
    Full,
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
    /// Whether an operator looks at who comes by asking.
    pub approval: Approval,
}

/// Where invitations are made and taken.
pub struct Invitations {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

impl Invitations {
    /// More that operators made can't be open at once.
    pub const MOST: usize = 10_000;
    /// Of those that were asked for no more are open; then the oldest gives way.
    const MOST_ASKED: usize = 10_000;
    /// How long one that was asked for is good. It opens nothing that is there yet, so it may be longer than the ten minutes of links
    /// that do (AUTH-09): people read their mail later.
    pub const ASKED_LIFETIME: Duration = Duration::from_secs(24 * 3_600);

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
        if open.iter().filter(|(_, open)| open.made_by == MadeBy::Operator).count() >= Self::MOST {
            return Ok(None);
        }
        let token = InvitationToken::generate();
        let (expires, made_by) = (now.after(lifetime), MadeBy::Operator);
        let made = Invitation { created: now, expires, left: accounts, groups, email, made_by };
        let mut batch: Vec<_> = over.into_iter().map(|(hash, _)| dropped(hash)).collect();
        batch.push(Change::keep(Owner::Site, token.hash().0.to_vec(), &made));
        self.store.apply(batch).await?;
        Ok(Some((token, made)))
    }

    /// Makes the one that is mailed to an address on asking; an earlier one of that address stops working.
    pub(super) async fn make_asked(&self, to: &MailAddress) -> Result<InvitationToken, StoreError> {
        let (now, key) = (self.clock.now(), EmailKey::parse(to.as_str()));
        let mut asked = self.all()?;
        asked.retain(|(_, invitation)| invitation.made_by == MadeBy::Asking);
        asked.sort_by_key(|(_, invitation)| invitation.created);
        let surplus = (asked.len() + 1).saturating_sub(Self::MOST_ASKED);
        let is_over = |at: usize, invitation: &Invitation| {
            let is_same = invitation.email.as_deref().and_then(EmailKey::parse) == key;
            at < surplus || !invitation.is_open(now) || is_same
        };
        let mut batch = Batch::new();
        for (at, (hash, invitation)) in asked.into_iter().enumerate() {
            batch.extend(is_over(at, &invitation).then(|| dropped(hash)));
        }
        let token = InvitationToken::generate();
        let made = Invitation {
            created: now,
            expires: now.after(Self::ASKED_LIFETIME),
            left: 1,
            groups: Vec::new(),
            email: Some(to.to_string()),
            made_by: MadeBy::Asking,
        };
        batch.push(Change::keep(Owner::Site, token.hash().0.to_vec(), &made));
        self.store.apply(batch).await?;
        Ok(token)
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
        let Invitation { groups, email, made_by, .. } = invitation;
        let mut user = accounts.made(NewUser { name, full_name: None, email, groups });
        let after = match made_by {
            MadeBy::Asking => self.beside(&mut user, site.approval)?,
            MadeBy::Operator => Ok(Batch::new()),
        };
        let after = match after {
            Ok(after) => after,
            Err(joined) => return Ok(joined),
        };
        if let Some(password) = password {
            let (about, min_chars) = (About::of(&user.profile, site.name), accounts.min_password_chars());
            match accounts.accept(NewPassword { text: password, about, min_chars }).await {
                // Never a short one: nothing else is asked of somebody who is new.
                Ok(Ok(accepted)) => user.password = Some(accepted.phc),
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
        match accounts.add_with(user.clone(), vec![taking], after).await {
            Ok(()) => Ok(Joined::Done(Box::new(user))),
            Err(StoreError::Abandoned) => Ok(Joined::Expired),
            Err(StoreError::NameTaken) => Ok(Joined::NameTaken),
            Err(error) => Err(error),
        }
    }

    /// What is kept beside the account of who was not invited: that the address is theirs, and that an operator is to look at
    /// them. Or why there is to be none.
    fn beside(&self, user: &mut User, approval: Approval) -> Result<Result<Batch, Joined>, StoreError> {
        let (id, now, store) = (user.profile.id, self.clock.now(), self.store.as_ref());
        let (Some(address), Some(key)) = (user.profile.email.clone(), user.profile.email_key()) else {
            return Ok(Err(Joined::Expired));
        };
        // It may have become another member's meanwhile.
        if !store.users_by_email(&key)?.is_empty() {
            return Ok(Err(Joined::Expired));
        }
        let mut after = vec![addresses::confirmed(id, address, now)];
        if approval == Approval::Needed {
            if waiting::all(store)?.len() >= waiting::MOST {
                return Ok(Err(Joined::Full));
            }
            user.state = UserState::Disabled;
            after.push(Applicant::at(now).kept(id));
        }
        Ok(Ok(after))
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
