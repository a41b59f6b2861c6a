//! Wiring the forum: members' accounts there, which a reload keeps as long as it is the same forum.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Services, StartError};
use crate::bridge::options::ForumOptions;
use crate::bridge::{ByName, ForumAccounts, Kind, Means, Minter, Vault, VaultError};
use crate::config::Config;
use crate::proxy::UpstreamDial;
use crate::proxy::options::ApplicationOptions;
use crate::store::Store;

#[derive(Clone)]
pub(super) struct AtForum {
    forum: ForumOptions,
    upstream: ApplicationOptions,
    accounts: Arc<ForumAccounts>,
}

impl Services {
    /// The vault of the configuration's forum; none where no password is needed.
    pub fn vault(store: &Arc<dyn Store>, config: &Config) -> Result<Option<Arc<Vault>>, VaultError> {
        let Some(forum) = config.forum.as_ref().filter(|forum| forum.uses(Kind::Form)) else {
            return Ok(None);
        };
        Vault::open(Arc::clone(store), &forum.vault_key, &forum.preset.name).map(Arc::new).map(Some)
    }

    /// Members' accounts at the forum, as long as they sign in at its form.
    pub fn forum_accounts(&self) -> Option<Arc<ForumAccounts>> {
        accounts_at(&self.forum)
    }

    pub(super) fn at_forum(&self, config: &Config) -> Result<Option<Arc<ForumAccounts>>, StartError> {
        let vault = Self::vault(&self.store, config)?;
        let mut at_forum = self.forum.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(forum) = config.forum.as_ref().filter(|forum| forum.ways().any(Kind::keeps_session)) else {
            *at_forum = None;
            return Ok(None);
        };
        let upstream = config.proxy.upstream.application(config.forum_application);
        if let Some(same) =
            at_forum.as_ref().filter(|known| known.forum == *forum && known.upstream == *upstream)
        {
            return Ok(Some(Arc::clone(&same.accounts)));
        }
        let lost = vault.as_ref().map_or(Ok(0), |vault| vault.lost())?;
        if lost > 0 {
            tracing::warn!(target: "passgate::store", lost, key = %forum.vault_key.display(),
                "passwords for the forum can't be opened with this key; their members are asked for them again");
        }
        let dial = Arc::new(UpstreamDial::new(upstream));
        let session = forum.session.clone();
        let means = vault.map(Means::Passwords).or_else(|| {
            let minter = Minter::new(session?, forum.preset.cookies.session.clone());
            Some(Means::Database(ByName::new(minter, Arc::clone(&self.store))))
        });
        let Some(means) = means else { return Ok(None) };
        let accounts = Arc::new(ForumAccounts::new(forum, means, dial, Arc::clone(&self.clock)));
        *at_forum = Some(AtForum {
            forum: forum.clone(),
            upstream: upstream.clone(),
            accounts: Arc::clone(&accounts),
        });
        Ok(Some(accounts))
    }
}

pub(super) fn accounts_at(forum: &Mutex<Option<AtForum>>) -> Option<Arc<ForumAccounts>> {
    let at_forum = forum.lock().unwrap_or_else(PoisonError::into_inner);
    at_forum.as_ref().map(|at_forum| Arc::clone(&at_forum.accounts))
}
