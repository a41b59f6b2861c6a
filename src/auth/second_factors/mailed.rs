//! Codes that are mailed: for members who have no app, where the operator allows it.
//!
//! **The rule** (SECURITY: AUTH-09, AUTH-10). Such a code shows that whoever signs in reads the account's mail, and it goes to an
//! address alone that its member has confirmed. So it is worth nothing beside a password that was set through the same
//! mailbox: from a reset by mail on no mailed code counts, until the member has shown something else: a recovery code, a link that an
//! operator handed over, a passkey with which they set a password. Nor is it enough where the site asks for a second factor
//! ([`SecondFactorFor`](crate::policy::SecondFactorFor)).
//!
//! A code is eight digits, made when the mail goes, kept as a hash, good once, for ten minutes and five tries, each of which is
//! written down before the code is looked at; and each takes a [`Reserved`](crate::auth::throttle::Reserved), too.

use std::time::Duration;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::record::{self, Enrolled, Mailed};
use super::recovery::RecoveryCodes;
use super::{FactorsMet, SecondFactors, Shown};
use crate::auth::mail::{Mailbox, OpenCode};
use crate::auth::{LiveSession, addresses, links, recovery as resets};
use crate::domain::{Beside, Clock, MailAddress, Secret, Timestamp, TokenHash, User, UserId, random};
use crate::store::{Change, Owner, Store, StoreError, Verdict};

const DIGITS: usize = 8;
const TRIES: u8 = 5;

/// How a member gets the code that is asked of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodeWay {
    /// An app shows it.
    App,
    /// It is mailed there.
    Mail(MailAddress),
    /// It would be mailed, but would show nothing: a recovery code has to do.
    NotByMail(NotByMail),
}

/// Why a mailed code shows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotByMail {
    /// The password was set with a link that went to the same mailbox.
    PasswordIsFromThere,
    /// The address is not one that the member has confirmed.
    Unconfirmed,
}

/// How turning mailed codes on ended.
pub enum MailedSetUp {
    /// The member has a second factor already.
    AlreadyThere,
    /// Done; the recovery codes, which nobody sees again.
    Done(RecoveryCodes),
    /// There are no such codes here, or the member has confirmed no address.
    NotOffered,
    /// The sign-in is too old.
    StepUpFirst,
}

/// Eight digits that somebody typed.
pub(super) struct MailedCode(Secret<String>);

impl MailedCode {
    /// Reads what was typed, once blanks and hyphens are taken out; none if it can't be a code.
    pub(super) fn read(text: &str) -> Option<Self> {
        let is_one = text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
        is_one.then(|| Self(Secret::new(text.to_owned())))
    }

    fn hash(&self, user: UserId) -> TokenHash {
        let mut hasher = Sha256::new();
        [b"passgate mailed code".as_slice(), &user.0, self.0.expose().as_bytes()]
            .into_iter()
            .for_each(|part| hasher.update(part));
        TokenHash(hasher.finalize().into())
    }
}

