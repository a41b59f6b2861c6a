//! The commands that are about passkeys. They work on what is kept, also where passkeys are switched off.

use serde::{Deserialize, Serialize};

use super::Control;
use super::protocol::{Failure, Reply};
use super::sessions::ended_sessions;
use crate::auth::events::What;
use crate::auth::mail::Happened;
use crate::auth::passkeys::provider;
use crate::domain::{Backup, Passkey, Profile};
use crate::store::StoreError;
use crate::web::PasskeyCount;

/// A passkey as operators see it: nothing of its key, and not what its authenticator calls it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PasskeyView {
    /// Names it here and on the member's account page.
    pub id: String,
    /// Whose it is.
    pub user: String,
    /// What the member calls it.
    pub name: String,
    /// What keeps it, if that is known.
    pub provider: Option<String>,
    /// Whether it is on more than one device.
    pub synced: Synced,
    /// When it was added.
    pub created: String,
    /// When it last signed its member in.
    pub last_used: Option<String>,
}

/// So many ceremonies went so.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountView {
    /// What for.
    pub ceremony: String,
    /// `ok`, or why not.
    pub outcome: String,
    /// With which kind of browser.
    pub client: String,
    /// How many.
    pub count: u64,
}

/// Whether a passkey is carried over to the member's other devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Synced {
    /// It can't leave its device.
    DeviceOnly,
    /// It was, and is not any more.
    NoLonger,
    /// It could be, and is not yet.
    NotYet,
    /// It is.
    Yes,
}

impl PasskeyView {
    pub(super) fn of(passkey: &Passkey, profile: &Profile) -> Self {
        Self {
            id: passkey.id.handle(),
            user: profile.name.to_string(),
            name: passkey.name.as_str().to_owned(),
            provider: provider(passkey.aaguid).map(str::to_owned),
            synced: match passkey.backup {
                Backup::DeviceBound => Synced::DeviceOnly,
                Backup::Lost => Synced::NoLonger,
                Backup::Possible => Synced::NotYet,
                Backup::Done => Synced::Yes,
            },
            created: passkey.created.to_string(),
            last_used: passkey.last_used.map(|moment| moment.to_string()),
        }
    }
}

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
        let event = self.accounts.happened(What::PasskeyRemoved).about(passkey.name.as_str());
        let mut with = vec![event.kept(profile.id)];
        with.extend(self.notice(Happened::PasskeyRemoved, &profile));
        let ended = self.sessions.end_opened_with(profile.id, &passkey.id, with).await?;
        let (passkey, ended) = (passkey.name.as_str(), ended_sessions(ended));
        Ok(Reply::Done(format!("the passkey {passkey:?} of {} is removed; {ended}", profile.name)))
    }
}
