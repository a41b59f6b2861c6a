//! Second factors for who signs in with a password: codes by an app, recovery codes, devices that are trusted for a while.
//!
//! **The rule** (SECURITY: AUTH-10). A password that is right, and a link, open a session only with a [`FactorsMet`], and this
//! module alone makes one: at once where the member has no second factor, for a code that is right, or in a browser that they
//! trust. A passkey needs none: its user is verified. A trusted device is good for signing in, never for confirming.
//!
//! Where the operator allows it, codes are mailed to members who have no app: see [`mailed`] for what they are worth.
//!
//! A code is six digits, so each one is tried with a [`Reserved`](super::throttle::Reserved) for the account. A right password
//! takes back no wrong code.
//!
//! The key of the codes is sealed (see [`crate::seal`]) and comes out to check a code, and for nothing else.

mod brief;
pub(super) mod mailed;
mod met;
mod options;
mod record;
mod recovery;
mod set_up;
mod totp;
mod trusted;
mod waiting;

#[cfg(test)]
mod tests;

pub use self::mailed::{CodeWay, MailedSetUp, NotByMail};
pub use self::met::FactorsMet;
pub use self::options::{Availability, SecondFactorOptions};
pub use self::recovery::RecoveryCodes;
pub use self::set_up::{SetUp, SettingUp};
pub use self::trusted::{TrustPurpose, TrustToken, TrustedDevice};
pub(super) use self::waiting::Waiting;

/// For tests of other floors too.
#[cfg(test)]
pub(crate) use self::tests::{App, second_factors};

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;

use self::brief::Brief;
use self::mailed::MailedCode;
use self::record::Enrolled;
use self::recovery::TypedRecovery;
use self::totp::{TotpCode, TotpKey};
use super::{LiveSession, Sessions};
use crate::domain::{Beside, Clock, Profile, Proof, Secret, Timestamp, User, UserId};
use crate::seal::KeyRing;
use crate::store::{Owner, Store, StoreError};

/// What a member has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Since when.
    pub since: Timestamp,
    /// How many recovery codes are left.
    pub recovery_codes: usize,
    /// What makes the other codes.
    pub kind: Kind,
}

/// Where codes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// An app makes them.
    App,
    /// They are mailed.
    Mail,
}

/// What is asked of a member whose password, or link, was right.
pub(super) enum Asked {
    /// A code, which the member gets in this way.
    Code(Box<User>, CodeWay),
    /// Nothing more.
    Nothing(FactorsMet),
}

/// What a code that was right was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// One of an app.
    Code,
    /// One that was mailed.
    Mailed,
    /// A recovery code; so many are left.
    Recovery(usize),
}

