//! What is made when a mail goes, and put into its words: links, whose hashes alone the store gets (SECURITY: AUTH-09).

use super::mailbox::Waiting;
use super::{Letter, MailQueue};
use crate::auth::addresses;
use crate::domain::{User, UserName};
use crate::store::StoreError;

/// What is in a mail beside what it tells.
pub enum Enclosed {
    /// The link with which a member confirms an address.
    AddressLink(String),
    /// That another account has the address which a member wants.
    AddressTaken,
    /// Nothing.
    Nothing,
    /// A link to a new password for each of these accounts.
    Resets(Vec<ResetLink>),
}

/// A link to a new password for one account.
pub struct ResetLink {
    /// The account's name.
    pub name: UserName,
    /// The link, which is a secret.
    pub url: String,
}

impl MailQueue {
    /// What goes into this mail; none if there is no need for it any more.
    pub(super) async fn enclosed_in(
        &self,
        mail: &Waiting,
        member: &User,
        own_pages: &str,
    ) -> Result<Option<Enclosed>, StoreError> {
        let (store, clock) = (self.store.as_ref(), self.clock.as_ref());
        Ok(match mail.letter {
            Letter::Address => match addresses::make(store, clock, member, &mail.to).await? {
                None => None,
                // Made all the same, so that what waits looks the same to whoever asked.
                Some(_) if addresses::is_anothers(store, &member.profile, &mail.to)? => {
                    Some(Enclosed::AddressTaken)
                }
                Some(token) => Some(Enclosed::AddressLink(format!(
                    "{own_pages}/account/email/confirm?token={}",
                    *token.to_text()
                ))),
            },
            Letter::Notice(_) => Some(Enclosed::Nothing),
            Letter::Reset => {
                let links = self.links_for(&mail.to, own_pages).await?;
                (!links.is_empty()).then_some(Enclosed::Resets(links))
            }
        })
    }
}
