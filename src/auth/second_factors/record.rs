//! What the store keeps of a member's second factor. One record, so that each code counts once whatever happens at the same time.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::recovery::{RecoveryCodes, spend};
use super::totp::TotpKey;
use crate::domain::{Timestamp, UserId, random};
use crate::seal::KeyRing;
use crate::store::{Change, Drawer, Kept, Owner, Verdict};

/// The version of what is sealed.
const VERSION: u8 = 1;
/// A member has one.
const KEY: &[u8] = b"";

/// A second factor that counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Enrolled {
    /// What trusted devices are bound to.
    pub(super) id: String,
    /// The key of the codes, sealed; empty where they are mailed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    sealed: String,
    /// Codes are mailed, and no app makes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) mailed: Option<Mailed>,
    pub(super) since: Timestamp,
    /// The latest step of which a code was taken. Neither it nor an older one is taken again (RFC 6238 §5.2).
    last_step: u64,
    /// The hashes of the recovery codes that are left.
    pub(super) recovery: Vec<String>,
}

/// What is kept of a member whose codes are mailed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mailed {
    /// The password was set with a link that was mailed: a code from the same mailbox would show nothing more.
    pub(super) is_barred: bool,
}

impl Kept for Enrolled {
    const DRAWER: Drawer = Drawer::SecondFactor;
}

impl Enrolled {
    /// A new one, whose first code was of this step. None without a key to seal it with.
    pub(super) fn new(
        user: UserId,
        key: &TotpKey,
        step: u64,
        codes: &RecoveryCodes,
        now: Timestamp,
        keys: &KeyRing,
    ) -> Option<Self> {
        let sealed = keys.seal(VERSION, key.expose(), &bound_to(VERSION, user))?;
        Some(Self {
            id: URL_SAFE_NO_PAD.encode(random::<16>()),
            sealed: URL_SAFE_NO_PAD.encode(sealed),
            mailed: None,
            since: now,
            last_step: step,
            recovery: codes.hashes(user),
        })
    }

    /// A new one, whose codes are mailed.
    pub(super) fn by_mail(user: UserId, codes: &RecoveryCodes, now: Timestamp) -> Self {
        Self {
            id: URL_SAFE_NO_PAD.encode(random::<16>()),
            sealed: String::new(),
            mailed: Some(Mailed::default()),
            since: now,
            last_step: 0,
            recovery: codes.hashes(user),
        }
    }

    /// The key of the codes; none if nothing here opens it.
    pub(super) fn opened(&self, user: UserId, keys: &KeyRing) -> Option<TotpKey> {
        let sealed = URL_SAFE_NO_PAD.decode(&self.sealed).ok()?;
        let (version, bytes) = keys.unseal(&sealed, |version| bound_to(version, user))?;
        (version == VERSION).then(|| TotpKey::read(&bytes)).flatten()
    }

    /// Whether a code of this step would be taken.
    pub(super) fn takes(&self, step: u64) -> bool {
        step > self.last_step
    }
}

fn bound_to(version: u8, user: UserId) -> Vec<u8> {
    [b"passgate second factor ".as_slice(), &[version], &user.0].concat()
}

pub(super) fn owner(user: UserId) -> Owner {
    Owner::Member(user)
}

pub(super) const fn key() -> &'static [u8] {
    KEY
}

/// Fails with [`StoreError::Abandoned`](crate::store::StoreError::Abandoned) if the member has one by then.
pub(super) fn still_none(user: UserId) -> Change {
    revise(user, |record| if record.is_none() { Verdict::Keep } else { Verdict::Abandon })
}

/// Fails so unless the member still has this one.
pub(super) fn still_there(user: UserId, id: &str) -> Change {
    same(user, id, |_| Verdict::Keep)
}

/// Takes the code of a step; fails so if it was taken already.
pub(super) fn take_step(user: UserId, id: &str, step: u64) -> Change {
    same(user, id, move |record| {
        if !record.takes(step) {
            return Verdict::Abandon;
        }
        record.last_step = step;
        Verdict::Keep
    })
}

/// Fails so unless the member still has this one, and its mailed codes count.
pub(super) fn still_mailed(user: UserId, id: &str) -> Change {
    same(user, id, |record| match record.mailed {
        Some(Mailed { is_barred: false }) => Verdict::Keep,
        _ => Verdict::Abandon,
    })
}

/// Says whether mailed codes count, if the member's codes are mailed.
pub(super) fn bar(user: UserId, is_barred: bool) -> Change {
    revise(user, move |record| {
        if let Some(mailed) = record.as_mut().and_then(|record| record.mailed.as_mut()) {
            mailed.is_barred = is_barred;
        }
        Verdict::Keep
    })
}

/// Takes a recovery code; fails so if it was taken already. Whoever has one has shown more than the mailbox.
pub(super) fn take_recovery(user: UserId, id: &str, hash: String) -> Change {
    same(user, id, move |record| {
        record.mailed = record.mailed.map(|_| Mailed::default());
        if spend(&mut record.recovery, &hash) { Verdict::Keep } else { Verdict::Abandon }
    })
}

/// Puts other recovery codes in the place of those that are left.
pub(super) fn renew_recovery(user: UserId, id: &str, hashes: Vec<String>) -> Change {
    same(user, id, move |record| {
        record.recovery = hashes;
        Verdict::Keep
    })
}

/// Puts the first one there; fails so if there is one. An app takes the place of mailed codes.
pub(super) fn enrol(user: UserId, new: Enrolled) -> Change {
    revise(user, |record| {
        if record.as_ref().is_some_and(|record| record.mailed.is_none() || new.mailed.is_some()) {
            return Verdict::Abandon;
        }
        *record = Some(new);
        Verdict::Keep
    })
}

fn same(user: UserId, id: &str, how: impl FnOnce(&mut Enrolled) -> Verdict + Send + 'static) -> Change {
    let id = id.to_owned();
    revise(user, move |record| match record {
        Some(record) if record.id == id => how(record),
        _ => Verdict::Abandon,
    })
}

fn revise(user: UserId, how: impl FnOnce(&mut Option<Enrolled>) -> Verdict + Send + 'static) -> Change {
    Change::revise_kept(owner(user), KEY.to_vec(), how)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_opens_for_its_own_member_and_shows_neither_key_nor_codes() {
        let keys = KeyRing::in_memory();
        let (key, codes) = (TotpKey::generate(), RecoveryCodes::generate());
        let (ann, now) = (UserId([1; 16]), Timestamp::from_millis(60_000));
        assert!(Enrolled::new(ann, &key, 2, &codes, now, &keys).is_none(), "nothing to seal it with");
        keys.prepare().unwrap();
        let enrolled = Enrolled::new(ann, &key, 2, &codes, now, &keys).unwrap();
        assert_eq!(enrolled.opened(ann, &keys).unwrap().expose(), key.expose());
        assert!(enrolled.opened(UserId([2; 16]), &keys).is_none());
        assert!(enrolled.opened(ann, &KeyRing::in_memory()).is_none());
        assert!(!enrolled.takes(2) && enrolled.takes(3));
        let written = serde_json::to_string(&enrolled).unwrap();
        let base32 = crate::auth::letters::spelt(key.expose(), crate::auth::letters::BASE32);
        for secret in [URL_SAFE_NO_PAD.encode(key.expose()), base32] {
            assert!(!written.contains(&secret), "{written}");
        }
        for code in codes.shown() {
            assert!(!written.contains(&code.replace('-', "")), "{written}");
        }
    }
}
