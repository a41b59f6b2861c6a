//! Links that are mailed to members who have forgotten their password. Beside [`links`](super::links), which operators hand over:
//! neither replaces the other, so no stranger who asks for a mail undoes what an operator gave.
//!
//! **The rule** (SECURITY: AUTH-09, AUTH-10). Whoever holds such a link can read the account's mail, and has shown nothing else: it
//! sets a password, once, within ten minutes, and signs nobody in. What is asked beside the password at signing in is asked
//! after it as before. An account has one such link at a time, and none that outlives a change of its credentials or
//! its being disabled. The token is made when the mail is handed to the mail server, and its hash alone is kept.

use std::time::Duration;

use zeroize::Zeroizing;

use super::events::{Seen, What};
use super::links::SetupOutcome;
use super::mail::Mailbox;
use super::passwords::Busy;
use super::second_factors::mailed;
use super::{Accounts, MailedPurpose, NewPassword};
use crate::domain::{Clock, Timestamp, Token, TokenHash, User, UserId, UserState};
use crate::store::{Batch, Change, Owner, Store, StoreError, Verdict};

/// Below this key is a member's [`Mailbox`].
pub(super) const KEY: &[u8] = b"";

/// How long such a link works (AUTH-09).
pub(super) const LIFETIME: Duration = Duration::from_secs(10 * 60);

/// What a mailed link carries: whose it is, and the secret.
#[derive(Debug)]
pub struct MailedToken {
    user: UserId,
    secret: Token<MailedPurpose>,
}

impl MailedToken {
    /// Reads the text form; none if it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.split_at_checked(32)?;
        let is_hex = id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let id = u128::from_str_radix(id, 16).ok().filter(|_| is_hex)?;
        Some(Self { user: UserId(id.to_be_bytes()), secret: Token::parse(secret)? })
    }

    /// The text form, for the member's eyes only.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{}{}", self.user, *self.secret.to_text()))
    }
}

/// Makes a link's token; an earlier one of the account stops working. None if the account is disabled.
pub(super) async fn make(
    store: &dyn Store,
    clock: &dyn Clock,
    user: &User,
) -> Result<MailedToken, StoreError> {
    let token = MailedToken { user: user.profile.id, secret: Token::generate() };
    let (hash, expires) = (token.secret.hash(), clock.now().after(LIFETIME));
    let change = revised(token.user, move |mailbox| {
        mailbox.get_or_insert_default().open(hash, expires);
        Verdict::Keep
    });
    store.apply(vec![change]).await?;
    Ok(token)
}

/// Part of each change of credentials: no link outlives it.
pub(super) fn forgotten(user: UserId) -> Change {
    revised(user, |mailbox| {
        mailbox.iter_mut().for_each(Mailbox::close);
        Verdict::Keep
    })
}

/// A change of a member's [`Mailbox`].
pub(super) fn revised(
    user: UserId,
    revision: impl FnOnce(&mut Option<Mailbox>) -> Verdict + Send + 'static,
) -> Change {
    Change::revise_kept::<Mailbox>(Owner::Member(user), KEY.to_vec(), revision)
}

impl Accounts {
    /// The account for which a mailed link is open.
    pub fn open_mailed(&self, token: &MailedToken) -> Result<Option<User>, StoreError> {
        let mailbox = self.store.kept::<Mailbox>(Owner::Member(token.user), KEY)?;
        if !is_open(mailbox.as_ref(), &token.secret.hash(), self.clock.now()) {
            return Ok(None);
        }
        Ok(self.store.user(token.user)?.filter(|user| user.state == UserState::Active))
    }

    /// Sets a password through a mailed link, and `with` in the same breath; all sessions end. The link works once; of two at the
    /// same moment one is refused.
    pub async fn redeem_mailed(
        &self,
        token: &MailedToken,
        password: NewPassword,
        seen: Seen<'_>,
        with: Batch,
    ) -> Result<SetupOutcome, StoreError> {
        if self.open_mailed(token)?.is_none() {
            return Ok(SetupOutcome::Expired);
        }
        let accepted = match self.accept(password).await {
            Err(Busy) => return Ok(SetupOutcome::Busy),
            Ok(Err(weak)) => return Ok(SetupOutcome::Weak(weak)),
            Ok(Ok(accepted)) => accepted,
        };
        let short = accepted.noted(token.user);
        let (hash, now) = (token.secret.hash(), self.clock.now());
        let mut batch = vec![revised(token.user, move |mailbox| {
            if !is_open(mailbox.as_ref(), &hash, now) {
                return Verdict::Abandon;
            }
            mailbox.iter_mut().for_each(Mailbox::close);
            Verdict::Keep
        })];
        batch.push(Change::ReviseUser(
            token.user,
            Box::new(move |user| {
                if user.state != UserState::Active {
                    return Verdict::Abandon;
                }
                user.password = Some(accepted.phc);
                user.setup = None;
                Verdict::Keep
            }),
        ));
        batch.push(short);
        batch.push(mailed::barred(token.user));
        batch.push(self.happened(What::PasswordSet).seen(seen).kept(token.user));
        batch.extend(with);
        match self.sessions.end_access(token.user, None, batch).await {
            Ok(_) => Ok(SetupOutcome::Done(crate::domain::LinkKind::SetUp)),
            Err(StoreError::Abandoned | StoreError::NoSuchUser) => Ok(SetupOutcome::Expired),
            Err(error) => Err(error),
        }
    }
}

fn is_open(mailbox: Option<&Mailbox>, hash: &TokenHash, now: Timestamp) -> bool {
    mailbox.is_some_and(|mailbox| mailbox.opens(hash, now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auth_09_a_mailed_token_reads_back_only_in_its_one_spelling() {
        let token = MailedToken { user: UserId([0xab; 16]), secret: Token::generate() };
        let text = token.to_text();
        assert_eq!(text.len(), 75);
        let again = MailedToken::parse(&text).unwrap();
        assert_eq!((again.user, again.secret.hash()), (token.user, token.secret.hash()));
        for bad in ["", "a", &text[1..], &text[..74], &text.to_uppercase(), &format!("{}é", &text[..73])] {
            assert!(MailedToken::parse(bad).is_none(), "{bad}");
        }
        assert!(MailedToken::parse(&format!("+{}", &text[1..])).is_none());
    }
}
