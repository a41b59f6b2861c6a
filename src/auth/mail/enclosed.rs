//! What is made when a mail goes, and put into its words: links, whose hashes alone the store gets (SECURITY: AUTH-09).

use super::mailbox::Waiting;
use super::{Letter, MailQueue};
use crate::auth::second_factors::mailed;
use crate::auth::{addresses, links};
use crate::domain::{LinkKind, Secret, User, UserName, UserState};
use crate::store::StoreError;

/// What is in a mail beside what it tells.
pub enum Enclosed {
    /// The names of the accounts that have the address already, and where one signs in.
    Accounts(Vec<String>, String),
    /// A code.
    Code(Secret<String>),
    /// That another account has the address which a member wants.
    AddressTaken,
    /// One link.
    Link(String),
    /// Nothing.
    Nothing,
    /// A link to a new password for each of these accounts.
    Resets(Vec<ResetLink>),
    /// Where one signs in.
    SignIn(String),
}

/// A link to a new password for one account.
pub struct ResetLink {
    /// The account's name.
    pub name: UserName,
    /// The link, which is a secret.
    pub url: String,
}

impl MailQueue {
    /// What goes into this mail; none if there is no need for it any more. `member` is none for somebody who has no account.
    pub(super) async fn enclosed_in(
        &self,
        mail: &Waiting,
        member: Option<&User>,
        own_pages: &str,
    ) -> Result<Option<Enclosed>, StoreError> {
        Ok(match (&mail.letter, member) {
            (Letter::Address, Some(member)) => self.confirming(mail, member, own_pages).await?,
            (Letter::Approved, Some(member)) => self.arriving(member, own_pages).await?,
            (Letter::Code, Some(member)) => {
                let (store, clock) = (self.store.as_ref(), self.clock.as_ref());
                mailed::make(store, clock, member, &mail.to).await?.map(Enclosed::Code)
            }
            (Letter::Address | Letter::Approved | Letter::Code, None) => None,
            (Letter::Join, _) => Some(self.way_in(&mail.to, own_pages).await?),
            (Letter::Applicant(_) | Letter::Notice(_) | Letter::Refused(_), _) => Some(Enclosed::Nothing),
            (Letter::Reset, _) => {
                let links = self.links_for(&mail.to, own_pages).await?;
                (!links.is_empty()).then_some(Enclosed::Resets(links))
            }
        })
    }

    /// The link with which a member confirms that the mail's address is theirs.
    async fn confirming(
        &self,
        mail: &Waiting,
        member: &User,
        own_pages: &str,
    ) -> Result<Option<Enclosed>, StoreError> {
        let (store, clock) = (self.store.as_ref(), self.clock.as_ref());
        // Made in any case, so that what waits looks the same to whoever asked.
        let Some(token) = addresses::make(store, clock, member, &mail.to).await? else { return Ok(None) };
        if addresses::is_anothers(store, &member.profile, &mail.to)? {
            return Ok(Some(Enclosed::AddressTaken));
        }
        let link = format!("{own_pages}/account/email/confirm?token={}", *token.to_text());
        Ok(Some(Enclosed::Link(link)))
    }

    /// How a member gets in whose account an operator has let in: by signing in, or, if they have nothing to do that with yet, by a
    /// link to it.
    async fn arriving(&self, member: &User, own_pages: &str) -> Result<Option<Enclosed>, StoreError> {
        let user = member.profile.id;
        if member.state != UserState::Active {
            return Ok(None);
        }
        if member.password.is_some() || !self.store.passkeys_of(user)?.is_empty() {
            return Ok(Some(Enclosed::SignIn(format!("{own_pages}/login"))));
        }
        let token = links::make(self.store.as_ref(), self.clock.as_ref(), user, LinkKind::SetUp).await?;
        Ok(Some(Enclosed::Link(format!("{own_pages}/setup?token={}", *token.to_text()))))
    }
}
