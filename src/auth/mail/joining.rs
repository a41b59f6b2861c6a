//! Mails to people who want an account and have none yet, to those who are refused one, and to the operator who decides.
//!
//! SECURITY: AUTH-14. Whoever asks, one write is made, and the same one: whether the address has an account is looked at when the
//! mail goes. They lie by the address, three of a kind an hour, and so many addresses in an hour in all; an hour after the last mail
//! nothing is left of one.

use super::mailbox::Mailbox;
use super::queue::MailQueue;
use super::whose::Whose;
use super::{Enclosed, Letter};
use crate::auth::joining::Invitations;
use crate::domain::{EmailKey, MailAddress, Timestamp, UserName};
use crate::store::{Change, StoreError, Verdict};

impl MailQueue {
    /// Names so many of the accounts that have an address.
    const MOST_NAMED: usize = 10;

    /// Hands in a mail to an address at which somebody wants to join. Not if so many addresses as `most` have had one within the hour:
    /// whosever they were.
    pub async fn ask_to_join(&self, to: MailAddress, most: usize) -> Result<bool, StoreError> {
        if self.lock().newcomers.len() >= most {
            return Ok(false);
        }
        let Some(mail) = self.to_newcomer(to, Letter::Join) else { return Ok(false) };
        self.store.apply(vec![mail]).await.map(|()| true)
    }

    /// Hands in a mail that tells somebody that they don't get the account of this name.
    pub fn tell_refused(&self, address: Option<&str>, name: &UserName) -> Option<Change> {
        self.to_newcomer(MailAddress::parse(address?)?, Letter::Refused(name.to_string()))
    }

    /// Hands in a mail that tells an operator that the account of this name waits. Of more than three within an hour the first three are
    /// told of.
    pub fn tell_of_applicant(&self, operator: &MailAddress, name: &UserName) -> Option<Change> {
        self.to_newcomer(operator.clone(), Letter::Applicant(name.to_string()))
    }

    fn to_newcomer(&self, to: MailAddress, letter: Letter) -> Option<Change> {
        let whose = Whose::Newcomer(EmailKey::parse(to.as_str())?);
        self.hand_in_for(whose, to, letter)
    }

    /// The link to a new account; for an address that has one, their names instead.
    pub(super) async fn way_in(&self, to: &MailAddress, own_pages: &str) -> Result<Enclosed, StoreError> {
        let holders = EmailKey::parse(to.as_str()).map(|key| self.store.users_by_email(&key)).transpose()?;
        let mut names: Vec<_> =
            holders.into_iter().flatten().map(|user| user.profile.name.to_string()).collect();
        if !names.is_empty() {
            names.sort();
            names.truncate(Self::MOST_NAMED);
            return Ok(Enclosed::Accounts(names, format!("{own_pages}/login")));
        }
        let invitations = Invitations::new(self.store.clone(), self.clock.clone());
        let token = invitations.make_asked(to).await?;
        Ok(Enclosed::Link(format!("{own_pages}/join?token={}", *token.to_text())))
    }

    /// Takes away what is left of addresses that no mail went to for an hour.
    pub(super) async fn forget_newcomers(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let is_old = |asked: &Timestamp| now < *asked || now.since(*asked) >= Mailbox::WHILE;
        let old: Vec<_> = {
            let state = self.lock();
            state.newcomers.iter().filter(|(_, asked)| is_old(asked)).map(|(key, _)| key.clone()).collect()
        };
        for address in old {
            let whose = Whose::Newcomer(address.clone());
            let (owner, key) = whose.place();
            let change = Change::revise_kept::<Mailbox>(owner, key, move |mailbox| {
                if mailbox.as_mut().is_some_and(|mailbox| mailbox.is_empty(now)) {
                    *mailbox = None;
                }
                Verdict::Keep
            });
            self.store.apply(vec![change]).await?;
            let mut state = self.lock();
            // One that waits for long is looked at again; one that was asked for meanwhile is no longer old.
            if state.waiting.values().any(|entry| entry.owner == whose) {
                state.newcomers.insert(address, now);
            } else if state.newcomers.get(&address).is_some_and(is_old) {
                state.newcomers.remove(&address);
            }
        }
        Ok(())
    }
}
