//! Members' e-mail addresses: whether one is known to be theirs, and how they take another.
//!
//! **The rule** (SECURITY: AUTH-05, AUTH-09, AUTH-14). A member who has just proven who they are names an address, and a link is
//! mailed there. Whoever opens it in a session of that very account can read mail there: only then is it the account's, and
//! confirmed. The link's token is 256 random bits, kept as a hash, made when the mail goes, good once and for an hour; what
//! waits goes with each change of the account's credentials. An address that another account has is not taken, and its
//! mailbox alone is told so.
//!
//! What was confirmed is kept beside the account with the address it was: one that comes from elsewhere, an import or an
//! operator, is not confirmed by it.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::events::{Seen, What};
use super::mail::{AddressChange, Mailbox};
use super::{Accounts, LiveSession, recovery};
use crate::domain::{
    Clock, EmailKey, MailAddress, Profile, Purpose, Timestamp, Token, User, UserId, UserState,
};
use crate::store::{Batch, Change, Drawer, Kept, Owner, Store, StoreError, Verdict};

/// How long an address waits to be confirmed. The link opens nothing by itself, so it may be longer than the ten minutes of those
/// that do (AUTH-09).
pub(super) const LIFETIME: Duration = Duration::from_secs(3_600);

/// The label of [`AddressToken`].
#[derive(Debug)]
pub enum AddressPurpose {}
impl Purpose for AddressPurpose {
    const LABEL: &'static [u8] = b"passgate e-mail address";
}
/// What the link to a new address carries.
pub type AddressToken = Token<AddressPurpose>;

/// An address that was confirmed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Confirmed {
    /// As the account has it.
    address: String,
    at: Timestamp,
}

impl Kept for Confirmed {
    const DRAWER: Drawer = Drawer::Address;
}

/// A member has one.
const KEY: &[u8] = b"";

/// How a member stands to their address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressStanding {
    /// When they confirmed that it is theirs; none if they never did.
    pub confirmed: Option<Timestamp>,
    /// The one they want to have, and until when they may confirm it.
    pub waiting: Option<(MailAddress, Timestamp)>,
}

/// How confirming an address ended.
#[derive(Debug, PartialEq, Eq)]
pub enum AddressOutcome {
    /// It is the account's. It was before, too, if that was none that is new.
    Done(Arc<Profile>),
    /// The link is used up, replaced, too old, or another account's.
    Expired,
    /// Another account has the address by now.
    Taken,
}

