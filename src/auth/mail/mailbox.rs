//! What a member is to be sent: one small record each, changed together with what causes a mail.
//!
//! It is bounded, whatever happens: so many mails wait at most, and so many of a kind are taken in an hour, since strangers
//! can cause some of them. What is not taken is no error: what caused it stands.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Letter;
use crate::domain::{MailAddress, Timestamp, TokenHash, random};
use crate::store::{Drawer, Kept};

/// A member's mails.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mailbox {
    /// What is to be sent, oldest first.
    pub(super) waiting: Vec<Waiting>,
    /// What was taken within the last hour.
    taken: Vec<Taken>,
    /// The link that was mailed last, if it can still be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    link: Option<OpenLink>,
    /// The address that the member wants to have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    change: Option<AddressChange>,
    /// The code that was mailed last, if it can still be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::auth) code: Option<OpenCode>,
}

/// A mailed code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenCode {
    pub(in crate::auth) hash: TokenHash,
    pub(in crate::auth) expires: Timestamp,
    /// How many may still be tried in its place.
    pub(in crate::auth) tries: u8,
}

/// An address that waits for its member to confirm that it is theirs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddressChange {
    pub(in crate::auth) to: MailAddress,
    pub(in crate::auth) until: Timestamp,
    /// The hash of the token that was mailed there last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::auth) link: Option<TokenHash>,
}

/// A mailed link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OpenLink {
    hash: TokenHash,
    expires: Timestamp,
}

/// A mail that is to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Waiting {
    pub(super) id: MailId,
    /// The address is settled when it happens: whoever takes an account over and changes its address gets none of the
    /// mails that tell of it.
    pub(super) to: MailAddress,
    pub(super) letter: Letter,
    /// When what it tells of happened.
    pub(super) at: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Taken {
    kind: String,
    at: Timestamp,
}

/// Tells a mail from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct MailId([u8; 16]);

impl MailId {
    pub(super) fn generate() -> Self {
        Self(random())
    }
}

impl std::fmt::Display for MailId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl Kept for Mailbox {
    const DRAWER: Drawer = Drawer::Mail;
}

/// What became of a mail that was handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HandedIn {
    /// It waits, in place of the oldest notice.
    InPlaceOfAnother,
    /// The member has had enough of its kind.
    TooMany,
    /// It waits.
    Waits,
}

impl Mailbox {
    /// So many wait at most.
    pub(super) const MOST_WAITING: usize = 12;
    /// So many of one kind are taken within [`Self::WHILE`]. A kind for itself, so that nobody makes noise of one kind to keep
    /// another from being told.
    pub(super) const MOST_OF_A_KIND: usize = 3;
    pub(super) const WHILE: Duration = Duration::from_secs(3_600);

    /// Whether one more mail of this kind would be taken.
    pub(super) fn takes(&mut self, letter: &Letter, now: Timestamp) -> bool {
        self.forget_taken(now);
        let kind = letter.kind();
        self.taken.iter().filter(|taken| taken.kind == kind).count() < letter.most_within_an_hour()
    }

    /// Takes a mail in, if there is room for it.
    pub(super) fn hand_in(&mut self, mail: Waiting, now: Timestamp) -> HandedIn {
        if !self.takes(&mail.letter, now) {
            return HandedIn::TooMany;
        }
        let gives_way = |mail: &Waiting| !mail.letter.is_awaited();
        let mut outcome = HandedIn::Waits;
        if self.waiting.len() >= Self::MOST_WAITING {
            let Some(oldest) = self.waiting.iter().position(gives_way) else { return HandedIn::TooMany };
            self.waiting.remove(oldest);
            outcome = HandedIn::InPlaceOfAnother;
        }
        self.taken.push(Taken { kind: mail.letter.kind().to_owned(), at: now });
        self.waiting.push(mail);
        outcome
    }

    /// Takes a mail out.
    pub(super) fn take_out(&mut self, id: MailId) {
        self.waiting.retain(|mail| mail.id != id);
    }

