//! Copying the store: the one command that takes many replies.

use std::fmt;
use std::sync::Arc;

use super::Control;
use super::protocol::{Failure, Reply};
use crate::store::Export;

/// A copy of the store under way.
pub struct Copying(Box<dyn Export>);

impl Copying {
    /// The next reply of it, until one that is no [`Reply::Copy`].
    pub fn next_reply(&mut self) -> Reply {
        match self.0.next_lines() {
            Ok(Some(lines)) => Reply::Copy { total: self.0.total(), lines },
            Ok(None) => Reply::Done("copied".to_owned()),
            Err(error) => Reply::Failed(error.into()),
        }
    }
}

impl fmt::Debug for Copying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Copying")
    }
}

impl Control {
    /// Begins a copy; counting what there is takes a moment.
    pub(super) async fn copy(&self) -> Result<Reply, Failure> {
        let store = Arc::clone(&self.store);
        let begun = tokio::task::spawn_blocking(move || store.export()).await;
        let export = begun.map_err(|error| Failure::Unavailable(error.to_string()))??;
        Ok(Reply::Copying(Copying(export)))
    }
}