/// A second factor can't be set up, because nothing can be sealed here or the store fails.
#[derive(Debug, thiserror::Error)]
pub enum SecondFactorError {
    /// The key can't be made.
    #[error(transparent)]
    Key(#[from] crate::seal::KeyFileError),
    /// The store can't.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The use cases.
pub struct SecondFactors {
    options: ArcSwap<SecondFactorOptions>,
    keys: KeyRing,
    store: Arc<dyn Store>,
    sessions: Arc<Sessions>,
    clock: Arc<dyn Clock>,
    /// Browsers in which a password was right, by their tokens.
    waiting: Brief<Waiting>,
    /// Keys that no code has confirmed yet, by the sessions that were shown them.
    setting_up: Brief<TotpKey>,
    /// Held while the first key is made.
    preparing: tokio::sync::Mutex<()>,
}

impl SecondFactors {
    /// Between the password and the code no more time may pass.
    pub const WAITING: Duration = Duration::from_secs(300);
    /// For so long a session is shown the same key.
    const SETTING_UP: Duration = Duration::from_secs(900);
    /// As with passkeys: so old may the proof of who asks be when a second factor is changed.
    const FRESH: Duration = super::passkeys::Passkeys::FRESH;

    /// Wires the use cases.
    pub fn new(
        options: SecondFactorOptions,
        keys: KeyRing,
        store: Arc<dyn Store>,
        sessions: Arc<Sessions>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            options: ArcSwap::from_pointee(options),
            keys,
            store,
            sessions,
            waiting: Brief::new(Arc::clone(&clock), Self::WAITING),
            setting_up: Brief::new(Arc::clone(&clock), Self::SETTING_UP),
            preparing: tokio::sync::Mutex::default(),
            clock,
        }
    }

    /// Puts other options into force; the file with the key stays as it was.
    pub fn set_options(&self, options: SecondFactorOptions) {
        self.options.store(Arc::new(options));
    }

    /// Whether there are any here.
    pub fn are_on(&self) -> bool {
        self.options.load().availability == Availability::On
    }

    /// For how long a device may be trusted; none if it may not.
    pub fn trust(&self) -> Option<Duration> {
        self.options.load().trust
    }

    /// Whether the site asks this member for one.
    pub fn are_required_of(&self, profile: &Profile) -> bool {
        self.are_on() && self.options.load().required_for.demand_of(profile).is_some()
    }

    /// Whether an app's code is asked of this member in any case, so that their password is never enough: the site asks for one, and
    /// they have set it up. Before they have, their password alone would let anybody do that.
    pub fn are_always_asked_of(&self, profile: &Profile) -> Result<bool, StoreError> {
        let has_app = |enrolled: Enrolled| enrolled.mailed.is_none();
        Ok(self.are_required_of(profile) && self.stored(profile.id)?.is_some_and(has_app))
    }

    /// Whether this session reaches our own pages alone before a second factor proves it.
    pub fn are_awaited(&self, session: &LiveSession) -> bool {
        let profile = session.profile();
        self.are_on() && self.options.load().required_for.demand(&session.presence(&profile)).is_some()
    }

    /// What a member has; none if they have none, or codes by mail where none are mailed.
    pub fn of(&self, user: UserId) -> Result<Option<Standing>, StoreError> {
        let enrolled = self.enrolled(user)?;
        Ok(enrolled.map(|Enrolled { since, recovery, mailed, .. }| Standing {
            since,
            recovery_codes: recovery.len(),
            kind: if mailed.is_some() { Kind::Mail } else { Kind::App },
        }))
    }

    /// All members who have one that an app makes the codes of.
    pub fn members(&self) -> Result<HashSet<UserId>, StoreError> {
        let mut members = HashSet::new();
        // Mailed codes are not what a site means that asks for a second factor.
        self.store.each_kept(|owner, _, enrolled: Enrolled| {
            if let (Owner::Member(user), None) = (owner, enrolled.mailed) {
                members.insert(user);
            }
            ControlFlow::Continue(())
        })?;
        Ok(members)
    }

    /// Of how many members no key here opens what their apps share with us.
    pub fn unopened(&self) -> Result<usize, StoreError> {
        let mut count = 0;
        self.store.each_kept(|owner, _, enrolled: Enrolled| {
            if let (Owner::Member(user), None) = (owner, enrolled.mailed) {
                count += usize::from(enrolled.opened(user, &self.keys).is_none());
            }
            ControlFlow::Continue(())
        })?;
        Ok(count)
    }

    /// Where the key that seals them lies; nowhere if it is in memory.
    pub fn key_file(&self) -> Option<&std::path::Path> {
        self.keys.path()
    }

    /// Whether this session may change the member's second factor: it was proven lately, and with as much as is asked for
    /// signing in. A clock that was set back makes nothing fresh.
    pub fn may_be_changed_by(&self, session: &LiveSession) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let is_fresh = session.proved_at().is_some_and(|at| at <= now && now.since(at) <= Self::FRESH);
        if !is_fresh {
            return Ok(false);
        }
        let enrolled = self.enrolled(session.user())?;
        Ok(match session.proof() {
            Proof::Passkey | Proof::PasswordAndCode => true,
            Proof::PasswordAndMailedCode => enrolled.is_none_or(|enrolled| enrolled.mailed.is_some()),
            _ => enrolled.is_none(),
        })
    }