    /// Opens a link with this hash, in place of the one before.
    pub(in crate::auth) fn open(&mut self, hash: TokenHash, expires: Timestamp) {
        self.link = Some(OpenLink { hash, expires });
    }

    /// Closes the link, and forgets the code and the address that the member wanted: their credentials are others by now.
    pub(in crate::auth) fn close(&mut self) {
        self.link = None;
        self.change = None;
        self.code = None;
    }

    /// Notes which address the member wants to have, in place of the one before.
    pub(in crate::auth) fn want(&mut self, change: Option<AddressChange>) {
        self.change = change;
    }

    /// The address that the member wants to have, while it may be confirmed.
    pub(in crate::auth) fn wanted(&mut self, now: Timestamp) -> Option<&mut AddressChange> {
        self.change.as_mut().filter(|change| now < change.until)
    }

    /// Whether a link with this hash is open.
    pub(in crate::auth) fn opens(&self, hash: &TokenHash, now: Timestamp) -> bool {
        self.link.as_ref().is_some_and(|link| link.hash == *hash && now < link.expires)
    }

    /// Whether the record is worth nothing any more.
    pub(super) fn is_empty(&mut self, now: Timestamp) -> bool {
        self.forget_taken(now);
        self.link.take_if(|link| link.expires <= now);
        self.change.take_if(|change| change.until <= now);
        self.code.take_if(|code| code.expires <= now);
        let opens_nothing = self.link.is_none() && self.change.is_none() && self.code.is_none();
        self.waiting.is_empty() && self.taken.is_empty() && opens_nothing
    }

    /// What seems to come from the future goes, too: a clock that was set back by a year would silence us for one.
    fn forget_taken(&mut self, now: Timestamp) {
        self.taken.retain(|taken| taken.at <= now && now.since(taken.at) < Self::WHILE);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::auth::mail::{Happened, Notice};

    pub(in crate::auth::mail) fn notice(at: Timestamp) -> Waiting {
        let what = Happened::AccountDisabled;
        Waiting {
            id: MailId::generate(),
            to: MailAddress::parse("ann@forum.example").unwrap(),
            letter: Letter::Notice(Notice { what, browser: String::new(), client: None }),
            at,
        }
    }

    fn at(minutes: u64) -> Timestamp {
        Timestamp::from_millis(1_795_327_200_000 + minutes * 60_000)
    }

    #[test]
    fn nobody_is_sent_more_than_a_few_of_a_kind_an_hour() {
        let mut mailbox = Mailbox::default();
        let mut taken = Vec::new();
        for minute in 0..180 {
            if mailbox.hand_in(notice(at(minute)), at(minute)) == HandedIn::Waits {
                taken.push(minute);
            }
            mailbox.waiting.clear();
        }
        assert_eq!(taken, [0, 1, 2, 60, 61, 62, 120, 121, 122]);
        assert!(!mailbox.is_empty(at(181)) && mailbox.is_empty(at(182)));
    }

    #[test]
    fn a_clock_that_was_set_back_silences_nobody() {
        let mut mailbox = Mailbox::default();
        for _ in 0..Mailbox::MOST_OF_A_KIND {
            mailbox.hand_in(notice(at(1_000)), at(1_000));
        }
        assert_eq!(mailbox.hand_in(notice(at(1_000)), at(1_000)), HandedIn::TooMany);
        assert_eq!(mailbox.hand_in(notice(at(0)), at(0)), HandedIn::Waits);
    }

    #[test]
    fn the_oldest_notice_gives_way_when_too_many_wait() {
        let mut mailbox = Mailbox::default();
        let mut ids = Vec::new();
        for hour in 0..30 {
            let mail = notice(at(hour * 60));
            ids.push(mail.id);
            let outcome = mailbox.hand_in(mail, at(hour * 60));
            let has_room = ids.len() <= Mailbox::MOST_WAITING;
            assert_eq!(outcome, if has_room { HandedIn::Waits } else { HandedIn::InPlaceOfAnother });
        }
        let waiting: Vec<_> = mailbox.waiting.iter().map(|mail| mail.id).collect();
        assert_eq!(waiting, ids[ids.len() - Mailbox::MOST_WAITING..]);
    }
}
