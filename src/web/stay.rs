//! How long the browser is to keep a session, as ticked on the sign-in page.

use serde::{Deserialize, Serialize};

use super::request::Form;
use crate::domain::Persistence;

/// The two boxes. Where both are ticked, as without a script they can be, the computer is shared: that promises less.
#[derive(Clone, Copy, Default, Deserialize, Serialize)]
pub(super) struct Stay {
    /// "Stay signed in".
    #[serde(default)]
    remember: bool,
    /// "This is a shared computer".
    #[serde(default)]
    shared: bool,
}

impl Stay {
    /// An example for the templates.
    pub(super) const TICKED: Self = Self { remember: true, shared: true };

    pub(super) fn posted(form: &Form) -> Self {
        Self { remember: form.is_ticked("remember"), shared: form.is_ticked("shared") }
    }
}

impl From<Persistence> for Stay {
    fn from(persistence: Persistence) -> Self {
        Self { remember: persistence == Persistence::Remembered, shared: persistence == Persistence::Shared }
    }
}

impl From<Stay> for Persistence {
    fn from(stay: Stay) -> Self {
        match stay {
            Stay { shared: true, .. } => Self::Shared,
            Stay { remember: true, .. } => Self::Remembered,
            Stay { .. } => Self::Browser,
        }
    }
}