    /// Forgets those that waited too long. To be called about once a minute.
    pub fn sweep(&self) {
        self.waiting.sweep();
        self.setting_up.sweep();
    }

    /// What is asked beside the password or the link of this member. `trust` is what the browser brings, where that counts.
    pub(super) fn asked_of(&self, user: User, trust: Option<&TrustToken>) -> Result<Asked, StoreError> {
        if !self.are_on() {
            return Ok(Asked::Nothing(FactorsMet::new(user, Beside::Nothing, Vec::new())));
        }
        let id = user.profile.id;
        let Some(enrolled) = self.stored(id)? else {
            let guard = vec![record::still_none(id)];
            return Ok(Asked::Nothing(FactorsMet::new(user, Beside::Nothing, guard)));
        };
        let Some(way) = self.code_way(&user)? else {
            let guard = vec![record::still_there(id, &enrolled.id)];
            return Ok(Asked::Nothing(FactorsMet::new(user, Beside::Nothing, guard)));
        };
        let trusted = if enrolled.mailed.is_some() { Beside::TrustedByMail } else { Beside::TrustedDevice };
        Ok(match self.trusted_by(trust, &user, &enrolled)? {
            Some(guard) => Asked::Nothing(FactorsMet::new(user, trusted, guard)),
            None => Asked::Code(Box::new(user), way),
        })
    }

    /// Judges what was typed for a code. The try is counted already, says the caller's
    /// [`Reserved`](super::throttle::Reserved).
    pub(super) async fn judge(
        &self,
        _reserved: &super::throttle::Reserved,
        user: User,
        typed: &Secret<String>,
    ) -> Result<Option<(FactorsMet, Shown)>, StoreError> {
        let id = user.profile.id;
        let Some(enrolled) = self.enrolled(id)?.filter(|_| self.are_on()) else { return Ok(None) };
        let is_filling = |sign: &char| sign.is_whitespace() || *sign == '-';
        let text: Secret<String> =
            Secret::new(typed.expose().chars().filter(|sign| !is_filling(sign)).collect());
        if let Some(code) = MailedCode::read(text.expose()) {
            return self.judge_mailed(user, &enrolled, &code).await;
        }
        let (guard, shown) = if let Some(code) = TotpCode::read(text.expose()) {
            let Some(key) = self.opened(&enrolled, id) else { return Ok(None) };
            let step = key.step_of(code, self.clock.now()).filter(|step| enrolled.takes(*step));
            let Some(step) = step else { return Ok(None) };
            (record::take_step(id, &enrolled.id, step), Shown::Code)
        } else if let Some(code) = TypedRecovery::read(text.expose()) {
            let hash = code.hash(id);
            let mut left = enrolled.recovery.clone();
            if !recovery::spend(&mut left, &hash) {
                return Ok(None);
            }
            (record::take_recovery(id, &enrolled.id, hash), Shown::Recovery(left.len()))
        } else {
            return Ok(None);
        };
        Ok(Some((FactorsMet::new(user, Beside::Code, vec![guard]), shown)))
    }

    /// What a member has that counts here.
    fn enrolled(&self, user: UserId) -> Result<Option<Enrolled>, StoreError> {
        Ok(self.stored(user)?.filter(|enrolled| enrolled.mailed.is_none() || self.are_mailed()))
    }

    fn stored(&self, user: UserId) -> Result<Option<Enrolled>, StoreError> {
        self.store.kept(record::owner(user), record::key())
    }

    /// Without its key a member is left with recovery codes, and an operator with a line in the log.
    fn opened(&self, enrolled: &Enrolled, user: UserId) -> Option<TotpKey> {
        let key = enrolled.opened(user, &self.keys);
        if key.is_none() {
            tracing::error!(target: "passgate::store", member = %user, key = ?self.keys.path(),
                "a second factor can't be opened with this key; its member needs a recovery code, or you take it away \
                 with `passgate user reset-second-factor`");
        }
        key
    }
}
