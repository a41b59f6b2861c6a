//! A member's second factor as operators see it, and the command that takes it away. What checks a code is shown to nobody.

use serde::{Deserialize, Serialize};

use super::Control;
use super::protocol::{Failure, Reply};
use crate::auth::events::What;
use crate::auth::mail::Happened;
use crate::auth::second_factors::Kind;
use crate::domain::UserId;
use crate::store::StoreError;

/// A second factor.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecondFactorView {
    /// Where its codes come from.
    #[serde(default = "app")]
    pub kind: Kind,
    /// When it was set up.
    pub since: String,
    /// How many recovery codes are left.
    pub recovery_codes: usize,
    /// How many browsers are trusted now.
    pub trusted_devices: usize,
}

const fn app() -> Kind {
    Kind::App
}

impl Control {
    pub(super) fn second_factor_of(&self, user: UserId) -> Result<Option<SecondFactorView>, StoreError> {
        let Some(standing) = self.second_factors.of(user)? else { return Ok(None) };
        Ok(Some(SecondFactorView {
            kind: standing.kind,
            since: standing.since.to_string(),
            recovery_codes: standing.recovery_codes,
            trusted_devices: self.second_factors.trusted(user)?.len(),
        }))
    }

    pub(super) async fn reset_second_factor(&self, name: &str) -> Result<Reply, Failure> {
        let user = self.named(name)?;
        let was_there = self.second_factors.remove(user.profile.id).await?;
        if was_there {
            self.accounts.note(user.profile.id, self.accounts.happened(What::SecondFactorRemoved));
            self.mail.apply(self.notice(Happened::TwoStepOff, &user.profile)).await?;
        }
        let name = user.profile.name;
        Ok(Reply::Done(if was_there {
            format!("the second factor of {name} is taken away; their password alone signs them in now")
        } else {
            format!("{name} has no second factor; nothing was changed")
        }))
    }
}
