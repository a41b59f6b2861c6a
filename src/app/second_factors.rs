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
}
