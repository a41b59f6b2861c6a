//! Wiring second factors: the key that seals them lies where the store does not.

use std::sync::Arc;

use super::Services;
use crate::auth::Sessions;
use crate::auth::second_factors::SecondFactors;
use crate::config::Config;
use crate::domain::Clock;
use crate::seal::{KeyFileError, KeyRing};
use crate::server::options::StoreOptions;
use crate::store::Store;

impl Services {
    /// What is asked beside passwords. With a store in memory its keys are, too.
    pub fn second_factors(
        config: &Config,
        store: &Arc<dyn Store>,
        sessions: &Arc<Sessions>,
        clock: &Arc<dyn Clock>,
    ) -> Result<SecondFactors, KeyFileError> {
        let options = config.second_factor.clone();
        let keys = match &config.store {
            StoreOptions::Memory => KeyRing::in_memory(),
            StoreOptions::Sled { .. } => KeyRing::open(&options.key_file, "second factors")?,
        };
        let (store, sessions) = (Arc::clone(store), Arc::clone(sessions));
        Ok(SecondFactors::new(options, keys, store, sessions, Arc::clone(clock)))
    }

    /// A sentence for when no key is there that opens what members' apps share with us. No code lets them in then: nothing tells a
    /// right one.
    pub fn without_second_factor_key(&self) -> Option<String> {
        let (file, count) = (self.second_factors.key_file()?.display(), self.second_factors.unopened().ok()?);
        let members = match count {
            0 => return None,
            1 => "1 member's app shows are".to_owned(),
            _ => format!("{count} members' apps show are"),
        };
        Some(format!(
            "the codes that {members} refused, since {file} is not the key that seals them (second_factor.key): put the right \
             file back and restart; until then they get in with a recovery code or a passkey, or `passgate user \
             reset-second-factor NAME` has one set it up anew"
        ))
    }
}