/// When this member confirmed the address they have; none if they did not.
pub(super) fn confirmed_at(
    store: &(dyn Store + 'static),
    profile: &Profile,
) -> Result<Option<Timestamp>, StoreError> {
    let kept = store.kept::<Confirmed>(Owner::Member(profile.id), KEY)?;
    let own = kept.filter(|confirmed| Some(&confirmed.address) == profile.email.as_ref());
    Ok(own.map(|confirmed| confirmed.at))
}

/// The change that keeps that this address was confirmed. Its account has to be there.
pub(super) fn confirmed(user: UserId, address: String, at: Timestamp) -> Change {
    Change::keep(Owner::Member(user), KEY.to_vec(), &Confirmed { address, at })
}

/// Whether another account has this address. Who has it already keeps it, even if others do, too.
pub(super) fn is_anothers(
    store: &dyn Store,
    profile: &Profile,
    address: &MailAddress,
) -> Result<bool, StoreError> {
    let Some(key) = EmailKey::parse(address.as_str()) else { return Ok(true) };
    if profile.email_key().as_ref() == Some(&key) {
        return Ok(false);
    }
    Ok(store.users_by_email(&key)?.iter().any(|user| user.profile.id != profile.id))
}

/// Makes the token of the link to this address; an earlier one stops working. None if the member wants it no longer.
pub(super) async fn make(
    store: &dyn Store,
    clock: &dyn Clock,
    user: &User,
    to: &MailAddress,
) -> Result<Option<AddressToken>, StoreError> {
    let (token, now, to) = (AddressToken::generate(), clock.now(), to.clone());
    let hash = token.hash();
    let change = recovery::revised(user.profile.id, move |mailbox| {
        let wanted =
            mailbox.as_mut().and_then(|mailbox| mailbox.wanted(now)).filter(|wanted| wanted.to == to);
        let Some(wanted) = wanted else { return Verdict::Abandon };
        wanted.link = Some(hash);
        Verdict::Keep
    });
    match store.apply(vec![change]).await {
        Ok(()) => Ok(Some(token)),
        Err(StoreError::Abandoned | StoreError::NoSuchUser) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Accounts {
    /// How a member stands to their address.
    pub fn address_of(&self, profile: &Profile) -> Result<AddressStanding, StoreError> {
        let mut mailbox = self.store.kept::<Mailbox>(Owner::Member(profile.id), recovery::KEY)?;
        let waiting = mailbox.as_mut().and_then(|mailbox| mailbox.wanted(self.clock.now()));
        Ok(AddressStanding {
            confirmed: confirmed_at(self.store.as_ref(), profile)?,
            waiting: waiting.map(|wanted| (wanted.to.clone(), wanted.until)),
        })
    }

    /// Forgets the address that a member wants to have. Whether there was one.
    pub async fn cancel_address(&self, user: UserId) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let change = recovery::revised(user, move |mailbox| {
            let Some(mailbox) = mailbox else { return Verdict::Abandon };
            if mailbox.wanted(now).is_none() {
                return Verdict::Abandon;
            }
            mailbox.want(None);
            Verdict::Keep
        });
        match self.store.apply(vec![change]).await {
            Ok(()) => Ok(true),
            Err(StoreError::Abandoned | StoreError::NoSuchUser) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The address that a link of this session's account is open for.
    pub fn open_address(
        &self,
        user: UserId,
        token: &AddressToken,
    ) -> Result<Option<MailAddress>, StoreError> {
        let mut mailbox = self.store.kept::<Mailbox>(Owner::Member(user), recovery::KEY)?;
        let wanted = mailbox.as_mut().and_then(|mailbox| mailbox.wanted(self.clock.now()));
        Ok(wanted.filter(|wanted| wanted.opens(token)).map(|wanted| wanted.to.clone()))
    }

    /// Takes the address for which the link is open, and `with` in the same breath; links that were mailed to the one before stop
    /// working. Of two at the same moment one is refused.
    pub async fn take_address(
        &self,
        session: &LiveSession,
        token: &AddressToken,
        seen: Seen<'_>,
        with: Batch,
    ) -> Result<AddressOutcome, StoreError> {
        let (id, now, hash) = (session.user(), self.clock.now(), token.hash());
        let (Some(to), Some(user)) = (self.open_address(id, token)?, self.store.user(id)?) else {
            return Ok(AddressOutcome::Expired);
        };
        if is_anothers(self.store.as_ref(), &user.profile, &to)? {
            return Ok(AddressOutcome::Taken);
        }
        let address = to.as_str().to_owned();
        let is_new = user.profile.email.as_ref() != Some(&address);
        let taking = recovery::revised(id, move |mailbox| {
            let wanted = mailbox.as_mut().and_then(|mailbox| mailbox.wanted(now));
            if wanted.is_none_or(|wanted| wanted.link != Some(hash)) {
                return Verdict::Abandon;
            }
            mailbox.iter_mut().for_each(Mailbox::close);
            Verdict::Keep
        });
        let (new, before) = (address.clone(), user.profile.email.clone());
        let revision = move |user: &mut User| {
            if user.state != UserState::Active || user.profile.email != before {
                return Verdict::Abandon;
            }
            user.profile.email = Some(new);
            Verdict::Keep
        };
        let what = if is_new { What::AddressChanged } else { What::AddressConfirmed };
        let mut batch = vec![
            taking,
            Change::ReviseUser(id, Box::new(revision)),
            confirmed(id, address.clone(), now),
            self.happened(what).seen(seen).kept(id),
        ];
        batch.extend(with);
        match self.store.apply(batch).await {
            Ok(()) => {}
            Err(StoreError::Abandoned | StoreError::NoSuchUser) => return Ok(AddressOutcome::Expired),
            Err(error) => return Err(error),
        }
        let profile = Arc::new(Profile { email: Some(address), ..user.profile });
        self.sessions.refresh(&profile);
        Ok(AddressOutcome::Done(profile))
    }
}

impl AddressChange {
    /// One to this address, until its time is over.
    pub(super) fn new(to: MailAddress, now: Timestamp) -> Self {
        Self { to, until: now.after(LIFETIME), link: None }
    }

    fn opens(&self, token: &AddressToken) -> bool {
        self.link == Some(token.hash())
    }
}
