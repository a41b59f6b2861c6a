//! The commands that are about passkeys. They work on what is kept, also where passkeys are switched off.

use super::Control;
use super::protocol::{CountView, Failure, PasskeyView, Reply};
use super::sessions::ended_sessions;
use crate::domain::Profile;
use crate::store::StoreError;
use crate::web::PasskeyCount;

impl Control {
    pub(super) fn list_passkeys(&self, name: Option<&str>) -> Result<Reply, Failure> {
        let members = match name {
            Some(name) => vec![self.named(name)?],
            None => self.accounts.all()?,
        };
        let mut passkeys = Vec::new();
        for user in members {
            passkeys.extend(self.passkeys_of(&user.profile)?);
        }
        Ok(Reply::Passkeys(passkeys))
    }

    pub(super) fn count_ceremonies(&self) -> Reply {
        let view = |(count, number): (PasskeyCount, u64)| CountView {
            ceremony: count.ceremony.to_owned(),
            outcome: count.outcome.to_owned(),
            client: count.client.to_owned(),
            count: number,
        };
        let counts = self.passkey_counts.as_ref();
        Reply::PasskeyCounts(counts.map(|counts| counts.all().into_iter().map(view).collect()))
    }

    /// Oldest first.
    pub(super) fn passkeys_of(&self, profile: &Profile) -> Result<Vec<PasskeyView>, StoreError> {
        let passkeys = self.store.passkeys_of(profile.id)?;
        Ok(passkeys.iter().map(|passkey| PasskeyView::of(passkey, profile)).collect())
    }

    pub(super) async fn remove_passkey(&self, name: &str, handle: &str) -> Result<Reply, Failure> {
        let profile = self.named(name)?.profile;
        let handle = handle.trim().to_ascii_lowercase();
        let passkeys = self.store.passkeys_of(profile.id)?;
        let Some(passkey) = passkeys.iter().find(|passkey| passkey.id.handle() == handle) else {
            return Err(Failure::Data(format!(
                "there is no passkey {handle:?} of {}; `passgate passkey list` shows all",
                profile.name
            )));
        };
        let ended = self.sessions.end_opened_with(profile.id, &passkey.id, Vec::new()).await?;
        let (passkey, ended) = (passkey.name.as_str(), ended_sessions(ended));
        Ok(Reply::Done(format!("the passkey {passkey:?} of {} is removed; {ended}", profile.name)))
    }
}
