//! What happened to an account, for its member to read (SIB-10). The audit log is for operators and has more.
//!
//! Kept are [`MOST`] events of the last year, with the browser by its name and the network alone of the address. Nobody can
//! push out the ones that matter: when there are too many, the oldest of the commonest kind goes, and wrong passwords or codes of
//! one day are one event.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Accounts, browser_name};
use crate::domain::{Network, SessionId, Timestamp, UserId};
use crate::store::{Change, Drawer, Kept, Owner, StoreError, Verdict};

/// How many events of an account are kept.
pub const MOST: usize = 50;
/// For how long.
pub const KEPT_FOR: Duration = Duration::from_secs(365 * 86_400);
/// Wrong passwords, and wrong codes, within this time are one event.
const ONE_DAY: Duration = Duration::from_secs(86_400);

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// The account got another e-mail address.
    AddressChanged,
    /// The member named an e-mail address that they want.
    AddressChangeAsked,
    /// The member confirmed that the e-mail address is theirs.
    AddressConfirmed,
    /// An app password was made.
    AppPasswordMade,
    /// One was removed.
    AppPasswordRemoved,
    /// The member came back to an account that they had switched off.
    CameBack,
    /// The member took along all that is held about them.
    DataExported,
    /// The member switched the account off.
    Deactivated,
    /// The member asked for the account to be deleted.
    DeletionAsked,
    /// A browser is trusted, so that no code is asked there for a while.
    DeviceTrusted,
    /// An operator made a one-time link.
    LinkMade,
    /// All other sessions were ended.
    OtherSessionsEnded,
    /// A passkey was added.
    PasskeyAdded,
    /// A passkey was removed.
    PasskeyRemoved,
    /// A passkey was given another name.
    PasskeyRenamed,
    /// It was chosen for what a passkey is asked.
    PasskeyUseChosen,
    /// A password was set.
    PasswordSet,
    /// A recovery code was used.
    RecoveryCodeUsed,
    /// New recovery codes were made.
    RecoveryCodesMade,
    /// The second factor was taken away.
    SecondFactorRemoved,
    /// A second factor was set up.
    SecondFactorSetUp,
    /// One session was ended from another.
    SessionEnded,
    /// Somebody signed in with an operator's one-time link.
    SignedInByLink,
    /// Somebody signed in with a passkey.
    SignedInByPasskey,
    /// Somebody signed in with the password.
    SignedInByPassword,
    /// The member said of an event that it was not them.
    WasNotMe,
    /// Wrong codes were tried, after the right password.
    WrongCode,
    /// Wrong passwords were tried.
    WrongPassword,
}

impl What {
    /// All of them, for the samples of the pages.
    pub const ALL: &[Self] = &[
        Self::AddressChanged,
        Self::AddressChangeAsked,
        Self::AddressConfirmed,
        Self::AppPasswordMade,
        Self::AppPasswordRemoved,
        Self::CameBack,
        Self::DataExported,
        Self::Deactivated,
        Self::DeletionAsked,
        Self::DeviceTrusted,
        Self::LinkMade,
        Self::OtherSessionsEnded,
        Self::PasskeyAdded,
        Self::PasskeyRemoved,
        Self::PasskeyRenamed,
        Self::PasskeyUseChosen,
        Self::PasswordSet,
        Self::RecoveryCodeUsed,
        Self::RecoveryCodesMade,
        Self::SecondFactorRemoved,
        Self::SecondFactorSetUp,
        Self::SessionEnded,
        Self::SignedInByLink,
        Self::SignedInByPasskey,
        Self::SignedInByPassword,
        Self::WasNotMe,
        Self::WrongCode,
        Self::WrongPassword,
    ];
}

/// Where something was done.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// What the browser calls itself.
    pub user_agent: &'a str,
    /// From where, if that is known.
    pub from: Option<IpAddr>,
}

impl<'a> From<&'a str> for Seen<'a> {
    fn from(user_agent: &'a str) -> Self {
        Self { user_agent, from: None }
    }
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Happened {
    /// When; of several in one event, when the last one was.
    pub at: Timestamp,
    /// What.
    pub what: What,
    /// The passkey or app password it was about, by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// The browser's name; none where none was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub browser: Option<String>,
    /// The network it was done from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// What the account page calls the session that began with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// How often.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub times: u32,
}

const fn once() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_once(times: &u32) -> bool {
    *times == 1
}

impl Happened {
    /// An event of this moment.
    pub fn new(what: What, at: Timestamp) -> Self {
        Self { at, what, about: None, browser: None, network: None, session: None, times: 1 }
    }

    /// … in this browser.
    #[must_use]
    pub fn seen(self, seen: Seen<'_>) -> Self {
        let browser = Some(browser_name(seen.user_agent));
        Self { browser, network: seen.from.map(Network::of), ..self }
    }

    /// … to this passkey or app password.
    #[must_use]
    pub fn about(self, name: &str) -> Self {
        Self { about: Some(name.to_owned()), ..self }
    }

    /// … and this session began with it.
    #[must_use]
    pub fn beginning(self, session: SessionId) -> Self {
        Self { session: Some(session.short()), ..self }
    }

    /// The change that keeps it, to be part of the batch that does what it tells of. Its account has to be there.
    pub fn kept(self, user: UserId) -> Change {
        Change::revise_kept(Owner::Member(user), Vec::new(), move |events: &mut Option<Events>| {
            events.get_or_insert_default().add(self);
            Verdict::Keep
        })
    }
}

/// All that is kept of an account, oldest first; one record.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Events(Vec<Happened>);

impl Kept for Events {
    const DRAWER: Drawer = Drawer::Event;
}

impl Events {
    fn add(&mut self, new: Happened) {
        let Self(all) = self;
        all.retain(|event| new.at.since(event.at) < KEPT_FOR);
        let earlier = all.iter().rposition(|event| {
            let is_wrong = matches!(new.what, What::WrongCode | What::WrongPassword);
            is_wrong && new.what == event.what && new.at.since(event.at) < ONE_DAY
        });
        let times = earlier.map_or(0, |at| all.remove(at).times);
        all.push(Happened { times: new.times.saturating_add(times), ..new });
        while all.len() > MOST {
            let commonest = commonest(all);
            let oldest = all.iter().position(|event| Some(event.what) == commonest).unwrap_or_default();
            all.remove(oldest);
        }
    }
}

fn commonest(events: &[Happened]) -> Option<What> {
    let mut counts = BTreeMap::new();
    for event in events {
        *counts.entry(event.what).or_insert(0_usize) += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(what, _)| what)
}

impl Accounts {
    /// The events of a member, latest first.
    pub fn events(&self, user: UserId) -> Result<Vec<Happened>, StoreError> {
        let now = self.clock.now();
        let Events(mut events) = self.store.kept(Owner::Member(user), &[])?.unwrap_or_default();
        events.retain(|event| now.since(event.at) < KEPT_FOR);
        events.reverse();
        Ok(events)
    }

    /// An event of this moment.
    pub fn happened(&self, what: What) -> Happened {
        Happened::new(what, self.clock.now())
    }

    /// Keeps an event by itself. Nobody waits for it, so it takes no time that would tell who is a member; of an account
    /// that is gone nothing is kept.
    pub fn note(&self, user: UserId, event: Happened) {
        drop(self.store.apply(vec![event.kept(user)]));
    }
}

#[cfg(test)]
mod tests;
