//! What is done when somebody says that they have forgotten their password, and when a member names an address that they want.
//!
//! SECURITY: AUTH-14. Whoever has forgotten a password leaves what they typed and gets their answer; whether it is anybody's is looked
//! at within the next second, by the task that sends mails. So no work that depends on it can be felt in an answer. What was
//! left lies in memory: of a process that is killed in that second, they ask again.

use std::net::IpAddr;

use super::queue::MailQueue;
use super::{AddressChange, Letter, Mailbox, ResetLink};
use crate::auth::identifier::{Identified, identify};
use crate::auth::recovery;
use crate::domain::{EmailKey, MailAddress, Secret, User, UserId, UserName, UserState};
use crate::store::{Batch, Change, Owner, StoreError, Verdict};

/// Somebody who says that they have forgotten their password.
#[derive(Debug)]
pub struct AskedReset {
    /// What they typed: a name, an address, or by mistake their password.
    pub typed: Secret<String>,
    /// The request's id, for the audit log.
    pub request_id: String,
    /// Where it came from.
    pub client: IpAddr,
}

impl MailQueue {
    /// So many may have asked and not been looked for yet.
    const MOST_ASKED: usize = 1_000;
    /// So many different spellings of one address get a mail each …
    const MOST_SPELLINGS: usize = 3;
    /// … which names so many accounts at most.
    const MOST_ACCOUNTS: usize = 10;

    /// Takes down that somebody has asked for a link to a new password. Whether there was room for it.
    pub fn ask_reset(&self, asked: AskedReset) -> bool {
        let mut state = self.lock();
        let has_room = state.asked.len() < Self::MOST_ASKED;
        if has_room {
            // The task is not woken: it looks when the answer has gone.
            state.asked.push_back(asked);
        }
        has_room
    }

    /// Hands in what those get who have asked.
    pub(super) async fn look_for_asked(&self) -> Result<(), StoreError> {
        loop {
            let Some(asked) = self.lock().asked.pop_front() else { return Ok(()) };
            if let Err(error) = self.hand_in_resets(&asked).await {
                self.lock().asked.push_front(asked);
                return Err(error);
            }
        }
    }

    async fn hand_in_resets(&self, asked: &AskedReset) -> Result<(), StoreError> {
        let AskedReset { typed, request_id, client } = asked;
        let member = match identify(self.store.as_ref(), typed.expose())? {
            Identified::One(user) => Some(user.profile.id),
            Identified::Nobody | Identified::Several => None,
        };
        let batch = self.resets(typed.expose())?;
        match self.store.apply(batch).await {
            Ok(()) | Err(StoreError::NoSuchUser) => {}
            Err(error) => return Err(error),
        }
        tracing::info!(target: "passgate::audit", event = "reset-asked-for",
            member = member.map(tracing::field::display), request_id, %client);
        Ok(())
    }

    /// Hands in a link to an address that this member wants to have, in place of one they wanted before, and `event` with it. Whether
    /// that was done: it is not if they have had enough of such mails within the hour. The same whosever the address is.
    pub async fn ask_address(
        &self,
        user: UserId,
        to: MailAddress,
        event: Change,
    ) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let mailbox = self.store.kept::<Mailbox>(Owner::Member(user), recovery::KEY)?;
        if !mailbox.unwrap_or_default().takes(&Letter::Address, now) {
            return Ok(false);
        }
        let mail = self.hand_in(user, Some(to.as_str()), Letter::Address);
        let want = recovery::revised(user, move |mailbox| {
            mailbox.get_or_insert_default().want(Some(AddressChange::new(to, now)));
            Verdict::Keep
        });
        let Some(mail) = mail else { return Ok(false) };
        self.store.apply(vec![want, mail, event]).await.map(|()| true)
    }

    /// Hands in a code for this member, who is signing in. Whether that was done: it is not if they have had enough of them.
    pub async fn send_code(&self, user: UserId, to: &MailAddress) -> Result<bool, StoreError> {
        let mailbox = self.store.kept::<Mailbox>(Owner::Member(user), recovery::KEY)?;
        if !mailbox.unwrap_or_default().takes(&Letter::Code, self.clock.now()) {
            return Ok(false);
        }
        let mail = self.hand_in(user, Some(to.as_str()), Letter::Code);
        let is_handed_in = mail.is_some();
        self.apply(mail).await.map(|()| is_handed_in)
    }

    fn resets(&self, typed: &str) -> Result<Batch, StoreError> {
        let named = match UserName::parse(typed) {
            Ok(name) => self.store.user_by_name(name.key())?,
            Err(_) => None,
        };
        let addressed = match EmailKey::parse(typed) {
            Some(key) => self.store.users_by_email(&key)?,
            None => Vec::new(),
        };
        let meant = named.map_or(addressed, |user| vec![user]);
        let mut addresses: Vec<MailAddress> = Vec::new();
        for address in meant.iter().filter_map(mailable) {
            if addresses.len() < Self::MOST_SPELLINGS
                && !addresses.iter().any(|known| is_same(known, &address))
            {
                addresses.push(address);
            }
        }
        let mut batch = Batch::new();
        for address in addresses {
            // Whoever of them is asked for, the mail is the same, and so is whose allowance it takes.
            if let Some(owner) = self.holders(&address)?.first() {
                batch.extend(self.hand_in(owner.profile.id, Some(address.as_str()), Letter::Reset));
            }
        }
        Ok(batch)
    }

    /// The accounts that have this address, always in the same order.
    ///
    /// SECURITY: the mail goes to the address as it is kept, not as it was typed, and names the accounts alone that have the very
    /// same but for the case of ASCII letters: what a comparison of names folds together may be two mailboxes.
    fn holders(&self, address: &MailAddress) -> Result<Vec<User>, StoreError> {
        let Some(key) = EmailKey::parse(address.as_str()) else { return Ok(Vec::new()) };
        let mut holders = self.store.users_by_email(&key)?;
        holders.retain(|user| mailable(user).is_some_and(|own| is_same(&own, address)));
        holders.sort_by_key(|user| user.profile.id);
        holders.truncate(Self::MOST_ACCOUNTS);
        Ok(holders)
    }

    /// A new link for each account with this address.
    pub(super) async fn links_for(
        &self,
        address: &MailAddress,
        own_pages: &str,
    ) -> Result<Vec<ResetLink>, StoreError> {
        let mut links = Vec::new();
        for user in self.holders(address)? {
            let token = recovery::make(self.store.as_ref(), self.clock.as_ref(), &user).await?;
            let url = format!("{own_pages}/setup?token={}", *token.to_text());
            links.push(ResetLink { name: user.profile.name, url });
        }
        Ok(links)
    }
}

fn mailable(user: &User) -> Option<MailAddress> {
    let email = user.profile.email.as_deref().filter(|_| user.state == UserState::Active)?;
    MailAddress::parse(email)
}

fn is_same(one: &MailAddress, other: &MailAddress) -> bool {
    one.as_str().eq_ignore_ascii_case(other.as_str())
}