/// Makes a code for this address, in the place of the one before; in two groups, as it is mailed. None if it would show nothing.
pub(in crate::auth) async fn make(
    store: &(dyn Store + 'static),
    clock: &dyn Clock,
    user: &User,
    to: &MailAddress,
) -> Result<Option<Secret<String>>, StoreError> {
    let id = user.profile.id;
    let enrolled: Option<Enrolled> = store.kept(record::owner(id), record::key())?;
    let mailed = enrolled.and_then(|enrolled| enrolled.mailed);
    if mailed.is_none_or(|mailed| way(store, user, mailed) != Ok(CodeWay::Mail(to.clone()))) {
        return Ok(None);
    }
    let number = u64::from_be_bytes(random()) % 10_u64.pow(DIGITS as u32);
    let code = MailedCode(Secret::new(format!("{number:0DIGITS$}")));
    let open = OpenCode {
        hash: code.hash(id),
        expires: clock.now().after(SecondFactors::MAILED_LIFETIME),
        tries: TRIES,
    };
    let change = resets::revised(id, move |mailbox| {
        mailbox.get_or_insert_default().code = Some(open);
        Verdict::Keep
    });
    store.apply(vec![change]).await?;
    let (first, second) = code.0.expose().split_at(DIGITS / 2);
    Ok(Some(Secret::new(format!("{first} {second}"))))
}

/// Part of setting a password through a mailed link.
pub(in crate::auth) fn barred(user: UserId) -> Change {
    record::bar(user, true)
}

/// Part of setting one any other way.
pub(in crate::auth) fn no_longer_barred(user: UserId) -> Change {
    record::bar(user, false)
}

fn way(store: &(dyn Store + 'static), user: &User, mailed: Mailed) -> Result<CodeWay, StoreError> {
    if mailed.is_barred {
        return Ok(CodeWay::NotByMail(NotByMail::PasswordIsFromThere));
    }
    let address = user.profile.email.as_deref().and_then(MailAddress::parse);
    let confirmed = addresses::confirmed_at(store, &user.profile)?;
    Ok(match address.filter(|_| confirmed.is_some()) {
        Some(address) => CodeWay::Mail(address),
        None => CodeWay::NotByMail(NotByMail::Unconfirmed),
    })
}

impl SecondFactors {
    /// How long a mailed code is good, and a sign-in waits for it.
    pub const MAILED_LIFETIME: Duration = Duration::from_secs(600);

    /// Whether codes are mailed at all.
    pub fn are_mailed(&self) -> bool {
        self.are_on() && self.options.load().mail == super::Availability::On
    }

    /// Whether this member can have codes mailed: they have no second factor, are not asked for a better one, and have confirmed their
    /// address.
    pub fn can_be_mailed_to(&self, user: &User) -> Result<bool, StoreError> {
        let store = self.store.as_ref();
        let is_possible = self.are_mailed() && !self.are_required_of(&user.profile);
        let is_ready = is_possible && matches!(way(store, user, Mailed::default())?, CodeWay::Mail(_));
        Ok(is_ready && self.enrolled(user.profile.id)?.is_none())
    }

    /// How this member gets the code that is asked of them; none if none is.
    pub fn code_way(&self, user: &User) -> Result<Option<CodeWay>, StoreError> {
        let Some(enrolled) = self.enrolled(user.profile.id)? else { return Ok(None) };
        match enrolled.mailed {
            None => Ok(Some(CodeWay::App)),
            Some(mailed) => way(self.store.as_ref(), user, mailed).map(Some),
        }
    }

    /// Has codes mailed from now on. All other sessions end: they were opened with less.
    pub async fn mail_codes(&self, session: &LiveSession) -> Result<MailedSetUp, StoreError> {
        let id = session.user();
        let Some(user) = self.store.user(id)? else { return Ok(MailedSetUp::NotOffered) };
        if self.enrolled(id)?.is_some() {
            return Ok(MailedSetUp::AlreadyThere);
        }
        if !self.may_be_changed_by(session)? {
            return Ok(MailedSetUp::StepUpFirst);
        }
        if !self.can_be_mailed_to(&user)? {
            return Ok(MailedSetUp::NotOffered);
        }
        let codes = RecoveryCodes::generate();
        let mut with = vec![record::enrol(id, Enrolled::by_mail(id, &codes, self.clock.now()))];
        with.extend(links::forgotten(id));
        match self.sessions.end_all(id, Some(session.id()), with).await {
            Ok(_) => Ok(MailedSetUp::Done(codes)),
            Err(StoreError::Abandoned) => Ok(MailedSetUp::AlreadyThere),
            Err(error) => Err(error),
        }
    }

    /// Judges a code that was mailed. The try is used up before anything is compared.
    pub(super) async fn judge_mailed(
        &self,
        user: User,
        enrolled: &Enrolled,
        typed: &MailedCode,
    ) -> Result<Option<(FactorsMet, Shown)>, StoreError> {
        let (id, now) = (user.profile.id, self.clock.now());
        if !matches!(self.code_way(&user)?, Some(CodeWay::Mail(_)))
            || !spend_try(self.store.as_ref(), id, now).await?
        {
            return Ok(None);
        }
        let mailbox = self.store.kept::<Mailbox>(Owner::Member(id), resets::KEY)?;
        let (open, hash) = (mailbox.and_then(|mailbox| mailbox.code), typed.hash(id));
        if !open.is_some_and(|open| is_code(&open, &hash, now)) {
            return Ok(None);
        }
        let take = resets::revised(id, move |mailbox| {
            let Some(mailbox) = mailbox else { return Verdict::Abandon };
            match mailbox.code.take() {
                Some(open) if is_code(&open, &hash, now) => Verdict::Keep,
                _ => Verdict::Abandon,
            }
        });
        let guards = vec![take, record::still_mailed(id, &enrolled.id)];
        Ok(Some((FactorsMet::new(user, Beside::MailedCode, guards), Shown::Mailed)))
    }
}

/// Takes one of the tries that a code has; whether there was one.
async fn spend_try(store: &dyn Store, user: UserId, now: Timestamp) -> Result<bool, StoreError> {
    let change = resets::revised(user, move |mailbox| {
        let open = mailbox.as_mut().and_then(|mailbox| mailbox.code.as_mut());
        let Some(open) = open.filter(|open| now < open.expires) else { return Verdict::Abandon };
        let Some(left) = open.tries.checked_sub(1) else { return Verdict::Abandon };
        open.tries = left;
        Verdict::Keep
    });
    match store.apply(vec![change]).await {
        Ok(()) => Ok(true),
        Err(StoreError::Abandoned | StoreError::NoSuchUser) => Ok(false),
        Err(error) => Err(error),
    }
}

fn is_code(open: &OpenCode, hash: &TokenHash, now: Timestamp) -> bool {
    now < open.expires && bool::from(open.hash.0.ct_eq(&hash.0))
}
