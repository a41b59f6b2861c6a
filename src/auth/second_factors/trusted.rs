//! Devices that a member trusts for a while: signing in there with the password asks for no code.
//!
//! SECURITY: the token is 256 random bits and kept as a hash. It is good for one account, with the password and the second factor
//! that it has now: whatever changes one of them ends it, by whichever way.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::SecondFactors;
use super::record::{self, Enrolled};
use crate::domain::{Purpose, Timestamp, Token, User, UserId, hex};
use crate::store::{Batch, Change, Drawer, Kept, StoreError, Verdict};

/// The label of [`TrustToken`].
#[derive(Debug)]
pub enum TrustPurpose {}
impl Purpose for TrustPurpose {
    const LABEL: &'static [u8] = b"passgate trusted device";
}
/// What a trusted browser presents.
pub type TrustToken = Token<TrustPurpose>;

/// A device that is trusted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustedDevice {
    /// Since when.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// What the browser called itself.
    pub user_agent: String,
    bound_to: String,
}

impl Kept for TrustedDevice {
    const DRAWER: Drawer = Drawer::TrustedDevice;
}

/// More are not kept; the oldest goes.
const MOST: usize = 20;
const USER_AGENT_BYTES: usize = 256;

impl SecondFactors {
    /// Trusts the browser in which this member has just shown a code. None where nobody is to be trusted.
    pub async fn trust_device(
        &self,
        user: UserId,
        user_agent: &str,
    ) -> Result<Option<TrustToken>, StoreError> {
        let (Some(time), Some(user), Some(enrolled)) =
            (self.trust(), self.store.user(user)?, self.enrolled(user)?)
        else {
            return Ok(None);
        };
        let (owner, now) = (record::owner(user.profile.id), self.clock.now());
        let mut all = self.store.all_kept::<TrustedDevice>(owner)?;
        let bound_to = bound_to(&user, &enrolled);
        all.sort_by_key(|(_, device)| (device.holds(&bound_to, now), device.since));
        let over = all.iter().filter(|(_, device)| !device.holds(&bound_to, now)).count();
        let surplus = over.max((all.len() + 1).saturating_sub(MOST));
        let mut batch: Batch =
            all.drain(..surplus).map(|(key, _)| Change::drop_kept::<TrustedDevice>(owner, key)).collect();
        let token = TrustToken::generate();
        let mut end = user_agent.len().min(USER_AGENT_BYTES);
        while !user_agent.is_char_boundary(end) {
            end -= 1;
        }
        let user_agent = user_agent[..end].to_owned();
        let device = TrustedDevice { since: now, until: now.after(time), user_agent, bound_to };
        batch.push(record::still_there(user.profile.id, &enrolled.id));
        batch.push(Change::keep(owner, token.hash().0.to_vec(), &device));
        match self.store.apply(batch).await {
            Ok(()) => Ok(Some(token)),
            Err(StoreError::Abandoned | StoreError::NoSuchUser) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The devices that a member trusts now, the latest first, each with what names it.
    pub fn trusted(&self, user: UserId) -> Result<Vec<(String, TrustedDevice)>, StoreError> {
        let (Some(user), Some(enrolled)) = (self.store.user(user)?, self.enrolled(user)?) else {
            return Ok(Vec::new());
        };
        let (bound_to, now) = (bound_to(&user, &enrolled), self.clock.now());
        let all = self.store.all_kept::<TrustedDevice>(record::owner(user.profile.id))?;
        let mut holding: Vec<_> = all
            .into_iter()
            .filter(|(_, device)| device.holds(&bound_to, now))
            .map(|(key, device)| (name(&key), device))
            .collect();
        holding.sort_by_key(|(_, device)| std::cmp::Reverse(device.since));
        Ok(holding)
    }

    /// What names the device of this token in a listing.
    pub fn name_of(token: &TrustToken) -> String {
        name(&token.hash().0)
    }

    /// Trusts a device no longer; whether it was.
    pub async fn end_trust(&self, user: UserId, named: &str) -> Result<bool, StoreError> {
        let owner = record::owner(user);
        let all = self.store.all_kept::<TrustedDevice>(owner)?;
        let Some((key, _)) = all.into_iter().find(|(key, _)| name(key) == named) else { return Ok(false) };
        self.store.apply(vec![Change::drop_kept::<TrustedDevice>(owner, key)]).await?;
        Ok(true)
    }

    /// What has to hold still when the session is opened, if the browser is trusted.
    pub(super) fn trusted_by(
        &self,
        token: Option<&TrustToken>,
        user: &User,
        enrolled: &Enrolled,
    ) -> Result<Option<Batch>, StoreError> {
        let Some(token) = token.filter(|_| self.trust().is_some()) else { return Ok(None) };
        let (id, key) = (user.profile.id, token.hash().0.to_vec());
        let device = self.store.kept::<TrustedDevice>(record::owner(id), &key)?;
        let now = self.clock.now();
        if !device.is_some_and(|device| device.holds(&bound_to(user, enrolled), now)) {
            return Ok(None);
        }
        let still_trusted =
            Change::revise_kept(record::owner(id), key, |device: &mut Option<TrustedDevice>| {
                if device.is_some() { Verdict::Keep } else { Verdict::Abandon }
            });
        Ok(Some(vec![record::still_there(id, &enrolled.id), still_trusted]))
    }
}

impl TrustedDevice {
    fn holds(&self, bound_to: &str, now: Timestamp) -> bool {
        self.bound_to == bound_to && now < self.until
    }
}

/// Enough to name it, too little to be it.
fn name(key: &[u8]) -> String {
    hex(key.get(..8).unwrap_or(key))
}

/// All parts but the last are of one length.
fn bound_to(user: &User, enrolled: &Enrolled) -> String {
    let mut hasher = Sha256::new();
    let password = user.password.as_deref().unwrap_or_default();
    [TrustPurpose::LABEL, &user.profile.id.0, enrolled.id.as_bytes(), password.as_bytes()]
        .into_iter()
        .for_each(|part| hasher.update(part));
    URL_SAFE_NO_PAD.encode(hasher.finalize())
}
